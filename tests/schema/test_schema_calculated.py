"""Comparisons of calculated values."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from medsynth.errors import SchemaError
from medsynth.schema import Schema, build_schema

Changed = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("rule", "row", "holds"),
    [
        ("charge + paid == 0.3", {"charge": 0.1, "paid": 0.2}, True),  # not so for floats
        ("charge + paid < 0.3", {"charge": 0.1, "paid": 0.2}, False),
        ("charge + paid != 0.3", {"charge": 0.1, "paid": 0.21}, True),
        ("charge <= 2 * paid + age", {"charge": "5", "paid": 2, "age": 1}, True),
        ("charge <= 2 * paid + age", {"charge": "5.01", "paid": 2, "age": 1}, False),
        ("charge + paid >= 0", {"charge": -1, "paid": 2}, False),  # -1 means missing
        ("not (charge + paid >= 0)", {"charge": -1, "paid": 2}, True),
        ("admit - age == admit - 30", {"admit": "2022-03-01", "age": 30}, True),
        ("paid / age > 1", {"paid": 3, "age": 0}, False),  # nothing divides by zero
    ],
)
def test_calculations_compare_as_documented(small: Schema, rule: str, row: dict[str, Any], holds: bool) -> None:
    assert small.predicate(rule).evaluate(pd.DataFrame([row]), small).tolist() == [holds]


def test_days_between_dates_are_a_number(changed: Changed) -> None:
    schema = build_schema(changed(columns__leave={"kind": "date", "min": "2020-01-01", "max": "2025-12-31"}))
    rule = schema.predicate("leave - admit <= 30 and admit + 2 <= leave")
    rows = pd.DataFrame(
        {"admit": ["2020-01-31"] * 3 + [None], "leave": ["2020-03-01", "2020-03-02", "2020-02-01"] * 1 + ["2020-03-01"]}
    )
    assert rule.evaluate(rows, schema).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("sex + 1 == age", "rule 1: column 'sex' is of kind category, so nothing can be calculated with it."),
        ("age + 1 == 'x'", "rule 1: 'x' is not a number, so nothing can be calculated with it."),
        ("age + agee == 3", "rule 1: column 'agee' is not in the schema. Did you mean 'age'?"),
        ("person + 1 == age", "rule 1: column 'person' is the unit of privacy"),
    ],
)
def test_a_calculation_with_anything_else_is_refused(changed: Changed, rule: str, sentence: str) -> None:
    with pytest.raises(SchemaError) as refused:
        build_schema(changed(rules=[rule]))
    assert sentence in str(refused.value)


def test_a_rule_that_computes_a_column_is_better_a_definition(changed: Changed) -> None:
    (notice,) = build_schema(changed(rules=["charge == paid + age", "paid <= charge + age"])).notices()
    assert "rule 1 computes 'charge'. Declare it under derived, as 'paid + age'" in notice
