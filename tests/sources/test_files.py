"""Files as sources: the same counts as a frame, and clear words for a broken file."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medsynth.encoding.bounding import order_values, person_digests
from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import Level
from medsynth.errors import DataError
from medsynth.schema import parse_schema
from medsynth.sources import encoded
from medsynth.sources.encoded import encode_batches
from medsynth.sources.files import FileSource, read_frame
from medsynth.sources.frame import FrameSource

SCHEMA = parse_schema("""
medsynth: 1
dataset: {name: clinic}
privacy: {unit: person, persons: 300, bounding: {rule: weight, max: 3}}
columns:
  person: {kind: id}
  age: {kind: integer, min: 0, max: 99, bins: 10, missing: true}
  'odd "name", <b>': {kind: category, values: ["a,b", 'c"d', "e\\nf"], missing: true}
""")
ODD = 'odd "name", <b>'
KEY = bytes(range(64))


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    n = 3000
    return pd.DataFrame(
        {
            "person": rng.integers(0, 400, n),
            "age": pd.Series(rng.integers(0, 120, n)).where(rng.random(n) > 0.1).astype("Int64"),
            ODD: pd.Series(rng.choice(["a,b", 'c"d', "e\nf", None], n)),
            "extra": 1.5,
        }
    )


def counts(source: object) -> list[np.ndarray]:
    codec = Codec(schema=SCHEMA)
    records = encode_batches(source.batches(SCHEMA.inputs), codec, KEY, rows=source.rows)
    levels = [Level.finest(attribute) for attribute in codec.domain.attributes]
    return records.marginals([(levels[0],), (levels[1], levels[0])])


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_a_file_counts_like_the_frame_it_holds(tmp_path: Path, frame: pd.DataFrame, name: str) -> None:
    path = tmp_path / name
    frame.to_parquet(path) if name.endswith("parquet") else frame.to_csv(path, index=False)
    expected = counts(FrameSource(frame=frame))
    for got, want in zip(counts(FileSource(path=path)), expected, strict=True):
        np.testing.assert_array_equal(got, want)
    assert FileSource(path=path).columns == tuple(frame.columns)


def test_counts_are_the_same_from_small_batches_and_from_disk(
    frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Batches:
        rows = 3000

        def batches(self, columns: tuple[str, ...]) -> object:
            return (frame[list(columns)].iloc[begin : begin + 700] for begin in range(0, 3000, 700))

    expected = counts(FrameSource(frame=frame))
    monkeypatch.setattr(encoded, "MOST_BYTES_IN_MEMORY", 10)
    monkeypatch.setattr(encoded, "ROWS_PER_PASS", 512)
    for got, want in zip(counts(Batches()), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_a_persons_rows_add_up_to_at_most_one_person(frame: pd.DataFrame) -> None:
    one_person = frame.assign(person=1)
    assert counts(FrameSource(frame=one_person))[0].sum() <= 2**20


def test_a_semicolon_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1;x\n2;\n", encoding="utf-8")
    assert read_frame(tmp_path / "t.csv")["b"].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (b'"a,b,c,d";e', ("a,b,c,d", "e")),
        (b'"a\n,,";b', ("a\n,,", "b")),
        (b'"say ""a,b,c""";b', ('say "a,b,c"', "b")),
        (b'"a,b"', ("a,b",)),
    ],
)
def test_delimiters_inside_a_quoted_column_name_do_not_count(
    tmp_path: Path, header: bytes, columns: tuple[str, ...]
) -> None:
    (tmp_path / "t.csv").write_bytes(header + b"\n" + b";".join([b"1"] * len(columns)) + b"\n")
    assert tuple(read_frame(tmp_path / "t.csv").columns) == columns


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b""),
        ("t.parquet", b"PAR1 secret"),
        ("t.csv", b""),
        ("t.csv.gz", b"\x1f\x8b secret"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,secret\n", mtime=0)[:-12]),
    ],
)
def test_a_broken_file_is_a_clear_error_without_content(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="is empty, cut short or not") as caught:
        read_frame(tmp_path / name)
    assert "secret" not in str(caught.value)


