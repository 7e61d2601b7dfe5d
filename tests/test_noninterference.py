"""Non-interference: without the mechanisms, nothing that leaves the house depends on a private row.

Every mechanism is replaced by a stub that returns numbers fixed in advance. Whatever still differs
between two tables then came past the ledger.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from medsynth.models import MODELS

Stub = Callable[..., npt.NDArray[np.float64]]


def zeros(values: npt.NDArray[np.int64], **_: float) -> npt.NDArray[np.float64]:
    return np.zeros(np.shape(values))


class Scripted:
    """Numbers that depend on how often it was called and on the shape, on nothing else."""

    def __init__(self, persons: float = 300) -> None:
        self.calls = 0
        self.persons = persons

    def __call__(self, values: npt.NDArray[np.int64], **_: float) -> npt.NDArray[np.float64]:
        self.calls += 1
        shape = np.shape(values)
        rng = np.random.default_rng([self.calls, *shape])
        mass = rng.gamma(0.7, size=shape)
        # A pair holds a fiftieth of its persons beyond its margins: more would contradict these.
        persons = self.persons / 50 if self.persons > 300 and len(shape) == 2 else self.persons
        return np.round((persons * mass / max(mass.sum(), 1e-9) + rng.normal(0, 3, shape)) * 2**20) / 2**20


# Of many persons the scripted scores find pairs worth measuring.
STUBS: dict[str, Callable[[], Stub]] = {
    "zeros": lambda: zeros,
    "scripted": Scripted,
    "plenty": lambda: Scripted(persons=3_000),
}


def strange(visits: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """Rows that break the schema in every column, and fewer of them."""
    frame = visits(90, 7).astype(object)
    frame.loc[::2, "age"] = ["-5", "1e400", "inf", "old", ""] * 9
    frame.loc[::3, "sex"] = "<script>alert(1)</script>"
    frame.loc[::2, "smoker"] = "perhaps"
    frame.loc[::2, "insured"] = "maybe"
    frame.loc[::2, "charge"] = "999999999999"
    frame.loc[::2, "admitted"] = "31.12.1999"
    frame["diagnosis"] = "O80"  # breaks a rule for half of the rows
    frame["outcome"] = "dead"
    frame.loc[::5, "person"] = ""
    return frame


def tables(visits: Callable[..., pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return {
        "ordinary": visits(300, 1),
        "strange": strange(visits),
        "hoarder": visits(2_000, 3, persons=1),
        "empty": visits(1, 1).iloc[:0],
    }


@pytest.fixture
def world(
    tmp_path: Path,
    clinic_schema: str,
    monkeypatch: pytest.MonkeyPatch,
    visits: Callable[..., pd.DataFrame],
) -> Callable[[str], Path]:
    """Makes a folder of its own for each table, alike but for the rows, and goes there."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setattr("medsynth.privacy.budget.secrets.token_hex", lambda n: "5a" * n)
    rows = tables(visits)

    def enter(name: str) -> Path:
        folder = tmp_path / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "clinic.yaml").write_text(clinic_schema, encoding="utf-8")
        rows[name].to_csv(folder / "visits.csv", index=False)
        others = visits(120, 11)
        others["person"] += 10_000
        if name == "hoarder":  # among the held out, nobody has the outcome that is predicted
            others["outcome"] = "home"
        others.to_csv(folder / "others.csv", index=False)
        monkeypatch.chdir(folder)
        return folder

    return enter


