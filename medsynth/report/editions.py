"""One content, two editions: internal as collected, shareable without any INTERNAL figure."""

from typing import Protocol, TypeVar

from medsynth.report.blocks import RareCondition
from medsynth.report.content import ReportContent
from medsynth.report.policy import judge, verdict
from medsynth.score import Edition

# The same words whatever was measured: the list itself must not depend on a private record.
WITHHELD = (
    "Fidelity against the private training records and against real holdout records",
    "Utility on real records",
    "Copy, membership and other attacks that compare with real records",
    "True shares of rare conditions",
    "How many real records break a rule",
    "Policy lines judged by any of these",
)


class _Marked(Protocol):
    @property
    def edition(self) -> Edition: ...


_M = TypeVar("_M", bound=_Marked)


def edition_of(content: ReportContent, edition: Edition) -> ReportContent:
    """Makes an edition from the internal content.

    Args:
      content: As `collect` returns it.
      edition: Which edition to make.

    Returns:
      For INTERNAL the content itself. For SHAREABLE a function of shareable values only: two
      contents that differ in INTERNAL values, or in which INTERNAL figures exist, give the same.
    """
    if edition == Edition.INTERNAL or content.edition is Edition.SHAREABLE:
        return content
    scores = _shareable(content.scores)
    epsilon = content.guarantee.epsilon if content.guarantee else None
    limits = {line.key: line.limit for line in content.policy}
    lines = judge(limits, scores, epsilon=epsilon, edition=Edition.SHAREABLE)
    return content.model_copy(
        update={
            "edition": Edition.SHAREABLE,
            "banner": "",
            "verdict": verdict(lines),
            "policy": lines,
            "rare": tuple(_shareable_condition(row) for row in content.rare),
            "scores": scores,
            "charts": _shareable(content.charts),
            "appendices": _shareable(content.appendices),
            "files": _shareable(content.files),
            "not_tested": _shareable(content.not_tested),
            "notices": _shareable(content.notices),
            "withheld": WITHHELD,
        }
    )


def _shareable(parts: tuple[_M, ...]) -> tuple[_M, ...]:
    return tuple(part for part in parts if part.edition is Edition.SHAREABLE)


def _shareable_condition(row: RareCondition) -> RareCondition:
    """The declared name and predicate always stay: the schema is public."""
    if row.edition is Edition.SHAREABLE:
        return row.model_copy(update={"real_share": None})
    return RareCondition(name=row.name, where=row.where, verdict="In the internal edition")
