import json

import numpy as np
import pytest

from medsynth.fidelity import validation
from medsynth.fidelity.expectations import expectations_of
from medsynth.fidelity.validation import canonical_frame, expectation_suite, validate
from medsynth.schema import build_schema
from medsynth.testing import simulated_patients, simulated_schema


@pytest.fixture(scope="module")
def schema():
    return simulated_schema()


@pytest.fixture(scope="module")
def patients():
    return simulated_patients(200, np.random.default_rng(0))


@pytest.fixture(scope="module")
def mixed():
    return build_schema(
        {
            "medsynth": 1,
            "dataset": {"name": "mixed"},
            "privacy": {"rows_are_persons": True, "persons": 10},
            "columns": {
                "day": {"kind": "date", "min": "2020-01-01", "max": "2020-12-31"},
                "dx": {"kind": "code", "system": "icd9cm3", "missing_codes": ["?"]},
                "los": {"kind": "integer", "min": 1, "max": 9, "missing_codes": [-1]},
                "flag": {"kind": "boolean"},
                "note": {"kind": "drop"},
            },
        }
    )


def failures(frame, schema):
    return {(v.part, v.expectation) for v in validate(frame, schema) if not v.success}


def test_rows_of_the_schema_meet_it(patients, schema):
    verdicts = validate(patients, schema)
    assert len(verdicts) == 3 * 14
    assert all(verdict.success for verdict in verdicts)


def test_rows_read_as_text_meet_it_too(patients, schema):
    assert failures(patients.astype(str), schema) == set()


def test_every_kind_of_breach_is_found(patients, schema):
    broken = patients.drop(columns="sex").astype(str)
    broken.loc[0, "age"] = "120"
    broken.loc[1, "stay"] = "31"
    broken.loc[2, "charge"] = "many"
    broken.loc[3, "ward"] = ""
    assert failures(broken, schema) == {
        ("age", "expect_column_values_to_be_in_set"),
        ("stay", "expect_column_values_to_be_between"),
        ("charge", "expect_column_values_to_be_between"),
        ("ward", "expect_column_values_to_not_be_null"),
        ("sex", "expect_column_to_exist"),
        ("sex", "expect_column_values_to_be_in_set"),
        ("sex", "expect_column_values_to_not_be_null"),
    }


def test_codes_dates_and_missing_codes_are_read_as_the_codec_reads_them(mixed):
    import pandas as pd

    good = pd.DataFrame({"day": ["2020-02-29"], "dx": ["250.83"], "los": ["-1"], "flag": ["true"]})
    assert failures(pd.concat([good, good.assign(dx="?")]), mixed) == set()
    bad = good.assign(day="2020-02-31", dx="flu", los="10", flag="perhaps")
    assert {column for column, _ in failures(bad, mixed)} == {"day", "dx", "los", "flag"}


def test_decoded_dates_meet_their_bounds(mixed):
    import pandas as pd

    frame = pd.DataFrame({"day": pd.to_datetime(["2020-06-01"]), "dx": ["V57"], "los": [3], "flag": [False]})
    assert failures(frame, mixed) == set()


def test_nothing_is_printed_and_no_value_leaves(patients, schema, capfd, caplog):
    broken = patients.astype(object)
    broken.loc[0, "stay"] = "SECRETVALUE"
    verdicts = validate(broken, schema)
    shown = capfd.readouterr()
    assert (shown.out, shown.err, caplog.text) == ("", "", "")
    assert "SECRETVALUE" not in repr(verdicts)


def test_no_rows_meet_the_schema(patients, schema):
    assert failures(patients.iloc[:0], schema) == set()


def test_suite_is_plain_json_and_loads_into_a_fresh_context(schema):
    import great_expectations as gx

    plain = json.loads(json.dumps(expectation_suite(schema).to_json_dict()))
    loaded = gx.ExpectationSuite(name="again", expectations=plain["expectations"])
    assert len(gx.get_context(mode="ephemeral").suites.add(loaded).expectations) == 42


def test_canonical_frame_leaves_identifiers_and_dropped_columns_out(mixed):
    import pandas as pd

    frame = pd.DataFrame({"los": [-1, 2], "note": ["x", "y"], "more": [1, 2]})
    canonical = canonical_frame(frame, mixed)
    assert list(canonical) == ["los"]
    assert canonical["los"].isna().tolist() == [True, False]


CANARY = "QX77-canary"


def test_a_canary_in_every_column_shows_nowhere(patients, schema, capfd, caplog, monkeypatch):
    seen = []
    held = validation._held
    monkeypatch.setattr(validation, "_held", lambda *given: seen.append(held(*given)) or seen[-1])
    verdicts = validate(patients.astype(object).assign(**{name: CANARY for name in patients}), schema)
    assert not all(verdict.success for verdict in verdicts)
    shown = capfd.readouterr()
    for told in (shown.out, shown.err, caplog.text, json.dumps(verdicts), repr(seen)):
        assert CANARY not in told


def test_repeated_rows_are_judged_once_and_extremes_are_kept(mixed):
    import pandas as pd

    codes = ["?", "250"] * 4 + ["V57"]
    frame = pd.DataFrame({"day": ["2020-02-29"] * 9, "dx": codes, "los": range(1, 10), "flag": True})
    canonical = canonical_frame(frame, mixed)
    kept = validation._telling_rows(canonical, expectations_of(mixed).expected)
    assert kept.index.tolist() == [0, 1, 8]
