import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from medsynth import inference


def test_sign_test_agrees_with_scipy():
    for more, fewer in [(0, 0), (0, 5), (1, 0), (7, 2), (40, 41)]:
        expected = stats.binomtest(more, more + fewer, 0.5, alternative="greater").pvalue if more + fewer else 1.0
        assert inference.sign_test(more, fewer) == pytest.approx(expected)


def test_holm_agrees_with_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    chances = [0.04, 0.001, 0.9, 0.02, 0.001]
    assert inference.holm(chances) == pytest.approx(multitest.multipletests(chances, method="holm")[1])


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_matches_published_table(successes, trials, low, high):
    # Newcombe (1998), Statistics in Medicine 17:857, table I, method 3.
    assert inference.wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_clopper_pearson_matches_published_table(successes, trials, low, high):
    # Newcombe (1998), Statistics in Medicine 17:857, table I, method 5.
    assert inference.clopper_pearson(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "control", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_newcombe_difference_matches_published_table(first, control, low, high):
    # Newcombe (1998), Statistics in Medicine 17:873, table II, method 10.
    assert inference.newcombe_difference(*first, *control) == pytest.approx((low, high), abs=5e-5)


def test_rates_outside_their_range_are_refused():
    for successes, trials in [(1, 0), (-1, 5), (6, 5)]:
        with pytest.raises(ValueError, match="trials"):
            inference.wilson_interval(successes, trials)
    with pytest.raises(ValueError, match="confidence"):
        inference.clopper_pearson(1, 2, confidence=1.0)


def test_fisher_exact_agrees_with_scipy():
    table = [[12, 88], [3, 97]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert inference.fisher_exact(12, 100, 3, 100) == pytest.approx(expected)


def test_smallest_detectable_excess_is_found_by_fisher_with_the_stated_power():
    trials, control = 500, 4
    rate = control / trials + inference.smallest_detectable_excess(control, trials)
    hits = np.arange(trials + 1)
    found = np.array([inference.fisher_exact(int(k), trials, control, trials) < 0.05 for k in hits])
    assert stats.binom.pmf(hits, trials, rate)[found].sum() == pytest.approx(0.8, abs=1e-6)


def test_smallest_detectable_excess_of_two_records_is_one():
    assert inference.smallest_detectable_excess(0, 2) == 1.0


def test_auc_counts_ties_half_and_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    positives, negatives = (
        rng.integers(1, 6, 40).astype(float),
        rng.integers(0, 5, 60).astype(float),
    )
    truth = np.r_[np.ones(40), np.zeros(60)]
    assert inference.auc(positives, negatives) == pytest.approx(roc_auc_score(truth, np.r_[positives, negatives]))


def test_hanley_mcneil_matches_published_example():
    # Hanley and McNeil (1982): 58 normal, 51 abnormal images, area 0.893, standard error 0.032
    # (rounded inputs).
    assert inference.hanley_mcneil(0.893, 51, 58) == pytest.approx(0.032, abs=1e-3)


def test_delong_error_by_hand():
    # Positives 3, 1 beat negatives 2, 0 in 2 and 1 of 2 pairs: components (1, 1/2) and (1/2, 1),
    # variance 1/8 each.
    error = inference.delong(np.array([3.0, 1.0]), np.array([2.0, 0.0]))
    assert error == pytest.approx(math.sqrt(0.125 / 2 + 0.125 / 2))


def test_auc_interval_of_separated_groups_is_not_a_point():
    value, low, high = inference.auc_interval(np.arange(10.0) + 100, np.arange(20.0))
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(inference.clopper_pearson(10, 10).low)


def test_true_positive_rate_by_hand():
    negatives = np.arange(1000.0)
    positives = np.r_[np.full(30, 5000.0), np.zeros(970)]
    value, low, high = inference.true_positive_rate(positives, negatives)
    assert value == 0.03
    assert 0.015 < low < 0.03 < high < 0.06


def test_true_positive_rate_interval_covers_chance():
    # 200 repeats at nominal coverage of at least 0.95; fewer than 180 covered has probability below
    # 1e-3.
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        estimate = inference.true_positive_rate(rng.random(500), rng.random(500))
        covered += estimate.low <= 0.01 <= estimate.high
    assert covered >= 180


def test_bootstrap_mean_weights_rows_and_draws_whole_persons():
    values = np.array([0.0, 0.0, 1.0, 1.0])
    persons = np.array([0, 0, 1, 1])
    estimate = inference.bootstrap_mean(
        values,
        np.random.default_rng(1),
        weights=np.array([1.0, 1.0, 3.0, 3.0]),
        persons=persons,
        resamples=200,
    )
    assert estimate == (0.75, 0.0, 1.0)


def test_person_multiplicities_are_equal_within_a_person():
    persons = np.array([0, 1, 1, 2, 2, 2])
    drawn = inference.person_multiplicities(persons, np.random.default_rng(2), draws=50)
    assert drawn[1] == drawn[2]
    assert drawn[3] == drawn[4] == drawn[5]
    assert drawn[[0, 1, 3]].sum() == 50


def test_combined_interval_by_hand():
    # Replicates lie 1, -1, 0 and 2 from the release: root mean square sqrt(6 / 4), t with 4 degrees 2.7764.
    found = inference.combine([10.0, 11.0, 9.0, 10.0, 12.0])
    assert (found.value, found.df, found.bias) == (10.0, 4, 0.5)
    assert found.error == pytest.approx(math.sqrt(1.5))
    assert found.interval == pytest.approx((10 - 2.7764 * math.sqrt(1.5), 10 + 2.7764 * math.sqrt(1.5)), abs=1e-3)


def test_combined_error_is_not_below_that_of_as_many_real_records():
    assert inference.combine([1.0, 1.0, 1.0], [0.3, 9.0, 9.0]).error == 0.3
    assert inference.combine([1.0, 2.0, 0.0], [0.3, 9.0, 9.0]).error == 1.0


def test_a_shift_of_refits_widens_the_interval_and_moves_nothing():
    straight, shifted = inference.combine([5.0, 6.0, 4.0]), inference.combine([5.0, 8.0, 6.0])
    assert shifted.value == straight.value == 5.0
    assert shifted.error**2 == pytest.approx(straight.error**2 + 4.0)


def test_combined_intervals_cover_as_stated_where_refits_repeat_the_errors_of_the_release():
    # Coverage is exact for normal errors; of 4,000 intervals the share strays 0.016 with probability 3e-6.
    rng = np.random.default_rng(3)
    truth, covered = 2.0, 0
    for _ in range(4000):
        release = truth + rng.normal()
        found = inference.combine([release, *(release + rng.normal(size=5))])
        covered += found.low <= truth <= found.high
    assert covered / 4000 == pytest.approx(0.95, abs=0.016)


@pytest.mark.parametrize(
    ("estimates", "errors", "confidence", "message"),
    [
        ([1.0, 2.0], None, 0.95, "at least two replicates"),
        ([1.0, 2.0, math.nan], None, 0.95, "finite"),
        ([1.0, 2.0, 3.0], [0.1, 0.1, 0.1, 0.1], 0.95, "one standard error"),
        ([1.0, 2.0, 3.0], None, 1.0, "confidence"),
    ],
)
def test_what_cannot_be_combined_is_refused(estimates, errors, confidence, message):
    with pytest.raises(ValueError, match=message):
        inference.combine(estimates, errors, confidence=confidence)
