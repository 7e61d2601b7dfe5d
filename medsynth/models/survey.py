"""What a round of `adaptive` works with: rows behind their ledger, scores of pairs, the tree of all
that was measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.records import Records
from medsynth.models.calibration import Calibrated, calibrate
from medsynth.models.estimation import StructuralZeros, TableTarget, fit_potentials
from medsynth.models.impossible import ImpossiblePair, structural_zeros
from medsynth.models.junction_tree import JunctionTree, Node
from medsynth.models.levels import Chain
from medsynth.models.one_ways import OneWays
from medsynth.models.pair_tables import PairTable, clique_of, measure_pairs
from medsynth.models.selection import (
    MEAN_ABSOLUTE_NORMAL,
    Choice,
    Pair,
    Resolutions,
    all_pairs,
    finest_readable,
    poisson_distance,
    shrink_scores,
    without_chance,
)
from medsynth.models.targets import aggregate
from medsynth.models.triangulation import tree_cells
from medsynth.models.workload import NEEDED
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

if TYPE_CHECKING:
    from medsynth.privacy import Ledger, Measurement

FloatArray = npt.NDArray[np.float64]

LARGEST_REFERENCE = 2.0**39
"""Noisy masses beyond this (a population of 5e11) are cut before the ledger compares rows with
them.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Survey:
    """Rows behind their ledger, and all that is known of them before any pair.

    Attributes:
      records: The private rows, for the ledger alone.
      ledger: Measures.
      one_ways: Noisy one-way tables.
      chains: Nested levels of each attribute.
      zeros: What rules forbid, for every tree of this survey to hold.
      weights: (attributes, attributes), how much every pair counts; None if all count alike.
    """

    records: Records
    ledger: "Ledger"
    one_ways: OneWays
    chains: tuple[Chain, ...]
    zeros: tuple[StructuralZeros, ...] = ()
    weights: FloatArray | None = None

    @property
    def unit(self) -> float:
        """Sensitivity of one table, in persons."""
        return self.records.l2 / UNITS_PER_PERSON

    @cached_property
    def resolutions(self) -> Resolutions:
        """All levels of all attributes."""
        return Resolutions(chains=self.chains, masses=self.one_ways.masses, total=self.one_ways.total)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Pairs that can depend on each other."""
        return all_pairs(self.chains)

    @cached_property
    def pair_weights(self) -> FloatArray:
        """How much each of `pairs` counts, (pairs,), mean 1."""
        if self.weights is None or not self.pairs:
            return np.ones(len(self.pairs))
        # Public, and told before anything is spent: `Adaptive.fit` refuses others.
        found = self.weights[tuple(np.array(self.pairs).T)]
        return np.asarray(found / found.mean())

    @property
    def needed(self) -> list[bool]:
        """Which of `pairs` a declared estimate rests on: they are measured whatever their scores say."""
        return [self.weights is not None and bool(self.weights[pair] >= NEEDED) for pair in self.pairs]

    @cached_property
    def one_way_error(self) -> FloatArray:
        """L1 error that one-way noise leaves at every segment of `resolutions`, in persons."""
        errors = []
        for attribute, chain in enumerate(self.chains):
            for level in chain.levels[: chain.working + 1]:
                noise = np.sqrt(self.one_ways.variances(attribute, level))
                known = self.one_ways.sums(attribute, level)
                errors.append(float(np.minimum(MEAN_ABSOLUTE_NORMAL * noise, known).sum()))
        return np.array(errors)

    def measure(
        self,
        choices: Sequence[Choice],
        costs: Sequence[float] | FloatArray,
        mu2: float,
        *,
        label: str,
    ) -> "tuple[list[Measurement], list[PairTable]]":
        """Spends mu2 on pairs, more on those whose noise costs more."""
        return measure_pairs(self.records, self.ledger, self.chains, self.one_ways, choices, costs, mu2, label=label)

    def readable(self, mu2: float, *, tables: int, cap: float, share: float) -> list[Choice]:
        """Levels at which a table of each pair would be read, if mu2 were spent on this many
        tables.
        """
        sigma = self.unit * float(np.sqrt(tables / mu2))
        return finest_readable(self.resolutions, self.pairs, cap * sigma, share)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Estimated dependence of every pair.

    Attributes:
      dependence: L1 distance in persons at full resolution that neither noise nor chance explains,
        per pair.
      entry: Number of the ledger entry.
    """

    dependence: FloatArray
    entry: int


