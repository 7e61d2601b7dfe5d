"""Whether a constant in a predicate can occur in the column it is compared with."""

from datetime import date
from typing import TYPE_CHECKING, Any

from medsynth.errors import UsageError
from medsynth.schema.expression import ColumnReference, IfElse, Literal
from medsynth.schema.texts import OTHER, canonical_text, shown, suggestion

if TYPE_CHECKING:
    from medsynth.schema.table import Schema

_ORDERS = frozenset({"<", "<=", ">", ">="})


def check_value(name: str, op: str, value: Any, schema: "Schema") -> None:
    """Refuses a comparison with a value the column never holds.

    Raises:
      UsageError: Saying which values it holds.
    """
    column = schema.columns.get(name)
    if column is None:
        _check_derived(name, value, schema)
        return
    where = f"column {shown(name)}"
    if column.kind in {"integer", "decimal"}:
        _check_number(where, op, value, column)
    elif column.kind == "date":
        _check_date(where, value, column)
    elif column.kind == "code":
        _check_code(where, op, value, column)
    else:
        _check_listed(where, op, value, column)


def _check_listed(where: str, op: str, value: Any, column: Any) -> None:
    if op in _ORDERS and not getattr(column, "ordered", False):
        raise UsageError(f"{where}: {op} needs an order. Set ordered: true, or use == or in.")
    text = canonical_text(value)
    if column.is_open and text not in column.missing_texts:
        return
    if text in column.texts or (text == OTHER and column.other and op not in _ORDERS):
        return
    _refuse_missing(where, text, column)
    written = [
        value if isinstance(value, str) else text for value, text in zip(column.values, column.texts, strict=True)
    ]
    raise UsageError(f"{where}: {shown(value)} is not one of its values. {suggestion(value, written)}")


def _refuse_missing(where: str, text: str, column: Any) -> None:
    if text in column.missing_texts:
        raise UsageError(f"{where}: {shown(text)} means missing. Write is missing.")


def _check_number(where: str, op: str, value: Any, column: Any) -> None:
    if isinstance(value, bool | str):
        _refuse_missing(where, canonical_text(value), column)
        raise UsageError(f"{where}: {shown(value)} is not a number. Write a number without quotes.")
    if canonical_text(value) in column.missing_texts:
        _refuse_missing(where, canonical_text(value), column)
    if not column.is_open and not column.min <= value <= column.max:
        raise UsageError(
            f"{where}: {value:g} lies outside its bounds {column.min:g} to {column.max:g}. "
            "Correct the value, or widen the bounds."
        )
    if column.kind == "integer" and op in {"==", "!="} and value != int(value):
        raise UsageError(f"{where}: {value:g} is not a whole number. Correct the value.")


def _check_date(where: str, value: Any, column: Any) -> None:
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UsageError(f"{where}: {shown(value)} is not a date. Write it as '2020-01-31'.") from None
    _refuse_missing(where, value, column)
    if not column.is_open and not column.min <= day <= column.max:
        raise UsageError(
            f"{where}: {day} lies outside its bounds {column.min} to {column.max}. Correct the date, or widen the "
            "bounds."
        )


def _check_code(where: str, op: str, value: Any, column: Any) -> None:
    if op in _ORDERS:
        raise UsageError(f"{where}: {op} needs an order, which codes have not. Use ==, in, or a group.")
    text, system = canonical_text(value), column.code_system
    if text in system.position or (text == OTHER and column.other):
        return
    _refuse_missing(where, text, column)
    category = system.normalise(text)
    if category is not None:
        raise UsageError(f"{where}: {shown(value)} is kept as {shown(category)}. Write that.")
    raise UsageError(f"{where}: {shown(value)} is not a code of {system.name}. {_near_code(text, system)}")


def _near_code(text: str, system: Any) -> str:
    if system.resolve(text) is not None:
        return f"It is a group: write in {system.name}({shown(text)})."
    return suggestion(text, system.codes)


