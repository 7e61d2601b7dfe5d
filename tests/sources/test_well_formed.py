"""Which CSV bytes cut into records in one way only, against a reading byte by byte, Python's reader and DuckDB's."""

import csv
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medsynth.errors import DataError, OutputError
from medsynth.sources import files
from medsynth.sources.files import FileSource
from medsynth.sources.well_formed import Cut, blocks_of, cut_of, without_bare_returns


def reading_byte_by_byte(content: bytes) -> Cut:
    """The rule as a machine of four states; the first line break says how lines end."""
    text, state, end, bare, place = content.decode("latin-1"), "start", "", False, 0
    while place < len(text):
        here = text[place : place + 2] if text.startswith("\r\n", place) and end != "\n" else text[place]
        if state == "quoted":
            here = here[0]
            state = "closed" if here == '"' else "quoted"
        elif here == '"':
            if state == "field":
                return Cut(well_formed=False)
            state = "quoted"
        elif here == "," or (here in {"\r", "\n", "\r\n"} and not (here == "\r" and end == "\n")):
            if here != "," and here != (end := end or here):
                return Cut(well_formed=False)
            state = "start"
        else:
            bare = bare or here == "\r"
            if state == "closed":
                return Cut(well_formed=False)
            state = "field"
        place += len(here)
    closed = state != "quoted"
    return Cut(well_formed=closed, bare_returns=bare and closed)


def all_short_files(length: int) -> Iterator[bytes]:
    return (bytes(each) for size in range(length + 1) for each in product(b'a,"\n\r', repeat=size))


def test_every_short_file_is_judged_as_byte_by_byte() -> None:
    wrong = [each for each in all_short_files(6) if cut_of([each], ",") != reading_byte_by_byte(each)]
    assert wrong == []


def test_where_the_blocks_are_cut_changes_no_verdict() -> None:
    rng = np.random.default_rng(1)
    for _ in range(2000):
        content = bytes(rng.choice(np.frombuffer(b'aa,"\n\r', np.uint8), rng.integers(0, 30)))
        cuts = np.sort(rng.integers(0, len(content) + 1, 4))
        parts = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        assert cut_of(parts, ",") == reading_byte_by_byte(content)
        assert b"".join(without_bare_returns(parts)) == b"".join(without_bare_returns([content]))


def test_a_byte_order_mark_is_no_part_of_the_first_field() -> None:
    assert cut_of(blocks_of(io.BytesIO(b'\xef\xbb\xbf"a",b\n')), ",").well_formed


CELLS = ["", "a", "b,c", 'say "so"', "two\nlines", '"', '\n"', ",\n", "é", '""']
CELLS += ["F\rx", "\r", "x\r", "\rx", "a\r\nb", '\r"']


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_whatever_a_csv_writer_writes_passes_and_is_read_as_it_was(tmp_path: Path, end: str, quoting: int) -> None:
    rng = np.random.default_rng(2)
    rows = [[str(number), *rng.choice(CELLS, 3)] for number in range(3000)]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([["n", "x", "y", "z"], *rows])  # type: ignore[arg-type]
    (tmp_path / "t.csv").write_bytes(text.getvalue().encode())
    source = FileSource(path=tmp_path / "t.csv")
    read = pd.concat(list(source.batches(source.columns, categorical=False))).fillna("")
    # A carriage return that the writer did not quote is read as a vertical tab.
    assert [[cell.replace("\v", "\r") for cell in row] for row in read.to_numpy().tolist()] == rows


@pytest.mark.parametrize("letters", [b'abc,,""\n\n', b'abc,,""\n\n\r\r'])
def test_what_passes_is_cut_by_duckdb_as_by_python(tmp_path: Path, letters: bytes) -> None:
    rng = np.random.default_rng(3)
    path, seen = tmp_path / "t.csv", 0
    while seen < 150:
        body = bytes(rng.choice(np.frombuffer(letters, np.uint8), rng.integers(5, 40)))
        content = b"x,y\n" + body + b"\nend,end\n"
        if not cut_of([content], ",").well_formed:
            continue
        seen += 1
        path.write_bytes(content)
        source = FileSource(path=path)
        read = pd.concat(list(source.batches(("x", "y"), categorical=False))).fillna("").to_numpy().tolist()
        # Blank records are left out by both; the rest is cut to two cells or filled up.
        lines = b"".join(without_bare_returns([content])).decode()
        records = list(csv.reader(io.StringIO(lines, newline=""), strict=True))[1:]
        expected = [[*record, "", ""][:2] for record in records if record]
        assert [row for row in read if any(row)] == [row for row in expected if any(row)]


SWALLOWING = {
    "one left open": b'n,t\n1,x\n2,"open\n3,y\n4,z\n',
    "two left open": b'n,t\n1,x\n2,"open\n3,y\n4,"open\n5,z\n',
    "closed in mid-field": b'n,t\n1,x\n2,"b"c,"d\n3,y"\n4,z\n',
    "swallowed up to another's quote": b'n,t\n1,x\n2,"open\n3,y\n4,so "called"\n5,z\n',
    "carriage return in a bare cell of a file of both": b"n,t\r\n1,x\r\n2,a\r9,b\r\n3,y\r\n",
    "line feed in a bare cell of a file of both": b"n,t\r\n1,x\r\n2,a\n9,b\r\n3,y\r\n",
}


