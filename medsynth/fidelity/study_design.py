"""A study's rows as numbers: which rows count, which coefficients can be told, and the columns of the regression.

Rows with a missing number or outcome are left out, and numbers beyond the public bounds are read as a fit reads them;
of a listed column, missing is a value like others. A condition is unknown, so its row is left out, where a column it
reads is missing, unless it asks for that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.schema.formula import Formula, Term, kind_of_column, levels_of
from medsynth.schema.predicate import IsMissing
from medsynth.schema.reading import column_cells, day_number, days, kind_of, numbers, texts

if TYPE_CHECKING:
    from medsynth.schema import Schema

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
MISSING = "missing"
NOBODY, ONE_OUTCOME, REFERENCE, SAME = (
    "no row has it",
    "all its rows have the same outcome",
    "the value it is compared with cannot be told",
    "it cannot be told apart from the others",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Factor:
    """One term on the rows.

    Attributes:
      labels: Of its coefficients, one for a number, one for each value but the first of a list.
      codes: (n,) position of the value, for a list; the first is what others are compared with.
      numbers: (n,), for a number.
    """

    labels: tuple[str, ...]
    codes: npt.NDArray[np.int64] | None = None
    numbers: FloatArray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """What a regression takes.

    Attributes:
      labels: Of all declared coefficients, in order.
      reasons: Why a coefficient cannot be told, by label.
      kept: (n,) rows of the table that enter.
      x: (kept, p), without a constant.
      columns: Label of each column of `x`; None for one that enters but is not asked for.
      scales: (p,) by which coefficients are divided.
    """

    labels: tuple[str, ...]
    reasons: dict[str, str]
    kept: BoolArray
    x: FloatArray
    columns: tuple[str | None, ...]
    scales: FloatArray


def labels_of(formula: Formula, schema: "Schema") -> tuple[str, ...]:
    """Names of a formula's coefficients, by the schema alone."""
    return tuple(label for term in formula.terms for label in _labels(term, schema))


def _labels(term: Term, schema: "Schema") -> tuple[str, ...]:
    if term.column is None or kind_of_column(term.column, schema) == "number":
        return (term.text if term.column is None else term.column,)
    return tuple(f"{term.column}: {level}" for level in _values(term, schema)[1:])


def _values(term: Term, schema: "Schema") -> tuple[str, ...]:
    column = schema.columns.get(term.column or "")
    missing = (MISSING,) if getattr(column, "can_be_missing", column is None) else ()
    return (*levels_of(term, schema), *missing)


def values_of(term: Term, frame: pd.DataFrame, schema: "Schema") -> FloatArray:
    """A number, or 1 where a condition holds and 0 where not; NaN where unknown."""
    if term.condition is not None:
        values = term.condition.evaluate(frame, schema).astype(np.float64)
        asked = {leaf.column for leaf in term.condition.leaves() if isinstance(leaf, IsMissing)}
        for other in term.condition.columns - asked:
            values[IsMissing(other).evaluate(frame, schema)] = np.nan
        return values
    name = term.column or ""
    cells = column_cells(name, frame, schema)
    read = days if kind_of(name, cells, schema) == "day" else numbers
    column = schema.columns.get(name)
    return _within(read(cells, column), column)


def _within(values: FloatArray, column: Any) -> FloatArray:
    """Numbers beyond the public bounds as a fit reads them: missing where that may be, else the nearest bound."""
    low, high = getattr(column, "min", None), getattr(column, "max", None)
    if low is None or high is None:
        return values
    if column.kind == "date":
        low, high = day_number(low.isoformat()), day_number(high.isoformat())
    inside = np.clip(values, low, high)
    return np.where(inside == values, values, np.nan) if column.can_be_missing else inside


def factor_of(term: Term, frame: pd.DataFrame, schema: "Schema") -> Factor:
    """One term on the rows of a table."""
    labels = _labels(term, schema)
    if term.column is not None and kind_of_column(term.column, schema) == "listed":
        return Factor(labels=labels, codes=_codes(term, frame, schema))
    values = values_of(term, frame, schema)
    if term.condition is None:
        return Factor(labels=labels, numbers=values)
    return Factor(labels=labels, codes=np.where(np.isnan(values), -1, values).astype(np.int64))


def _codes(term: Term, frame: pd.DataFrame, schema: "Schema") -> npt.NDArray[np.int64]:
    """Position among the values; missing where it is one of them, -1 for what is neither."""
    name, values = term.column or "", _values(term, schema)
    position = {text: place for place, text in enumerate(values)}
    nowhere = position.get(MISSING, -1)
    codes, distinct = pd.factorize(texts(column_cells(name, frame, schema), schema.columns.get(name)))
    table = [position.get(str(text), nowhere) for text in distinct]
    return np.array([*table, nowhere], dtype=np.int64)[codes]


