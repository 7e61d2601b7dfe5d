"""Rules as expectations of great-expectations that any of its engines can judge: conditions, not code.

Each case in which a rule is broken becomes one expectation: where all tests of the case but one hold, that one must
not. "a implies b in (x, y)" reads: where a, values of b are in the set; and where a, none is missing.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from medsynth.fidelity.rule_cases import (
    MOST_CASES,
    OPPOSITE,
    Among,
    Atom,
    Case,
    Missing,
    Pair,
    Unportable,
    Within,
    cases_of,
    columns_of,
)
from medsynth.schema.expression import Arithmetic, ColumnReference, Expression, Literal
from medsynth.schema.predicate import CompareCalculated, InTable, Predicate
from medsynth.schema.texts import canonical_text

if TYPE_CHECKING:
    from medsynth.schema import Schema

MOST_TESTS = 100
"""So many tests the library takes in one condition."""

__all__ = ["Unportable", "of_rule"]


def of_rule(rule: Predicate, columns: Mapping[str, Any], schema: "Schema") -> list[dict[str, Any]]:
    """The expectations that a table meets together exactly where the rule holds in every row.

    Args:
      rule: A rule of the schema.
      columns: Descriptions of the columns a table has.
      schema: Whose rule it is.

    Returns:
      Keys of `Expected`.

    Raises:
      Unportable: If there are none.
    """
    if any("`" in name for name in rule.columns):
        raise Unportable("great-expectations cannot quote a column's name that holds a backtick")
    absent = rule.columns - columns.keys()
    if isinstance(rule, InTable) and not absent:
        return list(_listed(rule, columns))
    if isinstance(rule, CompareCalculated) and not absent:
        return list(_sum(rule, columns, schema))
    return [_prevented(case) for case in cases_of(rule, columns)]


def _prevented(case: Case) -> dict[str, Any]:
    """What must hold so that no row meets all tests of a case."""
    pairs = [atom for atom in case if isinstance(atom, Pair)]
    if len(pairs) > 1:
        raise Unportable("it compares two pairs of columns at once")
    last = pairs[0] if pairs else case[-1]
    given = tuple(atom for atom in case if atom is not last)
    if len(given) > MOST_TESTS:
        raise Unportable(f"it has more than {MOST_TESTS} tests")
    kind, settings = _none_meets(last)
    names = tuple(dict.fromkeys(name for atom in case for name in columns_of(atom)))
    return {"kind": kind, "settings": settings, "given": given, "columns": names}


def _none_meets(atom: Atom) -> tuple[str, dict[str, Any]]:
    """(class, arguments) of: no row meets the test. Missing cells are skipped, as the test needs a value."""
    match atom:
        case Missing(column=name, holds=holds):
            return f"ExpectColumnValuesTo{'Not' if holds else ''}BeNull", {"column": name}
        case Among(column=name, values=values, holds=holds):
            kind = f"ExpectColumnValuesTo{'Not' if holds else ''}BeInSet"
            return kind, {"column": name, "value_set": list(values)}
        case Within(column=name, op=op, bound=bound):
            allowed = OPPOSITE[op]
            side = "min" if allowed in {">", ">="} else "max"
            strict = {f"strict_{side}": True} if allowed in {">", "<"} else {}
            limit = datetime.fromisoformat(bound) if isinstance(bound, str) else bound
            return "ExpectColumnValuesToBeBetween", {"column": name, f"{side}_value": limit} | strict
    return _pair(atom)


def _pair(atom: Pair) -> tuple[str, dict[str, Any]]:
    """What two cells must be, where the test says what they must not be."""
    skip = "either_value_is_missing"
    allowed, left, right = OPPOSITE[atom.op], atom.left, atom.right
    if allowed == "!=":
        kind = "ExpectSelectColumnValuesToBeUniqueWithinRecord"
        return kind, {"column_list": [left, right], "ignore_row_if": "any_value_is_missing"}
    if allowed == "==":
        return "ExpectColumnPairValuesToBeEqual", {"column_A": left, "column_B": right, "ignore_row_if": skip}
    greater, less = (left, right) if allowed in {">", ">="} else (right, left)
    settings = {"column_A": greater, "column_B": less, "or_equal": len(allowed) == 2, "ignore_row_if": skip}
    return "ExpectColumnPairValuesAToBeGreaterThanB", settings


def _listed(rule: InTable, columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Two columns: their pairs are in a set. More: after each beginning, the next column holds one of a list."""
    rows = [
        tuple(_cell(value, columns[name]) for name, value in zip(rule.among, row, strict=True)) for row in rule.rows
    ]
    if len(rule.among) == 2:
        left, right = rule.among
        settings = {"column_A": left, "column_B": right, "value_pairs_set": rows, "ignore_row_if": "neither"}
        yield {"kind": "ExpectColumnPairValuesToBeInSet", "settings": settings, "columns": rule.among}
        return
    beginnings: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        for place, value in enumerate(row):
            beginnings.setdefault(row[:place], []).append(value)
    if len(beginnings) > MOST_CASES:
        raise Unportable(f"its table has more than {MOST_CASES} beginnings")
    for begun, allowed in beginnings.items():
        name = rule.among[len(begun)]
        given = tuple(_holding(column, value) for column, value in zip(rule.among, begun, strict=False))
        for atom in _outside(name, tuple(dict.fromkeys(allowed)), columns[name]):
            yield _prevented((*given, atom))


def _cell(value: Any, column: Any) -> Any:
    if value is None:
        return None
    return float(value) if column.kind == "integer" else canonical_text(value)


def _holding(column: str, value: Any) -> Atom:
    return Missing(column) if value is None else Among(column, (value,))


def _outside(name: str, allowed: tuple[Any, ...], column: Any) -> Iterator[Atom]:
    """Tests of which a cell outside the list meets one."""
    values = tuple(value for value in allowed if value is not None)
    if None not in allowed and column.can_be_missing:
        yield Missing(name)
    yield Among(name, values, False) if values else Missing(name, False)


def _sum(rule: CompareCalculated, columns: Mapping[str, Any], schema: "Schema") -> Iterator[dict[str, Any]]:
    """Whole numbers that add up to a constant; other calculations have no expectation."""
    total, parts = (rule.right, rule.left) if isinstance(rule.right, Literal) else (rule.left, rule.right)
    names = _addends(parts)
    whole = names and all(schema.columns[name].kind == "integer" for name in names)
    if rule.op != "==" or not isinstance(total, Literal) or not whole or len(set(names)) < len(names):
        raise Unportable("it calculates with columns")
    for name in names:
        if columns[name].can_be_missing:
            yield _prevented((Missing(name),))
    settings = {
        "column_list": list(names),
        "sum_total": float(total.value),
        "ignore_row_if": "any_value_is_missing",
    }
    yield {"kind": "ExpectMulticolumnSumToEqual", "settings": settings, "columns": names}


def _addends(node: Expression) -> tuple[str, ...]:
    """The columns of a plain sum, none for any other calculation."""
    match node:
        case ColumnReference(column=name):
            return (name,)
        case Arithmetic(left=left, op="+", right=right):
            first, second = _addends(left), _addends(right)
            return (*first, *second) if first and second else ()
    return ()
