"""Every table that counts an attribute, pooled into one estimate of its cells.

The finest one-way table is noisy per cell; block tables and the margins of pair tables know sums
over groups of cells better than its cells add up to. Weighted least squares takes both at their
word. The normal equations have one row per group, not per cell, so that a code system of many
thousand cells costs no more than its levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Level

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupCounts:
    """Noisy counts of groups of an attribute's cells.

    Attributes:
      level: The groups.
      noisy: Counts plus noise in persons, shape (level.size,).
      variance: Variance of the noise of a count.
    """

    level: Level
    noisy: FloatArray
    variance: float


@dataclass(frozen=True, kw_only=True, eq=False)
class CellCounts:
    """Unbiased counts of an attribute's cells, with the noise left in them.

    Attributes:
      counts: Persons per cell, some may be negative, shape (cells,).
      deviations: Standard deviation of each.
      block_deviations: Standard deviation of the sum over each public block; none without blocks.
    """

    counts: FloatArray
    deviations: FloatArray
    block_deviations: FloatArray | None = None


def pool(noisy: FloatArray, sigma: float, sums: Sequence[GroupCounts], blocks: Level | None = None) -> CellCounts:
    """The best linear unbiased estimate of all cells from a table of cells and counts of groups.

    Args:
      noisy: Cell counts plus independent noise, shape (cells,).
      sigma: Standard deviation of that noise.
      sums: Noisy counts of groups, independent of each other and of `noisy`.
      blocks: Groups whose sums the caller wants the noise of.

    Returns:
      The estimate; where `sums` has a table of the blocks and nothing else, the estimate's block
      sums are the precision-weighted means of both tables.

    Source: generalised least squares; the inverse over groups by Woodbury (1950).
    """
    cells = len(noisy)
    merged = _merged(sums)
    sizes = None if blocks is None else np.bincount(blocks.groups, minlength=blocks.size)
    if not merged:
        alone = None if sizes is None else sigma * np.sqrt(sizes)
        deviations = np.full(cells, sigma)
        return CellCounts(counts=noisy, deviations=deviations, block_deviations=alone)
    levels = [each.level for each in merged]
    inverse = _inverse(levels, [each.variance for each in merged], sigma**2)
    surplus = np.concatenate([each.noisy - np.bincount(each.level.groups, noisy, each.level.size) for each in merged])
    pull = inverse @ surplus
    places = _places(levels)  # (levels, cells)
    known = np.zeros(cells)
    for row in places:
        known += inverse[row, places].sum(axis=0)
    return CellCounts(
        counts=noisy + sigma**2 * pull[places].sum(axis=0),
        deviations=sigma * np.sqrt(np.maximum(1.0 - sigma**2 * known, 0.0)),
        block_deviations=(None if blocks is None else _sum_deviations(blocks, levels, inverse, sigma)),
    )


def _merged(sums: Sequence[GroupCounts]) -> list[GroupCounts]:
    """One table per set of groups, the mean of its tables weighted by precision."""
    found: dict[bytes, tuple[Level, FloatArray, float]] = {}
    for each in sums:
        key = each.level.groups.tobytes()
        level, weighted, precision = found.get(key, (each.level, np.zeros(each.level.size), 0.0))
        weight = 1.0 / each.variance
        found[key] = (level, weighted + weight * each.noisy, precision + weight)
    return [
        GroupCounts(level=level, noisy=weighted / precision, variance=1.0 / precision)
        for level, weighted, precision in found.values()
    ]


def _places(levels: Sequence[Level]) -> npt.NDArray[np.int64]:
    """Place of each cell's group, all levels in a row; shape (levels, cells)."""
    sizes = np.array([level.size for level in levels])
    starts = np.cumsum(sizes) - sizes
    return np.stack([level.groups + start for level, start in zip(levels, starts, strict=True)])


def _shared_cells(first: Sequence[Level], second: Sequence[Level]) -> FloatArray:
    """How many cells a group of `first` shares with one of `second`, all levels in a row."""
    return np.block([[_crossing(one, other) for other in second] for one in first])


def _crossing(one: Level, other: Level) -> FloatArray:
    flat = one.groups.astype(np.int64) * other.size + other.groups
    counts = np.bincount(flat, minlength=one.size * other.size)
    return counts.reshape(one.size, other.size).astype(np.float64)


def _inverse(levels: Sequence[Level], variances: Sequence[float], cell: float) -> FloatArray:
    """Inverse covariance of group counts minus the sums of the cell table."""
    sizes = [level.size for level in levels]
    covariance = cell * _shared_cells(levels, levels)
    covariance[np.diag_indices_from(covariance)] += np.repeat(variances, sizes)
    return np.asarray(np.linalg.inv(covariance), dtype=np.float64)


def _sum_deviations(blocks: Level, levels: Sequence[Level], inverse: FloatArray, sigma: float) -> FloatArray:
    """Noise of the estimate's sums over blocks."""
    shared = _shared_cells(levels, [blocks])
    known = sigma**2 * np.einsum("gb,gb->b", shared, inverse @ shared)
    sizes = np.bincount(blocks.groups, minlength=blocks.size)
    return np.asarray(sigma * np.sqrt(np.maximum(sizes - known, 0.0)))
