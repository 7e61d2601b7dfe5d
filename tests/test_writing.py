"""Files appear whole, under one name, with their final permissions, or not at all."""

import errno
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pytest

from medsynth.errors import OutputError
from medsynth.sampling.provenance import write_table
from medsynth.writing import OWNER_ONLY, make_folder, replace_file, replacing

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_replaces_the_one_that_stood_there(tmp_path: Path) -> None:
    for content in (b"old", b"a\r\nnew\n"):
        replace_file(tmp_path / "f", content)
        assert (tmp_path / "f").read_bytes() == content
    assert names(tmp_path) == ["f"]


@pytest.mark.parametrize("place", ["os.open", "os.fsync", "Path.replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file(tmp_path / "f", b"old")
    monkeypatch.setattr(f"medsynth.writing.{place}", full)
    with pytest.raises(OutputError, match=r"f: cannot be written \(No space left on device\)\. Choose a folder"):
        replace_file(tmp_path / "f", b"new")
    monkeypatch.undo()
    assert ((tmp_path / "f").read_bytes(), names(tmp_path)) == (b"old", ["f"])


@pytest.mark.parametrize(
    ("error", "seen"), [(OSError(28, "full"), OutputError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_a_block_that_fails_leaves_nothing(tmp_path: Path, error: BaseException, seen: type[BaseException]) -> None:
    def fail() -> None:
        with replacing(tmp_path / "f") as file:
            file.write(b"half")
            raise error

    with pytest.raises(seen):
        fail()
    assert names(tmp_path) == []


def test_the_name_shows_the_whole_file_only(tmp_path: Path) -> None:
    with replacing(tmp_path / "f") as file:
        file.write(b"half")
        assert not (tmp_path / "f").exists()
    assert (tmp_path / "f").exists()


@POSIX
def test_an_owner_only_file_is_at_no_moment_open_to_others(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"seen by all")
    with replacing(tmp_path / "f", mode=OWNER_ONLY):
        beside = next(entry for entry in tmp_path.iterdir() if entry.name != "f")
        assert stat.S_IMODE(beside.stat().st_mode) == OWNER_ONLY
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == OWNER_ONLY


@POSIX
def test_other_files_can_be_read_by_whom_the_users_mask_lets(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    replace_file(tmp_path / "f", b"shared")
    assert (tmp_path / "f").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("write", [lambda path: replace_file(path, b""), make_folder])
def test_a_file_in_place_of_a_folder_is_an_output_error(tmp_path: Path, write: Callable[[Path], None]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "file" / "inside")


def test_a_disk_that_fills_while_parquet_is_written_is_an_output_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """Passes on all but `write`."""

        def __init__(self, file: BinaryIO) -> None:
            self.file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    import pyarrow.parquet as pq

    whole = pq.ParquetWriter
    monkeypatch.setattr(pq, "ParquetWriter", lambda file, schema, **options: whole(Full(file), schema, **options))
    with pytest.raises(OutputError, match="No space left on device"):
        write_table(pd.DataFrame({"a": range(10)}), tmp_path / "t.parquet", {})
    assert names(tmp_path) == []
