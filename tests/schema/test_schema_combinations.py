"""Fixed combinations from a public table: read, checked, held."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medsynth.errors import SchemaError
from medsynth.schema import build_schema, dump_schema, parse_predicate, parse_schema

Changed = Callable[..., dict[str, Any]]
COLUMNS = {
    "site": {"kind": "category", "values": ["north", "south"]},
    "ward": {"kind": "category", "values": ["a", "b", "c"], "missing": True},
    "grade": {"kind": "integer", "min": 1, "max": 5},
}
ROWS = [["north", "a", 1], ["north", "b", 2], ["south", "c", 3], ["south", None, 1]]


@pytest.fixture
def wards(changed: Changed) -> Callable[..., dict[str, Any]]:
    """The small schema with three columns more and a list of combinations."""

    def make(**keys: Any) -> dict[str, Any]:
        content = changed()
        content["columns"] |= COLUMNS
        return content | {"combinations": [{"name": "wards", **keys}]}

    return make


def test_rows_obey_exactly_where_their_combination_is_listed(wards: Changed) -> None:
    schema = build_schema(wards(columns=["site", "ward", "grade"], rows=ROWS))
    rows = pd.DataFrame(
        [*ROWS, ["north", "a", 2], ["north", None, 1], ["south", "c", "3.0"], ["south", "x", 1], ["north", "b", None]],
        columns=list(COLUMNS),
    )
    (rule,) = schema.rule_predicates
    assert rule.evaluate(rows, schema).tolist() == [True] * 4 + [False, False, True, False, False]
    assert schema.rule_names == ("Combinations 'wards'",)
    in_words = parse_predicate(str(rule))
    assert in_words.evaluate(rows, schema).tolist() == rule.evaluate(rows, schema).tolist()


def test_no_row_is_no_answer(wards: Changed) -> None:
    schema = build_schema(wards(columns=["site", "grade"], rows=[["north", 1]]))
    assert schema.rule_predicates[0].evaluate(pd.DataFrame({"site": [], "grade": []}), schema).tolist() == []


def test_a_csv_beside_the_schema_is_read_and_travels_inline(wards: Changed, tmp_path: Path) -> None:
    (tmp_path / "wards.csv").write_text("site,ward,grade\nnorth,a,1\nsouth,,4\n", encoding="utf-8")
    schema = build_schema(wards(file="wards.csv"), folder=tmp_path)
    (rule,) = schema.rule_predicates
    assert rule.rows == (("north", "a", 1), ("south", None, 4))  # type: ignore[attr-defined]
    moved = parse_schema(dump_schema(schema.self_contained()))
    assert moved.combinations[0].file is None
    assert moved.rule_predicates == schema.rule_predicates


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "needs columns and rows, or a file, found neither. Keep one."),
        ({"columns": ["site"], "rows": [["north"]], "file": "x.csv"}, "found both. Keep one."),
        ({"columns": ["site"], "rows": [["north"]]}, "needs at least two columns, each named once."),
        ({"columns": ["site", "ward"]}, "lists no combination, so no record could obey it."),
        ({"columns": ["site", "ward"], "rows": [["north"]]}, "row 1 of the list has 1 cells for 2 columns."),
        ({"columns": ["site", "ward"], "rows": [["north", 1.5]]}, "cell 1.5 is neither text nor a whole number."),
        ({"columns": ["site", "ward"], "rows": [["nord", "a"]]}, "column 'site': 'nord' is not one of its values."),
        ({"columns": ["site", "war"], "rows": [["north", "a"]]}, "column 'war' is not modelled. Did you mean 'ward'?"),
        ({"columns": ["site", "paid"], "rows": [["north", 1]]}, "column 'paid': combinations are of listed values"),
        ({"columns": ["site", "ward"], "rows": [[None, "a"]]}, "column 'site' has no missing cells"),
        ({"columns": ["site", "grade"], "rows": [["north", "x"]]}, "column 'grade': 'x' is not a whole number."),
        ({"file": "absent.csv"}, "file 'absent.csv' cannot be read (No such file or directory). Check the path."),
    ],
)
def test_a_wrong_list_is_refused_with_its_place(wards: Changed, keys: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SchemaError) as refused:
        build_schema(wards(**keys))
    assert sentence in str(refused.value)
    assert "combinations" in str(refused.value)
