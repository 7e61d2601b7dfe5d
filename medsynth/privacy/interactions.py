"""What a table holds beyond the tables of fewer of its columns, in whole units.

A table of pairs tells its row sums and column sums over and over, and a fit has measured those before; a table of one
column tells the number of persons. The interactions are what is left: the table projected on what sums to zero along
every axis. One person moves them less than the table, by the factor `shrinkage`: by half for two groups against two,
so that the same budget buys half the noise. Without an axis they are the number of persons itself.

Source: Xiao, He, Zhang and Kifer (2023), arXiv:2305.08175 (residual bases of marginals); `docs/mathematics.md`,
section 8.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from medsynth.errors import UsageError


def shrinkage(shape: Sequence[int]) -> float:
    """How far one person moves the interactions, if they move the table by 1.

    >>> shrinkage((2, 2)), round(shrinkage((8, 8)), 3), round(shrinkage((4,)), 3), shrinkage(())
    (0.5, 0.875, 0.866, 1.0)
    """
    return math.sqrt(math.prod(1 - 1 / size for size in shape))


def check_interactions(shape: Sequence[int]) -> None:
    """Refuses a table that has no interactions: with an axis of one group.

    >>> check_interactions((3, 1))
    Traceback (most recent call last):
        ...
    medsynth.errors.UsageError: Shape (3, 1) has no interactions: an axis has less than two groups. Leave it out.
    """
    if min(shape, default=2) < 2:
        raise UsageError(f"Shape {tuple(shape)} has no interactions: an axis has less than two groups. Leave it out.")


def interactions(table: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The table minus its means along every axis, plus those along every two of them, each mean rounded down.

    Args:
      table: Exact counts in units, any shape of two groups or more an axis, their sum below 2^63. Private.

    >>> interactions(np.array([[8, 0], [0, 0]]))
    array([[ 2, -2],
           [-2,  2]])
    >>> interactions(np.array([8, 0, 0, 0]))
    array([ 6, -2, -2, -2])
    """
    check_interactions(table.shape)
    found = table.copy()
    for axes, sign in _means(table.ndim):
        found += sign * (table.sum(axis=axes, keepdims=True) // math.prod(table.shape[axis] for axis in axes))
    return found


def interaction_sensitivity(l2: int, shape: Sequence[int]) -> float:
    """L2 sensitivity of the interactions in units, rounding included.

    Args:
      l2: L1 sensitivity of the table in units.
      shape: Of the table.

    Formal guarantee:
      Rounding one mean moves a cell by less than 1 unit; q axes have 2^q - 1 means.
    """
    return l2 * shrinkage(shape) + _rounding(shape)


def parts_mu(l2: int, shapes: Sequence[Sequence[Sequence[int]]], sigmas: Sequence[Sequence[float]]) -> float:
    """The mu of interactions of disjoint parts of the rows, released together.

    Args:
      l2: L1 sensitivity of a table of the whole, in units.
      shapes: Of the tables of each part.
      sigmas: Noise of a cell of each table, in units.

    Formal guarantee:
      A row moves the tables of its own part alone, by its weight times a vector whose length in units of the noise
      is at most the largest over the parts; weights of a person's rows sum to l2. Rounding may move every table.

    >>> round(1e6 * parts_mu(1, [[(2, 2)], [()]], [[1e6], [2e6]]), 3)
    6.5
    """
    dearest, rounding = 0.0, 0.0
    for own, noise in zip(shapes, sigmas, strict=True):
        moved = math.fsum((shrinkage(shape) / sigma) ** 2 for shape, sigma in zip(own, noise, strict=True))
        dearest = max(dearest, moved)
        rounding += math.fsum((_rounding(shape) / sigma) ** 2 for shape, sigma in zip(own, noise, strict=True))
    return l2 * math.sqrt(dearest) + math.sqrt(rounding)


def _rounding(shape: Sequence[int]) -> float:
    """By how much rounding the means may move the interactions, in units (L2)."""
    return ((1 << len(shape)) - 1) * math.sqrt(math.prod(shape))


def centred(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same projection of real numbers: of noisy interactions, or of a table to compare them with.

    >>> centred(np.array([[8.0, 0.0], [0.0, 0.0]]))
    array([[ 2., -2.],
           [-2.,  2.]])
    """
    found = np.array(table, dtype=np.float64)
    for axes, sign in _means(table.ndim):
        found += sign * table.mean(axis=axes, keepdims=True)
    return found


def _means(axes: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """(axes of a mean, its sign in the interactions)."""
    for order in range(1, axes + 1):
        for chosen in combinations(range(axes), order):
            yield chosen, (-1) ** order
