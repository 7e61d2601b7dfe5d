# ruff: noqa: E501  (a table of cases reads best with one case per line)
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.errors import DataError
from medsynth.schema import Schema, build_schema, parse_expression, parse_predicate
from medsynth.schema.predicate import (
    And,
    Compare,
    CompareColumns,
    Implies,
    InGroup,
    IsIn,
    IsMissing,
    Not,
    Or,
    Predicate,
)  # fmt: skip

SMALL: dict[str, Any] = {
    "medsynth": 1,
    "dataset": {"name": "small"},
    "privacy": {"unit": "person", "persons": 1000},
    "columns": {
        "age": {"kind": "integer", "min": 0, "max": 120},
        "sex": {"kind": "category", "values": ["F", "M"], "missing": True},
        "smoker": {"kind": "boolean", "true": "yes", "false": "no", "missing": True},
        "band": {"kind": "category", "values": ["low", "mid", "high"], "ordered": True, "other": True, "missing_codes": ["?"]},
        "charge": {"kind": "decimal", "min": 0, "max": 500, "missing_codes": [-1, "N"]},
        "paid": {"kind": "decimal", "min": 0, "max": 500},
        "admit": {"kind": "date", "min": "2020-01-01", "max": "2025-12-31", "missing": True},
        "dx": {"kind": "code", "system": "icd9cm3", "other": True, "missing_codes": ["?"]},
    },
}  # fmt: skip
SCHEMA = build_schema(SMALL)
OPERATORS = ["==", "!=", "<", "<=", ">", ">="]
CELLS: dict[str, list[Any]] = {
    "age": ["0", "65", 65.0, 120, "130", None, "x"],
    "sex": ["F", "M", " F", None, "", "X"],
    "smoker": ["yes", "no", None, "maybe"],
    "band": ["low", "mid", "high", "?", "odd", None],
    "charge": ["0.5", "500", -1, "-1.0", "N", 12.25, None],
    "paid": ["0.5", 12.25, "7", "1e2"],
    "admit": ["2020-01-01", "2022-06-15", "2025-12-31", None, "?", "2022-06-15T10:00:00"],
    "dx": ["250.83", "250", "V57.1", "640", "E909.1", "?", "pain", None],
}
LITERALS: dict[str, list[Any]] = {
    "age": [0, 65, 64.5, 120], "sex": ["F", "M"], "smoker": ["yes", "no"], "band": ["low", "mid", "high", "(other)"],
    "charge": [0.5, 12.25, 500], "paid": [0.5, 7, 100], "admit": ["2022-06-15", "2020-01-01"], "dx": ["250", "V57", "(other)"],
}  # fmt: skip
UNORDERED = {"sex", "smoker", "dx"}


def reference_value(name: str, cell: Any) -> Any:
    """A cell as the schema means it: number, day, text, position, or None where missing."""
    column: Any = SCHEMA.columns[name]
    if cell is None or str(cell).strip() == "":
        return None
    if column.kind in {"integer", "decimal"}:
        try:
            number = float(cell)
        except ValueError:
            return None
        return None if number in {float(c) for c in column.missing_codes if c != "N"} else number
    if column.kind == "date":
        try:
            return date.fromisoformat(str(cell)[:10])
        except ValueError:
            return None
    text = str(cell).strip()
    if text in {str(code) for code in column.missing_codes}:
        return None
    if column.kind == "code":
        return column.code_system.normalise(text) or "(other)"
    return text if text in column.texts else "(other)"


def reference(node: Predicate, row: dict[str, Any]) -> bool:  # noqa: C901  (one case per kind of node)
    """One row at a time, by the words of the documentation."""
    match node:
        case And(parts=parts):
            return all(reference(part, row) for part in parts)
        case Or(parts=parts):
            return any(reference(part, row) for part in parts)
        case Not(part=part):
            return not reference(part, row)
        case Implies(left=left, right=right):
            return not reference(left, row) or reference(right, row)
        case IsMissing(column=name):
            return reference_value(name, row[name]) is None
        case IsIn(column=name, values=values):
            return any(reference(Compare(name, "==", value), row) for value in values)
        case InGroup(column=name, label=label):
            system: Any = SCHEMA.columns[name].code_system  # type: ignore[union-attr]
            value = reference_value(name, row[name])
            return value in system.position and bool(system.members(label)[system.position[value]])
        case CompareColumns(left=a, op=op, right=b):
            pair = reference_value(a, row[a]), reference_value(b, row[b])
            return not {None, "(other)"} & set(pair) and compared(a, pair[0], op, pair[1])
        case Compare(column=name, op=op, value=value):
            cell = reference_value(name, row[name])
            if cell is None:
                return False
            if SCHEMA.columns[name].kind == "date":
                value = date.fromisoformat(str(value))
            return compared(name, cell, op, value)
    raise AssertionError(node)


