"""Can an attacker tell who was in the training data? Attacks, each against people who were not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from medsynth.encoding.comparison import Comparison
from medsynth.inference import Estimate, auc_interval, delong, fisher_exact, true_positive_rate
from medsynth.leakage.disclosure import disclosure
from medsynth.leakage.distance import Distance, FloatArray
from medsynth.leakage.game import told
from medsynth.leakage.ratios import known_marginal_ratio, published_table_ratio
from medsynth.leakage.targets import FEWEST, Targets, choose_targets, some_rows
from medsynth.score import Chart, Edition, Evaluation, Score

KNOWLEDGE: Mapping[str, str] = {
    "closest_record": "the released rows",
    "calibrated": "the released rows and other people of the same population",
    "known_marginal": ("the released rows, which tables the model measured, and other people of the same population"),
    "published_tables": "the model file and other people of the same population",
}
AUC_CHANCE, TPR_CHANCE, FPR = 0.5, 0.01, 0.01
DETECTABLE = 1.96 + 0.84


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Membership inference on people of train against people of the holdout, one row per person.

    Half of the holdout's persons at least serve as the attacker's reference and are attacked by nobody. The ceiling
    of every figure is the cap that the claimed guarantee puts on any attack, and exceeded if the interval's lower end
    is.

    Attributes:
      most_targets: Members attacked, and as many strangers.
      most_released: Released rows, and reference rows, searched by the distance attacks.

    Source: closest record, Hilprecht et al. (2019), doi:10.2478/popets-2019-0067; known marginals,
      Golob et al. (2024), arXiv:2410.05506.
    """

    most_targets: int = 2000
    most_released: int = 20_000
    names: ClassVar[tuple[str, ...]] = ("membership",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `leak.membership.ATTACK.{auc,tpr_at_1pct_fpr}`, also of the `strongest`, `.p` and `.f1_gain`."""
        targets = choose_targets(comparison, self.most_targets, rng)
        if not targets.enough or not len(comparison.synthetic):
            return Evaluation(scores=tuple(_untold(figure) for figure in ("auc", "tpr_at_1pct_fpr")))
        guesses = self._guesses(comparison, targets, rng)
        caps = comparison.claim.guarantee if comparison.claim else {}
        own = [score for attack, guess in guesses.items() for score in _scores(attack, guess, caps)]
        strongest = _strongest(guesses, caps)
        fraction = comparison.schema.dataset.sampling_fraction
        disclosed = disclosure(guesses["closest_record"].members, guesses["closest_record"].strangers, fraction)
        beside = (_p_score(surprise(guesses.values(), caps), caps), disclosed)
        return Evaluation(scores=(*strongest, *own, *beside), charts=(_chart([*strongest, *own]),))

    def _guesses(self, comparison: Comparison, targets: Targets, rng: np.random.Generator) -> "dict[str, Guess]":
        """What each attack thinks of members and strangers; higher means "was in the data"."""
        rows = np.concatenate(
            [
                comparison.codes("train")[targets.members],
                comparison.codes("holdout")[targets.strangers],
            ]
        )
        released = comparison.codes("synthetic")[some_rows(len(comparison.synthetic), self.most_released, rng)]
        reference = comparison.codes("holdout")[targets.reference]
        metric = Distance(attributes=comparison.domain.attributes)
        near = metric.nearest(rows, released)
        elsewhere = metric.nearest(rows, reference[some_rows(len(reference), self.most_released, rng)])
        beliefs = {
            "closest_record": -near,
            "calibrated": elsewhere - near,
            "known_marginal": known_marginal_ratio(comparison, rows, targets.reference, rng),
        }
        if comparison.claim and comparison.claim.measurements:
            beliefs["published_tables"] = published_table_ratio(comparison, rows, targets.reference)
        members = len(targets.members)
        return {attack: Guess.of(belief, members, rng) for attack, belief in beliefs.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Guess:
    """Beliefs of one attack about members and strangers; joint ranks, ties broken at random."""

    members: FloatArray
    strangers: FloatArray
    ranks: FloatArray

    @classmethod
    def of(cls, beliefs: FloatArray, members: int, rng: np.random.Generator) -> "Guess":
        """Splits beliefs (members, then strangers)."""
        ranks = np.empty(len(beliefs))
        ranks[np.lexsort((rng.random(len(beliefs)), beliefs))] = np.arange(len(beliefs))
        return cls(members=beliefs[:members], strangers=beliefs[members:], ranks=ranks)

    def auc(self, confidence: float = 0.95) -> Estimate:
        """Area under the ROC curve; ties count half."""
        return auc_interval(self.members, self.strangers, confidence)

    def tpr(self, confidence: float = 0.95) -> Estimate:
        """True positive rate at 1 % false positives."""
        split = len(self.members)
        return true_positive_rate(
            self.ranks[:split], self.ranks[split:], false_positive_rate=FPR, confidence=confidence
        )


def _strongest(guesses: Mapping[str, Guess], caps: Mapping[str, object]) -> list[Score]:
    """The attack with the highest figure, its interval widened for the choice (Bonferroni)."""
    confidence = 1 - 0.05 / len(guesses)
    areas = {attack: guess.auc(confidence) for attack, guess in guesses.items()}
    rates = {attack: guess.tpr(confidence) for attack, guess in guesses.items()}
    by_area = max(areas, key=lambda attack: areas[attack].value)
    by_rate = max(rates, key=lambda attack: rates[attack].value)
    note = f" It is the strongest of {len(guesses)} attacks, and its interval allows for that."
    return [
        _auc_score("strongest", by_area, areas[by_area], caps, note + _detectable(guesses[by_area])),
        _tpr_score("strongest", by_rate, rates[by_rate], caps, note),
    ]


def surprise(guesses: Collection[Guess], caps: Mapping[str, object]) -> float:
    """Probability of attacks as good as these or better, if none beat its cap, or chance where no cap is claimed.

    Areas are tested by DeLong's error. Without a cap it is also counted whether members crowd the top of a ranking,
    as they do where few rows were copied and the area does not show it. Bonferroni over all that was tried.
    """
    cap = _cap(caps, "membership_auc_cap")
    tried = []
    for guess in guesses:
        error = max(delong(guess.members, guess.strangers), 0.5 / len(guess.members))
        tried.append(float(special.ndtr((max(cap or 0.0, AUC_CHANCE) - guess.auc().value) / error)))
        if cap is None:
            tried.append(_crowded(guess))
    return min(1.0, len(tried) * min(tried))


def _crowded(guess: Guess) -> float:
    """Fisher's exact test of members among the highest ranks."""
    size = len(guess.members)
    top = guess.ranks >= len(guess.ranks) - max(1, round(2 * FPR * size))
    return fisher_exact(int(top[:size].sum()), size, int(top[size:].sum()), len(guess.ranks) - size)


def _p_score(p: float, caps: Mapping[str, object]) -> Score:
    beyond = "chance" if _cap(caps, "membership_auc_cap") is None else "the cap of the guarantee"
    return Score(
        name="leak.membership.p",
        value=p,
        better="higher",
        edition=Edition.INTERNAL,
        sentence=(
            f"Probability of membership attacks as good as these or better, if none were beyond {beyond}: {told(p)}."
        ),
    )


def _scores(attack: str, guess: Guess, caps: Mapping[str, object]) -> list[Score]:
    return [
        _auc_score(attack, attack, guess.auc(), caps, _detectable(guess)),
        _tpr_score(attack, attack, guess.tpr(), caps, ""),
    ]


def _auc_score(name: str, attack: str, found: Estimate, caps: Mapping[str, object], note: str) -> Score:
    cap = _cap(caps, "membership_auc_cap")
    sentence = (
        f"Knowing {KNOWLEDGE[attack]}, the attack '{attack}' ranks a person in the data above one who is not in "
        f"{found.value:.1%} of pairs (95 % interval {found.low:.1%} to {found.high:.1%}; guessing: 50 %). "
        f"{_verdict(found, cap)}{note}"
    )
    return _score(f"leak.membership.{name}.auc", found, AUC_CHANCE, cap, sentence)


def _tpr_score(name: str, attack: str, found: Estimate, caps: Mapping[str, object], note: str) -> Score:
    cap = _cap(caps, "membership_tpr_cap_at_1pct_fpr")
    sentence = (
        f"Knowing {KNOWLEDGE[attack]}, the attack '{attack}' names {found.value:.1%} of the people in the data "
        f"while it wrongly names 1 % of the others (95 % interval {found.low:.1%} to {found.high:.1%}; guessing: "
        f"1 %). {_verdict(found, cap)}{note}"
    )
    return _score(f"leak.membership.{name}.tpr_at_1pct_fpr", found, TPR_CHANCE, cap, sentence)


def _score(name: str, found: Estimate, chance: float, cap: float | None, sentence: str) -> Score:
    return Score(
        name=name,
        value=found.value,
        low=found.low,
        high=found.high,
        baseline=chance,
        ceiling=cap,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=sentence.strip(),
    )


def _verdict(found: Estimate, cap: float | None) -> str:
    if cap is None:
        return "No guarantee is claimed, so no cap holds."
    if found.low > cap:
        return f"This exceeds the {cap:.1%} that the claimed guarantee allows any attack."
    return f"The claimed guarantee allows no attack more than {cap:.1%}."


def _detectable(guess: Guess) -> str:
    smallest = DETECTABLE * delong(guess.members, guess.strangers)
    return f" A lead of {smallest:.1%} over guessing would have been seen four times in five."


def _cap(caps: Mapping[str, object], key: str) -> float | None:
    cap = caps.get(key)
    return float(cap) if isinstance(cap, int | float) else None


def _untold(figure: str) -> Score:
    return Score(
        name=f"leak.membership.strongest.{figure}",
        value=None,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=(
            f"Too few persons to attack (fewer than {FEWEST} members, strangers or reference persons) or no "
            "released rows."
        ),
    )


def _chart(scores: list[Score]) -> Chart:
    """Every attack's area between guessing and the cap."""
    shown = [score for score in scores if score.name.endswith(".auc")]
    arrays = {key: tuple(float(getattr(score, key)) for score in shown) for key in ("value", "low", "high", "baseline")}
    if shown[0].ceiling is not None:
        arrays["ceiling"] = tuple(shown[0].ceiling for _ in shown)
    return Chart(
        name="leak.membership",
        kind="intervals",
        title="Membership attacks: area under the ROC curve",
        labels=tuple(score.name.split(".")[2] for score in shown),
        arrays=arrays,
        edition=Edition.INTERNAL,
        sentence=(
            "How well each attack tells members from strangers, beside guessing (baseline) and the "
            "guarantee's cap (ceiling)."
        ),
    )
