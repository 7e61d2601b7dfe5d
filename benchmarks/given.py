"""How fast given records are completed and what-if copies drawn: the raw Adult table, epsilon 1, 47,000 records.

  plain       independent rows, for comparison
  given       three columns given, the same in every record
  scattered   half of all cells given, at random: hardly two records give the same columns
  what_if     edited records and their copies with the sex set

The records that are given are rows of the model. Seconds of processor time, which a busy machine
changes less than the clock; distinct is how many different combinations of given cells there are.

  inside      real records of a rare condition, given in its columns alone and completed: mean total variation distance
              between completed and real of the other columns (one_way) and their pairs (pair); beside it, as the tree
              alone completes them, which does not know what was measured inside

Command: python benchmarks/given.py [--dry]
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from record import record
from upsampling import load

from medsynth.encoding.codec import Codec
from medsynth.sampling.draw import gathered
from medsynth.sampling.what_if import drawing_of
from medsynth.schema import load_schema
from medsynth.synthesizer import Synthesizer

EPSILON = 1.0
SEED = 1
RECORDS = 47_000
GIVEN = ["age", "education", "occupation"]
SET = {"sex": "Female"}
INSIDE = ["women_with_doctorate", "high_capital_gain", "born_in_asia"]
COMPLETED = 10_000
"""Records inside a condition, about."""


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
            "seconds": timed(lambda: synthesizer.sample(given=rows[GIVEN], seed=SEED, force=True)),
        },
        "scattered": {
            "patterns": len(np.unique(empty, axis=0)),
            "seconds": timed(lambda: synthesizer.sample(given=scattered, seed=SEED, force=True)),
        },
        "what_if": {"seconds": timed(lambda: synthesizer.sample(RECORDS, set=SET, seed=SEED))},
    }


def inside(synthesizer: Synthesizer, real: pd.DataFrame) -> dict[str, Any]:
    """Errors inside each condition, as completed and as the tree alone completes."""
    fitted, codec = synthesizer.model_.fitted, Codec(schema=load_schema("adult"))
    found: dict[str, Any] = {}
    for name in INSIDE:
        rare = codec.schema.rare_predicates[name]
        held = real[rare.evaluate(codec.decode(codec.encode(real), np.random.default_rng(SEED)), codec.schema)]
        others = [a for a, column in enumerate(codec.domain.names) if column not in rare.columns]
        errors: dict[str, Any] = {}
        for kind, model in (("completed", fitted), ("tree", replace(fitted, rare=()))):
            given, n = held[sorted(rare.columns)], len(held) * max(1, COMPLETED // len(held))
            drawn = gathered(drawing_of(model, codec, np.random.default_rng(SEED), given=given, n=n, force=True))
            rows = codec.encode(held), codec.encode(drawn)
            errors[kind] = {
                "one_way": error(*rows, combinations(others, 1)),
                "pair": error(*rows, combinations(others, 2)),
            }
        found[name] = {"real": len(held), "grade": fitted.knowledge(name).grade, **errors}
    return found


def error(one: Any, other: Any, tables: Iterable[tuple[int, ...]]) -> float:
    """Mean total variation distance over tables of columns."""
    errors = []
    for columns in tables:
        shape = [int(max(one[:, a].max(), other[:, a].max())) + 1 for a in columns]
        counts = [np.ravel_multi_index(tuple(rows[:, a] for a in columns), shape) for rows in (one, other)]
        shares = [np.bincount(each, minlength=prod(shape)) / len(each) for each in counts]
        errors.append(0.5 * float(np.abs(shares[0] - shares[1]).sum()))
    return float(np.mean(errors))


def main() -> None:
    """Fits, draws and records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="print, do not record")
    arguments = parser.parse_args()
    real = load()
    synthesizer = Synthesizer("adult", epsilon=EPSILON).fit(real)
    values = measured(synthesizer) | {"inside": inside(synthesizer, real)}
    print(json.dumps(values, indent=2))
    if not arguments.dry:
        record("given", values, command="python benchmarks/given.py", seeds=[SEED])


if __name__ == "__main__":
    main()
