"""Small arithmetic on noisy tables."""

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
