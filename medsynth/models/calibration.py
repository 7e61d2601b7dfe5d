"""Potentials of a junction tree -> probabilities: calibration, marginals, evidence.

Hugin propagation with one `exp` per clique: messages towards the root are added as logarithms (so
nothing overflows), messages away from it are ratios of separator probabilities. A log potential of
-inf is a structural zero.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from medsynth.models.junction_tree import JunctionTree, Node
from medsynth.models.tree_marginals import joint_marginal, pair_marginals

FloatArray = npt.NDArray[np.float64]

SMALLEST_MESSAGE = 1e-290


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibrated:
    """A distribution over the tree's groups.

    Attributes:
      tree: The junction tree.
      log_potentials: One table per clique; the density is proportional to the exponential of their
        sum.
      log_partition: Logarithm of the total of that exponential; -inf if every cell is a structural
        zero.
      beliefs: Probabilities of each clique's cells.
      duals: Dual values of the fit by nodes, for a warm start; empty if the potentials were not
        fitted.
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

    def pair_marginals(
        self, levels: Sequence[int] | None = None, pairs: Collection[tuple[int, int]] | None = None
    ) -> dict[tuple[int, int], FloatArray]:
        """Exact probabilities of every pair of attributes.

        Args:
          levels: Level of each attribute, not finer than `tree.finest`, which is the default.
          pairs: Those wanted, (i, j) with i < j; None for all.

        Returns:
          {(i, j): table of shape (size of level i, size of level j)} for all wanted i < j.
        """
        wanted = self.tree.finest if levels is None else levels
        return pair_marginals(self.tree, self.beliefs, self.separator_beliefs, wanted, pairs)

    def condition(self, evidence: Mapping[int, FloatArray]) -> tuple["Calibrated", float]:
        """Weighs groups by evidence.

        Args:
          evidence: Per attribute position, a weight in [0, 1] for each group at `tree.finest`.

        Returns:
          (distribution given the evidence, probability of the evidence); with probability 0 the
          distribution is unchanged.
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
        """Probabilities of each clique's separator towards its parent; a scalar 1 for the root."""
        return tuple(
            np.ones(()) if up is None else up.sum(belief)
            for up, belief in zip(self.tree.upward, self.beliefs, strict=True)
        )


def calibrate(tree: JunctionTree, log_potentials: Sequence[FloatArray]) -> Calibrated:
    """Turns log potentials (a table per clique, -inf for a structural zero) into probabilities."""
    beliefs = [np.array(table) for table in log_potentials]
    log_partition = propagate(tree, beliefs)
    return Calibrated(
        tree=tree,
        log_potentials=tuple(log_potentials),
        log_partition=log_partition,
        beliefs=tuple(beliefs),
    )


def propagate(tree: JunctionTree, tables: list[FloatArray]) -> float:
    """Turns log potentials into probabilities in place.

    Returns:
      The log partition; with -inf (every cell is a structural zero) all tables are 0.
    """
    messages, log_partition = _collect(tree, tables)
    if log_partition == -np.inf:
        for table in tables:
            table.fill(0.0)
        return log_partition
    for clique, (up, down) in enumerate(zip(tree.upward, tree.downward, strict=True)):
        if up is not None and down is not None:
            target, current = down.sum(tables[tree.parents[clique]]), messages[clique]
            # Below this a message has lost its digits; the target is as small unless the parent
            # outweighs e^667.
            ratio = np.divide(target, current, out=np.zeros_like(target), where=current > SMALLEST_MESSAGE)
            tables[clique] *= up.spread(ratio)
    return log_partition


def _collect(tree: JunctionTree, tables: list[FloatArray]) -> tuple[list[FloatArray], float]:
    """Passes messages from the leaves to the root, as logarithms.

    Returns:
      (sums of each table over its separator, log partition); the root's table is then a
      probability, the others are the products of what lies below them, on any scale.
    """
    messages: list[FloatArray] = [np.ones(())] * len(tables)
    log_partition = 0.0
    for clique in range(len(tables) - 1, -1, -1):
        table, up, down = tables[clique], tree.upward[clique], tree.downward[clique]
        peak = float(table.max())
        if peak == -np.inf:
            return messages, -np.inf
        table -= peak
        np.exp(table, out=table)
        message = table.sum() if up is None else up.sum(table)
        mass = float(message.sum())
        log_partition += peak + float(np.log(mass))
        if down is None:
            table /= mass
        else:
            messages[clique] = message
            with np.errstate(divide="ignore"):
                tables[tree.parents[clique]] += down.spread(np.log(message / mass))
    return messages, log_partition
