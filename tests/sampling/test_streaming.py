"""`medsynth sample` over several chunks: whole files, equal bytes for equal seeds, and what they say of their rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medsynth.sampling.how import KINDS
from medsynth.sampling.provenance import read_provenance


@pytest.fixture
def model(clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fitted model, of which rows are drawn in chunks of 100."""
    monkeypatch.setattr("medsynth.sampling.draw.CHUNK", 100)
    ran = command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "adaptive")
    assert ran.code == 0, ran.err
    return clinic / "m.medsynth"


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.csv.gz"])
def test_the_same_seed_gives_the_same_bytes_over_many_chunks(
    name: str, model: Path, command: Callable[..., Any]
) -> None:
    found = []
    for seed in (1, 1, 2):
        ran = command(
            "sample", model, "-o", name, "-n", 350, "--seed", seed, "--upsample", "died:0.4", "--force", "--overwrite"
        )
        assert ran.code == 0, ran.err
        found.append(model.with_name(name).read_bytes())
    assert found[0] == found[1] != found[2]


def test_a_long_file_has_all_rows_reports_tenths_and_runs_its_identifiers_on(
    model: Path, command: Callable[..., Any]
) -> None:
    ran = command("sample", model, "-o", "long.parquet", "-n", 2_050, "--seed", 1)
    assert ran.code == 0
    assert "part 10 of 10" in ran.err
    frame = pd.read_parquet("long.parquet")
    assert len(frame) == 2_050
    assert frame["person"].tolist()[-1] == "P-2050"
    assert frame["person"].is_unique


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.usefixtures("model")
def test_a_file_says_how_its_rows_were_drawn(kind: str, command: Callable[..., Any]) -> None:
    assert command("sample", "m.medsynth", "-o", "k.parquet", "-n", 150, "--draw", kind).code == 0
    said = read_provenance(Path("k.parquet"))
    assert said is not None
    assert (said["draw"], said["draw_note"]) == (kind, KINDS[kind])


@pytest.mark.usefixtures("model")
def test_an_unknown_way_to_draw_is_refused_and_leaves_no_file(command: Callable[..., Any]) -> None:
    ran = command("sample", "m.medsynth", "-o", "k.parquet", "--draw", "pretty")
    assert ran.code == 2
    assert "edited, random" in ran.err
    assert not Path("k.parquet").exists()
