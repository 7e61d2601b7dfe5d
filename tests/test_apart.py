"""What a command reads is never where it writes: no table, schema, model or budget is lost to --overwrite."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsynth.errors import UsageError
from medsynth.outputs import RunFolder, require_apart

FIT = ("fit", "visits.csv", "-s", "clinic.yaml", "--model", "independent", "--overwrite", "-o")
RUN = ("run", "visits.csv", "-s", "clinic.yaml", "--model", "independent", "--overwrite", "-n", "100", "-o")
JUDGED = ("--train", "visits.csv", "--holdout", "other.csv", "-s", "clinic.yaml", "--overwrite", "-o", "out")


@pytest.fixture
def refused(clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command that must be refused before it opens anything, and leave every byte as it was."""

    def opened(*_: object, **__: object) -> None:
        pytest.fail("a private table, a schema, a model or a budget was opened")

    for name in ("load_schema", "read_frame", "FileSource", "load_model", "open_ledger"):
        monkeypatch.setattr(f"medsynth.pipeline.{name}", opened)

    def run(*arguments: object) -> str:
        before = {path: path.is_file() and path.read_bytes() for path in clinic.rglob("*")}
        ran = command(*arguments)
        assert ran.code == 2, ran.out + ran.err
        assert {path: path.is_file() and path.read_bytes() for path in clinic.rglob("*")} == before
        return str(ran.err)

    return run


def put(source: str, place: str) -> None:
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    Path(place).write_bytes(Path(source).read_bytes())


@pytest.mark.parametrize("place", ["t.medsynth", "out/shareable/t.csv", "out/synthetic.parquet"])
@pytest.mark.parametrize("option", ["DATA", "-s", "--ledger"])
@pytest.mark.usefixtures("clinic")
def test_a_run_refuses_to_replace_what_it_reads(place: str, option: str, refused: Callable[..., str]) -> None:
    put("clinic.yaml" if option == "-s" else "visits.csv", place)
    at = {"DATA": 1, "-s": 3}.get(option)
    command = FIT if place == "t.medsynth" else RUN
    arguments = [*command, place if command is FIT else "out"]
    if at is None:
        arguments += [option, place]
    else:
        arguments[at] = place
    said = refused(*arguments)
    assert f"{option} {place}: is or lies in" in said
    assert said.strip().endswith("which this command writes. Name another path for one of the two.")


@pytest.mark.usefixtures("clinic")
def test_a_holdout_is_not_replaced(refused: Callable[..., str]) -> None:
    put("visits.csv", "out/internal/report.html")
    assert "--holdout" in refused(*RUN, "out", "--holdout", "out/internal/report.html")


@pytest.mark.usefixtures("clinic")
def test_a_budget_that_does_not_exist_yet_does_not_take_the_place_of_the_model(refused: Callable[..., str]) -> None:
    assert "--ledger new.medsynth" in refused(*FIT, "new.medsynth", "--ledger", "new.medsynth")
    assert "--ledger out/model.medsynth" in refused(*RUN, "out", "--ledger", "out/model.medsynth")
    assert "DATA visits.csv" in refused(*FIT, "new.medsynth", "--ledger", "visits.csv")


@pytest.mark.usefixtures("clinic")
def test_a_budget_inside_the_folder_of_a_run_outlives_the_next(command: Callable[..., Any]) -> None:
    budget = Path("out/internal/budget.json")
    budget.parent.mkdir(parents=True)
    assert command(*RUN, "out", "--ledger", budget).code == 0
    before = budget.read_bytes()
    ran = command(*RUN, "out", "--ledger", budget)
    assert ran.code == 4, ran.err
    assert budget.read_bytes() == before


@pytest.mark.usefixtures("clinic")
def test_a_draft_does_not_take_the_place_of_its_table(refused: Callable[..., str]) -> None:
    assert "DATA" in refused("init", "visits.csv", "-s", "visits.csv", "--person", "person", "--overwrite")


@pytest.mark.usefixtures("clinic")
def test_a_draft_takes_the_place_of_schemas_only(refused: Callable[..., str]) -> None:
    put("visits.csv", "clinic.ledger.jsonl")
    said = refused("init", "visits.csv", "-s", "clinic.ledger.jsonl", "--person", "person", "--overwrite")
    assert "clinic.ledger.jsonl: schemas are written as .yaml or .yml. Change the ending." in said


@pytest.mark.usefixtures("clinic")
def test_the_lock_of_a_budget_does_not_take_the_place_of_a_schema(refused: Callable[..., str]) -> None:
    put("clinic.yaml", "b.lock")
    arguments = [argument if argument != "clinic.yaml" else "b.lock" for argument in FIT]
    assert "-s b.lock" in refused(*arguments, "new.medsynth", "--ledger", "b")


