"""What the schema's rules forbid of two attributes together, as small tables that a model can hold.

Cells that a rule treats alike form a class; the rule is then a table of classes. A chain gets a
level that keeps the classes apart, so that the tree's zero is exact; the tree gets a clique of the
two coarsest such levels, often 2 x 2; rows that are edited never enter a forbidden cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Domain, IntArray, Level
from medsynth.models.estimation import StructuralZeros
from medsynth.models.levels import LARGE, Chain
from medsynth.models.selection import Pair

if TYPE_CHECKING:
    from medsynth.encoding.condition import Box, Condition

BoolArray = npt.NDArray[np.bool_]

MOST_BOXES = 256
"""A rule of more boxes is left to the repair of drawn rows."""

MOST_CLASSES = 64
"""So is one that tells apart more classes of an attribute's cells, together with those before."""

COARSE_ENOUGH = 2
"""A level of a chain serves a rule if it has at most so many groups per class."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImpossiblePair:
    """What no row may be, of two attributes.

    Attributes:
      pair: Their positions, ascending.
      classes: Per attribute, the class of each of its cells; classes are 0 .. max, none empty.
      allowed: By class of either, False where no row may be.
    """

    pair: Pair
    classes: tuple[IntArray, IntArray]
    allowed: BoolArray

    def at(self, chains: Sequence[Chain], levels: tuple[int, int]) -> BoolArray:
        """The table at levels that keep the classes apart."""
        rows, columns = (
            _class_of_groups(chains[k].levels[level], classes)
            for k, level, classes in zip(self.pair, levels, self.classes, strict=True)
        )
        return self.allowed[rows][:, columns]


def impossible_pairs(conditions: "Sequence[Condition]", domain: Domain) -> tuple[ImpossiblePair, ...]:
    """Conditions that constrain two attributes, one table per pair; others are left out.

    Args:
      conditions: What no row may satisfy.
      domain: The public attributes.
    """
    boxes: dict[Pair, list[Box]] = {}
    for condition in conditions:
        attributes = sorted(condition.attributes)
        if len(attributes) == 2 and len(condition.boxes) <= MOST_BOXES:
            boxes.setdefault((attributes[0], attributes[1]), []).extend(condition.boxes)
    found = []
    together: dict[int, IntArray] = {}
    for pair, parts in boxes.items():
        table = _table(pair, parts, domain)
        joint = {k: _joint(together.get(k), c) for k, c in zip(pair, table.classes, strict=True)}
        some = table.allowed.any() and not table.allowed.all()
        if some and all(classes.max() < MOST_CLASSES for classes in joint.values()):
            found.append(table)
            together |= joint
    return tuple(found)


def _table(pair: Pair, boxes: "Sequence[Box]", domain: Domain) -> ImpossiblePair:
    """The union of boxes over a pair, cells that it treats alike put into one class."""
    masks = [np.stack([box.get(k, np.ones(domain.sizes[k], dtype=bool)) for box in boxes]) for k in pair]
    (rows, in_row), (columns, in_column) = (np.unique(mask, axis=1, return_inverse=True) for mask in masks)
    allowed = rows.T.astype(np.int64) @ columns.astype(np.int64) == 0
    allowed, row_class = np.unique(allowed, axis=0, return_inverse=True)
    allowed, column_class = np.unique(allowed, axis=1, return_inverse=True)
    classes = (
        row_class.reshape(-1)[in_row.reshape(-1)].astype(np.int32),
        column_class.reshape(-1)[in_column.reshape(-1)].astype(np.int32),
    )
    return ImpossiblePair(pair=pair, classes=classes, allowed=allowed)


def _joint(first: IntArray | None, second: IntArray) -> IntArray:
    """Classes that keep apart what either does."""
    if first is None:
        return second
    both = first.astype(np.int64) * (int(second.max()) + 1) + second
    _, joint = np.unique(both, return_inverse=True)
    return np.asarray(joint.reshape(-1), dtype=np.int32)


def separated(chain: Chain, attribute: int, pairs: Sequence[ImpossiblePair]) -> Chain:
    """The chain with a coarse level that keeps the classes of all rules about its attribute apart.

    Unless it has one already, every level is cut along the classes, and these come first.
    """
    classes: IntArray | None = None
    for each in pairs:
        for position, own in zip(each.pair, each.classes, strict=True):
            classes = _joint(classes, own) if position == attribute else classes
    if classes is None:
        return chain
    most = min(COARSE_ENOUGH * (int(classes.max()) + 1), LARGE)
    if any(level.size <= most and separates(level, classes) for level in chain.levels):
        return chain
    levels: list[Level] = []
    whole = np.zeros(len(classes), dtype=np.int32)
    for groups in (whole, *(level.groups for level in chain.levels[:-1])):
        cut = _joint(classes, groups)
        size = int(cut.max()) + 1
        if size < chain.sizes[-1] and (not levels or size > levels[-1].size):
            levels.append(Level(attribute=chain.attribute, groups=cut, size=size))
    return Chain(attribute=chain.attribute, levels=(*levels, chain.levels[-1]))


def separates(level: Level, classes: IntArray) -> bool:
    """True if no group of the level has cells of two classes."""
    return bool(np.array_equal(_class_of_groups(level, classes)[level.groups], classes))


def _class_of_groups(level: Level, classes: IntArray) -> IntArray:
    found = np.zeros(level.size, dtype=np.int32)
    found[level.groups] = classes
    return found


def structural_zeros(chains: Sequence[Chain], pairs: Sequence[ImpossiblePair]) -> list[StructuralZeros]:
    """Each table at the coarsest levels that express it; the chains must be `separated`."""
    zeros = []
    for each in pairs:
        first, second = (
            next(n for n, level in enumerate(chains[k].levels) if separates(level, classes))
            for k, classes in zip(each.pair, each.classes, strict=True)
        )
        i, j = each.pair
        zeros.append(StructuralZeros(nodes=((i, first), (j, second)), allowed=each.at(chains, (first, second))))
    return zeros
