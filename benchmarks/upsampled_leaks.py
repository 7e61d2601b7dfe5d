"""The attacks on files whose rare conditions were raised, beside the same attacks on a plain file of the same model.

For each table: a fit of `adaptive` on 80 % of the persons at epsilon 1, then a file in which the rare conditions that
stand out from the noise are raised to ten times their share (at most 30 % each, 60 % together), and a plain one.
Of every attack: its figure with interval, the cap from the guarantee, and its control (the holdout's own copies).
`within` says that the interval's lower end lies at or below the cap, or, without a cap, at or below the control;
of a p-value that it is at least 5 %.

Command: python benchmarks/upsampled_leaks.py [--tables adult diabetes130 support2 thyroid] [--dry]
"""

import argparse
import json
from typing import Any

import numpy as np
import pandas as pd
from check_schemas import READERS
from record import record

from medsynth.encoding.condition import compile_condition
from medsynth.errors import UsageError
from medsynth.fitting import FitRequest, bounding_key, claim_of, fit_model, open_ledger
from medsynth.holdout import Tables, compare
from medsynth.judging import attack
from medsynth.models.model_file import ModelFile
from medsynth.progress import Silent
from medsynth.releasing import codec_of
from medsynth.sampling.draw import Drawing, gathered
from medsynth.sampling.how import unsupported
from medsynth.schema import load_schema
from medsynth.score import Score
from medsynth.sources.frame import FrameSource

TABLES = ("adult", "diabetes130", "support2", "thyroid")
EPSILON = 1.0
TIMES, MOST, TOGETHER = 10, 0.3, 0.6
LEVEL = 0.05
SEED = 1


def attacked(name: str, frame: pd.DataFrame) -> dict[str, Any]:
    """One table: the attacks on its raised and on its plain file."""
    schema = load_schema(name)
    ledger = open_ledger(schema)
    tables = Tables(train=None, holdout_share=0.2)  # type: ignore[arg-type] - the rows are at hand
    train, held = tables.split(frame, schema, ledger)
    file = fit_model(FrameSource(frame=train), FitRequest(schema=schema, epsilon=EPSILON), ledger, Silent())
    codec, found = codec_of(file), {}
    raised = shares(file)
    for kind, upsample in (("raised", raised), ("plain", {})):
        rng = np.random.default_rng(SEED)
        rows = gathered(Drawing(file.fitted, codec, schema.privacy.persons, rng, upsample=upsample))
        comparison = compare(train, held, rows, codec=codec, key=bounding_key(ledger), claim=claim_of(file))
        scores = [score for evaluation in attack(comparison, Silent()).values() for score in evaluation.scores]
        found[kind] = {score.name: told(score) for score in scores if score.value is not None}
    return {"shares": raised, **found}


def shares(file: ModelFile) -> dict[str, float]:
    """What conditions that stand out from the noise are raised to, one after the other as long as they go together."""
    codec = codec_of(file)
    left = unsupported(file.fitted, [rare.name for rare in codec.schema.rare])
    kept: dict[str, float] = {}
    for rare in codec.schema.rare:
        share = file.fitted.share(compile_condition(codec.schema.rare_predicates[rare.name], codec))
        wished = kept | {rare.name: min(MOST, TIMES * share)}
        if rare.name not in left and sum(wished.values()) <= TOGETHER and together(file, wished):
            kept = wished
    return kept


def together(file: ModelFile, wished: dict[str, float]) -> bool:
    """Whether one file can hold all these shares: conditions may contain each other."""
    try:
        Drawing(file.fitted, codec_of(file), 1000, np.random.default_rng(SEED), upsample=wished)
    except UsageError:
        return False
    return True


def told(score: Score) -> dict[str, Any]:
    """A figure with what it is held against."""
    low = score.value if score.low is None else score.low
    capped = "membership" in score.name and score.ceiling is not None
    control = score.baseline if score.baseline is not None else 0.0
    within = low <= score.ceiling if capped else low <= control  # type: ignore[operator]
    if score.name.endswith(("_p", ".p", ".verdict")):  # the verdict is the smallest of them, adjusted for their number
        control, within = LEVEL, score.value >= LEVEL  # type: ignore[operator]
    return {
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "cap": score.ceiling if capped else None,
        "control": control,
        "within": bool(within),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--dry", action="store_true", help="print, record nothing")
    options = parser.parse_args()
    values: dict[str, Any] = {"epsilon": EPSILON}
    for name in options.tables:
        values[name] = attacked(name, READERS[name]())
        print(name, json.dumps(values[name], indent=1), flush=True)
    if not options.dry:
        record("upsampled_leaks", values, command="python benchmarks/upsampled_leaks.py", seeds=[SEED])


if __name__ == "__main__":
    main()