def score_pairs(
    survey: Survey,
    choices: Sequence[Choice],
    expected: Mapping[Pair, FloatArray],
    mu2: float,
    *,
    label: str,
) -> Scores:
    """Spends mu2 on how far every pair lies from what is expected.

    Args:
      survey: Rows and what is known of them.
      choices: Every pair of the survey, in its order, at the levels to compare at.
      expected: Expected persons of every pair at the working levels.
      mu2: Budget.
      label: What is released, in words.

    Returns:
      Dependence, shrunk and without what chance alone would show.

    Source: recipe, step 3; part two, section B.
    """
    references = [_coarse(survey.chains, expected, choice) for choice in choices]
    cliques = [clique_of(survey.chains, choice) for choice in choices]
    sigma = survey.unit * float(np.sqrt(len(choices) / mu2))
    noisy, entry = survey.ledger.distances(survey.records, cliques, references, sigma, label=label)
    levels = survey.resolutions
    ginis = levels.full_gini[np.array(survey.pairs)]
    ceiling = 2 * survey.one_ways.total * ginis.min(axis=1)
    scores = shrink_scores(noisy, sigma, np.sqrt(ginis.prod(axis=1)), ceiling)
    at = np.array([levels.segments(choice) for choice in choices])
    poisson = np.array([poisson_distance(reference) for reference in references])
    chance = np.hypot(poisson, np.hypot(*survey.one_way_error[at].T))
    return Scores(dependence=without_chance(scores, chance), entry=entry)


def one_way_gain(survey: Survey, factor: float) -> float:
    """How much L1 error, in persons and over all pairs, less noise on the one-ways would take away.

    Args:
      survey: One-ways as they are.
      factor: What would be left of the deviation of their noise.
    """
    gain = 0.0
    for mass, deviation in zip(survey.one_ways.masses, survey.one_ways.deviations, strict=True):
        if len(mass) > 1:
            noise = MEAN_ABSOLUTE_NORMAL * deviation
            gain += float((np.minimum(noise, mass) - np.minimum(factor * noise, mass)).sum())
    return gain * (sum(len(mass) > 1 for mass in survey.one_ways.masses) - 1)


def _coarse(chains: Sequence[Chain], expected: Mapping[Pair, FloatArray], choice: Choice) -> FloatArray:
    i, j, level_i, level_j = choice
    rows = chains[i].project(chains[i].working, level_i)
    columns = chains[j].project(chains[j].working, level_j)
    shape = (chains[i].sizes[level_i], chains[j].sizes[level_j])
    return np.clip(aggregate(expected[i, j], rows, columns, shape), 0.0, LARGEST_REFERENCE)


def nodes_of(choice: Choice) -> tuple[Node, Node]:
    """The tree nodes of a pair at levels."""
    i, j, level_i, level_j = choice
    return (i, level_i), (j, level_j)


def zeros_within_tree(
    chains: Sequence[Chain], impossible: Sequence[ImpossiblePair], *, cap: int
) -> tuple[StructuralZeros, ...]:
    """Those zeros, in order, with which a tree of nothing else stays within a number of cells; none
    if together they leave no cell.
    """
    held: list[StructuralZeros] = []
    for zero in structural_zeros(chains, impossible):
        cliques = [each.nodes for each in (*held, zero)]
        if tree_cells(chains, cliques, cap=cap) is not None:
            held.append(zero)
    tree = JunctionTree.build(chains, [zero.nodes for zero in held])
    possible = fit_potentials(tree, [], 1.0, zeros=held).log_partition > -np.inf
    return tuple(held) if possible else ()


