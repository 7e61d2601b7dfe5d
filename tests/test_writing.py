"""Files appear whole, under one name, with their final permissions, or not at all."""

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

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
    "error", [FileNotFoundError(2, "No such file", "elsewhere"), OutputError("other"), KeyboardInterrupt()]
)
def test_a_block_that_fails_leaves_nothing_and_its_error_stays_its_own(tmp_path: Path, error: BaseException) -> None:
    def fail() -> None:
        with replacing(tmp_path / "f") as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)) as seen:
        fail()
    assert seen.value is error
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_a_disk_that_fills_while_a_table_is_written_is_an_output_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.open
    monkeypatch.setattr(
        "medsynth.writing.os.open",
        lambda path, *more: whole("/dev/full", os.O_WRONLY) if str(path).endswith(".part") else whole(path, *more),
    )
    with pytest.raises(OutputError, match=f"{name}: cannot be written .No space left on device"):
        write_table(pd.DataFrame({"a": range(100_000)}), tmp_path / name, {})
    assert names(tmp_path) == []


@POSIX
def test_what_is_no_plain_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match=r"pipe: is not a plain file\. Name another\."):
        replace_file(tmp_path / "pipe", b"new")
    assert (names(tmp_path), (tmp_path / "pipe").is_fifo()) == (["pipe"], True)
    with pytest.raises(OutputError, match=r"is a folder\. Name a file\."):
        replace_file(tmp_path, b"new")
