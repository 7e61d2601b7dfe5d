"""Which pairs to measure and at which levels: noisy distances become predicted gains, and gains a
choice.

A pair's gain at a pair of levels is the dependence those levels can show minus the noise they would
carry. Both are L1 masses in persons, so gains of all pairs add up and the number of pairs can be
chosen by their sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from medsynth.models.levels import Chain

FloatArray = npt.NDArray[np.float64]
Pair = tuple[int, int]
Choice = tuple[int, int, int, int]
"""A pair at levels: (attribute i, attribute j, level of i, level of j), i < j."""

MEAN_ABSOLUTE_NORMAL = 0.8
"""E|Z| of a standard normal is sqrt(2 / pi) = 0.798."""

GRID = np.geomspace(1e-10, 1.0, 1024)
"""Thresholds at which the capped mass of a level is tabulated; a step is 2.3 %."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Resolutions:
    """All levels of all attributes side by side, with the mass of their groups: the public face of
    a selection.

    Segments are (attribute, level) in order; only levels up to `chain.working` take part.

    Attributes:
      chains: Levels of each attribute.
      masses: One-way mass per attribute's cells, each summing to `total`.
      total: Persons.
    """

    chains: tuple[Chain, ...]
    masses: tuple[FloatArray, ...]
    total: float

    @cached_property
    def shares(self) -> list[FloatArray]:
        """Share of each group, per segment."""
        return [
            np.bincount(level.groups, weights=mass, minlength=level.size) / self.total
            for chain, mass in zip(self.chains, self.masses, strict=True)
            for level in chain.levels[: chain.working + 1]
        ]

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Number of segments per attribute."""
        return np.array([chain.working + 1 for chain in self.chains])

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """First segment of each attribute."""
        return np.cumsum(self.counts) - self.counts

    @cached_property
    def owner(self) -> npt.NDArray[np.int64]:
        """Attribute of each segment."""
        return np.repeat(np.arange(len(self.chains)), self.counts)

    @cached_property
    def gini(self) -> FloatArray:
        """1 - sum of squared shares of each segment: the chance that two persons differ."""
        return np.array([max(1.0 - float(share @ share), 0.0) for share in self.shares])

    @cached_property
    def full_gini(self) -> FloatArray:
        """The same at each attribute's working level."""
        return np.asarray(self.gini[self.first + self.counts - 1])

    @cached_property
    def visible(self) -> FloatArray:
        """Part of an attribute's dependence that each segment can show, in [0, 1]."""
        full = self.full_gini[self.owner]
        return np.divide(self.gini, full, out=np.ones_like(full), where=full > 0)

    def cost(self, cap: float) -> FloatArray:
        """Sum of min(cap f, m) over the cells of every pair of segments: m the product of the one-ways,
        f what is left of the noise where interactions are measured, (1 - 1/g)(1 - 1/h).

        Returns:
          (segments, segments); the L1 error of a table that would have noise of mean size `cap` if it
          were measured whole, never worse than leaving a cell out.
        """
        shares, starts, capped = self._capped
        sizes = np.array([len(share) for share in self.shares])
        kept = np.maximum(1 - 1 / sizes, 0.5)
        at = cap * np.repeat(kept, sizes) / np.maximum(shares * self.total, 1e-300)
        sums = np.empty((len(sizes), len(sizes)))
        for factor in np.unique(kept):
            index = np.minimum(np.searchsorted(GRID, factor * at), len(GRID) - 1)
            rows = kept == factor
            sums[rows] = np.add.reduceat(capped[rows][:, index] * shares, starts, axis=1)
        return sums * self.total

    @cached_property
    def _capped(self) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray]:
        """All shares, the start of each segment, and sum of min(t, share) per segment and t in
        GRID.
        """
        sizes = np.array([len(share) for share in self.shares])
        capped = np.empty((len(sizes), len(GRID)))
        for row, share in zip(capped, self.shares, strict=True):
            rising = np.sort(share)
            below = np.searchsorted(rising, GRID)
            row[:] = np.concatenate([[0.0], np.cumsum(rising)])[below] + GRID * (len(share) - below)
        return np.concatenate(self.shares), np.cumsum(sizes) - sizes, capped

    def segments(self, choice: Choice) -> tuple[int, int]:
        """Where a choice lies in a (segments, segments) array."""
        i, j, level_i, level_j = choice
        return int(self.first[i]) + level_i, int(self.first[j]) + level_j

    def block(self, i: int, j: int) -> tuple[slice, slice]:
        """Where the levels of a pair lie in a (segments, segments) array."""
        return tuple(slice(self.first[k], self.first[k] + self.counts[k]) for k in (i, j))  # type: ignore[return-value]


def all_pairs(chains: Sequence[Chain]) -> list[Pair]:
    """Pairs of attributes that can depend on each other (both of at least two cells), in order."""
    varied = [k for k, chain in enumerate(chains) if chain.sizes[-1] > 1]
    return [(i, j) for n, i in enumerate(varied) for j in varied[n + 1 :]]


def finest_readable(resolutions: Resolutions, pairs: Sequence[Pair], cap: float, share: float) -> list[Choice]:
    """Per pair the levels that show most dependence while sum min(cap, m) stays within a share of
    the total.
    """
    cost = resolutions.cost(cap)
    shown = np.outer(resolutions.visible, resolutions.visible)
    shown = np.where(cost <= share * resolutions.total, shown, -cost)
    return [_best(resolutions, shown, pair) for pair in pairs]


