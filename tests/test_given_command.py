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


RARE = """\
medsynth: 1
dataset: {name: rare}
privacy: {rows_are_persons: true, persons: 2000, epsilon: 1}
columns:
  ill: {kind: category, values: ["no", "yes"]}
  ward: {kind: category, values: [a, b]}
  sex: {kind: category, values: [F, M]}
rare: [{name: unheard, where: "ill == 'yes' and ward == 'b'", keep_with: [sex]}]
"""
PUT = {
    "given": ("--given", "put.csv", "--given: cells of some record put it into unheard, a condition below the noise"),
    "set": ("--set", "ill=yes", "--set: values put every copy into unheard"),
}


@pytest.fixture
def unheard(clinic: Path, command: Callable[..., Any]) -> Path:
    """A model of a condition that hardly anybody has."""
    (clinic / "rare.yaml").write_text(RARE, encoding="utf-8")
    rows = pd.DataFrame({"ill": ["no"] * 2_000, "ward": ["a", "b"] * 1_000, "sex": ["F", "M", "M", "F"] * 500})
    rows.loc[1, "ill"] = "yes"
    rows.to_csv(clinic / "rows.csv", index=False)
    pd.DataFrame({"ill": ["no", "yes"], "ward": ["b", "b"]}).to_csv(clinic / "put.csv", index=False)
    assert command("fit", "rows.csv", "-s", "rare.yaml", "-o", "rare.medsynth").code == 0
    return clinic


@pytest.mark.usefixtures("unheard")
def test_records_put_into_a_condition_below_the_noise_need_force_and_are_marked(command: Callable[..., Any]) -> None:
    for option, value, message in PUT.values():
        more = ("--set", "ward=b", "-n", 2) if option == "--set" else ()
        asked = ("sample", "rare.medsynth", option, value, *more, "--seed", 1, "-o", "x.csv")
        ran = command(*asked)
        assert ran.code != 0
        assert message in ran.err
        assert not Path("x.csv").exists()
        forced = command(*asked, "--force", "--overwrite", "--card")
        assert forced.code == 0, forced.err
        assert "fiction" in forced.out
        (sentence,) = said("x.csv")["fiction"]
        assert sentence.startswith("unheard: ")
        assert sentence in Path("x.csv.croissant.json").read_text(encoding="utf-8")
        for path in Path().glob("x.*"):
            path.unlink()
    may = command("sample", "rare.medsynth", "--set", "ill=no", "-n", 2, "-o", "y.csv")
    assert may.code == 0, may.err
    assert "fiction" not in said("y.csv")


@pytest.mark.usefixtures("unheard")
@pytest.mark.parametrize("verb", ["evaluate", "audit"])
def test_a_file_of_what_if_copies_is_not_judged_as_a_population(verb: str, command: Callable[..., Any]) -> None:
    assert command("sample", "rare.medsynth", "--set", "sex=F", "-n", 20, "-o", "pairs.csv").code == 0
    tables = ("--synthetic", "pairs.csv", "--train", "rows.csv", "--holdout", "rows.csv", "-s", "rare.yaml")
    ran = command(verb, *tables, "-o", "judged")
    assert ran.code == 3
    assert "pairs.csv: holds what-if copies" in ran.err
    assert not Path("judged").exists()
