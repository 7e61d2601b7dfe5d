"""Predicates and expressions on a data frame, column by column."""

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.schema.expression import (
    Arithmetic,
    ColumnReference,
    Expression,
    IfElse,
    Literal,
    Rounded,
)
from medsynth.schema.predicate import (
    And,
    Compare,
    CompareCalculated,
    CompareColumns,
    Implies,
    InGroup,
    InTable,
    IsIn,
    IsMissing,
    Not,
    Or,
    Predicate,
    Value,
    leaf_holds,
)
from medsynth.schema.reading import (
    BoolArray,
    FloatArray,
    column_cells,
    day_number,
    days,
    kind_of,
    numbers,
    text_reader,
    texts,
    uniques,
)
from medsynth.schema.texts import OTHER, canonical_text

if TYPE_CHECKING:
    from medsynth.schema.view import SchemaView

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ROUNDING = 1e-9
"""Calculated values this near to each other, as a part of the larger (or of 1), are equal."""
_CALCULATE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def evaluate_predicate(node: Predicate, frame: pd.DataFrame, schema: "SchemaView") -> BoolArray:
    """Which rows satisfy a predicate, (n,) bool."""
    match node:
        case And(parts=parts):
            return np.asarray(_evaluated(parts, frame, schema).all(axis=0))
        case Or(parts=parts):
            return np.asarray(_evaluated(parts, frame, schema).any(axis=0))
        case Not(part=part):
            return ~part.evaluate(frame, schema)
        case Implies(left=left, right=right):
            return ~left.evaluate(frame, schema) | right.evaluate(frame, schema)
        case CompareColumns():
            return _compare_columns(node, frame, schema)
        case CompareCalculated():
            return _compare_calculated(node, frame, schema)
        case InTable():
            return in_table(node, frame, schema)
        case Compare(column=name) | IsIn(column=name) | InGroup(column=name) | IsMissing(column=name):
            return _leaf(node, name, frame, schema)
    raise TypeError(f"not a predicate: {type(node).__name__}")


def _evaluated(parts: tuple[Predicate, ...], frame: pd.DataFrame, schema: "SchemaView") -> BoolArray:
    return np.stack([part.evaluate(frame, schema) for part in parts])


def _leaf(node: Predicate, name: str, frame: pd.DataFrame, schema: "SchemaView") -> BoolArray:
    cells = column_cells(name, frame, schema)
    column = schema.columns.get(name)
    kind = kind_of(name, cells, schema)
    if kind == "text":
        return _text_leaf(node, cells, column)
    if kind == "day":
        return _number_leaf(node, days(cells, column), day_number)
    return _number_leaf(node, numbers(cells, column), float)


def in_table(node: InTable, frame: pd.DataFrame, schema: "SchemaView") -> BoolArray:
    """Which rows hold a listed combination: column by column, among the beginnings listed so far."""
    inside, begun = np.ones(len(frame), dtype=bool), np.zeros(len(frame), dtype=np.int64)
    listed = np.zeros(len(node.rows), dtype=np.int64)
    for name, values in zip(node.among, zip(*node.rows, strict=True), strict=True):
        place, position = _places(name, values, frame, schema)
        size = len(position) + 1
        listed = listed * size + np.array([position[_key_of(value)] for value in values])
        begun = begun * size + place
        beginnings, listed = np.unique(listed, return_inverse=True)
        found = np.minimum(np.searchsorted(beginnings, begun), len(beginnings) - 1)
        inside &= (place >= 0) & (beginnings[found] == begun)
        begun = found.astype(np.int64)
    return inside


def _places(
    name: str, values: Sequence[Value | None], frame: pd.DataFrame, schema: "SchemaView"
) -> tuple[npt.NDArray[np.int64], dict[str | None, int]]:
    """(for each row the position of its value among the listed ones, -1 where it is none of them; the positions)."""
    position = {key: place for place, key in enumerate(dict.fromkeys(map(_key_of, values)))}
    cells, column = column_cells(name, frame, schema), schema.columns.get(name)
    if kind_of(name, cells, schema) != "number":
        codes, distinct = uniques(cells)
        read = text_reader(column)
        table = [position.get(read(value), -1) for value in distinct] + [position.get(None, -1)]
        return np.array(table, dtype=np.int64)[codes], position
    read_numbers = numbers(cells, column)
    distinct_numbers, codes = np.unique(read_numbers, return_inverse=True)
    keys = [None if np.isnan(number) else canonical_text(float(number)) for number in distinct_numbers]
    return np.array([position.get(key, -1) for key in keys] or [-1], dtype=np.int64)[codes], position


