"""Writes both editions to disk, whole or not at all; what is internal only the owner can read."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from medsynth.report.content import ReportContent, report_json
from medsynth.report.editions import edition_of
from medsynth.report.html import render
from medsynth.score import Edition
from medsynth.writing import OWNER_ONLY, make_folder, replace_file


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
        private = edition is Edition.INTERNAL
        make_folder(folder, owner_only=private)
        for name, data in files.items():
            replace_file(folder / name, data, mode=OWNER_ONLY if private else None)
            written.append(folder / name)
    return tuple(written)
