"""A run that replaces an earlier one: the earlier stays until the new one is whole, whatever fails."""

import errno
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsynth.errors import OutputError
from medsynth.models.model_file import load_model
from medsynth.outputs import RunFolder

RUN = ("run", "visits.csv", "-s", "clinic.yaml", "-o", "out", "--model", "independent", "-n", "100", "--epsilon", "0.5")
MOVES = 16
"""Eight files aside, eight in their place."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def write(folder: RunFolder, said: bytes) -> None:
    folder.make()
    folder.shareable.mkdir(exist_ok=True)
    for file in folder.files:
        file.write_bytes(said)


@pytest.fixture
def earlier(tmp_path: Path) -> RunFolder:
    """A finished run, with files of its owner among its own."""
    folder = RunFolder(path=tmp_path / "out")
    write(folder, b"earlier")
    for place in (folder.path, folder.internal, folder.shareable):
        (place / "mine.json").write_bytes(b"mine")
    return folder


def renew(folder: RunFolder) -> None:
    with folder.renewed() as new:
        write(new, b"new")


def test_a_new_run_replaces_the_files_of_the_earlier_one_and_no_others(earlier: RunFolder) -> None:
    earlier.unfinished.write_bytes(b"earlier")
    renew(earlier)
    assert {name for name, said in contents(earlier.path).items() if said == b"new"} == {
        str(file.relative_to(earlier.path)) for file in earlier.files
    }
    assert set(contents(earlier.path).values()) == {b"new", b"mine"}
    assert not earlier.next.path.exists()


@pytest.mark.parametrize("ending", [OSError(13, "Permission denied"), KeyboardInterrupt()])
@pytest.mark.parametrize("move", range(MOVES))
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_replacement_that_fails_at_any_file_is_undone(
    when: str, move: int, ending: BaseException, earlier: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(earlier.path)
    replace, moved = Path.replace, []

    def fail_once(self: Path, target: Path) -> Path:
        moved.append(target)
        if when == "after" and len(moved) == move + 1:
            replace(self, target)
        if len(moved) == move + 1:
            raise ending
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_once)
    seen = OutputError if isinstance(ending, OSError) else KeyboardInterrupt
    with pytest.raises(seen):
        renew(earlier)
    after = contents(earlier.path)
    assert after.pop("unfinished.medsynth") == b"new"
    assert after == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
def test_what_is_private_stays_the_owners(earlier: RunFolder) -> None:
    with earlier.renewed() as new:
        write(new, b"new")
        new.write_internal("run.json", {})
        assert stat.S_IMODE(new.internal.stat().st_mode) == 0o700
    assert stat.S_IMODE(earlier.internal.stat().st_mode) == 0o700
    assert stat.S_IMODE((earlier.internal / "run.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("part", ["internal", "shareable", "model.medsynth"])
def test_a_folder_that_cannot_be_renewed_is_refused_before_anything_is_spent(part: str, tmp_path: Path) -> None:
    folder = RunFolder(path=tmp_path)
    place = tmp_path / part
    place.mkdir() if place.suffix else place.touch()
    with pytest.raises(OutputError, match=part):
        folder.require_free(overwrite=True)


def test_a_run_that_fails_leaves_the_earlier_one_and_the_model_that_was_paid_for(
    clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(*RUN).code == 0
    before = contents(clinic / "out")
    for place, kept in (
        ("medsynth.pipeline.save_model", False),
        ("medsynth.sampling.provenance.pq.ParquetWriter.write_table", True),
        ("medsynth.report.writer.replace_file", True),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, full)
            ran = command(*RUN, "--overwrite")
        assert (ran.code, "No space left" in ran.err) == (6, True), place
        after = contents(clinic / "out")
        assert (after.pop("unfinished.medsynth", None) is not None) == kept
        assert after == before
    load_model(clinic / "out" / "unfinished.medsynth")
    assert command("report", "out").code == 0
    ran = command(*RUN, "--overwrite")
    assert ran.code == 0
    assert set(contents(clinic / "out")) == set(before)
    assert command("audit", "out").code == 0


def test_a_failed_run_says_where_its_model_is(
    clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(RunFolder(path=clinic / "out"), b"earlier")

    def fail(*_: object, **__: object) -> None:
        raise OutputError("t: cannot be written.")

    monkeypatch.setattr("medsynth.pipeline.write_table", fail)
    ran = command(*RUN, "--overwrite")
    said = "cannot be written. The model just fitted is paid for and kept: out"
    assert (ran.code, said in ran.err) == (6, True), ran.err
