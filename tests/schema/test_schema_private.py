from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.encoding.grids import label_of
from medsynth.errors import SchemaError, UsageError
from medsynth.schema import Schema, dump_schema, parse_schema
from medsynth.schema.private import named_values, private_columns, require_found, require_known, stand_in, with_found

TEXT = """\
medsynth: 1
dataset: {name: open}
privacy: {rows_are_persons: true, persons: 1000}
columns:
  age: {kind: integer, source: private, missing_codes: [-1]}
  pay: {kind: decimal, source: private, places: 1}
  seen: {kind: date, source: private, missing: true}
  job: {kind: category, source: private, missing_codes: ["?"]}
  sex: {kind: category, values: [F, M]}
derived: {retired: "'yes' if age >= 67.5 else 'no'"}
rare: [{name: nurses, where: "job == 'nurse' and pay > 900"}]
rules: ["seen >= '2031-05-01' implies job in ('nurse', 'cook')"]
subgroups: [{name: unknown, where: "job is missing"}]
utility: {target: job, positive: pilot}
"""
SCHEMA = parse_schema(TEXT)
FOUND = {
    "age": {"min": 0, "max": 90, "edges": (18, 65)},
    "pay": {"min": 0.0, "max": 1000.0},
    "seen": {"min": date(2020, 1, 1), "max": date(2031, 5, 1)},
    "job": {"values": ("cook", "nurse", "pilot"), "other": True},
}


def test_private_columns_are_known_by_kind() -> None:
    assert private_columns(SCHEMA) == ("age", "pay", "seen", "job")
    assert private_columns(SCHEMA, "category", "date") == ("seen", "job")


def test_what_the_schema_names_is_public() -> None:
    assert set(named_values(SCHEMA, "job")) == {"nurse", "cook", "pilot"}
    assert named_values(SCHEMA, "age") == (67.5,)
    assert named_values(SCHEMA, "seen") == ("2031-05-01",)
    assert named_values(SCHEMA, "sex") == ()


@pytest.mark.parametrize("condition", ["job == '(other)'", "job != '(other)'", "job in ('cook', '(other)')"])
def test_all_others_are_no_value_that_a_schema_names(condition: str) -> None:
    schema = parse_schema(
        TEXT.replace("job == 'nurse' and", f"{condition} and").replace("positive: pilot", "positive: '(other)'")
    )
    assert "(other)" not in named_values(schema, "job")
    assert "(other)" not in stand_in(schema).columns["job"].values


def test_a_schema_with_what_was_found_reads_back_and_has_nothing_open() -> None:
    schema = with_found(SCHEMA, FOUND)
    assert private_columns(schema) == ()
    assert {schema.columns[name].source for name in FOUND} == {"found"}
    assert (schema.columns["pay"].places, schema.columns["age"].missing_codes) == (1, (-1,))
    assert parse_schema(dump_schema(schema)) == schema
    assert SCHEMA.columns["job"].source == "private"


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(st.text(), min_size=1, max_size=5))
def test_every_label_that_can_be_published_reads_back(texts: list[str]) -> None:
    labels = {label for text in texts if (label := label_of(text)) is not None} or {"x"}
    schema = parse_schema(
        "{medsynth: 1, dataset: {name: t}, privacy: {rows_are_persons: true, persons: 9}, "
        "columns: {job: {kind: category, source: private}}}"
    )
    found = with_found(schema, {"job": {"values": tuple(sorted(labels)), "other": True}})
    assert found.columns["job"].values == tuple(sorted(labels))


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "1e5",
        "0x10",
        "1_000",
        "010",
        "~",
        "null",
        "1:30",
        "- a",
        "a: b",
        "#x",
        "'",
        '"',
        "\\",
        "{",
        "😀",
        "2020-01-01",
        ".inf",
        "=",
        "<<",
        "*a",
        "&a",
        "!x",
        "%y",
        "@z",
        "`q",
    ],
)
def test_labels_that_yaml_would_take_for_something_else_read_back(text: str) -> None:
    test_every_label_that_can_be_published_reads_back.hypothesis.inner_test([text])


