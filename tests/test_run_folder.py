"""A run that replaces an earlier one: the earlier stays until the new one is whole, whatever fails."""

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsynth import pipeline
from medsynth.errors import OutputError
from medsynth.models.model_file import load_model
from medsynth.outputs import RunFolder

RUN = ("run", "visits.csv", "-s", "clinic.yaml", "-o", "out", "--model", "independent", "-n", "100", "--epsilon", "0.5")
MOVES = 16
"""Eight files aside, eight in their place."""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


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
    unfinished = earlier.path / "unfinished.medsynth"
    unfinished.write_bytes(b"mine")
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


def failing(at: "range | tuple[int, ...]", ending: BaseException) -> Callable[[Path, Path], Path]:
    """`Path.replace` that raises at these calls, counted from 0."""
    replace, moved = Path.replace, []

    def run(self: Path, target: Path) -> Path:
        moved.append(target)
        if len(moved) - 1 in at:
            raise ending
        return replace(self, target)

    return run


def kill(folder: RunFolder, act: Callable[[RunFolder], None], move: int) -> None:
    """Does what cannot move a file any more from a move on, nor undo anything: as one that was killed there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", failing(range(move, 10**6), KeyboardInterrupt()))
        patch.setattr("medsynth.outputs.shutil.rmtree", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            act(folder)


@pytest.mark.parametrize("lacking", [(), ("model.medsynth", "synthetic.parquet")])
@pytest.mark.parametrize("move", range(MOVES - 1))
def test_what_a_killed_run_moved_is_put_back_and_its_model_kept(
    move: int, lacking: tuple[str, ...], earlier: RunFolder
) -> None:
    for name in lacking:
        (earlier.path / name).unlink()
    before = contents(earlier.path)
    kill(earlier, renew, move)
    earlier.recover()
    after = contents(earlier.path)
    assert after.pop("unfinished.medsynth") == b"new"
    assert after == before
    assert not earlier.next.path.exists()


@pytest.mark.parametrize("again", range(MOVES))
def test_putting_back_can_be_killed_too(again: int, earlier: RunFolder) -> None:
    before = contents(earlier.path)
    kill(earlier, renew, 12)
    if again <= 12:  # four files go back to the new run, eight to their place, the model is kept
        kill(earlier, RunFolder.recover, again)
    earlier.recover()
    after = contents(earlier.path)
    assert after.pop("unfinished.medsynth") == b"new"
    assert after == before


def test_a_run_killed_before_the_exchange_leaves_its_model_to_the_next(earlier: RunFolder) -> None:
    earlier.next.make()
    earlier.next.model.write_bytes(b"paid")
    renew(earlier)
    assert (earlier.path / "unfinished.medsynth").read_bytes() == b"paid"
    assert earlier.model.read_bytes() == b"new"


def test_a_run_killed_after_the_exchange_stays(earlier: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(path: Path, **_: object) -> None:
        if path.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("medsynth.outputs.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            renew(earlier)
    assert earlier.next.path.exists()
    earlier.recover()
    assert {file.read_bytes() for file in earlier.files} == {b"new"}
    assert not list(earlier.path.glob("unfinished*"))
    assert not earlier.next.path.exists()


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(129)])
@pytest.mark.parametrize("second", range(13, 26))
def test_a_second_interrupt_does_not_cut_the_undoing_short(
    second: int, ending: BaseException, earlier: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(earlier.path)
    monkeypatch.setattr(Path, "replace", failing((12, second), ending))
    with pytest.raises(type(ending)):
        renew(earlier)
    after = contents(earlier.path)
    assert after.pop("unfinished.medsynth") == b"new"
    assert after == before


@pytest.mark.parametrize("move", range(1, MOVES))
def test_files_that_cannot_be_put_back_are_kept_until_they_can(
    move: int, earlier: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(earlier.path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", failing(range(move, 10**6), OSError(13, "Permission denied")))
        with pytest.raises(OutputError, match="cannot be replaced") as seen:
            renew(earlier)
        assert "the next run puts them back" in " ".join(seen.value.__notes__)
        with pytest.raises(OutputError, match=r"cannot be put back\. Close the programs"):
            renew(earlier)
    earlier.recover()
    after = contents(earlier.path)
    assert after.pop("unfinished.medsynth") == b"new"
    assert after == before


def test_every_model_that_was_paid_for_is_kept_under_a_name_of_its_own(earlier: RunFolder) -> None:
    def fail(said: bytes) -> None:
        with earlier.renewed() as new:
            new.model.write_bytes(said)
            raise KeyboardInterrupt

    for said in (b"1", b"2", b"3"):
        with pytest.raises(KeyboardInterrupt):
            fail(said)
    renew(earlier)
    kept = {path.name: path.read_bytes() for path in earlier.path.glob("unfinished*")}
    assert kept == {"unfinished.medsynth": b"1", "unfinished-2.medsynth": b"2", "unfinished-3.medsynth": b"3"}


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
        ("medsynth.releasing.save_model", None),
        ("medsynth.sampling.provenance.pq.ParquetWriter.write_table", "unfinished.medsynth"),
        ("medsynth.report.writer.replace_file", "unfinished-2.medsynth"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, full)
            ran = command(*RUN, "--overwrite")
        assert (ran.code, "No space left" in ran.err) == (6, True), place
        after = contents(clinic / "out")
        assert set(after) - set(before) == ({kept} if kept else set())
        before |= {kept: after[kept]} if kept else {}
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

    monkeypatch.setattr("medsynth.releasing.write_table", fail)
    ran = command(*RUN, "--overwrite")
    said = "cannot be written. The model just fitted is paid for and kept: out"
    assert (ran.code, said in ran.err) == (6, True), ran.err


@pytest.mark.parametrize(
    "ending", [KeyboardInterrupt(), SystemExit(143), OSError(28, "No space"), ValueError("Quixote")]
)
def test_however_a_run_ends_it_says_where_its_model_is_and_quotes_no_note_of_others(
    ending: BaseException, clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(RunFolder(path=clinic / "out"), b"earlier")

    def fail(*_: object, **__: object) -> None:
        ending.add_note("Quixote")
        raise ending

    monkeypatch.setattr("medsynth.pipeline.measure", fail)
    ran = command(*RUN, "--overwrite")
    kept = os.path.join("out", "unfinished.medsynth")  # noqa: PTH118 (as it is printed)
    assert f"The model just fitted is paid for and kept: {kept}." in ran.err
    assert "Quixote" not in ran.err


@pytest.fixture
def foreign(clinic: Path, visits: Callable[..., Any]) -> tuple[str, ...]:
    """The options that judge a table made elsewhere."""
    visits(150, 5).drop(columns=["notes"]).to_csv(clinic / "theirs.csv", index=False)
    visits(150, 6).assign(person=lambda held: held["person"] + 900).to_csv(clinic / "held.csv", index=False)
    tables = ("--synthetic", "theirs.csv", "--train", "visits.csv", "--holdout", "held.csv")
    return (*tables, "-s", "clinic.yaml", "--overwrite")


@pytest.mark.parametrize("verb", ["evaluate", "audit"])
def test_scores_of_a_table_made_elsewhere_do_not_go_into_the_folder_of_a_run(
    verb: str, foreign: tuple[str, ...], clinic: Path, command: Callable[..., Any]
) -> None:
    assert command(*RUN).code == 0
    before = contents(clinic / "out")
    ran = command(verb, *foreign, "-o", "out")
    assert (ran.code, "holds the model or table of a run" in ran.err) == (6, True), ran.err
    assert contents(clinic / "out") == before


def test_scores_of_a_table_made_elsewhere_take_the_place_of_others_together_with_their_record(
    foreign: tuple[str, ...], clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("audit", *foreign, "-o", "judged").code == 0
    before = contents(clinic / "judged")
    (clinic / "theirs.csv").rename(clinic / "other.csv")
    arguments = ("audit", "--synthetic", "other.csv", *foreign[2:], "-o", "judged")
    for place in ("medsynth.pipeline.attack", "medsynth.pipeline.write_report"):
        with monkeypatch.context() as patch:
            patch.setattr(place, interrupt)
            assert command(*arguments).code == 130
        assert contents(clinic / "judged") == before
    assert command(*arguments).code == 0
    after = contents(clinic / "judged")
    assert set(after) == set(before)
    assert b"other.csv" in after[str(Path("internal", "run.json"))]


def test_a_demo_that_is_interrupted_leaves_the_ledger_of_the_earlier_one(
    clinic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def run(*_: object, ledger: Path, **__: object) -> None:
        given.append(ledger)
        ledger.write_bytes(b"kept")
        raise KeyboardInterrupt

    monkeypatch.setattr("medsynth.pipeline.run", run)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            pipeline.demo(clinic / "demo", overwrite=True)
    assert given[0] != given[1]
    assert [ledger.read_bytes() for ledger in given] == [b"kept", b"kept"]
