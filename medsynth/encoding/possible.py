"""What a predicate leaves possible, in whole cells, also where it cuts through them or calculates.

`compile_condition` is exact or refuses. Here two sets of cells stand around what cannot be compiled: those in which
some record may satisfy the predicate, and those in which every record does.
"""

import operator
from collections.abc import Callable
from functools import reduce
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth.encoding.cells import BoolArray
from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import EVERYTHING, NOTHING, Box, Condition, compile_condition
from medsynth.encoding.numbers import NumberCells
from medsynth.errors import UsageError
from medsynth.schema import Predicate
from medsynth.schema import predicate as ast
from medsynth.schema.evaluation import ROUNDING

FloatArray = npt.NDArray[np.float64]
Range = tuple[FloatArray, FloatArray]
"""Smallest and largest value, one array of each over the cells of the columns that are told apart."""

MOST_TOLD_APART = 1 << 20
"""Cells of two columns that are held against each other one by one."""
MOST_WIDE = 6
"""A rule of more columns is not looked at pair by pair."""
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def possible(predicate: Predicate, codec: Codec) -> Condition:
    """Cells in which some record may satisfy the predicate; in all others none does.

    Args:
      predicate: Over modelled and derived columns.
      codec: Gives the cells of each column.
    """
    return _bound(predicate, codec, outer=True)


def impossible(predicate: Predicate, codec: Codec) -> tuple[Condition, ...]:
    """What the predicate excludes for certain: as a whole, or pair by pair where it is about more than two columns.

    Each part of a conjunction is looked at by itself.
    """
    found = []
    for part in conjuncts(predicate):
        allowed = possible(part, codec)
        columns = sorted(allowed.attributes)
        if len(columns) <= 2:
            found.append(_complement(allowed))
        elif len(columns) <= MOST_WIDE:
            found += [_complement(_seen_by(allowed, pair)) for pair in combinations(columns, 2)]
    return tuple(excluded for excluded in found if excluded.boxes)


def excluded(predicate: Predicate, codec: Codec) -> tuple[Condition, ...]:
    """Cells in which no record satisfies the predicate, over as many columns as it has; a part per conjunct."""
    found = (_complement(possible(part, codec)) for part in conjuncts(predicate))
    return tuple(condition for condition in found if condition.boxes)


def conjuncts(predicate: Predicate) -> tuple[Predicate, ...]:
    """Parts that all have to hold."""
    if isinstance(predicate, ast.And):
        return tuple(inner for part in predicate.parts for inner in conjuncts(part))
    return (predicate,)


def _complement(condition: Condition) -> Condition:
    try:
        return condition.complement()
    except UsageError:  # more boxes than are kept: nothing is said
        return NOTHING


def _seen_by(condition: Condition, columns: tuple[int, ...]) -> Condition:
    """What is left of a condition for some columns, whatever the others hold."""
    return Condition(boxes=tuple({k: box[k] for k in columns if k in box} for box in condition))


def _bound(node: Predicate, codec: Codec, *, outer: bool) -> Condition:
    try:
        match node:
            case ast.And(parts=parts):
                return reduce(Condition.intersect, [_bound(part, codec, outer=outer) for part in parts])
            case ast.Or(parts=parts):
                return reduce(Condition.union, [_bound(part, codec, outer=outer) for part in parts])
            case ast.Not(part=part):
                return _bound(part, codec, outer=not outer).complement()
            case ast.Implies(left=left, right=right):
                return _bound(left, codec, outer=not outer).complement().union(_bound(right, codec, outer=outer))
            case ast.CompareCalculated(left=left, op=op, right=right):
                return _compared(left, op, right, codec, outer=outer)
            case ast.CompareColumns(left=left, op=op, right=right) if _numeric(node, codec):
                return _compared(ast.ColumnReference(left), op, ast.ColumnReference(right), codec, outer=outer)
        return compile_condition(node, codec)
    except UsageError:  # too many boxes, or a cut through a cell: nothing is known
        return EVERYTHING if outer else NOTHING


def _numeric(node: Predicate, codec: Codec) -> bool:
    return all(isinstance(cells, NumberCells) for cells in _cells_of(node, codec))


def _cells_of(node: Predicate, codec: Codec) -> list[Any]:
    return [codec.cells[codec.domain.index(name)] if name in codec.domain else None for name in node.columns]


