import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.numbers import Numbers, cumulative, distances
from medsynth.schema import build_schema


def compared(holdout, synthetic, column=None, weights=None):
    """A comparison of one column `x`; train is the holdout again."""
    codec = Codec(
        schema=build_schema(
            {
                "medsynth": 1,
                "dataset": {"name": "one"},
                "privacy": {"persons": 100, "rows_are_persons": True},
                "columns": {"x": column or {"kind": "decimal", "min": 0, "max": 100}},
            }
        )
    )
    frames = {"train": holdout, "holdout": holdout, "synthetic": synthetic}
    parts = {name: pd.DataFrame({"x": values}) for name, values in frames.items()}
    sizes = {f"{name}_weights": np.ones(len(frame)) for name, frame in parts.items()}
    if weights is not None:
        sizes["synthetic_weights"] = np.asarray(weights)
    return Comparison(**parts, **sizes, codec=codec)


def evaluate(comparison):
    scores = Numbers().evaluate(comparison, np.random.default_rng(0)).scores
    return {score.name: score for score in scores}


def test_a_case_worked_by_hand():
    # A quarter of rows lies at 10 in place of 0: cumulative shares differ by 1/4 over a way of 10, so values move 2.5;
    # real values lie 5 from their median on average, so that is half of their spread.
    found = evaluate(compared([0.0, 0.0, 10.0, 10.0], [0.0, 10.0, 10.0, 10.0]))
    assert found["fidelity.ks.holdout"].value == pytest.approx(0.25)
    assert found["fidelity.wasserstein.holdout"].value == pytest.approx(0.5)
    assert found["fidelity.wasserstein.holdout"].baseline == pytest.approx(1)
    assert found["fidelity.ks.holdout"].baseline == pytest.approx(0.5)
    assert found["fidelity.ks.holdout"].ceiling == 0


def test_weights_count_like_repeated_rows():
    repeated = evaluate(compared([1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 3.0]))
    weighted = evaluate(compared([1.0, 2.0, 3.0], [1.0, 3.0], weights=[1.5, 0.5]))
    for name, score in repeated.items():
        assert weighted[name].value == pytest.approx(score.value)


def test_missing_values_are_left_out_and_values_are_held_inside_the_public_bounds():
    column = {"kind": "integer", "min": 0, "max": 9, "missing": True}
    found = evaluate(compared([1.0, 2.0, np.nan], [1.0, 2.0, 2.0, 1.0], column))
    assert found["fidelity.ks.holdout"].value == 0
    found = evaluate(compared([0.0, 100.0], [0.0, 5000.0]))
    assert found["fidelity.wasserstein.holdout"].value == 0


def test_days_are_compared_in_days():
    days = [pd.Timestamp("2020-01-01") + pd.Timedelta(days=shift) for shift in (0, 10)]
    moved = [day + pd.Timedelta(days=5) for day in days]
    found = evaluate(compared(days, moved, {"kind": "date", "min": "2020-01-01", "max": "2020-12-31"}))
    assert found["fidelity.wasserstein.holdout"].value == pytest.approx(1)  # 5 days of a spread of 5


def test_distances_agree_with_scipy():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=300).round(1), rng.normal(0.3, 1.2, 200).round(1)
    weights = rng.random(300)
    grid = np.unique(np.concatenate([first, second]))

    def shares(values, mass):
        return cumulative(np.bincount(np.searchsorted(grid, values), mass, len(grid)))[:, None]

    plain = distances(grid, shares(first, np.ones(300)), shares(second, np.ones(200)))[:, 0]
    assert plain[0] == pytest.approx(ks_2samp(first, second).statistic)
    assert plain[1] == pytest.approx(wasserstein_distance(first, second))
    weighted = distances(grid, shares(first, weights), shares(second, np.ones(200)))[:, 0]
    assert weighted[1] == pytest.approx(wasserstein_distance(first, second, weights))


def test_a_table_without_numbers_has_no_such_figure():
    category = {"kind": "category", "values": ["a", "b"]}
    assert evaluate(compared(["a"], ["b"], category)) == {}
