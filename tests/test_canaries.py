"""Values planted in private rows turn up in nothing that leaves the house or that a fit says."""

import json
import struct
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load

from medsynth.models import MODELS

CATEGORY = "Canary-Ünsëen-77"
IDENTIFIER = "CNRY-4471-9902"
SECRET_NOTE = "canary note about Mrs Quixote"
HOSTILE = "<img src=x onerror=canary()>"
LONG = "canary-" * 40
DAY = "1937-03-19"
NUMBER = 8_675_309_417
FRACTION = 123.4567891
TEXTS = (
    CATEGORY,
    IDENTIFIER,
    SECRET_NOTE,
    HOSTILE,
    LONG,
    DAY,
    str(NUMBER),
    str(FRACTION),
    "canary",
)


def planted(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.astype(object)
    frame.loc[0:30, "sex"] = CATEGORY
    frame.loc[0:40, "person"] = IDENTIFIER
    frame["notes"] = SECRET_NOTE
    frame.loc[10:60, "outcome"] = HOSTILE
    frame.loc[5:90, "diagnosis"] = LONG
    frame.loc[5:50, "admitted"] = DAY
    frame.loc[5:50, "charge"] = NUMBER
    frame.loc[60:70, "age"] = FRACTION
    frame.loc[80:90, "age"] = NUMBER
    return frame


def needles() -> tuple[bytes, ...]:
    texts = [form.encode() for text in TEXTS for form in (text, json.dumps(text)[1:-1])]
    escaped = HOSTILE.replace("<", "&lt;").replace(">", "&gt;").encode()
    numbers = [struct.pack(kind, value) for kind in ("<d", ">d", "<q", ">q") for value in (NUMBER,)]
    return (*texts, escaped, *numbers, struct.pack("<d", FRACTION), struct.pack("<q", NUMBER << 20))


def assert_clean(contents: Iterable[tuple[str, bytes]]) -> None:
    for name, content in contents:
        found = [needle for needle in needles() if needle in content]
        assert not found, f"{name} holds {found}"


def contents(folder: Path) -> list[tuple[str, bytes]]:
    """Bytes of every file; of a Parquet file also its cells and metadata as text."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.append((path.name, path.read_bytes()))
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.read_table(path)
            found.append((f"{path.name}, cells", table.to_pandas().to_csv().encode()))
            found.append((f"{path.name}, metadata", repr(table.schema.metadata).encode()))
    return found


@pytest.fixture
def infested(clinic: Path, visits: Callable[..., pd.DataFrame]) -> Path:
    (clinic / "private").mkdir()
    planted(visits(300, 1)).to_csv(clinic / "private" / "visits.csv", index=False)
    (clinic / "visits.csv").unlink()
    return clinic


@pytest.mark.parametrize("model", MODELS)
def test_no_planted_value_leaves_a_fit_or_a_sample(model: str, infested: Path, command: Callable[..., Any]) -> None:
    data = infested / "private" / "visits.csv"
    schema = ("-s", "clinic.yaml")
    fitted = command("fit", data, *schema, "-o", "out/m.medsynth", "--ledger", "b.jsonl", "--model", model)
    assert fitted.code == 0, fitted.err
    drawn = command("sample", "out/m.medsynth", "-o", "out/s.parquet", "-n", 400, "--seed", 1)
    written = command("sample", "out/m.medsynth", "-o", "out/s.csv", "-n", 400, "--seed", 1)
    assert (drawn.code, written.code) == (0, 0)
    said = "".join(ran.out + ran.err for ran in (fitted, drawn, written))
    assert_clean([("what was said", said.encode()), *contents(infested / "out")])
    assert_clean([("ledger", (infested / "b.jsonl").read_bytes())])


def test_no_planted_value_leaves_a_reward(
    infested: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medsynth.models.reward.REFERENCE_ROWS", 3_000)
    data = infested / "private" / "visits.csv"
    fitted = command("fit", data, "-s", "clinic.yaml", "-o", "out/m.medsynth", "--ledger", "b.jsonl", "--reward")
    assert fitted.code == 0, fitted.err
    drawn = command("sample", "out/m.medsynth", "-o", "out/s.csv", "-n", 100, "--oversample", 4)
    assert drawn.code == 0, drawn.err
    said = "".join(ran.out + ran.err for ran in (fitted, drawn)).encode()
    assert_clean([("said", said), ("ledger", (infested / "b.jsonl").read_bytes()), *contents(infested / "out")])


@pytest.mark.parametrize("model", MODELS)
def test_no_planted_value_of_a_private_column_leaves_a_fit_or_a_sample(
    model: str, infested: Path, open_schema: str, command: Callable[..., Any]
) -> None:
    """What few hold is published with probability below 1e-6 a fit; the planted number is held by no bound.

    31 of 300 rows hold the planted category, 46 and 11 the planted number and 46 the planted day, of one person
    together: their rows weigh one person.
    """
    rows = pd.read_csv(infested / "private" / "visits.csv", dtype=str)
    rows.loc[0:100, "person"] = IDENTIFIER
    rows.to_csv(infested / "private" / "visits.csv", index=False)
    (infested / "clinic.yaml").write_text(open_schema, encoding="utf-8")
    data = infested / "private" / "visits.csv"
    fitted = command("fit", data, "-s", "clinic.yaml", "-o", "out/m.medsynth", "--ledger", "b.jsonl", "--model", model)
    assert fitted.code == 0, fitted.err
    drawn = command("sample", "out/m.medsynth", "-o", "out/s.parquet", "-n", 400, "--seed", 1)
    assert drawn.code == 0, drawn.err
    assert_clean(
        [("said", "".join(ran.out + ran.err for ran in (fitted, drawn)).encode()), *contents(infested / "out")]
    )
    assert_clean([("ledger", (infested / "b.jsonl").read_bytes())])


def test_no_planted_value_leaves_a_run(infested: Path, command: Callable[..., Any]) -> None:
    ran = command(
        "run",
        infested / "private" / "visits.csv",
        "-s",
        "clinic.yaml",
        "-o",
        "out",
        "--ledger",
        "b.jsonl",
        "--seed",
        1,
        "-n",
        300,
        "--upsample",
        "stroke:0.2",
        "--paid-holdout",
        2,
    )
    assert ran.code == 0, ran.err
    out = infested / "out"
    outside = [*contents(out / "shareable"), ("model", (out / "model.medsynth").read_bytes())]
    outside += [entry for entry in contents(out) if entry[0].startswith("synthetic")]
    assert len(outside) >= 6
    assert_clean([*outside, ("said", (ran.out + ran.err).encode())])
    assert_clean([("ledger", (infested / "b.jsonl").read_bytes())])


def test_a_check_tells_the_steward_where_but_not_what(infested: Path, command: Callable[..., Any]) -> None:
    checked = command("check", infested / "private" / "visits.csv", "-s", "clinic.yaml")
    assert checked.code == 3
    assert "INTERNAL" in checked.out
    assert "'outcome'" in checked.out
    assert_clean([("check", (checked.out + checked.err).encode())])


def test_the_error_of_a_crash_quotes_no_value(
    infested: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError(f"could not read {CATEGORY} of {IDENTIFIER}")

    monkeypatch.setattr("medsynth.fitting.encode_batches", crash)
    ran = command("fit", infested / "private" / "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth")
    assert ran.code == 1
    assert "RuntimeError" in ran.err
    assert_clean([("crash", (ran.out + ran.err).encode())])


def stored(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["manifest.json", "tensors.safetensors"]
        return json.loads(archive.read("manifest.json")), load(archive.read("tensors.safetensors"))


@pytest.mark.parametrize("open_columns", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_every_stored_array_was_paid_for_or_is_public(
    model: str,
    open_columns: bool,
    clinic: Path,
    open_schema: str,
    command: Callable[..., Any],
    visits: Callable[..., pd.DataFrame],
) -> None:
    if open_columns:
        (clinic / "clinic.yaml").write_text(open_schema, encoding="utf-8")
    planted(visits(200, 9)).to_csv(clinic / "others.csv", index=False)
    found = []
    for data in ("visits", "others"):
        arguments = ("-s", "clinic.yaml", "-o", f"{data}.medsynth", "--ledger", f"{data}.jsonl")
        assert command("fit", f"{data}.csv", *arguments, "--model", model).code == 0
        manifest, arrays = stored(clinic / f"{data}.medsynth")
        booked = {entry["number"] for entry in manifest["ledger"]}
        public = {}
        for name, array in arrays.items():
            entries = manifest["arrays"][name]["ledger_entries"]
            assert set(entries) <= booked
            if not entries:
                public[name] = array.tobytes()
        found.append(public)
    assert found[0] == found[1]
