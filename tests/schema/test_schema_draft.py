# ruff: noqa: E501  (a table of cases reads best with one case per line)
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.errors import DataError, OutputError, UsageError
from medsynth.schema import Schema, draft_schema, parse_schema
from medsynth.schema.guesses import Guess, guess_column


def guess(cells: Any, name: str = "x") -> Guess:
    return guess_column(name, pd.Series(cells))


def numbered(texts: list[str], times: int = 3) -> "pd.Series[Any]":
    return pd.Series(texts * times, dtype=object)


def drafted(frame: pd.DataFrame, **options: Any) -> Schema:
    return parse_schema(draft_schema(frame, name="t", **options).text)


@pytest.mark.parametrize(
    ("cells", "keys"),
    [
        ([True, False], {"kind": "boolean"}),
        (["Yes", "No", "Yes"], {"kind": "boolean", "true": "Yes", "false": "No"}),
        ([1, 0, 1], {"kind": "boolean", "true": 1, "false": 0}),
        (["t", "f", None], {"kind": "boolean", "true": "t", "false": "f", "missing": True}),
        (["F", "M"], {"kind": "category", "values": ["F", "M"]}),
        (["b", "a", "?"], {"kind": "category", "values": ["a", "b"], "missing_codes": ["?"]}),
        (["[10-20)", "[0-10)", ">90"], {"kind": "category", "values": ["[0-10)", "[10-20)", ">90"], "ordered": True}),
        (["65+", "18-64", "<18"], {"kind": "category", "values": ["<18", "18-64", "65+"], "ordered": True}),
        (["01-013", "06-075"], {"kind": "category", "values": ["01-013", "06-075"]}),
        (["F", "M", "(other)"], {"kind": "category", "values": ["F", "M"], "other": True}),
        (["10", "9", "N"], {"kind": "category", "values": ["9", "10", "N"]}),
        (["007", "010"], {"kind": "category", "values": ["007", "010"]}),
        ([3, 1234, 7], {"kind": "integer", "min": 3, "max": 1300, "scale": "log"}),
        ([3.0, None, 7.0], {"kind": "integer", "min": 3, "max": 7, "missing": True}),
        ([5, 5], {"kind": "integer", "min": 5, "max": 6}),
        ([-1, 4, 9, 12], {"kind": "integer", "min": 4, "max": 12, "missing_codes": ["-1"]}),
        ([-2, 4, 9, 12], {"kind": "integer", "min": -2, "max": 12}),
        ([4, 9, 12, 999], {"kind": "integer", "min": 4, "max": 12, "missing_codes": ["999"]}),
        ([0.5, 12.25, 3.0], {"kind": "decimal", "min": 0.5, "max": 13.0, "places": 2}),
        ([0.0, -0.123], {"kind": "decimal", "min": -0.13, "max": 0.0, "places": 3}),
        (["1e-3", "2"], {"kind": "decimal", "min": 0.001, "max": 2.0, "places": 6}),
        (["2020-05-01", "2021-03-02"], {"kind": "date", "min": "2020-01-01", "max": "2021-12-31"}),
        (["2020-05-01", "9999-12-31"], {"kind": "date", "min": "2020-01-01", "max": "2020-12-31", "missing_codes": ["9999-12-31"]}),
        (pd.DatetimeIndex(["2020-05-01 10:00", "NaT"]), {"kind": "date", "min": "2020-01-01", "max": "2020-12-31", "missing": True}),
        (["31/01/2020", "01/02/2020"], {"kind": "drop", "reason": "dates in another form than 2020-01-31"}),
        ([None, np.nan], {"kind": "drop", "reason": "empty"}),
        (["", " "], {"kind": "drop", "reason": "empty"}),
    ],
)  # fmt: skip
def test_kind_is_guessed_from_the_cells(cells: Any, keys: dict[str, Any]) -> None:
    found = guess(cells)
    written = {key: str(value) if key in {"min", "max"} and found.keys["kind"] == "date" else value
               for key, value in found.keys.items()}  # fmt: skip
    source = {} if keys["kind"] == "drop" else {"source": "data"}
    assert written == keys | source
    assert found.why.endswith(".")


def test_long_list_is_dropped_and_the_way_out_explained() -> None:
    found = guess(numbered([f"drug {i}" for i in range(51)]))
    assert found.keys == {"kind": "drop", "reason": "more different texts than a list should hold"}
    assert "values_file" in found.why
    assert "51" not in found.why


def test_list_that_may_not_be_whole_keeps_others() -> None:
    assert guess(numbered([f"v{i}" for i in range(13)])).keys["other"] is True
    assert "other" not in guess(numbered([f"v{i}" for i in range(12)])).keys


@pytest.mark.parametrize(
    "texts",
    [
        [f"the patient number {i} came in with chest pain" for i in range(30)],
        [f"a b c d {i}" for i in range(60)],
    ],
)
def test_free_text_is_dropped(texts: list[str]) -> None:
    assert guess(texts).keys == {"kind": "drop", "reason": "free text"}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("patient_id", [str(i % 60) for i in range(200)]),
        ("MRN", [f"A{i}" for i in range(30)]),
        ("row", list(range(1, 31))),
        ("visitId", [7 * i for i in range(60)]),
    ],
)
def test_identifier_is_never_learned(name: str, cells: list[Any]) -> None:
    assert guess(cells, name).keys == {"kind": "id", "format": "########"}


def test_distinct_amounts_are_no_identifier() -> None:
    assert guess([17 * i * i for i in range(40)], "amount").keys["kind"] == "integer"
    assert guess([0.5 + i for i in range(40)], "amount").keys["kind"] == "decimal"


