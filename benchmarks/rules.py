"""What rules cost: violations in a million rows, rows repaired, and the error of pairs beside a fit without rules.

The raw Adult and Diabetes-130 tables from `../shared/data` under their shipped schemas, and SUPPORT2, whose rules
compare numbers. Fits alternate with and without `rules`, because noise differs from fit to fit; in these schemas no
rule changes a cell, so both are measured alike.

  draw   rows of a million that break a rule; share of those whose cells were changed so that none does, and of those
         whose numbers were drawn again inside their cells
  tv2    mean total variation distance over pairs of columns, as many rows drawn as there are real ones, means over the
         fits; `standard_error` is that of `excess`, what rules add as a share

Command: python benchmarks/rules.py [--tables ...] [--fits N] [--rows N] [--dry]
"""

import argparse
import json
import time
from typing import Any

import numpy as np
import pandas as pd
from check_schemas import READERS
from record import record
from upsampling import distance

from medsynth.encoding.codec import Codec
from medsynth.models.model_file import ModelFile
from medsynth.sampling.draw import Drawing, draw
from medsynth.sampling.repair import lawful
from medsynth.schema import Schema, load_schema
from medsynth.synthesizer import Synthesizer

EPSILON = 1.0
TABLES = {"adult": (5, 1_000_000), "diabetes130": (2, 1_000_000), "support2": (2, 200_000)}
"""How often each is fitted with rules, and without; rows of the long draw."""


def million(file: ModelFile, codec: Codec, rows: int) -> dict[str, float]:
    """One long draw, chunk by chunk."""
    began = time.perf_counter()
    drawing = Drawing(file.fitted, codec, rows, np.random.default_rng(0))
    violations = 0
    for frame in drawing:
        violations += int((~lawful(frame, codec)).sum())
    return {
        "rows": rows,
        "violations": violations,
        "repaired": drawing.summary.repaired,
        "redrawn_inside_cells": drawing.summary.redrawn,
        "seconds": time.perf_counter() - began,
    }


def error(file: ModelFile, drawn_by: Codec, judged_by: Codec, real: np.ndarray, seed: int) -> float:
    """Mean distance over pairs, both codecs having the same columns."""
    frame = draw(file.fitted, drawn_by, len(real), np.random.default_rng(seed)).frame
    return distance(real, judged_by.encode(frame), np.ones(len(real)), judged_by.domain.sizes)


def one_table(name: str, fits: int, rows: int) -> dict[str, Any]:
    """Fits with and without rules, in turn."""
    schema, frame = load_schema(name), READERS[name]()
    bare = schema.model_copy(update={"rules": ()})
    codecs = {True: Codec(schema=schema), False: Codec(schema=bare)}
    real = codecs[True].encode(with_counted_rows(frame, schema))
    errors: dict[bool, list[float]] = {True: [], False: []}
    seconds: dict[bool, list[float]] = {True: [], False: []}
    long: dict[str, float] = {}
    for seed in range(fits):
        for ruled in (True, False):
            began = time.perf_counter()
            file = Synthesizer(schema if ruled else bare, epsilon=EPSILON).fit(frame).model_
            seconds[ruled].append(time.perf_counter() - began)
            errors[ruled].append(error(file, codecs[ruled], codecs[True], real, seed))
            if ruled and not seed:
                long = million(file, codecs[True], rows)
    return {"draw": long, "tv2": comparison(errors), "fit_seconds": {
        "with_rules": float(np.mean(seconds[True])), "without_rules": float(np.mean(seconds[False]))
    }, "fits": fits}  # fmt: skip


def comparison(errors: dict[bool, list[float]]) -> dict[str, float]:
    """Means, and how far the one lies above the other, as a share of the error without rules."""
    ruled, bare = (np.array(errors[key]) for key in (True, False))
    spread = np.sqrt((ruled.var(ddof=1) + bare.var(ddof=1)) / len(ruled)) if len(ruled) > 1 else 0.0
    return {
        "with_rules": float(ruled.mean()),
        "without_rules": float(bare.mean()),
        "excess": float(ruled.mean() / bare.mean() - 1),
        "standard_error": float(spread / bare.mean()),
    }


def with_counted_rows(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The table with the column of rows per person, where the schema has one."""
    unit = schema.privacy.unit
    if unit is None or not schema.privacy.counts_rows:
        return frame
    counts = frame.groupby(unit)[unit].transform("size").clip(upper=schema.privacy.bounding.max)
    return frame.assign(_rows=counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--fits", type=int, help="fits of each kind; by default more of small tables")
    parser.add_argument("--rows", type=int, help="of the long draw; by default fewer of SUPPORT2")
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    options = parser.parse_args()
    values = {}
    for name in options.tables:
        fits, rows = TABLES[name]
        values[name] = one_table(name, options.fits or fits, options.rows or rows)
        print(name, json.dumps(values[name], indent=1), flush=True)
    if not options.dry:
        record("rules", values, command="python benchmarks/rules.py", seeds=range(5))


if __name__ == "__main__":
    main()
