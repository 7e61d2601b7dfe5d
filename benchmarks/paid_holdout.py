"""Figures on held-out persons that are paid for, beside the raw ones, to see whether they are near enough to decide by.

A fit at each epsilon on 80 % of the persons of a table; then the figures are paid for with the same epsilon of the
other 20 %, REPEATS times with fresh noise. Of each figure: the raw value, how far the paid ones lie from it on average
and at most, and how many of their intervals hold it. A limit that lies further from the raw figure than `at_most` is
decided alike by all of them.

Command: python benchmarks/paid_holdout.py [--tables adult diabetes130 support2 thyroid] [--dry]
"""

import argparse
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from check_schemas import READERS
from record import record

from medsynth.fitting import FitRequest, bounding_key, claim_of, fit_model, open_ledger
from medsynth.holdout import FITTED, Tables, compare
from medsynth.paying import allowance_for_figures, figures_on_held_out
from medsynth.progress import Silent
from medsynth.releasing import codec_of
from medsynth.sampling.draw import Drawing, gathered
from medsynth.schema import load_schema
from medsynth.sources.frame import FrameSource

TABLES = ("adult", "diabetes130", "support2", "thyroid")
EPSILONS = (1.0, 3.0)
REPEATS = 20
SEED = 1
FIGURES = ("fidelity.tv1", "fidelity.tv2", "utility.auc", "utility.brier")


def paid(name: str, frame: pd.DataFrame, epsilon: float) -> dict[str, Any]:
    """One table at one epsilon."""
    schema = load_schema(name)
    request = FitRequest(schema=schema, epsilon=epsilon)
    tables = Tables(train=None, holdout_share=0.2)  # type: ignore[arg-type] - the rows are at hand
    ledger = open_ledger(schema)
    ledger.set_limit(100.0)
    train, held = tables.split(frame, schema, ledger)
    file = fit_model(FrameSource(frame=train), FitRequest(**vars(request) | {"part": tables.side(FITTED)}),
                     ledger, Silent())  # fmt: skip
    codec = codec_of(file)
    rows = gathered(Drawing(file.fitted, codec, schema.privacy.persons, np.random.default_rng(SEED)))
    comparison = compare(train, held, rows, codec=codec, key=bounding_key(ledger), claim=claim_of(file))
    found = [
        {score.name: score for score in figures.scores}
        for figures in (
            figures_on_held_out(comparison, held, allowance_for_figures(epsilon, request, tables, ledger))
            for _ in range(REPEATS)
        )
    ]
    return {
        "persons": len(held) if schema.privacy.unit is None else int(held[schema.privacy.unit].nunique()),
        **{figure: summary([scores for scores in found if f"{figure}.paid" in scores], figure) for figure in FIGURES},
    }


def summary(found: list[Mapping[str, Any]], figure: str) -> dict[str, Any]:
    """How far the paid figures lie from the raw one."""
    told = [scores for scores in found if scores[f"{figure}.paid"].value is not None]
    if not told:
        return {"told": 0}
    raw = float(told[0][f"{figure}.paid_raw"].value)
    gaps = np.array([abs(scores[f"{figure}.paid"].value - raw) for scores in told])
    held = [scores[f"{figure}.paid"].low <= raw <= scores[f"{figure}.paid"].high for scores in told]
    widths = [scores[f"{figure}.paid"].high - scores[f"{figure}.paid"].low for scores in told]
    return {
        "told": len(told),
        "raw": raw,
        "on_average": float(gaps.mean()),
        "at_most": float(gaps.max()),
        "held": float(np.mean(held)),
        "width": float(np.mean(widths)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--dry", action="store_true", help="print, record nothing")
    options = parser.parse_args()
    values: dict[str, Any] = {"repeats": REPEATS}
    for name in options.tables:
        frame = READERS[name]()
        values[name] = {f"epsilon_{epsilon:g}": paid(name, frame, epsilon) for epsilon in EPSILONS}
        print(name, json.dumps(values[name], indent=1), flush=True)
    if not options.dry:
        record("paid_holdout", values, command="python benchmarks/paid_holdout.py", seeds=[SEED])


if __name__ == "__main__":
    main()
