import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from medsynth.fidelity.propensity import main_effects, propensity_score
from medsynth.fidelity.telling_apart import Records, TellingApart, lost_without, tell_apart


def records(values):
    values = np.asarray(values, dtype=np.float32)
    return Records(values=values, folds=np.arange(len(values)) % 8)


def test_tables_that_never_overlap_are_told_apart():
    # Trees cut between 255 quantiles, so a value beside the gap may share a cell with one beyond it.
    rng = np.random.default_rng(0)
    told = tell_apart(records(rng.random((400, 1))), records(rng.random((400, 1)) + 2), ())
    assert told.area > 0.99


def test_two_samples_are_told_apart_no_better_than_by_guessing():
    # The error is about 0.02; five of them are exceeded in less than one draw of a million.
    rng = np.random.default_rng(0)
    told = tell_apart(records(rng.random((800, 3))), records(rng.random((800, 3))), ())
    assert abs(told.area - 0.5) < 5 * told.error
    assert 0.01 < told.error < 0.03


def test_the_column_that_gives_it_away_is_named():
    rng = np.random.default_rng(1)
    real = np.column_stack([rng.random(800), rng.integers(0, 5, 800), rng.random(800)])
    other = np.column_stack([rng.random(800), rng.choice(5, 800, p=[0.6, 0.1, 0.1, 0.1, 0.1]), rng.random(800)])
    lost = lost_without(tell_apart(records(real), records(other), (1,)), rng)
    assert lost.argmax() == 1
    assert lost[1] > 0.1
    assert abs(lost[[0, 2]]).max() < 0.1


def test_a_shifted_column_gives_a_table_away(compare, world, scores):
    shifted = world[2].assign(stay=(world[2]["stay"] + 3).clip(upper=30))
    evaluation = TellingApart().evaluate(compare(shifted), np.random.default_rng(0))
    found = scores(evaluation)
    assert found["fidelity.classifier.gap"].low > 0.1
    assert "stay" in found["fidelity.classifier.auc"].sentence
    assert evaluation.charts[0].labels[0] == "stay"
    assert found["fidelity.pmse.ratio"].low > found["fidelity.pmse.ratio"].ceiling


def test_pmse_worked_by_hand():
    # One two-valued column, held by 30 of 100 real and 50 of 100 other records: the maximum of the likelihood is the
    # observed share of others, 50/80 and 50/120, so pMSE = (80 (1/8)^2 + 120 (1/12)^2) / 200; chance gives 1/4/200.
    real = np.repeat([[0.0], [1.0]], [70, 30], axis=0).astype(np.float32)
    other = np.repeat([[0.0], [1.0]], [50, 50], axis=0).astype(np.float32)
    ratio, _, terms = propensity_score(real, other, [0])
    assert terms == 1
    expected = (80 * (1 / 8) ** 2 + 120 * (1 / 12) ** 2) / 200 / (0.25 / 200)
    assert ratio == pytest.approx(expected, rel=1e-3)


def test_pmse_of_two_samples_has_the_mean_and_spread_that_are_divided_by():
    # 60 ratios of 5 effects: mean 1 with error sqrt(2/5/60) = 0.08, deviation sqrt(2/5) = 0.63 give or take 0.08.
    rng = np.random.default_rng(2)
    ratios = [propensity_score(*rng.normal(size=(2, 300, 5)).astype(np.float32), [])[0] for _ in range(60)]
    assert np.mean(ratios) == pytest.approx(1, abs=0.3)
    assert 0.35 < np.std(ratios) < 0.95


def test_propensities_agree_with_an_unpenalised_fit():
    rng = np.random.default_rng(3)
    real, other = rng.normal(size=(2, 400, 3)).astype(np.float32)
    other[:, 0] += 0.5
    effects = main_effects(np.concatenate([real, other]), frozenset())
    labels = np.repeat([0, 1], 400)
    beliefs = LogisticRegression(C=1e12, max_iter=1000, tol=1e-8).fit(effects, labels).predict_proba(effects)[:, 1]
    ratio, _, terms = propensity_score(real, other, [])
    assert ratio == pytest.approx(((beliefs - 0.5) ** 2).mean() / (0.25 * terms / 800), rel=1e-3)


def test_rare_levels_and_missing_values_make_no_effects_of_a_few_rows():
    values = np.array([[0, np.nan]] + [[1, 2.0]] * 99 + [[2, 3.0]] * 100, dtype=np.float32)
    assert main_effects(values, frozenset({0})).shape == (200, 2)
    assert propensity_score(np.ones((9, 1), np.float32), np.ones((9, 1), np.float32), []) == (1.0, 0.0, 0)


def test_too_few_records_are_told_and_not_scored(compare, world):
    found = TellingApart().evaluate(compare(world[2].iloc[:50]), np.random.default_rng(0))
    assert [score.value for score in found.scores] == [None] * 3
