"""Potentials of a junction tree -> probabilities: calibration, marginals, evidence.

Hugin propagation with one `exp` per clique: messages towards the root are added as logarithms (so nothing overflows),
messages away from it are ratios of separator probabilities. A log potential of -inf is a structural zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from medsynth.models.junction_tree import JunctionTree, Node
from medsynth.models.tree_marginals import joint_marginal, pair_marginals

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibrated:
    """A distribution over the tree's groups.

    Attributes:
      tree: The junction tree.
      log_potentials: One table per clique; the density is proportional to the exponential of their sum.
      log_partition: Logarithm of the total of that exponential; -inf if every cell is a structural zero.
      beliefs: Probabilities of each clique's cells.
      duals: Dual values of the fit by nodes, for a warm start; empty if the potentials were not fitted.
    """

    tree: JunctionTree
    log_potentials: tuple[FloatArray, ...]
    log_partition: float
    beliefs: tuple[FloatArray, ...]
    duals: Mapping[tuple[Node, ...], FloatArray] = field(default_factory=dict)

    def marginal(self, nodes: Sequence[Node]) -> FloatArray:
        """Exact probabilities over any nodes.

        Args:
          nodes: Distinct attributes, each at a level not finer than `tree.finest`.

        Returns:
          Probabilities, axes in the order of the nodes.
        """
        home = self.tree.home(nodes)
        if home is None:
            return joint_marginal(self.tree, self.beliefs, self.separator_beliefs, nodes)
        return self.tree.embedding(self.tree.cliques[home], nodes).sum(self.beliefs[home])

    def pair_marginals(self, levels: Sequence[int] | None = None) -> dict[tuple[int, int], FloatArray]:
        """Exact probabilities of every pair of attributes.

        Args:
          levels: Level of each attribute, not finer than `tree.finest`, which is the default.

        Returns:
          {(i, j): table of shape (size of level i, size of level j)} for all i < j.
        """
        wanted = self.tree.finest if levels is None else levels
        return pair_marginals(self.tree, self.beliefs, self.separator_beliefs, wanted)

    def condition(self, evidence: Mapping[int, FloatArray]) -> tuple["Calibrated", float]:
        """Weighs groups by evidence.

        Args:
          evidence: Per attribute position, a weight in [0, 1] for each group at `tree.finest`.

        Returns:
          (distribution given the evidence, probability of the evidence); with probability 0 the distribution is unchanged.
        """
        tree = self.tree
        potentials = list(self.log_potentials)
        for attribute, weights in evidence.items():
            node = (attribute, tree.finest[attribute])
            home = tree.home([node])
            assert home is not None  # finest levels are in the tree by definition
            with np.errstate(divide="ignore"):
                logs = np.log(weights)
            potentials[home] = potentials[home] + tree.embedding(tree.cliques[home], (node,)).spread(logs)
        given = calibrate(tree, potentials)
        if given.log_partition == -np.inf:
            return self, 0.0
        return given, min(1.0, float(np.exp(given.log_partition - self.log_partition)))

    @cached_property
    def separator_beliefs(self) -> tuple[FloatArray, ...]:
        """Probabilities over each clique's separator towards its parent; a scalar 1 for the root."""
        return tuple(
            np.ones(()) if up is None else up.sum(belief)
            for up, belief in zip(self.tree.upward, self.beliefs, strict=True)
        )


def calibrate(tree: JunctionTree, log_potentials: Sequence[FloatArray]) -> Calibrated:
    """Turns log potentials (one table per clique, -inf for a structural zero) into probabilities."""
    beliefs, messages, log_partition = _collect(tree, log_potentials)
    for clique, parent in enumerate(tree.parents):
        if parent >= 0:
            _pass_down(tree, clique, beliefs, messages)
    return Calibrated(
        tree=tree,
        log_potentials=tuple(log_potentials),
        log_partition=log_partition,
        beliefs=tuple(beliefs),
    )


def _collect(
    tree: JunctionTree, log_potentials: Sequence[FloatArray]
) -> tuple[list[FloatArray], list[FloatArray], float]:
    """Passes messages from the leaves to the root.

    Returns:
      (tables, messages, log partition): tables are scaled to sum 1, messages are their sums over each separator; only
      the root's table is a probability yet.
    """
    tables = list(log_potentials)
    messages: list[FloatArray] = [np.ones(())] * len(tables)
    log_scale = 0.0
    for clique in range(len(tables) - 1, -1, -1):
        peak = float(tables[clique].max())
        if peak == -np.inf:
            return [np.zeros(shape) for shape in tree.shapes], messages, -np.inf
        table = np.exp(tables[clique] - peak)
        mass = float(table.sum())
        table /= mass
        log_scale += peak + float(np.log(mass))
        tables[clique] = table
        up, down = tree.upward[clique], tree.downward[clique]
        if up is not None and down is not None:
            messages[clique] = up.sum(table)
            parent = tree.parents[clique]
            with np.errstate(divide="ignore"):
                tables[parent] = tables[parent] + down.spread(np.log(messages[clique]))
    return tables, messages, log_scale


def _pass_down(
    tree: JunctionTree, clique: int, beliefs: list[FloatArray], messages: list[FloatArray]
) -> None:
    """Gives a clique the separator probabilities of its parent."""
    up, down = tree.upward[clique], tree.downward[clique]
    assert up is not None and down is not None  # called below the root only
    target, current = down.sum(beliefs[tree.parents[clique]]), messages[clique]
    ratio = np.divide(target, current, out=np.zeros_like(target), where=current > 0)
    beliefs[clique] *= up.spread(ratio)
