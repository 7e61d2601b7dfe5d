import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.decay import measure_decay
from medsynth.schema import parse_schema

SCHEMA = """
medsynth: 1
dataset: {name: worked}
privacy: {rows_are_persons: true, persons: 400}
columns:
  number: {kind: integer, min: 0, max: 9, bins: 10}
  letter: {kind: category, values: [a, b, c]}
rare: [{name: c, where: "letter == 'c'"}]
utility: {target: letter, positive: a}
"""


def table(numbers: list[int], letters: str) -> pd.DataFrame:
    return pd.DataFrame({"number": np.array(numbers, dtype=float), "letter": list(letters)})


def comparison(synthetic: pd.DataFrame, train: pd.DataFrame) -> Comparison:
    holdout = table([0, 9] * 100, "ab" * 100)
    weights = {f"{name}_weights": np.ones(len(frame)) for name, frame in (("train", train), ("holdout", holdout))}
    return Comparison(
        train=train,
        holdout=holdout,
        synthetic=synthetic,
        **weights,
        synthetic_weights=np.ones(len(synthetic)),
        codec=Codec(schema=parse_schema(SCHEMA)),
    )


TRAIN = table([0] * 199 + [9] * 200 + [5], "a" * 200 + "b" * 198 + "cc")


def test_the_real_table_lies_at_no_distance_from_itself():
    figures = measure_decay(comparison(TRAIN, TRAIN))
    for name in ("variance", "entropy", "tails", "rare", "prediction"):
        assert figures[name].distance == pytest.approx(0.0, abs=1e-12)
    assert figures["variance"].value == figures["tails"].value == pytest.approx(1.0)


def test_figures_of_a_worked_table():
    # Numbers 3 and 6: a ninth of the variance of 0 and 9. Letters: a alone, so no entropy and no rare case.
    synthetic = table([3, 6] * 200, "a" * 400)
    figures = measure_decay(comparison(synthetic, TRAIN))
    spread = float(np.var(np.asarray(TRAIN["number"])))
    assert figures["variance"].value == pytest.approx(2.25 / spread)
    assert figures["variance"].distance == pytest.approx(math.log(spread / 2.25))
    shares = np.array([0.5, 0.495, 0.005])
    letter = -(shares * np.log2(shares)).sum()
    other = np.array([199, 200, 1]) / 400
    assert figures["entropy"].value == pytest.approx(1.0 / (letter - (other * np.log2(other)).sum()))
    assert figures["rare"].value == pytest.approx((0.5 / 400.5) / (2.5 / 400.5))
    # The outer 1 %: letter c (0.5 %), which is gone; no end of the numbers is that thin.
    assert figures["tails"].parts == {"letter": 0.0}
    assert figures["tails"].distance == 1.0
    # Against the holdout (0 with a, 9 with b) no row agrees.
    assert figures["pairs"].value == pytest.approx(1.0)


def test_prediction_is_the_gap_to_the_real_table_never_below_none():
    real = measure_decay(comparison(TRAIN, TRAIN))
    blind = measure_decay(comparison(table([0, 9] * 200, "ab" * 100 + "ba" * 100), TRAIN), real)
    assert real["prediction"].value == pytest.approx(1.0)
    assert blind["prediction"].distance == pytest.approx(1.0 - blind["prediction"].value)
    assert blind["prediction"].distance > 0.3


def test_what_a_schema_does_not_have_is_left_out():
    bare = "\n".join(SCHEMA.splitlines()[:-2]).replace("  number: {kind: integer, min: 0, max: 9, bins: 10}\n", "")
    made = comparison(TRAIN, TRAIN)
    figures = measure_decay(replace(made, codec=Codec(schema=parse_schema(bare)), _codes={}))
    assert set(figures) == {"entropy", "tails"}
