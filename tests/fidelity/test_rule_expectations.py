"""Every kind of exported expectation, with a row that meets it and one that does not, against the rule itself."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.typed import typed_frame
from medsynth.fidelity.expectations import expectations_of
from medsynth.fidelity.validation import canonical_frame, expectation_suite, validate
from medsynth.schema import build_schema

COLUMNS = {
    "a": {"kind": "integer", "min": 0, "max": 4, "missing": True},
    "b": {"kind": "integer", "min": 0, "max": 4, "missing": True},
    "in": {"kind": "date", "min": "2020-01-01", "max": "2020-12-31", "missing": True},
    "out": {"kind": "date", "min": "2020-01-01", "max": "2020-12-31"},
    "stage": {"kind": "category", "values": ["I", "II", "III"], "ordered": True, "missing": True},
    "worst stage": {"kind": "category", "values": ["I", "II", "III"], "ordered": True},
    "sex": {"kind": "category", "values": ["F", "M"], "other": True},
    "dx": {"kind": "code", "system": "icd9cm3", "missing_codes": ["?"]},
    "flag": {"kind": "boolean", "missing": True},
}
CELLS = {
    "a": ["", "0", "2", "4"],
    "b": ["", "0", "2", "4"],
    "in": ["", "2020-03-01", "2020-06-01"],
    "out": ["2020-03-01", "2020-06-01"],
    "stage": ["", "I", "III"],
    "worst stage": ["I", "II"],
    "sex": ["F", "M", 'it\'s "other"'],
    "dx": ["?", "630", "250"],
    "flag": ["", "true", "false"],
}
EXPORTED = {
    "a > b": {"expect_column_pair_values_a_to_be_greater_than_b", "expect_column_values_to_not_be_null"},
    "not (a > b)": {"expect_column_pair_values_a_to_be_greater_than_b"},
    "a == b": {"expect_column_pair_values_to_be_equal", "expect_column_values_to_not_be_null"},
    "not (a == b)": {"expect_select_column_values_to_be_unique_within_record"},
    "`in` <= out": {"expect_column_pair_values_a_to_be_greater_than_b", "expect_column_values_to_not_be_null"},
    "sex == 'F' implies not (a < b)": {"expect_column_pair_values_a_to_be_greater_than_b"},
    "a + b == 4": {"expect_multicolumn_sum_to_equal", "expect_column_values_to_not_be_null"},
    "sex == 'F' implies a in (0, 2)": {"expect_column_values_to_be_in_set", "expect_column_values_to_not_be_null"},
    "not (sex == 'M' and dx in ICD9('630-679'))": {"expect_column_values_to_not_be_in_set"},
    "sex != 'F' implies dx is missing": {"expect_column_values_to_be_null"},
    "a is missing implies b is not missing": {"expect_column_values_to_not_be_null"},
    "`in` >= '2020-04-01' implies a < 3": {"expect_column_values_to_be_between", "expect_column_values_to_not_be_null"},
    "a >= 1 implies `in` == '2020-03-01'": {
        "expect_column_values_to_be_between",
        "expect_column_values_to_not_be_null",
    },
    "not (a == 0 and `in` in ('2020-03-01', '2020-06-01'))": {"expect_column_values_to_be_between"},
    "flag == true implies stage >= 'II'": {"expect_column_values_to_be_in_set", "expect_column_values_to_not_be_null"},
    "not (stage > `worst stage`)": {"expect_column_values_to_not_be_in_set"},
    "stage == `worst stage`": None,
    "a == 2 and b != 0 or flag == false and stage is missing": None,
    "(a == 0 implies b == 0) implies sex in ('F', 'M')": None,
}
PAIRS = {"name": "pairs", "columns": ["a", "stage"], "rows": [[0, None], [2, "I"], [None, "III"]]}
TRIPLES = {
    "name": "triples",
    "columns": ["sex", "a", "flag"],
    "rows": [["F", 0, True], ["F", 0, None], ["F", 2, None], ["M", None, False], ["M", 4, True]],
}


def schema_of(rules=(), combinations=(), plausible=(), derived=None, columns=COLUMNS):
    return build_schema(
        {
            "medsynth": 1,
            "dataset": {"name": "every"},
            "privacy": {"rows_are_persons": True, "persons": 10},
            "columns": columns,
            "rules": list(rules),
            "combinations": list(combinations),
            "plausible": list(plausible),
            "derived": derived or {},
        }
    )


def rows_of(names):
    """Every combination of some cells of the columns named; the others are the same in all rows."""
    kept = {name: cells if name in names else cells[-1:] for name, cells in CELLS.items()}
    return pd.DataFrame(list(itertools.product(*kept.values())), columns=list(kept), dtype=object)


@pytest.fixture(scope="module")
def everything():
    return schema_of(EXPORTED, [PAIRS, TRIPLES])


def unmet(canonical, schema):
    """For each rule the rows that some expectation of it finds, in one run of the library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = context.data_sources.add_pandas("rows").add_dataframe_asset("table")
    whole = batch.add_batch_definition_whole_dataframe("whole").get_batch(batch_parameters={"dataframe": canonical})
    results = whole.validate(expectation_suite(schema), result_format="COMPLETE").results
    found = {}
    for result in results:
        assert not result.exception_info.get("raised_exception"), result.expectation_config.to_json_dict()
        part = result.expectation_config.meta["medsynth"]["part"]
        found.setdefault(part, set()).update(result.result.get("unexpected_index_list") or [])
    return found


