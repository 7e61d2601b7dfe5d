"""Exact discrete Gaussian noise, added to the integers themselves by OpenDP from OS entropy."""

from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from opendp.mod import Measurement as OpenDPMeasurement


def discrete_gaussian(values: npt.NDArray[np.int64], *, scale: float) -> npt.NDArray[np.int64]:
    """Adds an independent draw of the discrete Gaussian on the integers to every value.

    The addition happens inside OpenDP, in exact rational arithmetic: no float ever holds the noise.
    A sum beyond the int64 range saturates, which is post-processing; counts of 10^7 persons stay
    2^19 times below it.

    Args:
      values: int64 array of any shape. Private.
      scale: Parameter sigma of the discrete Gaussian, in the units of `values`.

    Returns:
      int64 array of the same shape. Two calls never share noise; there is no seed.

    Source: Canonne, Kamath and Steinke (2020), arXiv:2004.00010; OpenDP `make_gaussian`.
    """
    noisy = _measurement(float(scale))(values.ravel().tolist())
    return np.array(cast(list[int], noisy), dtype=np.int64).reshape(values.shape)


@lru_cache(maxsize=1024)
def _measurement(scale: float) -> "OpenDPMeasurement":
    """OpenDP's vector mechanism at one scale; imported late, because the library weighs 0.2 s."""
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    # OpenDP asks to opt in to every constructor without a finished external review.
    enable_features("contrib")
    return make_gaussian(vector_domain(atom_domain(T="i64")), l2_distance(T="i64"), scale=scale)
