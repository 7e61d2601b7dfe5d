"""Predicates compiled to disjoint boxes of codes, which a model can condition on exactly."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from medsynth.encoding.categories import CategoryCells
from medsynth.encoding.cells import BoolArray
from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import IntArray
from medsynth.encoding.numbers import NumberCells
from medsynth.errors import UsageError
from medsynth.schema import predicate as ast

if TYPE_CHECKING:
    from medsynth.schema import Predicate

MOST_BOXES = 4096

Box = Mapping[int, BoolArray]
"""Attribute position to a mask (size,) over its finest cells; attributes not named are free."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """A set of codes: the union of disjoint boxes."""

    boxes: tuple[Box, ...]

    def __iter__(self) -> Iterator[Box]:
        return iter(self.boxes)

    @property
    def attributes(self) -> frozenset[int]:
        """Positions of the attributes that the boxes constrain."""
        return frozenset(position for box in self.boxes for position in box)

    def mask(self, codes: IntArray) -> BoolArray:
        """Which rows of codes (n, d) lie in the set, (n,) bool."""
        inside = np.zeros(len(codes), dtype=bool)
        for box in self.boxes:
            rows = np.ones(len(codes), dtype=bool)
            for position, cells in box.items():
                rows &= cells[codes[:, position]]
            inside |= rows
        return inside

    def intersect(self, other: "Condition") -> "Condition":
        """Codes in both sets."""
        return _limited([met for a in self for b in other if (met := _meet(a, b)) is not None])

    def minus(self, other: "Condition") -> "Condition":
        """Codes in this set and not in the other."""
        return _limited(reduce(_without, other, list(self.boxes)))

    def union(self, other: "Condition") -> "Condition":
        """Codes in either set."""
        return _limited([*self.boxes, *other.minus(self)])

    def complement(self) -> "Condition":
        """Codes outside the set."""
        return EVERYTHING.minus(self)


EVERYTHING = Condition(boxes=({},))
NOTHING = Condition(boxes=())


def same(one: Condition, other: Condition) -> bool:
    """Whether two conditions are the same set of codes."""
    return not one.minus(other).boxes and not other.minus(one).boxes


def _limited(boxes: list[Box]) -> Condition:
    if len(boxes) > MOST_BOXES:
        raise UsageError(
            f"The predicate needs more than {MOST_BOXES} boxes of cells, beyond which exact conditioning is not "
            "offered. Use fewer columns, or comparisons with constants in place of comparisons between columns."
        )
    return Condition(boxes=tuple(boxes))


def _meet(a: Box, b: Box) -> Box | None:
    box = dict(a)
    for position, cells in b.items():
        box[position] = box[position] & cells if position in box else cells
        if not box[position].any():
            return None
    return box


def _without(boxes: list[Box], removed: Box) -> list[Box]:
    """Boxes minus one box: attribute by attribute, what sticks out is a box of its own."""
    rest: list[Box] = []
    for box in boxes:
        inside: Box | None = box
        for position, cells in removed.items():
            if inside is None:
                break
            outside = _meet(inside, {position: ~cells})
            if outside is not None:
                rest.append(outside)
            inside = _meet(inside, {position: cells})
    return rest


def compile_condition(predicate: "Predicate", codec: Codec) -> Condition:
    """Boxes of codes whose rows satisfy a predicate.

    Args:
      predicate: Over modelled and derived columns.
      codec: Gives the cells of each column.

    Raises:
      UsageError: If a comparison cuts through a cell, a column is not modelled, or too many boxes are needed.
    """
    return _compile(predicate, codec)


def _compile(node: Any, codec: Codec) -> Condition:
    match node:
        case ast.And(parts=parts):
            return reduce(Condition.intersect, [_compile(part, codec) for part in parts])
        case ast.Or(parts=parts):
            return reduce(Condition.union, [_compile(part, codec) for part in parts])
        case ast.Not(part=part):
            return _compile(part, codec).complement()
        case ast.Implies(left=left, right=right):
            return _compile(left, codec).complement().union(_compile(right, codec))
        case ast.CompareColumns(left=left, op=operator, right=right):
            return _compare_columns(left, operator, right, codec)
        case ast.InTable():
            return _limited(list(_table_boxes(node.among, set(node.rows), codec)))
        case ast.CompareCalculated():
            raise UsageError(
                f"'{node}' compares calculated values, so nothing can be conditioned on it. "
                "Compare columns with constants."
            )
        case _:
            return _leaf(node, codec)


def _leaf(node: Any, codec: Codec) -> Condition:
    name = node.column
    if name in codec.schema.derived_expressions:
        return _derived(node, codec.schema.derived_expressions[name], codec)
    position = _position(name, codec)
    cells = codec.cells[position]
    match node:
        case ast.Compare(op=operator, value=value):
            mask = cells.select(operator, value)
        case ast.IsIn(values=values):
            mask = np.any([cells.select("==", value) for value in values], axis=0)
        case ast.InGroup(label=label) if isinstance(cells, CategoryCells):
            mask = cells.select_group(label)
        case ast.IsMissing():
            mask = cells.tail.missing()
        case _:
            raise UsageError(f"Predicate part '{node}' is not one that can be compiled. Rewrite it with comparisons.")
    return Condition(boxes=({position: mask},) if mask.any() else ())


def _position(name: str, codec: Codec) -> int:
    if name not in codec.domain:
        raise UsageError(
            f"Column '{name}' is not modelled, so nothing can be conditioned on it. "
            "Use a modelled or derived column of the schema."
        )
    return codec.domain.index(name)


def _derived(node: Any, expression: Any, codec: Codec) -> Condition:
    """A comparison of a derived column, pushed into the branches of its definition."""
    match expression:
        case ast.IfElse(then=then, condition=condition, otherwise=otherwise):
            met = _compile(condition, codec)
            return met.intersect(_derived(node, then, codec)).union(_derived(node, otherwise, codec).minus(met))
        case ast.Literal(value=value):
            return EVERYTHING if ast.leaf_holds(node, value) else NOTHING
        case ast.ColumnReference(column=column):
            return _compile(ast.rename_column(node, column), codec)
    raise UsageError(
        f"Column '{node.column}' is computed by arithmetic, so nothing can be conditioned on it. "
        "Use the columns it is computed from."
    )


def _compare_columns(left: str, operator: str, right: str, codec: Codec) -> Condition:
    """One box per cell of the narrower column."""
    a, b = _position(left, codec), _position(right, codec)
    mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}[operator]
    if codec.domain.sizes[b] < codec.domain.sizes[a]:
        a, b, operator, mirrored = b, a, mirrored, operator
    boxes: list[Box] = []
    for cell, value in _single_values(a, codec):
        mask = codec.cells[b].select(mirrored, value)
        if mask.any():
            own = np.zeros(codec.domain.sizes[a], dtype=bool)
            own[cell] = True
            boxes.append({a: own, b: mask})
    return _limited(boxes)


def _table_boxes(columns: tuple[str, ...], rows: set[tuple[Any, ...]], codec: Codec) -> Iterator[Box]:
    """Disjoint boxes of listed combinations; values that go with the same others share one."""
    if not columns:
        yield {}
        return
    position = _position(columns[0], codec)
    cells = codec.cells[position]
    others: dict[Any, set[tuple[Any, ...]]] = {}
    for first, *rest in rows:
        others.setdefault(first, set()).add(tuple(rest))
    alike: dict[frozenset[tuple[Any, ...]], BoolArray] = {}
    for value, rest_rows in others.items():
        mask, key = cells.tail.missing() if value is None else cells.select("==", value), frozenset(rest_rows)
        alike[key] = alike[key] | mask if key in alike else mask
    for following, mask in alike.items():
        for box in _table_boxes(columns[1:], set(following), codec):
            yield {position: mask, **box}


def _single_values(position: int, codec: Codec) -> Iterator[tuple[int, Any]]:
    cells = codec.cells[position]
    if isinstance(cells, CategoryCells):
        yield from enumerate(cells.values)
    elif isinstance(cells, NumberCells):
        for cell in range(len(cells.starts)):
            low, high = cells.bounds(cell)
            if low != high:
                raise UsageError(
                    f"Column '{cells.name}' has cells of several values, so it cannot be compared with another column "
                    "exactly. Compare it with constants, or give it one cell per value (bins) in the schema."
                )
            yield cell, low
