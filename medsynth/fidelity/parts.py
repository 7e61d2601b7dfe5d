"""Rows of a comparison for figures beyond cross tables: folds of persons, a second real sample, values of numbers.

Every such figure compares with the holdout. Its ceiling is a second real sample: persons of the training table, as many
rows as the synthetic table has (all of them where it has more). Its interval leaves out one eighth of the persons of
both tables at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison, Part
from medsynth.encoding.numbers import MICROSECONDS_PER_DAY
from medsynth.encoding.raw import moments, numbers
from medsynth.fidelity.tables import FOLDS, FloatArray, dealt, persons_of
from medsynth.inference import jackknife_error
from medsynth.score import Chart, Edition, Score

BoolArray = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
NUMBERS = frozenset({"integer", "decimal", "date"})
SHOWN = 12
"""Entries of a chart of the worst."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Some rows of one part.

    Attributes:
      part: Which table they are of.
      places: (n,) their positions in it.
      weights: (n,) row weights.
      folds: (n,) fold of each row's person, 0 .. FOLDS - 1.
    """

    part: Part
    places: Places
    weights: FloatArray
    folds: npt.NDArray[np.int64]

    def at(self, chosen: Places) -> "Rows":
        """Some of the rows."""
        return Rows(part=self.part, places=self.places[chosen], weights=self.weights[chosen], folds=self.folds[chosen])

    def by_fold(self, cells: npt.NDArray[Any], size: int, weights: FloatArray | None = None) -> FloatArray:
        """Weighted counts (size, FOLDS) of the cell of each row; negative cells are left out."""
        own = self.weights if weights is None else weights
        index = cells.astype(np.intp) * FOLDS + self.folds
        inside = index >= 0
        if not inside.all():
            index, own = index[inside], own[inside]
        counts: FloatArray = np.bincount(index, own, minlength=size * FOLDS).astype(np.float64)
        return counts.reshape(size, FOLDS)


def rows_of(comparison: Comparison, part: Part, rng: np.random.Generator) -> Rows:
    """All rows of a part, its persons dealt into folds."""
    folds = dealt(persons_of(comparison, part), rng)
    return Rows(part=part, places=np.arange(len(folds)), weights=comparison.weights(part), folds=folds)


def second_sample(comparison: Comparison, rng: np.random.Generator) -> Rows:
    """Training rows of random persons, about as many as the synthetic table has; all where it has more."""
    persons = persons_of(comparison, "train")
    wanted = len(comparison.synthetic) / max(1, len(persons))
    people = int(persons.max(initial=-1)) + 1
    rank = rng.permutation(people)
    places = np.flatnonzero(rank[persons] < max(1, round(people * min(1.0, wanted))))
    return Rows(
        part="train",
        places=places,
        weights=comparison.weights("train")[places],
        folds=rank[persons[places]] % FOLDS,
    )


def thinned(weights: FloatArray, rng: np.random.Generator, *, most: int) -> Places:
    """Positions of at most `most` rows that stand for the weighted table without weights, none twice.

    A row is kept with a chance in proportion to its weight, so a person whose rows share one weight has one on average.
    """
    top = weights.max(initial=0.0)
    kept: Places = np.flatnonzero(rng.random(len(weights)) * top < weights)
    return np.sort(rng.permutation(kept)[:most])


def empty_part(comparison: Comparison) -> Part | None:
    """The first part without a row that counts."""
    parts: tuple[Part, ...] = ("train", "holdout", "synthetic")
    return next((part for part in parts if not comparison.weights(part).sum() > 0), None)


def number_columns(comparison: Comparison) -> tuple[int, ...]:
    """Positions of the columns that are numbers or days."""
    columns = comparison.schema.columns
    return tuple(at for at, name in enumerate(comparison.domain.names) if columns[name].kind in NUMBERS)


def category_columns(comparison: Comparison) -> tuple[int, ...]:
    """Positions of all other columns."""
    numbered = set(number_columns(comparison))
    return tuple(at for at in range(len(comparison.domain)) if at not in numbered)


def values_of(comparison: Comparison, rows: Rows, position: int) -> FloatArray:
    """Numbers, or days since 1970, inside the public bounds, (n,); NaN where missing."""
    name = comparison.domain.names[position]
    column: Any = comparison.schema.columns[name]
    raw = comparison.frame(rows.part)[name].iloc[rows.places]
    values = moments(raw) / MICROSECONDS_PER_DAY if column.kind == "date" else numbers(raw)
    low, high = (_bound(column, end) for end in ("min", "max"))
    missing = missing_of(comparison, rows, position)
    return np.where(missing, np.nan, np.clip(values, low, high))


def _bound(column: Any, end: Literal["min", "max"]) -> float | None:
    bound = getattr(column, end)
    if bound is None or column.kind != "date":
        return bound if bound is None else float(bound)
    return float(np.datetime64(bound, "D").astype(np.int64))


def missing_of(comparison: Comparison, rows: Rows, position: int) -> BoolArray:
    """Whether a cell is blank or holds a missing code, (n,)."""
    mask = comparison.codec.cells[position].tail.missing()
    missing: BoolArray = mask[comparison.codes(rows.part)[rows.places, position]]
    return missing


def left_out(folds: FloatArray) -> FloatArray:
    """Totals (..., 1 + FOLDS) of sums by fold: the whole, then without each fold in turn."""
    whole = folds.sum(axis=-1, keepdims=True)
    return np.concatenate([whole, whole - folds], axis=-1)


def judged(
    name: str,
    values: FloatArray,
    *,
    baseline: float | None,
    ceiling: float | None,
    better: Literal["higher", "lower"],
    sentence: str,
    highest: float | None = 1.0,
    words: Mapping[str, object] = MappingProxyType({}),
) -> Score:
    """A score from its value on the whole and without each fold, (1 + FOLDS,).

    `{value}`, `{low}`, `{high}`, `{floor}`, `{ceiling}` and the words given (names of columns may hold anything) are
    filled into the sentence.
    """
    value = float(values[0])
    half = 1.96 * jackknife_error(values[1:])
    low, high = max(0.0, value - half), value + half
    if highest is not None:
        high = min(highest, high)
    filled = sentence.format(value=value, low=low, high=high, floor=baseline, ceiling=ceiling, **words)
    return Score(
        name=name,
        value=value,
        low=low,
        high=high,
        baseline=baseline,
        ceiling=ceiling,
        better=better,
        edition=Edition.INTERNAL,
        sentence=filled,
    )


def untold(name: str, better: Literal["higher", "lower"], reason: str) -> Score:
    """A score that cannot be told, with the reason."""
    return Score(name=name, value=None, better=better, edition=Edition.INTERNAL, sentence=f"Cannot be told: {reason}")


def no_rows(names: tuple[str, ...], part: Part, better: Literal["higher", "lower"] = "lower") -> tuple[Score, ...]:
    """Scores of a comparison one of whose tables is empty."""
    return tuple(untold(name, better, f"the {part} table has no rows.") for name in names)


def worst_chart(
    name: str,
    title: str,
    labels: tuple[str, ...],
    values: FloatArray,
    *,
    baseline: FloatArray,
    ceiling: FloatArray,
    sentence: str,
) -> Chart:
    """The entries that lie furthest beyond the second real sample, with their intervals.

    Args:
      name: Of the chart.
      title: Likewise.
      labels: One per entry.
      values: (entries, 1 + FOLDS) distances, on the whole and without each fold.
      baseline: (entries,).
      ceiling: (entries,).
      sentence: Of the chart.
    """
    worst = np.argsort(ceiling - values[:, 0], kind="stable")[:SHOWN]
    own = values[worst, 0]
    errors = 1.96 * np.array([jackknife_error(entry[1:]) for entry in values[worst]])
    arrays = {
        "value": own,
        "low": np.maximum(own - errors, 0.0),
        "high": own + errors,
        "baseline": baseline[worst],
        "ceiling": ceiling[worst],
    }
    return chart_of(name, "intervals", title, tuple(labels[at] for at in worst), arrays, sentence)


def chart_of(
    name: str,
    kind: Literal["overlay", "heatmap", "intervals", "curve"],
    title: str,
    labels: tuple[str, ...],
    arrays: dict[str, FloatArray],
    sentence: str,
) -> Chart:
    """An internal chart from arrays."""
    return Chart(
        name=name,
        kind=kind,
        title=title,
        labels=labels,
        arrays={key: tuple(map(float, np.ravel(series))) for key, series in arrays.items()},
        edition=Edition.INTERNAL,
        sentence=sentence,
    )
