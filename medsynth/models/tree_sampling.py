"""Rows drawn from a calibrated tree, clique by clique from the root.

Within the rows that share a separator value, the cells of the next clique are drawn systematically:
each cell gets its expected number of rows, rounded up or down, and which rows get it is random. Or
every row draws for itself, and rows are independent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth.models.calibration import Calibrated
from medsynth.models.junction_tree import JunctionTree, Node

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int32]
IntpArray = npt.NDArray[np.intp]

BLOCK = 1 << 17
"""Rows drawn at a time: their random orders stay in the processor's cache."""


def sample_tree(calibrated: Calibrated, n: int, rng: np.random.Generator, *, systematic: bool = True) -> IntArray:
    """Draws rows from the tree.

    Args:
      calibrated: The distribution.
      n: Number of rows.
      rng: Source of randomness.
      systematic: Keep the number of rows in each cell within one of its expectation, given the rows
        of its separator value, in every `BLOCK` rows; if False, rows are independent.

    Returns:
      Groups at `tree.finest`, shape (n, attributes), int32, in random order; each column is
      contiguous.
    """
    return TreeSampler(calibrated=calibrated, systematic=systematic).draw(n, rng)


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeSampler:
    """Draws rows from a tree; what does not depend on the rows is prepared once.

    Attributes:
      calibrated: The distribution.
      systematic: See `sample_tree`.
    """

    calibrated: Calibrated
    systematic: bool = True

    def draw(self, n: int, rng: np.random.Generator) -> IntArray:
        """Groups at `tree.finest`, shape (n, attributes)."""
        rows = np.zeros((len(self.calibrated.tree.chains), n), dtype=np.int32)
        for start in range(0, n, BLOCK):
            self._fill(rows[:, start : start + BLOCK], rng)
        return rows.T

    def _fill(self, columns: IntArray, rng: np.random.Generator) -> None:
        """Draws the rows of one block; columns has shape (attributes, rows)."""
        tree = self.calibrated.tree
        drawn: dict[int, int] = {}
        for clique, deck in enumerate(self._decks):
            hand = deck.hand(_values(tree, tree.separators[clique], columns, drawn), rng, systematic=self.systematic)
            for axis, (attribute, level) in enumerate(tree.cliques[clique]):
                if drawn.get(attribute, -1) < level:
                    hand.fill(columns[attribute], self._codes[clique][axis])
                    drawn[attribute] = level

    @cached_property
    def _decks(self) -> list["Deck"]:
        """One per clique: its cells by separator value."""
        tree, decks = self.calibrated.tree, []
        for clique, separator in enumerate(tree.separators):
            values, size = np.zeros(tree.shapes[clique], dtype=np.intp), 1
            if separator:
                shape = tuple(tree.chains[a].levels[level].size for a, level in separator)
                size = int(np.prod(shape))
                up = tree.embedding(tree.cliques[clique], separator)
                values = up.spread(np.arange(float(size)).reshape(shape)).astype(np.intp)
            everywhere = np.broadcast_to(values, tree.shapes[clique]).ravel()
            decks.append(Deck.of(self.calibrated.beliefs[clique].ravel(), everywhere, size))
        return decks

    @cached_property
    def _codes(self) -> list[list[IntArray]]:
        """Per clique and axis, the group of every cell of its deck."""
        return [
            [axis.astype(np.int32) for axis in np.unravel_index(deck.order, shape)]
            for deck, shape in zip(self._decks, self.calibrated.tree.shapes, strict=True)
        ]


