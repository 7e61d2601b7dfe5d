"""One interval from a release and its replicates: noise, sampling, selection and drawing all counted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from medsynth.inference.intervals import Interval


@dataclass(frozen=True, kw_only=True)
class Combined:
    """An estimate with an honest interval.

    Attributes:
      value: The estimate on the release, as it is.
      error: Standard error: the root mean square of what lies between the replicates and the release.
      low: Lower end.
      high: Upper end.
      df: Degrees of freedom, one for each replicate.
      bias: Mean of the replicates minus the release: what fitting, noise and drawing shift. Part of `error`, not
        taken off `value`.
    """

    value: float
    error: float
    low: float
    high: float
    df: int
    bias: float

    @property
    def interval(self) -> Interval:
        """Both ends."""
        return Interval(self.low, self.high)


def combine(
    estimates: Sequence[float] | npt.NDArray[np.float64],
    errors: Sequence[float] | npt.NDArray[np.float64] | None = None,
    *,
    confidence: float = 0.95,
) -> Combined:
    """Combines one estimate per table of `medsynth sample --replicates`.

    Each replicate is a refit to records simulated from the release, so it lies to the release as the release lies to
    the population. That is why rules for tables drawn from a posterior, whose spread leaves the sampling of persons
    out or counts the drawing of rows twice, are not used here.

    Args:
      estimates: Of replicate 0, which is the release, then of the others: `frame.groupby("_replicate")["x"].mean()`.
      errors: Standard errors of the same, each computed as if its table were real. The combined error is not below
        the release's own: no table says more of a population than as many real records.
      confidence: Two-sided level in (0, 1).

    Raises:
      ValueError: If there are fewer than two replicates, a figure is not finite, or confidence is outside (0, 1).

    Source: parametric bootstrap, Efron and Tibshirani (1993), An Introduction to the Bootstrap, sections 6.5, 10.6;
      derivation, and comparison with Raghunathan, Reiter and Rubin (2003) and Räisä et al. (2023), in
      `docs/mathematics.md`, section 17.

    >>> found = combine([10.0, 11.0, 9.0, 10.0, 12.0])
    >>> found.value, round(found.error, 4), found.df, found.bias  # the root of (1 + 1 + 0 + 4) / 4
    (10.0, 1.2247, 4, 0.5)
    """
    release, replicates = _figures(estimates, "estimate")
    away = replicates - release
    error = float(np.sqrt(np.mean(away**2)))
    if errors is not None:
        naive, others = _figures(errors, "error")
        if len(others) != len(replicates) or naive < 0:
            raise ValueError("Expected one standard error, not below 0, for each estimate.")
        error = max(error, naive)
    if not 0 < confidence < 1:
        raise ValueError(f"Expected 0 < confidence < 1, got {confidence}.")
    half = float(special.stdtrit(len(away), (1 + confidence) / 2)) * error
    return Combined(
        value=release,
        error=error,
        low=release - half,
        high=release + half,
        df=len(away),
        bias=float(away.mean()),
    )


def _figures(values: Sequence[float] | npt.NDArray[np.float64], what: str) -> tuple[float, npt.NDArray[np.float64]]:
    found = np.asarray(values, dtype=np.float64).ravel()
    if len(found) < 3:
        raise ValueError(f"Expected the {what} of the release and of at least two replicates, got {len(found)}.")
    if not all(map(math.isfinite, found)):
        raise ValueError(f"Every {what} must be a finite number: where a table cannot tell one, none can be combined.")
    return float(found[0]), found[1:]
