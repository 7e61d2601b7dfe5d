import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, mean_absolute_error

from medsynth.fidelity.calibration import (
    Recalibration,
    absolute_error,
    brier,
    calibration_error,
    tenths_of,
    weighted_median,
)
from medsynth.fidelity.utility_charts import precision_chart, roc_chart


@pytest.fixture(scope="module")
def predicted():
    """Truth, beliefs that are right, and weights."""
    rng = np.random.default_rng(3)
    belief = rng.beta(1, 3, 4000)
    return (rng.random(4000) < belief).astype(float), belief, rng.gamma(2, 1, 4000)


def test_errors_agree_with_scikit_learn(predicted):
    truth, belief, weights = predicted
    assert brier(truth, belief, weights) == pytest.approx(brier_score_loss(truth, belief, sample_weight=weights))
    expected = mean_absolute_error(truth, belief, sample_weight=weights)
    assert absolute_error(truth, belief, weights) == pytest.approx(expected)


def test_slope_is_the_logistic_regression_of_truth_on_believed_odds(predicted):
    truth, belief, weights = predicted
    odds = np.log(belief / (1 - belief))[:, None]
    oracle = LogisticRegression(C=1e9, tol=1e-10).fit(odds, truth, sample_weight=weights)
    slope = Recalibration.of(truth, belief).slope(weights)
    assert slope == pytest.approx(float(oracle.coef_[0, 0]), abs=1e-4)
    assert slope == pytest.approx(1, abs=0.15)  # its deviation is 0.04


def test_doubled_odds_have_half_the_slope_and_one_belief_has_none(predicted):
    truth, belief, weights = predicted
    extreme = belief**2 / (belief**2 + (1 - belief) ** 2)
    halved, whole = (Recalibration.of(truth, one).slope(weights) for one in (extreme, belief))
    # Beliefs next to 0 are cut at odds of one to a million, so not quite half.
    assert halved == pytest.approx(whole / 2, rel=1e-3)
    assert np.isnan(Recalibration.of(truth, np.full(4000, 0.2)).slope(weights))


def test_calibration_error_by_hand_and_of_a_shift(predicted):
    # Ten rows of weight 1 each fill one tenth; the last has double weight in the mean.
    belief, truth = np.arange(10) / 10, np.zeros(10)
    tenth = tenths_of(belief, np.ones(10))
    assert tenth.tolist() == list(range(10))
    weights = np.append(np.ones(9), 2.0)
    assert calibration_error(tenth, truth, belief, weights) == pytest.approx((4.5 + 0.9) / 11)
    truth, belief, weights = predicted
    tenth = tenths_of(belief, weights)
    right, shifted = (calibration_error(tenth, truth, one, weights) for one in (belief, belief + 0.1))
    assert right < 0.03  # each tenth has a deviation of 0.02
    assert shifted == pytest.approx(0.1, abs=0.01)


def test_median_allows_for_weights():
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0])) == 2


def test_curves_by_hand():
    # Cases at ranks 1 and 3 of 4: half of them are found at precision 1, all at 2/3; one other is named in between.
    truth, belief = np.array([True, False, True, False]), np.array([0.9, 0.6, 0.4, 0.1])
    precision = precision_chart(truth, {"real": belief}, np.ones(4)).arrays
    assert precision["real"][10] == precision["real"][25] == 1
    assert precision["real"][26] == precision["real"][50] == pytest.approx(2 / 3)
    assert precision["guessing"][0] == 0.5
    roc = roc_chart(truth, {"real": belief}, np.ones(4)).arrays["real"]
    assert (roc[0], roc[25], roc[50]) == (0.5, 1, 1)
