import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.extremes import Extremes
from medsynth.schema import build_schema

LEVELS = ["common", "seldom", "rarer", "rarest", "never"]


def compared(holdout, synthetic, train=None):
    """Comparisons of one category of five levels and one number."""
    columns = {
        "kind": {"kind": "category", "values": LEVELS},
        "value": {"kind": "integer", "min": 0, "max": 2000, "bins": 50},
    }
    privacy = {"persons": 1000, "rows_are_persons": True}
    codec = Codec(
        schema=build_schema({"medsynth": 1, "dataset": {"name": "x"}, "privacy": privacy, "columns": columns})
    )
    frames = {"train": holdout if train is None else train, "holdout": holdout, "synthetic": synthetic}
    weights = {f"{name}_weights": np.ones(len(frame)) for name, frame in frames.items()}
    return Comparison(**frames, **weights, codec=codec)


def table(counts, values=None):
    kinds = np.repeat(LEVELS, [counts.get(level, 0) for level in LEVELS])
    return pd.DataFrame({"kind": kinds, "value": np.arange(len(kinds)) if values is None else values})


def evaluate(comparison, scores):
    return scores(Extremes().evaluate(comparison, np.random.default_rng(0)))


def test_rare_levels_worked_by_hand(scores):
    # Of three rare levels the table holds one, and one that no real row holds.
    real = table({"common": 985, "seldom": 6, "rarer": 5, "rarest": 4})
    found = evaluate(compared(real, table({"common": 990, "rarer": 4, "never": 6})), scores)
    assert found["fidelity.rare_levels.found"].value == pytest.approx(1 / 3)
    assert found["fidelity.rare_levels.found"].ceiling == 1
    assert found["fidelity.rare_levels.strange"].value == pytest.approx(1 / 2)
    assert found["fidelity.rare_levels.strange"].baseline == pytest.approx(1 / 4)
    assert found["fidelity.rare_levels.strange"].ceiling == 0


def test_tails_worked_by_hand(scores):
    # Of 0 to 999, ten lie below the 1st percentile and ten above the 99th. The table has 20 and 5.
    values = np.r_[np.arange(10), np.arange(10), np.arange(10, 975), np.full(5, 995)]
    values = np.r_[values, np.full(1000 - len(values), 500)]
    found = evaluate(compared(table({"common": 1000}), table({"common": 1000}, values)), scores)
    assert found["fidelity.tails.kept"].value == pytest.approx((10 / 20 + 5 / 10) / 2)
    assert found["fidelity.tails.kept"].ceiling == 1


def test_a_table_of_common_values_alone_loses_everything(scores):
    real = table({"common": 985, "seldom": 8, "rarer": 7})
    found = evaluate(compared(real, table({"common": 1000}, np.full(1000, 500))), scores)
    assert found["fidelity.rare_levels.found"].value == 0
    assert found["fidelity.tails.kept"].value == 0


def test_the_same_rows_keep_everything(scores):
    real = table({"common": 985, "seldom": 8, "rarer": 7})
    found = evaluate(compared(real, real), scores)
    assert [score.value for score in found.values()] == [1, 0, 1]


def test_a_table_without_rare_levels_or_tails_is_told_and_not_scored(scores):
    real = table({"common": 500, "seldom": 500}, np.repeat([3, 4], 500))
    found = evaluate(compared(real, real), scores)
    assert {score.value for score in found.values()} == {None}
    assert "no level" in found["fidelity.rare_levels.found"].sentence
    assert "no number has a tail" in found["fidelity.tails.kept"].sentence