@pytest.mark.parametrize(
    ("name", "cells", "kind"),
    [
        ("d", ["250.83", "V57", "E909", "401", "414", "428", "486", "786", "038", "518"], "code"),
        ("diag_1", ["250.83", "401", "414", "428", "486", "786", "038", "518", "8", "276"], "code"),
        ("number_diagnoses", [str(i) for i in range(1, 17)], "integer"),
    ],
)
def test_icd9_is_recognised(name: str, cells: list[str], kind: str) -> None:
    found = guess(cells, name)
    assert found.keys["kind"] == kind
    assert found.keys.get("system", "icd9cm3") == "icd9cm3"


def test_coded_numbers_become_categories_by_name_else_the_comment_says_so() -> None:
    assert guess(numbered(["1", "2", "10"]), "ward_id").keys["values"] == ["1", "2", "10"]
    assert "write kind: category" in guess(numbered(["1", "2", "10"]), "ward").why


def small_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient": [f"p{i // 2}" for i in range(40)],
            "age": [20 + i for i in range(40)],
            "sex": ["F", "M"] * 20,
            "note": ["came in with pain and left, was told to come back in a week"] * 39 + [None],
        }
    )


def test_draft_loads_and_waits_for_a_person() -> None:
    schema = drafted(small_frame(), person="patient")
    assert schema.privacy.unit == "patient"
    assert schema.privacy.persons == 20
    assert schema.columns["patient"].kind == "id"
    assert schema.modelled == ("age", "sex", "_rows")
    assert schema.unconfirmed == ("age", "sex", "privacy.persons")


def test_draft_of_rows_as_persons_rounds_the_number_of_rows() -> None:
    frame = pd.DataFrame({"a": ["x", "y"] * 777})
    assert drafted(frame, rows_are_persons=True).privacy.persons == 2000


def test_every_column_has_its_explanation_above_it() -> None:
    draft = draft_schema(small_frame(), name="t", person="patient")
    lines = draft.text.split("\n")
    for column in small_frame().columns:
        at = next(i for i, line in enumerate(lines) if line.startswith(f"  {column}:"))
        assert lines[at - 1].startswith("  # ")
    assert max(map(len, lines)) <= 100
    assert [entry.column for entry in draft.guesses] == list(small_frame().columns)
    assert [entry.read_from_data for entry in draft.guesses] == [False, True, True, False]


def test_unit_and_frame_are_checked_first() -> None:
    frame = small_frame()
    with pytest.raises(UsageError, match=r"Exactly one of --person COLUMN and --rows-are-persons"):
        draft_schema(frame, name="t")
    with pytest.raises(UsageError, match=r"Exactly one of"):
        draft_schema(frame, name="t", person="patient", rows_are_persons=True)
    with pytest.raises(UsageError, match=r"Column 'patent' is not in the table. Did you mean 'patient'"):
        draft_schema(frame, name="t", person="patent")
    with pytest.raises(DataError, match=r"has no rows or no columns"):
        draft_schema(frame.iloc[:0], name="t", person="patient")
    with pytest.raises(DataError, match=r"two columns are named 'age'. Rename one"):
        draft_schema(frame.rename(columns={"sex": "age"}), name="t", person="patient")


HOSTILE = ["<script>alert(1)</script>", "a'b\"c", "line\nbreak: {", "# no comment", "tab\t", "\u2028x", "\x85", "- a",
           "*alias", "&anchor", "!tag", "null", "true", "~", "", " ", "{a", "a: b", "%d", "é", "x" * 200, "\x00\x07", "😀"]  # fmt: skip


def test_hostile_names_and_values_neither_break_the_yaml_nor_its_comments() -> None:
    frame = pd.DataFrame({name: pd.Series(HOSTILE, dtype=object) for name in HOSTILE})
    draft = draft_schema(frame, name="../\n<b>evil</b>", rows_are_persons=True)
    schema = parse_schema(draft.text)
    assert list(schema.columns) == HOSTILE
    texts = {text.strip() for text in HOSTILE if text.strip()}
    assert set(schema.columns["é"].values) | {"null"} == texts | {"null"}  # type: ignore[union-attr]
    comments = [line for line in draft.text.split("\n") if line.lstrip().startswith("#")]
    assert all(line.isprintable() for line in comments)


cells = st.one_of(st.none(), st.integers(-9, 9), st.floats(), st.booleans(), st.text(max_size=5), st.dates())


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.lists(cells, min_size=4, max_size=4), min_size=1, max_size=4))
def test_draft_of_any_table_is_yaml_that_loads(columns: dict[str, list[Any]]) -> None:
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    frame["answer"] = ["a", "b"] * 2
    schema = drafted(frame, rows_are_persons=True)
    assert set(schema.columns) == set(map(str, frame.columns))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
def test_draft_is_written_for_its_owner_only(tmp_path: Path) -> None:
    draft = draft_schema(small_frame(), name="t", person="patient")
    path = tmp_path / "schema.yaml"
    draft.write(path)
    assert path.read_text(encoding="utf-8") == draft.text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["schema.yaml"]


def test_unwritable_place_is_an_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    draft = draft_schema(small_frame(), name="t", person="patient")
    with pytest.raises(OutputError, match=r"cannot be written"):
        draft.write(tmp_path / "absent" / "schema.yaml")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"is a folder"):
        draft.write(tmp_path / "folder")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_column_with_the_name_of_the_weights_is_drafted_as_dropped() -> None:
    frame = pd.DataFrame({"sex": ["F", "M"] * 9, "_weight": [0.5, 1.5] * 9})
    schema = drafted(frame, rows_are_persons=True)
    assert schema.columns["_weight"].kind == "drop"
    assert schema.outputs == ("sex",)
