"""The leak suite: what it costs at 100,000 rows of 20 columns, and how often it speaks, rightly and wrongly.

Cost: every attack and the verdict, seconds and peak memory, on a table of which 1 % are verbatim training rows; its
probabilities, by name. Power: for each known-bad generator of `medsynth.testing`, the share of seeds in which its named
attack speaks at `LEVEL` and where the verdict says LEAK. Calm: for each known-good table, the share of seeds where
the verdict does not, and in which it finds nothing at the family-wise level 0.05 either. `epsilon_1` is a fit of
`adaptive` at epsilon 1 on the same persons, whose membership is held against the cap.

Of a few thousand persons independent columns tell a little: the known-marginal attack sees that shares are exact.

Command: python benchmarks/leaks.py [--rows 100000] [--seeds 20] [--persons 10000] [--dry]
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from record import record

from medsynth import testing
from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fitting import FitRequest, bounding_key, claim_of, fit_model, open_ledger
from medsynth.holdout import compare
from medsynth.judging import attack
from medsynth.progress import Silent
from medsynth.releasing import codec_of
from medsynth.sampling.draw import Drawing, gathered
from medsynth.schema import Schema
from medsynth.score import Score
from medsynth.sources.frame import FrameSource

LEVEL, DOUBT = 0.001, 0.05
AGAIN = ("stay", "charge", "chronic_1", "chronic_2", "ward", "died")
"""Columns that the wide table holds a second time, of other people."""
GROUPS = [{"name": "women", "where": "sex == 'F'"}, {"name": "old", "where": "age == '80+'"}]
NAMED = {
    "full_copy": "leak.copies.exact_p",
    "jittered_copy": "leak.copies.near_p",
    "copies_5_percent": "leak.copies.exact_p",
    "copies_1_percent": "leak.copies.exact_p",
    "neighbour_memory": "leak.copies.near_p",
}
Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def wide(rows: int, seed: int) -> pd.DataFrame:
    """Simulated patients with 20 modelled columns."""
    first, second = (testing.simulated_patients(rows, np.random.default_rng([seed, part])) for part in range(2))
    return first.assign(**{f"again_{name}": second[name].array for name in AGAIN})


def wide_schema(persons: int) -> Schema:
    """The description of `wide`, with two subgroups."""
    columns = testing.simulated_schema().model_dump(exclude_none=True)["columns"]
    return testing.simulated_schema(
        persons, columns=columns | {f"again_{name}": columns[name] for name in AGAIN}, subgroups=GROUPS
    )


def compared(tables: Tables, synthetic: pd.DataFrame, codec: Codec) -> Comparison:
    """A comparison in which every row is a person."""
    train, holdout, _ = tables
    return Comparison(
        train=train,
        holdout=holdout,
        synthetic=synthetic.drop(columns="person"),
        train_weights=np.ones(len(train)),
        holdout_weights=np.ones(len(holdout)),
        synthetic_weights=np.ones(len(synthetic)),
        codec=codec,
    )


def scored(comparison: Comparison) -> dict[str, Score]:
    """Every score of every attack."""
    return {score.name: score for found in attack(comparison, Silent()).values() for score in found.scores}


def cost(rows: int) -> dict[str, Any]:
    """Seconds and memory of the whole suite, and what it said of 1 % verbatim copies."""
    tables = wide(rows, 1), wide(rows // 2, 2), wide(rows, 3)
    released = testing.partial_copy(tables[0], rows, np.random.default_rng(4), share=0.01, rest=tables[2])
    comparison = compared(tables, released, Codec(schema=wide_schema(rows)))
    wall, processor = time.perf_counter(), time.process_time()
    found = scored(comparison)
    return {
        "rows": rows,
        "columns": len(comparison.domain),
        "seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - processor,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "p": {name: score.value for name, score in found.items() if name.endswith("p") and score.value is not None},
        "verdict": found["leak.verdict"].value,
    }


def bad(tables: Tables, persons: int, rng: np.random.Generator) -> dict[str, Callable[[], pd.DataFrame]]:
    """Generators that must be caught."""
    train, _, rest = tables
    return {
        "full_copy": lambda: testing.full_copy(train, persons, rng),
        "jittered_copy": lambda: testing.jittered_copy(train, persons, rng),
        "copies_5_percent": lambda: testing.partial_copy(train, persons, rng, share=0.05, rest=rest),
        "copies_1_percent": lambda: testing.partial_copy(train, persons, rng, share=0.01, rest=rest),
        "neighbour_memory": lambda: testing.neighbour_memory(train, persons, rng),
    }


def good(tables: Tables, persons: int, rng: np.random.Generator) -> dict[str, Callable[[], pd.DataFrame]]:
    """Generators that must pass."""
    return {
        "independent_columns": lambda: testing.independent_columns(tables[0], persons, rng),
        "second_sample": lambda: testing.second_sample(tables[2], persons, rng),
    }


def private(tables: Tables, schema: Schema, seed: int) -> Comparison:
    """A fit at epsilon 1, and what it claims."""
    ledger = open_ledger(schema)
    file = fit_model(FrameSource(frame=tables[0]), FitRequest(schema=schema, epsilon=1.0), ledger, Silent())
    rows = gathered(Drawing(file.fitted, codec_of(file), len(tables[0]), np.random.default_rng(seed)))
    parts = tables[0], tables[1], rows
    return compare(*parts, codec=codec_of(file), key=bounding_key(ledger), claim=claim_of(file))


def controls(persons: int, seeds: int) -> dict[str, Any]:
    """Shares of seeds."""
    schema = testing.simulated_schema(persons, subgroups=GROUPS)
    codec = Codec(schema=schema)
    told: dict[str, list[dict[str, bool]]] = {}
    for seed in range(seeds):
        rows = testing.simulated_patients(3 * persons, np.random.default_rng([seed, 99]))
        tables = rows[:persons], rows[persons : 2 * persons], rows[2 * persons :]
        rng = np.random.default_rng(seed)
        for name, made in bad(tables, persons, rng).items():
            found = scored(compared(tables, made(), codec))
            caught = value(found, NAMED[name]) < LEVEL
            told.setdefault(name, []).append({"named": caught, "verdict": value(found, "leak.verdict") < LEVEL})
        calm = {name: compared(tables, made(), codec) for name, made in good(tables, persons, rng).items()}
        for name, comparison in (calm | {"epsilon_1": private(tables, schema, seed)}).items():
            verdict = value(scored(comparison), "leak.verdict")
            told.setdefault(name, []).append({"passed": verdict >= LEVEL, "nothing_at_5_percent": verdict >= DOUBT})
        print(seed, json.dumps({name: entries[-1] for name, entries in told.items()}), flush=True)
    return {
        name: {key: float(np.mean([entry[key] for entry in entries])) for key in entries[0]}
        for name, entries in told.items()
    }


def value(found: dict[str, Score], name: str) -> float:
    """A score's figure; 1 where it could not be told."""
    figure = found[name].value
    return 1.0 if figure is None else figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--persons", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--dry", action="store_true", help="print, record nothing")
    options = parser.parse_args()
    values: dict[str, Any] = {"cost": cost(options.rows)}
    print(json.dumps(values["cost"], indent=1), flush=True)
    values["controls"] = {"persons": options.persons, **controls(options.persons, options.seeds)}
    print(json.dumps(values["controls"], indent=1), flush=True)
    if not options.dry:
        record("leaks", values, command="python benchmarks/leaks.py", seeds=range(options.seeds))


if __name__ == "__main__":
    main()