def design_of(factors: Sequence[Factor], outcome: FloatArray, usable: BoolArray, *, decided: Sequence[float]) -> Design:
    """The regression's columns, and which coefficients cannot be told.

    Args:
      factors: The terms.
      outcome: (n,) 0 or 1 for a condition.
      usable: (n,) rows with an outcome and a weight.
      decided: Outcomes that no row of a value may all have: its coefficient would be infinite, and its rows say
        nothing of the others.

    Returns:
      Columns standardised over the rows that are kept.
    """
    kept = usable.copy()
    for factor in factors:
        kept &= ~np.isnan(factor.numbers) if factor.numbers is not None else _codes_of(factor) >= 0
    reasons = _undecided(factors, outcome, kept, decided)
    columns: list[tuple[str | None, FloatArray]] = []
    for factor in factors:
        columns += _columns(factor, kept, reasons)
    x = np.stack([values for _, values in columns], axis=1) if columns else np.zeros((int(kept.sum()), 0))
    names = [name for name, _ in columns]
    x, names, scales = _told_apart(x, names, reasons)
    labels = tuple(label for factor in factors for label in factor.labels)
    return Design(labels=labels, reasons=reasons, kept=kept, x=x, columns=tuple(names), scales=scales)


def _codes_of(factor: Factor) -> npt.NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64) if factor.codes is None else factor.codes


def _undecided(
    factors: Sequence[Factor], outcome: FloatArray, kept: BoolArray, decided: Sequence[float]
) -> dict[str, str]:
    """Leaves out rows of values that all have one outcome, until none is left; says which values these are."""
    reasons: dict[str, str] = {}
    listed = [factor for factor in factors if factor.codes is not None]
    changed = True
    while changed:
        changed = False
        for factor in listed:
            for place in _constant(factor, outcome, kept, decided):
                kept &= _codes_of(factor) != place
                changed = True
                labels = factor.labels if place == 0 else factor.labels[place - 1 : place]
                reasons |= {label: REFERENCE if place == 0 else ONE_OUTCOME for label in labels}
    for factor in listed:
        counts = np.bincount(_codes_of(factor)[kept], minlength=len(factor.labels) + 1)
        for label, count in zip(factor.labels, counts[1:], strict=True):
            if not count:
                reasons.setdefault(label, NOBODY)
            elif not counts[0]:
                reasons.setdefault(label, REFERENCE)
    return reasons


def _constant(factor: Factor, outcome: FloatArray, kept: BoolArray, decided: Sequence[float]) -> list[int]:
    codes = _codes_of(factor)[kept]
    size = len(factor.labels) + 1
    counts = np.bincount(codes, minlength=size)
    found: list[int] = []
    for value in decided:
        same = np.bincount(codes, outcome[kept] == value, minlength=size)
        found += [int(place) for place in np.flatnonzero((counts > 0) & (same == counts))]
    return found


def _columns(factor: Factor, kept: BoolArray, reasons: dict[str, str]) -> list[tuple[str | None, FloatArray]]:
    """Indicators of the values that occur, but for the first of them; or the number."""
    if factor.numbers is not None:
        return [(factor.labels[0], factor.numbers[kept])]
    codes = _codes_of(factor)[kept]
    present = np.unique(codes)[1:]
    named = [(factor.labels[place - 1], (codes == place).astype(np.float64)) for place in present]
    return [(None if label in reasons else label, values) for label, values in named]


def _told_apart(
    x: FloatArray, names: list[str | None], reasons: dict[str, str]
) -> tuple[FloatArray, list[str | None], FloatArray]:
    """Drops columns that the earlier ones determine; none of those involved can be told."""
    if not len(x):
        return x[:, :0], [], np.zeros(0)
    spread = x.std(axis=0)
    scales = np.where(spread > 1e-12 * np.abs(x).max(axis=0, initial=1.0), spread, np.inf)
    standard = (x - x.mean(axis=0)) / scales
    gram = standard.T @ standard / len(x)
    values, vectors = np.linalg.eigh(gram)
    involved = (np.abs(vectors[:, values < 1e-9]) > 1e-5).any(axis=1)
    kept = _independent(gram)
    for name, untold in zip(names, involved, strict=True):
        if untold and name is not None:
            reasons.setdefault(name, SAME)
    return standard[:, kept], [names[place] for place in kept], scales[kept]


def _independent(gram: FloatArray) -> list[int]:
    """Columns that earlier ones do not determine."""
    rest, kept = gram.copy(), []
    for place in range(len(gram)):
        if rest[place, place] > 1e-9:
            kept.append(place)
            rest -= np.outer(rest[:, place], rest[place]) / rest[place, place]
    return kept