def test_an_empty_list_is_allowed_only_where_it_was_found() -> None:
    schema = with_found(parse_schema(TEXT.split("derived:")[0]), FOUND | {"job": {"values": (), "other": True}})
    assert schema.columns["job"].values == ()
    with pytest.raises(SchemaError, match=r"column 'job': key 'values' is absent. Add it"):
        parse_schema(dump_schema(schema).replace("source: found", "source: public"))


def test_found_bounds_are_checked_like_written_ones() -> None:
    with pytest.raises(SchemaError, match=r"rare 'nurses': column 'pay': 900 lies outside its bounds 0 to 500"):
        with_found(SCHEMA, FOUND | {"pay": {"min": 0.0, "max": 500.0}})


@pytest.mark.parametrize(
    "where",
    [
        "age >= 67.5",
        "age < 67.5 and sex == 'F'",
        "job in ('nurse', 'cook') or not job == 'pilot'",
        "job == '(other)'",
        "job is missing or seen is missing",
        "pay <= 900",
        "retired == 'yes'",
        "seen < '2031-05-01'",
        "job == 'nurse' implies pay > 900",
    ],
)
def test_a_condition_may_ask_of_private_columns_what_the_schema_names(where: str) -> None:
    require_known(SCHEMA, where)


@pytest.mark.parametrize(
    ("where", "column"),
    [
        ("age >= 18", "age"),
        ("age > 67.5", "age"),
        ("pay >= 900", "pay"),
        ("pay == 900", "pay"),
        ("sex == 'F' and job == 'value 1'", "job"),
        ("job in ('nurse', 'smith')", "job"),
        ("seen <= '2031-05-01'", "seen"),
        ("not (sex == 'F' or seen >= '2001-01-01')", "seen"),
        ("age > pay", "age"),
        ("again == 'smith'", "job"),
    ],
)
def test_a_condition_on_cells_that_are_not_known_yet_is_refused(where: str, column: str) -> None:
    schema = parse_schema(TEXT.replace("derived: {", "derived: {again: \"'none' if sex == 'F' else job\", "))
    known = rf"column '(pay|{column})' is private, its cells are not known yet: name the cut under `subgroups`, or use"
    with pytest.raises(UsageError, match=known):
        require_known(schema, where)


def test_a_stand_in_holds_what_the_schema_names() -> None:
    schema = stand_in(SCHEMA)
    assert private_columns(schema) == ()
    assert {"nurse", "cook", "pilot"} < set(schema.columns["job"].values)
    assert schema.columns["seen"].max >= date(2031, 5, 1)
    assert stand_in(parse_schema(TEXT.split("derived:")[0])).modelled == SCHEMA.modelled
    public = Schema.model_validate(with_found(SCHEMA, FOUND).model_dump(exclude_unset=True))
    assert stand_in(public) is public


def test_a_private_schema_encodes_nothing() -> None:
    require_found(with_found(SCHEMA, FOUND))
    with pytest.raises(SchemaError, match=r"Schema 'open': column 'age' says source: private, and only `fit`"):
        require_found(SCHEMA)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source: private, places: 1", "source: private, min: 0, max: 9", r"'pay': .*so min, max must not be written"),
        (
            "source: private, places: 1",
            "source: private, spikes: [0]",
            r"'pay': .*so spikes must not be written. Remove it",
        ),
        ('source: private, missing_codes: ["?"]', "source: private, values: [a]", r"'job': .*so values must not be"),
        ('source: private, missing_codes: ["?"]', "source: private, ordered: true", r"'job': .*so ordered must not be"),
        ("values: [F, M]}", "source: public}", r"'sex': key 'values' is absent. Add it."),
        ("kind: date, source: private", "kind: date, source: data", r"'seen': key 'min' is absent"),
        (
            "kind: category, values: [F, M]",
            "kind: boolean, source: private",
            r"leaves nothing to find for kind boolean",
        ),
    ],
)
def test_what_is_to_be_found_must_not_be_written_and_all_else_must(old: str, new: str, message: str) -> None:
    text = TEXT.split("derived:")[0]
    assert old in text
    with pytest.raises(SchemaError, match=message):
        parse_schema(text.replace(old, new))


def test_a_derived_column_has_nothing_to_find() -> None:
    text = TEXT.replace("  sex:", "  retired: {kind: category, source: private}\n  sex:")
    with pytest.raises(SchemaError, match=r"derived 'retired': is computed, so nothing is left to find"):
        parse_schema(text)
