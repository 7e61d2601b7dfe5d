import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from medsynth.errors import SchemaError
from medsynth.schema import Schema, build_schema
from medsynth.schema.columns import Category, Code, Date, Decimal, Integer

Changed = Callable[..., dict[str, Any]]

BAD_COLUMNS = {
    "kind is absent": (
        {"values": ["a"]},
        "column 'x': key 'kind' is absent. Add one of category, ",
    ),
    "kind is misspelt": (
        {"kind": "categry", "values": ["a"]},
        "column 'x': kind 'categry' is not known. Did you mean 'category'?",
    ),
    "key is misspelt": (
        {"kind": "integer", "min": 0, "max": 1, "bin": 3},
        "column 'x': key 'bin' is not known. Did you mean 'bins'?",
    ),
    "key is absent": ({"kind": "integer", "min": 0}, "column 'x': key 'max' is absent. Add it."),
    "no mapping": ("integer", "column 'x': must be a mapping of keys to values, got 'integer'."),
    "bounds descend": (
        {"kind": "decimal", "min": 30, "max": 25, "unit": "kg/m2"},
        "column 'x': bounds must ascend, got min 30 and max 25 (kg/m2). Swap them.",
    ),
    "decimal bounds equal": (
        {"kind": "decimal", "min": 3, "max": 3},
        "column 'x': bounds must differ, got min and max 3. Widen them, or drop the column.",
    ),
    "bound is text": (
        {"kind": "integer", "min": "0", "max": 1},
        "column 'x': min: must be a whole number, got '0'. Write it without quotes or a point.",
    ),
    "bound is a truth value": (
        {"kind": "integer", "min": True, "max": 1},
        "column 'x': min: must be a whole number, got True.",
    ),
    "bound is infinite": (
        {"kind": "decimal", "min": 0, "max": float("inf")},
        "column 'x': max: must be finite and within 2^53 of zero, got inf.",
    ),
    "bound is huge": (
        {"kind": "integer", "min": 0, "max": 10**30},
        "column 'x': max: must lie within 2^53 of zero, got 1000000000000000000000000000000.",
    ),
    "no bins": (
        {"kind": "integer", "min": 0, "max": 1, "bins": 0},
        "column 'x': bins: must be at least 1, got 0. Correct it.",
    ),
    "too many bins": (
        {"kind": "integer", "min": 0, "max": 1, "bins": 5000},
        "column 'x': bins: must be at most 4096, got 5000. Correct it.",
    ),
    "places below zero": (
        {"kind": "decimal", "min": 0, "max": 1, "places": -1},
        "column 'x': places: must be at least 0, got -1. Correct it.",
    ),
    "scale is unknown": (
        {"kind": "integer", "min": 0, "max": 1, "scale": "logg"},
        "column 'x': scale: 'logg' is not allowed here. Did you mean 'log'?",
    ),
    "edges and bins": (
        {"kind": "integer", "min": 0, "max": 9, "bins": 2, "edges": [3]},
        "column 'x': has both edges and bins. Keep one: edges already say how many bins there are.",
    ),
    "edges descend": (
        {"kind": "integer", "min": 0, "max": 9, "edges": [5, 3]},
        "column 'x': edges must ascend, got 5, 3. Sort them.",
    ),
    "edge outside": (
        {"kind": "integer", "min": 0, "max": 9, "edges": [3, 12], "unit": "days"},
        "column 'x': edges must lie inside the bounds 0 to 9 (days), got 12. Widen the bounds, or remove it.",
    ),
    "edges are no list": (
        {"kind": "integer", "min": 0, "max": 9, "edges": 3},
        "column 'x': edges: must be a list, got 3. Correct it.",
    ),
    "spike outside": (
        {"kind": "decimal", "min": 1, "max": 9, "spikes": [0]},
        "column 'x': spikes must lie inside the bounds 1 to 9, got 0. Widen the bounds, or remove it.",
    ),
    "spike twice": (
        {"kind": "integer", "min": 0, "max": 9, "spikes": [0, 0]},
        "column 'x': spikes must be distinct, got 0 twice. Remove one.",
    ),
    "other beside bounds": (
        {"kind": "integer", "min": 0, "max": 9, "other": True},
        "column 'x': 'other' is for lists of values; a value outside the bounds becomes missing or the nearest "
        "bound. Remove 'other'.",
    ),
    "date is none": (
        {"kind": "date", "min": "01/02/2020", "max": "2021-01-01"},
        "column 'x': min: must be a date, got '01/02/2020'. Write it as 2020-01-31.",
    ),
    "date is a number": (
        {"kind": "date", "min": 2020, "max": "2021-01-01"},
        "column 'x': min: must be a date, got 2020. Write it as 2020-01-31.",
    ),
    "dates descend": (
        {"kind": "date", "min": "2021-01-01", "max": "2020-01-01"},
        "column 'x': bounds must ascend, got min 2021-01-01 and max 2020-01-01. Swap them.",
    ),
    "date unit is unknown": (
        {"kind": "date", "min": "2020-01-01", "max": "2021-01-01", "unit": "days"},
        "column 'x': unit: 'days' is not allowed here. Did you mean 'day'?",
    ),
    "values twice": (
        {"kind": "category", "values": ["a", "b", "a "]},
        "column 'x': values must be distinct, got 'a ' twice. Remove one.",
    ),
    "no values": (
        {"kind": "category", "values": []},
        "column 'x': values: must not be empty. List at least one.",
    ),
    "blank value": (
        {"kind": "category", "values": ["a", ""]},
        "column 'x': values: a blank value means missing. Set missing: true, or quote a text.",
    ),
    "value is a truth value": (
        {"kind": "category", "values": ["a", True]},
        "column 'x': values: value True is neither text nor a whole number. Put it in quotes.",
    ),
    "values are mixed": (
        {"kind": "category", "values": [1, "N"]},
        "column 'x': values mix text and numbers. Put all of them in quotes.",
    ),
    "value is a missing code": (
        {"kind": "category", "values": ["a", "?"], "missing_codes": ["?"]},
        "column 'x': '?' is both a value and a missing code. Keep it in one of the two lists.",
    ),
    "the cell for all others is a value": (
        {"kind": "category", "values": ["a", "(other)"]},
        "column 'x': '(other)' is how a value outside the list is written, so it is none of the list. Remove it, and "
        "write other: true.",
    ),
    "the cell for all others is a missing code": (
        {"kind": "category", "values": ["a"], "missing_codes": [" (other)"], "other": True},
        "column 'x': '(other)' is how a value outside the list is written, so it is none of the list. Remove it, and "
        "write other: true.",
    ),
    "missing code twice": (
        {"kind": "integer", "min": 0, "max": 1, "missing_codes": [-1, "-1"]},
        "column 'x': missing_codes must be distinct, got '-1' twice. Remove one.",
    ),
    "missing is text": (
        {"kind": "integer", "min": 0, "max": 1, "missing": "yes"},
        "column 'x': missing: must be true or false, got 'yes'.",
    ),
    "boolean written alike": (
        {"kind": "boolean", "true": 1, "false": "1"},
        "column 'x': true and false are both written 1. Write two different values.",
    ),
    "code without list": (
        {"kind": "code"},
        "column 'x': needs exactly one of system, values_file, codes; found none. Keep one.",
    ),
    "code with two lists": (
        {"kind": "code", "system": "icd9cm3", "values_file": "a.csv"},
        "column 'x': needs exactly one of system, values_file, codes; found system and values_file. Keep one.",
    ),
    "code system is misspelt": (
        {"kind": "code", "system": "icd9cm"},
        "column 'x': system 'icd9cm' is not a shipped code list. Did you mean 'icd9cm3'?",
    ),
    "code system is a path": (
        {"kind": "code", "system": "../codes/icd9cm3"},
        "column 'x': system '../codes/icd9cm3' is not a shipped code list.",
    ),
    "code file is absent": (
        {"kind": "code", "values_file": "absent.csv"},
        "column 'x': Code list 'absent.csv': cannot be read (No such file or directory).",
    ),
    "code is a missing code": (
        {"kind": "code", "codes": [{"code": "a"}, {"code": "b"}], "missing_codes": ["a"]},
        "column 'x': 'a' is both a value and a missing code.",
    ),
    "source is unknown": (
        {"kind": "id", "source": "guess"},
        "column 'x': source: 'guess' is not allowed here. Allowed: public, data, private, found.",
    ),
    "attacker is unknown": (
        {"kind": "category", "values": ["a"], "attacker": "knows"},
        "column 'x': attacker: 'knows' is not allowed here. Did you mean 'known'?",
    ),
    "description is a number": (
        {"kind": "id", "description": 3},
        "column 'x': description: must be text, got 3. Put it in quotes.",
    ),
    "key of another kind": (
        {"kind": "id", "missing": True},
        "column 'x': key 'missing' is not known. Allowed: description, source, attacker, kind, format.",
    ),
}


