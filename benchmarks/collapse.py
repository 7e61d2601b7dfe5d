"""How many generations of its own output `adaptive` bears, beside two generators without privacy.

`medsynth collapse` on 6,000 patients of the demo's training table and 3,000 of its holdout, epsilon 1, five
generations, pure and with a fifth of fresh real records. `--page` keeps the page and JSON of the study; they are
INTERNAL, and may be kept because the demo's data are public.

Command: python benchmarks/collapse.py [--page FOLDER]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from record import record

import medsynth

COMMAND = "python benchmarks/collapse.py"
SEED = 1
PATIENTS = {"train": 6000, "holdout": 3000}
GENERATIONS = 5
DATA = Path(medsynth.__file__).parent / "data" / "diabetes130"


def sample(part: str, folder: Path) -> Path:
    """So many patients of one part of the demo's table, with all their stays."""
    frame = pd.read_parquet(DATA / f"{part}.parquet")
    patients = np.sort(frame["patient_nbr"].unique())
    chosen = np.random.default_rng(SEED).permutation(patients)[: PATIENTS[part]]
    path = folder / f"{part}.parquet"
    frame[frame["patient_nbr"].isin(chosen)].to_parquet(path, index=False)
    return path


def study(folder: Path) -> tuple[Path, float]:
    """(where the files of the study are, seconds)."""
    train, holdout = sample("train", folder), sample("holdout", folder)
    command = [sys.executable, "-c", "from medsynth.cli import main; main()", "collapse", str(train)]
    command += ["-s", "diabetes130", "--holdout", str(holdout), "-o", str(folder / "out")]
    command += ["--generations", str(GENERATIONS), "--epsilon", "1", "--seed", str(SEED)]
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return folder / "out" / "internal", time.perf_counter() - began


def values(content: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Safe generations and figures of each course: the real table, then generation after generation."""
    return {
        "seconds": seconds,
        "settings": content["settings"],
        "courses": {
            f"{course['generator']}_{'fresh' if course['fresh'] else 'own'}": {
                key: course[key] for key in ("safe", "reached", "broken", "figures", "distances")
            }
            for course in content["courses"]
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the study and writes `results/collapse.json`."""
    parser = argparse.ArgumentParser(description="How many generations of its own output a table bears.")
    parser.add_argument("--page", type=Path, help="folder that keeps collapse.json and collapse.html")
    page = parser.parse_args(arguments).page
    with tempfile.TemporaryDirectory() as scratch:
        internal, seconds = study(Path(scratch))
        files = {name: (internal / name).read_bytes() for name in ("collapse.json", "collapse.html")}
    if page is not None:
        page.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (page / name).write_bytes(content)
    found = values(json.loads(files["collapse.json"]), seconds)
    path = record("collapse", found, command=COMMAND, seeds=[SEED])
    print(f"{path.name}: {seconds:.0f} s")


if __name__ == "__main__":
    main()