def compared(name: str, left: Any, op: str, right: Any) -> bool:
    column: Any = SCHEMA.columns[name]
    if op in {"==", "!="}:
        return bool((left == right) == (op == "=="))
    if column.kind == "category":
        if left not in column.texts or right not in column.texts:
            return False
        left, right = column.texts.index(left), column.texts.index(right)
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[op])


@st.composite
def comparisons(draw: st.DrawFn) -> Predicate:
    name = draw(st.sampled_from(sorted(LITERALS)))
    value = draw(st.sampled_from(LITERALS[name]))
    orders = OPERATORS[:2] if name in UNORDERED or value == "(other)" else OPERATORS
    return Compare(name, draw(st.sampled_from(orders)), value)


leaves = st.one_of(
    comparisons(),
    st.sampled_from(sorted(LITERALS)).map(IsMissing),
    st.sampled_from(sorted(LITERALS)).map(lambda name: IsIn(name, tuple(LITERALS[name][:2]))),
    st.sampled_from(["250", "630-679", "V57"]).map(lambda label: InGroup("dx", "ICD9", label)),
    st.sampled_from(OPERATORS).map(lambda op: CompareColumns("charge", op, "paid")),
    st.sampled_from(OPERATORS).map(lambda op: CompareColumns("age", op, "charge")),
    st.sampled_from(OPERATORS).map(lambda op: CompareColumns("band", op, "band")),
)
predicates = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(Not),
        st.builds(Implies, inner, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=6,
)
rows = st.fixed_dictionaries({name: st.sampled_from(cells) for name, cells in CELLS.items()})


@settings(max_examples=200, deadline=None)
@given(predicates, st.lists(rows, min_size=1, max_size=6))
def test_evaluation_agrees_with_row_by_row_reference(predicate: Predicate, table: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(table, dtype=object)
    expected = [reference(predicate, row) for row in table]
    result = predicate.evaluate(frame, SCHEMA)
    assert result.dtype == np.bool_
    assert result.tolist() == expected
    assert parse_predicate(str(predicate)).evaluate(frame, SCHEMA).tolist() == expected


def test_comparison_with_missing_is_false_and_not_turns_it_true() -> None:
    frame = pd.DataFrame({"sex": ["F", None, "M"], "age": [1.0, np.nan, 3.0]})
    for text, expected in {
        "sex == 'F'": [True, False, False],
        "sex != 'F'": [False, False, True],
        "not sex == 'F'": [False, True, True],
        "sex not in ('F')": [False, False, True],
        "age < 3": [True, False, False],
        "age != 3": [True, False, False],
        "age not in (3)": [True, False, False],
        "age == age": [True, False, True],
        "sex == 'F' implies age == 1": [True, True, True],
    }.items():
        assert parse_predicate(text).evaluate(frame, SCHEMA).tolist() == expected, text


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([64, 65, 66]),
        pd.Series([64, 65, 66], dtype="Int64"),
        pd.Series([64.0, 65.0, 66.0]),
        pd.Series(["64", "65", "66"]),
        pd.Series(["64", "65", "66"], dtype="string"),
        pd.Series(["64", "65", "66"], dtype="category"),
        pd.Series([Decimal(64), Decimal(65), Decimal(66)], dtype=object),
    ],
)  # fmt: skip
def test_numbers_are_read_from_any_type(cells: "pd.Series[Any]") -> None:
    frame = pd.DataFrame({"age": cells})
    assert parse_predicate("age >= 65").evaluate(frame, SCHEMA).tolist() == [False, True, True]


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series(["2020-01-31", "2020-02-01", None], dtype=object),
        pd.Series(["2020-01-31 23:59:59", "2020-02-01", ""], dtype=object),
        pd.Series([date(2020, 1, 31), date(2020, 2, 1), None], dtype=object),
        pd.Series([datetime(2020, 1, 31, 23), datetime(2020, 2, 1), None], dtype=object),
        pd.Series(pd.DatetimeIndex(["2020-01-31", "2020-02-01", "NaT"])),
        pd.Series(pd.DatetimeIndex(["2020-01-31", "2020-02-01", "NaT"])).dt.tz_localize("UTC"),
        pd.Series(["2020-01-31", "2020-02-01", None], dtype="category"),
    ],
)  # fmt: skip
def test_dates_are_read_from_any_type(cells: "pd.Series[Any]") -> None:
    frame = pd.DataFrame({"admit": cells})
    assert parse_predicate("admit >= '2020-02-01'").evaluate(frame, SCHEMA).tolist() == [
        False,
        True,
        False,
    ]
    assert parse_predicate("admit is missing").evaluate(frame, SCHEMA).tolist() == [
        False,
        False,
        True,
    ]


