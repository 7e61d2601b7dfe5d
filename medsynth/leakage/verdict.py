"""One verdict over all attacks, with the error of the whole family."""

from collections.abc import Iterable, Mapping

from medsynth.inference import holm
from medsynth.leakage.game import told
from medsynth.score import Edition, Evaluation, Score

LEVEL = 0.001
"""Family-wise: of a thousand tables without a leak one is accused."""
DOUBT = 0.05


def verdict(evaluations: Mapping[str, Evaluation]) -> Evaluation:
    """`leak.verdict`: the smallest probability among all attacks, adjusted by Holm's method for their number.

    Every score `leak.*` whose last word is `p` counts, those inside groups too. Distances do not.
    """
    tested = [score for score in _scores(evaluations.values()) if is_test(score.name) and score.value is not None]
    adjusted = holm([float(score.value or 0.0) for score in tested])
    caught = [score for score, p in zip(tested, adjusted, strict=True) if p < LEVEL]
    doubtful = [score for score, p in zip(tested, adjusted, strict=True) if LEVEL <= p < DOUBT]
    return Evaluation(
        scores=(
            Score(
                name="leak.verdict",
                value=min(adjusted, default=None),
                better="higher",
                edition=Edition.INTERNAL,
                sentence=_sentence(len(tested), min(adjusted, default=1.0), caught, doubtful),
            ),
        )
    )


def is_test(name: str) -> bool:
    """Whether a score is a probability that the verdict judges.

    >>> is_test("leak.copies.exact_p"), is_test("leak.linkability.p"), is_test("leak.linkability.excess")
    (True, True, False)
    """
    return name.startswith("leak.") and name.replace("_", ".").endswith(".p")


def attack_of(name: str) -> str:
    """The attack's name in the score of its test.

    >>> attack_of("leak.copies.exact_p"), attack_of("leak.inside.women.linkability.p")
    ('exact copies', 'linkability inside women')
    """
    parts = name.removeprefix("leak.").removesuffix("p").rstrip("._").split(".")
    if parts[0] == "inside":
        return f"{parts[-1].replace('_', ' ')} inside {'.'.join(parts[1:-1])}"
    if parts[0] == "copies" and len(parts) > 1:
        return f"{parts[-1]} copies"
    return ", ".join(part.replace("_", " ") for part in parts)


def _scores(evaluations: Iterable[Evaluation]) -> Iterable[Score]:
    return (score for evaluation in evaluations for score in evaluation.scores)


def _sentence(tests: int, smallest: float, caught: list[Score], doubtful: list[Score]) -> str:
    if not tests:
        return "No attack could be run, so nothing is known of leaks."
    judged = f"{tests} tests, by Holm's method at family-wise level"
    if caught:
        return f"LEAK: {_listed(caught)} went beyond the control ({judged} {LEVEL:g}). Do not release this table."
    if doubtful:
        return (
            f"Doubtful: {_listed(doubtful)} lies between the levels {LEVEL:g} and {DOUBT:g} ({judged}s {LEVEL:g} and "
            f"{DOUBT:g}; smallest adjusted probability {told(smallest)}). Ask an expert, or audit a fresh draw."
        )
    return (
        "No attack found a leak beyond its control, or beyond its cap where a guarantee is claimed "
        f"({judged} {DOUBT:g}; smallest adjusted probability {told(smallest)}). "
        "Each figure says the smallest leak it would have seen: this is no proof that there is none."
    )


def _listed(scores: list[Score]) -> str:
    names = [f"'{attack_of(score.name)}'" for score in scores]
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
