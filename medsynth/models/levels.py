"""Nested levels of an attribute, coarse to fine, chosen from public hierarchies and noisy one-way
mass.

Measuring a pair at the level where its dependence outweighs its noise needs groups of cells that
carry similar mass. `nested_chain` keeps splitting the heaviest group: ordered cells at their mass
median, nominal cells by peeling off the heaviest, a public hierarchy branch by branch before any
branch is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Attribute, IntArray, Level

FloatArray = npt.NDArray[np.float64]

SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""Sizes at which a chain keeps a level, besides the finest. Source: recipe, step 2."""

SIZES_OF_LARGE = (*SIZES, 96, 128, 192, 256)
"""The same for an attribute of more than `LARGE` cells, whose finest level never enters a pair
table.
"""

LARGE = 256
"""From more cells than this on, an attribute's finest level is used for its one-way table only."""

TAIL_SHARE = 1 / 3
"""A missing or other cell leaves a group of ordered cells first if it holds at least this share of
the group.
"""


def public_blocks(attribute: Attribute) -> Level | None:
    """The finest public level of an unordered attribute of more than `LARGE` cells; None for
    others.

    Ordered cells need none: smoothing sees them at every scale.
    """
    if attribute.ordered or attribute.size <= LARGE or not attribute.hierarchy:
        return None
    labels, groups = np.unique(attribute.hierarchy[0], return_inverse=True)
    if not 1 < len(labels) < attribute.size:
        return None
    return Level(attribute=attribute.name, groups=groups.astype(np.int32), size=len(labels))


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """Levels of one attribute, coarse to fine, each a refinement of the one before; the last is the
    finest.

    Attributes:
      attribute: The attribute's name.
      levels: The levels; sizes strictly ascend.
    """

    attribute: str
    levels: tuple[Level, ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of groups per level."""
        return tuple(level.size for level in self.levels)

    @cached_property
    def working(self) -> int:
        """Position of the finest level that may enter a pair table: at most `LARGE` groups."""
        return max((k for k, size in enumerate(self.sizes) if size <= LARGE), default=0)

    @cached_property
    def _projections(self) -> dict[tuple[int, int], IntArray]:
        return {}

    def project(self, fine: int, coarse: int) -> IntArray:
        """Maps groups of level `fine` to groups of level `coarse` (positions in `levels`).

        Between levels other than the finest the map never descends, so sums over it are sums over
        contiguous runs.
        """
        key = (fine, coarse)
        if key not in self._projections:
            groups = np.empty(self.levels[fine].size, dtype=np.int32)
            groups[self.levels[fine].groups] = self.levels[coarse].groups
            self._projections[key] = groups
        return self._projections[key]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Group:
    """Cells that may still be split: sibling branches of a hierarchy (arrays of cells), and tail
    cells.

    Attributes:
      branches: Sibling branches, ascending if ordered; a branch is an int array of cells.
      tail: Cells that follow no order, by falling mass.
      depth: Hierarchy level below `branches`; -1 when every branch is a single cell.
    """

    branches: tuple[IntArray, ...]
    tail: tuple[int, ...]
    depth: int

    @cached_property
    def cells(self) -> IntArray:
        """All cells of the group."""
        return np.concatenate([*self.branches, np.array(self.tail, dtype=np.int32)])


def nested_chain(attribute: Attribute, one_way: FloatArray, *, sizes: Sequence[int] | None = None) -> Chain:
    """Chooses nested levels from a noisy one-way table; equal input gives equal levels.

    Args:
      attribute: The public attribute.
      one_way: Denoised mass of its cells, nonnegative, shape (size,).
      sizes: Sizes at which a level is kept; by default `SIZES`, or `SIZES_OF_LARGE` for a large
        attribute.

    Returns:
      The chain; every level is a union of groups of the next, and the last is the finest level.

    Source: recipe, step 2 (split the heaviest group), extended by public hierarchies.
    """
    if sizes is None:
        sizes = SIZES_OF_LARGE if attribute.size > LARGE else SIZES
    kept = [size for size in sizes if size < attribute.size]
    groups = _Splitter(attribute, one_way)
    levels = [groups.level(size) for size in kept]
    return Chain(attribute=attribute.name, levels=(*levels, Level.finest(attribute)))


class _Splitter:
    """Keeps splitting the heaviest group; groups stay in an order in which parts of a group are
    neighbours.
    """

    def __init__(self, attribute: Attribute, mass: FloatArray) -> None:
        self._attribute = attribute
        self._mass = mass
        self._ordered = attribute.ordered > 0
        leading = attribute.ordered or attribute.size
        order = np.argsort(-mass[leading:], kind="stable") + leading
        root = _Group(
            branches=(np.arange(leading, dtype=np.int32),),
            tail=tuple(int(cell) for cell in order),
            depth=len(attribute.hierarchy),
        )
        self._groups: dict[tuple[int, ...], _Group] = {}
        self._heap: list[tuple[float, tuple[int, ...]]] = []
        self._add((), root)

    def level(self, size: int) -> Level:
        """Splits until there are `size` groups."""
        while len(self._groups) < size and self._heap:
            _, key = heappop(self._heap)
            first, second = self._split(self._groups.pop(key))
            self._add((*key, 0), first)
            self._add((*key, 1), second)
        groups = np.empty(self._attribute.size, dtype=np.int32)
        for position, key in enumerate(sorted(self._groups)):
            groups[self._groups[key].cells] = position
        return Level(attribute=self._attribute.name, groups=groups, size=len(self._groups))

    def _add(self, key: tuple[int, ...], group: _Group) -> None:
        group = self._opened(group)
        self._groups[key] = group
        if len(group.branches) + len(group.tail) > 1:
            heappush(self._heap, (-float(self._mass[group.cells].sum()), key))

    def _opened(self, group: _Group) -> _Group:
        """Replaces a lone branch by the branches below it, until there are two or a single cell."""
        while len(group.branches) == 1 and group.depth >= 0:
            below = _branches(group.branches[0], self._attribute, group.depth - 1)
            group = _Group(branches=below, tail=group.tail, depth=group.depth - 1)
        return group

    def _split(self, group: _Group) -> tuple[_Group, _Group]:
        weights = np.array([self._mass[branch].sum() for branch in group.branches])
        tail_mass = float(self._mass[group.tail[0]]) if group.tail else 0.0
        total = float(self._mass[group.cells].sum())
        if group.tail and (len(weights) < 2 or tail_mass >= max(TAIL_SHARE * total, weights.min())):
            return _peel_tail(group)
        return self._cut(group, weights) if self._ordered else _peel_branch(group, weights)

    def _cut(self, group: _Group, weights: FloatArray) -> tuple[_Group, _Group]:
        """Cuts ascending branches where the two sides are nearest in mass; the tail joins the
        lighter side.
        """
        left = np.cumsum(weights)[:-1]
        at = int(np.argmin(np.abs(2 * left - weights.sum()))) + 1
        left_is_lighter = 2 * left[at - 1] <= weights.sum()
        low = _Group(
            branches=group.branches[:at],
            tail=group.tail if left_is_lighter else (),
            depth=group.depth,
        )
        high = _Group(
            branches=group.branches[at:],
            tail=() if left_is_lighter else group.tail,
            depth=group.depth,
        )
        return low, high


def _branches(cells: IntArray, attribute: Attribute, depth: int) -> tuple[IntArray, ...]:
    """Parts of `cells` by hierarchy level `depth` (counted from the finest), or single cells below
    it.
    """
    if depth < 0:
        return tuple(cells[k : k + 1] for k in range(len(cells)))
    labels = attribute.hierarchy[depth][cells]
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    parts = np.split(cells[order], cuts)
    return tuple(sorted(parts, key=lambda part: int(part[0])))


def _peel_tail(group: _Group) -> tuple[_Group, _Group]:
    """Splits off the heaviest tail cell."""
    alone = _Group(branches=(), tail=group.tail[:1], depth=-1)
    return _Group(branches=group.branches, tail=group.tail[1:], depth=group.depth), alone


def _peel_branch(group: _Group, weights: FloatArray) -> tuple[_Group, _Group]:
    """Splits off the heaviest of nominal branches."""
    heaviest = int(np.argmax(weights))
    rest = group.branches[:heaviest] + group.branches[heaviest + 1 :]
    alone = _Group(branches=(group.branches[heaviest],), tail=(), depth=group.depth)
    return alone, _Group(branches=rest, tail=group.tail, depth=group.depth)
