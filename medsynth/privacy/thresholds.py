"""Which labels of an open list may be published: those that enough persons hold, by a noisy count.

Source: Korolova, Kenthapadi, Mishra and Ntoulas (2009), doi:10.1145/1526709.1526733, there with Laplace noise; proof
of what is done here in `docs/mathematics.md`, on thresholds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from medsynth.errors import MedsynthError, UsageError
from medsynth.privacy.accountant import check_delta
from medsynth.privacy.measurement import drawn_sigma, in_persons
from medsynth.privacy.mechanisms import UNITS_PER_PERSON, check_sigma

_UP: Final = 1 + 1e-12
"""`ndtr` is right to a few units in the last place; the threshold is moved up by a thousand times as much."""


class Contribution(Protocol):
    """What one person can add to the counts of labels, by the bounding rule; public."""

    @property
    def l2(self) -> int:
        """L1 and L2 sensitivity of the counts over all labels, in units of 2^-20 person."""
        ...

    @property
    def most_labels(self) -> int:
        """Most labels that one person can hold."""
        ...


class LabelCounts(Contribution, Protocol):
    """Labels that rows hold. Private."""

    def label_counts(self, column: str) -> tuple[Sequence[str], npt.NDArray[np.int64]]:
        """Distinct labels of a column and their counts in units of 2^-20 person. Private."""
        ...


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A calibrated threshold; public.

    Attributes:
      sigma: Standard deviation of the noise on a count that is booked, in persons.
      delta: Bounds the chance that any label is published that one person alone holds.
      persons: The noisy count from which on a label is published, on the lattice of 2^-20 person.
      sensitivity: Of the counts, in persons.
      most_labels: Most labels that one person can hold.
    """

    sigma: float
    delta: float
    persons: float
    sensitivity: float
    most_labels: int


@dataclass(frozen=True, kw_only=True)
class Survivors:
    """Labels that passed a threshold; safe to publish under the ledger's guarantee.

    Attributes:
      labels: In order of their code points.
      noisy: float64 array (labels,), noisy persons who hold each, at least `threshold.persons`.
      threshold: What they passed.
      entry: Number of the ledger entry that paid for it.
    """

    labels: tuple[str, ...]
    noisy: npt.NDArray[np.float64]
    threshold: Threshold
    entry: int


def calibrated(records: Contribution, *, sigma: float, delta: float) -> Threshold:
    """The lowest threshold at which one person's own labels survive with probability delta at most.

    Args:
      records: State their sensitivity and how many labels a person can hold.
      sigma: Standard deviation of the noise on a count, in persons.
      delta: In (0, 1/2).

    Raises:
      UsageError: If sigma or delta is outside its range.

    Formal guarantee:
      A person's own labels have counts c_1 .. c_k > 0 with sum at most l2, k at most `most_labels`; the chance
      that any of them passes is at most `survival(threshold, sensitivity) + (most_labels - 1) survival(threshold, 0)`,
      which is at most delta.
    """
    check_sigma(sigma)
    check_delta(delta)
    if delta >= 0.5 or records.most_labels < 1:
        raise UsageError(f"Delta of a threshold must lie below 1/2, got {delta}. Choose 1e-7 or less.")
    held, others = in_persons(records.l2), records.most_labels - 1
    scale = drawn_sigma(sigma)

    def safe(units: int) -> bool:
        at = units / UNITS_PER_PERSON
        return (survival(at, held, scale=scale) + others * survival(at, 0.0, scale=scale)) * _UP <= delta

    low = int(records.l2)
    high = low + 2 + math.ceil(-float(ndtri(delta / (2 * records.most_labels))) * scale * UNITS_PER_PERSON)
    while not safe(high):
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if safe(middle) else (middle, high)
    return Threshold(
        sigma=float(sigma),
        delta=float(delta),
        persons=high / UNITS_PER_PERSON,
        sensitivity=held,
        most_labels=int(records.most_labels),
    )


def survival(threshold: float, count: float, *, scale: float) -> float:
    """Bounds the chance that a count passes a threshold, for the noise on the lattice.

    Args:
      threshold: In persons, above the count.
      count: In persons.
      scale: Standard deviation of the noise that is drawn, in persons.

    Formal guarantee:
      P(X >= t) <= Phi(-(t - 1) / s) for the discrete Gaussian X of scale s and every integer t >= 1, in units.

    >>> round(survival(3.0, 1.0, scale=1.0), 6), round(1 - 0.977250, 6)
    (0.02275, 0.02275)
    """
    return float(ndtr(-(threshold - count - 1 / UNITS_PER_PERSON) / scale))


def labels_counted(records: LabelCounts, column: str) -> tuple[Sequence[str], npt.NDArray[np.int64]]:
    """Exact counts of the labels of a column; without a word about them if they are malformed."""
    labels, counts = records.label_counts(column)
    if counts.dtype != np.int64 or counts.shape != (len(labels),):
        raise MedsynthError("Records must return one int64 count for every label.")
    return labels, counts
