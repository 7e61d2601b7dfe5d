"""The one place where noise is drawn.

Every release calls `mechanisms.gaussian(...)` or `mechanisms.surviving(...)` through this module, so that a test which
replaces these two functions by stubs has taken all private information out of a fit.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from medsynth.errors import UsageError
from medsynth.privacy import sampler

UNITS_PER_PERSON: Final = 2**20
"""Counts are int64 in units of 2^-20 person; the noise lives on the same lattice."""

SIGMA_LOW: Final = 2.0**-14
SIGMA_HIGH: Final = 2.0**30


def gaussian(values: npt.NDArray[np.int64], *, sigma: float) -> npt.NDArray[np.float64]:
    """Adds Gaussian noise on the 2^-20 lattice to exact counts.

    Args:
      values: int64 counts in units of 2^-20 person, any shape. Private.
      sigma: Standard deviation of the noise on one cell, in persons, from 2^-14 to 2^30.

    Returns:
      float64 array of the same shape, in persons; every value is a multiple of 2^-20.

    Raises:
      UsageError: If sigma is outside the range for which `docs/mathematics.md` has the proof.

    Formal guarantee:
      mu-GDP for every integer L2 sensitivity, mu = sensitivity / sigma * `lattice_factor(sigma)`.
      The factor is 1 + 1e-9 for sigma of 1/16 person and more.

    Source: `docs/mathematics.md`, section 2.
    """
    check_sigma(sigma)
    units = sampler.discrete_gaussian(values, scale=sigma * UNITS_PER_PERSON)
    return np.asarray(units / UNITS_PER_PERSON)  # NumPy makes a number of an array without axes


def surviving(
    labels: Sequence[str], counts: npt.NDArray[np.int64], *, sigma: float, threshold: float
) -> Mapping[str, float]:
    """The labels whose noisy count reaches a threshold, with that count in persons.

    Args:
      labels: Private.
      counts: int64 (labels,) in units of 2^-20 person, above 0. Private.
      sigma: Standard deviation of the noise on one count, in persons.
      threshold: In persons.

    Formal guarantee:
      The counts of labels that others hold too are `gaussian`; one person's own labels are left out but for the
      probability that `thresholds.calibrated` bounds.

    Source: `docs/mathematics.md`, on thresholds.
    """
    noisy = gaussian(counts, sigma=sigma)
    return {labels[place]: float(noisy[place]) for place in np.flatnonzero(noisy >= threshold).tolist()}


def lattice_factor(sigma: float) -> float:
    """How much the mu of the lattice noise may exceed sensitivity / sigma, as a factor.

    >>> lattice_factor(40.0) == 1 + 1e-9
    True

    Source: `docs/mathematics.md`, section 2: at most 1 + 4 / s^2, s >= 64 being sigma in units.
    """
    units = sigma * UNITS_PER_PERSON
    return 1.0 + max(1e-9, 4.0 / units**2)


def check_sigma(sigma: float) -> None:
    """Refuses a noise level for which nothing is proved.

    >>> check_sigma(0.0)
    Traceback (most recent call last):
        ...
    medsynth.errors.UsageError: Sigma 0.0 persons is outside 6.1e-05 to 1.1e+09. Change --epsilon.
    """
    if not SIGMA_LOW <= sigma <= SIGMA_HIGH:
        raise UsageError(f"Sigma {sigma} persons is outside {SIGMA_LOW:.2g} to {SIGMA_HIGH:.2g}. Change --epsilon.")
