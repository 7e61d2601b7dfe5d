"""Small arithmetic on noisy tables."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def project_to_simplex(noisy: npt.ArrayLike, total: float) -> FloatArray:
    """Nearest table (Euclidean) with nonnegative cells that sum to total (total > 0); keeps the
    shape.

    >>> project_to_simplex([3.0, -1.0, 0.0], 2.0)
    array([2., 0., 0.])

    Source: Duchi et al. (2008), doi:10.1145/1390156.1390191.
    """
    values = np.asarray(noisy, dtype=np.float64)
    falling = np.sort(values, axis=None)[::-1]
    excess = (np.cumsum(falling) - total) / np.arange(1, falling.size + 1)
    last = int(np.flatnonzero(falling > excess)[-1])
    return np.asarray(np.maximum(values - excess[last], 0.0))


def weighted_total(tables: Sequence[FloatArray], sigmas: Sequence[float]) -> float:
    """Number of persons from the sums of noisy tables, each weighed by its precision; at least 1.

    >>> weighted_total([np.array([6.0, 4.0]), np.array([20.0])], [1.0, 2.0])
    13.333333333333334
    """
    precisions = [1.0 / (table.size * sigma**2) for table, sigma in zip(tables, sigmas, strict=True)]
    weighed = [weight * float(table.sum()) for table, weight in zip(tables, precisions, strict=True)]
    return max(1.0, sum(weighed) / sum(precisions))