def _best(resolutions: Resolutions, values: FloatArray, pair: Pair) -> Choice:
    block = values[resolutions.block(*pair)]
    level_i, level_j = divmod(int(block.argmax()), block.shape[1])
    return (*pair, level_i, level_j)


def shrink_scores(scores: FloatArray, sigma: float, prior: FloatArray, ceiling: FloatArray) -> FloatArray:
    """Pulls noisy scores towards a multiple of `prior` as far as their spread is noise.

    Args:
      scores: Noisy distances of the pairs.
      sigma: Standard deviation of their noise.
      prior: Shape of what to expect, such as sqrt(gini gini) of each pair.
      ceiling: Largest possible score of each pair.

    Returns:
      Scores in [0, ceiling].

    Source: recipe part two, section B (scaled score shrinkage).
    """
    scale = float(scores @ prior) / max(float(prior @ prior), 1e-300)
    centre = max(scale, 0.0) * prior
    spread = float(np.mean((scores - centre) ** 2))
    kept = max(0.0, 1.0 - sigma**2 / spread) if spread > 0 else 0.0
    return np.clip(centre + kept * (scores - centre), 0.0, ceiling)


def without_chance(scores: FloatArray, chance: FloatArray) -> FloatArray:
    """Removes, in quadrature, the distance that sampling and one-way noise alone would show."""
    return np.asarray(np.sqrt(np.maximum(scores**2 - chance**2, 0.0)))


def poisson_distance(expected: FloatArray) -> float:
    """Mean L1 distance between independent Poisson counts and their expectation, cell by cell at
    most 2 m.
    """
    return float(np.minimum(2.0 * expected, np.sqrt(2.0 * expected / np.pi)).sum())


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A choice of pairs at levels, by falling gain.

    Attributes:
      choices: Pairs at levels.
      gains: Predicted gain of each, in persons of L1, times the pair's weight.
      sigma: The common sigma the gains were predicted at.
    """

    choices: tuple[Choice, ...]
    gains: FloatArray
    sigma: float


def plan_pairs(
    resolutions: Resolutions,
    pairs: Sequence[Pair],
    dependence: FloatArray,
    *,
    sigma_of_one: float,
    noise_weight: float,
    most: int,
    weights: FloatArray | None = None,
) -> Plan:
    """Chooses the number of pairs whose gains sum highest, and each pair's levels.

    Args:
      resolutions: Levels and masses.
      pairs: Candidate pairs.
      dependence: Estimated L1 dependence of each pair at full resolution, in persons.
      sigma_of_one: Noise if a single pair took the whole budget; K pairs have sqrt(K) times that.
      noise_weight: How much of a table's noise survives estimation (rho of the recipe).
      most: Largest number of pairs.
      weights: How much each pair counts, mean 1; None if all count alike.

    Returns:
      The plan; empty if no pair is worth its noise. Gains are weighted.

    Source: recipe, step 4.
    """
    best = Plan(choices=(), gains=np.zeros(0), sigma=sigma_of_one)
    if not pairs:
        return best
    shown = _shown(resolutions, pairs, dependence)
    counted = np.ones(len(pairs)) if weights is None else weights
    largest = max(min(most, len(pairs)), 1)
    for number in np.unique(np.geomspace(1, largest, 16).round().astype(int)):
        sigma = sigma_of_one * float(np.sqrt(number))
        plan = _plan_of(resolutions, pairs, shown, sigma, noise_weight, counted, int(number))
        best = plan if plan.gains.sum() > best.gains.sum() else best
    return best


def _shown(resolutions: Resolutions, pairs: Sequence[Pair], dependence: FloatArray) -> FloatArray:
    """Dependence that each pair of segments can show, in persons."""
    strength = np.zeros((len(resolutions.chains),) * 2)
    strength[tuple(np.array(pairs).T)] = dependence
    spread = strength[np.ix_(resolutions.owner, resolutions.owner)]
    return np.asarray(spread * np.outer(resolutions.visible, resolutions.visible))


def _plan_of(
    resolutions: Resolutions,
    pairs: Sequence[Pair],
    shown: FloatArray,
    sigma: float,
    noise_weight: float,
    weights: FloatArray,
    number: int,
) -> Plan:
    """The best pairs, at most `number`, each at its best levels, if all have the same noise."""
    cost = resolutions.cost(MEAN_ABSOLUTE_NORMAL * sigma)
    gain = shown - noise_weight * cost
    starts = resolutions.first
    peaks = np.maximum.reduceat(np.maximum.reduceat(gain, starts, axis=0), starts, axis=1)
    peaks = weights * peaks[tuple(np.array(pairs).T)]
    order = np.argsort(-peaks, kind="stable")[:number]
    order = order[peaks[order] > 0]
    choices = tuple(_best(resolutions, gain, pairs[k]) for k in order)
    return Plan(choices=choices, gains=peaks[order], sigma=sigma)


def split_noise(costs: Sequence[float] | FloatArray, budget: float) -> FloatArray:
    """Noise multipliers s_i with sum of 1 / s_i^2 = budget and 1 / s_i^2 in proportion to
    cost^(2/3).

    >>> split_noise([1.0, 8.0], 5.0)
    array([1. , 0.5])

    Source: minimises the sum of cost * s; recipe, steps 1 and 5.
    """
    weights = np.maximum(np.asarray(costs, dtype=np.float64), 1e-12) ** (2 / 3)
    return np.asarray(1.0 / np.sqrt(budget * weights / weights.sum()))