def test_a_schema_beside_a_new_budget_stays(clinic: Path, command: Callable[..., Any]) -> None:
    put("clinic.yaml", "b.new")
    arguments = [argument if argument != "clinic.yaml" else "b.new" for argument in FIT]
    assert command(*arguments, "new.medsynth", "--ledger", "b").code == 0
    assert (clinic / "b.new").read_bytes() == (clinic / "clinic.yaml").read_bytes()


@pytest.mark.parametrize("name", ["drawn.csv", "drawn.csv.provenance.json"])
@pytest.mark.usefixtures("clinic")
def test_a_table_or_its_side_car_does_not_take_the_place_of_its_model(name: str, refused: Callable[..., str]) -> None:
    put("visits.csv", name)
    assert "MODEL" in refused("sample", name, "-o", "drawn.csv", "--overwrite")


@pytest.mark.parametrize("verb", ["evaluate", "audit"])
@pytest.mark.usefixtures("clinic")
def test_scores_and_reports_do_not_take_the_place_of_a_table(verb: str, refused: Callable[..., str]) -> None:
    put("visits.csv", "out/shareable/report.json")
    assert "--synthetic" in refused(verb, "--synthetic", "out/shareable/report.json", *JUDGED)
    swapped = ("--synthetic", "s.csv", *(arg if arg != "visits.csv" else "out/shareable/report.json" for arg in JUDGED))
    assert "--train" in refused(verb, *swapped)


@pytest.mark.parametrize("verb", ["evaluate", "audit", "report"])
@pytest.mark.usefixtures("clinic")
def test_a_report_does_not_take_the_place_of_a_table_of_its_run(verb: str, refused: Callable[..., str]) -> None:
    put("visits.csv", "out/shareable/report.html")
    tables = {"train": "out/shareable/report.html", "holdout": None, "holdout_share": 0.2, "ledger": None, "coins": ""}
    Path("out/internal").mkdir()
    Path("out/internal/run.json").write_text(json.dumps({"tables": tables}), encoding="utf-8")
    Path("out/internal/scores.json").write_text("{}", encoding="utf-8")
    assert "train of the run" in refused(verb, "out")


@pytest.mark.usefixtures("clinic")
def test_a_model_is_written_under_its_own_ending(refused: Callable[..., str]) -> None:
    assert "new.csv: models are written as .medsynth. Change the ending." in refused(*FIT, "new.csv")


@pytest.mark.parametrize("name", ["./a/../t.csv", "link.csv", "hard.csv", "loop/t.csv"])
def test_another_name_of_the_same_file_is_seen(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").mkdir()
    Path("t.csv").write_bytes(b"x")
    try:
        Path("link.csv").symlink_to("t.csv")
        Path("loop").symlink_to(tmp_path, target_is_directory=True)
        os.link("t.csv", "hard.csv")
    except OSError:
        pytest.skip("this system makes no links")
    with pytest.raises(UsageError, match="--train"):
        require_apart({"--train": Path(name)}, [tmp_path / "t.csv"])
    with pytest.raises(UsageError, match="--train"):
        require_apart({"--train": tmp_path / "t.csv"}, [Path(name)])


@pytest.mark.parametrize("place", ["-o", "--ledger", "DATA"])
def test_a_link_that_leads_back_to_itself_is_no_internal_error(
    place: str, clinic: Path, command: Callable[..., Any]
) -> None:
    try:
        (clinic / "loop.csv").symlink_to("loop.csv")
        (clinic / "loop").symlink_to("loop", target_is_directory=True)
    except OSError:
        pytest.skip("this system makes no links")
    arguments = {
        "-o": (*RUN, "loop"),
        "--ledger": (*RUN, "out", "--ledger", "loop"),
        "DATA": ("run", "loop.csv", *RUN[2:], "out"),
    }[place]
    before = sorted(clinic.iterdir())
    ran = command(*arguments)
    assert ran.code == (3 if place == "DATA" else 6), ran.err
    assert "is a link that leads back to itself. Name another path." in ran.err
    assert sorted(clinic.iterdir()) == before


def test_what_lies_beside_is_read(tmp_path: Path) -> None:
    places = RunFolder(path=tmp_path / "out").places
    inputs = {"DATA": tmp_path / "out" / "t.csv", "-s": tmp_path / "out.yaml", "--holdout": None}
    require_apart(inputs, places, ledger=tmp_path / "out" / "internal" / "budget.json")
