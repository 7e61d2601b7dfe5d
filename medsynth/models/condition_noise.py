"""How much of a condition's probability is noise: that of the published table which counts it best."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Clique, Domain
from medsynth.models.junction_tree import JunctionTree
from medsynth.privacy.interactions import centred

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.privacy import Measurement

BoolArray = npt.NDArray[np.bool_]


def standard_error(
    condition: "Condition", measurements: "Sequence[Measurement]", tree: JunctionTree, domain: Domain
) -> float | None:
    """Noise of a condition's count in persons, or None if no table's cells make it up.

    A condition on one attribute is counted by that attribute's tables. One on more is counted by a
    table that the tree holds: if its interactions were measured, together with both one-way tables.

    Args:
      condition: The condition.
      measurements: Published tables.
      tree: Fitted to those of them that it holds.
      domain: Of the condition.
    """
    names = {domain.names[attribute] for attribute in condition.attributes}
    errors = []
    for measured in measurements:
        if {level.attribute for level in measured.clique} != names:
            continue
        cells = _cells(condition, measured.clique, domain)
        # Every table speaks for an attribute alone; of several together only the tree's do.
        if cells is None or (len(names) > 1 and not _holds(tree, measured.clique, domain)):
            continue
        if measured.interactions:
            errors.append(math.sqrt(_pair_variance(cells, measured, measurements)))
        else:
            errors.append(measured.sigma * math.sqrt(cells.sum()))
    return min(filter(math.isfinite, errors), default=None)


def _pair_variance(cells: BoolArray, measured: "Measurement", measurements: "Sequence[Measurement]") -> float:
    """Variance of a sum of cells that interactions and margins were added up to."""
    inside = cells.astype(np.float64)
    variance = measured.sigma**2 * float((centred(inside) ** 2).sum())
    for axis, level in enumerate(measured.clique):
        slope = inside.mean(axis=1 - axis) - inside.mean()
        alone = (each.sigma**2 for each in measurements if _is_one_way(each, level.attribute))
        groups = np.bincount(level.groups, minlength=level.size)
        variance += float(slope**2 @ groups) * min(alone, default=math.inf)
    return variance


def _is_one_way(measured: "Measurement", attribute: str) -> bool:
    """True for a table of an attribute's finest cells."""
    return [(level.attribute, level.is_finest) for level in measured.clique] == [(attribute, True)]


def _holds(tree: JunctionTree, clique: Clique, domain: Domain) -> bool:
    """True if the tree has a table at these levels, and so was fitted to it."""
    nodes = [
        (attribute, position)
        for level in clique
        for attribute in [domain.index(level.attribute)]
        for position, known in enumerate(tree.chains[attribute].levels)
        if np.array_equal(known.groups, level.groups)
    ]
    return len(nodes) == len(clique) and tree.holds(nodes)


def _cells(condition: "Condition", clique: Clique, domain: Domain) -> BoolArray | None:
    """Cells of a table that make up a condition; None if it divides a cell or holds none."""
    sizes = [np.bincount(level.groups, minlength=level.size) for level in clique]
    held = np.zeros(tuple(level.size for level in clique), dtype=np.int64)
    for box in condition.boxes:
        part = np.ones((), dtype=np.int64)
        for level, size in zip(clique, sizes, strict=True):
            mask = box.get(domain.index(level.attribute))
            inside = size if mask is None else np.bincount(level.groups[mask], None, level.size)
            part = np.multiply.outer(part, inside)
        held += part
    whole: BoolArray = held == reduce(np.multiply.outer, sizes)
    return whole if whole.any() and (whole | (held == 0)).all() else None
