"""How long an evaluation takes, and whether its controls hold on real tables.

  speed      every fidelity metric and every attack on 100,000 training and 100,000 synthetic rows of 20 columns: 20
             columns of `diabetes130`, four fifths of the patients for training, of whom whole patients are drawn
             again until there are 100,000 rows; the rest (about 20,000 rows) held out. Nothing is jittered. The
             synthetic table is the training table with a fifth of its cells taken from other rows. Seconds of the
             clock and of the processor; one thread if the machine gives no more.
  controls   the distribution figures on real tables over seeds. A `second_sample` is released: a fifth of the persons,
             none of them in train or holdout; each figure should lie within noise of its ceiling. `independent`
             columns are released: figures of columns taken together should lie at their floor. `gap` is the
             distance to that mark, in halves of the figure's own 95 % interval, the mean over seeds; `worst` the
             largest. The mark is drawn, too, so about 1.4 is noise, and single ones reach 2 to 3.

Command: python benchmarks/evaluation.py [--seeds ...] [--tables ...] [--dry]
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from check_schemas import READERS
from record import record, usable_processors

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity import FIDELITY
from medsynth.holdout import compare
from medsynth.leakage import ATTACKS
from medsynth.schema import Schema, build_schema, load_schema, uncounted
from medsynth.score import Score
from medsynth.testing import independent_columns, jittered_copy

ROWS = 100_000
SEED = 1
COLUMNS = [
    "race",
    "gender",
    "age",
    "admission_type_id",
    "discharge_disposition_id",
    "admission_source_id",
    "time_in_hospital",
    "payer_code",
    "medical_specialty",
    "num_lab_procedures",
    "num_procedures",
    "num_medications",
    "number_emergency",
    "number_inpatient",
    "diag_1",
    "diag_2",
    "number_diagnoses",
    "A1Cresult",
    "insulin",
    "readmitted",
]
DISTRIBUTIONS = ("marginals", "numbers", "missingness", "associations", "extremes", "coverage", "telling_apart")
JOINT = (
    "fidelity.tv2.holdout",
    "fidelity.tv3.holdout",
    "fidelity.association.holdout",
    "fidelity.missing_patterns.holdout",
    "fidelity.coverage",
    "fidelity.density",
    "fidelity.classifier.auc",
)
"""Figures of columns taken together: independent columns lie at their floor."""
TABLES = ("adult", "support2", "diabetes130")
KEY = bytes(64)
Persons = npt.NDArray[np.intp]


def narrowed() -> Schema:
    """`diabetes130` with 20 of its columns and without the sections that need others."""
    schema = uncounted(load_schema("diabetes130"))
    kept = {name: column for name, column in schema.columns.items() if name in COLUMNS or column.kind == "id"}
    sections = ("medsynth", "dataset", "privacy", "utility")
    return build_schema({name: getattr(schema, name) for name in sections} | {"columns": kept})


def persons_of(frame: pd.DataFrame, schema: Schema) -> Persons:
    """Number of each row's person."""
    unit = schema.privacy.unit
    return np.arange(len(frame)) if unit is None else np.asarray(pd.factorize(frame[unit])[0])


