"""What an evaluation returns: numbers with their interval and their place, and the arrays of its charts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

ChartKind = Literal["overlay", "heatmap", "intervals", "curve"]


class Edition(StrEnum):
    """Who may read a figure.

    SHAREABLE figures are functions of released noisy values, public settings and synthetic records only.
    INTERNAL figures were computed on private records and carry no differential privacy guarantee.
    """

    SHAREABLE = "shareable"
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True)
class Score:
    """One figure, between what chance and what a second real sample would score.

    Attributes:
      name: Dotted, lower case: `fidelity.tv2.holdout`.
      value: The figure; None where it cannot be told, the sentence says why.
      low: Lower end of the 95 % interval, None where none is stated.
      high: Upper end.
      baseline: The floor: independent columns, a naive attacker, the majority class.
      ceiling: What a second real sample of the same size scores; for attacks, the cap from (epsilon, delta).
      better: Which direction is good.
      edition: Who may read it.
      columns: Columns it is about, empty for the whole table.
      sentence: The figure in plain words, complete with its unit.
    """

    name: str
    value: float | None
    sentence: str
    better: Literal["higher", "lower"]
    edition: Edition
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    ceiling: float | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Chart:
    """The arrays of one chart; `report` draws them, and prints them as a table beside the drawing.

    Attributes:
      name: Dotted, like a score's.
      kind: overlay (bars of several series over categories), heatmap (`matrix` over `rows` and `columns`),
        intervals (`value`, `low`, `high`, optional `baseline` and `ceiling`, and a second set
        `real`, `real_low`, `real_high`; one entry per label), curve (`x` and one
        array per series).
      title: A short noun phrase.
      labels: Names along the category axis (or of the heatmap's rows and columns).
      arrays: Series by name, None for no figure; all as long as `labels`, except the heatmap's row-major matrix.
      edition: Who may see it.
      sentence: What the reader should see in it; doubles as the text alternative.
    """

    name: str
    kind: ChartKind
    title: str
    labels: tuple[str, ...]
    arrays: Mapping[str, tuple[float | None, ...]]
    edition: Edition
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Scores and charts of one evaluator."""

    scores: tuple[Score, ...] = ()
    charts: tuple[Chart, ...] = field(default=())
