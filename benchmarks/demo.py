"""What `medsynth demo` costs and what it reaches: seconds, memory, sizes, headline figures.

Run it where medsynth is installed. Memory is the largest peak among the processes that the demo
starts, as the operating system counts it; processor seconds of `medsynth --help` are the least of
five runs. `--venv` adds the size of an environment that holds the base install alone. `--runs` says how often the demo
is run: what it costs is that of the first, and how far the 2-way error moves from run to run that of all.

Command: python benchmarks/demo.py [--venv FOLDER] [--runs N]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from record import record

COMMAND = "python benchmarks/demo.py"
SAMPLING_SEED = 1
HELP_RUNS = 5
SCORE_KEYS = ("value", "low", "high", "baseline", "ceiling")


def medsynth_command() -> list[str]:
    """The installed command beside this interpreter, or the same as a module."""
    folder = Path(sys.executable).parent
    for name in ("medsynth", "medsynth.exe"):
        if (folder / name).is_file():
            return [str(folder / name)]
    return [sys.executable, "-c", "from medsynth.cli import main; main()"]


def processor_seconds(children: Any) -> float:
    """User and system seconds of finished children."""
    return float(children.ru_utime + children.ru_stime)


def children_usage() -> Any:
    """What finished children used; None where the platform does not count it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def peak_bytes(children: Any) -> int | None:
    """Largest peak memory among finished children and theirs."""
    if children is None:
        return None
    return int(children.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def help_cpu_seconds() -> float | None:
    """Processor seconds of `medsynth --help`, the least of five runs."""
    found = []
    for _ in range(HELP_RUNS):
        before = children_usage()
        subprocess.run([*medsynth_command(), "--help"], capture_output=True, check=True)
        after = children_usage()
        if before is None or after is None:
            return None
        found.append(processor_seconds(after) - processor_seconds(before))
    return min(found)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder, files with two names counted once."""
    files = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            files[status.st_dev, status.st_ino or str(path)] = status.st_size
    return sum(files.values())


def headline(values: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that the demo ends with, from its `--json`."""
    guarantee = values["guarantee"]
    return {
        "epsilon": guarantee["epsilon"],
        "delta": guarantee["delta"],
        "mu": guarantee["mu"],
        "membership_auc_cap": guarantee["membership_auc_cap"],
        "rows": values["rows"],
        "upsampled": {entry.pop("name"): entry for entry in map(dict, values["upsampled"])},
        "scores": {name: {key: score[key] for key in SCORE_KEYS} for name, score in values["scores"].items()},
    }


def half_way(scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """How far the 2-way error lies from ceiling (0) to floor (1); at most 0.5 is asked for."""
    found = {}
    for part in ("train", "holdout"):
        score = scores.get(f"fidelity.tv2.{part}", {})
        value, floor, ceiling = (score.get(key) for key in ("value", "baseline", "ceiling"))
        if value is not None and floor is not None and ceiling is not None and floor != ceiling:
            found[part] = (value - ceiling) / (floor - ceiling)
    return found


def run_demo() -> dict[str, Any]:
    """Runs the demo and says what it took."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "demo"
        began = time.perf_counter()
        done = subprocess.run(
            [*medsynth_command(), "demo", "-o", str(out), "--json"],
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
        seconds = time.perf_counter() - began
        peak = peak_bytes(children_usage())
        if done.returncode:
            raise SystemExit(f"medsynth demo ended with code {done.returncode}.")
        found = headline(json.loads(done.stdout))
        return {
            "seconds": seconds,
            "peak_memory_bytes": peak,
            "report_bytes": {
                edition: (out / edition / "report.html").stat().st_size for edition in ("internal", "shareable")
            },
            "model_bytes": (out / "model.medsynth").stat().st_size,
            "synthetic_bytes": (out / "synthetic.parquet").stat().st_size,
            **found,
            "way_from_ceiling_to_floor": half_way(found["scores"]),
        }


def over_runs(ways: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Least, mean and most of the ways of several runs."""
    found: dict[str, Any] = {"runs": len(ways)}
    for part in ways[0]:
        each = [way[part] for way in ways]
        found[part] = {"least": min(each), "mean": sum(each) / len(each), "most": max(each)}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and writes `results/demo.json`."""
    parser = argparse.ArgumentParser(description="What `medsynth demo` costs and reaches.")
    parser.add_argument("--venv", type=Path, help="an environment that holds the base install")
    parser.add_argument("--runs", type=int, default=1, help="how often the demo is run")
    options = parser.parse_args(arguments)
    venv = options.venv
    values = run_demo() | {"help_cpu_seconds": help_cpu_seconds()}
    ways = [values["way_from_ceiling_to_floor"]]
    ways += [run_demo()["way_from_ceiling_to_floor"] for _ in range(options.runs - 1)]
    values["way_over_runs"] = over_runs(ways)
    if venv is not None:
        values["base_install_bytes"] = folder_bytes(venv)
    command = COMMAND + (f" --runs {options.runs}" if options.runs > 1 else "")
    command += "" if venv is None else " --venv BASE_ENVIRONMENT"
    path = record("demo", values, command=command, seeds=[SAMPLING_SEED])
    print(f"{path.name}: {values['seconds']:.0f} s")


if __name__ == "__main__":
    main()
