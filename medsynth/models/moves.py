"""What moving a row from one group to another would do to all pair tables.

One matrix G = W (2 (C - T) + 1) holds what the next row in a cell would cost, so the best move of a
row is a sum of gathered rows of G and an argmin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray, Level

if TYPE_CHECKING:
    from medsynth.models.edit import PairTarget

FloatArray = npt.NDArray[np.float64]
SmallFloats = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntpArray = npt.NDArray[np.intp]

SMALLEST_GAIN = 1e-4
"""Gains below this are rounding of float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """All pair tables in one symmetric matrix over the D places: the groups of every column, side by
    side.

    Attributes:
      columns: Columns that occur in a target, ascending.
      levels: Level of each.
      pairs: Positions in `columns` of each target.
      share: Share of each cell in its target, shape (D, D); 0 where there is none.
      counted: Whether a target asks for the cell and rows may be there.
      banned: Cells that no row may enter.
    """

    columns: tuple[int, ...]
    levels: tuple[Level, ...]
    pairs: tuple[tuple[int, int], ...]
    share: FloatArray
    counted: BoolArray
    banned: BoolArray

    @classmethod
    def of(cls, targets: "Sequence[PairTarget]") -> "Layout":
        """Lays out the targets."""
        levels = {target.i: target.level_i for target in targets}
        levels |= {target.j: target.level_j for target in targets}
        columns = tuple(sorted(levels))
        position = {column: k for k, column in enumerate(columns)}
        cells = sum(level.size for level in levels.values())
        layout = cls(
            columns=columns,
            levels=tuple(levels[column] for column in columns),
            pairs=tuple((position[target.i], position[target.j]) for target in targets),
            share=np.zeros((cells, cells)),
            counted=np.zeros((cells, cells), dtype=bool),
            banned=np.zeros((cells, cells), dtype=bool),
        )
        for target, (a, b) in zip(targets, layout.pairs, strict=True):
            share = target.table / max(float(target.table.sum()), 1e-300)
            allowed = np.ones(share.shape, dtype=bool) if target.allowed is None else target.allowed
            for matrix, part in ((layout.share, share), (layout.counted, allowed), (layout.banned, ~allowed)):
                layout.put(matrix, part, a, b)
        return layout

    def put(self, matrix: npt.NDArray, part: npt.NDArray, a: int, b: int) -> None:  # type: ignore[type-arg]
        """Writes a table of two columns into a matrix, both ways round."""
        rows, columns = (slice(self.starts[k], self.starts[k] + self.sizes[k]) for k in (a, b))
        matrix[rows, columns] = part
        matrix[columns, rows] = part.T

    @cached_property
    def sizes(self) -> IntpArray:
        """Groups per column."""
        return np.array([level.size for level in self.levels], dtype=np.intp)

    @cached_property
    def starts(self) -> IntpArray:
        """First place of each column."""
        return np.cumsum(self.sizes) - self.sizes

    @cached_property
    def owner(self) -> IntpArray:
        """Column, by position in `columns`, of each place."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def attributes(self) -> IntpArray:
        """`columns` as an array."""
        return np.array(self.columns, dtype=np.intp)

    def places(self, codes: IntArray) -> IntArray:
        """Place of every cell of the rows, shape (n, columns)."""
        places = np.empty((len(codes), len(self.columns)), dtype=np.int32)
        for k, (column, level) in enumerate(zip(self.columns, self.levels, strict=True)):
            places[:, k] = (level.groups + self.starts[k]).astype(np.int32)[codes[:, column]]
        return places

    def count(self, places: IntArray, step: SmallFloats) -> tuple[FloatArray, SmallFloats]:
        """Rows in every cell, and for every cell of a row the sum of `step` over its pairs.

        Returns:
          (counts, shape (D, D); sums, shape (n, columns)).
        """
        groups = [places[:, k].astype(np.intp) - start for k, start in enumerate(self.starts)]
        have, sums = np.zeros(step.shape), np.zeros((len(groups), len(places)), dtype=np.float32)
        for a, b in self.pairs:
            shape = (int(self.sizes[a]), int(self.sizes[b]))
            flat = groups[a] * shape[1] + groups[b]
            self.put(have, np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape), a, b)
            steps = step[self.starts[a] : self.starts[a] + shape[0], self.starts[b] : self.starts[b] + shape[1]]
            weights = steps.ravel().take(flat)
            sums[a] += weights
            sums[b] += weights
        return have, np.ascontiguousarray(sums.T)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gains:
    """What moves would cost, kept up to date while rows move.

    Attributes:
      layout: Where the columns stand.
      cost: G, shape (D, D); zero for a column with itself and for pairs without target.
      step: 2 W, shape (D, D).
      burden: For every cell of a row, the sum of `step` over its pairs, shape (n, columns).
      closed: Places that no row may enter.
    """

    layout: Layout
    cost: SmallFloats
    step: SmallFloats
    burden: SmallFloats
    closed: IntpArray

    def best_moves(self, places: IntArray, rows: IntpArray) -> tuple[IntpArray, IntpArray, IntArray]:
        """The best single change of each row.

        Args:
          places: The rows, shape (m, columns).
          rows: Where they stand among all.

        Returns:
          (rows of the batch whose loss falls, the column each changes, its new place).
        """
        width = len(self.cost)
        change = self._summed_rows(places)
        own = places + np.arange(0, len(places) * width, width)[:, None]
        # A row that leaves a cell takes its own count along.
        leaving = change.take(own) - self.burden[rows]
        change -= np.repeat(leaving, self.layout.sizes, axis=1)
        change.ravel()[own] = 0.0
        if len(self.closed):
            change[:, self.closed] = 0.0
        best = change.argmin(axis=1)
        moved = np.flatnonzero(change.take(best + own[:, 0] - places[:, 0]) < -SMALLEST_GAIN)
        new = best[moved]
        return moved, self.layout.owner[new], new.astype(np.int32)

    def _summed_rows(self, places: IntArray) -> SmallFloats:
        """For every row the sum of the rows of G at its places, shape (m, D)."""
        chosen = self._choice_of(len(places))
        chosen.indices = places.ravel()
        return np.asarray(chosen @ self.cost)

    def _choice_of(self, rows: int) -> Any:
        """A sparse matrix of ones, some per row, whose places are filled in; kept for the next batch."""
        from scipy.sparse import csr_array

        kept = self._choices.get(rows)
        if kept is None:
            width = len(self.layout.columns)
            ones, places = np.ones(rows * width, dtype=np.float32), np.zeros(rows * width, dtype=np.int32)
            ends = np.arange(0, rows * width + 1, width, dtype=np.int32)
            kept = self._choices[rows] = csr_array((ones, places, ends), shape=(rows, len(self.cost)))
        return kept

    @cached_property
    def _choices(self) -> dict[int, Any]:
        return {}

    def move(self, places: IntArray, rows: IntpArray, columns: IntpArray, new: IntArray) -> None:
        """Books that each of these rows changes one column to a new place."""
        width = len(self.cost)
        which = np.arange(len(places))
        old = places[which, columns]
        added = np.zeros(places.shape, dtype=np.float32)
        cost = self.cost.ravel()
        for place, sign in ((old, np.float32(-1.0)), (new, np.float32(1.0))):
            # The place of the changed column itself has step 0, so it may stay among the others.
            across, along = place.astype(np.intp)[:, None] * width + places, places * np.intp(width) + place[:, None]
            steps = sign * self.step.take(across)
            np.add.at(cost, across.ravel(), steps.ravel())
            np.add.at(cost, along.ravel(), steps.ravel())
            added += steps
        burden = self.burden[rows] + added
        burden[which, columns] = steps.sum(axis=1)
        self.burden[rows] = burden

    def surplus(self) -> FloatArray:
        """By how much all rows so far exceed their targets, read back from the costs."""
        counted = self.step > 0
        half = np.divide(self.cost, self.step, out=np.zeros(self.cost.shape), where=counted, dtype=np.float64)
        return np.where(counted, half - 0.5, 0.0)
