"""What the ledger takes and returns: records that can only be counted, and noisy tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from medsynth.errors import MedsynthError, UsageError
from medsynth.privacy import mechanisms
from medsynth.privacy.interactions import check_interactions, interaction_sensitivity
from medsynth.privacy.interactions import interactions as exact_interactions

# The noise is drawn wider than asked for by this share beyond the lattice factor: a plan whose mu^2
# add up to the limit on paper then passes the filter, although their float sum is a little high.
_HEADROOM: Final = 1e-9

Clique = tuple[Any, ...]
"""Levels of attributes (`medsynth.encoding.domain.Clique`); only their public `size` is read."""


class Countable(Protocol):
    """The part of `medsynth.encoding.records.Records` that the ledger uses."""

    @property
    def l2(self) -> int:
        """L2 and L1 sensitivity of one marginal in units of 2^-20 person, by the bounding rule."""
        ...

    def marginals(self, cliques: Sequence[Clique]) -> list[npt.NDArray[np.int64]]:
        """Exact counts in units of 2^-20 person. Private."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """A noisy table, safe to publish under the ledger's guarantee.

    Attributes:
      clique: The levels it counts.
      noisy: float64 array, one axis per level, in persons, on the lattice of 2^-20 person.
      sigma: Standard deviation of the noise on one cell, in persons.
      sensitivity: L2 sensitivity of what was measured, in persons.
      entry: Number of the ledger entry that paid for it.
      interactions: Whether the interactions of the table were measured, or the table itself.
    """

    clique: Clique
    noisy: npt.NDArray[np.float64]
    sigma: float
    sensitivity: float
    entry: int
    interactions: bool = False


def in_persons(units: int) -> float:
    """A sensitivity in persons; it must be a positive number of units."""
    if units < 1:
        raise MedsynthError("Records must state a sensitivity of at least one unit.")
    return int(units) / mechanisms.UNITS_PER_PERSON


def sensitivities(records: Countable, cliques: Sequence[Clique], *, interactions: bool) -> list[float]:
    """L2 sensitivity of each table, or of its interactions, in persons."""
    whole = in_persons(records.l2)
    if not interactions:
        return [whole] * len(cliques)
    shapes = [shape_of(clique) for clique in cliques]
    for shape in shapes:
        check_interactions(shape)
    return [interaction_sensitivity(int(records.l2), shape) / mechanisms.UNITS_PER_PERSON for shape in shapes]


def drawn_sigma(sigma: float) -> float:
    """The noise that is drawn for a booked sigma: wider by the lattice factor and the headroom."""
    return sigma * (mechanisms.lattice_factor(sigma) + _HEADROOM)


def shape_of(clique: Clique) -> tuple[int, ...]:
    """The shape of a table, from the public domain."""
    return tuple(int(level.size) for level in clique)


def count(records: Countable, cliques: Sequence[Clique], *, interactions: bool = False) -> list[npt.NDArray[np.int64]]:
    """Exact counts, or interactions; their shape must come from the public domain, never from the rows."""
    tables = records.marginals(cliques)
    if [(t.dtype, t.shape) for t in tables] != [(np.dtype(np.int64), shape_of(c)) for c in cliques]:
        raise MedsynthError("Records must return int64 tables of the public domain's shape.")
    return [exact_interactions(table) for table in tables] if interactions else tables


def on_lattice(reference: npt.NDArray[np.float64], clique: Clique) -> npt.NDArray[np.int64]:
    """A reference table on the lattice of the counts."""
    table = np.asarray(reference, dtype=np.float64)
    if table.shape != shape_of(clique) or not np.all(np.abs(table) < 2.0**40):
        raise UsageError("A reference must have its clique's shape, and finite values in persons.")
    return np.rint(table * mechanisms.UNITS_PER_PERSON).astype(np.int64)
