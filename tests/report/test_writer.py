import hashlib
import os
from pathlib import Path
from types import ModuleType

import pytest

from medsynth.errors import OutputError
from medsynth.report import write_reports
from medsynth.report import writer as writer_module
from medsynth.score import Edition

BOTH = {
    "internal/report.html",
    "internal/report.json",
    "shareable/report.html",
    "shareable/report.json",
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No drawing: these tests are about files."""
    monkeypatch.setattr(writer_module, "render", lambda _view, sha256: f"page of {sha256}")


def found(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("quick")
def test_both_editions_are_written_and_pages_name_their_json(made: ModuleType, tmp_path: Path) -> None:
    paths = write_reports(tmp_path / "deep" / "out", made.example())
    assert found(tmp_path / "deep" / "out") == BOTH
    assert [path.name for path in paths] == ["report.json", "report.html"] * 2
    for edition in Edition:
        folder = tmp_path / "deep" / "out" / edition.value
        digest = hashlib.sha256((folder / "report.json").read_bytes()).hexdigest()
        assert (folder / "report.html").read_text("utf-8") == f"page of {digest}"


@pytest.mark.usefixtures("quick")
@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_internal_files_are_for_the_owner_alone(made: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "internal").mkdir(mode=0o755)
    for _ in range(2):
        write_reports(tmp_path, made.example())
        assert (tmp_path / "internal").stat().st_mode & 0o777 == 0o700
        modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "internal").iterdir()}
        assert modes == {0o600}


@pytest.mark.usefixtures("quick")
def test_one_edition_can_be_asked_for(made: ModuleType, tmp_path: Path) -> None:
    write_reports(tmp_path, made.example(), (Edition.SHAREABLE,))
    assert found(tmp_path) == {"shareable/report.html", "shareable/report.json"}


@pytest.mark.usefixtures("quick")
def test_a_full_disk_leaves_the_old_report_whole(
    made: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_reports(tmp_path, made.example())
    before = {name: (tmp_path / name).read_bytes() for name in BOTH}

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_reports(tmp_path, made.example(shift=0.01))
    assert {name: (tmp_path / name).read_bytes() for name in found(tmp_path)} == before


@pytest.mark.usefixtures("quick")
def test_an_unwritable_place_is_an_output_error(made: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        write_reports(tmp_path / "file", made.example())


def test_a_failing_page_writes_nothing(made: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_named: object) -> str:
        raise RuntimeError

    monkeypatch.setattr(writer_module, "render", fail)
    with pytest.raises(RuntimeError):
        write_reports(tmp_path / "out", made.example())
    assert not (tmp_path / "out").exists()
