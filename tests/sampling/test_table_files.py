"""A table and what says that it is synthetic are written together; its types do not depend on the rows."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from medsynth.errors import OutputError
from medsynth.sampling.provenance import read_provenance, table_files, write_table

TABLE = pd.DataFrame({"a": [1, 2]})


def fail_on(word: str) -> Callable[[Path, Path], Path]:
    """`Path.replace` that fails where the target's name ends so."""
    replace = Path.replace

    def run(self: Path, target: Path) -> Path:
        if str(target).endswith(word):
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(self, target)

    return run


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize("ending", [".provenance.json", ""])
def test_no_csv_stands_there_that_does_not_say_what_it_is(
    name: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "replace", fail_on(name + ending))
    with pytest.raises(OutputError, match="No space left"):
        write_table(TABLE, tmp_path / name, {})
    assert list(tmp_path.iterdir()) == []


def test_a_side_car_that_stood_there_stays_when_the_csv_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.csv"
    write_table(TABLE, path, {"draw": "edited"})
    old = path.read_bytes()
    monkeypatch.setattr(Path, "replace", fail_on("t.csv"))
    with pytest.raises(OutputError):
        write_table(TABLE.iloc[:1], path, {"draw": "random"})
    assert path.read_bytes() == old
    assert (read_provenance(path) or {})["synthetic"]
    assert sorted(tmp_path.iterdir()) == sorted(table_files(path))


def test_both_files_are_whole_before_either_is_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    replace = Path.replace

    def look(self: Path, target: Path) -> Path:
        seen.append((target.name, sorted(len(file.read_bytes()) > 0 for file in tmp_path.glob("*.part"))))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", look)
    write_table(TABLE, tmp_path / "t.csv", {})
    assert seen == [("t.csv.provenance.json", [True, True]), ("t.csv", [True])]


def test_a_side_car_counts_as_a_file_that_stands_there(clinic: Path, command: Callable[..., Any]) -> None:
    ran = command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "independent")
    assert ran.code == 0, ran.err
    mine = clinic / "t.csv.provenance.json"
    mine.write_bytes(b"mine")
    ran = command("sample", "m.medsynth", "-o", "t.csv", "-n", 5)
    assert (ran.code, "t.csv.provenance.json: already exists" in ran.err) == (6, True), ran.err
    assert mine.read_bytes() == b"mine"
    assert command("sample", "m.medsynth", "-o", "t.csv", "-n", 5, "--overwrite").code == 0


@pytest.mark.parametrize("categories", [[1, 2, 3], ["x", "y"], []])
def test_types_follow_from_the_declared_categories_not_from_the_rows(categories: list[Any], tmp_path: Path) -> None:
    table = pd.DataFrame({"a": pd.Categorical([*categories, None], categories=categories)})
    found = set()
    for rows in (0, 1, len(table)):
        write_table(table.iloc[:rows], tmp_path / "t.parquet", {})
        found.add(str(pq.read_schema(tmp_path / "t.parquet").field("a").type))
    assert found == {"int64" if 1 in categories else "string"}


def test_a_large_draw_foretells_its_time_from_the_rows_that_the_schema_states(
    clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "persons: 300" in (clinic / "clinic.yaml").read_text(encoding="utf-8")
    monkeypatch.setattr("medsynth.sampling.draw.CHUNK", 20)
    assert command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "independent").code == 0
    said = command("sample", "m.medsynth", "-o", "large.parquet").err
    assert "part 1 of 10 ... (about 100 s left)" in said
    said = command("sample", "m.medsynth", "-o", "small.parquet", "-n", 20).err
    assert "Drawing records ... (about 5 s left)" in said