def test_booleans_are_read_as_written_or_as_truth_values() -> None:
    schema = build_schema(SMALL | {"columns": {"b": {"kind": "boolean"}, "n": {"kind": "boolean", "true": 1, "false": 0}},
                                   "privacy": {"rows_are_persons": True, "persons": 9}})  # fmt: skip
    frame = pd.DataFrame({"b": [True, False], "n": [1.0, 0.0]})
    assert schema.predicate("b == true").evaluate(frame, schema).tolist() == [True, False]
    assert schema.predicate("n == 1").evaluate(frame, schema).tolist() == [True, False]


STRANGE = [
    [],
    {},
    b"\xff",
    object(),
    float("inf"),
    -float("inf"),
    10**400,
    "9" * 400,
    pd.NaT,
    pd.NA,
    "2020-99-99",
    1j,
]


@pytest.mark.parametrize("name", sorted(CELLS))
def test_strange_content_never_raises(name: str) -> None:
    frame = pd.DataFrame({name: pd.Series(STRANGE, dtype=object)})
    op = "==" if name in UNORDERED else ">="
    for predicate in (
        Compare(name, op, LITERALS[name][0]),
        IsMissing(name),
        IsIn(name, tuple(LITERALS[name])),
    ):
        assert predicate.evaluate(frame, SCHEMA).shape == (len(STRANGE),)


def test_numbers_are_compared_at_their_declared_precision() -> None:
    frame = pd.DataFrame({"paid": [79.996, 79.994, 80.0], "age": [64.6, 65.4, 64.4]})
    assert parse_predicate("paid >= 80").evaluate(frame, SCHEMA).tolist() == [True, False, True]
    assert parse_predicate("age == 65").evaluate(frame, SCHEMA).tolist() == [True, True, False]


def test_each_row_is_read_by_itself() -> None:
    """What stands in other rows must not change what a row is read as (hash tables cut at NUL)."""
    strange = ["F\x00x", "F", True, 1, 1.0, "1", "M\x00", "M"]
    predicate = IsIn("sex", ("F", "M", 1))
    alone = [predicate.evaluate(pd.DataFrame({"sex": pd.Series([cell], dtype=object)}), SCHEMA)[0] for cell in strange]
    for order in (strange, strange[::-1]):
        frame = pd.DataFrame({"sex": pd.Series(order, dtype=object)})
        together = dict(zip(map(repr, order), predicate.evaluate(frame, SCHEMA), strict=True))
        assert [together[repr(cell)] for cell in strange] == alone


def test_each_date_is_read_by_itself() -> None:
    cells = pd.Series(["2020-01-01\x00x"] + ["2020-01-01"] * 100, dtype=object)
    result = parse_predicate("admit == '2020-01-01'").evaluate(pd.DataFrame({"admit": cells}), SCHEMA)
    assert not result[0]
    assert result[1:].all()


@pytest.mark.parametrize("name", sorted(CELLS))
def test_empty_frame_gives_empty_mask(name: str) -> None:
    frame = pd.DataFrame({name: pd.Series([], dtype=object)})
    predicate = And((IsMissing(name), Compare(name, "==", LITERALS[name][0])))
    assert predicate.evaluate(frame, SCHEMA).shape == (0,)