def extract(model: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(model) as archive:
        ledger = json.loads(archive.read("manifest.json"))["ledger"]
    assert isinstance(ledger, list)
    return ledger


def booked(ledger: Path) -> list[dict[str, Any]]:
    """Lines of a budget file without the time they were written, the chain over it and the table's fingerprint."""
    lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    return [{key: line[key] for key in line if key not in {"date", "chain", "fingerprint"}} for line in lines]


@pytest.mark.parametrize("stub", STUBS)
@pytest.mark.parametrize("model", MODELS)
def test_without_its_mechanisms_a_fit_says_the_same_of_any_table(
    model: str,
    stub: str,
    world: Callable[[str], Path],
    command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []
    for table in ("ordinary", "strange", "hoarder", "empty"):
        folder = world(table)
        monkeypatch.setattr("medsynth.privacy.mechanisms.gaussian", STUBS[stub]())
        fitted = command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", model)
        assert fitted.code == 0, fitted.err
        drawn = command("sample", "m.medsynth", "-o", "s.parquet", "-n", 50, "--seed", 3)
        assert drawn.code == 0, drawn.err
        model_bytes = (folder / "m.medsynth").read_bytes()
        seen.append(
            (
                (fitted.out, fitted.err, drawn.out, drawn.err),
                extract(folder / "m.medsynth"),
                booked(folder / "clinic.ledger.jsonl"),
                model_bytes,
                (folder / "s.parquet").read_bytes(),
            )
        )
    assert len(seen[0][1]) >= 1
    if stub == "plenty" and model != "independent":
        assert "interactions" in {entry["kind"] for entry in seen[0][1]}
    for other in seen[1:]:
        for first, second in zip(seen[0], other, strict=True):
            assert first == second


def test_without_its_mechanisms_a_fit_with_a_reward_says_the_same_of_any_table(
    world: Callable[[str], Path], command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reward and what a selection makes of it; so many numbers are scripted that it is never nothing."""
    monkeypatch.setattr("medsynth.models.reward.REFERENCE_ROWS", 3_000)
    seen = []
    for table in ("ordinary", "strange", "hoarder", "empty"):
        folder = world(table)
        monkeypatch.setattr("medsynth.privacy.mechanisms.gaussian", Scripted(persons=3_000))
        fitted = command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "mst", "--reward")
        assert fitted.code == 0, fitted.err
        drawn = command("sample", "m.medsynth", "-o", "s.parquet", "-n", 50, "--seed", 3, "--oversample", 4)
        assert drawn.code == 0, drawn.err
        files = [(folder / name).read_bytes() for name in ("m.medsynth", "s.parquet")]
        said = fitted.out, fitted.err, drawn.out, drawn.err
        seen.append((said, extract(folder / "m.medsynth"), booked(folder / "clinic.ledger.jsonl"), *files))
    assert [entry["label"][:7] for entry in seen[0][1]].count("Reward:") == 2
    assert "the reward's tables" in " ".join(seen[0][0][2].split())
    for other in seen[1:]:
        assert other == seen[0]


SURVIVORS: dict[str, dict[str, float]] = {
    "none": {},
    "some": {"F": 90.0, "M": 80.0, "divers": 40.0},
}


@pytest.mark.parametrize(("model", "survivors"), [("independent", "none"), *((model, "some") for model in MODELS)])
def test_without_its_mechanisms_a_fit_finds_the_same_domain_in_any_table(
    model: str,
    survivors: str,
    world: Callable[[str], Path],
    open_schema: str,
    command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A category, an integer, a decimal and a date are private; the rest is as in the other tests."""
    monkeypatch.setattr("medsynth.privacy.mechanisms.surviving", lambda *_, **__: SURVIVORS[survivors])
    seen = []
    for table in ("ordinary", "strange", "hoarder", "empty"):
        folder = world(table)
        (folder / "clinic.yaml").write_text(open_schema, encoding="utf-8")
        monkeypatch.setattr(
            "medsynth.privacy.mechanisms.gaussian", STUBS["scripted" if survivors == "some" else "zeros"]()
        )
        fitted = command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", model)
        assert fitted.code == 0, fitted.err
        ledger, model_bytes = folder / "clinic.ledger.jsonl", (folder / "m.medsynth").read_bytes()
        seen.append(((fitted.out, fitted.err), extract(folder / "m.medsynth"), booked(ledger), model_bytes))
    assert sum("Domain of" in entry["label"] for entry in seen[0][1]) == 7
    assert "Found under the budget:" in seen[0][0][0]
    for other in seen[1:]:
        for first, second in zip(seen[0], other, strict=True):
            assert first == second


def test_without_noise_no_category_passes_a_threshold_that_one_person_holds(
    world: Callable[[str], Path], open_schema: str, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the real threshold and zeros for counts, labels of any table are dropped alike."""
    outputs = []
    for table in ("ordinary", "strange"):
        folder = world(table)
        (folder / "clinic.yaml").write_text(open_schema, encoding="utf-8")
        monkeypatch.setattr("medsynth.privacy.mechanisms.gaussian", zeros)
        fitted = command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "independent")
        outputs.append((fitted.out, (folder / "m.medsynth").read_bytes()))
    assert outputs[0] == outputs[1]
    assert "  sex: 1 values, the rest as (other)" in outputs[0][0]  # what a rule of the schema names


def bundle(folder: Path) -> dict[str, bytes]:
    """What of a run leaves the house."""
    out = folder / "out"
    files = [
        out / "model.medsynth",
        out / "synthetic.parquet",
        *sorted((out / "shareable").iterdir()),
    ]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("holdout", [("--holdout", "others.csv"), ("--paid-holdout", 4)])
def test_without_its_mechanisms_a_run_shares_the_same_bytes_whatever_the_table(
    holdout: tuple[str, Any],
    private: bool,
    world: Callable[[str], Path],
    open_schema: str,
    command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundles, logs = [], []
    monkeypatch.setattr("medsynth.privacy.mechanisms.surviving", lambda *_, **__: SURVIVORS["some"])
    # Of the hoarder's one person nobody can be held out.
    for table in ("ordinary", "strange") if "--paid-holdout" in holdout else ("ordinary", "strange", "hoarder"):
        folder = world(table)
        if private:
            (folder / "clinic.yaml").write_text(open_schema, encoding="utf-8")
        monkeypatch.setattr("medsynth.privacy.mechanisms.gaussian", Scripted())
        ran = command(
            "run",
            "visits.csv",
            "-s",
            "clinic.yaml",
            "-o",
            "out",
            *holdout,
            "--seed",
            3,
            "-n",
            200,
            "--upsample",
            "died:0.3",
            "--model",
            "adaptive",
        )
        assert ran.code == 0, ran.err
        bundles.append(bundle(folder))
        logs.append(ran.err)
    assert {"shareable/report.html", "shareable/report.json"} <= set(bundles[0])
    assert (b"utility.auc.paid" in bundles[0]["shareable/report.json"]) == ("--paid-holdout" in holdout)
    for other in bundles[1:]:
        assert set(other) == set(bundles[0])
        differing = [name for name in other if other[name] != bundles[0][name]]
        assert not differing
    assert len(set(logs)) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_what_is_internal_only_its_owner_can_read(clinic: Path, command: Callable[..., Any]) -> None:
    arguments = ("-s", "clinic.yaml", "-o", "out", "--model", "independent", "-n", 100)
    assert command("run", "visits.csv", *arguments).code == 0
    assert (clinic / "out" / "internal").stat().st_mode & 0o077 == 0
    for path in (clinic / "out" / "internal").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert (clinic / "clinic.ledger.jsonl").stat().st_mode & 0o077 == 0