@dataclass(frozen=True, kw_only=True, eq=False)
class Deck:
    """Weighted cells, sorted by a value that rows already have; rows with a value get cells with
    that value.

    Attributes:
      order: The cells, by value.
      starts: First place of each value in that order, and the end.
      reached: Per place, the share of its value's weight up to and including it.
    """

    order: IntpArray
    starts: IntpArray
    reached: FloatArray

    @classmethod
    def of(cls, weights: FloatArray, values: npt.NDArray[np.integer[Any]], size: int) -> "Deck":
        """Sorts cells by value; a value without weight gives its rows its first cell."""
        order = np.argsort(values, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(values, minlength=size))])
        sums = np.concatenate([[0.0], np.cumsum(weights[order])])
        first, span = sums[starts[:-1]], np.diff(starts)
        mass = np.repeat(sums[starts[1:]] - first, span)
        above = sums[1:] - np.repeat(first, span)
        reached = np.divide(above, mass, out=np.ones_like(mass), where=mass > 0)
        return cls(order=order, starts=starts, reached=reached)

    @property
    def shares(self) -> FloatArray:
        """Of each place in the weight of its value."""
        steps = np.diff(self.reached, prepend=0.0)
        first = self.starts[:-1][np.diff(self.starts) > 0]
        steps[first] = self.reached[first]
        return steps

    def hand(self, values: npt.NDArray[np.integer[Any]], rng: np.random.Generator, *, systematic: bool) -> "Hand":
        """A place for every row, given the rows' values: each its expected number of times, or drawn
        row by row.
        """
        if not systematic:
            return Hand(places=self.pick(values, rng))
        rows, counts = shuffled_by_value(values, len(self.starts) - 1, rng)
        return Hand(rows=rows, times=self.deal(counts, rng))

    def deal(self, rows: IntpArray, rng: np.random.Generator) -> IntpArray:
        """Number of rows per place, given the number of rows per value."""
        span = np.diff(self.starts)
        ends = np.ceil(np.repeat(rows, span) * self.reached - np.repeat(rng.random(len(rows)), span))
        ends = np.where(self.reached == 1.0, np.repeat(rows, span), np.maximum(ends, 0.0))
        before = np.concatenate([[0.0], ends[:-1]])
        before[self.starts[:-1][span > 0]] = 0.0
        return np.asarray((ends - before).astype(np.intp))

    def pick(self, values: npt.NDArray[np.integer[Any]], rng: np.random.Generator) -> IntpArray:
        """A place per row, independently, given the value of each.

        The row's quantile names a place no later than its own; from there few steps are left.
        """
        quantiles = rng.random(len(values))
        spans = np.diff(self.starts)
        places = self._guide.take(self.starts.take(values) + (quantiles * spans.take(values)).astype(np.intp))
        short = np.flatnonzero(self.reached.take(places) <= quantiles)
        while len(short):
            places[short] += 1
            short = short[self.reached.take(places[short]) <= quantiles[short]]
        return places

    @cached_property
    def _guide(self) -> IntpArray:
        """Of the k-th of m places with a value, the place that the quantile k / m falls on."""
        spans = np.diff(self.starts)
        value = np.repeat(np.arange(len(spans)), spans)
        quantile = (np.arange(len(value)) - self.starts[value]) / spans[value]
        # Values are whole and what is reached lies in [0, 1]: their sums ascend.
        found = np.searchsorted(value + self.reached, value + quantile, side="right")
        return np.asarray(np.maximum(np.minimum(found, self.starts[value + 1] - 1) - 1, self.starts[value]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Hand:
    """Which places of a deck the rows got.

    Attributes:
      rows: Rows in the order of their places, where each place is given several times.
      times: How often each place is given.
      places: Or, in place of both, the place of every row.
    """

    rows: IntpArray | None = None
    times: IntpArray | None = None
    places: IntpArray | None = None

    def fill(self, column: IntArray, codes: IntArray) -> None:
        """Writes the code of its place into every row."""
        if self.places is not None:
            codes.take(self.places, out=column)
        elif self.rows is not None and self.times is not None:
            column[self.rows] = np.repeat(codes, self.times)


def _values(tree: JunctionTree, separator: Sequence[Node], columns: IntArray, drawn: dict[int, int]) -> IntArray:
    """Separator value of every row."""
    values: IntArray | None = None
    for attribute, level in separator:
        column = columns[attribute]
        if drawn[attribute] != level:
            column = tree.chains[attribute].project(drawn[attribute], level)[column]
        groups = tree.chains[attribute].levels[level].size
        values = column if values is None else values * np.int32(groups) + column
    return np.zeros(columns.shape[1], dtype=np.int32) if values is None else values


def shuffled_by_value(
    values: npt.NDArray[np.integer[Any]], size: int, rng: np.random.Generator
) -> tuple[IntpArray, IntpArray]:
    """Rows sorted by value, in random order where values are equal, and the number of rows of each
    value.

    Args:
      values: Value of each row, 0 .. size - 1.
      size: Number of values.
      rng: Source of the random order.
    """
    from scipy.sparse import csr_array

    order = rng.permutation(len(values))
    if size == 1:
        return order, np.array([len(values)])
    # Turning one sparse row into columns is a counting sort: linear, and equal values keep their order.
    row = csr_array((order, values.take(order), np.array([0, len(values)])), shape=(1, size))
    columns = row.tocsc()
    return columns.data, np.diff(columns.indptr)
