"""Seconds of a fit on a table of three columns and 200 rows: what a fit costs before there is anything to compute.

Median of 40 fits per model with a ledger in memory, in one warm process: from data frame to model file (`seconds`),
and the model's own part (`model_seconds`: measured and fitted, rows encoded before). The rows are drawn; the two fits
before the first that counts pay for imports.

Command: python benchmarks/small_fits.py
"""

import time
from typing import Any

import numpy as np
import pandas as pd
from record import record

from medsynth.encoding.codec import Codec
from medsynth.fitting import FitRequest, fit_model, open_ledger
from medsynth.models import MODELS
from medsynth.progress import Silent
from medsynth.schema import Schema, parse_schema
from medsynth.sources.encoded import encode_batches
from medsynth.sources.frame import FrameSource

SEED = 1
FITS = 40
UNCOUNTED = 2
SCHEMA = """\
medsynth: 1
dataset: {name: small}
privacy: {rows_are_persons: true, persons: 200, epsilon: 1.0}
columns:
  age: {kind: integer, min: 0, max: 99, bins: 10}
  sex: {kind: category, values: [F, M]}
  ward: {kind: category, values: [a, b, c, d], missing: true}
"""


def table() -> pd.DataFrame:
    """Two hundred drawn rows."""
    rng = np.random.default_rng(SEED)
    return pd.DataFrame(
        {
            "age": rng.integers(0, 100, 200),
            "sex": rng.choice(["F", "M"], 200),
            "ward": rng.choice(np.array(["a", "b", "c", "d", None], dtype=object), 200),
        }
    )


def seconds_of_one(source: FrameSource, schema: Schema, model: str) -> tuple[float, float, float]:
    """A fit under a ledger of its own: seconds on the clock, of the processor, and of the model alone."""
    began, began_cpu = time.perf_counter(), time.process_time()
    fit_model(source, FitRequest(schema=schema, model=model), open_ledger(schema), Silent())
    whole = time.perf_counter() - began, time.process_time() - began_cpu
    records = encode_batches([source.frame], Codec(schema=schema), bytes(64))
    ledger = open_ledger(schema)
    began = time.perf_counter()
    MODELS[model]().fit(records, ledger, persons=schema.privacy.persons, mu=ledger.guarantee.mu)
    return *whole, time.perf_counter() - began


def main() -> None:
    source, schema = FrameSource(frame=table()), parse_schema(SCHEMA)
    values: dict[str, Any] = {}
    for model in MODELS:
        fits = [seconds_of_one(source, schema, model) for _ in range(UNCOUNTED + FITS)][UNCOUNTED:]
        seconds, processor_seconds, model_seconds = np.median(fits, axis=0)
        values[model] = {
            "seconds": seconds,
            "processor_seconds": processor_seconds,
            "model_seconds": model_seconds,
            "fits": FITS,
        }
        print(f"{model}: {1e3 * seconds:.1f} ms, {1e3 * model_seconds:.1f} ms of them the model's")
    record("small_fits", values, command="python benchmarks/small_fits.py", seeds=[SEED])


if __name__ == "__main__":
    main()