def test_a_truncated_parquet_file_is_a_clear_error(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame.to_parquet(tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="cut short"):
        read_frame(tmp_path / "t.parquet")


def test_a_ragged_csv_is_an_error_that_quotes_no_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y,secret,3\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_frame(tmp_path / "t.csv")
    assert "secret" not in str(caught.value)


def test_a_doubled_column_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n", encoding="utf-8")
    with pytest.raises(DataError, match="'a' occurs more than once"):
        _ = FileSource(path=tmp_path / "t.csv").columns
    with pytest.raises(DataError, match="'a' occurs more than once"):
        FrameSource(frame=pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_another_kind_of_file_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        FileSource(path=tmp_path / "none.csv")
    (tmp_path / "t.xlsx").write_bytes(b"x")
    with pytest.raises(DataError, match=r"only \.csv, \.csv\.gz, \.parquet"):
        FileSource(path=tmp_path / "t.xlsx")


def test_nested_parquet_columns_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [[1, 2]]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 'a' holds list"):
        _ = FileSource(path=tmp_path / "t.parquet").columns


def lenient(path: Path, content: bytes) -> dict[str, list[object]]:
    path.write_bytes(content)
    source = FileSource(path=path)
    return pd.concat(list(source.batches(source.columns, categorical=False))).to_dict("list")


def test_a_line_that_cannot_be_read_stops_no_fit(tmp_path: Path) -> None:
    rows = lenient(tmp_path / "t.csv", b"a,b\n1,x\n2,y,surplus\n3,z\n4\n")
    assert rows["a"] == ["1", "2", "3", "4"]
    assert rows["b"][:3] == ["x", "y", "z"]


def test_a_long_cell_stops_no_fit(tmp_path: Path) -> None:
    assert lenient(tmp_path / "t.csv", b"a,b\n1,x\n2," + b"q" * 3_000_000 + b"\n3,z\n")["a"] == ["1", "2", "3"]


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_folder_called_column_equals_value_changes_no_row(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "sex=M"
    folder.mkdir()
    frame = pd.DataFrame({"sex": ["F", "F"]})
    frame.to_csv(folder / name, index=False) if name.endswith("csv") else frame.to_parquet(folder / name)
    assert read_frame(folder / name)["sex"].tolist() == ["F", "F"]


def test_a_day_outside_all_calendars_stops_no_fit(tmp_path: Path) -> None:
    days = pa.array([0, 10**7, -(10**7)], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"day": days}), tmp_path / "t.parquet")
    assert len(read_frame(tmp_path / "t.parquet")) == 3


def test_a_row_in_another_encoding_stops_no_fit_and_takes_no_other_row(tmp_path: Path) -> None:
    content = "a,b\n1,x\n2,Jos\xe9\n3,z\n".encode("latin-1")
    assert lenient(tmp_path / "t.csv", content)["a"] == ["1", "3"]
    with pytest.raises(DataError, match="UTF-8") as caught:
        read_frame(tmp_path / "t.csv")
    assert "Jos" not in str(caught.value)


@pytest.mark.parametrize("tail", [b"3,z\n", b'3,z"q\n4,w\n'])
@pytest.mark.parametrize("strict", [False, True])
def test_a_quote_left_open_is_refused_before_a_row_is_read(tmp_path: Path, tail: bytes, strict: bool) -> None:
    (tmp_path / "t.csv").write_bytes(b'a,b\n1,x\n2,"open\n' + tail)
    with pytest.raises(DataError, match="cut short or not well-formed"):
        _ = FileSource(path=tmp_path / "t.csv", strict=strict).columns


def test_a_gzip_cut_short_is_known_before_a_row_is_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n" + b"1,x\n" * 100_000, mtime=0)
    (tmp_path / "t.csv.gz").write_bytes(packed[:-12])
    with pytest.raises(DataError, match="cut short"):
        _ = FileSource(path=tmp_path / "t.csv.gz").columns


STRANGE = [
    "1",
    "1.0",
    "01",
    " 1 ",
    "1e0",
    "inf",
    "nan",
    "true",
    "True",
    "F",
    "f",
    "a\x00",
    "a",
    "A",
    "é",
    "e\u0301",
    "1999-01",
    "-",
    "",
]


def test_text_read_as_categories_is_encoded_as_cell_by_cell(tmp_path: Path) -> None:
    columns = {
        "n": {"kind": "decimal", "min": 0, "max": 2, "places": 2, "bins": 4},
        "i": {"kind": "integer", "min": 0, "max": 9},
        "c": {"kind": "category", "values": ["1", "a", "F"], "other": True, "missing": True},
        "b": {"kind": "boolean"},
        "d": {"kind": "date", "min": "1998-01-01", "max": "2001-01-01"},
    }
    names = list(columns)
    schema = parse_schema(
        json.dumps(
            {
                "medsynth": 1,
                "dataset": {"name": "odd"},
                "privacy": {"rows_are_persons": True, "persons": 100},
                "columns": columns,
            }
        )
    )
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.choice(np.array([*STRANGE, None], dtype=object), 500) for name in names})
    frame.to_parquet(tmp_path / "odd.parquet", index=False)
    source, codec = FileSource(path=tmp_path / "odd.parquet"), Codec(schema=schema)
    (sorted_out,), (cells,) = (list(source.batches(tuple(names), categorical=yes)) for yes in (True, False))
    assert all(isinstance(dtype, pd.CategoricalDtype) for dtype in sorted_out.dtypes)
    assert not any(isinstance(dtype, pd.CategoricalDtype) for dtype in cells.dtypes)
    np.testing.assert_array_equal(codec.encode(sorted_out), codec.encode(cells))
    assert (person_digests(sorted_out["c"], KEY) == person_digests(cells["c"], KEY)).all()
    for kind in ("number", "date"):
        one, other = order_values(sorted_out["d"], kind), order_values(cells["d"], kind)
        np.testing.assert_array_equal(one, other)
