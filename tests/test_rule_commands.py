"""Rules through the command line: doubtful records, contradictions, sums and lists that hold."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medsynth.schema import load_schema

Command = Callable[..., Any]
RULES = """\
plausible: ["age >= 30", "insured == true or charge > 100"]
combinations:
  - {name: places, columns: [outcome, insured], rows: [[home, true], [ward, false], [dead, true], [dead, false]]}
"""


@pytest.fixture
def ruled(clinic: Path) -> Path:
    """The clinic with doubtful records; its table obeys the list of combinations."""
    text = (clinic / "clinic.yaml").read_text(encoding="utf-8")
    (clinic / "clinic.yaml").write_text(text + RULES, encoding="utf-8")
    rows = pd.read_csv(clinic / "visits.csv")
    rows["insured"] = rows["insured"].where(rows["outcome"] == "dead", rows["outcome"] == "home")
    rows.to_csv(clinic / "visits.csv", index=False)
    return clinic


def test_check_says_what_is_doubtful_and_keeps_the_numbers_to_a_file_of_the_owner(
    ruled: Path, command: Command
) -> None:
    said = command("check", "visits.csv", "-s", "clinic.yaml", "--counts", "counts.json")
    assert said.code == 0  # real records may break plausible rules
    assert "Plausible rule 'age >= 30': some record breaks it and is doubtful." in said.out
    young = int((pd.read_csv("visits.csv")["age"] < 30).sum())
    assert young > 20
    assert str(young) not in said.out.replace("age >= 30", "")
    counts = json.loads((ruled / "counts.json").read_text(encoding="utf-8"))
    assert counts["edition"] == "internal"
    assert counts["doubtful"]["age >= 30"] == young
    assert set(counts["impossible"].values()) == {0}
    assert stat.S_IMODE((ruled / "counts.json").stat().st_mode) == 0o600
    again = command("check", "visits.csv", "-s", "clinic.yaml", "--counts", "counts.json")
    assert again.code == 6
    assert "counts.json: already exists" in again.err


def test_contradictory_rules_are_named_by_check_and_refused_before_a_budget_is_made(
    clinic: Path, command: Command
) -> None:
    text = (clinic / "clinic.yaml").read_text(encoding="utf-8")
    (clinic / "clinic.yaml").write_text(text.replace("rules: [", 'rules: ["age >= 80", "age < 65", '), encoding="utf-8")
    sentence = "Rule 'age >= 80' and Rule 'age < 65' contradict each other: no record can obey both."
    said = command("check", "visits.csv", "-s", "clinic.yaml")
    assert said.code == 3
    assert sentence in said.out
    for arguments in (("fit", "-o", "m.medsynth"), ("run", "-o", "out")):
        ended = command(arguments[0], "visits.csv", "-s", "clinic.yaml", *arguments[1:])
        assert ended.code == 3
        assert sentence in ended.err
    assert not list(clinic.glob("*.ledger.jsonl"))


def test_clean_passes_no_doubtful_record_on_and_says_so(ruled: Path, command: Command) -> None:
    schema = load_schema("clinic.yaml")
    drawing = ("-n", "400", "--seed", "1", "--where", "sex == 'F'")
    fit = ("visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "independent")
    assert command("fit", *fit).code == 0
    said = command("sample", "m.medsynth", "-o", "all.csv", *drawing)
    assert "not passed on" not in said.out
    passed = pd.read_csv("all.csv")
    assert all(rule.evaluate(passed, schema).all() for rule in schema.rule_predicates)
    assert (passed["age"] < 30).any()
    said = command("sample", "m.medsynth", "-o", "clean.csv", "--clean", *drawing)
    assert "doubtful records were not passed on" in said.out
    rows = pd.read_csv(ruled / "clean.csv")
    assert (rows["sex"] == "F").all()
    for rule in (*schema.rule_predicates, *schema.plausible_predicates):
        assert rule.evaluate(rows, schema).all()
    assert "clean" in json.loads(Path("clean.csv.provenance.json").read_text(encoding="utf-8"))
    assert "clean" not in json.loads(Path("all.csv.provenance.json").read_text(encoding="utf-8"))


def test_a_condition_that_a_rule_excludes_is_refused_before_the_budget_is_spent(ruled: Path, command: Command) -> None:
    where = ("--where", "age < 18")
    ended = command("run", "visits.csv", "-s", "clinic.yaml", "-o", "out", "--clean", *where)
    assert ended.code == 2
    assert "--where: the rule 'age >= 30' excludes every such record." in ended.err
    assert not list(ruled.glob("*.ledger.jsonl"))
