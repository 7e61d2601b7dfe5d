"""Edits drawn rows until their pair tables meet targets that no single tree could hold.

A row is cheap to change and a pair table hears of every change: moving one cell of a row from group x to group y alters
one count down and one count up in each pair table of that column. The loss is the sum over all pairs of (C - T)^2 W
with W = 1 / sqrt(T + 1), C the rows' counts and T the targets. One matrix G = W (2 (C - T) + 1) holds what the next row in a
cell would cost, so the best move of a row is a sum of gathered rows of G and an argmin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray, Level

FloatArray = npt.NDArray[np.float64]
Allowed = Callable[[IntArray, int, IntArray], npt.NDArray[np.bool_]]
"""(rows (m, d), column, proposed cells (m,)) -> which of the moves a rule permits."""

BATCHES = 400
"""A sweep moves rows in this many batches, so that few rows of a batch chase the same target."""

LARGEST_BATCH = 512
SMALLEST_GAIN = 1e-4
"""Gains below this are rounding of float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairTarget:
    """What a pair table of the rows should be.

    Attributes:
      i: Column of the first attribute.
      j: Column of the second attribute, i < j.
      level_i: Level of the first axis; the same in all targets of an attribute.
      level_j: Level of the second axis.
      table: Nonnegative masses, shape (level_i.size, level_j.size).
    """

    i: int
    j: int
    level_i: Level
    level_j: Level
    table: FloatArray


