"""How fast given records are completed and what-if copies drawn: the raw Adult table, epsilon 1, 47,000 records.

  plain       independent rows, for comparison
  given       three columns given, the same in every record
  scattered   half of all cells given, at random: hardly two records give the same columns
  what_if     edited records and their copies with the sex set

The records that are given are rows of the model. Seconds of processor time, which a busy machine
changes less than the clock; distinct is how many different combinations of given cells there are.

Command: python benchmarks/given.py [--dry]
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from record import record
from upsampling import load

from medsynth.synthesizer import Synthesizer

EPSILON = 1.0
SEED = 1
RECORDS = 47_000
GIVEN = ["age", "education", "occupation"]
SET = {"sex": "Female"}


def timed(draw: Callable[[], pd.DataFrame]) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    draw()
    return time.process_time() - began


def measured(synthesizer: Synthesizer) -> dict[str, Any]:
    """Every way to draw, each once."""
    schema = synthesizer.model_.fitted.domain
    rows = synthesizer.sample(RECORDS, draw="random", seed=SEED)[list(schema.names)]
    empty = np.random.default_rng(SEED).random(rows.shape) < 0.5
    scattered = rows.astype(object).mask(empty)
    return {
        "records": RECORDS,
        "plain": {"seconds": timed(lambda: synthesizer.sample(RECORDS, draw="random", seed=SEED))},
        "given": {
            "columns": GIVEN,
            "distinct": len(rows[GIVEN].drop_duplicates()),
            "seconds": timed(lambda: synthesizer.sample(given=rows[GIVEN], seed=SEED)),
        },
        "scattered": {
            "patterns": len(np.unique(empty, axis=0)),
            "seconds": timed(lambda: synthesizer.sample(given=scattered, seed=SEED)),
        },
        "what_if": {"seconds": timed(lambda: synthesizer.sample(RECORDS, set=SET, seed=SEED))},
    }


def main() -> None:
    """Fits, draws and records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="print, do not record")
    arguments = parser.parse_args()
    values = measured(Synthesizer("adult", epsilon=EPSILON).fit(load()))
    print(json.dumps(values, indent=2))
    if not arguments.dry:
        record("given", values, command="python benchmarks/given.py", seeds=[SEED])


if __name__ == "__main__":
    main()
