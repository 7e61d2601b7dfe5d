"""Formulas of studies: what they mean, and what is said of one that cannot be run."""

import pytest

from medsynth.errors import SchemaError
from medsynth.schema import Schema, parse_schema
from medsynth.schema.formula import Formula, levels_of
from medsynth.schema.private import named_values, with_found

TEXT = """
medsynth: 1
dataset: {name: ward}
privacy: {unit: patient, persons: 1000, epsilon: 1.0}
columns:
  died: {kind: boolean, "true": "yes", "false": "no", missing: true}
  age: {kind: integer, min: 0, max: 99, bins: 10}
  d.time: {kind: integer, min: 1, max: 999, bins: 10}
  sex: {kind: category, values: [F, M]}
  ward: {kind: category, values: [A, B, C], other: true}
  dx: {kind: code, codes: [{code: I21, block: heart}, {code: O80, block: birth}]}
  number: {kind: id}
derived: {old: "'y' if age >= 65 else 'n'", double: "2 * age"}
"""


def schema_of(formula: str, family: str) -> Schema:
    quoted = formula.replace("'", "''")
    return parse_schema(TEXT + f"studies:\n  - {{name: s, formula: '{quoted}', family: {family}}}\n")


def formula_of(formula: str, family: str = "logistic") -> Formula:
    return schema_of(formula, family).formulas["s"]


def test_a_condition_or_a_yes_no_column_may_stand_on_the_left() -> None:
    for left, meant in (("died", "died == 'yes'"), ("sex", "sex == 'M'"), ("ward == 'A' or age > 80", None)):
        outcome = formula_of(f"{left} ~ dx in codes('heart') + `d.time`").outcome
        assert str(outcome.condition) == (meant or left)


def test_a_cox_formula_names_time_and_event() -> None:
    formula = formula_of("Surv(`d.time`, died) ~ age + sex == 'F' + (age + double > 30)", "cox")
    assert (formula.time, str(formula.outcome.condition)) == ("d.time", "died == 'yes'")
    assert [term.text for term in formula.terms] == ["age", "sex == 'F'", "(age + double > 30)"]
    assert formula.columns == ("d.time", "died", "age", "sex", "double")


def test_a_number_is_an_outcome_of_linear_alone() -> None:
    assert formula_of("double ~ sex", "linear").outcome.column == "double"
    with pytest.raises(SchemaError, match=r"studies 's': formula: outcome 'double' is not a yes/no column. Write a"):
        schema_of("double ~ sex", "logistic")


def test_others_are_compared_with_the_first_value_listed_or_the_one_named() -> None:
    schema = schema_of("died ~ ward + old", "logistic")
    ward, old = schema.formulas["s"].terms
    assert (levels_of(ward, schema), levels_of(old, schema)) == (("A", "B", "C", "(other)"), ("y", "n"))
    schema = schema_of("died ~ relevel(ward, 'C')", "logistic")
    assert levels_of(schema.formulas["s"].terms[0], schema) == ("C", "A", "B", "(other)")


@pytest.mark.parametrize(
    ("formula", "family", "said"),
    [
        ("died age", "logistic", r"has no outcome and terms around ~. Write it as outcome ~ column \+ column."),
        ("died ~ age ~ sex", "logistic", r"has more than one ~. Write it as"),
        ("died ~ agee", "logistic", r"column 'agee' is not in the schema. Did you mean 'age'\?"),
        ("died ~ age + + sex", "logistic", r"a term is empty. Write it as"),
        ("died ~ age * sex", "logistic", r"interactions are not offered. Declare the product as a derived column."),
        ("died ~ age:sex", "logistic", r"interactions are not offered"),
        ("died ~ age + died", "logistic", r"column 'died' is on both sides, or twice. Remove one."),
        ("died ~ number", "logistic", r"column 'number' is of kind id, which is not modelled. Use a modelled"),
        ("died ~ patient", "logistic", r"column 'patient' is the unit of privacy"),
        ("died ~ dx", "logistic", r"column 'dx' is of kind code, too many values for one term. Write a group"),
        ("died ~ relevel(ward, 'D')", "logistic", r"column 'ward': 'D' is not one of its values. Allowed: A, B, C."),
        ("died ~ relevel(age, 3)", "logistic", r"relevel: column 'age' has no list of values. Write the column alone"),
        ("died ~ relevel(ward)", "logistic", r"is not readable. Write relevel\(column, 'value'\)."),
        ("sex == 'X' ~ age", "logistic", r"column 'sex': 'X' is not one of its values. Allowed: F, M."),
        ("ward ~ age", "logistic", r"outcome 'ward' is not a yes/no column. Write a condition, as in x == 'value'."),
        ("age ~ sex", "cox", r"family cox needs a time and an event, found 'age'. Write Surv\(time, event\)"),
        ("Surv(sex, died) ~ age", "cox", r"time 'sex' is not a number. Name a column of kind integer or decimal."),
        ("Surv(age, died) ~ sex", "logistic", r"Surv\(time, event\) is for family cox. Write family: cox."),
        ("died ~ age >> 3", "logistic", r"position 6: expected"),
    ],
)  # fmt: skip
def test_a_formula_that_cannot_be_run_is_refused_with_one_fix(formula: str, family: str, said: str) -> None:
    with pytest.raises(SchemaError, match=f"studies 's': formula: .*{said}"):
        schema_of(formula, family)


def test_values_that_a_formula_names_are_kept_whatever_is_found() -> None:
    # Otherwise a fit would fail where the rows do not show the value, and so tell that they do not.
    text = TEXT.replace("sex: {kind: category, values: [F, M]}", "sex: {kind: category, source: private}")
    text = text.replace(
        "ward: {kind: category, values: [A, B, C], other: true}", "ward: {kind: category, source: private}"
    )
    study = "studies:\n  - {name: s, formula: \"sex == 'X' ~ relevel(ward, 'Z') + age\", family: logistic}\n"
    schema = parse_schema(text + study)
    assert (named_values(schema, "sex"), named_values(schema, "ward")) == (("X",), ("Z",))
    found = with_found(
        schema, {"sex": {"values": ("X", "F"), "other": True}, "ward": {"values": ("Z",), "other": True}}
    )
    assert levels_of(found.formulas["s"].terms[0], found) == ("Z", "(other)")
