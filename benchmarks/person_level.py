"""What the column of rows per person costs and gives: errors for patients and for stays, with and without it.

The whole of `diabetes130` (71,518 patients, 101,766 stays), `adaptive`, three ways of bounding: rows that share one
person's weight with the column `_rows` (the default), the same without it, and four rows per person, each with weight
1. Mean total variation over all pairs of the table's own columns at their finest cells, against two truths: patients
(each stay of a patient with m stays counts 1/m) and stays (each counts 1), both of all rows, beyond the cap too.
Synthetic rows are taken as they are, and weighted so that they speak of the other kind.

Command: python benchmarks/person_level.py
"""

import argparse
import time
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from check_schemas import READERS
from record import record

from medsynth.encoding.codec import Codec
from medsynth.schema import Schema, build_schema, load_schema
from medsynth.schema.table import ROWS_COLUMN
from medsynth.synthesizer import Synthesizer

FloatArray = npt.NDArray[np.float64]
NAME = "diabetes130"
WAYS: dict[str, dict[str, Any]] = {
    "weight_counted": {"rule": "weight", "max": 10},
    "weight": {"rule": "weight", "max": 10, "count": False},
    "sample_4": {"rule": "sample", "max": 4},
}
EPSILONS = (1.0, 3.0)


def bounded(way: str) -> Schema:
    """The shipped schema under another bounding."""
    schema = load_schema(NAME)
    content = {name: getattr(schema, name) for name in Schema.model_fields}
    columns = {name: column for name, column in schema.columns.items() if name != ROWS_COLUMN}
    bounding = type(schema.privacy.bounding)(**WAYS[way])
    privacy = schema.privacy.model_copy(update={"bounding": bounding})
    return build_schema(content | {"columns": columns, "privacy": privacy})


def errors(
    real: npt.NDArray[np.int32],
    truths: dict[str, FloatArray],
    drawn: npt.NDArray[np.int32],
    kinds: dict[str, FloatArray],
    sizes: tuple[int, ...],
) -> dict[str, float]:
    """Mean distance over all pairs, for each truth and each weighting of the drawn rows."""
    found: dict[str, list[float]] = {f"{truth}_{kind}": [] for truth in truths for kind in kinds}
    for i, j in combinations(range(len(sizes)), 2):
        cells = sizes[i] * sizes[j]
        own, other = (codes[:, i].astype(np.int64) * sizes[j] + codes[:, j] for codes in (real, drawn))
        right = {truth: np.bincount(own, weights, cells) / weights.sum() for truth, weights in truths.items()}
        ours = {kind: np.bincount(other, weights, cells) / weights.sum() for kind, weights in kinds.items()}
        for truth in truths:
            for kind in kinds:
                found[f"{truth}_{kind}"].append(0.5 * float(np.abs(right[truth] - ours[kind]).sum()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def one_fit(frame: pd.DataFrame, way: str, epsilon: float, seed: int) -> dict[str, float]:
    """Fits, draws and compares."""
    began = time.perf_counter()
    synthesizer = Synthesizer(bounded(way), epsilon=epsilon).fit(frame)
    seconds = time.perf_counter() - began
    synthetic = synthesizer.sample(seed=seed)
    codec = Codec(schema=bounded("weight"))
    stays = frame.groupby("patient_nbr")["patient_nbr"].transform("size").to_numpy(dtype=np.float64)
    kinds = {"plain": np.ones(len(synthetic))}
    if ROWS_COLUMN in synthetic:
        kinds["weighted"] = synthetic[ROWS_COLUMN].to_numpy(dtype=np.float64)
    truths = {"patients": 1 / stays, "stays": np.ones(len(frame))}
    real, drawn = codec.encode(frame), codec.encode(synthetic)
    return {"seconds": seconds, **errors(real, truths, drawn, kinds, codec.domain.sizes)}


def apart(frame: pd.DataFrame) -> float:
    """How far the two truths lie from each other."""
    codec = Codec(schema=bounded("weight"))
    stays = frame.groupby("patient_nbr")["patient_nbr"].transform("size").to_numpy(dtype=np.float64)
    codes = codec.encode(frame)
    ones = np.ones(len(frame))
    return errors(codes, {"patients": 1 / stays}, codes, {"plain": ones}, codec.domain.sizes)["patients_plain"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    seeds = parser.parse_args().seeds
    frame = READERS[NAME]()
    values: dict[str, Any] = {"truths_apart": apart(frame)}
    for epsilon in EPSILONS:
        for way in WAYS:
            fits = []
            for seed in seeds:
                fits.append(one_fit(frame, way, epsilon, seed))
                print(epsilon, way, seed, fits[-1], flush=True)
            means = {key: float(np.mean([fit[key] for fit in fits])) for key in fits[0]}
            values.setdefault(f"epsilon_{epsilon:g}", {})[way] = means | {"runs": fits}
    record("person_level", values, command="python benchmarks/person_level.py", seeds=seeds)


if __name__ == "__main__":
    main()
