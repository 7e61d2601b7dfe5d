import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import log_ndtr, ndtr, ndtri_exp

from medsynth.errors import UsageError
from medsynth.privacy import mechanisms
from medsynth.privacy.accountant import (
    GaussianEvent,
    delta_default,
    delta_from,
    epsilon_from,
    mu_from,
    mu_of,
)
from medsynth.privacy.ledger import Ledger

DELTAS = [1e-12, 1e-9, 1e-6, 1e-2]


@pytest.mark.parametrize("mu", [1e-4, 1e-2, 0.2367, 1.0, 5.0, 50.0])
@pytest.mark.parametrize("delta", DELTAS)
def test_mu_and_epsilon_are_inverse(mu: float, delta: float) -> None:
    epsilon = epsilon_from(mu, delta)
    if epsilon == 0:
        assert delta_from(mu, 0.0) <= delta
    else:
        assert mu_from(epsilon, delta) == pytest.approx(mu, rel=1e-9)


@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 1.0, 3.0, 10.0, 1000.0])
@pytest.mark.parametrize("delta", DELTAS)
def test_rounding_is_on_the_safe_side(epsilon: float, delta: float) -> None:
    mu = mu_from(epsilon, delta)
    assert delta_from(mu, epsilon) <= delta
    assert delta_from(mu, epsilon_from(mu, delta)) <= delta


def test_delta_matches_the_textbook_formula() -> None:
    for mu, epsilon in [(0.5, 0.2), (1.0, 1.0), (3.0, 2.0), (8.0, 20.0)]:
        plain = ndtr(-epsilon / mu + mu / 2) - math.exp(epsilon) * ndtr(-epsilon / mu - mu / 2)
        assert delta_from(mu, epsilon) == pytest.approx(plain, rel=1e-9)


def test_delta_stays_accurate_where_both_terms_cancel() -> None:
    # Second route: an integral of the tail of the loss, int_eps^inf e^(eps - t) P(L > t) dt.
    for mu, epsilon in [(1e-4, 4e-4), (0.01, 0.05), (0.2367, 1.0)]:
        loss = epsilon + np.linspace(0.0, 60 * mu, 200_001)
        tail = np.exp(epsilon - loss + log_ndtr(mu / 2 - loss / mu))
        integral = np.trapezoid(tail, loss)
        assert delta_from(mu, epsilon) == pytest.approx(integral, rel=1e-6)


def test_delta_at_epsilon_zero_is_total_variation() -> None:
    assert delta_from(1.0, 0.0) == pytest.approx(2 * ndtr(0.5) - 1, rel=1e-14)
    assert delta_from(0.0, 0.0) == 0.0


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.inf, math.nan])
def test_impossible_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(UsageError, match="Epsilon must be a finite number above 0"):
        mu_from(epsilon, 1e-6)


@pytest.mark.parametrize("delta", [0.0, 1.0, -1e-6, math.nan])
def test_impossible_delta_is_refused(delta: float) -> None:
    with pytest.raises(UsageError, match="Delta must lie above 0"):
        mu_from(1.0, delta)


def test_default_delta_by_hand() -> None:
    assert delta_default(100) == 1e-6
    assert delta_default(10_000) == 1e-6
    assert delta_default(40_000) == pytest.approx(1.25e-7)
    with pytest.raises(UsageError, match="at least 1"):
        delta_default(0)


def test_event_without_a_proof_is_refused() -> None:
    class LaplaceEvent:
        kind = "laplace"
        mu = 0.1

    with pytest.raises(UsageError, match="LaplaceEvent has no proved cost"):
        mu_of(LaplaceEvent())
    with pytest.raises(UsageError, match="finite number from 0"):
        GaussianEvent(math.nan)


MIXES = [[0.3], [0.1] * 7, [0.5, 0.4, 0.3, 0.05], [1.0, 0.2, 0.2, 0.7, 0.1], [2.5, 1.0]]
SIZES = tuple(round(float(mu), 4) for mu in np.geomspace(0.02, 1.5, 12))
Mix = tuple[tuple[float, int], ...]
"""Events of a mix: (mu, how many of them)."""


def fixed_mixes(number: int = 50) -> list[Mix]:
    """Mixes of one to five sizes of events, 1 to 182 events each; the same in every run."""
    rng = np.random.default_rng(17)
    mixes: list[Mix] = []
    while len(mixes) < number:
        sizes = [SIZES[k] for k in rng.choice(len(SIZES), size=rng.integers(1, 6), replace=False)]
        most = [1 + max(1, int(1.5 / mu**1.2)) for mu in sizes]
        mixes.append(tuple((mu, int(rng.integers(1, count))) for mu, count in zip(sizes, most, strict=True)))
    return mixes


def composed(pld: Any, mix: Mix, losses: dict[tuple[float, bool], Any], *, pessimistic: bool) -> Any:
    """The privacy loss distribution of a mix, rounded to the safe side or to the other."""
    whole = None
    for mu, count in mix:
        if (mu, pessimistic) not in losses:
            losses[mu, pessimistic] = pld.from_gaussian_mechanism(
                1 / mu,
                pessimistic_estimate=pessimistic,
                value_discretization_interval=5e-4,
                log_mass_truncation_bound=-60,
            )
        part = losses[mu, pessimistic].self_compose(count) if count > 1 else losses[mu, pessimistic]
        whole = part if whole is None else whole.compose(part)
    return whole


