"""Compares ways of cutting numbers into bins, on public tables of which every number is treated alike.

    public_even         bounds from the shipped schema (documents), 64 bins of equal width
    private_even        bounds found under the budget, 64 bins of equal width between them
    private_quantiles   bounds and bins of about equal mass found under the budget

All else is public and the same in all arms: kinds, places, missing codes, categories. Four fifths of the rows are
fitted. Errors are measured on cells that no arm knows of: twentieths of all real rows, by number of the column, and
missing cells; for categories their values.

    numbers      mean total variation over pairs of numbers
    table        mean total variation over all pairs of columns
    wasserstein  mean over numbers of the mean distance between ranks among real rows (0 to 1)

Command: python benchmarks/binning.py [--tables NAME ...] [--epsilons E ...] [--seeds S ...]
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from check_schemas import READERS
from record import record

from medsynth.encoding.codec import Codec
from medsynth.encoding.raw import numbers
from medsynth.finding import Search
from medsynth.fitting import FitRequest, fit_model, open_ledger
from medsynth.progress import Silent
from medsynth.sampling.draw import draw
from medsynth.schema import Schema, build_schema, load_schema, parse_schema
from medsynth.sources.frame import FrameSource

ARMS = ("public_even", "private_even", "private_quantiles")
TABLES = ("support2", "thyroid", "credit_default")
FOUND = ("min", "max", "bins", "scale", "edges", "spikes")
PARTS = 20
Codes = dict[str, npt.NDArray[np.int64]]


def schema_of(name: str, arm: str, epsilon: float) -> Schema:
    """The shipped schema without rules and conditions, its numbers as the arm wants them."""
    shipped = load_schema(name)
    plain = shipped.self_contained().model_dump(exclude_unset=True)
    columns = {key: _described(plain["columns"][key], arm) for key in shipped.modelled}
    privacy = {"rows_are_persons": True, "persons": shipped.privacy.persons, "epsilon": epsilon}
    return build_schema({"medsynth": 1, "dataset": {"name": name}, "privacy": privacy, "columns": columns})


def _described(column: dict[str, Any], arm: str) -> dict[str, Any]:
    if column["kind"] not in {"integer", "decimal"}:
        return column
    if arm == "public_even":
        return {key: value for key, value in column.items() if key not in {"bins", "scale", "edges", "spikes"}}
    return {key: value for key, value in column.items() if key not in FOUND} | {"source": "private"}


def synthetic(train: pd.DataFrame, arm: str, schema: Schema, seed: int) -> pd.DataFrame:
    """Rows drawn from a fit of one arm, as many as were fitted."""
    search = Search(bins="even" if arm == "private_even" else "quantiles")
    file = fit_model(FrameSource(frame=train), FitRequest(schema=schema), open_ledger(schema), Silent(), search=search)
    codec = Codec(schema=parse_schema(file.schema))
    return draw(file.fitted, codec, len(train), np.random.default_rng(seed)).frame


class Scale:
    """Cells and ranks of one number, from all real rows."""

    def __init__(self, values: pd.Series[Any], missing: list[str]) -> None:
        codes = numbers(pd.Series(missing, dtype=object))
        self._missing = codes[~np.isnan(codes)]
        known = self.read(values)
        self.known = np.sort(known[~np.isnan(known)])
        self.edges = np.unique(np.quantile(self.known, np.arange(1, PARTS) / PARTS))

    def read(self, values: pd.Series[Any]) -> npt.NDArray[np.float64]:
        """Numbers, NaN where missing."""
        read = numbers(values)
        return np.where(np.isin(read, self._missing), np.nan, read)

    def cells(self, values: pd.Series[Any]) -> npt.NDArray[np.int64]:
        """Cells (n,); the last is missing."""
        read = self.read(values)
        # A value that is an edge has a side of its own: half of a heap must not fall to each.
        cells = np.searchsorted(self.edges, read, "left") + np.searchsorted(self.edges, read, "right")
        return np.where(np.isnan(read), 2 * len(self.edges) + 1, cells)

    def distance(self, one: pd.Series[Any], other: pd.Series[Any]) -> float:
        """Mean distance between the ranks of two columns; 1 where one of them is empty."""
        ranks = []
        for values in (one, other):
            read = self.read(values)
            read = np.sort(read[~np.isnan(read)])
            if not len(read):
                return 1.0
            sides = [np.searchsorted(self.known, read, side) for side in ("left", "right")]
            place = (sides[0] + sides[1]) / (2 * len(self.known))
            ranks.append(np.quantile(place, np.linspace(0, 1, 1001)))
        return float(np.abs(ranks[0] - ranks[1]).mean())


def measured(real: pd.DataFrame, released: pd.DataFrame, schema: Schema, scales: dict[str, Scale]) -> dict[str, float]:
    """The three errors against one set of real rows."""
    plain = Codec(schema=schema)
    tables = [_codes(frame, plain, scales) for frame in (real, released)]
    sizes = {name: 1 + max(int(codes[name].max(initial=0)) for codes in tables) for name in tables[0]}
    pairs = {pair: _tv(tables, pair, sizes) for pair in itertools.combinations(sizes, 2)}
    return {
        "numbers": float(np.mean([tv for pair, tv in pairs.items() if set(pair) <= set(scales)])),
        "table": float(np.mean(list(pairs.values()))),
        "wasserstein": float(np.mean([s.distance(real[name], released[name]) for name, s in scales.items()])),
    }


def _codes(frame: pd.DataFrame, codec: Codec, scales: dict[str, Scale]) -> Codes:
    codes = codec.encode(frame)
    return {
        name: scales[name].cells(frame[name]) if name in scales else codes[:, k].astype(np.int64)
        for k, name in enumerate(codec.domain.names)
    }


def _tv(tables: list[Codes], pair: tuple[str, str], sizes: dict[str, int]) -> float:
    shares = []
    for codes in tables:
        flat = codes[pair[0]] * sizes[pair[1]] + codes[pair[1]]
        shares.append(np.bincount(flat, minlength=sizes[pair[0]] * sizes[pair[1]]) / len(flat))
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def compare(name: str, epsilon: float, seeds: list[int]) -> dict[str, Any]:
    """Mean errors of every arm over the seeds, against fitted and held-out rows."""
    frame, public = READERS[name](), schema_of(name, "public_even", epsilon)
    described = {key: column for key, column in public.columns.items() if column.kind in {"integer", "decimal"}}
    scales = {key: Scale(frame[key], sorted(column.missing_texts)) for key, column in described.items()}
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for seed, arm in itertools.product(seeds, ARMS):
        out = np.random.default_rng(seed).random(len(frame)) < 0.2
        train, held = frame[~out].reset_index(drop=True), frame[out].reset_index(drop=True)
        released = synthetic(train, arm, schema_of(name, arm, epsilon), seed)
        errors = {
            part: measured(rows, released, public, scales) for part, rows in (("train", train), ("holdout", held))
        }
        found[arm].append(
            {f"{part}.{key}": value for part, figures in errors.items() for key, value in figures.items()}
        )
        print(name, epsilon, seed, arm, {key: round(value, 4) for key, value in found[arm][-1].items()}, flush=True)
    return {arm: _means(runs) for arm, runs in found.items()}


def _means(runs: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    nested: dict[str, dict[str, float]] = {}
    for key in runs[0]:
        part, _, figure = key.partition(".")
        nested.setdefault(part, {})[figure] = float(np.mean([run[key] for run in runs]))
    return nested


def summary(values: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Geometric mean over tables and epsilons of each arm's error beside that of equal widths on public bounds."""
    found: dict[str, dict[str, float]] = {}
    cases = [case for by_epsilon in values.values() for case in by_epsilon.values()]
    for arm in ARMS[1:]:
        for part, figure in itertools.product(("train", "holdout"), ("numbers", "table", "wasserstein")):
            logs = [np.log(case[arm][part][figure] / case[ARMS[0]][part][figure]) for case in cases]
            found.setdefault(arm, {})[f"{part}_{figure}"] = float(np.exp(np.mean(logs)))
    return found


def main() -> None:
    """Runs the comparison and keeps it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=TABLES)
    parser.add_argument("--epsilons", nargs="*", type=float, default=[1.0, 3.0])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    given = parser.parse_args()
    values = {
        name: {f"epsilon_{epsilon:g}": compare(name, epsilon, given.seeds) for epsilon in given.epsilons}
        for name in given.tables
    }
    ratios = summary(values)
    print(ratios)
    record(
        "binning", values | {"ratio_to_public_even": ratios}, command="python benchmarks/binning.py", seeds=given.seeds
    )


if __name__ == "__main__":
    main()
