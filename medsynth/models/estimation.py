"""Noisy tables -> potentials: a regularised maximum-entropy fit on a junction tree.

A noisy table is evidence, not a constraint: the dual

    total * log Z(theta) - <theta, noisy> + kappa / 2 * sum(variance * theta^2)

is smooth and convex, and its minimum's marginals differ from the tables by kappa * variance * theta.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medsynth.models.calibration import Calibrated, calibrate
from medsynth.models.junction_tree import Embedding, JunctionTree, Node

FloatArray = npt.NDArray[np.float64]

KAPPA = 0.003
"""Weight of the noise in the dual. Source: recipe, step 7."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TableTarget:
    """A noisy table.

    Attributes:
      nodes: What its axes are.
      noisy: Its cells, in persons.
      variance: Variance of the noise of a cell, one number or one per cell.
    """

    nodes: tuple[Node, ...]
    noisy: FloatArray
    variance: float | FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class StructuralZeros:
    """Cells that a rule forbids.

    Attributes:
      nodes: What the axes are; all inside one clique of the tree.
      allowed: False where no person can be.
    """

    nodes: tuple[Node, ...]
    allowed: npt.NDArray[np.bool_]


def fit_potentials(
    tree: JunctionTree,
    measurements: Sequence[TableTarget],
    total: float,
    *,
    kappa: float = KAPPA,
    iterations: int = 200,
    warm: Calibrated | None = None,
    zeros: Sequence[StructuralZeros] = (),
) -> Calibrated:
    """Fits the maximum-entropy distribution of the tree to noisy tables.

    Args:
      tree: Holds the nodes of every table inside a clique.
      measurements: The noisy tables.
      total: Number of persons, above 0.
      kappa: How much of a table's noise is forgiven; towards 0 consistent tables are met exactly.
      iterations: Limit of L-BFGS iterations.
      warm: An earlier fit, on any tree: its dual values start the tables with the same nodes.
      zeros: Cells that keep probability 0.

    Returns:
      The calibrated distribution, with its dual values.
    """
    dual = _Dual.of(tree, measurements, total, kappa, zeros)
    if not measurements:
        return calibrate(tree, dual.base)
    start = np.concatenate([_start(target, warm) for target in measurements])
    theta = _minimise(dual, start, iterations)
    tables = dual.tables(theta)
    duals = {target.nodes: table for target, table in zip(measurements, tables, strict=True)}
    return replace(calibrate(tree, dual.potentials(theta)), duals=duals)


def _start(target: TableTarget, warm: Calibrated | None) -> FloatArray:
    """Dual values of an earlier fit, or zeros."""
    known = None if warm is None else warm.duals.get(target.nodes)
    if known is None or known.shape != target.noisy.shape:
        return np.zeros(target.noisy.size)
    return known.ravel()


def _minimise(dual: "_Dual", start: FloatArray, iterations: int) -> FloatArray:
    """L-BFGS in coordinates in which the curvature is near 1."""
    from scipy.optimize import minimize

    scale = np.sqrt(dual.ridge + np.maximum(dual.noisy, 0.0) + 1.0)

    def scaled(point: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = dual.value_and_gradient(point / scale)
        return value, gradient / scale

    options = {"maxiter": iterations, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-3}
    found = minimize(scaled, start * scale, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x / scale)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Dual:
    """The function to minimise.

    Attributes:
      tree: The junction tree.
      homes: Per table, the clique it sits in and how.
      shapes: Shapes of the tables.
      noisy: All tables' cells, in a row.
      ridge: kappa times the variance of each cell.
      total: Number of persons.
      base: Log potentials before any table: 0, or -inf for a structural zero.
    """

    tree: JunctionTree
    homes: tuple[tuple[int, Embedding], ...]
    shapes: tuple[tuple[int, ...], ...]
    noisy: FloatArray
    ridge: FloatArray
    total: float
    base: tuple[FloatArray, ...]

    @classmethod
    def of(
        cls,
        tree: JunctionTree,
        targets: Sequence[TableTarget],
        total: float,
        kappa: float,
        zeros: Sequence[StructuralZeros],
    ) -> "_Dual":
        """Places every table in its clique."""
        ridges = [np.broadcast_to(kappa * np.asarray(t.variance), t.noisy.shape).ravel() for t in targets]
        return cls(
            tree=tree,
            homes=tuple(_place(tree, target.nodes) for target in targets),
            shapes=tuple(target.noisy.shape for target in targets),
            noisy=np.concatenate([np.zeros(0), *(target.noisy.ravel() for target in targets)]),
            ridge=np.concatenate([np.zeros(0), *ridges]),
            total=total,
            base=_base(tree, zeros),
        )

    def tables(self, theta: FloatArray) -> list[FloatArray]:
        """Cuts a row of dual values into tables."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        parts = np.split(theta, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def potentials(self, theta: FloatArray) -> list[FloatArray]:
        """Log potentials of the cliques."""
        found = [table.copy() for table in self.base]
        for (clique, embedding), table in zip(self.homes, self.tables(theta), strict=True):
            found[clique] += embedding.spread(table)
        return found

    def value_and_gradient(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The dual and its gradient at theta."""
        fitted = calibrate(self.tree, self.potentials(theta))
        marginals = np.concatenate(
            [embedding.sum(fitted.beliefs[clique]).ravel() for clique, embedding in self.homes]
        )
        pull = self.ridge * theta
        value = self.total * fitted.log_partition - theta @ self.noisy + 0.5 * float(pull @ theta)
        return float(value), self.total * marginals - self.noisy + pull


def _place(tree: JunctionTree, nodes: tuple[Node, ...]) -> tuple[int, Embedding]:
    """The smallest clique that holds the nodes."""
    home = tree.home(nodes)
    if home is None:
        raise ValueError("a table lies outside every clique of the tree: build the tree with its nodes")
    return home, tree.embedding(tree.cliques[home], nodes)


def _base(tree: JunctionTree, zeros: Sequence[StructuralZeros]) -> tuple[FloatArray, ...]:
    """Log potentials that hold the structural zeros and nothing else."""
    tables = [np.zeros(shape) for shape in tree.shapes]
    for zero in zeros:
        clique, embedding = _place(tree, zero.nodes)
        tables[clique] += embedding.spread(np.where(zero.allowed, 0.0, -np.inf))
    return tuple(tables)
