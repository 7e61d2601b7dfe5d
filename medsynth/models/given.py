"""What pair tables should be inside a condition: the tree's, given it, corrected as far as the targets of
all rows speak of the condition.

A target over (a, x) holds, in the rows where a is as the condition wants it, how x is distributed
there. The tree often cannot hold that pair; so each one-way inside the condition is multiplied by
what the target says of it beside the tree, and the tree's pair tables are raked to these one-ways.
Source: recipe part two, section A, step 2.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.models.edit import PairTarget
from medsynth.models.selection import Pair
from medsynth.models.targets import rake, refine, tree_tables

if TYPE_CHECKING:
    from medsynth.encoding.condition import Box, Condition
    from medsynth.models.graphical import GraphicalModel

FloatArray = npt.NDArray[np.float64]
Tables = dict[Pair, FloatArray]

MOST_BOXES = 16
"""A condition of more boxes gets no targets of its own: each box costs a pass over all pairs."""

MOST_SLICES = 3
"""Nor are the one-ways corrected inside a condition on more attributes, whose targets overlap."""


def targets_given(model: "GraphicalModel", condition: "Condition") -> tuple[PairTarget, ...]:
    """Pair targets for rows inside a condition; none where the model has none or boxes are too many.

    Args:
      model: Its targets are those of all rows.
      condition: Of positive probability.
    """
    if not model.targets or not 0 < len(condition.boxes) <= MOST_BOXES:
        return ()
    inside = _mixed(model, condition, [(target.i, target.j) for target in model.targets])
    known = sums_of(inside, len(model.domain))
    wanted = known if model.tilted else _corrected(model, condition, known, inside)
    return tuple(
        PairTarget(
            i=target.i,
            j=target.j,
            level_i=target.level_i,
            level_j=target.level_j,
            table=rake(inside[target.i, target.j], wanted[target.i], wanted[target.j]),
            allowed=target.allowed,
        )
        for target in model.targets
    )


def masses_given(model: "GraphicalModel", condition: "Condition | None") -> tuple[FloatArray, ...]:
    """One-way masses by which to draw a cell in a group: a single box leaves only its own cells."""
    if condition is None or len(condition.boxes) != 1:
        return model.one_ways
    box = condition.boxes[0]
    return tuple(mass * box[a] if a in box else mass for a, mass in enumerate(model.one_ways))


def one_ways_given(model: "GraphicalModel", condition: "Condition") -> list[FloatArray]:
    """Shares of every attribute's working groups inside a condition: the tree's, corrected by what the targets say.

    Args:
      model: Its targets are those of all rows.
      condition: Of positive probability, of `MOST_BOXES` boxes at most.
    """
    known = [np.zeros(chain.sizes[chain.working]) for chain in model.chains]
    levels = [min(f, chain.working) for f, chain in zip(model.tree.finest, model.chains, strict=True)]
    for box, share in zip(condition.boxes, model.box_shares(condition), strict=True):
        if share > 0:
            given, masses = model.given(box), _masses(model, box)
            for attribute, (level, chain) in enumerate(zip(levels, model.chains, strict=True)):
                groups, within = refine(masses[attribute], chain, level)
                known[attribute] += share * given.marginal([(attribute, level)])[groups] * within
    wanted = _corrected(model, condition, known)
    return [one_way / one_way.sum() for one_way in wanted]


def _mixed(model: "GraphicalModel", condition: "Condition", pairs: Sequence[Pair]) -> Tables:
    """The tree's pair tables given the condition, summed over its boxes."""
    mixed: Tables = {}
    for box, share in zip(condition.boxes, model.box_shares(condition), strict=True):
        if share > 0:
            for pair, table in _boxed(model, box, float(share), pairs).items():
                mixed[pair] = mixed[pair] + table if pair in mixed else table
    return mixed


def _boxed(model: "GraphicalModel", box: "Box", share: float, pairs: Sequence[Pair]) -> Tables:
    return tree_tables(model.given(box), _masses(model, box), share, pairs)


def _masses(model: "GraphicalModel", box: "Box") -> list[FloatArray]:
    return [mass * box[a] if a in box else mass for a, mass in enumerate(model.one_ways)]


def _corrected(
    model: "GraphicalModel", condition: "Condition", known: list[FloatArray], inside: Tables | None = None
) -> list[FloatArray]:
    """One-ways inside the condition, each times what the targets say of it beside the tree."""
    attributes = condition.attributes
    if len(attributes) > MOST_SLICES:
        return known
    targets = {(target.i, target.j): target.table for target in model.targets}
    asked = [pair for pair in targets if (pair[0] in attributes) != (pair[1] in attributes)]
    inside = _mixed(model, condition, asked) if inside is None else inside
    everywhere = tree_tables(model.calibrated, model.one_ways, 1.0, asked)
    wanted = [one_way.copy() for one_way in known]
    for (i, j), table in everywhere.items():
        share = targets[i, j] / max(float(targets[i, j].sum()), 1e-300)
        factor = np.divide(share, table, out=np.ones_like(table), where=table > 0)
        axis, other = (0, j) if i in attributes else (1, i)
        slices = (inside[i, j] * factor).sum(axis=axis)
        wanted[other] *= np.divide(slices, known[other], out=np.ones_like(slices), where=known[other] > 0)
    return [new * (old.sum() / max(float(new.sum()), 1e-300)) for new, old in zip(wanted, known, strict=True)]


def sums_of(tables: Tables, attributes: int) -> list[FloatArray]:
    """The one-way of every attribute, from one of its pair tables."""
    sums = [np.zeros(0)] * attributes
    for (i, j), table in tables.items():
        sums[i], sums[j] = table.sum(axis=1), table.sum(axis=0)
    return sums
