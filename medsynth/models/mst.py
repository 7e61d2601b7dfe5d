"""The honest simple model: pairs of a maximum spanning tree of noisy scores, at readable levels."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb, prod, sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Domain
from medsynth.encoding.records import Records
from medsynth.models.base import RareTarget, Spending
from medsynth.models.estimation import TableTarget, fit_potentials
from medsynth.models.graphical import GraphicalModel
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain, nested_chain
from medsynth.models.one_ways import OneWays, measure_one_ways, one_way_spending
from medsynth.models.pair_tables import PairTable, clique_of, measure_pairs
from medsynth.models.selection import (
    MEAN_ABSOLUTE_NORMAL,
    Choice,
    Resolutions,
    all_pairs,
    finest_readable,
)
from medsynth.models.survey import one_way_targets
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.progress import Progress, Silent

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.privacy import Ledger

FloatArray = npt.NDArray[np.float64]

READABLE = 0.35
"""Levels are such that a table's noise stays within this share of the persons (recipe, step 3)."""


@dataclass(frozen=True, kw_only=True)
class MST:
    """Maximum spanning tree.

    Attributes:
      one_way_share: Part of mu^2 for the one-way tables.
      score_share: Part of mu^2 for the scores that choose the pairs; the rest measures them.
      kappa: How much of a table's noise the fit forgives; larger than in `adaptive`, so that few
        iterations do.
      iterations: Limit of the fit.

    Source: McKenna, Miklau and Sheldon (2021), arXiv:2108.04978; levels and estimation as in
      `adaptive`.
    """

    one_way_share: float = 0.3
    score_share: float = 0.1
    kappa: float = 0.03
    iterations: int = 30

    def fit(
        self,
        records: Records,
        ledger: "Ledger",
        *,
        persons: int,  # noqa: ARG002 - the seam of all models
        mu: float,
        progress: Progress | None = None,
        impossible: "Sequence[Condition]" = (),  # noqa: ARG002 - left to the repair of drawn rows
        weights: FloatArray | None = None,  # noqa: ARG002 - a spanning tree has no room to choose
        rare: Sequence[RareTarget] = (),  # noqa: ARG002 - what it says of them is what its tree says
    ) -> GraphicalModel:
        """Fits the model; see `Model`. Knows no rules: `impossible` is ignored."""
        progress = progress or Silent()
        progress.start("One-way tables")
        one_ways = measure_one_ways(records, ledger, mu2=self.one_way_share * mu**2)
        chains = tuple(map(nested_chain, records.domain.attributes, one_ways.masses))
        progress.start("Pairs")
        pair_mu2 = (1 - self.one_way_share - self.score_share) * mu**2
        choices, entries = _choose(
            records, ledger, one_ways, chains, score_mu2=self.score_share * mu**2, pair_mu2=pair_mu2
        )
        cells = [chains[i].sizes[level_i] * chains[j].sizes[level_j] for i, j, level_i, level_j in choices]
        pairs, tables = measure_pairs(records, ledger, chains, one_ways, choices, cells, pair_mu2, label="Pair tables")
        progress.start("Estimation")
        tree = JunctionTree.build(chains, [_nodes(choice) for choice in choices])
        targets = [*one_way_targets(tree, one_ways), *map(_pair_target, tables)]
        calibrated = fit_potentials(tree, targets, one_ways.total, kappa=self.kappa, iterations=self.iterations)
        progress.finish()
        return GraphicalModel(
            domain=records.domain,
            chains=chains,
            one_ways=one_ways.shares,
            calibrated=calibrated,
            total=one_ways.total,
            measurements=(*one_ways.published, *pairs),
            scores=entries,
            model="mst",
            settings=asdict(self),
        )

    def spending(
        self,
        domain: Domain,
        *,
        persons: int,
        mu: float,
        rare: Sequence[RareTarget] = (),  # noqa: ARG002 - not measured
    ) -> tuple[Spending, ...]:
        """Forecasts the budget; see `Model`."""
        first = one_way_spending(domain, share=self.one_way_share, mu=mu)
        varied = [size for size in domain.sizes if size > 1]
        pairs, chosen = comb(len(varied), 2), len(varied) - 1
        if chosen < 1:
            return (first,)
        rest = 1 - self.one_way_share - self.score_share
        sigma = sqrt(chosen / rest) / mu
        readable = READABLE * persons / (MEAN_ABSOLUTE_NORMAL * sigma)
        largest = prod(sorted(varied)[-2:])
        return (
            first,
            Spending(
                label="Pair scores",
                share=self.score_share,
                tables=pairs,
                cells=pairs,
                sigma=sqrt(pairs / self.score_share) / mu,
            ),
            Spending(
                label="Pair tables",
                share=rest,
                tables=chosen,
                cells=chosen * int(max(1, min(readable, largest))),
                sigma=sigma,
            ),
        )


def _choose(
    records: Records,
    ledger: "Ledger",
    one_ways: OneWays,
    chains: tuple[Chain, ...],
    *,
    score_mu2: float,
    pair_mu2: float,
) -> tuple[list[Choice], tuple[int, ...]]:
    """(pairs of the maximum spanning tree of noisy distances, ledger entries of the scores)."""
    candidates = all_pairs(chains)
    if not candidates:
        return [], ()
    sensitivity = records.l2 / UNITS_PER_PERSON
    resolutions = Resolutions(chains=chains, masses=one_ways.masses, total=one_ways.total)
    noise = MEAN_ABSOLUTE_NORMAL * sensitivity * sqrt(len(chains) / pair_mu2)
    choices = finest_readable(resolutions, candidates, noise, READABLE)
    references = [_independent(chains, one_ways, choice) for choice in choices]
    sigma = sensitivity * sqrt(len(choices) / score_mu2)
    cliques = [clique_of(chains, choice) for choice in choices]
    scores, entry = ledger.distances(records, cliques, references, sigma, label="Pair scores")
    return [choices[k] for k in _spanning_tree(candidates, scores)], (entry,)


def _independent(chains: Sequence[Chain], one_ways: OneWays, choice: Choice) -> FloatArray:
    """Expected persons of a pair's groups if its attributes were independent."""
    i, j, level_i, level_j = choice
    rows, columns = chains[i].levels[level_i], chains[j].levels[level_j]
    mass_i = np.bincount(rows.groups, one_ways.masses[i], rows.size)
    mass_j = np.bincount(columns.groups, one_ways.masses[j], columns.size)
    return np.outer(mass_i, mass_j) / one_ways.total


def _spanning_tree(pairs: Sequence[tuple[int, int]], scores: FloatArray) -> list[int]:
    """Positions of the pairs of a maximum spanning tree; equal scores by position (Kruskal).

    >>> _spanning_tree([(0, 1), (0, 2), (1, 2)], np.array([1.0, 3.0, 2.0]))
    [1, 2]
    """
    component = {attribute: attribute for pair in pairs for attribute in pair}
    chosen = []
    for k in np.argsort(-scores, kind="stable").tolist():
        first, second = (component[attribute] for attribute in pairs[k])
        if first != second:
            chosen.append(k)
            component = {a: first if c == second else c for a, c in component.items()}
    return chosen


def _pair_target(table: PairTable) -> TableTarget:
    return TableTarget(nodes=_nodes(table.choice), noisy=table.noisy, variance=table.sigma**2)


def _nodes(choice: Choice) -> tuple[tuple[int, int], tuple[int, int]]:
    i, j, level_i, level_j = choice
    return (i, level_i), (j, level_j)
