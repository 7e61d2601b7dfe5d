"""Intervals and tests for rates, means and areas under the ROC curve: pure functions on arrays."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Groups = npt.NDArray[np.int64]


class Interval(NamedTuple):
    """Lower and upper end of an interval."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A figure and its interval."""

    value: float
    low: float
    high: float


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Bounds a success rate; stays inside [0, 1] for rare events.

    Args:
      successes: Correct guesses, 0 <= successes <= trials.
      trials: Attacked records, at least 1.
      confidence: Two-sided level in (0, 1).

    Returns:
      (low, high), as fractions, not percent.

    Raises:
      ValueError: If an argument is outside the ranges above.

    Source: Wilson (1927), doi:10.1080/01621459.1927.10502953.

    >>> low, high = wilson_interval(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    _check_rate(successes, trials)
    z = _normal_quantile(confidence)
    rate = successes / trials
    middle = rate + z**2 / (2 * trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    scale = 1 + z**2 / trials
    low = 0.0 if successes == 0 else max(0.0, (middle - half) / scale)
    high = 1.0 if successes == trials else min(1.0, (middle + half) / scale)
    return Interval(low, high)


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Bounds a success rate with at least the stated confidence, whatever the rate.

    Args:
      successes: 0 <= successes <= trials.
      trials: At least 1.
      confidence: Two-sided level in (0, 1).

    Returns:
      (low, high), as fractions.

    Raises:
      ValueError: If an argument is outside the ranges above.

    Source: Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.

    >>> low, high = clopper_pearson(0, 20)
    >>> low, round(high, 4)
    (0.0, 0.1684)
    """
    _check_rate(successes, trials)
    tail = (1 - _check_confidence(confidence)) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(special.betaincinv(successes + 1, trials - successes, 1 - tail))
    return Interval(low, high)


def newcombe_difference(
    successes: int,
    trials: int,
    control_successes: int,
    control_trials: int,
    confidence: float = 0.95,
) -> Interval:
    """Bounds the difference of two independent success rates, first minus control.

    Returns:
      (low, high), inside [-1, 1].

    Source: Newcombe (1998), method 10, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-
      SIM779>3.0.CO;2-I.

    >>> low, high = newcombe_difference(56, 70, 48, 80)
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    first = wilson_interval(successes, trials, confidence)
    second = wilson_interval(control_successes, control_trials, confidence)
    rate, control = successes / trials, control_successes / control_trials
    difference = rate - control
    below = math.hypot(rate - first.low, second.high - control)
    above = math.hypot(first.high - rate, control - second.low)
    return Interval(max(-1.0, difference - below), min(1.0, difference + above))


def fisher_exact(successes: int, trials: int, control_successes: int, control_trials: int) -> float:
    """One-sided p-value of "the first rate is not above the control's".

    Returns:
      Probability of so many successes or more in the first group, given both totals.

    Source: Fisher (1935); the tail of the hypergeometric distribution.

    >>> round(fisher_exact(3, 4, 1, 4), 4)
    0.2429
    """
    from scipy import stats

    _check_rate(successes, trials)
    _check_rate(control_successes, control_trials)
    total = successes + control_successes
    return float(stats.hypergeom.sf(successes - 1, trials + control_trials, total, trials))


def sign_test(more: int, fewer: int) -> float:
    """One-sided p-value of "either side is as likely to win", of so many wins and losses without the ties.

    Source: McNemar's test in its exact form, the tail of the binomial distribution with rate 1/2.

    >>> sign_test(3, 0), sign_test(0, 0)
    (0.125, 1.0)
    """
    return float(special.betainc(more, fewer + 1, 0.5)) if more else 1.0


def holm(chances: Sequence[float]) -> list[float]:
    """p-values adjusted for how many there are: each below a level with the family-wise error of that level.

    Source: Holm (1979), https://www.jstor.org/stable/4615733.

    >>> [round(chance, 3) for chance in holm([0.03, 0.01, 0.5])]
    [0.06, 0.03, 0.5]
    """
    adjusted, largest = [0.0] * len(chances), 0.0
    for rank, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, (len(chances) - rank) * chances[place]))
        adjusted[place] = largest
    return adjusted


