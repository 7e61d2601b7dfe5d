"""Writes both editions to disk, whole or not at all; what is internal only the owner can read."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from medsynth.errors import OutputError
from medsynth.report.content import ReportContent, report_json
from medsynth.report.editions import edition_of
from medsynth.report.html import render
from medsynth.score import Edition


def report_files(content: ReportContent, edition: Edition) -> Mapping[str, bytes]:
    """Makes the two files of an edition in memory.

    Args:
      content: As `collect` returns it.
      edition: Which edition.

    Returns:
      `report.json` and `report.html`; the page states the SHA-256 of the JSON beside it.
    """
    view = edition_of(content, edition)
    summary = report_json(view)
    page = render(view, sha256=hashlib.sha256(summary).hexdigest())
    return {"report.json": summary, "report.html": page.encode("utf-8")}


def write_reports(
    out_dir: str | os.PathLike[str],
    content: ReportContent,
    editions: tuple[Edition, ...] = (Edition.INTERNAL, Edition.SHAREABLE),
) -> tuple[Path, ...]:
    """Writes `internal/` and `shareable/` with `report.json` and `report.html` each.

    Args:
      out_dir: Folder to write into; made where it is missing.
      content: As `collect` returns it.
      editions: Which editions; both by default.

    Returns:
      The paths, in the order written: JSON before the page that names its SHA-256.

    Raises:
      OutputError: If a folder or file cannot be written; a file is never left half-written.
    """
    made = {edition: report_files(content, edition) for edition in editions}
    written = []
    for edition, files in made.items():
        folder = Path(out_dir) / edition.value
        try:
            _make_folder(folder, private=edition is Edition.INTERNAL)
            for name, data in files.items():
                _replace(folder / name, data, private=edition is Edition.INTERNAL)
                written.append(folder / name)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OutputError(f"{folder}: the report cannot be written ({reason}). Choose another folder.") from error
    return tuple(written)


def _make_folder(folder: Path, *, private: bool) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700 if private else 0o777, exist_ok=True)
    if private:
        folder.chmod(0o700)


def _replace(path: Path, data: bytes, *, private: bool) -> None:
    """Opened with its final mode, so that an internal file is at no moment readable by others."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600 if private else 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if private:
            temporary.chmod(0o600)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
