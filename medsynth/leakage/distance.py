"""Exact nearest neighbours in mixed columns, block by block."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Attribute, IntArray

FloatArray = npt.NDArray[np.float64]
STEPS = 250
"""Steps between the ends of an ordered column; a difference in a list of values counts as many."""
QUERY_BLOCK = 64
TARGET_BLOCK = 4096
NARROW = 200
TIE_BITS = 32
"""Low bits of a key that hold a target's place in the random order."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Distance:
    """Gower's distance on cells: the mean over columns of a difference between 0 and 1.

    Ordered cells differ by their ranks; values of a list, and cells that mean missing or other, by 0 or 1.

    Source: Gower (1971), doi:10.2307/2528823.
    """

    attributes: Sequence[Attribute]

    def nearest(self, queries: IntArray, targets: IntArray) -> FloatArray:
        """Distance of every query row (n, d) to its nearest target row (m, d); 1 without targets.

        Exact: every pair is looked at, in blocks that stay in the processor's cache.
        """
        best = np.full(len(queries), STEPS * max(1, len(self.attributes)), dtype=np.int32)
        own, other = self._scaled(queries), self._scaled(targets)
        for first in range(0, len(queries), QUERY_BLOCK):
            block = slice(first, first + QUERY_BLOCK)
            for start in range(0, len(targets), TARGET_BLOCK):
                steps = self._steps(own[:, block], other[:, start : start + TARGET_BLOCK])
                np.minimum(best[block], steps.min(axis=1), out=best[block])
        return best / (STEPS * max(1, len(self.attributes)))

    def neighbours(self, queries: IntArray, targets: IntArray, count: int, rng: np.random.Generator) -> "Neighbours":
        """The nearest target rows of every query row, nearest first; ties go by one random order of the targets.

        The order is the same for all queries, so that what is found for one depends on no other.
        """
        kept = min(count, len(targets))
        order = rng.permutation(len(targets))
        own, other = self._scaled(queries), self._scaled(targets[order])
        keys = np.empty((len(queries), kept), dtype=np.int64)
        for first in range(0, len(queries), QUERY_BLOCK):
            block = slice(first, first + QUERY_BLOCK)
            best = np.empty((own[:, block].shape[1], 0), dtype=np.int64)
            for start in range(0, len(targets), TARGET_BLOCK):
                steps = self._steps(own[:, block], other[:, start : start + TARGET_BLOCK]).astype(np.int64)
                steps <<= TIE_BITS
                steps += np.arange(start, start + steps.shape[1])
                best = np.concatenate([best, _smallest(steps, kept)], axis=1)
            keys[block] = np.sort(_smallest(best, kept), axis=1)
        distances = (keys >> TIE_BITS) / (STEPS * max(1, len(self.attributes)))
        return Neighbours(rows=order[keys & ((1 << TIE_BITS) - 1)], distances=distances)

    def _scaled(self, codes: IntArray) -> npt.NDArray[np.int16]:
        """Codes (d, n): ranks spread over 0 .. STEPS, tail cells far from all and each other."""
        scaled = np.empty((len(self.attributes), len(codes)), dtype=np.int16)
        for position, attribute in enumerate(self.attributes):
            table = np.arange(attribute.size)
            if _ranked(attribute):
                own = np.round(np.linspace(0, STEPS, attribute.ordered))
                tail = 2 * STEPS + STEPS * np.arange(attribute.size - attribute.ordered)
                table = np.concatenate([own, tail])
            scaled[position] = table.astype(np.int16)[codes[:, position]]
        return scaled

    def _steps(self, queries: npt.NDArray[np.int16], targets: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
        """Summed steps (q, m) between a block of queries (d, q) and a block of targets (d, m)."""
        shape = (queries.shape[1], targets.shape[1])
        total = np.zeros(shape, dtype=np.int32)
        steps = np.zeros(shape, dtype=np.uint16)
        unequal = np.zeros(shape, dtype=np.uint8)
        difference = np.empty(shape, dtype=np.int16)
        differs = np.empty(shape, dtype=np.bool_)
        for position, attribute in enumerate(self.attributes):
            own, other = queries[position][:, None], targets[position][None, :]
            if _ranked(attribute):
                np.subtract(own, other, out=difference)
                np.abs(difference, out=difference)
                if attribute.size > attribute.ordered:
                    np.minimum(difference, STEPS, out=difference)
                steps += difference.view(np.uint16)
            else:
                np.not_equal(own, other, out=differs)
                unequal += differs.view(np.uint8)
            if position % NARROW == NARROW - 1:  # before the narrow sums can overflow
                total += steps + STEPS * unequal.astype(np.int32)
                steps[:], unequal[:] = 0, 0
        total += steps + STEPS * unequal.astype(np.int32)
        return total


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """(n, k) target rows of n queries, nearest first, and how far each is."""

    rows: npt.NDArray[np.intp]
    distances: FloatArray


def _smallest(keys: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """The smallest so many of every line, in no order."""
    return keys if keys.shape[1] <= count else np.partition(keys, count - 1, axis=1)[:, :count]


def _ranked(attribute: Attribute) -> bool:
    """Whether ranks say more than equality, and the tail cells still fit into 16 bits."""
    return attribute.ordered > 2 and attribute.size - attribute.ordered <= 60
