"""How much of a condition's probability is noise: that of the published table which counts it best."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Clique, Domain, Level
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
    table that the tree holds. Interactions count together with the tables of fewer columns.

    Args:
      condition: The condition.
      measurements: Published tables.
      tree: Fitted to those of them that it holds.
      domain: Of the condition.
    """
    names = {domain.names[attribute] for attribute in condition.attributes}
    variances = []
    for measured in measurements:
        if not names or {level.attribute for level in measured.clique} != names:
            continue
        cells = _cells(condition, measured.clique, domain)
        # Every table speaks for an attribute alone; of several together only the tree's do.
        if cells is None or (len(names) > 1 and not _holds(tree, measured.clique, domain)):
            continue
        of_cell = _pooled_variance(measurements, measured.clique)
        variances.append(
            of_cell * float(cells.sum())
            if not measured.interactions
            else of_cell * float((centred(cells.astype(np.float64)) ** 2).sum())
            + _variance_below(cells, measured.clique, measurements)
        )
    return min((math.sqrt(variance) for variance in variances if math.isfinite(variance)), default=None)


def _variance_below(cells: BoolArray, clique: Clique, measurements: "Sequence[Measurement]") -> float:
    """What the tables of fewer columns add to the variance of a sum of cells of one or two columns."""
    inside = cells.astype(np.float64)
    variance, of_total = 0.0, float(inside.mean())
    if len(clique) == 2:
        for axis, level in enumerate(clique):
            slope = (inside.mean(axis=1 - axis) - inside.mean())[level.groups]
            finest = Level(attribute=level.attribute, groups=np.arange(len(slope), dtype=np.int32), size=len(slope))
            variance += _pooled_variance(measurements, (finest,)) * float((centred(slope) ** 2).sum())
            of_total += float(slope.mean())
    return variance + of_total**2 * _pooled_variance(measurements, ())


def _pooled_variance(measurements: "Sequence[Measurement]", clique: Clique) -> float:
    """Noise of a cell of a table, measured once or several times; infinite if never."""
    precision = sum(each.sigma**-2 for each in measurements if _same(each.clique, clique))
    return 1 / precision if precision else math.inf


def _same(one: Clique, other: Clique) -> bool:
    return len(one) == len(other) and all(
        mine.attribute == its.attribute and np.array_equal(mine.groups, its.groups)
        for mine, its in zip(one, other, strict=True)
    )


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
