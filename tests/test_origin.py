"""A table that says it is synthetic: refused, or fitted on purpose and remembered down the chain."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsynth.models.model_file import load_model
from medsynth.sampling.provenance import read_provenance

Command = Callable[..., Any]
FIT = ("-s", "clinic.yaml", "--model", "independent", "--ledger")


@pytest.fixture
def second(clinic: Path, command: Command) -> Path:
    """`first.csv`, generation 1 with its side-car, and `second.medsynth`, fitted on it."""
    assert command("fit", "visits.csv", *FIT, "a.jsonl", "-o", "first.medsynth").code == 0
    assert command("sample", "first.medsynth", "-o", "first.csv", "-n", 200, "--seed", 1).code == 0
    ran = command("fit", "first.csv", *FIT, "b.jsonl", "-o", "second.medsynth", "--allow-synthetic")
    assert ran.code == 0, ran.err
    assert "Generation 2" in ran.out
    return clinic


@pytest.mark.usefixtures("second")
def test_the_chain_stands_in_model_table_and_card(command: Command) -> None:
    assert command("sample", "second.medsynth", "-o", "second.parquet", "-n", 200, "--card").code == 0
    assert command("fit", "second.parquet", *FIT, "c.jsonl", "-o", "third.medsynth", "--allow-synthetic").code == 0
    about = load_model("third.medsynth").about
    assert about["generation"] == 3
    assert [(each["generation"], each["guarantee"]["epsilon"]) for each in about["ancestors"]] == [(1, 4.0), (2, 4.0)]
    said = read_provenance(Path("second.parquet"))
    card = json.loads(Path("second.parquet.croissant.json").read_text(encoding="utf-8"))
    assert said is not None
    assert (said["generation"], card["medsynth"]["generation"]) == (2, 2)
    assert card["medsynth"] == {"rows": 200, **said}
    kinds = {field["name"]: field["dataType"] for field in card["recordSet"][0]["field"]}
    assert (kinds["age"], kinds["charge"], kinds["admitted"]) == ("sc:Integer", "sc:Float", "sc:Date")
    first = read_provenance(Path("first.csv"))
    assert first is not None
    assert (first["generation"], first["ancestors"], first["licence"], first["terms"]) == (1, [], "CC0", "none")


def test_run_refuses_a_marked_table_and_reports_the_chain_where_allowed(second: Path, command: Command) -> None:
    schema = second / "clinic.yaml"  # without a prediction, the evaluation takes a third of the time
    text = schema.read_text(encoding="utf-8")
    schema.write_text("".join(line for line in text.splitlines(True) if "utility:" not in line), encoding="utf-8")
    run = ("run", "first.csv", *FIT, "d.jsonl", "-o", "out")
    ran = command(*run)
    assert (ran.code, "--allow-synthetic" in ran.err, (second / "out").exists()) == (3, True, False)
    assert command(*run, "--allow-synthetic").code == 0
    page = (second / "out" / "shareable" / "report.html").read_text(encoding="utf-8")
    assert "Generation 2" in page
    assert "Ancestor, as its mark says: generation 1, table clinic" in page
    card = json.loads((second / "out" / "shareable" / "croissant.json").read_text(encoding="utf-8"))
    assert card["distribution"][0]["contentUrl"] == "../synthetic.parquet"
    assert card["medsynth"]["generation"] == 2


def test_a_marked_holdout_is_refused_before_anything_is_spent(second: Path, command: Command) -> None:
    ran = command("run", "visits.csv", "--holdout", "first.csv", *FIT, "e.jsonl", "-o", "out")
    assert (ran.code, "first.csv: says that it is synthetic" in ran.err) == (3, True), ran.err
    assert not (second / "e.jsonl").exists()


def test_a_card_is_never_written_over_unless_told(second: Path, command: Command) -> None:
    (second / "x.csv.croissant.json").write_text("mine", encoding="utf-8")
    sample = ("sample", "second.medsynth", "-o", "x.csv", "-n", 10, "--card")
    ran = command(*sample)
    assert (ran.code, "x.csv.croissant.json" in ran.err, (second / "x.csv").exists()) == (6, True, False)
    assert command(*sample, "--overwrite").code == 0
