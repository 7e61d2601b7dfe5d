"""Rows that break an equality are set right by computing the one column that it determines.

An equality of numbers hardly ever holds by chance, so drawing again would go on for ever. Where a rule says
`part_a + part_b == total` (or `x == y`, also behind `implies` or `or`), the column alone on its side becomes what the
other side gives; where that lies outside its bounds, a part makes up the difference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import IntArray
from medsynth.encoding.numbers import NumberCells
from medsynth.schema import Expression, Predicate
from medsynth.schema import predicate as ast
from medsynth.schema.reading import days, numbers


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """A way to make an equality true.

    Attributes:
      equality: What shall hold.
      when: Only in rows that satisfy this; None for all.
      column: The column that is set.
      value: What it is set to.
    """

    equality: Predicate
    when: Predicate | None
    column: str
    value: Expression


def settlements(rules: Sequence[Predicate], codec: Codec) -> tuple[Settlement, ...]:
    """Every way to make the equalities among the rules true, in the order in which they are tried."""
    return tuple(
        found
        for rule in rules
        for found in _settlements(rule, None)
        if found.column in codec.domain and isinstance(codec.cells[codec.domain.index(found.column)], NumberCells)
    )


def _settlements(rule: Predicate, when: Predicate | None) -> Iterator[Settlement]:
    match rule:
        case ast.And(parts=parts):
            for part in parts:
                yield from _settlements(part, when)
        case ast.Implies(left=left, right=right):
            yield from _settlements(right, left if when is None else ast.And((when, left)))
        case ast.Or(parts=parts):
            for place, part in enumerate(parts):
                others = [ast.Not(other) for other in (*parts[:place], *parts[place + 1 :])]
                yield from _settlements(part, ast.And((*others, *([] if when is None else [when]))))
        case ast.CompareColumns(left=a, op="==", right=b):
            for column, value in _solutions(ast.ColumnReference(a), ast.ColumnReference(b)):
                yield Settlement(equality=rule, when=when, column=column, value=value)
        case ast.CompareCalculated(left=one, op="==", right=other):
            for column, value in _solutions(one, other):
                yield Settlement(equality=rule, when=when, column=column, value=value)


def _solutions(left: Expression, right: Expression) -> Iterator[tuple[str, Expression]]:
    """(column, what it must be): columns alone on a side first, then those that are added or subtracted once."""
    for side, other in ((left, right), (right, left)):
        if isinstance(side, ast.ColumnReference) and side.column not in other.columns:
            yield side.column, other
    excess = ast.Arithmetic(left, "-", right)
    terms = list(_terms(excess, 1))
    columns = [column for column, _ in terms]
    for column, sign in terms:
        alone = ast.ColumnReference(column) in (left, right)
        if sign and not alone and columns.count(column) == 1:
            yield column, ast.Arithmetic(ast.ColumnReference(column), "-" if sign > 0 else "+", excess)


def _terms(side: Expression, sign: int) -> Iterator[tuple[str, int]]:
    """Each column as often as it occurs, with 1 or -1 where it is added or subtracted, 0 in any other place."""
    match side:
        case ast.ColumnReference(column=column):
            yield column, sign
        case ast.Arithmetic(left=left, op="+" | "-" as op, right=right):
            yield from _terms(left, sign)
            yield from _terms(right, sign if op == "+" else -sign)
        case _:
            yield from ((column, 0) for column in side.columns)


def settled(
    frame: pd.DataFrame, codes: IntArray, ways: Sequence[Settlement], codec: Codec
) -> tuple[pd.DataFrame, IntArray]:
    """The rows with every equality made true where one of the ways allows it, and their codes.

    Args:
      frame: Decoded rows.
      codes: (n, d) their codes.
      ways: From `settlements`.
      codec: Gives the cells.
    """
    if not ways:
        return frame, codes
    frame, codes = frame.copy(), codes.copy()
    for way in ways:
        rows = np.flatnonzero(_asked(way, frame, codec) & ~way.equality.evaluate(frame, codec.schema))
        if not len(rows):
            continue
        again, own = _solved(frame.iloc[rows].copy(), codes[rows], way, codec)
        # What undoes its own premise, or lies outside the bounds, is left to another way.
        kept = _asked(way, again, codec) & way.equality.evaluate(again, codec.schema)
        codes[rows[kept]] = own[kept]
        column = frame[way.column].copy()
        column.iloc[rows[kept]] = again[way.column].to_numpy()[kept]
        frame[way.column] = column
    return codec.derived(frame), codes


def _asked(way: Settlement, frame: pd.DataFrame, codec: Codec) -> npt.NDArray[np.bool_]:
    return np.ones(len(frame), dtype=bool) if way.when is None else way.when.evaluate(frame, codec.schema)


def _solved(frame: pd.DataFrame, codes: IntArray, way: Settlement, codec: Codec) -> tuple[pd.DataFrame, IntArray]:
    """The rows with the column set wherever its value lies inside its bounds."""
    position = codec.domain.index(way.column)
    cells: Any = codec.cells[position]
    wanted = way.value.evaluate(frame, codec.schema)
    values = days(wanted) if wanted.dtype.kind == "M" else numbers(wanted)
    ticks = np.round(np.nan_to_num(values / cells.step, nan=-np.inf))
    within = (ticks >= cells.starts[0]) & (ticks < cells.stop)
    codes[within, position] = np.searchsorted(cells.starts, ticks[within], side="right") - 1
    column = frame[way.column].copy()
    column.iloc[np.flatnonzero(within)] = cells.shown(ticks[within].astype(np.int64))
    frame[way.column] = column
    return frame, codes
