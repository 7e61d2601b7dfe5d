"""One-ways inside rare conditions: what the tree says, moved towards noisy tables as far as these are signal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray
from medsynth.models.levels import Chain
from medsynth.models.marginals import project_to_simplex
from medsynth.privacy.interactions import centred, shrinkage

if TYPE_CHECKING:
    from medsynth.privacy import Measurement

FloatArray = npt.NDArray[np.float64]

RATIOS = np.array([0.0, *(2.0**k for k in range(-2, 12))])
"""Candidates for the c of Var(signal) = c m; one holds for a whole table. Source: recipe part two, section A, 3."""

NULL_WEIGHT = 1.0
EM_STEPS = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class InsideTable:
    """A noisy table of one column inside a condition.

    Attributes:
      measured: Its interactions.
      groups: Group of the table in which each working group of the column lies.
      prior: Shares of the working groups before it was measured.
      persons: Inside the condition.
    """

    measured: "Measurement"
    groups: IntArray
    prior: FloatArray
    persons: float

    @classmethod
    def of(
        cls, chain: Chain, position: int, prior: FloatArray, persons: float, measured: "Measurement"
    ) -> "InsideTable":
        """A table at one level of a chain."""
        groups = chain.project(chain.working, position)
        return cls(measured=measured, groups=groups, prior=prior, persons=persons)

    @property
    def expected(self) -> FloatArray:
        """Persons of the table's groups before it was measured."""
        return np.asarray(self.persons * np.bincount(self.groups, self.prior, self.measured.noisy.size))

    @property
    def noisy(self) -> FloatArray:
        """Persons of the table's groups, by the interactions and the number of persons."""
        return centred(self.measured.noisy) + self.persons / self.measured.noisy.size

    @property
    def sigma(self) -> float:
        """Noise of a cell of `noisy`, that of the number of persons left aside."""
        return self.measured.sigma * shrinkage(self.measured.noisy.shape)


def updated_shares(tables: Sequence[InsideTable]) -> list[FloatArray]:
    """Shares of each table's working groups, given all tables.

    One ratio of signal to noise is learnt per table, with a prior over ratios that all tables share.

    Args:
      tables: Of any conditions.
    """
    found = []
    for table, belief in zip(tables, _ratio_beliefs(tables), strict=True):
        expected = table.expected
        signal = RATIOS[:, None] * expected
        kept = belief @ (signal / (signal + table.sigma**2))
        masses = project_to_simplex(expected + kept * (table.noisy - expected), table.persons)
        factor = np.divide(masses, expected, out=np.zeros_like(masses), where=expected > 0)
        found.append(_normalised(table.prior * factor[table.groups], table.prior))
    return found


def _ratio_beliefs(tables: Sequence[InsideTable]) -> FloatArray:
    """Posterior over `RATIOS` of each table, (tables, ratios), by expectation maximisation over their prior."""
    logs = np.array([_log_likelihoods(table) for table in tables]).reshape(len(tables), len(RATIOS))
    prior = np.full(len(RATIOS), 1 / len(RATIOS))
    beliefs = np.tile(prior, (len(tables), 1))
    for _ in range(EM_STEPS):
        weighed = np.log(prior) + logs
        beliefs = np.exp(weighed - weighed.max(axis=1, keepdims=True))
        beliefs /= beliefs.sum(axis=1, keepdims=True)
        counts = beliefs.sum(axis=0)
        counts[0] += NULL_WEIGHT
        prior = np.maximum(counts / counts.sum(), 1e-12)
    return beliefs


def _log_likelihoods(table: InsideTable) -> FloatArray:
    """Of every ratio, given one table."""
    expected = table.expected
    variances = RATIOS[:, None] * expected + table.sigma**2
    return np.asarray(-0.5 * ((table.noisy - expected) ** 2 / variances + np.log(variances)).sum(axis=1))


def _normalised(shares: FloatArray, otherwise: FloatArray) -> FloatArray:
    total = float(shares.sum())
    return shares / total if total > 0 else otherwise
