"""The learned score, beside the likelihood ratio it stands for."""

import math

import numpy as np
import pytest

from medsynth.audit.likelihood_ratio import learn

NO = frozenset[str]()


def gaussians(mean: float, runs: int, seed: int) -> list[tuple[dict[str, float], frozenset[str]]]:
    rows = np.random.default_rng(seed).normal([mean, 0, 0], [1, 2, 1], size=(runs, 3))
    return [(dict(zip("abc", map(float, row), strict=True)), NO) for row in rows]


def test_score_of_gaussians_is_nearly_their_likelihood_ratio() -> None:
    # Seeded: mean 1 in `a` alone. The ratio is a - 1/2.
    scorer = learn(gaussians(0, 4000, 1), gaussians(1, 4000, 2))
    scores = [scorer.score({"a": a, "b": 1.0, "c": 1.0}, NO) for a in (0.0, 1.0, 2.0)]
    assert np.diff(scores) == pytest.approx([1, 1], abs=0.1)
    assert scores[0] == pytest.approx(-0.5, abs=0.1)


def test_constants_that_differ_tell_the_worlds_apart() -> None:
    scorer = learn([({"a": 1.0}, NO)] * 20, [({"a": 1.5}, NO)] * 20)
    assert scorer.score({"a": 1.0}, NO) < 0 < scorer.score({"a": 1.5}, NO)


def test_equal_worlds_have_no_score() -> None:
    scorer = learn([({"a": 1.0}, frozenset({"x"}))] * 20, [({"a": 1.0}, frozenset({"x"}))] * 20)
    assert scorer.weights == {}
    assert scorer.present == {}
    assert scorer.score({"a": 7.0}, NO) == 0


def test_fact_by_hand() -> None:
    # In 10 of 100 and in 90 of 100; smoothed by half a run.
    without = [({}, frozenset({"x"} if run < 10 else ())) for run in range(100)]
    within = [({}, frozenset({"x"} if run < 90 else ())) for run in range(100)]
    scorer = learn(without, within)
    assert scorer.score({}, frozenset({"x"})) == pytest.approx(math.log(90.5 / 10.5))
    assert scorer.score({}, NO) == pytest.approx(-math.log(90.5 / 10.5))


def test_number_that_is_absent_is_left_out_or_zero() -> None:
    worlds = [({"a": value}, NO) for value in (0.9, 1.1) * 20], [({"a": value}, NO) for value in (4.9, 5.1) * 20]
    assert learn(*worlds).score({}, NO) == 0
    assert learn(*worlds, absent=0.0).score({}, NO) < -10


def test_number_that_is_not_finite_is_left_out() -> None:
    scorer = learn([({"a": 1.0}, NO)] * 20, [({"a": 1.5}, NO)] * 20)
    assert scorer.score({"a": math.inf}, NO) == scorer.score({"a": math.nan}, NO) == 0
