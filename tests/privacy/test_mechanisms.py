import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from medsynth.errors import UsageError
from medsynth.privacy import mechanisms, sampler
from medsynth.privacy.mechanisms import UNITS_PER_PERSON


@pytest.mark.parametrize("sigma", [0.25, 3.0, 1000.0])
def test_noise_has_the_stated_scale_and_shape(sigma: float) -> None:
    # Failure probability 1e-6 per assertion: chi-squared on 4,000 draws, and Kolmogorov-Smirnov.
    exact = np.full((40, 100), 12_345 * UNITS_PER_PERSON, dtype=np.int64)
    residuals = ((mechanisms.gaussian(exact, sigma=sigma) - 12_345) / sigma).ravel()
    statistic = float((residuals**2).sum())
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], residuals.size)
    assert low < statistic < high
    assert stats.kstest(residuals, "norm").pvalue > 1e-6


def test_chi_squared_would_see_noise_ten_per_cent_too_small() -> None:
    # The same test on sigma * 0.9: passes with probability below 1e-3, by the chi-squared law.
    low = stats.chi2.ppf(5e-7, 4000)
    assert stats.chi2.sf(low / 0.9**2, 4000) < 1e-3


def test_small_scales_match_the_discrete_gaussian_exactly() -> None:
    # Pearson's chi-squared against the exact mass at scale 1.5; failure probability 1e-6.
    draws = sampler.discrete_gaussian(np.zeros(5000, dtype=np.int64), scale=1.5)
    points = np.arange(-4, 5)
    mass = np.exp(-(np.arange(-60, 61) ** 2) / (2 * 1.5**2))
    mass /= mass.sum()
    expected = mass[60 + points] * draws.size
    observed = np.array([(draws == point).sum() for point in points])
    rest = draws.size - expected.sum(), draws.size - observed.sum()
    pvalue = stats.chisquare([*observed, rest[1]], [*expected, rest[0]]).pvalue
    assert pvalue > 1e-6


def test_noise_is_independent_between_cells() -> None:
    # Lag-one correlation of 4,000 draws stays below 5 standard errors; failure probability 6e-7.
    noise = mechanisms.gaussian(np.zeros(4000, dtype=np.int64), sigma=1.0)
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 5 / math.sqrt(4000)


def test_two_draws_never_share_noise() -> None:
    # Eight equal cells at sigma 10 persons: chance of one shared draw below 8 / (2 * 10 * 2^20).
    exact = np.zeros(8, dtype=np.int64)
    first, second = (mechanisms.gaussian(exact, sigma=10.0) for _ in range(2))
    assert not np.any(first == second)


def test_numpy_seed_does_not_touch_the_noise() -> None:
    noise = []
    for _ in range(2):
        np.random.seed(7)  # noqa: NPY002  the global seed is the hazard under test
        noise.append(mechanisms.gaussian(np.zeros(4, dtype=np.int64), sigma=10.0))
    assert not np.array_equal(noise[0], noise[1])


def test_result_is_a_multiple_of_the_lattice_and_keeps_its_shape() -> None:
    exact = np.arange(6, dtype=np.int64).reshape(1, 2, 3)
    units = mechanisms.gaussian(exact, sigma=2.0) * UNITS_PER_PERSON
    assert units.shape == (1, 2, 3)
    assert np.array_equal(units, np.rint(units))
    assert mechanisms.gaussian(np.array(5, dtype=np.int64), sigma=1.0).shape == ()
    assert mechanisms.gaussian(np.zeros(0, dtype=np.int64), sigma=1.0).shape == (0,)


def test_counts_of_ten_million_persons_are_exact() -> None:
    # Noise of 2^-14 person is at most 40 sigma = 0.003 person, but for a chance below 1e-300.
    exact = np.array([10_000_000 * UNITS_PER_PERSON], dtype=np.int64)
    assert abs(mechanisms.gaussian(exact, sigma=2.0**-14)[0] - 10_000_000) < 0.003


def test_values_at_the_end_of_int64_saturate_without_a_word() -> None:
    ends = np.array([2**63 - 1, -(2**63)] * 20, dtype=np.int64)
    noisy = sampler.discrete_gaussian(ends, scale=1e6)
    assert np.all(np.sign(noisy) == np.sign(ends))


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 2.0**-15, 2.0**31])
def test_noise_level_without_a_proof_is_refused(sigma: float) -> None:
    with pytest.raises(UsageError, match="is outside"):
        mechanisms.gaussian(np.zeros(1, dtype=np.int64), sigma=sigma)


def test_lattice_factor_by_hand() -> None:
    assert mechanisms.lattice_factor(1 / 16) == 1 + 1e-9
    assert mechanisms.lattice_factor(2.0**-10) == pytest.approx(1 + 4 / 2**20)


def test_guarantee_is_readable_without_the_noise_library() -> None:
    code = "import medsynth.privacy.guarantee, sys; print('opendp' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
