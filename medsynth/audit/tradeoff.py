"""What two error rates of an attack say about a claimed guarantee: bounds, and an exact test of the claimed curve.

    hits          runs with the person in which the attack said so, of `trials`
    false_alarms  runs without the person in which it said so, of `trials`

Under a claim no attack has a hit rate above `cap(false alarm rate)`: the claimed trade-off curve, turned over.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, bdtrc, gammaln, ndtr, ndtri, xlog1py, xlogy

from medsynth.inference import clopper_pearson

FloatArray = npt.NDArray[np.float64]

UNRESOLVED: Final = 1e-9
"""Smallest p-value that is told apart from 0: the chance that the true rate lies outside the searched interval."""
CELLS: Final = 128
MOST_TRIALS: Final = 2**15
"""Tested runs of each world beyond which nobody waits for an audit."""
MOST_MU: Final = 20.0
"""Beyond the claim: whoever is told apart by less is told apart without a doubt."""
NEGLIGIBLE: Final = 7.0
"""Standard deviations of a count beyond which its probability is added instead of summed."""


class Claim(Protocol):
    """A claimed guarantee, as a cap on every attack."""

    def cap(self, rate: FloatArray) -> FloatArray:
        """The highest hit rate at each false alarm rate: ascends; the inverse at r is one minus the cap at 1 - r."""
        ...


@dataclass(frozen=True, kw_only=True)
class GaussianClaim:
    """mu-GDP: no attack beats telling N(0, 1) from N(mu, 1).

    >>> GaussianClaim(mu=1.0).cap(np.array([0.0, 0.5, 1.0])).round(3)
    array([0.   , 0.841, 1.   ])

    Source: Dong, Roth and Su (2022), doi:10.1111/rssb.12454.
    """

    mu: float

    def cap(self, rate: FloatArray) -> FloatArray:
        """Phi(Phi^-1(rate) + mu)."""
        return np.asarray(ndtr(ndtri(rate) + self.mu), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class ApproximateClaim:
    """(epsilon, delta)-DP, for a fit that claims no more.

    >>> ApproximateClaim(epsilon=math.log(2), delta=0.1).cap(np.array([0.0, 0.2, 0.89])).round(3)
    array([0.1  , 0.5  , 0.995])

    Source: Wasserman and Zhou (2010), doi:10.1198/jasa.2009.tm08651; Kairouz, Oh and Viswanath (2015),
      arXiv:1311.0776.
    """

    epsilon: float
    delta: float

    def cap(self, rate: FloatArray) -> FloatArray:
        """The lower of e^epsilon rate + delta and 1 - e^-epsilon (1 - delta - rate), at most 1."""
        steep = math.exp(self.epsilon) * rate + self.delta
        flat = 1 - math.exp(-self.epsilon) * (1 - self.delta - rate)
        return np.minimum(np.minimum(steep, flat), 1.0)


def p_value(hits: int, false_alarms: int, trials: int, claim: Claim) -> float:
    """The chance of error rates that contradict the claim as strongly as these, at most, if the claim is true.

    Args:
      hits: Of `trials` runs with the person.
      false_alarms: Of `trials` runs without the person.
      trials: At least 1.
      claim: What no attack may exceed.

    Returns:
      p-value in [1e-9, 1]. Exact: never too small, whatever the true rates.

    >>> p_value(60, 50, 100, GaussianClaim(mu=1.0)) > 0.9, p_value(90, 10, 100, GaussianClaim(mu=1.0)) < 1e-6
    (True, True)

    Source: Barnard (1945), doi:10.1038/156177a0 (unconditional test); Berger and Boos (1994), doi:10.1080/
      01621459.1994.10476836 (interval for the nuisance parameter); `docs/mathematics.md`, "Testing a claim from error
      rates".
    """
    low, high = clopper_pearson(false_alarms, trials, 1 - UNRESOLVED)
    edges = np.linspace(low, high, CELLS + 1)
    # In a cell of rates the chance is largest at its lowest false alarm rate and its highest cap.
    rates, caps = edges[:-1], claim.cap(edges[1:])
    counts = (np.arange(trials + 1) + 0.5) / (trials + 1)
    # Excess of the hits over the cap, and of the false alarms below its inverse: ascends in hits, descends in alarms.
    speaking = _stable(counts) + _stable(1 - claim.cap(1 - counts))
    allowed = _stable(counts) + _stable(claim.cap(counts))
    excess = speaking[hits] - allowed[false_alarms]
    needed = np.searchsorted(speaking, allowed + excess - 1e-9)
    return float(min(1.0, UNRESOLVED + _chances(rates, caps, needed, trials).max()))


def _stable(rate: FloatArray) -> FloatArray:
    """Arcsine of the root: the error of an observed rate is the same at all rates.

    Source: Anscombe (1948), doi:10.1093/biomet/35.3-4.246.
    """
    return np.asarray(np.arcsin(np.sqrt(rate)))


def _chances(rates: FloatArray, caps: FloatArray, all_needed: npt.NDArray[np.int64], trials: int) -> FloatArray:
    """P(hits >= needed for the false alarms) for each pair of true rates, (cells,); rounded up.

    Args:
      rates: False alarm rates, (cells,).
      caps: Hit rates, (cells,).
      all_needed: Hits that are needed with 0, 1, .. `trials` false alarms; ascends.
      trials: Runs of each world.
    """
    spread = NEGLIGIBLE * math.sqrt(trials * max(float((rates * (1 - rates)).max()), 1 / trials)) + NEGLIGIBLE**2
    first = max(0, math.floor(trials * float(rates.min()) - spread))
    last = min(trials, math.ceil(trials * float(rates.max()) + spread))
    counts = np.arange(first, last + 1)
    needed = all_needed[counts]
    mass = np.exp(_log_binomial(counts[None, :], trials, rates[:, None]))
    tails = np.where(needed > trials, 0.0, _upper_tail(np.minimum(needed, trials)[None, :], trials, caps[:, None]))
    outside = bdtr(first - 1, trials, rates) if first else np.zeros_like(rates)
    beyond = bdtrc(last, trials, rates) if last < trials else np.zeros_like(rates)
    return np.asarray((mass * tails).sum(axis=1) + outside + beyond, dtype=np.float64)


def _log_binomial(counts: npt.NDArray[np.int64], trials: int, rates: FloatArray) -> FloatArray:
    choices = gammaln(trials + 1) - gammaln(counts + 1) - gammaln(trials - counts + 1)
    return np.asarray(choices + xlogy(counts, rates) + xlog1py(trials - counts, -rates))


def _upper_tail(counts: FloatArray, trials: int, rates: FloatArray) -> FloatArray:
    """P(Binomial >= counts); bdtrc counts from the next number on."""
    return np.asarray(np.where(counts <= 0, 1.0, bdtrc(np.maximum(counts, 1) - 1, trials, rates)))


def least_trials(claim: Claim, level: float) -> int | None:
    """The fewest tested runs of each world in which a perfect attack refutes a claim; None above `MOST_TRIALS`.

    >>> least_trials(GaussianClaim(mu=1.0), 0.05), least_trials(GaussianClaim(mu=1.0), 1e-10)
    (5, None)
    """

    def refuted(trials: int) -> bool:
        return p_value(trials, 0, trials, claim) <= level

    high = 1
    while not refuted(high):
        high *= 2
        if high > MOST_TRIALS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if refuted(middle) else (middle, high)
    return high


def mu_low(hits: int, false_alarms: int, trials: int, level: float) -> float:
    """The largest mu up to which the error rates refute every claim: with chance `level` at most it exceeds the truth.

    Returns:
      At least 0.

    Source: inversion of `p_value`.
    """

    def refuted(mu: float) -> bool:
        return p_value(hits, false_alarms, trials, GaussianClaim(mu=mu)) <= level

    if not refuted(0.0):
        return 0.0
    low, step = 0.0, 0.25
    while refuted(low + step):
        low += step
    while step > 1e-4 * (1 + low):
        step /= 2
        low += step * refuted(low + step)
    return low


def epsilon_low(hits: int, false_alarms: int, trials: int, *, delta: float, level: float) -> float:
    """A lower bound on epsilon at a delta that assumes nothing of the mechanism.

    Both rates lie in their Clopper-Pearson intervals, but for a chance of `level` together.

    >>> round(epsilon_low(1000, 0, 1000, delta=0.0, level=0.05), 2)
    5.6

    Source: Kairouz, Oh and Viswanath (2015), arXiv:1311.0776; Nasr et al. (2021), arXiv:2101.04535.
    """
    least, most = _joint(hits, false_alarms, trials, level)
    pairs = ((least - delta, most), (1 - most - delta, 1 - least))
    return max(0.0, *(math.log(above / below) for above, below in pairs if above > 0 and below > 0))


def mu_low_joint(hits: int, false_alarms: int, trials: int, level: float) -> float:
    """A lower bound on mu from the same two Clopper-Pearson intervals; wider than `mu_low`.

    >>> round(mu_low_joint(800, 200, 1000, 0.05), 2)
    1.5
    """
    least, most = _joint(hits, false_alarms, trials, level)
    return max(0.0, float(ndtri(least) - ndtri(most))) if least > 0 and most < 1 else 0.0


def _joint(hits: int, false_alarms: int, trials: int, level: float) -> tuple[float, float]:
    """(lowest hit rate, highest false alarm rate), each wrong with chance level / 2 at most."""
    confidence = 1 - level
    return clopper_pearson(hits, trials, confidence).low, clopper_pearson(false_alarms, trials, confidence).high


def detectable_mu(claimed: float, trials: int, level: float, power: float = 0.95) -> float:
    """The smallest true mu that an ideal attack tells from the claimed one with at least the stated power, to 1 %.

    At the midpoint, hits fall below one quantile and false alarms above another with chance (1 - power) / 2 each; the
    mu is enough once even these two refute the claim.

    Args:
      claimed: mu of the claim.
      trials: Runs per world that are tested.
      level: Of the test.
      power: Chance of finding it.

    Returns:
      mu; infinite where no mu is enough, because the runs are too few.

    Source: union bound over the two counts.
    """
    from scipy import stats

    def enough(mu: float) -> bool:
        tail = (1 - power) / 2
        hits = int(stats.binom.ppf(tail, trials, ndtr(mu / 2)))
        false_alarms = int(stats.binom.ppf(1 - tail, trials, ndtr(-mu / 2)))
        return p_value(hits, false_alarms, trials, GaussianClaim(mu=claimed)) <= level

    high = claimed + 0.01
    while not enough(high):
        high *= 1.25
        if high > claimed + MOST_MU:
            return math.inf
    low = max(claimed, high / 1.25)
    while high - low > 0.01 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


Objective = Callable[[FloatArray, FloatArray, int], FloatArray]


def best_threshold(without: FloatArray, within: FloatArray, objective: Objective) -> float:
    """The score above which an attack should say that the person is in the table.

    Args:
      without: Scores of runs without the person, (n,).
      within: Scores of runs with the person, (n,).
      objective: Value of hit rates and false alarm rates, both (thresholds,), of n runs each.
    """
    pooled = np.unique(np.concatenate([without, within]))
    candidates = np.quantile(pooled, np.linspace(0, 1, 257)) if len(pooled) > 257 else pooled
    candidates = np.concatenate([[-np.inf], (candidates[1:] + candidates[:-1]) / 2])
    hit = 1 - np.searchsorted(np.sort(within), candidates, side="right") / len(within)
    false = 1 - np.searchsorted(np.sort(without), candidates, side="right") / len(without)
    return float(candidates[int(np.argmax(objective(hit, false, len(within))))])


def separation(hit: FloatArray, false: FloatArray, _trials: int) -> FloatArray:
    """How far two rates lie apart, in units in which their error is the same at all rates.

    Source: Cohen (1988), Statistical power analysis for the behavioral sciences: effect size h.
    """
    return 2 * (_stable(hit) - _stable(false))


def loss(delta: float) -> Objective:
    """How large an epsilon two rates surely show at a delta, about: rates moved by three standard errors."""

    def objective(hit: FloatArray, false: FloatArray, trials: int) -> FloatArray:
        least, most = _shrunk(hit, -3, trials), _shrunk(false, 3, trials)
        pairs = [(least - delta, most), (1 - most - delta, 1 - least)]
        return np.asarray(np.maximum(*(np.log(np.maximum(a, 1e-12) / np.maximum(b, 1e-12)) for a, b in pairs)))

    return objective


def _shrunk(rate: FloatArray, errors: int, trials: int) -> FloatArray:
    """A rate moved by Wilson's interval, which stays inside [0, 1]."""
    square = errors**2 / trials
    middle = rate + square / 2
    half = errors * np.sqrt(rate * (1 - rate) / trials + square / (4 * trials))
    return np.asarray(np.clip((middle + half) / (1 + square), 0.0, 1.0))
