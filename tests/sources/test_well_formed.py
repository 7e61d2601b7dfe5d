"""Which CSV bytes cut into records in one way only, against a reading byte by byte, Python's reader and DuckDB's."""

import csv
import io
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medsynth.errors import DataError
from medsynth.sources import files
from medsynth.sources.files import FileSource
from medsynth.sources.well_formed import blocks_of, is_well_formed


def reading_byte_by_byte(content: bytes) -> bool:
    """The rule as a machine of four states; line breaks counted apart."""
    state, breaks = "start", set()
    for place, byte in enumerate(content):
        here, rest = chr(byte), content[place + 1 : place + 2]
        if state == "quoted":
            state = "closed" if here == '"' else "quoted"
        elif here == '"':
            if state == "field":
                return False
            state = "quoted"
        elif here in ",\r\n":
            state = "start"
            if here == "\r":
                breaks.add("\r\n" if rest == b"\n" else "\r")
            elif here == "\n" and content[place - 1 : place] != b"\r":
                breaks.add("\n")
        elif state == "closed":
            return False
        else:
            state = "field"
    return state != "quoted" and len(breaks) < 2


def all_short_files(length: int) -> Iterator[bytes]:
    return (bytes(each) for size in range(length + 1) for each in product(b'a,"\n\r', repeat=size))


def test_every_short_file_is_judged_as_byte_by_byte() -> None:
    wrong = [each for each in all_short_files(6) if is_well_formed([each], ",") != reading_byte_by_byte(each)]
    assert wrong == []


def test_where_the_blocks_are_cut_changes_no_verdict() -> None:
    rng = np.random.default_rng(1)
    for _ in range(2000):
        content = bytes(rng.choice(np.frombuffer(b'aa,"\n\r', np.uint8), rng.integers(0, 30)))
        cuts = np.sort(rng.integers(0, len(content) + 1, 4))
        parts = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
        assert is_well_formed(parts, ",") == reading_byte_by_byte(content)


def test_a_byte_order_mark_is_no_part_of_the_first_field() -> None:
    assert is_well_formed(blocks_of(io.BytesIO(b'\xef\xbb\xbf"a",b\n')), ",")


CELLS = ["", "a", "b,c", 'say "so"', "two\nlines", '"', '\n"', ",\n", "é", '""']


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_whatever_a_csv_writer_writes_passes_and_is_read_as_it_was(tmp_path: Path, end: str, quoting: int) -> None:
    rng = np.random.default_rng(2)
    rows = [[str(number), *rng.choice(CELLS, 3)] for number in range(3000)]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([["n", "x", "y", "z"], *rows])  # type: ignore[arg-type]
    (tmp_path / "t.csv").write_bytes(text.getvalue().encode())
    source = FileSource(path=tmp_path / "t.csv")
    read = pd.concat(list(source.batches(source.columns))).fillna("")
    assert read.to_numpy().tolist() == rows


def test_what_passes_is_cut_by_duckdb_as_by_python(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path, seen = tmp_path / "t.csv", 0
    while seen < 150:
        body = bytes(rng.choice(np.frombuffer(b'abc,,""\n\n', np.uint8), rng.integers(5, 40)))
        content = b"x,y\n" + body + b"\nend,end\n"
        if not is_well_formed([content], ","):
            continue
        seen += 1
        path.write_bytes(content)
        source = FileSource(path=path)
        read = pd.concat(list(source.batches(("x", "y")))).fillna("").to_numpy().tolist()
        # Blank records are left out by both; the rest is cut to two cells or filled up.
        records = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))[1:]
        expected = [[*record, "", ""][:2] for record in records if record]
        assert [row for row in read if any(row)] == [row for row in expected if any(row)]


SWALLOWING = {
    "one left open": b'n,t\n1,x\n2,"open\n3,y\n4,z\n',
    "two left open": b'n,t\n1,x\n2,"open\n3,y\n4,"open\n5,z\n',
    "closed in mid-field": b'n,t\n1,x\n2,"b"c,"d\n3,y"\n4,z\n',
    "swallowed up to another's quote": b'n,t\n1,x\n2,"open\n3,y\n4,so "called"\n5,z\n',
    "carriage return in a bare cell": b"n,t\n1,x\n2,a\r9,b\n3,y\n",
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
    monkeypatch.setattr(files, "is_well_formed", lambda *_: True)
    lines = [line[:1].decode() for line in SWALLOWING[name].split(b"\n")[1:-1]]
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