def drawn_again(frame: pd.DataFrame, unit: str, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of whole persons drawn with replacement, each draw a person of its own."""
    number = pd.factorize(frame[unit])[0]
    order, counts = np.argsort(number, kind="stable"), np.bincount(number)
    starts = np.cumsum(counts) - counts
    people = rng.integers(0, len(counts), ROWS)
    people = people[: int(np.searchsorted(np.cumsum(counts[people]), ROWS)) + 1]
    rows = np.concatenate([order[starts[person] : starts[person] + counts[person]] for person in people])
    return frame.iloc[rows].assign(**{unit: np.repeat(np.arange(len(people)), counts[people])}).iloc[:ROWS]


def large() -> Comparison:
    """The comparison that is timed."""
    schema, rng = narrowed(), np.random.default_rng(SEED)
    unit = str(schema.privacy.unit)
    frame = READERS["diabetes130"]()[list(schema.columns)]
    persons = persons_of(frame, schema)
    out = (rng.random(persons.max() + 1) < 0.2)[persons]
    train = drawn_again(frame[~out], unit, rng)
    synthetic = jittered_copy(train[COLUMNS], ROWS, rng, cells=0.2)
    return compare(train, frame[out], synthetic, codec=Codec(schema=schema), key=KEY, claim=None)


def speed() -> dict[str, Any]:
    """Seconds of each evaluator; the first also pays for coding the rows, as in a run."""
    comparison = large()
    found: dict[str, dict[str, float]] = {}
    for registry in (FIDELITY, ATTACKS):
        for name in registry:
            clock, processor = time.perf_counter(), time.process_time()
            registry[name]().evaluate(comparison, np.random.default_rng(SEED))
            found[name] = {"seconds": time.perf_counter() - clock, "cpu_seconds": time.process_time() - processor}
            print(f"  {name:20} {found[name]['seconds']:7.2f} s {found[name]['cpu_seconds']:7.2f} s of processor")
    sums = {"distributions": DISTRIBUTIONS, "whole": tuple(found)}
    return {
        "rows": {part: len(comparison.frame(part)) for part in ("train", "holdout", "synthetic")},
        "columns": len(comparison.domain),
        "processors": usable_processors(),
        **{name: _summed(found[one] for one in ones) for name, ones in sums.items()},
        "evaluators": found,
    }


def _summed(times: Any) -> dict[str, float]:
    times = list(times)
    return {kind: sum(one[kind] for one in times) for kind in ("seconds", "cpu_seconds")}


def controls(table: str, seed: int) -> dict[str, dict[str, float]]:
    """Of each figure: (value - mark) in halves of its interval; positive is worse."""
    schema = uncounted(load_schema(table))
    frame, rng = READERS[table](), np.random.default_rng(seed)
    persons = persons_of(frame, schema)
    fifth = rng.integers(0, 5, persons.max() + 1)[persons]
    train, holdout, third = frame[fifth < 3], frame[fifth == 3], frame[fifth == 4]
    codec = Codec(schema=schema)
    whole = compare(train, holdout, third, codec=codec, key=KEY, claim=None)
    # A released sample of real rows counts persons as they are counted in the real tables.
    weighed = compare(train, third, third, codec=codec, key=KEY, claim=None)
    sample = _released(whole, weighed.holdout, weighed.holdout_weights)
    free = independent_columns(_drawn(whole, rng), len(third), rng)
    return {
        "second_sample": _gaps(sample, lambda score: score.ceiling, None, rng),
        "independent": _gaps(_released(whole, free, np.ones(len(free))), lambda score: score.baseline, JOINT, rng),
    }


def _drawn(comparison: Comparison, rng: np.random.Generator) -> pd.DataFrame:
    """Training rows drawn in proportion to their weights, the modelled columns."""
    weights = comparison.train_weights
    rows = rng.choice(len(weights), len(weights), p=weights / weights.sum())
    return comparison.train[list(comparison.domain.names)].iloc[rows].reset_index(drop=True)


def _released(comparison: Comparison, synthetic: pd.DataFrame, weights: npt.NDArray[np.float64]) -> Comparison:
    parts = {part: comparison.frame(part) for part in ("train", "holdout")}
    own = {f"{part}_weights": comparison.weights(part) for part in ("train", "holdout")}
    return Comparison(**parts, **own, synthetic=synthetic, synthetic_weights=weights, codec=comparison.codec)


def _gaps(comparison: Comparison, mark: Any, names: Sequence[str] | None, rng: np.random.Generator) -> dict[str, float]:
    evaluations = [FIDELITY[name]().evaluate(comparison, rng) for name in DISTRIBUTIONS]
    scores = [score for one in evaluations for score in one.scores if not score.name.endswith(".train")]
    return {score.name: _gap(score, mark(score)) for score in scores if _counts(score, names)}


def _counts(score: Score, names: Sequence[str] | None) -> bool:
    return score.value is not None and (names is None or score.name in names)


def _gap(score: Score, mark: float) -> float:
    half = max((score.high or 0.0) - (score.low or 0.0), 1e-9) / 2
    return ((score.value or 0.0) - mark) * (1 if score.better == "lower" else -1) / half


def summarised(runs: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Mean and largest gap over seeds of each figure."""
    return {
        control: {
            name: {
                "gap": float(np.mean([run[control][name] for run in runs])),
                "worst": float(np.max(np.abs([run[control][name] for run in runs]))),
            }
            for name in runs[0][control]
            if all(name in run[control] for run in runs)
        }
        for control in runs[0]
    }


def main() -> None:
    """Measures and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--tables", nargs="*", choices=TABLES, default=list(TABLES))
    parser.add_argument("--no-speed", action="store_true", help="controls alone; nothing is recorded")
    parser.add_argument("--dry", action="store_true", help="print, do not record")
    arguments = parser.parse_args()
    values: dict[str, Any] = {} if arguments.no_speed else {"speed": speed()}
    values["controls"] = {}
    for table in arguments.tables:
        began = time.process_time()
        values["controls"][table] = summarised([controls(table, seed) for seed in arguments.seeds])
        print(f"  {table}: {time.process_time() - began:.0f} s of processor")
    print(json.dumps(values, indent=2))
    if not (arguments.dry or arguments.no_speed):
        record("evaluation", values, command="python benchmarks/evaluation.py", seeds=[SEED, *arguments.seeds])


if __name__ == "__main__":
    main()
