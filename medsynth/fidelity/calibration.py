"""Whether predicted risks are right: Brier score, error by tenths, slope; and the error of predicted numbers."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth.fidelity.tables import FloatArray

TENTHS = 10
STEPS = 25
SHARPEST = 1e-6
"""Beliefs nearer to 0 or 1 than this count as this near: their odds would be infinite."""
_TINY = float(np.finfo(float).tiny)


def brier(truth: FloatArray, belief: FloatArray, weights: FloatArray) -> float:
    """Weighted mean squared difference of belief and what happened; 0 is perfect.

    Source: Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    >>> round(brier(np.array([1.0, 0.0]), np.array([0.8, 0.4]), np.ones(2)), 2)  # (0.04 + 0.16) / 2
    0.1
    """
    return float(np.average((belief - truth) ** 2, weights=weights))


def absolute_error(truth: FloatArray, belief: FloatArray, weights: FloatArray) -> float:
    """Weighted mean absolute difference.

    >>> absolute_error(np.array([1.0, 3.0]), np.array([2.0, 3.0]), np.array([1.0, 3.0]))
    0.25
    """
    return float(np.average(np.abs(belief - truth), weights=weights))


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """The smallest value at or below which half of the weight lies.

    >>> weighted_median(np.array([1.0, 2.0, 9.0]), np.array([1.0, 1.0, 3.0]))
    9.0
    """
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, passed[-1] / 2)])


def tenths_of(belief: FloatArray, weights: FloatArray) -> npt.NDArray[np.int64]:
    """Tenth (n,) of the total weight that each row belongs to by belief, 0 lowest.

    >>> tenths_of(np.array([0.9, 0.1]), np.ones(2)).tolist()
    [7, 2]
    """
    order = np.argsort(belief, kind="stable")
    passed = np.cumsum(weights[order])
    tenth = np.empty(len(belief), dtype=np.int64)
    middle = (passed - weights[order] / 2) / passed[-1]
    tenth[order] = np.minimum(TENTHS - 1, (TENTHS * middle).astype(np.int64))
    return tenth


def calibration_error(
    tenth: npt.NDArray[np.int64], truth: FloatArray, belief: FloatArray, weights: FloatArray
) -> float:
    """Mean absolute difference of predicted and observed risk over tenths of the belief, each by its weight.

    Source: Naeini, Cooper and Hauskrecht (2015), "expected calibration error", with tenths of equal weight.

    >>> calibration_error(np.array([0, 0]), np.array([1.0, 0.0]), np.array([0.8, 0.4]), np.ones(2)).__round__(2)
    0.1
    """
    differences = np.bincount(tenth, weights * (belief - truth), TENTHS)
    return float(np.abs(differences).sum() / max(weights.sum(), _TINY))


@dataclass(frozen=True, kw_only=True, eq=False)
class Recalibration:
    """The logistic regression of what happened on the odds that were believed.

    Attributes:
      truth: (n,) 0 or 1.
      logits: (n,) logarithm of the odds believed.
    """

    truth: FloatArray
    logits: FloatArray

    @classmethod
    def of(cls, truth: FloatArray, belief: FloatArray) -> "Recalibration":
        clipped = np.clip(belief, SHARPEST, 1 - SHARPEST)
        return cls(truth=truth, logits=np.log(clipped / (1 - clipped)))

    def slope(self, weights: FloatArray) -> float:
        """The calibration slope: 1 is right, below 1 too extreme, above 1 too timid; NaN where it has no maximum.

        Source: Cox (1958), doi:10.1093/biomet/45.3-4.562; Newton's method.
        """
        intercept, slope = 0.0, 1.0
        for _ in range(STEPS):
            risk = 1 / (1 + np.exp(-np.clip(intercept + slope * self.logits, -500, 500)))
            missed, bend = weights * (self.truth - risk), weights * risk * (1 - risk)
            first, cross = bend.sum(), (bend * self.logits).sum()
            second = (bend * self.logits**2).sum()
            volume = first * second - cross**2
            if not volume > 1e-12 * max(first, _TINY) ** 2:
                return float("nan")
            up, along = missed.sum(), (missed * self.logits).sum()
            step = (first * along - cross * up) / volume
            intercept, slope = intercept + (second * up - cross * along) / volume, slope + step
            if abs(step) < 1e-6:
                return float(slope)
        return float("nan")
