import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medsynth.sampling.provenance import read_provenance, write_table


def frames() -> list[pd.DataFrame]:
    """Three frames of one table; the first lacks what later ones have."""
    table = pd.DataFrame(
        {
            "ward": pd.Categorical([None, None, "a", "b", "a", None], categories=["a", "b", "secret"]),
            "old": pd.array([True, None, False, True, None, True], dtype="boolean"),
            "days": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"),
            "charge": [1.5, 2.0, np.nan, 4.25, 5.0, 6.0],
            "admitted": pd.to_datetime(["2020-01-01", None, "2020-02-01", "2020-03-01", None, "2020-04-01"]),
            "text": ["x", "y", None, "z", "x", "y"],
        }
    )
    return [table.iloc[:2], table.iloc[2:5], table.iloc[5:]]


def test_many_frames_make_one_parquet_file_of_plain_types(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(iter(frames()), path, {"draw": "edited"})
    assert pq.read_schema(path).remove_metadata() == pa.schema(
        {
            "ward": pa.string(),
            "old": pa.bool_(),
            "days": pa.int64(),
            "charge": pa.float64(),
            "admitted": pa.date32(),
            "text": pa.string(),
        }
    )
    assert pq.read_table(path)["ward"].to_pylist() == [None, None, "a", "b", "a", None]
    assert pq.ParquetFile(path).num_row_groups == 3
    assert read_provenance(path) == {"synthetic": True, "draw": "edited"}


def test_a_level_that_no_row_has_is_not_in_the_file(tmp_path):
    path = tmp_path / "t.parquet"
    write_table(frames(), path, {})
    assert b"secret" not in path.read_bytes()


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_many_frames_write_the_bytes_of_one(name, tmp_path):
    paths = [tmp_path / "one" / name, tmp_path / "many" / name]
    write_table(pd.concat(frames()), paths[0], {})
    write_table(iter(frames()), paths[1], {})
    read = [gzip.decompress(p.read_bytes()) if name.endswith("gz") else p.read_bytes() for p in paths]
    assert read[0] == read[1]
    assert read[0].count(b"ward") == 1
    assert read_provenance(paths[1]) == {"synthetic": True}


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_rows_that_stop_half_way_leave_nothing(name, tmp_path):
    def broken():
        yield frames()[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(broken(), tmp_path / name, {})
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_a_part_is_written_ends_the_drawing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, written = [], []

    def parts() -> Iterator[pd.DataFrame]:
        for value in range(6):
            drawn.append(value)
            yield pd.DataFrame({"a": [value]})

    def write(_: pq.ParquetWriter, table: pa.Table) -> None:
        if written:
            raise ValueError("the second part cannot be written")
        written.append(table)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", write)
    with pytest.raises(ValueError, match="second part"):
        write_table(parts(), tmp_path / "rows.parquet", {})
    # One part is drawn while another is written, no more.
    assert drawn == [0, 1, 2]
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_drawing_waits_for_the_part_that_is_written_and_leaves_nothing(tmp_path: Path) -> None:
    def parts() -> Iterator[pd.DataFrame]:
        yield pd.DataFrame({"a": np.arange(300_000)})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(parts(), tmp_path / "rows.parquet", {})
    assert not list(tmp_path.iterdir())


def test_parts_are_written_in_the_order_they_are_drawn(tmp_path: Path) -> None:
    write_table((pd.DataFrame({"a": [k] * 1000}) for k in range(50)), tmp_path / "rows.parquet", {})
    found = pq.read_table(tmp_path / "rows.parquet")["a"].to_pylist()
    assert found == [k for k in range(50) for _ in range(1000)]