def _check_derived(name: str, value: Any, schema: "Schema") -> None:
    values = possible_values(name, schema)
    if values is not None and canonical_text(value) not in {canonical_text(known) for known in values}:
        raise UsageError(f"column {shown(name)}: {shown(value)} is not one of its values. {suggestion(value, values)}")


def possible_values(name: str, schema: "Schema") -> list[Any] | None:
    """The finite list of values a column can hold, or None where it has none."""
    column = schema.columns.get(name)
    if column is not None:
        return list(column.values) if column.kind in {"category", "boolean"} and not column.is_open else None
    return _outcomes(schema.derived_expressions[name], schema)


def _outcomes(expression: Any, schema: "Schema") -> list[Any] | None:
    match expression:
        case Literal(value=value):
            return [value]
        case ColumnReference(column=name):
            return possible_values(name, schema)
        case IfElse(then=then, otherwise=otherwise):
            first, second = _outcomes(then, schema), _outcomes(otherwise, schema)
            return None if first is None or second is None else list(dict.fromkeys([*first, *second]))
    return None


def check_group(name: str, system: str, label: str, schema: "Schema") -> str:
    """The full label of a group of the column's code system.

    Raises:
      UsageError: If the column holds no codes, has another system, or the system has no such group.
    """
    column = schema.columns.get(name)
    if column is None or column.kind != "code":
        raise UsageError(f"column {shown(name)}: {system}(...) is for columns of kind code. Use == or in (...).")
    codes = column.code_system
    if not codes.name.lower().startswith(system.lower()):
        raise UsageError(f"column {shown(name)}: holds codes of {codes.name}, not {system}. Write {codes.name}(...).")
    full = codes.resolve(label)
    if full is None:
        names = [text for level in codes.levels for text in level.labels] + list(codes.codes)
        raise UsageError(
            f"column {shown(name)}: {shown(label)} is no code or group of {codes.name}. {suggestion(label, names)}"
        )
    return full


def check_pair(left: str, op: str, right: str, schema: "Schema") -> None:
    """Refuses a comparison of two columns whose values cannot be compared.

    Raises:
      UsageError: Naming both kinds.
    """
    a, b = schema.columns.get(left), schema.columns.get(right)
    if a is None or b is None or _both_numbers_or_days(a.kind, b.kind):
        return
    if a.kind != b.kind:
        raise UsageError(
            f"columns {shown(left)} ({a.kind}) and {shown(right)} ({b.kind}) cannot be compared. "
            f"Compare columns of one kind."
        )
    if op in _ORDERS and not (_ordered_texts(a) and _ordered_texts(a) == _ordered_texts(b)):
        raise UsageError(
            f"columns {shown(left)} and {shown(right)}: {op} needs the same ordered values in both. Use == or !=."
        )


def _both_numbers_or_days(first: str, second: str) -> bool:
    return {first, second} <= {"integer", "decimal"} or first == second == "date"


def _ordered_texts(column: Any) -> tuple[str, ...] | None:
    """Values of an ordered category, None for any other column."""
    return column.texts if getattr(column, "ordered", False) else None


def check_calculation(side: Any, schema: "Schema") -> None:
    """Refuses a calculation with anything but numbers and dates.

    Raises:
      UsageError: Naming the column or constant.
    """
    for child in side.children:
        check_calculation(child, schema)
    if isinstance(side, Literal) and (isinstance(side.value, str | bool)):
        raise UsageError(f"{shown(side.value)} is not a number, so nothing can be calculated with it. Correct it.")
    if isinstance(side, ColumnReference):
        column = schema.columns.get(side.column)
        if column is not None and column.kind not in {"integer", "decimal", "date"}:
            raise UsageError(
                f"column {shown(side.column)} is of kind {column.kind}, so nothing can be calculated with it. "
                "Use numbers and dates."
            )