def _key_of(value: Value | None) -> str | None:
    return None if value is None else canonical_text(value)


def _number_leaf(node: Predicate, values: FloatArray, read: Callable[[Any], float]) -> BoolArray:
    present = ~np.isnan(values)
    match node:
        case IsMissing():
            return np.isnan(values)
        case Compare(op=op, value=value):
            holds: BoolArray = _COMPARE[op](values, read(value))
            return present & holds
        case IsIn(values=members):
            return present & np.isin(values, [read(member) for member in members])
    return np.zeros(len(values), dtype=bool)


def _text_leaf(node: Predicate, cells: "pd.Series[Any]", column: Any) -> BoolArray:
    """Decides each distinct value once."""
    codes, distinct = uniques(cells)
    read, holds = text_reader(column), _text_test(node, column)
    missing = isinstance(node, IsMissing)
    decided = np.empty(len(distinct) + 1, dtype=bool)
    decided[-1] = missing
    for position, value in enumerate(distinct):
        text = read(value)
        decided[position] = missing if text is None else holds(text)
    return decided[codes]


def _text_test(node: Predicate, column: Any) -> Callable[[str], bool]:
    match node:
        case InGroup(label=label) if column is not None and column.kind == "code":
            system = column.code_system
            inside = {code for code, member in zip(system.codes, system.members(label), strict=True) if member}
            return inside.__contains__
        case IsIn(values=values):
            return {canonical_text(value) for value in values}.__contains__
        case Compare(op=op, value=value) if op in {"<", "<=", ">", ">="} and column is not None:
            return _order_test(column, op, canonical_text(value))
        case Compare(op=op, value=value) if op in {"==", "!="}:
            return lambda text: (text == canonical_text(value)) == (op == "==")
    return lambda text: leaf_holds(node, text)


def _order_test(column: Any, op: str, bound: str) -> Callable[[str], bool]:
    if not getattr(column, "ordered", False) or bound not in column.texts:
        return frozenset[str]().__contains__
    position = {text: index for index, text in enumerate(column.texts)}
    return lambda text: text in position and bool(_COMPARE[op](position[text], position[bound]))


def _compare_columns(node: CompareColumns, frame: pd.DataFrame, schema: "SchemaView") -> BoolArray:
    left, right = (_comparable(name, frame, schema) for name in (node.left, node.right))
    present = ~(pd.isna(left) | pd.isna(right))
    result = np.zeros(len(frame), dtype=bool)
    if left.dtype == right.dtype:
        result[present] = _COMPARE[node.op](left[present], right[present])
    return result


def _compare_calculated(node: CompareCalculated, frame: pd.DataFrame, schema: "SchemaView") -> BoolArray:
    left, right = (_as_numbers(_values(side, frame, schema)) for side in (node.left, node.right))
    scale = np.maximum(1.0, np.maximum(np.abs(left), np.abs(right)))
    near = np.abs(left - right) <= ROUNDING * scale
    present = ~(np.isnan(left) | np.isnan(right))
    outcomes = {"==": near, "!=": ~near, "<": (left < right) & ~near, "<=": (left <= right) | near}
    outcomes |= {">": (left > right) & ~near, ">=": (left >= right) | near}
    return np.asarray(present & outcomes[node.op])


def _comparable(name: str, frame: pd.DataFrame, schema: "SchemaView") -> Any:
    """Numbers, days, positions in the declared order, or texts; missing where unlisted."""
    cells, column = column_cells(name, frame, schema), schema.columns.get(name)
    kind = kind_of(name, cells, schema)
    if kind != "text":
        return days(cells, column) if kind == "day" else numbers(cells, column)
    values = texts(cells, column)
    values[values == OTHER] = None
    if column is None or not getattr(column, "ordered", False):
        return values
    position = {text: float(index) for index, text in enumerate(column.texts)}
    return np.array([position.get(text, np.nan) for text in values], dtype=np.float64)


