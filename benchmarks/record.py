"""Keeps what a benchmark found, with what is needed to find it again.

One file per benchmark, `benchmarks/results/NAME.json`:

    command   how to run it again, from the root of the repository
    commit    of the code that was measured; "+changes" behind it if the code was edited since
    seeds     of everything drawn; privacy noise has none
    machine   processors, system, versions; never a name or a path
    values    nested figures in base units: seconds, bytes, shares

A figure in README.md or docs/ names its value in a marker; `tests/test_claims.py` compares them.
"""

import json
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
MEASURED = ("medsynth", "schemas", "benchmarks", "pyproject.toml")
LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "duckdb", "scikit-learn", "opendp")


def record(
    name: str,
    values: Mapping[str, Any],
    *,
    command: str,
    seeds: Sequence[int],
    folder: Path = RESULTS,
) -> Path:
    """Writes the result of one benchmark, whole or not at all.

    Args:
      name: Letters, digits and underscores; the file's name, and what claim markers begin with.
      values: Nested mappings of plain figures in base units: seconds, bytes, shares.
      command: How to run it again, from the root of the repository.
      seeds: Of everything drawn; empty where nothing is.
      folder: Where results lie.

    Raises:
      ValueError: If the name is not one, the command is blank, or a figure is not finite.
    """
    if not name.isidentifier():
        raise ValueError(f"Result {name!r}: use letters, digits and underscores.")
    if not command.strip():
        raise ValueError(f"Result {name!r}: say by which command it is found again.")
    content = {
        "command": command,
        "commit": commit(),
        "seeds": [int(seed) for seed in seeds],
        "machine": machine(),
        "values": plain(values),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / f"{name}.json", folder / f"{name}.json.part"
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    part.write_text(text, encoding="utf-8", newline="\n")
    part.replace(path)
    return path


def commit() -> str:
    """The commit of this checkout, with "+changes" behind it if what is measured was edited."""
    head = _git("rev-parse", "HEAD").strip()
    edited = _git("status", "--porcelain", "--untracked-files=all", "--", *MEASURED)
    others = [line for line in edited.splitlines() if "benchmarks/results/" not in line]
    return f"{head}+changes" if others else head


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise SystemExit("benchmarks: run them in a git checkout, so that the commit can be noted.")
    return done.stdout


def machine() -> dict[str, Any]:
    """Processors, system and versions; no name, no model, no path."""
    return {
        "processors": usable_processors(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def usable_processors() -> int:
    """Processors this program may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def plain(value: Any) -> Any:
    """Nested mappings, lists and plain figures; NumPy's numbers become Python's.

    Raises:
      ValueError: If a figure is not finite.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool | int):
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    if not math.isfinite(value):
        raise ValueError(f"Figures must be finite, got {value}. Leave it out, or write None.")
    return float(value)