def smallest_detectable_excess(
    control_successes: int, trials: int, *, level: float = 0.05, power: float = 0.8
) -> float:
    """The smallest excess rate that `fisher_exact` would have found, both groups of one size.

    Args:
      control_successes: Successes of the control, taken as what it usually shows.
      trials: Size of each group.
      level: p-value below which the test speaks.
      power: Probability with which it should speak.

    Returns:
      Excess over the control's rate; 1.0 where no count would be found.

    >>> round(smallest_detectable_excess(0, 2000), 4)  # five hits against none give p = 0.03
    0.0034
    """
    low, high = control_successes, trials + 1
    while high - low > 1:
        middle = (low + high) // 2
        found = fisher_exact(middle, trials, control_successes, trials) < level
        low, high = (low, middle) if found else (middle, high)
    if high > trials:
        return 1.0
    needed = float(special.betaincinv(high, trials - high + 1, power))
    return max(0.0, needed - control_successes / trials)


def auc(positives: FloatArray, negatives: FloatArray) -> float:
    """Probability that a positive scores above a negative; ties count half.

    >>> auc(np.array([3.0, 2.0]), np.array([2.0, 1.0]))
    0.875
    """
    ranks = _midranks(np.concatenate([positives, negatives]))[: len(positives)]
    wins = ranks.sum() - len(positives) * (len(positives) + 1) / 2
    return float(wins / (len(positives) * len(negatives)))


def hanley_mcneil(area: float, positives: int, negatives: int) -> float:
    """Standard error of an area under the ROC curve from the area and the group sizes alone.

    Source: Hanley and McNeil (1982), doi:10.1148/radiology.143.1.7063747.

    >>> round(hanley_mcneil(0.893, 51, 58), 3)
    0.033
    """
    first = area / (2 - area)
    second = 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (positives - 1) * (first - area**2) + (negatives - 1) * (second - area**2)) / (
        positives * negatives
    )
    return math.sqrt(max(0.0, variance))


def delong(positives: FloatArray, negatives: FloatArray) -> float:
    """Standard error of an area under the ROC curve from the scores; no shape is assumed.

    Args:
      positives: Scores of the positives, at least 2.
      negatives: Scores of the negatives, at least 2.

    Source: DeLong, DeLong and Clarke-Pearson (1988), doi:10.2307/2531595; ranks as in Sun and Xu
      (2014).
    """
    both = _midranks(np.concatenate([positives, negatives]))
    above = (both[: len(positives)] - _midranks(positives)) / len(negatives)
    below = 1 - (both[len(positives) :] - _midranks(negatives)) / len(positives)
    return float(math.sqrt(above.var(ddof=1) / len(positives) + below.var(ddof=1) / len(negatives)))


def auc_interval(positives: FloatArray, negatives: FloatArray, confidence: float = 0.95) -> Estimate:
    """Area under the ROC curve with its DeLong interval.

    Where the two groups do not overlap, DeLong's variance is zero; the smaller group then bounds the area as Clopper
    and Pearson bound a rate never seen to fail.

    Returns:
      (value, low, high), inside [0, 1]; both groups need at least 2 scores.
    """
    area = auc(positives, negatives)
    error = delong(positives, negatives)
    if error == 0 and area in {0.0, 1.0}:
        fewer = min(len(positives), len(negatives))
        return Estimate(area, *clopper_pearson(round(area) * fewer, fewer, confidence))
    half = _normal_quantile(confidence) * error
    return Estimate(area, max(0.0, area - half), min(1.0, area + half))


def true_positive_rate(
    positives: FloatArray,
    negatives: FloatArray,
    *,
    false_positive_rate: float = 0.01,
    confidence: float = 0.95,
) -> Estimate:
    """Share of positives above the score that a stated share of negatives exceeds.

    The interval allows for both samples: half of the error goes to where the threshold truly lies, half to the rate
    above it, each bounded as by Clopper and Pearson.

    Args:
      positives: Scores of the positives; ties with negatives should be broken at random beforehand.
      negatives: Scores of the negatives.
      false_positive_rate: Share of negatives allowed above the threshold.
      confidence: Two-sided level in (0, 1).

    Returns:
      (value, low, high).
    """
    n = len(negatives)
    shared = (1 + confidence) / 2
    passed = range(n + 1)
    allowed = math.floor(false_positive_rate * n)
    strict = max(
        (k for k in passed[: allowed + 1] if clopper_pearson(k, n, shared).high <= false_positive_rate),
        default=-1,
    )
    loose = next((k for k in passed[allowed:] if clopper_pearson(k, n, shared).low >= false_positive_rate), n)
    low = clopper_pearson(_above(positives, negatives, strict), len(positives), shared).low if strict >= 0 else 0.0
    high = clopper_pearson(_above(positives, negatives, loose), len(positives), shared).high
    return Estimate(_above(positives, negatives, allowed) / len(positives), low, high)


