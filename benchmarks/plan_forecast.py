"""How far the forecast of `medsynth plan` is off: forecast and measured time and memory of fits, side by side.

Four public tables from `../shared/data`, three models, epsilon 0.1 and 1, and epsilon 10 on the first quarter of the
rows (the stated persons likewise: whole tables take minutes). Each fit is a process of its own that reads a Parquet
file, with a ledger in memory; seconds are of the processor, without the start of Python; memory is the process's peak.
Run it on an idle machine: programs beside it make the same fit cost more processor time.

Command: python benchmarks/plan_forecast.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from check_schemas import READERS
from record import record

from medsynth.fitting import FitRequest, fit_model, privacy_unit
from medsynth.planning import make_plan
from medsynth.privacy import Ledger
from medsynth.progress import Silent
from medsynth.schema import load_schema
from medsynth.sources.files import FileSource

TABLES = ("adult", "credit_default", "support2", "diabetes130")
CASES = (
    ("independent", 1.0, 1.0),
    ("mst", 1.0, 1.0),
    ("adaptive", 0.1, 1.0),
    ("adaptive", 1.0, 1.0),
    ("adaptive", 10.0, 0.25),
)
"""(model, epsilon, share of the rows)."""


def peak_bytes() -> int:
    """Largest memory of this process so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def one_fit(file: Path, name: str, model: str, epsilon: float, share: float) -> dict[str, float]:
    """Forecasts and fits in this process."""
    schema = load_schema(name)
    persons = int(share * schema.privacy.persons)
    schema = schema.model_copy(update={"privacy": schema.privacy.model_copy(update={"persons": persons})})
    request = FitRequest(schema=schema, model=model, epsilon=epsilon)
    ledger = Ledger(
        *request.budget,
        population=name,
        unit=schema.privacy.noun,
        persons=persons,
        privacy_unit=privacy_unit(schema),
    )
    forecast = make_plan(request).forecast
    began, began_clock = time.process_time(), time.perf_counter()
    fit_model(FileSource(path=file), request, ledger, Silent())
    return {
        "forecast_seconds": forecast.seconds,
        "seconds": time.process_time() - began,
        "clock_seconds": time.perf_counter() - began_clock,
        "forecast_bytes": forecast.bytes,
        "bytes": peak_bytes(),
    }


def measured(folder: Path, name: str, model: str, epsilon: float, share: float) -> dict[str, float]:
    """The same in a fresh process."""
    file = folder / f"{name}_{share:g}.parquet"
    if not file.exists():
        frame = READERS[name]()
        frame.iloc[: int(share * len(frame))].to_parquet(file)
    case = [str(file), name, model, str(epsilon), str(share)]
    done = subprocess.run([sys.executable, __file__, "--one", *case], stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def factor(case: dict[str, float], kind: str) -> float:
    """How many times the larger of forecast and measured is the smaller."""
    ratio = case[f"forecast_{kind}"] / case[kind]
    return max(ratio, 1 / ratio)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    one = parser.parse_args().one
    if one is not None:
        file, name, model, epsilon, share = one
        print(json.dumps(one_fit(Path(file), name, model, float(epsilon), float(share))))
        return
    values: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in TABLES:
            for model, epsilon, share in CASES:
                key = f"{name} {model} epsilon {epsilon:g} share {share:g}"
                values[key] = measured(Path(folder), name, model, epsilon, share)
                print(key, json.dumps(values[key]), flush=True)
    off = {kind: [factor(case, kind) for case in values.values()] for kind in ("seconds", "bytes")}
    for kind, factors in off.items():
        nine_in_ten = float(np.quantile(factors, 0.9, method="higher"))
        values[f"factor_{kind}"] = {"median": median(factors), "nine_in_ten": nine_in_ten, "largest": max(factors)}
    record("plan_forecast", values, command="python benchmarks/plan_forecast.py", seeds=[])


if __name__ == "__main__":
    main()