@pytest.mark.parametrize("case", BAD_COLUMNS)
def test_bad_column_is_refused_with_place_and_fix(case: str, changed: Changed) -> None:
    column, sentence = BAD_COLUMNS[case]
    with pytest.raises(SchemaError, match=re.escape("small.yaml: " + sentence)):
        build_schema(changed(columns__x=column), where="small.yaml")


def test_hostile_column_name_is_kept_and_shown_on_one_line(changed: Changed) -> None:
    name = "<script>'\"\n: #"
    content = changed()
    content["columns"][name] = {"kind": "category", "values": ["a", "b"]}
    assert name in build_schema(content).modelled
    content["columns"][name] = {"kind": "category"}
    with pytest.raises(SchemaError) as caught:
        build_schema(content)
    assert str(caught.value).count("\n") == 0


def test_kinds_carry_what_encoding_needs(small: Schema) -> None:
    columns = small.columns
    assert isinstance(columns["age"], Integer)
    assert (columns["age"].min, columns["age"].max, columns["age"].bins) == (0, 120, None)
    assert (columns["age"].scale, columns["age"].edges, columns["age"].spikes) == (
        "linear",
        None,
        (),
    )
    assert columns["age"].round_to is None
    assert isinstance(columns["charge"], Decimal)
    assert (columns["charge"].places, columns["charge"].missing_codes) == (2, (-1, "N"))
    assert isinstance(columns["admit"], Date)
    assert (columns["admit"].min, columns["admit"].unit) == (date(2020, 1, 1), None)
    assert isinstance(columns["band"], Category)
    assert (columns["band"].ordered, columns["band"].other) == (True, True)
    assert isinstance(columns["dx"], Code)
    assert columns["dx"].code_system.name == "icd9cm3"


def test_boolean_defaults_to_truth_values_and_keeps_how_it_is_written(changed: Changed) -> None:
    columns = build_schema(changed(columns__b={"kind": "boolean"})).columns
    assert columns["b"].values == (False, True)  # type: ignore[union-attr]
    assert columns["smoker"].values == ("no", "yes")  # type: ignore[union-attr]


def test_missing_code_written_as_date_becomes_text(changed: Changed) -> None:
    code = date(9999, 12, 31)
    schema = build_schema(changed(columns__admit__missing_codes=[code]))
    assert schema.columns["admit"].missing_codes == ("9999-12-31",)  # type: ignore[union-attr]


def test_constant_integer_is_allowed(changed: Changed) -> None:
    schema = build_schema(changed(columns__x={"kind": "integer", "min": 3, "max": 3}))
    assert "x" in schema.modelled
