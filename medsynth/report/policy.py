"""Compares the limits a schema's policy declares with the figures that were measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from medsynth.report.blocks import Figure, PolicyLine, Verdict
from medsynth.report.wording import policy_name
from medsynth.score import Edition

End = Literal["value", "low", "high"]
EPSILON = "epsilon_max"
NO_POLICY = "No policy declared: nothing was judged"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which figures a limit speaks about, best evidence first, and which end decides."""

    scores: tuple[str, ...]
    end: End
    judged_by: str


# An excess of copies is a difference between two samples: a limit of 0 on its value would fail
# every second clean table, one on its upper end all of them. So the lower end decides: is there
# an excess beyond chance?
RULES: Mapping[str, Rule] = {
    "membership_tpr_at_1pct_fpr_max": Rule(
        scores=("leak.membership.*.tpr_at_1pct_fpr",),
        end="high",
        judged_by="Strongest attack, upper end of the interval",
    ),
    "exact_match_excess_max": Rule(
        scores=("leak.copies.exact_excess",),
        end="low",
        judged_by="Excess beyond chance: lower end of the interval",
    ),
    # Never the distance to the noised counts: both editions would judge, by different figures.
    "tv_2way_max": Rule(
        scores=("fidelity.tv2.holdout", "fidelity.tv2.train"),
        end="value",
        judged_by="Measured value",
    ),
    "auc_drop_max": Rule(scores=("utility.auc.drop",), end="value", judged_by="Measured value"),
}


def judge(
    limits: Mapping[str, float | None],
    figures: Sequence[Figure],
    *,
    epsilon: float | None,
    edition: Edition,
) -> tuple[PolicyLine, ...]:
    """Judges every declared limit by the figures the edition may use.

    Args:
      limits: Policy lines of the schema; a limit of None is not declared.
      figures: Scores of the run; INTERNAL ones are not looked at for the shareable edition.
      epsilon: Epsilon of the guarantee, None where there is none.
      edition: For SHAREABLE the result is a function of the limits, epsilon and SHAREABLE
      figures alone.

    Returns:
      One line per declared limit, in the order of the policy.
    """
    usable = [figure for figure in figures if edition is Edition.INTERNAL or figure.edition is Edition.SHAREABLE]
    declared = {key: limit for key, limit in limits.items() if limit is not None}
    return tuple(
        _epsilon_line(limit, epsilon) if key == EPSILON else _line(key, limit, usable, edition)
        for key, limit in declared.items()
    )


def verdict(lines: Sequence[PolicyLine]) -> Verdict:
    """Says in one sentence how many policy lines are met.

    >>> verdict(()).sentence
    'No policy declared: nothing was judged'
    """
    named = {word: [policy_name(line.key) for line in lines if line.outcome == word] for word in _OUTCOMES}
    elsewhere = len(named["in the internal edition"])
    details = [f"{word.capitalize()}: {'; '.join(named[word])}." for word in ("not met", "not measured") if named[word]]
    if elsewhere:
        details.append(f"{elsewhere} {'is' if elsewhere == 1 else 'are'} judged in the internal edition only.")
    return Verdict(
        sentence=f"{len(named['met'])} of {len(lines)} policy lines met" if lines else NO_POLICY,
        detail=" ".join(details),
        lines=len(lines),
        met=len(named["met"]),
        not_met=len(named["not met"]),
        not_measured=len(named["not measured"]),
        in_internal_edition=elsewhere,
    )


_OUTCOMES = ("met", "not met", "not measured", "in the internal edition")


def _epsilon_line(limit: float, epsilon: float | None) -> PolicyLine:
    met = None if epsilon is None else epsilon <= limit
    return PolicyLine(
        key=EPSILON,
        limit=limit,
        measured=epsilon,
        met=met,
        outcome=_word(met),
        judged_by="Booked in the ledger",
    )


def _line(key: str, limit: float, figures: Sequence[Figure], edition: Edition) -> PolicyLine:
    rule = RULES.get(key)
    if rule is None:
        return PolicyLine(
            key=key,
            limit=limit,
            outcome="not measured",
            judged_by="No figure is known for this line",
        )
    found = _evidence(rule, figures)
    if not found and edition is Edition.SHAREABLE:
        return PolicyLine(key=key, limit=limit, outcome="in the internal edition", judged_by=rule.judged_by)
    met = _met(rule, limit, found)
    worst = max(found, key=lambda figure: _rank(figure, rule.end), default=None)
    return PolicyLine(
        key=key,
        limit=limit,
        measured=worst.value if worst else None,
        low=worst.low if worst else None,
        high=worst.high if worst else None,
        met=met,
        outcome=_word(met),
        judged_by=rule.judged_by,
        score=worst.name if worst else None,
    )


def _evidence(rule: Rule, figures: Sequence[Figure]) -> list[Figure]:
    """Figures of the first pattern of which at least one has a value for the whole table."""
    whole = [figure for figure in figures if not figure.columns]
    for pattern in rule.scores:
        found = [figure for figure in whole if fnmatchcase(figure.name, pattern)]
        if any(figure.value is not None for figure in found):
            return found
    return []


def _decisive(figure: Figure, end: End) -> float | None:
    """The number held against the limit; an excess without an interval is judged by its value."""
    number: float | None = getattr(figure, end)
    return figure.value if number is None and end == "low" else number


def _rank(figure: Figure, end: End) -> float:
    number = _decisive(figure, end)
    return -float("inf") if number is None else number


def _met(rule: Rule, limit: float, found: Sequence[Figure]) -> bool | None:
    """False as soon as one figure is above the limit, None while one of them cannot be told."""
    numbers = [_decisive(figure, rule.end) for figure in found]
    if any(number is not None and number > limit for number in numbers):
        return False
    return None if not numbers or None in numbers else True


def _word(met: bool | None) -> Literal["met", "not met", "not measured"]:
    return "not measured" if met is None else "met" if met else "not met"
