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
    condition: "Condition", share: float, measurements: "Sequence[Measurement]", tree: JunctionTree, domain: Domain
) -> float | None:
    """Noise of a condition's share, times the number of persons; None if no table's cells make it up.

    A condition on one attribute is counted by that attribute's tables. One on more is counted by a
    table that the tree holds. Interactions count together with the tables of fewer columns.

    Args:
      condition: The condition.
      share: Its share, as far as it is known.
      measurements: Published tables.
      tree: Fitted to those of them that it holds.
      domain: Of the condition.
    """
    names = {domain.names[attribute] for attribute in condition.attributes}
    errors = []
    for measured in measurements:
        if not names or {level.attribute for level in measured.clique} != names:
            continue
        cells = _cells(condition, measured.clique, domain)
        # Every table speaks for an attribute alone; of several together only the tree's do.
        if cells is None or (len(names) > 1 and not _holds(tree, measured.clique, domain)):
            continue
        if measured.interactions:
            errors.append(math.sqrt(_variance(cells, share, measured, measurements)))
        else:
            errors.append(measured.sigma * math.sqrt(cells.sum()))
    return min(filter(math.isfinite, errors), default=None)


def _variance(cells: BoolArray, share: float, measured: "Measurement", measurements: "Sequence[Measurement]") -> float:
    """Variance of a sum of cells that interactions of one or two columns and what lies below them were added up to."""
    inside = cells.astype(np.float64)
    variance = measured.sigma**2 * float((centred(inside) ** 2).sum())
    of_total = float(inside.mean()) - share
    if len(measured.clique) == 2:
        for axis, level in enumerate(measured.clique):
            slope = (inside.mean(axis=1 - axis) - inside.mean())[level.groups]
            variance += _least_variance(measurements, level.attribute) * float((centred(slope) ** 2).sum())
            of_total += float(slope.mean())
    return variance + of_total**2 * _least_variance(measurements)


def _least_variance(measurements: "Sequence[Measurement]", *attributes: str) -> float:
    """Noise of the table of an attribute's finest cells, or, without one, of the number of persons."""
    wanted = [(attribute, True) for attribute in attributes]
    return min(
        (m.sigma**2 for m in measurements if [(each.attribute, each.is_finest) for each in m.clique] == wanted),
        default=math.inf,
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