def within_tree(
    survey: Survey,
    choices: Sequence[Choice],
    held: Sequence[tuple[Node, ...]],
    *,
    cap: int,
    coarsen: bool,
) -> list[Choice]:
    """Those choices, in order, with which the tree stays within a number of cells.

    Args:
      survey: Levels of each attribute, and the zeros that the tree holds first.
      choices: Candidates by falling gain.
      held: Cliques the tree holds already.
      cap: Most cells.
      coarsen: Whether a pair may enter at coarser levels if it does not fit at its own.
    """
    chains = survey.chains
    cliques, chosen = [*(zero.nodes for zero in survey.zeros), *held], []
    for candidate in choices:
        choice: Choice | None = candidate
        while choice and tree_cells(chains, [*cliques, nodes_of(choice)], cap=cap) is None:
            choice = _coarser(chains, choice) if coarsen else None
        if choice:
            cliques.append(nodes_of(choice))
            chosen.append(choice)
    return chosen


def _coarser(chains: Sequence[Chain], choice: Choice) -> Choice | None:
    """The choice with its larger level one step coarser; None if there is none."""
    i, j, level_i, level_j = choice
    larger_is_i = chains[i].sizes[level_i] >= chains[j].sizes[level_j]
    if level_i and (larger_is_i or not level_j):
        return i, j, level_i - 1, level_j
    return (i, j, level_i, level_j - 1) if level_j else None


def fit_tree(
    survey: Survey,
    cliques: Sequence[tuple[Node, ...]],
    tables: Sequence[PairTable],
    *,
    kappa: float,
    least_ridge: float,
    iterations: int,
    warm: Calibrated | None = None,
) -> Calibrated:
    """Fits the tree of these cliques and the zeros to the one-ways and to every pair table it
    holds.

    Source: recipe, steps 5 and 7.
    """
    tree = JunctionTree.build(survey.chains, [*(zero.nodes for zero in survey.zeros), *cliques])
    targets = [*one_way_targets(tree, survey.one_ways), *_merged_tables(tree, tables)]
    total = survey.one_ways.total
    return fit_potentials(
        tree,
        targets,
        total,
        kappa=kappa,
        least_ridge=least_ridge,
        iterations=iterations,
        warm=warm,
        zeros=survey.zeros,
    )


def independent_tree(chains: Sequence[Chain], one_ways: OneWays) -> Calibrated:
    """The tree without pairs: every attribute by its one-way shares."""
    tree = JunctionTree.build(chains, [])
    with np.errstate(divide="ignore"):
        logs = [np.log(share) for share in one_ways.shares]
    return calibrate(tree, [logs[clique[0][0]] for clique in tree.cliques])


def one_way_targets(tree: JunctionTree, one_ways: OneWays) -> list[TableTarget]:
    """Denoised one-ways at the finest level of each attribute in the tree."""
    targets = []
    for attribute, position in enumerate(tree.finest):
        level = tree.chains[attribute].levels[position]
        targets.append(
            TableTarget(
                nodes=((attribute, position),),
                noisy=one_ways.sums(attribute, level),
                variance=one_ways.variances(attribute, level),
            )
        )
    return targets


def _merged_tables(tree: JunctionTree, tables: Sequence[PairTable]) -> list[TableTarget]:
    """Tables the tree holds; those over the same levels become one, weighted by precision."""
    sums: dict[tuple[Node, ...], tuple[FloatArray, float]] = {}
    for table in tables:
        nodes = nodes_of(table.choice)
        if tree.holds(nodes):
            weighted, precision = sums.get(nodes, (np.zeros_like(table.noisy), 0.0))
            weight = 1.0 / table.sigma**2
            sums[nodes] = (weighted + weight * table.noisy, precision + weight)
    return [
        TableTarget(nodes=nodes, noisy=weighted / precision, variance=1.0 / precision)
        for nodes, (weighted, precision) in sums.items()
    ]
