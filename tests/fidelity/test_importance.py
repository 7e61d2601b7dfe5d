import numpy as np
import pytest

from medsynth.fidelity.beliefs import Learned
from medsynth.fidelity.importance import Importance, permutation_losses
from medsynth.fidelity.learners import Feature, as_integers
from medsynth.fidelity.target import Rows
from medsynth.testing import independent_columns


class FirstColumn:
    """Believes what the first column says."""

    classes_ = np.array([0.0, 1.0])

    def predict_proba(self, table):
        return np.column_stack([1 - table[:, 0], table[:, 0]])


def test_only_the_column_that_is_used_matters_and_it_loses_half():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, size=(4000, 3)).astype(np.int32)
    everyone = np.arange(4000)
    labels = codes[:, 0].astype(float)
    rows = Rows(codes=codes, labels=labels, weights=np.ones(4000), persons=everyone, positions=everyone)
    cells = np.arange(2, dtype=np.int32)
    features = tuple(Feature(position=place, groups=cells, ordered=0, size=2) for place in range(3))
    model = Learned(learner=FirstColumn(), features=features, encode=as_integers, classes=2)
    losses = permutation_losses({"one": model}, rows, task="binary", resamples=2, rng=rng)["one"]
    # AUC 1 becomes 0.5 when what it reads is noise; deviation 0.008 with one shuffle.
    assert losses[0] == pytest.approx([0.5, 0, 0], abs=0.04)
    assert losses.shape == (3, 3)


def test_second_sample_agrees_like_halves_and_independent_columns_do_not(compare, world, scores):
    def ranked(synthetic):
        return scores(Importance(rows=1000, resamples=10).evaluate(compare(synthetic), np.random.default_rng(0)))

    near = ranked(world[2])
    far = ranked(independent_columns(world[0], 1500, np.random.default_rng(2)))
    rank = near["utility.importance.rank"]
    assert rank.low <= rank.value <= rank.high
    assert rank.value > far["utility.importance.rank"].value
    assert rank.value > rank.ceiling - 0.35  # thirteen columns, most of which matter little
    assert near["utility.importance.top"].baseline == pytest.approx(5 / 13)


def test_chart_shows_each_column_as_both_models_see_it(compare, world):
    found = Importance(rows=300, resamples=3).evaluate(compare(world[0]), np.random.default_rng(0))
    (chart,) = found.charts
    assert chart.labels[0].endswith(", real")
    assert chart.labels[1].endswith(", synthetic")
    # The table released is the training table: both models are the same.
    assert chart.arrays["value"][0::2] == chart.arrays["value"][1::2]
    assert {score.name: score.value for score in found.scores}["utility.importance.rank"] == pytest.approx(1)
