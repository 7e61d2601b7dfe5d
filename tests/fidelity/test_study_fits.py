"""The declared estimates of one table: worked by hand, missing cells, and what cannot be told."""

import math

import numpy as np
import pandas as pd
import pytest

from medsynth.fidelity.study_fits import estimates, weighted_mean
from medsynth.schema import parse_schema

TEXT = """
medsynth: 1
dataset: {name: ward}
privacy: {rows_are_persons: true, persons: 1000, epsilon: 1.0}
columns:
  died: {kind: boolean, "true": "yes", "false": "no", missing: true}
  age: {kind: integer, min: 0, max: 99, missing: true}
  days: {kind: integer, min: 0, max: 999}
  sex: {kind: category, values: [F, M]}
  ward: {kind: category, values: [A, B, C], missing: true}
subgroups: [{name: men, where: "sex == 'M'"}]
"""


def schema_of(*studies, more=""):
    lines = [f'  - {{name: s{place}, formula: "{text}", family: {family}}}' for place, (text, family) in
             enumerate(studies)]  # fmt: skip
    return parse_schema(TEXT + more + "studies:\n" + "\n".join(lines) + "\n")


def by_term(found, kind="coefficient"):
    return {one.term: one for one in found if one.kind == kind}


@pytest.fixture
def rows():
    rng = np.random.default_rng(5)
    n = 400
    age, sex = rng.integers(20, 90, n).astype(float), rng.choice(["F", "M"], n)
    died = np.where(rng.random(n) < 1 / (1 + np.exp(-(age - 60) / 15)), "yes", "no")
    return pd.DataFrame({"died": died, "age": age, "days": rng.integers(1, 400, n), "sex": sex,
                         "ward": rng.choice(["A", "B", "C"], n)})  # fmt: skip


def test_log_odds_are_those_of_the_table_and_missing_is_a_value(rows):
    # 2 x 2 by hand among M and F; the rows of an unknown outcome are left out.
    schema = schema_of(("died ~ sex", "logistic"))
    rows.loc[:9, "died"] = None
    known = rows.dropna(subset="died")
    a, b, c, d = (((known["sex"] == s) & (known["died"] == o)).sum() for s in "MF" for o in ("yes", "no"))
    found = by_term(estimates(schema, rows, np.ones(len(rows))))["sex: M"]
    assert found.value == pytest.approx(math.log(a * d / (b * c)), abs=1e-7)
    assert found.error == pytest.approx(math.sqrt(1 / a + 1 / b + 1 / c + 1 / d), rel=0.01)
    assert found.n == 390
    rows.loc[100:149, "ward"] = None
    found = by_term(estimates(schema_of(("died ~ ward", "logistic")), rows, np.ones(len(rows))))
    assert list(found) == ["ward: B", "ward: C", "ward: missing"]
    assert all(one.n == 390 for one in found.values())


def test_rows_with_a_missing_number_are_left_out_and_scale_comes_back(rows):
    rows.loc[:29, "age"] = np.nan
    found = by_term(estimates(schema_of(("days ~ age", "linear")), rows, np.ones(len(rows))))["age"]
    known = rows.dropna()
    assert found.value == pytest.approx(np.polyfit(known["age"], known["days"], 1)[0], rel=1e-9)
    assert (found.n, found.spread) == (370, pytest.approx(known["age"].std(ddof=0)))


def test_numbers_beyond_the_bounds_count_as_a_fit_reads_them(rows):
    schema = schema_of(("days ~ age", "linear"))
    rows.loc[:4, "age"] = 50_000  # may be missing, so it is
    rows.loc[5:9, "days"] = 50_000  # may not, so it is the nearest bound
    found = by_term(estimates(schema, rows, np.ones(len(rows))))["age"]
    rows.loc[5:9, "days"] = 999
    assert found == by_term(estimates(schema, rows[5:], np.ones(395)))["age"]


def test_weights_of_two_are_rows_of_one_person_written_twice(rows):
    schema = schema_of(("died ~ age + ward", "logistic"), ("Surv(days, died) ~ age + ward", "cox"))
    twice = pd.concat([rows, rows[:100]], ignore_index=True)
    persons = np.array([*range(400), *range(100)])
    counted = estimates(schema, rows, np.where(np.arange(400) < 100, 2.0, 1.0))
    written = estimates(schema, twice, np.ones(500), persons)
    for one, other in zip(counted, written, strict=True):
        if one.term == "ward: missing":
            continue
        near = 0.05 * other.error if one.study == "s1" else 1e-7  # for Efron two rows are a tie
        assert one.value == pytest.approx(other.value, abs=near)
        assert one.error == pytest.approx(other.error, rel=0.02)


