"""How large deviations are that were seen through known noise."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
WIDTHS, BINS, ROUNDS, HALVINGS = 40, 200, 400, 12
DROP = 1.92
"""Of the log-likelihood, at the ends of a 95 % profile interval: half a quantile of chi-squared, one degree."""
MEAN_OF_NORMAL = float(np.sqrt(2 / np.pi))


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Deviations seen through normal noise, gathered by size.

    Attributes:
      sizes: (bins,) absolute deviation in the middle of each bin.
      counts: (bins,) how many there are.
      noise: Standard deviation of the noise, above 0.
    """

    sizes: FloatArray
    counts: FloatArray
    noise: float

    @classmethod
    def of(cls, deviations: FloatArray, noise: float) -> "Seen":
        """Gathers deviations (n,), which have independent noise."""
        counts, edges = np.histogram(np.abs(deviations), bins=BINS)
        kept = counts > 0
        sizes = ((edges[1:] + edges[:-1]) / 2)[kept]
        return cls(sizes=sizes, counts=counts[kept].astype(np.float64), noise=noise)

    @cached_property
    def widths(self) -> FloatArray:
        """Standard deviations of the parts of the mixture, the first 0."""
        largest = max(float(self.sizes.max(initial=0.0)), self.noise)
        return np.concatenate([[0.0], np.geomspace(self.noise / 50, 2 * largest, WIDTHS)])

    @cached_property
    def likelihood(self) -> FloatArray:
        """(bins, widths): of each bin under each part."""
        variance = self.widths**2 + self.noise**2
        # Far out all but the widest part underflow.
        density: FloatArray = np.exp(-0.5 * self.sizes[:, None] ** 2 / variance) / np.sqrt(variance)
        return np.maximum(density, np.finfo(float).tiny)

    def mixture(self, pull: float = 0.0, start: FloatArray | None = None) -> FloatArray:
        """Shares (widths,) of the parts that maximise the log-likelihood plus `pull` times the mean size.

        Source: Stephens (2017), doi:10.1093/biostatistics/kxw041: normal scale mixtures fitted by
          expectation-maximisation.
        """
        sizes = pull * MEAN_OF_NORMAL * self.widths
        shares = np.full(len(self.widths), 1 / len(self.widths)) if start is None else start
        for _ in range(ROUNDS):
            gain = self.counts @ (self.likelihood / (self.likelihood @ shares)[:, None]) + sizes
            shares = shares * np.maximum(gain, 0.0)
            shares = shares / shares.sum()
        return shares

    def fit_of(self, shares: FloatArray) -> float:
        """Log-likelihood of a mixture."""
        return float(self.counts @ np.log(self.likelihood @ shares))

    def mean_size(self, shares: FloatArray) -> float:
        """Mean absolute deviation of a mixture: of a normal distribution sqrt(2 / pi) times its width."""
        return float(MEAN_OF_NORMAL * (self.widths * shares).sum())


def mean_size(deviations: FloatArray, noise: float) -> tuple[float, float, float]:
    """Mean absolute deviation beneath the noise, with its 95 % profile interval.

    The ends are the smallest and largest mean sizes of mixtures that explain what is seen almost as well as the best
    does. They never leave what the triangle inequality allows: noise adds at most its own mean size, and on average
    takes nothing away.

    Args:
      deviations: (n,), each with independent normal noise.
      noise: Its standard deviation, above 0.

    Returns:
      (value, low, high).
    """
    seen = Seen.of(deviations, noise)
    best = seen.mixture()
    low, high = (_end(seen, best, side) for side in (-1.0, 1.0))
    whole, slack = float(np.abs(deviations).mean()), 1.96 * noise / float(np.sqrt(len(deviations)))
    low = max(0.0, low, whole - MEAN_OF_NORMAL * noise - slack)
    high = max(low, min(high, whole + slack))
    return float(np.clip(seen.mean_size(best), low, high)), low, high


def _end(seen: Seen, best: FloatArray, side: float) -> float:
    """The mean size furthest to one side whose mixture fits `DROP` worse than the best at most."""
    least = seen.fit_of(best) - DROP
    inside, outside, found = 0.0, None, seen.mean_size(best)
    pull = 0.1 * float(seen.counts.sum()) / seen.noise
    for _ in range(HALVINGS):
        shares = seen.mixture(side * pull, best)
        if seen.fit_of(shares) >= least:
            inside, found = pull, seen.mean_size(shares)
        else:
            outside = pull
        pull = 4 * pull if outside is None else (inside + outside) / 2
    return found
