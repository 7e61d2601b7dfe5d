"""Fidelity, time and memory of `adaptive` on adult_discrete, the usual table of the field.

48,842 rows of 14 columns from `../shared/data`, delta 1e-9, add or remove one row, the real ledger
and sampler. Figures are mean total variation distances between the table and as many synthetic
rows, over all 91 pairs and all 364 triples of columns; beside them the floor (columns shuffled
independently of each other) and the ceiling (a bootstrap of the rows).

Command: python benchmarks/adult_discrete.py [--epsilons 0.1 1 3 10] [--seeds 0 1 2] [--dry]
"""

import argparse
import gzip
import json
import sys
import time
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from record import record

from medsynth.encoding.domain import Attribute, Domain
from medsynth.models import MODELS
from medsynth.privacy import UNITS_PER_PERSON, Ledger
from medsynth.sources.encoded import EncodedRecords

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "adult_discrete"
DELTA = 1e-9
ORDERED = {
    "age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week",
}  # fmt: skip
"""Columns whose codes ascend, by the data set's description."""

Codes = npt.NDArray[np.int32]


def load() -> tuple[Codes, Domain]:
    """The rows, and the domain as published beside them."""
    sizes = json.loads((DATA / "adult-domain.json").read_text(encoding="utf-8"))
    with gzip.open(DATA / "adult.csv.gz", "rt", encoding="utf-8") as file:
        names = file.readline().strip().split(",")
        codes = np.loadtxt(file, delimiter=",", dtype=np.int32)
    attributes = tuple(
        Attribute(name=name, size=sizes[name], ordered=sizes[name] if name in ORDERED else 0) for name in names
    )
    return codes, Domain(attributes=attributes)


def mean_distance(real: Codes, synthetic: Codes, domain: Domain, ways: int) -> float:
    """Mean total variation distance over all sets of so many columns."""
    distances = []
    for columns in combinations(range(len(domain)), ways):
        shape = tuple(domain.sizes[column] for column in columns)
        shares = [
            np.bincount(np.ravel_multi_index(tuple(rows[:, columns].T), shape)) / len(rows)
            for rows in (real, synthetic)
        ]
        longest = max(len(share) for share in shares)
        first, second = (np.pad(share, (0, longest - len(share))) for share in shares)
        distances.append(0.5 * float(np.abs(first - second).sum()))
    return float(np.mean(distances))


def peak_bytes() -> int | None:
    """Largest memory of this process so far; None where the platform does not count it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def one_run(codes: Codes, domain: Domain, model: str, epsilon: float, seed: int) -> dict[str, Any]:
    """Fits, draws as many rows, compares."""
    records = EncodedRecords(
        domain=domain,
        l2=UNITS_PER_PERSON,
        columns=list(codes.T.astype(np.uint8)),
        weights=np.full(len(codes), UNITS_PER_PERSON, dtype=np.int64),
    )
    began, began_cpu = time.perf_counter(), time.process_time()
    ledger = Ledger(epsilon, DELTA, population="adult_discrete", persons=len(codes))
    mu = ledger.guarantee.mu
    fitted = MODELS[model]().fit(records, ledger, persons=len(codes), mu=mu)
    fit_seconds = time.perf_counter() - began
    synthetic = fitted.sample(len(codes), np.random.default_rng(seed))
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "tv2": mean_distance(codes, synthetic, domain, 2),
        "tv3": mean_distance(codes, synthetic, domain, 3),
        "seconds": seconds,
        "fit_seconds": fit_seconds,
        "processor_seconds": cpu,
        "peak_bytes": peak_bytes(),
        "tables": len(fitted.measurements),
    }


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means of the runs, the spread of the errors, the slowest time."""
    means = {key: float(np.mean([run[key] for run in runs])) for key in runs[0] if key != "peak_bytes"}
    spread = float(np.std([run["tv2"] for run in runs]))
    slowest = max(run["seconds"] for run in runs)
    return means | {"tv2_deviation": spread, "slowest_seconds": slowest}


def yardsticks(codes: Codes, domain: Domain) -> dict[str, Any]:
    """What no relation and a second sample of the rows would score."""
    rng = np.random.default_rng(0)
    floor = rng.permuted(codes, axis=0)
    ceiling = codes[rng.integers(0, len(codes), len(codes))]
    return {
        name: {f"tv{ways}": mean_distance(codes, rows, domain, ways) for ways in (2, 3)}
        for name, rows in (("floor", floor), ("ceiling", ceiling))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[0.1, 1.0, 3.0, 10.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--model", default="adaptive")
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    options = parser.parse_args()
    codes, domain = load()
    values: dict[str, Any] = yardsticks(codes, domain)
    print(json.dumps(values))
    for epsilon in options.epsilons:
        runs = [one_run(codes, domain, options.model, epsilon, seed) for seed in options.seeds]
        values[f"epsilon_{epsilon:g}"] = summary(runs)
        print(f"epsilon {epsilon:g}", json.dumps(summary(runs)), flush=True)
    values["peak_bytes"] = peak_bytes()
    if not options.dry:
        name = "adult_discrete" + ("" if options.model == "adaptive" else f"_{options.model}")
        command = f"python benchmarks/adult_discrete.py --model {options.model}"
        record(name, values, command=command, seeds=options.seeds)


if __name__ == "__main__":
    main()