def edit_rows(
    codes: IntArray,
    targets: Sequence[PairTarget],
    rng: np.random.Generator,
    *,
    masses: Sequence[FloatArray] | None = None,
    sweeps: int = 2,
    allowed: Allowed | None = None,
) -> IntArray:
    """Moves cells of rows towards all pair targets at once; every accepted move lowers the loss.

    Args:
      codes: Rows at the finest cells, shape (n, d).
      targets: Pair tables of any total; they are scaled to n rows.
      rng: Source of the order of rows and columns and of cells inside a group.
      masses: One-way mass of each attribute's cells, to draw a cell inside a new group; by default uniform.
      sweeps: How often every row is visited.
      allowed: Refuses moves that would break a rule; by default all are permitted.

    Returns:
      Edited rows, shape (n, d); the input is left as it was.

    Source: recipe, step 9; Zhang et al. (2021), PrivSyn (gradually update), arXiv:2012.15128.
    """
    edited = np.array(codes, dtype=np.int32)
    if not targets or len(edited) == 0:
        return edited
    levels = _levels_by_column(targets)
    columns = np.array(sorted(levels))
    groups = np.stack([levels[column].groups[edited[:, column]] for column in columns], axis=1)
    gains = _Gains.start(groups, targets, columns)
    cells = {column: _CellDraw(levels[column], masses and masses[column]) for column in levels}
    batch = int(np.clip(len(edited) // BATCHES, 1, LARGEST_BATCH))
    for _ in range(sweeps):
        order = rng.permutation(len(edited))
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            for k in rng.permutation(len(columns)):
                column = int(columns[k])
                moved, group = gains.best_moves(groups[rows], int(k))
                moving = rows[moved]
                if len(moving) == 0:
                    continue
                proposed = cells[column].draw(group, rng)
                if allowed is not None:
                    keep = allowed(edited[moving], column, proposed)
                    moving, group, proposed = moving[keep], group[keep], proposed[keep]
                gains.move(groups[moving], int(k), group)
                groups[moving, k] = group
                edited[moving, column] = proposed
    return edited


def _levels_by_column(targets: Sequence[PairTarget]) -> dict[int, Level]:
    levels: dict[int, Level] = {}
    for target in targets:
        levels.setdefault(target.i, target.level_i)
        levels.setdefault(target.j, target.level_j)
    return levels


class _CellDraw:
    """Draws a cell inside a group in proportion to the one-way mass."""

    def __init__(self, level: Level, mass: FloatArray | None) -> None:
        self._is_finest = level.is_finest
        self._order = np.argsort(level.groups, kind="stable").astype(np.int32)
        weights = np.ones(len(level.groups)) if mass is None else mass + 1e-9 * (mass.sum() + 1)
        self._cumulative = np.cumsum(weights[self._order])
        counts = np.bincount(level.groups, minlength=level.size)
        self._ends = np.cumsum(counts)

    def draw(self, groups: IntArray, rng: np.random.Generator) -> IntArray:
        """One cell per group asked for."""
        if self._is_finest:
            return groups
        padded = np.concatenate([[0.0], self._cumulative])
        ends = self._ends[groups]
        starts = np.concatenate([[0], self._ends])[groups]
        low, high = padded[starts], padded[ends]
        at = np.searchsorted(self._cumulative, low + rng.random(len(groups)) * (high - low), side="right")
        return np.asarray(self._order[np.clip(at, starts, ends - 1)])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Gains:
    """G and 2 W for all ordered pairs in one buffer each: a block per column, a row per (other column, group).

    Attributes:
      sizes: Groups per column, shape (d,).
      starts: First row of each column, shape (d,); row starts[b] + y of block a, entry x, is cell (b: y, a: x).
      cost: float32 buffer of G, blocks one after the other.
      step: float32 buffer of 2 W; 0 for a column with itself and for pairs without target.
    """

    sizes: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    cost: npt.NDArray[np.float32]
    step: npt.NDArray[np.float32]

    @classmethod
    def start(
        cls, groups: IntArray, targets: Sequence[PairTarget], columns: npt.NDArray[np.int64]
    ) -> "_Gains":
        """Counts the rows and sets them against the targets."""
        sizes = np.ones(len(columns), dtype=np.int64)
        place = {int(column): k for k, column in enumerate(columns)}
        for target in targets:
            sizes[place[target.i]], sizes[place[target.j]] = target.table.shape
        starts = np.cumsum(sizes) - sizes
        buffers = (np.zeros(int(sizes.sum()) ** 2, dtype=np.float32) for _ in range(2))
        gains = cls(sizes=sizes, starts=starts, cost=next(buffers), step=next(buffers))
        for target in targets:
            a, b = place[target.i], place[target.j]
            wanted = target.table * (len(groups) / max(float(target.table.sum()), 1e-300))
            flat = groups[:, a].astype(np.int64) * sizes[b] + groups[:, b]
            have = np.bincount(flat, minlength=wanted.size).reshape(wanted.shape)
            weight = 1.0 / np.sqrt(wanted + 1.0)
            cost = weight * (2.0 * (have - wanted) + 1.0)
            gains._rows(gains.cost, a, b)[:], gains._rows(gains.cost, b, a)[:] = cost.T, cost
            gains._rows(gains.step, a, b)[:], gains._rows(gains.step, b, a)[:] = 2 * weight.T, 2 * weight
        return gains

    def best_moves(self, groups: IntArray, column: int) -> tuple[npt.NDArray[np.int64], IntArray]:
        """Rows (positions in `groups`) whose loss falls by changing `column`, and the group each should move to."""
        block, step = self._blocks[column]
        others = groups + self.starts
        cost = block[others[:, 0]] if column else np.zeros((len(groups), block.shape[1]), np.float32)
        for other in range(1, len(self.sizes)):
            if other != column:
                cost += block[others[:, other]]
        current = groups[:, column]
        here = np.arange(len(groups))
        leaving = cost[here, current] - step[others, current[:, None]].sum(axis=1)
        cost[here, current] = np.inf
        best = cost.argmin(axis=1)
        moved = np.flatnonzero(cost[here, best] - leaving < -SMALLEST_GAIN)
        return moved, best[moved].astype(np.int32)

    def move(self, groups: IntArray, column: int, new: IntArray) -> None:
        """Books that rows with these groups change `column` to `new`."""
        keep = np.arange(len(self.sizes)) != column
        others = (groups + self.starts)[:, keep]
        for group, sign in ((groups[:, column], -1.0), (new, 1.0)):
            self._add(others, column, group[:, None], sign)
            self._add((group + self.starts[column])[:, None], keep, groups[:, keep], sign)

    def _add(
        self,
        rows: npt.NDArray[np.int64],
        columns: int | npt.NDArray[np.bool_],
        groups: IntArray,
        sign: float,
    ) -> None:
        at = (self._bases[columns] + rows * self.sizes[columns] + groups).ravel()
        np.add.at(self.cost, at, sign * self.step[at])

    def _rows(self, buffer: npt.NDArray[np.float32], block: int, column: int) -> npt.NDArray[np.float32]:
        """View of the rows of `column` inside a block, shape (groups of column, groups of block)."""
        width = self.sizes[block]
        first = self._bases[block] + self.starts[column] * width
        return buffer[first : first + self.sizes[column] * width].reshape(-1, width)

    @cached_property
    def _bases(self) -> npt.NDArray[np.int64]:
        return self.starts * int(self.sizes.sum())

    @cached_property
    def _blocks(self) -> list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
        height = int(self.sizes.sum())
        return [
            tuple(  # type: ignore[misc]
                buffer[base : base + height * size].reshape(height, size)
                for buffer in (self.cost, self.step)
            )
            for base, size in zip(self._bases, self.sizes, strict=True)
        ]
