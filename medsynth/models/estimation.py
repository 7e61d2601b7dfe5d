"""Noisy tables -> potentials: a regularised maximum-entropy fit on a junction tree.

A noisy table is evidence, not a constraint: the dual

    total * log Z(theta) - <theta, noisy> + kappa / 2 * sum(variance * theta^2)

is smooth and convex, and its minimum's marginals differ from the tables by kappa * variance *
theta.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from medsynth.models.calibration import Calibrated, calibrate, propagate
from medsynth.models.clique_tables import CliqueTables
from medsynth.models.junction_tree import JunctionTree, Node
from medsynth.models.lbfgs import dot, minimise

FloatArray = npt.NDArray[np.float64]

KAPPA = 0.003
"""Weight of the noise in the dual. Source: recipe, step 7."""

LEAST_CURVATURE = 10.0
"""Persons: a cell that holds fewer is stepped as if it held these."""


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
    least_ridge: float = 0.0,
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
      least_ridge: Least kappa times variance of a cell, in persons. Without any, a cell of almost exact noise below
        0 is driven to odds of e^-1000, which costs steps and says nothing.
      iterations: Limit of L-BFGS iterations.
      warm: An earlier fit, on any tree: its dual values start the tables with the same nodes.
      zeros: Cells that keep probability 0.

    Returns:
      The calibrated distribution, with its dual values.
    """
    dual = _Dual.of(tree, measurements, total, (kappa, least_ridge), zeros)
    if not measurements:
        return calibrate(tree, dual.base)
    start = np.concatenate([_start(target, warm) for target in measurements])
    theta = _minimise(dual, start, iterations)
    tables = dual.tables.cut(theta)
    duals = {target.nodes: table for target, table in zip(measurements, tables, strict=True)}
    return replace(calibrate(tree, dual.potentials(theta)), duals=duals)


def _start(target: TableTarget, warm: Calibrated | None) -> FloatArray:
    """Dual values of an earlier fit; without any, those of independence; else 0."""
    known = None if warm is None else warm.duals.get(target.nodes)
    if known is not None and known.shape == target.noisy.shape:
        return known.ravel()
    if warm is None and len(target.nodes) == 1:
        counts = np.maximum(target.noisy, 0.5)
        return np.asarray(np.log(counts / counts.sum()).ravel())
    return np.zeros(target.noisy.size)


def _minimise(dual: "_Dual", start: FloatArray, iterations: int) -> FloatArray:
    """L-BFGS in coordinates in which the curvature is near 1."""
    counts = np.clip(dual.noisy, 0.0, dual.total)
    scale = np.sqrt(dual.ridge + counts * (1 - counts / dual.total) + LEAST_CURVATURE)

    def scaled(point: FloatArray) -> tuple[float, FloatArray]:
        value, gradient = dual.value_and_gradient(point / scale)
        return value, gradient / scale

    return np.asarray(minimise(scaled, start * scale, iterations=iterations) / scale)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Dual:
    """The function to minimise.

    Attributes:
      tree: The junction tree.
      tables: Where the targets sit in the cliques.
      noisy: All targets' cells, in a row.
      ridge: kappa times the variance of each cell, or the least.
      total: Number of persons.
      base: Log potentials before any target: 0, or -inf for a structural zero.
    """

    tree: JunctionTree
    tables: CliqueTables
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
        ridge: tuple[float, float],
        zeros: Sequence[StructuralZeros],
    ) -> "_Dual":
        """Places every target in its clique; `ridge` is (kappa, least_ridge)."""
        kappa, least = ridge
        ridges = [np.broadcast_to(kappa * np.asarray(t.variance), t.noisy.shape).ravel() for t in targets]
        return cls(
            tree=tree,
            tables=CliqueTables.of(tree, [target.nodes for target in targets]),
            noisy=np.concatenate([np.zeros(0), *(target.noisy.ravel() for target in targets)]),
            ridge=np.maximum(np.concatenate([np.zeros(0), *ridges]), least),
            total=total,
            base=_base(tree, zeros),
        )

    def potentials(self, theta: FloatArray) -> list[FloatArray]:
        """Log potentials of the cliques."""
        found = [table.copy() for table in self.base]
        self.tables.add(theta, found)
        return found

    def value_and_gradient(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """The dual and its gradient at theta."""
        work = self._work
        for table, base in zip(work, self.base, strict=True):
            np.copyto(table, base)
        self.tables.add(theta, work)
        log_partition = propagate(self.tree, work)
        pull = self.ridge * theta
        value = self.total * log_partition - dot(theta, self.noisy) + 0.5 * dot(pull, theta)
        return value, self.total * self.tables.sums(work) - self.noisy + pull

    @cached_property
    def _work(self) -> list[FloatArray]:
        return [np.empty(shape) for shape in self.tree.shapes]


def _base(tree: JunctionTree, zeros: Sequence[StructuralZeros]) -> tuple[FloatArray, ...]:
    """Log potentials that hold the structural zeros and nothing else."""
    tables = [np.zeros(shape) for shape in tree.shapes]
    for zero in zeros:
        clique = tree.home(zero.nodes)
        if clique is None:
            raise ValueError("structural zeros lie outside every clique: build the tree with their nodes")
        embedding = tree.embedding(tree.cliques[clique], zero.nodes)
        tables[clique] += embedding.spread(np.where(zero.allowed, 0.0, -np.inf))
    return tuple(tables)
