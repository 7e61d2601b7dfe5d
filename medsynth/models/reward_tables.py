"""What a model keeps of a reward, and what records earn by it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Clique, Domain, IntArray

if TYPE_CHECKING:
    from medsynth.privacy import Measurement

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class RewardTable:
    """One table of three columns.

    Attributes:
      measurement: What it holds beyond its pairs, noisy.
      share: What it is believed to be: shares of the population, summing to 1.
      log_weights: What a record in a cell earns; shaped like the table.
    """

    measurement: "Measurement"
    share: FloatArray
    log_weights: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Reward:
    """A density ratio between the real table and the model, from noised tables.

    Attributes:
      tables: Measured tables.
      scores: Ledger entries of the noisy distances that chose them.
    """

    tables: tuple[RewardTable, ...]
    scores: tuple[int, ...] = ()

    def of(self, codes: IntArray, domain: Domain) -> FloatArray:
        """Logarithm of the ratio, up to a constant, for rows of finest cells (n, d)."""
        found = np.zeros(len(codes))
        for table in self.tables:
            found += table.log_weights.ravel()[cells_of(table.measurement.clique, codes, domain)]
        return found


def cells_of(clique: Clique, codes: IntArray, domain: Domain) -> npt.NDArray[np.intp]:
    """Row-major cell of each row in a table."""
    cells = np.zeros(len(codes), dtype=np.intp)
    for level in clique:
        cells = cells * level.size + level.groups[codes[:, domain.index(level.attribute)]]
    return cells
