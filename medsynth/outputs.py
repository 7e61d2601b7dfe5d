"""What a command leaves behind: the folder of a run, and the result that is printed."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsynth.errors import InputError, OutputError
from medsynth.writing import OWNER_ONLY, replace_file


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a command found or wrote.

    Attributes:
      values: Plain values, printed by `--json`.
      lines: The same for a reader.
      ok: False where the command found something that a person must act on.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    ok: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"ok": self.ok, **self.values}

    def text(self) -> str:
        """Lines for a reader."""
        return "\n".join(self.lines)


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """OUT: model.medsynth, synthetic.parquet, internal/ (owner only) and shareable/."""

    path: Path

    @property
    def model(self) -> Path:
        """The fitted model; may be shared."""
        return self.path / "model.medsynth"

    @property
    def synthetic(self) -> Path:
        """The synthetic table; may be shared."""
        return self.path / "synthetic.parquet"

    @property
    def internal(self) -> Path:
        """Statistics of real persons without a guarantee."""
        return self.path / "internal"

    @property
    def shareable(self) -> Path:
        """The report's shareable edition."""
        return self.path / "shareable"

    def require_free(self, *, overwrite: bool) -> None:
        """Refuses a folder that holds something, unless it is to be replaced; leaves no trace.

        Raises:
          OutputError: If it is not empty, or cannot be made.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path}: is a file. Choose another folder.")
        require_writable(self.path)
        if self.path.exists() and any(self.path.iterdir()) and not overwrite:
            raise OutputError(f"{self.path}: already exists. Choose another folder, or add --overwrite.")

    def make(self) -> None:
        """Makes the folder and its internal part.

        Raises:
          OutputError: If it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.internal.mkdir(exist_ok=True, mode=0o700)
            self.internal.chmod(0o700)
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be made ({error.strerror}). Choose a folder you may write to."
            ) from None

    def renew(self) -> None:
        """Makes the folder, without what an earlier run left, once the new run can no longer fail on its input."""
        self.make()
        for name in ("model.medsynth", "synthetic.parquet"):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.shareable, ignore_errors=True)
        for file in (*self.internal.glob("*.json"), *self.internal.glob("report.html")):
            file.unlink()

    def write_internal(self, name: str, values: Mapping[str, Any]) -> None:
        """Writes a JSON file only its owner may read."""
        text = json.dumps(values, indent=2, sort_keys=True) + "\n"
        replace_file(self.internal / name, text.encode(), mode=OWNER_ONLY)

    def read_internal(self, name: str) -> dict[str, Any]:
        """Reads a JSON file of an earlier step.

        Raises:
          InputError: If it is absent or damaged.
        """
        path = self.internal / name
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InputError(
                f"{path}: absent or damaged. Give the OUT folder of a finished `medsynth run`, or run it again."
            ) from None
        if not isinstance(values, dict):
            raise InputError(f"{path}: not what `medsynth run` writes. Run it again.")
        return values


def require_free_file(path: Path, *, overwrite: bool) -> None:
    """Refuses to replace a file unless told to, and a place where none can be written; leaves no trace.

    Raises:
      OutputError: If it stands there, or its folder cannot be written to.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder. Name a file.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: already exists. Choose another name, or add --overwrite.")
    require_writable(path.parent)


def require_writable(folder: Path) -> None:
    """Tries whether a folder, or the nearest one above it that exists, takes a file; leaves no trace.

    Raises:
      OutputError: If it does not. Better before a budget is spent than after.
    """
    nearest = folder.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written to ({error.strerror}). Choose a folder you may write to."
        ) from None
