"""Bounds and tests of error rates, against enumeration of every outcome: nothing here is drawn."""

import math
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from medsynth.audit.tradeoff import (
    ApproximateClaim,
    Claim,
    GaussianClaim,
    best_threshold,
    detectable_mu,
    epsilon_low,
    loss,
    mu_low,
    mu_low_joint,
    p_value,
    separation,
)
from medsynth.privacy import Guarantee, delta_from

GAUSSIAN, APPROXIMATE = GaussianClaim(mu=0.8), ApproximateClaim(epsilon=1.0, delta=0.01)


def level_reached(claim: Claim, trials: int, level: float, rate: float) -> float:
    """The exact chance that a true claim is refuted, with a false alarm rate and the most that it allows."""
    alarms = stats.binom.pmf(np.arange(trials + 1), trials, rate)
    hits = stats.binom.pmf(np.arange(trials + 1), trials, claim.cap(np.array([rate]))[0])
    return float(hits @ (p_values(claim, trials) <= level) @ alarms)


@cache
def p_values(claim: Claim, trials: int) -> npt.NDArray[np.float64]:
    """Of every outcome, hits by false alarms."""
    outcomes = product(range(trials + 1), repeat=2)
    return np.array([p_value(*outcome, trials, claim) for outcome in outcomes]).reshape(trials + 1, -1)


def test_gaussian_cap_is_the_one_of_the_guarantee() -> None:
    guarantee = Guarantee.of(2.0, 1e-6)
    cap = GaussianClaim(mu=guarantee.mu).cap(np.array([0.01, 0.3]))
    assert cap == pytest.approx([guarantee.membership_tpr_cap(0.01), guarantee.membership_tpr_cap(0.3)])


def test_gaussian_cap_touches_the_approximate_one_of_its_epsilon() -> None:
    rates = np.linspace(0.001, 0.999, 999)
    touching = ApproximateClaim(epsilon=1.0, delta=delta_from(0.8, 1.0)).cap(rates) - GAUSSIAN.cap(rates)
    assert touching.min() == pytest.approx(0.0, abs=1e-5)
    assert touching.min() > -1e-12


def test_approximate_cap_by_hand() -> None:
    claim = ApproximateClaim(epsilon=math.log(4), delta=0.1)
    assert claim.cap(np.array([0.0, 0.1, 0.5, 0.9, 1.0])) == pytest.approx([0.1, 0.5, 0.9, 1.0, 1.0])


@pytest.mark.parametrize("claim", [GAUSSIAN, APPROXIMATE])
@pytest.mark.parametrize("level", [0.05, 0.3])
def test_true_claim_is_refuted_no_more_often_than_the_level(claim: Claim, level: float) -> None:
    assert all(level_reached(claim, 8, level, rate) <= level for rate in (0.02, 0.2, 0.35, 0.5, 0.8, 0.97))


def test_test_is_not_much_stricter_than_its_level() -> None:
    # At the midpoint, where a Gaussian attack is best; enumerated.
    assert 0.01 < level_reached(GAUSSIAN, 20, 0.05, float(stats.norm.cdf(-0.4))) <= 0.05


def test_more_hits_never_speak_for_the_claim() -> None:
    assert np.all(np.diff(p_values(GAUSSIAN, 20), axis=0) <= 1e-12)


def test_rates_within_the_claim_have_a_large_p_value_and_impossible_ones_the_smallest() -> None:
    assert p_value(50, 50, 100, GAUSSIAN) > 0.99
    assert p_value(5000, 0, 5000, GAUSSIAN) == pytest.approx(1e-9)


def test_mu_bound_is_where_the_test_turns() -> None:
    bound = mu_low(180, 60, 200, 0.01)
    assert p_value(180, 60, 200, GaussianClaim(mu=bound - 0.001)) <= 0.01
    assert p_value(180, 60, 200, GaussianClaim(mu=bound + 0.001)) > 0.01


def test_equal_rates_bound_nothing() -> None:
    assert mu_low(100, 100, 200, 0.05) == 0
    assert mu_low_joint(100, 100, 200, 0.05) == 0
    assert epsilon_low(100, 100, 200, delta=0.0, level=0.05) == 0


def test_exact_test_bounds_mu_higher_than_two_intervals() -> None:
    # A perfect Gaussian attack at the mu of (1, 1e-5): 0.84 of it, against the 0.74 of two intervals.
    hits, alarms = round(5000 * stats.norm.cdf(0.134)), round(5000 * stats.norm.cdf(-0.134))
    assert mu_low(hits, alarms, 5000, 0.05) / 0.268 == pytest.approx(0.836, abs=0.003)
    assert mu_low_joint(hits, alarms, 5000, 0.05) / 0.268 == pytest.approx(0.736, abs=0.003)


def test_epsilon_bound_by_hand() -> None:
    # All of 1,000 and none of 1,000: the intervals end at 0.025^(1/1000) and 1 - 0.025^(1/1000).
    end = 0.025 ** (1 / 1000)
    assert epsilon_low(1000, 0, 1000, delta=0.1, level=0.05) == pytest.approx(math.log((end - 0.1) / (1 - end)))


def test_epsilon_bound_uses_the_complement_where_that_says_more() -> None:
    # Saying so always with the person and half the time without: not saying so speaks against the person.
    assert epsilon_low(1000, 500, 1000, delta=0.0, level=0.05) > 4


def test_ideal_attack_at_the_detectable_mu_has_the_stated_power() -> None:
    trials, level = 50, 0.01
    mu = detectable_mu(0.8, trials, level)
    chances = [stats.binom.pmf(np.arange(trials + 1), trials, stats.norm.cdf(x)) for x in (mu / 2, -mu / 2)]
    likely = [np.flatnonzero(chance > 1e-5) for chance in chances]
    power = sum(
        chances[0][hits] * chances[1][alarms]
        for hits, alarms in product(*likely)
        if p_value(hits, alarms, trials, GaussianClaim(mu=0.8)) <= level
    )
    assert 0.95 <= power < 0.999


def test_too_few_runs_detect_nothing() -> None:
    assert detectable_mu(0.8, 2, 1e-5) == math.inf


def test_threshold_lies_between_two_separate_worlds() -> None:
    threshold = best_threshold(np.zeros(50), np.ones(50), separation)
    assert 0 < threshold < 1


def test_threshold_of_equal_scores_says_always_yes() -> None:
    assert best_threshold(np.zeros(50), np.zeros(50), separation) == -math.inf


def test_threshold_of_gaussian_scores_lies_near_the_middle() -> None:
    grid = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    assert best_threshold(grid, grid + 1.0, separation) == pytest.approx(0.5, abs=0.1)


def test_threshold_for_epsilon_lies_in_the_tail() -> None:
    grid = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    assert abs(best_threshold(grid, grid + 1.0, loss(1e-6)) - 0.5) > 0.5