def test_absent_column_is_named() -> None:
    with pytest.raises(DataError, match=r"Table: column 'age' is absent"):
        parse_predicate("age > 3").evaluate(pd.DataFrame({"x": [1]}), SCHEMA)


def with_derived(**derived: str) -> Schema:
    return build_schema(SMALL | {"derived": derived})


FRAME = pd.DataFrame(
    {
        "age": [10, 70, 120],
        "sex": ["F", "M", None],
        "charge": [1.25, -1.0, 500.0],
        "paid": [0.0, 0.5, 4.0],
        "admit": pd.DatetimeIndex(["2020-01-01", "2020-01-11", "NaT"]),
        "dx": ["250.1", "V57", None],
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", [3, 3, 3]),
        ("'a'", ["a", "a", "a"]),
        ("age", [10, 70, 120]),
        ("age + 1 * 2", [12, 72, 122]),
        ("(age + 1) * 2", [22, 142, 242]),
        ("age - 3 - 2", [5, 65, 115]),
        ("age / 4 / 5", [0.5, 3.5, 6.0]),
        ("-1 * age", [-10, -70, -120]),
        ("charge / paid", [None, None, 125.0]),
        ("charge + age", [11.25, None, 620.0]),
        ("round(age / 7, 1)", [1.4, 10.0, 17.1]),
        ("round(charge)", [1, None, 500]),
        ("'old' if age >= 65 else 'young'", ["young", "old", "old"]),
        ("'a' if age < 20 else 'b' if age < 100 else 'c'", ["a", "b", "c"]),
        ("age if sex == 'F' else 0", [10, 0, 0]),
        ("sex", ["F", "M", None]),
        ("dx", ["250", "V57", None]),
        ("sex if age < 100 else 'none'", ["F", "M", "none"]),
        ("true if age > 65 else false", [False, True, True]),
        ("(admit - admit) + 3", [3.0, 3.0, None]),
        ("1 if any of (sex, dx) is missing else 0", [0, 0, 1]),
    ],
)  # fmt: skip
def test_expression_computes_by_hand_worked_values(text: str, expected: list[Any]) -> None:
    schema = with_derived(d=text)
    result = schema.derived_expressions["d"].evaluate(FRAME, schema)
    assert result.index.equals(FRAME.index)
    assert [None if pd.isna(value) else value for value in result.tolist()] == expected
    assert parse_expression(str(parse_expression(text))) == parse_expression(text)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("age + 1", "int64"),
        ("age / 2", "float64"),
        ("round(charge)", "Int64"),
        ("1 if age > 3 else 0", "int64"),
    ],
)
def test_type_of_derived_column_follows_from_the_schema(text: str, dtype: str) -> None:
    schema = with_derived(d=text)
    assert schema.derived_expressions["d"].evaluate(FRAME, schema).dtype == dtype


def test_predicate_over_derived_column_computes_it_where_the_frame_lacks_it() -> None:
    schema = with_derived(old="'y' if age >= 65 else 'n'", double="age * 2")
    predicate = schema.predicate("old == 'y' and double > 200")
    assert predicate.evaluate(FRAME, schema).tolist() == [False, False, True]
    assert predicate.evaluate(FRAME.assign(old="n"), schema).tolist() == [False, False, False]


def test_derived_date_can_be_compared() -> None:
    schema = with_derived(start="admit")
    result = schema.predicate("start == '2020-01-11'").evaluate(FRAME, schema)
    assert result.tolist() == [False, True, False]


expressions = st.recursive(
    st.sampled_from(["age", "charge", "3", "2.5", "-1"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]}) if age > 30 or sex == 'F' else {t[1]}"),
        inner.map(lambda text: f"round({text}, 2)"),
    ),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(expressions)
def test_expression_survives_its_own_text_and_value(text: str) -> None:
    expression = parse_expression(text)
    again = parse_expression(str(expression))
    assert again == expression
    pd.testing.assert_series_equal(again.evaluate(FRAME, SCHEMA), expression.evaluate(FRAME, SCHEMA))
