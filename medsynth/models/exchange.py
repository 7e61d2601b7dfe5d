"""Exchanges rows for rows of a pool until the pair tables of those chosen meet their targets.

The loss is that of `edit`, and so is what a row costs to enter or to leave: a sum over its pairs of
cells. Every row meets a few candidates of the pool once, and the best of them takes its place where
the loss falls. Rows stay whole, so what they hold beyond pairs is what the pool holds.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray
from medsynth.models.edit import BATCHES
from medsynth.models.holders import Holders
from medsynth.models.moves import SMALLEST_GAIN, Gains

IntpArray = npt.NDArray[np.intp]
SmallFloats = npt.NDArray[np.float32]


def exchange(
    rows: IntArray,
    pool: IntArray,
    gains: Gains,
    rng: np.random.Generator,
    *,
    sizes: Sequence[int],
    kinds: tuple[IntpArray, IntpArray] | None = None,
) -> IntArray:
    """Chooses as many rows as there are, from these and the pool.

    Args:
      rows: Finest cells, shape (n, d): the choice to begin with. No level that one of them holds is lost.
      pool: Candidates, shape (N, d); each is taken at most once.
      gains: What rows beside these would cost; changed here, and of no use afterwards.
      rng: Source of the order of rows and candidates.
      sizes: Finest cells per column.
      kinds: A number for each row and each candidate: only rows of one kind are exchanged.

    Returns:
      The rows chosen, shape (n, d), each in the place of the one it was exchanged for.
    """
    if not gains.layout.columns or not len(rows) or not len(pool):
        return rows
    state = _Choice(np.concatenate([rows, pool]), len(rows), gains, sizes)
    own, offered = kinds or (np.zeros(len(rows), dtype=np.intp), np.zeros(len(pool), dtype=np.intp))
    for places, candidates in _meetings(own, offered, rng):
        state.meet(places, candidates + len(rows))
    return state.chosen


def _meetings(own: IntpArray, offered: IntpArray, rng: np.random.Generator) -> Iterator[tuple[IntpArray, IntpArray]]:
    """Batches of rows (m,) and the candidates (m, k) each of them meets: all of one kind, in random order."""
    size = -(-len(own) // BATCHES)
    for kind in np.unique(own):
        rows = rng.permutation(np.flatnonzero(own == kind))
        candidates = rng.permutation(np.flatnonzero(offered == kind))
        each = max(1, len(candidates) // len(rows))
        rows = rows[: len(candidates) // each]
        for start in range(0, len(rows), size):
            batch = rows[start : start + size]
            yield batch, candidates[start * each : (start + len(batch)) * each].reshape(len(batch), each)


class _Choice:
    """Which rows are chosen, what they count up to, and who holds which level."""

    def __init__(self, codes: IntArray, n: int, gains: Gains, sizes: Sequence[int]) -> None:
        layout = gains.layout
        pairs = np.array(layout.pairs, dtype=np.intp).reshape(-1, 2)
        self._codes, self._first, self._second = codes, pairs[:, 0], pairs[:, 1]
        self._places = layout.places(codes).astype(np.intp)
        self._width = len(gains.cost)
        self._cost, self._step = gains.cost.ravel(), gains.step.ravel()
        self._levels = codes + (np.cumsum(sizes) - np.asarray(sizes)).astype(np.int32)
        self._holders = Holders(self._levels[:n], int(np.sum(sizes)))
        self._chosen = np.arange(n)

    @property
    def chosen(self) -> IntArray:
        """The rows chosen."""
        return self._codes[self._chosen]

    def meet(self, places: IntpArray, candidates: IntpArray) -> None:
        """Every row meets its candidates; the best takes its place if the loss falls and no level is lost."""
        held = self._chosen[places]
        own, theirs = self._cells(held), self._cells(candidates)
        leaving = (self._cost[own] - self._step[own]).sum(axis=1)
        shared = np.where(theirs == own[:, None, :], self._step[theirs], np.float32(0))
        entering = (self._cost[theirs] - shared).sum(axis=2)
        best = entering.argmin(axis=1)
        which = np.arange(len(places))
        new = candidates[which, best]
        better = np.flatnonzero(entering[which, best] - leaving < -SMALLEST_GAIN)
        better = better[self._holders.free(self._levels[held[better]], self._levels[new[better]])]
        self._put(places[better], held[better], new[better])

    def _cells(self, rows: IntpArray) -> IntpArray:
        """Cell of each pair, for rows of any shape."""
        places = self._places[rows]
        return np.asarray(places[..., self._first] * self._width + places[..., self._second])

    def _put(self, places: IntpArray, old: IntpArray, new: IntpArray) -> None:
        for rows, sign in ((old, np.float32(-1)), (new, np.float32(1))):
            cells = self._cells(rows).ravel()
            np.add.at(self._cost, cells, sign * self._step[cells])
        self._holders.move(self._levels[old], self._levels[new])
        self._chosen[places] = new
