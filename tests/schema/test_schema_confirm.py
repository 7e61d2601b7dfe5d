from pathlib import Path

import pytest

from medsynth.errors import SchemaError, UsageError
from medsynth.schema import confirm_schema, load_schema

TEXT = """\
# source: data in a comment stays
medsynth: 1
dataset: {name: t, terms: "source: data"}
privacy:
  rows_are_persons: true
  persons: 100   # rounded
  persons_source: data
columns:
  a: {kind: category, values: ["source: data", data], source: data}  # why a
  "b: source":
    kind: integer
    min: 0
    max: 9
    source:   "data"   # why b
  c: {kind: boolean, source: public}
  source: {kind: boolean, source: data}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "t.yaml"
    path.write_bytes(TEXT.encode())
    return path


def test_confirm_changes_exactly_the_marks(path: Path) -> None:
    assert confirm_schema(path) == ("a", "b: source", "source", "privacy.persons")
    expected = (
        TEXT.replace("persons_source: data", "persons_source: public")
        .replace("source: data}", "source: public}")
        .replace('source:   "data"', "source:   public")
    )
    assert path.read_bytes().decode() == expected
    assert load_schema(path).unconfirmed == ()


def test_confirm_some_leaves_the_others_waiting(path: Path) -> None:
    assert confirm_schema(path, ["b: source"]) == ("b: source",)
    assert load_schema(path).unconfirmed == ("a", "source", "privacy.persons")
    assert confirm_schema(path, ["privacy.persons"]) == ("privacy.persons",)


def test_private_columns_keep_their_kind_and_nothing_that_was_read(path: Path) -> None:
    assert confirm_schema(path, as_="private") == ("a", "b: source")
    schema = load_schema(path)
    assert schema.columns["a"].source == schema.columns["b: source"].source == "private"
    assert schema.unconfirmed == ("source", "privacy.persons")
    expected = TEXT.replace(
        'a: {kind: category, values: ["source: data", data], source: data}  # why a',
        "a: {kind: category, missing: true, source: private}  # why a",
    ).replace(
        'kind: integer\n    min: 0\n    max: 9\n    source:   "data"   # why b',
        "{kind: integer, missing: true, source: private}   # why b",
    )
    assert path.read_bytes().decode() == expected


def test_what_a_person_added_to_a_private_column_is_kept(path: Path) -> None:
    path.write_text(
        TEXT.replace("values: [", 'attacker: known, description: "a: b", missing_codes: ["?"], other: true, values: ['),
        encoding="utf-8",
    )
    confirm_schema(path, ["a"], as_="private")
    column = load_schema(path).columns["a"]
    assert (column.attacker, column.description) == ("known", "a: b")
    assert not {"values", "missing_codes", "other"} & column.model_fields_set


def test_what_has_nothing_to_find_cannot_be_private(path: Path) -> None:
    with pytest.raises(UsageError, match=r"number of persons must be stated publicly"):
        confirm_schema(path, ["privacy.persons"], as_="private")
    with pytest.raises(UsageError, match=r"Column 'source' has nothing to find: only category, integer, decimal, date"):
        confirm_schema(path, ["source"], as_="private")
    merged = TEXT.replace("source: {kind: boolean, source: data}", "source: {<<: {kind: date}, source: data}")
    path.write_text(
        merged.replace("<<: {kind: date}", "<<: {kind: date, min: 2020-01-01, max: 2020-02-01}"), encoding="utf-8"
    )
    with pytest.raises(UsageError, match=r"Column 'source' is merged from another"):
        confirm_schema(path, ["source"], as_="private")


def test_what_does_not_wait_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match=r"Column 'c' does not wait for a word"):
        confirm_schema(path, ["c"])
    with pytest.raises(UsageError, match=r"Column 'sourc' does not wait for a word. Did you mean 'source'"):
        confirm_schema(path, ["sourc"])
    with pytest.raises(UsageError, match=r"public or private, not 'secret'"):
        confirm_schema(path, as_="secret")  # type: ignore[arg-type]
    confirm_schema(path)
    with pytest.raises(UsageError, match=r"Nothing waits"):
        confirm_schema(path, ["a"])
    assert confirm_schema(path) == ()


def test_line_ends_byte_order_mark_and_merged_columns_are_kept(tmp_path: Path) -> None:
    text = (
        "\ufeff"
        + TEXT.replace("\n", "\r\n")
        + "  x: &x {kind: boolean, source: data}\r\n  y: {<<: *x, missing: true}\r\n"
    )
    path = tmp_path / "t.yaml"
    path.write_bytes(text.encode())
    assert confirm_schema(path, ["x", "y"]) == ("x", "y")
    changed = path.read_bytes().decode()
    assert changed == text.replace("&x {kind: boolean, source: data}", "&x {kind: boolean, source: public}")


def test_broken_file_is_left_alone(path: Path, tmp_path: Path) -> None:
    path.write_text(TEXT.replace("min: 0", "min: 90"), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=r"bounds must ascend"):
        confirm_schema(path)
    assert path.read_bytes() == before
    with pytest.raises(SchemaError, match=r"cannot be read"):
        confirm_schema(tmp_path / "absent.yaml")
