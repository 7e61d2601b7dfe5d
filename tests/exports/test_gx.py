"""An exported suite works where medsynth does not: from its JSON alone, in fresh contexts, rule by rule."""

import json
import warnings
from pathlib import Path

import pandas as pd
import pytest

SCHEMA = """\
medsynth: 1
dataset: {name: wards}
privacy: {unit: person, persons: 10, bounding: {rule: weight, max: 3}}
columns:
  age: {kind: integer, min: 0, max: 99, missing_codes: [-1]}
  admitted: {kind: date, min: 2020-01-01, max: 2020-12-31}
  left: {kind: date, min: 2020-01-01, max: 2021-12-31, missing: true}
  sex: {kind: category, values: [F, M]}
  dx: {kind: category, values: [birth, flu], missing: true}
  ward: {kind: category, values: [A, B]}
rules:
  - "dx == 'birth' implies sex == 'F'"
  - "left >= admitted or left is missing"
  - "left - admitted <= 365 or left is missing"
plausible: ["dx == 'birth' implies age <= 55"]
combinations:
  - {name: wards, columns: [sex, ward], rows: [[F, A], [M, B], [M, A]]}
"""
GOOD = pd.DataFrame(
    {
        "age": [30.0, None, 44.0],
        "admitted": pd.to_datetime(["2020-01-02", "2020-02-03", "2020-12-31"]),
        "left": pd.to_datetime(["2020-01-02", None, "2021-01-05"]),
        "sex": pd.Series(["F", "M", "M"], dtype=object),
        "dx": pd.Series(["birth", None, "flu"], dtype=object),
        "ward": pd.Series(["A", "B", "A"], dtype=object),
    }
)
BROKEN = {
    "Column 'age'": {"age": [30.0, None, 120.0]},
    "Column 'ward'": {"ward": ["A", "B", "C"]},
    "Rule 'dx == 'birth' implies sex == 'F''": {"dx": ["birth", None, "birth"]},
    "Rule 'left >= admitted or left is missing'": {"left": pd.to_datetime(["2020-01-01", None, None])},
    "Combinations 'wards'": {"ward": ["B", "B", "A"]},
    "Plausible rule 'dx == 'birth' implies age <= 55'": {"age": [56.0, None, 44.0]},
}


@pytest.fixture
def exported(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wards.yaml").write_text(SCHEMA, encoding="utf-8")
    return command("schema", "export", "wards.yaml", "--to", "gx", "-o", "suite.json")


def failed_parts(context, name, frame):
    """What a team runs: no line of medsynth."""
    import great_expectations as gx

    content = json.loads(Path("suite.json").read_text(encoding="utf-8"))
    suite = context.suites.add_or_update(gx.ExpectationSuite(**content))
    asset = context.data_sources.add_or_update_pandas(name).add_dataframe_asset("table")
    whole = asset.add_batch_definition_whole_dataframe("whole").get_batch(batch_parameters={"dataframe": frame})
    failed = [result.expectation_config for result in whole.validate(suite).results if not result.success]
    return {config.meta["medsynth"]["part"]: str(config.severity.value) for config in failed}


@pytest.mark.parametrize("mode", ["ephemeral", "file"])
def test_a_fresh_context_passes_a_good_table_and_names_each_broken_part(exported, mode, tmp_path, monkeypatch):
    assert exported.code == 0
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx

        where = {"project_root_dir": str(tmp_path)} if mode == "file" else {}
        context = gx.get_context(mode=mode, **where)
        context.variables.progress_bars = {"globally": False}
        assert failed_parts(context, "good", GOOD) == {}
        for number, (part, change) in enumerate(BROKEN.items() if mode == "ephemeral" else list(BROKEN.items())[2:3]):
            expected = "warning" if part.startswith("Plausible") else "critical"
            found = failed_parts(context, f"broken{number}", GOOD.assign(**change))
            assert found.pop(part.removeprefix("Column '").removesuffix("'") if "Column" in part else part) == expected
            assert set(found) <= {"Combinations 'wards'"}, part


def test_what_is_left_out_is_said_on_the_command_line_and_in_the_suite(exported, tmp_path):
    name = "Rule 'left - admitted <= 365 or left is missing'"
    assert f"Not exported: {name}: it calculates with columns." in exported.out
    suite = json.loads((tmp_path / "suite.json").read_text(encoding="utf-8"))
    assert suite["meta"]["medsynth"]["not_exported"] == [{"rule": name, "reason": "it calculates with columns"}]
    assert not [one for one in suite["expectations"] if one["kwargs"].get("column") == "_rows"]


@pytest.mark.usefixtures("exported")
def test_an_unknown_format_and_a_file_in_the_way_are_refused(command):
    unknown = command("schema", "export", "wards.yaml", "--to", "frictionless", "-o", "other.json")
    assert (unknown.code, unknown.err) == (2, "medsynth: Format 'frictionless' is not one of gx.\n")
    again = command("schema", "export", "wards.yaml", "-o", "suite.json")
    assert again.code == 6
    assert "already exists" in again.err
    assert command("schema", "export", "wards.yaml", "-o", "suite.yaml").code == 2
    assert command("schema", "export", "nowhere.yaml", "-o", "other.json").code == 3


def test_a_draft_whose_values_were_read_from_rows_is_not_exported(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("who,ward\n1,zz_secret\n2,zz_secret\n3,b\n", encoding="utf-8")
    assert command("init", "rows.csv", "-s", "draft.yaml", "--person", "who").code == 0
    refused = command("schema", "export", "draft.yaml", "--to", "gx", "-o", "suite.json")
    assert refused.code != 0
    assert "not confirmed" in refused.err
    assert "zz_secret" not in refused.out + refused.err
    assert not (tmp_path / "suite.json").exists()
