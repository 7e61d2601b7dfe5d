"""The tree inside a condition, tilted until its one-ways there are those wanted: nothing else about it changes.

Of all distributions with these one-ways the tilted one is nearest to the tree given the condition (I-projection,
Csiszar 1975): a factor per attribute, so cliques and sampling stay what they are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.models.calibration import propagate
from medsynth.models.clique_tables import CliqueTables
from medsynth.models.lbfgs import dot, minimise
from medsynth.models.targets import refine

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.models.graphical import GraphicalModel

FloatArray = npt.NDArray[np.float64]

SCALE = 1000.0
"""Shares are fitted to about a millionth: the minimiser stops at 1e-3."""

RIDGE = 1e-4
"""Keeps factors finite where a wanted share is 0. Source: recipe part two, section A, step 4, with a tenth of its
ridge, which leaves cells of a thousandth alone."""

ITERATIONS = 120

LARGEST_FACTOR = 100.0
"""Of logarithms of weights: beyond it a cell is as good as impossible, and products still have their digits."""

SMALLEST_SHARE = 1e-6
"""Shares below it start as if they were so large."""


def tilt(
    model: "GraphicalModel", condition: "Condition", wanted: Sequence[FloatArray], attributes: Collection[int]
) -> tuple[FloatArray, ...]:
    """Weights of finest cells that bring the one-ways inside a condition to those wanted.

    Args:
      model: A tree.
      condition: Of positive probability.
      wanted: Shares inside the condition at each attribute's working level.
      attributes: Those to be brought there; weights of others are 1.

    Returns:
      Per attribute (size,), each in (0, 1] with largest 1.

    Source: recipe part two, section A, step 4.
    """
    weights = [np.ones(attribute.size) for attribute in model.domain.attributes]
    chosen = sorted(attributes)
    if not chosen:
        return tuple(weights)
    dual = _Dual.of(model, condition, wanted, chosen)
    factors = dual.solved()
    for attribute, level, factor in zip(chosen, dual.levels, factors, strict=True):
        chain = model.chains[attribute]
        groups, share = refine(model.one_ways[attribute], chain, level)
        inside = wanted[attribute]
        whole = np.bincount(groups, weights=inside, minlength=chain.sizes[level])[groups]
        within = np.divide(inside, whole * share, out=np.ones_like(inside), where=whole * share > 0)
        # Below the working level all cells of a group are treated alike.
        logs = np.clip(factor, -LARGEST_FACTOR, LARGEST_FACTOR)[groups]
        found = np.exp(logs - logs.max()) * within
        weights[attribute] = _bounded(found)[chain.levels[chain.working].groups]
    return tuple(weights)


def _bounded(weights: FloatArray) -> FloatArray:
    """Scaled to a largest of 1, none so small that it could not be told from 0."""
    return np.asarray(np.maximum(weights / weights.max(), np.exp(-LARGEST_FACTOR)))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Dual:
    """log Z(theta) - <theta, wanted> + ridge / 2 |theta|^2, Z the tilted mass of all boxes.

    Attributes:
      levels: Tree level at which each attribute is tilted.
      boxes: Log potentials of the tree inside each box.
      tables: Where the one-ways sit in the cliques.
      wanted: Their shares, in a row.
      model: The tree.
    """

    levels: tuple[int, ...]
    boxes: tuple[tuple[FloatArray, ...], ...]
    tables: CliqueTables
    wanted: FloatArray
    model: "GraphicalModel"

    @classmethod
    def of(
        cls, model: "GraphicalModel", condition: "Condition", wanted: Sequence[FloatArray], attributes: Sequence[int]
    ) -> "_Dual":
        tree = model.tree
        levels = tuple(min(tree.finest[a], tree.chains[a].working) for a in attributes)
        sums = [
            np.bincount(tree.chains[a].project(tree.chains[a].working, level), wanted[a], tree.chains[a].sizes[level])
            for a, level in zip(attributes, levels, strict=True)
        ]
        boxes = [box for box, share in zip(condition, model.box_shares(condition), strict=True) if share > 0]
        return cls(
            levels=levels,
            boxes=tuple(model.given(box).log_potentials for box in boxes),
            tables=CliqueTables.of(tree, [((a, level),) for a, level in zip(attributes, levels, strict=True)]),
            wanted=np.concatenate([np.zeros(0), *(each / each.sum() for each in sums)]),
            model=model,
        )

    def solved(self) -> list[FloatArray]:
        """Logarithms of the factors, per attribute."""
        scale = np.sqrt(SCALE * (self.wanted * (1 - self.wanted) + 1e-3))

        def scaled(point: FloatArray) -> tuple[float, FloatArray]:
            value, gradient = self.value_and_gradient(point / scale)
            return value, gradient / scale

        theta = minimise(scaled, self._start * scale, iterations=ITERATIONS) / scale
        return self.tables.cut(theta)

    @property
    def _start(self) -> FloatArray:
        """What the factors would be if the attributes were independent inside."""
        nothing = np.zeros(len(self.wanted))
        have = self.value_and_gradient(nothing)[1] / SCALE + self.wanted
        return np.asarray(np.log((self.wanted + SMALLEST_SHARE) / (np.maximum(have, 0.0) + SMALLEST_SHARE)))

    def value_and_gradient(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The dual and its gradient, in units of `SCALE`."""
        logs, sums = [], []
        for potentials in self.boxes:
            work = [table.copy() for table in potentials]
            self.tables.add(theta, work)
            logs.append(propagate(self.model.tree, work))
            sums.append(self.tables.sums(work))
        top = max(logs)
        parts = np.exp(np.array(logs) - top)
        mean = np.einsum("b,bi->i", parts / parts.sum(), np.array(sums))
        pull = RIDGE * theta
        value = top + float(np.log(parts.sum())) - dot(theta, self.wanted) + 0.5 * dot(pull, theta)
        return SCALE * value, SCALE * (mean - self.wanted + pull)