def evaluate_expression(node: Expression, frame: pd.DataFrame, schema: "SchemaView") -> "pd.Series[Any]":
    """A derived column's values: int64 or Int64 where the definition can only give whole numbers."""
    values = _values(node, frame, schema)
    if values.dtype == np.float64 and is_whole(node, schema):
        if np.isnan(values).any() or not _always_present(node, schema):
            return pd.Series(values, index=frame.index).astype("Int64")
        return pd.Series(values.astype(np.int64), index=frame.index)
    return pd.Series(values, index=frame.index)


def _values(node: Expression, frame: pd.DataFrame, schema: "SchemaView") -> Any:
    match node:
        case Literal(value=value):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return np.full(len(frame), value, dtype=np.float64 if number else object)
        case ColumnReference(column=name):
            return _reference(name, frame, schema)
        case IfElse(then=then, condition=condition, otherwise=otherwise):
            return _choose(
                condition.evaluate(frame, schema),
                *(_values(n, frame, schema) for n in (then, otherwise)),
            )
        case Arithmetic(left=left, op=op, right=right):
            return _calculate(op, *(_as_numbers(_values(n, frame, schema)) for n in (left, right)))
        case Rounded(value=value, places=places):
            return np.round(_as_numbers(_values(value, frame, schema)), places)
    raise TypeError(f"not an expression: {type(node).__name__}")


def _reference(name: str, frame: pd.DataFrame, schema: "SchemaView") -> Any:
    cells, column = column_cells(name, frame, schema), schema.columns.get(name)
    kind = kind_of(name, cells, schema)
    if kind == "number":
        return numbers(cells, column)
    if kind == "day":
        return _day_stamps(days(cells, column))
    written = _written_values(column)
    values = np.empty(len(cells), dtype=object)
    values[:] = [written.get(text, text) for text in texts(cells, column)]
    return values


def _written_values(column: Any) -> dict[str, Any]:
    """Declared values by their canonical text."""
    if column is None or column.kind not in {"category", "boolean"}:
        return {}
    return dict(zip(column.texts, column.values, strict=True))


def _day_stamps(values: FloatArray) -> Any:
    stamps = np.nan_to_num(values).astype("datetime64[D]").astype("datetime64[s]")
    stamps[np.isnan(values)] = np.datetime64("NaT")
    return stamps


def _choose(mask: BoolArray, then: Any, otherwise: Any) -> Any:
    if then.dtype == otherwise.dtype:
        return np.where(mask, then, otherwise)
    return np.where(mask, then.astype(object), otherwise.astype(object))


def _as_numbers(values: Any) -> FloatArray:
    return days(pd.Series(values)) if values.dtype.kind == "M" else numbers(pd.Series(values))


def _calculate(op: str, left: FloatArray, right: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        result = np.asarray(_CALCULATE[op](left, right), dtype=np.float64)
    return np.where(np.isfinite(result), result, np.nan)


def is_whole(node: Expression, schema: "SchemaView") -> bool:
    """Whether a definition can only give whole numbers, by the schema alone."""
    match node:
        case Literal(value=value):
            return isinstance(value, int) and not isinstance(value, bool)
        case ColumnReference(column=name):
            column = schema.columns.get(name)
            if column is None and name in schema.derived_expressions:
                return is_whole(schema.derived_expressions[name], schema)
            return column is not None and column.kind == "integer"
        case IfElse(then=then, otherwise=otherwise):
            return is_whole(then, schema) and is_whole(otherwise, schema)
        case Arithmetic(left=left, op=op, right=right):
            return op != "/" and is_whole(left, schema) and is_whole(right, schema)
        case Rounded(places=places):
            return places == 0
    return False


def _always_present(node: Expression, schema: "SchemaView") -> bool:
    columns = [schema.columns.get(name) for name in node.columns]
    return all(column is not None and not getattr(column, "can_be_missing", True) for column in columns)
