import numpy as np
import pytest

from medsynth.fidelity.marginals import Marginals
from medsynth.score import Edition
from medsynth.testing import full_copy, independent_columns, second_sample


def evaluate(comparison):
    return Marginals().evaluate(comparison, np.random.default_rng(3))


def test_holdout_released_as_synthetic_scores_at_the_ceiling_on_train(compare, world, scores):
    found = scores(evaluate(compare(world[1])))
    for ways in (1, 2, 3):
        score = found[f"fidelity.tv{ways}.train"]
        assert score.value == pytest.approx(score.ceiling)


def test_second_sample_scores_within_a_fifth_of_its_ceiling(compare, world, scores):
    # The mean over 78 pairs varies by about 4 % between samples; 20 % is beyond five deviations.
    synthetic = second_sample(world[2], len(world[2]), np.random.default_rng(0))
    found = scores(evaluate(compare(synthetic)))
    for name in ("fidelity.tv2.train", "fidelity.tv2.holdout", "fidelity.tv3.holdout"):
        assert found[name].value == pytest.approx(found[name].ceiling, rel=0.2)


def test_a_small_second_sample_is_held_against_a_ceiling_of_its_size(compare, world, scores):
    # 300 rows lie further from the holdout than 1,500 would: the ceiling allows for it. Means over pairs vary by 7 %.
    synthetic = second_sample(world[2], 300, np.random.default_rng(0))
    score = scores(evaluate(compare(synthetic)))["fidelity.tv2.holdout"]
    assert score.value == pytest.approx(score.ceiling, rel=0.25)
    large = scores(evaluate(compare(world[2])))["fidelity.tv2.holdout"]
    assert score.ceiling > 1.4 * large.ceiling


def test_independent_columns_score_at_the_floor(compare, world, scores):
    # Floor and table are two draws of the same thing; means over pairs differ by about 2 %.
    synthetic = independent_columns(world[0], len(world[0]), np.random.default_rng(0))
    found = scores(evaluate(compare(synthetic)))
    for name in ("fidelity.tv2.train", "fidelity.tv2.holdout", "fidelity.tv3.train"):
        assert found[name].value == pytest.approx(found[name].baseline, rel=0.15)
        assert found[name].baseline > 1.1 * found[name].ceiling


def test_full_copy_is_said_to_repeat_the_sample(compare, world, scores):
    found = scores(evaluate(compare(full_copy(world[0], len(world[0]), np.random.default_rng(0)))))
    assert found["fidelity.tv2.train"].value == 0
    assert "repeats this sample" in found["fidelity.tv2.train"].sentence
    assert found["fidelity.tv2.holdout"].value == pytest.approx(found["fidelity.tv2.holdout"].ceiling)


def test_weights_restore_an_upsampled_table(compare, world, scores):
    train = world[0]
    died = (train["died"] == "yes").to_numpy()
    doubled = np.concatenate([np.arange(len(train)), np.flatnonzero(died)])
    weights = np.where(died, 0.5, 1.0)[doubled]
    plain = compare(train.iloc[doubled])
    weighted = compare(train.iloc[doubled], synthetic_weights=weights / weights.mean())
    assert scores(evaluate(plain))["fidelity.tv1.train"].value > 0.01
    assert scores(evaluate(weighted))["fidelity.tv1.train"].value == pytest.approx(0, abs=1e-12)


def test_intervals_hold_the_value_and_everything_is_internal(compare, world):
    found = evaluate(compare(world[2]))
    assert all(score.low <= score.value <= score.high for score in found.scores)
    assert {entry.edition for entry in (*found.scores, *found.charts)} == {Edition.INTERNAL}


def test_charts_are_complete(compare, world, codec):
    charts = {chart.name: chart for chart in evaluate(compare(world[2])).charts}
    columns = len(codec.domain)
    assert len(charts["fidelity.pairs"].arrays["matrix"]) == columns**2
    assert len(charts["fidelity.worst_pairs"].labels) == 12
    overlay = charts["fidelity.column.died"]
    assert overlay.labels == ("no", "yes")
    assert sum(overlay.arrays["synthetic"]) == pytest.approx(1)


def test_table_without_rows_is_told_and_not_scored(compare, world):
    found = evaluate(compare(world[2].iloc[:0]))
    assert all(score.value is None for score in found.scores)
    assert "synthetic" in found.scores[0].sentence