def _above(positives: FloatArray, negatives: FloatArray, allowed: int) -> int:
    """Positives strictly above the score that `allowed` negatives exceed."""
    if allowed >= len(negatives):
        return len(positives)
    threshold = np.partition(negatives, len(negatives) - 1 - allowed)[len(negatives) - 1 - allowed]
    return int((positives > threshold).sum())


def person_multiplicities(persons: Groups, rng: np.random.Generator, *, draws: int | None = None) -> Groups:
    """How often each row enters one bootstrap sample that draws whole persons with replacement.

    Args:
      persons: (n,) number of each row's person, 0 .. persons - 1.
      rng: Source of the draw.
      draws: Persons drawn; as many as there are, if not given.

    Returns:
      (n,) int64.
    """
    if not len(persons):
        return np.zeros(0, dtype=np.int64)
    count = int(persons.max()) + 1
    drawn = rng.integers(0, count, size=count if draws is None else draws)
    return np.bincount(drawn, minlength=count)[persons]


def bootstrap_mean(
    values: FloatArray,
    rng: np.random.Generator,
    *,
    weights: FloatArray | None = None,
    persons: Groups | None = None,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Estimate:
    """A weighted mean with its percentile bootstrap interval.

    Args:
      values: (n,), at least one row.
      rng: Source of the resampling.
      weights: (n,) nonnegative; equal if not given.
      persons: (n,) numbers 0 .. persons - 1; whole persons are drawn. Every row is a person if not given.
      resamples: Bootstrap samples.
      confidence: Two-sided level in (0, 1).

    Returns:
      (value, low, high).

    Source: Efron (1979), doi:10.1214/aos/1176344552.
    """
    mass = np.ones(len(values)) if weights is None else weights
    groups = np.arange(len(values)) if persons is None else persons
    totals, masses = np.bincount(groups, values * mass), np.bincount(groups, mass)
    drawn = np.empty(resamples)
    for resample in range(resamples):
        chosen = rng.integers(0, len(totals), size=len(totals))
        drawn[resample] = totals[chosen].sum() / max(masses[chosen].sum(), np.finfo(float).tiny)
    return Estimate(float(totals.sum() / masses.sum()), *percentiles(drawn, confidence))


def percentiles(drawn: FloatArray, confidence: float = 0.95) -> Interval:
    """The middle `confidence` of a set of bootstrap figures."""
    tail = (1 - _check_confidence(confidence)) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(float(low), float(high))


def jackknife_error(left_out: FloatArray) -> float:
    """Standard error of a figure from its values with one group of persons left out at a time.

    Source: Shao and Tu (1995), The Jackknife and Bootstrap, section 2.3 (delete-a-group).

    >>> round(jackknife_error(np.array([1.0, 2.0, 3.0])), 4)  # sqrt(2/3 * 2)
    1.1547
    """
    groups = len(left_out)
    return float(math.sqrt((groups - 1) / groups * ((left_out - left_out.mean()) ** 2).sum()))


def _midranks(values: FloatArray) -> FloatArray:
    """Ranks from 1, ties sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _normal_quantile(confidence: float) -> float:
    return float(special.ndtri((1 + _check_confidence(confidence)) / 2))


def _check_confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"Expected 0 < confidence < 1, got {confidence}.")
    return confidence


def _check_rate(successes: int, trials: int) -> None:
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError("Expected trials >= 1 and 0 <= successes <= trials.")


def person_numbers(identifiers: npt.ArrayLike | None, rows: int) -> Groups:
    """Number of each row's person, from 0; every row is a person where there are no identifiers.

    >>> person_numbers(["b", "a", "b"], 3).tolist(), person_numbers(None, 2).tolist()
    ([0, 1, 0], [0, 1])
    """
    if identifiers is None:
        return np.arange(rows)
    import pandas as pd

    numbers, _ = pd.factorize(np.asarray(identifiers, dtype=object), use_na_sentinel=False)
    return numbers.astype(np.int64)
