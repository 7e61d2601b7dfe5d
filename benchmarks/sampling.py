"""How fast rows are drawn, and how much memory that takes: the raw Adult table, 15 columns.

  codes    rows of the model at the finest cells: dealt from the tree, independent, and edited
  files    `medsynth sample` into a file, decoding, rules and writing included, each in a process of
           its own, whose peak memory is noted

Every figure is rows a second on the wall clock and, beside it, a second of processor time, which a
busy machine changes less.

Command: python benchmarks/sampling.py [--rows 1000000 10000000] [--dry]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from adult_discrete import peak_bytes
from record import record
from upsampling import load

from medsynth import pipeline
from medsynth.models.base import Part
from medsynth.models.graphical import GraphicalModel
from medsynth.models.model_file import load_model
from medsynth.sampling.draw import CHUNK
from medsynth.synthesizer import Synthesizer

EPSILON = 1.0
SEED = 1


def timed(work: Callable[[], object], rows: int) -> dict[str, float]:
    """Rows a second."""
    began, began_cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return {"rows_per_second": rows / seconds, "rows_per_processor_second": rows / cpu, "seconds": seconds}


def codes(model: Path, rows: int) -> dict[str, Any]:
    """Rows of codes, chunk by chunk, as they would go into a file."""
    fitted = load_model(model).fitted
    assert isinstance(fitted, GraphicalModel)
    sizes = [min(CHUNK, rows - begun) for begun in range(0, rows, CHUNK)]
    found = {}
    for name, draws in (
        ("dealt", fitted.tree_rows({}, systematic=True)),
        ("independent", fitted.tree_rows({}, systematic=False)),
    ):
        rng = np.random.default_rng(SEED)
        draws.draw(CHUNK // 16, rng)
        found[name] = timed(lambda draws=draws, rng=rng: [draws.draw(size, rng) for size in sizes], rows)  # type: ignore[misc]
    edited, rng = fitted.rows([Part()]), np.random.default_rng(SEED)
    found["edited"] = timed(lambda: [edited.draw([size], rng) for size in sizes], rows)
    return found


def into_file(model: Path, rows: int, kind: str, name: str) -> dict[str, Any]:
    """One file, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / name
        found = timed(lambda: pipeline.sample(model, out, n=rows, seed=SEED, kind=kind), rows)
        return found | {"peak_bytes": peak_bytes(), "file_bytes": out.stat().st_size}


def in_own_process(model: Path, rows: int, kind: str, name: str) -> dict[str, Any]:
    """The same in a fresh process, so that its peak memory is its own."""
    arguments = [sys.executable, __file__, "--one", str(model), str(rows), kind, name]
    done = subprocess.run(arguments, check=True, capture_output=True, encoding="utf-8")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    options = parser.parse_args()
    if options.one:
        model, rows, kind, name = options.one
        print(json.dumps(into_file(Path(model), int(rows), kind, name)))
        return
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "adult.medsynth"
        Synthesizer("adult", epsilon=EPSILON).fit(load()).save(model)
        values: dict[str, Any] = {"codes": codes(model, options.rows[0])}
        print(json.dumps(values), flush=True)
        for rows in options.rows:
            for kind in ("edited", "random"):
                found = in_own_process(model, rows, kind, "rows.parquet")
                values.setdefault(f"parquet_{kind}", {})[f"rows_{rows}"] = found
                print(kind, rows, json.dumps(found), flush=True)
        values["csv_random"] = {f"rows_{options.rows[0]}": in_own_process(model, options.rows[0], "random", "rows.csv")}
    if not options.dry:
        record("sampling", values, command="python benchmarks/sampling.py", seeds=[SEED])


if __name__ == "__main__":
    main()
