import gzip

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