def test_composition_lies_between_pld_optimistic_and_pessimistic() -> None:
    # The bound asked for is 1.01 times the pessimistic one; it holds without the factor, at both ends.
    pld = pytest.importorskip("dp_accounting.pld.privacy_loss_distribution")
    mixes = fixed_mixes()
    losses: dict[tuple[float, bool], Any] = {}
    assert len(set(mixes)) == 50
    assert max(count for mix in mixes for _, count in mix) > 100
    for mix in mixes:
        total = math.sqrt(math.fsum(count * mu**2 for mu, count in mix))
        low, high = (composed(pld, mix, losses, pessimistic=pessimistic) for pessimistic in (False, True))
        for delta in (1e-9, 1e-5):
            ours = epsilon_from(total, delta)
            assert low.get_epsilon_for_delta(delta) <= ours <= high.get_epsilon_for_delta(delta)
            assert high.get_epsilon_for_delta(delta) <= 1.0001 * ours  # so the test could tell


def test_what_the_ledger_books_for_a_mix_is_what_the_oracle_says() -> None:
    pld = pytest.importorskip("dp_accounting.pld.privacy_loss_distribution")
    losses: dict[tuple[float, bool], Any] = {}
    for mix in fixed_mixes(5):
        ledger = Ledger(100.0, 1e-6)
        for mu, count in mix:
            for _ in range(count):
                ledger.book(GaussianEvent(mu), label="x")
        high = composed(pld, mix, losses, pessimistic=True).get_epsilon_for_delta(1e-6)
        assert 0.999 * high <= epsilon_from(math.sqrt(ledger.spent_mu2), 1e-6) <= high


def test_composition_is_tighter_than_rdp_and_close_to_it() -> None:
    dp_accounting = pytest.importorskip("dp_accounting")
    rdp = pytest.importorskip("dp_accounting.rdp")
    for mix in MIXES:
        accountant = rdp.RdpAccountant()
        for mu in mix:
            accountant.compose(dp_accounting.GaussianDpEvent(1 / mu))
        ours = epsilon_from(math.sqrt(math.fsum(mu**2 for mu in mix)), 1e-6)
        assert ours < accountant.get_epsilon(1e-6) < 1.35 * ours


def _quantiles(scale: float, reach: int) -> npt.NDArray[np.float64]:
    """-Phi^-1(P(X >= t)) of the discrete Gaussian at t = 0 .. reach, from exact tail sums."""
    points = np.arange(0, 4 * reach, dtype=np.float64)
    log_mass = -(points**2) / (2 * scale**2)
    log_total = np.log(2 * np.exp(log_mass).sum() - 1)
    log_tails = np.logaddexp.accumulate(log_mass[::-1])[::-1] - log_total
    return -ndtri_exp(log_tails[: reach + 1])


@pytest.mark.parametrize("scale", [4.0, 10.0, 64.0, 300.0])
def test_lattice_excess_shrinks_with_the_square_of_the_scale(scale: float) -> None:
    # A shift by d is d unit steps of q, so the largest step bounds the factor for all shifts.
    steps = np.diff(_quantiles(scale, int(8 * scale)))
    excess = steps.max() * scale - 1
    assert 0 < excess <= 0.06 / scale**2
    assert excess < 4 / scale**2


def test_published_excess_of_the_plain_integer_lattice() -> None:
    # A shift of 1 at sigma 1 and 10: 4.6 % and 0.042 % more mu than sensitivity / sigma.
    at_one = np.diff(_quantiles(1.0, 8)).max() - 1
    at_ten = np.diff(_quantiles(10.0, 80)).max() * 10 - 1
    assert at_one == pytest.approx(0.046, abs=0.002)
    assert at_ten == pytest.approx(0.00042, abs=0.00001)


def test_lattice_factor_covers_the_exact_privacy_curve() -> None:
    # Sigma 1/16 person is the smallest at which the factor is 1 + 1e-9; one person is 2^20 units.
    sigma, shift = 1 / 16, 2**15
    scale = sigma * mechanisms.UNITS_PER_PERSON
    assert mechanisms.lattice_factor(sigma) == 1 + 1e-9
    points = np.arange(-int(12 * scale), int(12 * scale) + shift, dtype=np.float64)
    mass = np.exp(-(points**2) / (2 * scale**2))
    moved = np.exp(-((points - shift) ** 2) / (2 * scale**2))
    total = mass.sum()
    mu = shift / scale * mechanisms.lattice_factor(sigma)
    for epsilon in (0.0, 1.0, 5.0, 20.0):
        exact = float(np.maximum(moved - math.exp(epsilon) * mass, 0).sum() / total)
        assert exact <= delta_from(mu, epsilon) * (1 + 1e-10)
        assert exact == pytest.approx(delta_from(mu, epsilon), rel=1e-6)


def test_idealised_mechanism_of_the_proof_matches_the_lattice() -> None:
    # docs/mathematics.md, section 2: the normaliser is constant up to 2.1 exp(-2 pi^2 r^2).
    width = 1.0
    offsets = np.linspace(0, 1, 11)
    grid = np.arange(-40, 41)[:, None]
    normaliser = np.exp(-((grid - offsets) ** 2) / (2 * width**2)).sum(axis=0)
    spread = normaliser.max() / normaliser.min() - 1
    bound = 2.1 * math.exp(-2 * math.pi**2 * width**2)
    assert 0 < spread <= 2.1 * bound
    assert math.exp(-2 * math.pi**2 * 2.5**2) < 1e-53
