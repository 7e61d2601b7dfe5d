import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

from medsynth.encoding.domain import Attribute
from medsynth.fidelity.learners import (
    Ranked,
    as_indicators,
    as_integers,
    features_of,
    weighted_auc,
    weighted_auprc,
    weighted_r2,
)


@pytest.fixture
def judged():
    rng = np.random.default_rng(4)
    truth = rng.random(300) < 0.3
    beliefs = np.round(rng.random(300) + 0.3 * truth, 1)  # with ties
    return truth, beliefs, rng.integers(0, 4, 300).astype(float)


def test_weighted_auc_agrees_with_scikit_learn(judged):
    truth, beliefs, weights = judged
    assert weighted_auc(truth, beliefs, weights) == pytest.approx(roc_auc_score(truth, beliefs, sample_weight=weights))


def test_weighted_auprc_agrees_with_scikit_learn(judged):
    truth, beliefs, weights = judged
    assert weighted_auprc(truth, beliefs, weights) == pytest.approx(
        average_precision_score(truth, beliefs, sample_weight=weights)
    )


def test_weighted_r2_agrees_with_scikit_learn(judged):
    truth, beliefs, weights = judged
    assert weighted_r2(truth.astype(float), beliefs, weights) == pytest.approx(
        r2_score(truth, beliefs, sample_weight=weights)
    )


def test_figures_without_both_classes_are_not_numbers():
    assert math.isnan(weighted_auc(np.array([True, True]), np.array([0.1, 0.2]), np.ones(2)))
    assert math.isnan(weighted_auprc(np.array([False]), np.array([0.1]), np.ones(1)))
    assert math.isnan(weighted_r2(np.ones(3), np.ones(3), np.ones(3)))


def test_long_code_lists_enter_at_their_coarsest_level():
    chapters = (np.arange(900) // 100).astype(np.int32)
    attributes = [
        Attribute(name="dx", size=900, hierarchy=(np.arange(900, dtype=np.int32) // 10, chapters)),
        Attribute(name="y", size=2),
    ]
    (feature,) = features_of(attributes, frozenset({"y"}))
    assert (feature.position, feature.size, feature.ordered) == (0, 9, 0)


def test_ordered_columns_become_ranks_and_their_tail_cells_indicators():
    features = features_of([Attribute(name="n", size=5, ordered=3)], frozenset())
    codes = np.array([[0], [1], [2], [3], [4]], dtype=np.int32)
    assert as_indicators(codes, features).toarray().tolist() == [
        [0, 0, 0],
        [0.5, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
    ]
    assert as_integers(codes, features)[:3, 0].tolist() == [0, 1, 2]
    assert np.isnan(as_integers(codes, features)[3:]).all()


def test_listed_values_become_indicators():
    features = features_of([Attribute(name="a", size=3)], frozenset())
    codes = np.array([[2], [0]], dtype=np.int32)
    assert as_indicators(codes, features).toarray().tolist() == [[0, 0, 1], [1, 0, 0]]


def test_areas_under_many_weightings_are_those_under_each():
    rng = np.random.default_rng(8)
    truth, beliefs = rng.random(50) < 0.4, rng.integers(0, 9, 50) / 9
    weightings = np.vstack([rng.gamma(1, 1, (3, 50)), truth])
    areas = Ranked.of(truth, beliefs).aucs(weightings)
    expected = [roc_auc_score(truth, beliefs, sample_weight=weights) for weights in weightings[:3]]
    assert areas[:3] == pytest.approx(expected)
    assert np.isnan(areas[3])  # no negative has weight