def test_what_cannot_be_told_is_said_and_the_rest_is_told(rows):
    schema = schema_of(("died ~ age + sex + ward", "logistic"), ("Surv(days, died) ~ age + ward", "cox"))
    rows.loc[rows["ward"] == "C", "died"] = "no"
    rows["sex"] = "F"
    found = estimates(schema, rows, np.ones(len(rows)))
    told = {(one.study, one.term): one.reason for one in found if one.kind == "coefficient"}
    assert told == {
        ("s0", "age"): "",
        ("s0", "sex: M"): "no row has it",
        ("s0", "ward: B"): "",
        ("s0", "ward: C"): "all its rows have the same outcome",
        ("s0", "ward: missing"): "no row has it",
        ("s1", "age"): "",
        ("s1", "ward: B"): "",
        ("s1", "ward: C"): "all its rows have the same outcome",
        ("s1", "ward: missing"): "no row has it",
    }
    assert all((one.value is None) == bool(one.reason) for one in found)
    # Without these rows the others are the same: a coefficient without bound gives them no say.
    rest = by_term(estimates(schema, rows[rows["ward"] != "C"], np.ones((rows["ward"] != "C").sum())))
    assert by_term(found)["age"].value == pytest.approx(rest["age"].value)


@pytest.mark.parametrize("table", ["empty", "constant", "separated", "tiny"])
def test_no_table_fails_or_warns(rows, table):
    schema = schema_of(("died ~ age + sex + ward", "logistic"), ("days ~ age + sex", "linear"),
                       ("Surv(days, died) ~ age + ward", "cox"))  # fmt: skip
    usual = estimates(schema, rows, np.ones(len(rows)))
    tables = {
        "empty": rows[:0],
        "constant": rows.assign(age=50, days=7, sex="F"),
        "separated": rows.assign(died=np.where(rows["age"] > 50, "yes", "no")),
        "tiny": rows[:7],
    }
    found = estimates(schema, tables[table], np.ones(len(tables[table])))
    assert [(one.study, one.term) for one in found] == [(one.study, one.term) for one in usual]
    age = next(one for one in found if one.term == "age")
    assert age.value is None
    assert age.reason


def test_columns_that_determine_each_other_are_both_untold(rows):
    schema = schema_of(("days ~ age + twice + sex", "linear"), more="derived: {twice: 2 * age}\n")
    found = by_term(estimates(schema, rows, np.ones(len(rows))))
    assert {term: one.reason for term, one in found.items()} == {
        "age": "it cannot be told apart from the others",
        "twice": "it cannot be told apart from the others",
        "sex: M": "",
    }
    alone = by_term(estimates(schema_of(("days ~ age + sex", "linear")), rows, np.ones(len(rows))))
    assert found["sex: M"].value == pytest.approx(alone["sex: M"].value)


def test_a_weighted_mean_and_its_error_are_those_worked_by_hand():
    # 1, 2, 3 and 6 with weights 1, 1, 2, 1 and so on five times: mean 15/5 = 3; person sums of w(x - 3).
    values, weights = np.array([1.0, 2, 3, 6] * 5), np.array([1.0, 1, 2, 1] * 5)
    mean, error = weighted_mean(values, weights, np.arange(20))
    assert mean == 3
    assert error == pytest.approx(math.sqrt(5 * (4 + 1 + 0 + 9) * 20 / 19) / 25)
    # All four rows of a person: their sums are zero, so nothing varies between persons.
    assert weighted_mean(values, weights, np.repeat(np.arange(5), 4))[1] == pytest.approx(0)


def test_shares_and_means_are_given_for_everyone_and_each_subgroup(rows):
    schema = schema_of(("days ~ age", "linear"), more="utility: {target: died, positive: 'yes', task: binary}\n")
    found = {(one.study, one.term): one for one in estimates(schema, rows, np.ones(len(rows)))}
    men = rows[rows["sex"] == "M"]
    assert found["died == 'yes'", "men"].value == pytest.approx((men["died"] == "yes").mean())
    assert found["days", "men"].value == pytest.approx(men["days"].mean())
    assert found["days", "everyone"].n == 400
    assert (found["days", "men"].kind, found["died == 'yes'", "men"].kind) == ("mean", "share")
    assert found["days", "men"].columns == ("days", "sex")
