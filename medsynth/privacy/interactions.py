"""What a two-way table holds beyond its margins, in whole units.

A table of pairs tells its row sums and column sums over and over, and a fit has measured those before. Its
interactions are what is left: the table projected on what sums to zero over rows and over columns. One person moves
them less than the table, by the factor `shrinkage`: by half for two groups against two, so that the same budget buys
half the noise.

Source: Xiao, He, Zhang and Kifer (2023), arXiv:2305.08175 (residual bases of marginals); `docs/mathematics.md`,
section 8.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medsynth.errors import UsageError


def shrinkage(shape: Sequence[int]) -> float:
    """How far one person moves the interactions, if they move the table by 1.

    >>> shrinkage((2, 2)), round(shrinkage((8, 8)), 3)
    (0.5, 0.875)
    """
    return math.sqrt(math.prod(1 - 1 / size for size in shape))


def check_two_way(shape: Sequence[int]) -> None:
    """Refuses a table that has no interactions: of other than two axes, or with an axis of one group.

    >>> check_two_way((3,))
    Traceback (most recent call last):
        ...
    medsynth.errors.UsageError: Shape (3,) has no interactions, (g, h) from (2, 2) has. Measure the table itself.
    """
    if len(shape) != 2 or min(shape) < 2:
        raise UsageError(f"Shape {tuple(shape)} has no interactions, (g, h) from (2, 2) has. Measure the table itself.")


def interactions(table: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The table minus its row means and column means, plus its mean, each rounded down to whole units.

    Args:
      table: Exact counts in units, shape (g, h), their sum below 2^63. Private.

    >>> interactions(np.array([[8, 0], [0, 0]]))
    array([[ 2, -2],
           [-2,  2]])
    """
    check_two_way(table.shape)
    rows, columns = table.shape
    by_row = table.sum(axis=1, keepdims=True) // columns
    by_column = table.sum(axis=0, keepdims=True) // rows
    centred: npt.NDArray[np.int64] = table - by_row - by_column + table.sum() // table.size
    return centred


def interaction_sensitivity(l2: int, shape: Sequence[int]) -> float:
    """L2 sensitivity of the interactions in units, rounding included.

    Args:
      l2: L1 sensitivity of the table in units.
      shape: Of the table.

    Formal guarantee:
      Three values rounded down move a cell by less than 3 units beyond l2 * shrinkage.
    """
    return l2 * shrinkage(shape) + 3 * math.sqrt(math.prod(shape))


def centred(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same projection of real numbers: of noisy interactions, or of a table to compare them with.

    >>> centred(np.array([[8.0, 0.0], [0.0, 0.0]]))
    array([[ 2., -2.],
           [-2.,  2.]])
    """
    rows, columns = table.mean(axis=1, keepdims=True), table.mean(axis=0, keepdims=True)
    return np.asarray(table - rows - columns + table.mean())