def test_each_rule_becomes_the_native_expectations(everything):
    parts = expectations_of(everything).parts
    for text, names in EXPORTED.items():
        found = {expected.name for expected in parts[f"Rule '{text}'"]}
        assert names is None or found == names, text
    assert {one.name for one in parts["Combinations 'pairs'"]} == {"expect_column_pair_values_to_be_in_set"}
    assert expectations_of(everything).left_out == {}


def test_the_library_finds_the_very_rows_that_break_a_rule(everything):
    rows = pd.concat([rows_of(rule.columns) for rule in everything.rule_predicates]).drop_duplicates(ignore_index=True)
    typed = typed_frame(rows, everything)
    found = unmet(canonical_frame(rows, everything), everything)
    for name, rule in zip(everything.rule_names, everything.rule_predicates, strict=True):
        broken = set(np.flatnonzero(~rule.evaluate(typed, everything)).tolist())
        assert 0 < len(broken) < len(rows), name
        assert found[name] == broken, name


def test_verdicts_on_telling_rows_are_those_on_all_rows(everything):
    rows = pd.concat([rows_of({"a", "b"})] * 3, ignore_index=True)
    typed = typed_frame(rows, everything)
    rules = dict(zip(everything.rule_names, everything.rule_predicates, strict=True))
    held = {}
    for verdict in validate(rows, everything):
        held[verdict.part] = held.get(verdict.part, True) and verdict.success
    assert {name: held[name] for name in rules} == {
        name: bool(rule.evaluate(typed, everything).all()) for name, rule in rules.items()
    }


def test_what_no_expectation_expresses_is_named_with_its_reason():
    schema = schema_of(
        rules=["a + b <= 4", "bmi > 3 implies flag == true", "not (a < b and `in` < out)", "sex != '(other)'"],
        derived={"bmi": "a * 2"},
        columns=COLUMNS | {"free": {"kind": "category", "source": "private"}},
    )
    wanted = expectations_of(schema)
    assert wanted.left_out == {
        "Column 'free'": "its values or bounds are private",
        "Rule 'a + b <= 4'": "it calculates with columns",
        "Rule 'bmi > 3 implies flag == true'": "column 'bmi' is computed by medsynth, no table need have it",
        "Rule 'not (a < b and `in` < out)'": "it compares two pairs of columns at once",
        "Rule 'sex != '(other)''": "it speaks of all values outside a list",
        "Derived column 'bmi'": "no expectation computes a column",
    }
    assert not [one for one in wanted.expected if one.part.startswith("Rule")]


def test_a_rule_of_too_many_cases_is_left_out():
    wide = " or ".join(f"(a == {n % 5} and b == {n % 5})" for n in range(12))
    assert expectations_of(schema_of([wide])).left_out == {f"Rule '{wide}'": "it has more than 64 cases"}
