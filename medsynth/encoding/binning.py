"""Bounds and bins from noisy counts on a grid: what stands out from the noise, cut into parts of about equal mass.

Everything here is post-processing of noisy counts: a function of released numbers and public settings.

Source: dyadic runs as in Zhang, Xiao and Xie (2016), doi:10.1145/2882903.2882928 (PrivTree), with counts that are
all noised beforehand in place of noise drawn at every node.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Run = tuple[int, int]
"""Cells from the first to before the second."""

MOST_FALSE = 0.001
"""Chance that, of all runs of an empty grid, any stands out from its noise."""
CONFIRMED = 1.5
"""An outermost part that stood out on one grid must hold so many deviations of its noise on the next: an empty one that
was taken for full would stretch the bounds by a large factor.
"""


def stands_out(cells: int) -> float:
    """How many deviations of its noise a run must hold, so that hardly ever an empty one does.

    Args:
      cells: Of the grid; it has fewer than twice as many dyadic runs.

    >>> round(stands_out(108), 2), round(stands_out(512), 2)
    (4.43, 4.76)
    """
    return float(-ndtri(MOST_FALSE / (2 * max(cells, 1))))


def significant_runs(noisy: FloatArray, sigma: float) -> list[Run]:
    """The smallest dyadic runs that stand out from the noise, in order and disjoint.

    Args:
      noisy: (cells,) counts in persons.
      sigma: Deviation of the noise on each.

    >>> significant_runs(np.array([0.0, 0.0, 9.0, 90.0, 0.0, 0.0, 0.0, 0.0]), 1.0)
    [(2, 3), (3, 4)]
    >>> significant_runs(np.array([0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, 2.0]), 1.0)
    [(4, 8)]
    """
    sums = np.concatenate([[0.0], np.cumsum(noisy)])
    least = stands_out(len(noisy)) * sigma

    def parts(first: int, stop: int) -> list[Run]:
        middle = (first + stop) // 2
        found = [*parts(first, middle), *parts(middle, stop)] if first < middle else []
        if not found and sums[stop] - sums[first] > least * np.sqrt(stop - first):
            return [(first, stop)]
        return found

    return parts(0, len(noisy)) if len(noisy) else []


def trimmed(noisy: FloatArray, sigma: float, parts: Sequence[Run]) -> Run:
    """First cell and end of what is kept of a grid, parts of which stood out on a coarser one.

    Outermost parts that these counts do not confirm are left out. The outermost of the others is cut where a run inside
    it stands out: at that run, and as far beyond it as the counts add up to more than the deviation of their noise.

    Args:
      noisy: (cells,) counts.
      sigma: Deviation of the noise on each.
      parts: Disjoint runs of cells that stood out before, in order; at least one.

    >>> trimmed(np.array([0.0, -1, 90, 0, 0, 3, 90, 1.2, 0, -1]), 1.0, [(0, 4), (4, 10)])
    (2, 8)
    >>> trimmed(np.array([5.0, 0, 0, 0, 90, 1, 0, -1]), 1.0, [(0, 4), (4, 5), (7, 8)])
    (0, 5)
    >>> trimmed(np.zeros(3), 1.0, [(0, 3)])
    (0, 3)
    """
    full = [part for part in parts if noisy[slice(*part)].sum() > CONFIRMED * sigma * np.sqrt(part[1] - part[0])]
    (low, low_stop), (high, high_stop) = (full[0], full[-1]) if full else (parts[0], parts[-1])
    runs = significant_runs(noisy, sigma)
    inside = [run for run in runs if low <= run[0] and run[1] <= high_stop]
    first, stop = low, high_stop
    if inside and inside[0][0] < low_stop:
        first = inside[0][0] - _reach(noisy[low : inside[0][0]][::-1], sigma)
    if inside and inside[-1][1] > high:
        stop = inside[-1][1] + _reach(noisy[inside[-1][1] : high_stop], sigma)
    return first, stop


def _reach(beyond: FloatArray, sigma: float) -> int:
    """How many cells add up to most above the deviation of their noise."""
    gain = np.concatenate([[0.0], np.cumsum(beyond) - sigma * np.sqrt(np.arange(1, len(beyond) + 1))])
    return int(np.argmax(gain))


def shared_cells(masses: FloatArray, widths: IntArray, cells: int) -> IntArray:
    """How many finer cells each coarse one is cut into: by its mass, at least one, no more than it has ticks.

    Args:
      masses: (coarse,) noisy counts.
      widths: (coarse,) ticks in each cell, at least 1.
      cells: About how many finer cells there shall be.

    >>> shared_cells(np.array([1.0, 99.0, -3.0]), np.array([1, 50, 1000]), 100).tolist()
    [1, 50, 1]
    """
    mass = np.maximum(masses, 0.0)
    wanted = np.rint(cells * mass / max(mass.sum(), 1e-9)).astype(np.int64)
    return np.asarray(np.minimum(np.maximum(wanted, 1), widths))


def refined(borders: IntArray, masses: FloatArray, bins: int) -> IntArray:
    """First ticks of bins, those with more than a share of the mass cut evenly where they have several ticks.

    The tables that a model measures later see more than the search did, and the model joins what its noise drowns: so
    what the search could not tell apart is not one bin for good.

    Args:
      borders: First ticks of the bins, and the end of the last.
      masses: (bins,) noisy counts in them.
      bins: Most bins wanted, about.

    >>> refined(np.array([0, 10, 11, 20]), np.array([50.0, 40.0, 10.0]), 10).tolist()
    [0, 2, 4, 6, 8, 10, 11]
    """
    return finer_starts(borders, shared_cells(masses, np.diff(borders), bins))


def finer_starts(edges: IntArray, parts: IntArray) -> IntArray:
    """First ticks of finer cells: each coarse cell [edges[i], edges[i + 1]) cut into parts[i] about equal ones.

    >>> finer_starts(np.array([0, 4, 10]), np.array([2, 3])).tolist()
    [0, 2, 4, 6, 8]
    """
    found = [
        first + (np.arange(number, dtype=object) * (stop - first)) // number
        for (first, stop), number in zip(pairwise(edges.tolist()), parts.tolist(), strict=True)
    ]
    return np.unique(np.concatenate(found).astype(np.int64))


def quantile_starts(noisy: FloatArray, sigma: float, bins: int, *, borders: Sequence[int] = ()) -> list[int]:
    """First cells of at most about `bins` bins of about equal mass over the cells.

    Runs that stand out have borders; neighbours are joined up to an equal share of the mass, so that a single cell
    with more than that keeps a bin of its own.

    Args:
      noisy: (cells,) counts between the bounds.
      sigma: Deviation of the noise on each.
      bins: Most bins wanted.
      borders: Cells where a part begins that is known to hold something.

    >>> quantile_starts(np.array([10.0, 10, 10, 10, 90, 10, 10, 10]), 0.1, 4)
    [0, 4, 5]
    """
    runs = significant_runs(noisy, sigma)
    edges = sorted({0, len(noisy), *borders, *(edge for run in runs for edge in run)})
    share = max(float(noisy.sum()) / bins, 0.0)
    starts, held = [0], 0.0
    for first, stop in pairwise(edges):
        mass = float(noisy[first:stop].sum())
        if first > starts[-1] and held + mass > share:
            starts.append(first)
            held = 0.0
        held += mass
    return starts
