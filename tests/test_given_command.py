"""`sample --given` and `--set` on the command line: files in, files out, what they say of themselves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medsynth import Synthesizer

PATIENTS = "outcome,age,smoker\nhome,63,yes\n,17,(missing)\ndead,,\n"
ASKED = ("sample", "m.medsynth", "--given", "patients.csv", "--seed", 3, "-o")

FITTED: list[bytes] = []
"""The model file, once it is fitted: the tests only draw from it."""


@pytest.fixture
def patients(clinic: Path, command: Callable[..., Any]) -> Path:
    model = clinic / "m.medsynth"
    if FITTED:
        model.write_bytes(FITTED[0])
    else:
        ran = command("fit", "visits.csv", "-s", "clinic.yaml", "-o", model.name, "--model", "independent")
        assert ran.code == 0, ran.err
        FITTED.append(model.read_bytes())
    path = clinic / "patients.csv"
    path.write_text(PATIENTS, encoding="utf-8")
    return path


def said(name: str) -> dict[str, Any]:
    return json.loads(Path(f"{name}.provenance.json").read_text(encoding="utf-8"))


def test_records_come_back_completed_marked_and_the_same_for_the_same_seed(
    patients: Path, command: Callable[..., Any]
) -> None:
    ran = command(*ASKED, "a.csv")
    assert ran.code == 0, ran.err
    assert "3 completed records" in ran.out
    assert "no privacy guarantee covers them" in ran.out
    assert command(*ASKED, "b.csv").code == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    frame = pd.read_csv("a.csv")
    assert frame["age"].tolist()[:2] == [63, 17]
    assert frame["outcome"].tolist()[::2] == ["home", "dead"]
    assert frame["age"].iloc[2] >= 18
    assert pd.isna(frame["smoker"].iloc[1])
    assert (said("a.csv")["draw"], said("a.csv")["given"]) == ("completed", ["outcome", "age", "smoker"])
    drawn = Synthesizer.load("m.medsynth").sample(given=pd.read_csv(patients), seed=3)
    assert drawn["age"].tolist() == frame["age"].tolist()

    refused = command("fit", "a.csv", "-s", "clinic.yaml", "-o", "again.medsynth")
    assert refused.code == 3
    assert "says that it is synthetic" in refused.err


@pytest.mark.usefixtures("patients")
def test_what_if_copies_stand_behind_their_records_and_are_labelled(command: Callable[..., Any]) -> None:
    ran = command(*ASKED, "a.csv", "-n", 6, "--set", "smoker=no", "--set", "insured=true", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert (told["rows"], told["what_if"]) == (12, {"smoker": "no", "insured": "true"})
    frame = pd.read_csv("a.csv")
    assert frame["_copy"].tolist() == ["factual", "what-if"] * 6
    assert frame["_pair"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    assert frame["smoker"].iloc[1::2].eq("no").all()
    assert frame["insured"].iloc[1::2].all()
    assert said("a.csv")["what_if_note"].startswith("What-if, not a causal effect")


@pytest.mark.usefixtures("patients")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-n", 4), "-n 4: with --given it must be a multiple"),
        (("--where", "age >= 65"), "--where: cannot be combined with --given"),
        (("--upsample", "died:0.5"), "--upsample: cannot be combined with --given"),
        (("--draw", "edited"), "--draw edited: cannot be combined with --given"),
        (("--draw", "pretty"), "--draw pretty: not one of edited, random"),
        (("--set", "smoker"), "--set smoker: write COL=VALUE"),
        (("--set", "smoker=no", "--set", "smoker=yes"), "set twice"),
        (("--set", "smoker="), "--set: column 'smoker' is set to no value"),
        (("--given", "absent.csv"), "absent.csv: there is no such file"),
        (("--given", "x.csv"), "--given x.csv: is or lies in x.csv"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_file(
    options: tuple[Any, ...], message: str, command: Callable[..., Any]
) -> None:
    ran = command(*ASKED, "x.csv", *options)
    assert ran.code in (2, 3)
    assert message in ran.err
    assert not Path("x.csv").exists()
    assert not Path("x.csv.provenance.json").exists()