def _compared(left: ast.Expression, op: str, right: ast.Expression, codec: Codec, *, outer: bool) -> Condition:
    """Cells of one or two columns told apart; of more, only their bounds are."""
    names = sorted(left.columns | right.columns, key=codec.domain.index)
    cells: list[NumberCells] = [codec.cells[codec.domain.index(name)] for name in names]  # type: ignore[misc]
    if not all(isinstance(each, NumberCells) for each in cells):
        return EVERYTHING if outer else NOTHING
    sizes = [len(each.starts) for each in cells]
    apart = len(names) <= 2 and prod(sizes) <= MOST_TOLD_APART
    ranges = {
        name: _range(each, axis, len(names), apart=apart)
        for axis, (name, each) in enumerate(zip(names, cells, strict=True))
    }
    holds = _may_hold(_calculated(left, ranges), op, _calculated(right, ranges))
    if not outer:
        holds = ~_may_hold(_calculated(left, ranges), _NEGATED[op], _calculated(right, ranges))
    holds = np.broadcast_to(holds, sizes if apart else (1,) * len(names))
    present = {codec.domain.index(name): _own(each) for name, each in zip(names, cells, strict=True)}
    if not apart:
        return Condition(boxes=(present,)) if holds.all() else NOTHING
    return Condition(boxes=_boxes(holds, list(present), [each.attribute.size for each in cells]))


def _own(cells: NumberCells) -> BoolArray:
    """Cells that are not missing: a comparison with a missing one is false."""
    return np.arange(cells.attribute.size) < len(cells.starts)


def _range(cells: NumberCells, axis: int, axes: int, *, apart: bool) -> Range:
    """Smallest and largest value of each cell along its axis, or of the whole column."""
    last = np.append(cells.starts[1:], cells.stop) - 1
    low, high = (np.round(ticks * cells.step, 9) for ticks in (cells.starts, last))
    if not apart:
        low, high = low[:1], high[-1:]
    shape = [1] * axes
    shape[axis] = len(low)
    return low.reshape(shape), high.reshape(shape)


def _calculated(side: ast.Expression, ranges: dict[str, Range]) -> Range:
    match side:
        case ast.Literal(value=value):
            constant = np.array(float(value))
            return constant, constant
        case ast.ColumnReference(column=name):
            return ranges[name]
        case ast.Rounded(value=inner, places=places):
            low, high = _calculated(inner, ranges)
            return np.round(low, places), np.round(high, places)
        case ast.Arithmetic(left=left, op=op, right=right):
            return _of_corners(_calculated(left, ranges), op, _calculated(right, ranges))
    raise UsageError(f"'{side}' is not a calculation. Use numbers, + - * / and round.")


def _of_corners(left: Range, op: str, right: Range) -> Range:
    """Each operation is monotone in either operand, so its extremes lie at the ends; but not across a zero divisor."""
    functions: dict[str, Callable[[Any, Any], Any]] = {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": operator.truediv,
    }
    with np.errstate(all="ignore"):
        corners = np.broadcast_arrays(*(functions[op](a, b) for a in left for b in right))
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    if op == "/":
        across = (right[0] <= 0) & (right[1] >= 0)
        low, high = np.where(across, -np.inf, low), np.where(across, np.inf, high)
    return low, high


def _may_hold(left: Range, op: str, right: Range) -> BoolArray:
    """Whether some two values in the ranges compare so."""
    (low, high), (other_low, other_high) = left, right
    with np.errstate(invalid="ignore"):
        slack = ROUNDING * np.maximum(1.0, np.maximum(*(np.maximum(np.abs(a), np.abs(b)) for a, b in (left, right))))
    slack = np.where(np.isfinite(slack), slack, 0.0)
    below, above = low <= other_high + slack, high >= other_low - slack
    strictly_below, strictly_above = low < other_high, high > other_low
    outcomes = {"<=": below, ">=": above, "<": strictly_below, ">": strictly_above}
    outcomes |= {"==": below & above, "!=": strictly_below | strictly_above}
    return np.asarray(outcomes[op])


def _boxes(holds: BoolArray, columns: list[int], sizes: list[int]) -> tuple[Box, ...]:
    """A table over the cells of one or two columns as disjoint boxes, equal rows together."""
    if not holds.any():
        return ()
    masks = [np.zeros(size, dtype=bool) for size in sizes]
    if len(columns) == 1:
        masks[0][: len(holds)] = holds
        return ({columns[0]: masks[0]},)
    kinds, kind = np.unique(holds, axis=0, return_inverse=True)
    boxes: list[Box] = []
    for number, allowed in enumerate(kinds):
        if allowed.any():
            rows, others = masks[0].copy(), masks[1].copy()
            rows[: len(holds)] = kind.reshape(-1) == number
            others[: len(allowed)] = allowed
            boxes.append({columns[0]: rows, columns[1]: others})
    return tuple(boxes)
