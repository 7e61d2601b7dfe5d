"""What a command leaves behind: the folder of a run, and the result that is printed."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsynth.errors import InputError, OutputError
from medsynth.sampling.provenance import replace_file


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
        """Refuses a folder that holds something, unless it is to be replaced.

        Raises:
          OutputError: If it is not empty, or cannot be made.
        """
        try:
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                if not overwrite:
                    raise OutputError(f"{self.path}: already exists. Choose another folder, or add --overwrite.")
            self.path.mkdir(parents=True, exist_ok=True)
            self.internal.mkdir(exist_ok=True, mode=0o700)
            self.internal.chmod(0o700)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made ({error.strerror}). Choose a folder you may write to.") from None
        if not os.access(self.path, os.W_OK):
            raise OutputError(f"{self.path}: cannot be written to. Choose a folder you may write to.")

    def clear(self) -> None:
        """Removes what an earlier run left, once the new run can no longer fail on its input."""
        for name in ("model.medsynth", "synthetic.parquet"):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.shareable, ignore_errors=True)
        for file in self.internal.glob("*.json"):
            file.unlink()

    def write_internal(self, name: str, values: Mapping[str, Any]) -> None:
        """Writes a JSON file only its owner may read."""
        text = json.dumps(values, indent=2, sort_keys=True) + "\n"
        replace_file(
            self.internal / name,
            lambda target: target.write_text(text, encoding="utf-8", newline="\n"),
            mode=0o600,
        )

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
    """Refuses to replace a file unless told to.

    Raises:
      OutputError: If it stands there.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: already exists. Choose another name, or add --overwrite.")
