import json
import os
from pathlib import Path

import pytest

from medsynth.errors import SchemaError
from medsynth.schema import (
    dump_schema,
    json_schema,
    load_schema,
    parse_schema,
    schemas_folder,
    shipped_schemas,
)  # fmt: skip

SMALL = """\
medsynth: 1
dataset: {name: small}
privacy: {rows_are_persons: true, persons: 100}
columns:
  answer: {kind: category, values: [No, Yes, off, 007, 1:30]}
  big: {kind: decimal, min: 0, max: 1e6}
  flag: {kind: boolean, true: "Y", false: "N"}
  when: {kind: date, min: 2020-01-01, max: 2020-12-31}
"""


def test_words_of_yaml_1_1_stay_texts() -> None:
    column = parse_schema(SMALL).columns["answer"]
    assert column.values == ("No", "Yes", "off", "007", "1:30")  # type: ignore[union-attr]


def test_exponent_without_point_is_a_number() -> None:
    assert parse_schema(SMALL).columns["big"].max == 1e6  # type: ignore[union-attr]


def test_keys_are_texts_whatever_they_look_like() -> None:
    text = SMALL + "  2020: {kind: id}\n  no: {kind: id}\n  ~: {kind: id}\n"
    assert list(parse_schema(text).columns)[-3:] == ["2020", "no", "~"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("medsynth: 1\nmedsynth: 1\n", "a.yaml: line 2: key 'medsynth' occurs twice. Remove one."),
        ("columns:\n  a: {kind: id, kind: drop}\n", "a.yaml: line 2: key 'kind' occurs twice."),
        ("a: [1, 2", "a.yaml: line 1: expected ',' or ']', but got '<stream end>'. Correct the YAML."),
        ("a: !!python/object:os.system x", "a.yaml: line 1: could not determine a constructor"),
        ("a: 1\n--- \nb: 2", "a.yaml: line 2: but found another document. Correct the YAML."),
        ("", "a.yaml: must be a mapping that begins with medsynth: 1."),
        ("- 1", "a.yaml: must be a mapping that begins with medsynth: 1."),
        ("? [a]\n: 1", "a.yaml: line 1: a key must be text. Put it in quotes."),
        ("a: 2020-13-45", "a.yaml: a value cannot be read ("),
        ("a: &x [*x]", "a.yaml: an alias contains itself. Write the value out."),
        ("[" * 1100, "a.yaml: nested too deeply. Flatten it."),
        ("a: \x07", "a.yaml: special characters are not allowed. Correct the YAML."),
    ],
)  # fmt: skip
def test_bad_yaml_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_schema(text, where="a.yaml")
    assert str(caught.value).startswith(sentence)


def test_billion_laughs_are_refused_before_they_expand() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(SchemaError, match=r"more than a million values"):
        parse_schema("\n".join(lines))


def test_shared_values_may_be_anchored() -> None:
    text = SMALL + "  b: &drug {kind: category, values: [No, Up]}\n  c: *drug\n"
    text += "  d:\n    <<: *drug\n    missing: true\n"
    schema = parse_schema(text)
    assert schema.columns["c"] == schema.columns["b"]
    assert schema.columns["d"].missing is True  # type: ignore[union-attr]


def test_load_reads_a_path_and_errors_begin_with_it(tmp_path: Path) -> None:
    path = tmp_path / "größe.yaml"
    path.write_text("\ufeff" + SMALL, encoding="utf-8")
    assert load_schema(path) == load_schema(str(path)) == parse_schema(SMALL)
    path.write_text(SMALL.replace("kind: date", "kind: dat"), encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        load_schema(path)
    assert str(caught.value) == f"{path}: column 'when': kind 'dat' is not known. Did you mean 'date'?"


def test_load_refuses_what_is_no_readable_file(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"there is no such file. Check the path"):
        load_schema(tmp_path / "absent.yaml")
    with pytest.raises(SchemaError, match=r"there is no such file"):
        load_schema(tmp_path)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SchemaError, match=r"is not UTF-8 text"):
        load_schema(binary)


def test_misspelt_shipped_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(SchemaError, match=r"neither a file nor a shipped schema. Did you mean 'adult'"):
        load_schema("adlut")


@pytest.mark.parametrize("name", shipped_schemas())
def test_shipped_schema_loads_and_survives_dump(name: str) -> None:
    schema = load_schema(name)
    assert parse_schema(dump_schema(schema), folder=schemas_folder()) == schema
    assert schema.dataset.name == name
    assert schema.unconfirmed == ()


def test_shipped_schemas_are_found() -> None:
    assert "diabetes130" in shipped_schemas()


def test_code_list_beside_the_schema_is_found_and_can_be_written_inline(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "wards.csv").write_text(
        "code,block,title\nA1,A,first\nA2,A,second\nB1,B,third\n", encoding="utf-8"
    )
    path = tmp_path / "s.yaml"
    path.write_text(SMALL + "  ward: {kind: code, values_file: lists/wards.csv}\n", encoding="utf-8")
    schema = load_schema(path)
    assert schema.code_system("ward").codes == ("A1", "A2", "B1")
    assert str(schema.predicate("ward in wards('A')")) == "ward in wards('A')"
    moved = parse_schema(dump_schema(schema.self_contained()))
    assert moved.code_system("ward").codes == ("A1", "A2", "B1")
    assert moved.code_system("ward").levels[0].labels == ("A", "B")
    with pytest.raises(SchemaError, match=r"column 'ward': Code list 'wards.csv': cannot be read"):
        parse_schema(dump_schema(schema), folder=tmp_path / "elsewhere")
    assert parse_schema(SMALL).self_contained() == parse_schema(SMALL)


def test_committed_json_schema_is_the_one_the_code_publishes() -> None:
    committed = schemas_folder() / "medsynth.schema.json"
    assert json.loads(committed.read_text(encoding="utf-8")) == json_schema()


def test_json_schema_agrees_with_load_on_good_and_bad_files() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json_schema())
    good = {
        "medsynth": 1,
        "dataset": {"name": "a"},
        "privacy": {"unit": "p", "persons": 5},
        "columns": {"x": {"kind": "boolean", "true": "Y", "false": "N"}},
    }
    assert validator.is_valid(good)
    assert not validator.is_valid(good | {"colums": {}})
    assert not validator.is_valid(good | {"columns": {"x": {"values": ["a"]}}})
    assert not validator.is_valid(good | {"columns": {"x": {"kind": "integer", "min": 0}}})


def test_import_of_schema_is_light(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, medsynth.schema; print(*{'numpy', 'pandas'} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
    )  # fmt: skip
    assert run.stdout.strip() == ""
