"""What the ledger takes and returns: records that can only be counted, and the noisy tables made from the counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Clique = tuple[Any, ...]
"""Levels of attributes (`medsynth.encoding.domain.Clique`); this layer reads only each level's public `size`."""


class Countable(Protocol):
    """The part of `medsynth.encoding.records.Records` that the ledger uses."""

    @property
    def l2(self) -> int:
        """L2 and L1 sensitivity of one marginal, in units of 2^-20 person; fixed by the bounding rule."""
        ...

    def marginals(self, cliques: Sequence[Clique]) -> list[npt.NDArray[np.int64]]:
        """Exact counts in units of 2^-20 person. Private."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """A noisy table, safe to publish under the ledger's guarantee.

    Attributes:
      clique: The levels it counts.
      noisy: float64 array, one axis per level, in persons; the noise is an integer number of 2^-20 persons.
      sigma: Standard deviation of the noise on one cell, in persons.
      sensitivity: L2 sensitivity of the exact table, in persons.
      entry: Number of the ledger entry that paid for it.
    """

    clique: Clique
    noisy: npt.NDArray[np.float64]
    sigma: float
    sensitivity: float
    entry: int