def numbers(path: Path) -> list[str]:
    source = FileSource(path=path)
    return [number for batch in source.batches(("n",)) for number in batch["n"]]


@pytest.mark.parametrize("content", SWALLOWING.values(), ids=SWALLOWING.keys())
@pytest.mark.parametrize("strict", [False, True])
def test_a_file_in_which_one_record_moves_others_is_refused(tmp_path: Path, content: bytes, strict: bool) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match="not well-formed CSV") as caught:
        _ = FileSource(path=tmp_path / "t.csv", strict=strict).columns
    assert "open\n" not in str(caught.value)
    assert "called" not in str(caught.value)


@pytest.mark.parametrize("name", SWALLOWING.keys())
def test_without_the_refusal_the_reader_would_move_them(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: each of these files does what it is refused for."""
    (tmp_path / "t.csv").write_bytes(SWALLOWING[name])
    monkeypatch.setattr(files, "cut_of", lambda *_: Cut(well_formed=True))
    end = b"\r\n" if b"\r\n" in SWALLOWING[name] else b"\n"
    lines = [line[:1].decode() for line in SWALLOWING[name].split(end)[1:-1]]
    assert numbers(tmp_path / "t.csv") != lines


@pytest.mark.parametrize("cell", ['"two\nlines"', '"3,y\n4,z"', '"say ""so"""', "", "x,surplus", "Jos\xe9"])
def test_what_one_record_holds_takes_no_other_record(tmp_path: Path, cell: str) -> None:
    content = f"n,t\n1,x\n2,{cell}\n3,y\n4,z\n".encode("latin-1")
    (tmp_path / "t.csv").write_bytes(content)
    assert [number for number in numbers(tmp_path / "t.csv") if number != "2"] == ["1", "3", "4"]


def test_a_record_too_long_to_read_is_left_out_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 1 << 17)
    (tmp_path / "t.csv").write_bytes(b'n,t\n1,x\n2,"' + b"9,w\n" * 50_000 + b'"\n3,y\n')
    assert numbers(tmp_path / "t.csv") == ["1", "3"]


BARE_RETURN = b"n,t\n1,x\n2,F\r9,z\n3,y\n"


def test_without_the_vertical_tab_a_bare_return_would_cut_a_record_in_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_bytes(BARE_RETURN)
    assert numbers(tmp_path / "t.csv") == ["1", "2", "3"]
    monkeypatch.setattr(files, "cut_of", lambda *_: Cut(well_formed=True))
    assert numbers(tmp_path / "t.csv") == ["1", "2", "9", "3"]


@pytest.mark.parametrize("cell", ["F\rx", "\r", "F\r", "\rF", "F\r\nx", 'F\r"x"', "F\r,x", "F\nx", 'F"x'])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize("strict", [False, True])
def test_whatever_a_cell_holds_pandas_writes_a_file_that_is_read_as_it_was(
    tmp_path: Path, cell: str, place: int, name: str, strict: bool
) -> None:
    frame = pd.DataFrame({"n": ["1", "2", "3"], "t": ["x", "y", "z"], "u": ["a", "b", "c"]})
    frame.iloc[1, place] = cell
    frame.to_csv(tmp_path / name, index=False)
    source = FileSource(path=tmp_path / name, strict=strict)
    read = pd.concat(list(source.batches(source.columns, categorical=False)))
    assert [cell.replace("\v", "\r") for cell in read.to_numpy().ravel()] == frame.to_numpy().ravel().tolist()


def test_the_copy_without_bare_returns_is_its_owners_alone_and_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").write_bytes(BARE_RETURN)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    batches = FileSource(path=tmp_path / "t.csv").batches(("n",))
    next(batches)
    (made,) = folder.iterdir()
    assert os.name == "nt" or stat.S_IMODE(made.stat().st_mode) == 0o700
    assert list(batches) == list(folder.iterdir()) == []


def test_a_copy_that_cannot_be_written_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> bytes:
        raise OSError(28, "No space left on device")

    (tmp_path / "t.csv").write_bytes(BARE_RETURN)
    monkeypatch.setattr(files, "without_bare_returns", full)
    with pytest.raises(OutputError, match=r"a copy of t\.csv cannot be written \(No space left.*Set TMPDIR") as caught:
        numbers(tmp_path / "t.csv")
    assert "F" not in str(caught.value).replace("TMPDIR", "")


def test_a_carriage_return_takes_no_other_record_with_it(tmp_path: Path) -> None:
    """Blank records, records of another length or encoding, long ones: all are read as beside a cell without it."""
    rest = b"\n1,x\n\n2,y,surplus\n3\n,\n4,Jos\xe9\n5," + b"q" * 300_000 + b'\n6,"two\r\nlines"\n7,z\n'
    found = []
    for cell in (b"Fx", b"F\rx", b"F\r"):
        (tmp_path / "t.csv").write_bytes(b"n,t\n0," + cell + rest)
        source = FileSource(path=tmp_path / "t.csv")
        found.append(pd.concat(list(source.batches(("n", "t"), categorical=False))).fillna("").to_numpy().tolist()[1:])
    assert found[0] == found[1] == found[2]
    assert "7" in [row[0] for row in found[0]]
