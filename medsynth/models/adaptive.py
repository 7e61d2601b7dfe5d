"""The flagship: selects, measures and estimates at noise-matched levels, then targets every pair.

Steps, in the order they happen (research recipe, steps 1 to 8):
    one-ways   measured and denoised            -> mass of every cell, total
    levels     nested, from that mass           -> chains
    round 1    noisy scores, chosen pairs that fit a tree, measured, fitted
    round 2    scores against the tree, every pair still worth measuring, whether or not the tree can hold it
    refit      the tree takes what it can of round 2
    targets    all pair tables: the tree's, corrected by every measured pair

Only the ledger sees rows. All that follows a measurement is a deterministic function of noisy values and public facts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Clique, Domain, Level
from medsynth.encoding.records import Records
from medsynth.models.calibration import Calibrated
from medsynth.models.denoising import denoise_one_way
from medsynth.models.estimation import TableTarget, fit_potentials
from medsynth.models.junction_tree import JunctionTree, Node
from medsynth.models.levels import Chain, nested_chain
from medsynth.models.selection import (
    Choice,
    Plan,
    Resolutions,
    all_pairs,
    at,
    finest_readable,
    plan_pairs,
    poisson_distance,
    shrink_scores,
    split_noise,
    without_chance,
)
from medsynth.models.targets import PairTable, aggregate, pair_targets, refine
from medsynth.models.triangulation import tree_cells
from medsynth.progress import Progress, Silent

FloatArray = npt.NDArray[np.float64]


UNITS_PER_PERSON = 2**20

@dataclass(frozen=True, kw_only=True)
class Phases:
    """How mu^2 is split, fixed before the first look at the data.

    Attributes:
      one_ways: For the one-way tables.
      scores: For the distances, per round.
      rounds: For the pair tables, per round.
    """

    one_ways: float
    scores: tuple[float, float]
    rounds: tuple[float, float]



@dataclass(frozen=True, kw_only=True, eq=False)
class OneWays:
    """What the one-way tables say: noisy mass of every cell.

    Attributes:
      masses: Denoised, nonnegative, each summing to `total`; per attribute.
      sigmas: Noise of a cell, per attribute; 0 for an attribute of one cell.
      total: Persons, at least 1.
    """

    masses: tuple[FloatArray, ...]
    sigmas: tuple[float, ...]
    total: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Counter:
    """The only way to the rows: noisy tables and noisy distances, each for a stated part of mu^2."""

    records: Records
    ledger: object

    @property
    def unit(self) -> float:
        """Sensitivity of one table, in persons."""
        return self.records.l2 / UNITS_PER_PERSON

    def tables(self, cliques: Sequence[Clique], costs: Sequence[float] | FloatArray, budget: float, label: str):
        """Measures a batch; noise is split by cost^(2/3)."""
        sigmas = self.unit * split_noise(costs, budget)
        return self.ledger.measure(self.records, cliques, [float(s) for s in sigmas], label=label)

    def distances(self, cliques, references, budget: float, label: str) -> tuple[FloatArray, float]:
        """Noisy L1 distances to fixed tables, and the standard deviation of their noise."""
        sigma = self.unit * float(np.sqrt(len(cliques) / budget))
        scores, _ = self.ledger.distances(self.records, cliques, references, sigma, label=label)
        return np.asarray(scores), sigma


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """Public settings of the model; every default is a constant of the recipe unless its comment says otherwise."""

    one_way_share: float = 0.25
    one_way_signal: float = 18.0
    one_way_power: float = 0.4
    one_way_least: float = 0.1
    one_way_most: float = 0.6
    score_share: float = 0.08
    first_round_share: float = 0.4
    score_tables: int = 30
    score_cap: float = 2.0
    score_readable: float = 0.35
    noise_most: float = 0.7
    noise_signal: float = 4.5
    tree_pairs_per_column: float = 1.2
    tree_cells: int = 200_000
    kappa: float = 0.003
    iterations: int = 200
    iterations_strong: int = 600
    strong_signal: float = 45.0
    rescale: bool = True
    blend_first: bool = True
    scaled: bool = True

    def fit(self, records, ledger, *, persons: int, mu: float, progress: Progress = Silent()):
        counter = Counter(records=records, ledger=ledger)
        domain = records.domain
        phases = self.phases(domain, persons, mu)
        signal = self.signal(domain, persons, mu)
        measurements = []
        one_ways = self._one_ways(counter, phases.one_ways, measurements)
        chains = tuple(nested_chain(a, m) for a, m in zip(domain.attributes, one_ways.masses))
        levels = Resolutions(chains=chains, masses=one_ways.masses, total=one_ways.total)
        pairs = all_pairs(chains)
        weight = min(self.noise_most, self.noise_signal / signal)
        iterations = self.iterations_strong if signal >= self.strong_signal else self.iterations
        tables: list[PairTable] = []
        cliques: list[tuple[Node, ...]] = []
        fitted = None
        if pairs:
            expected = {(i, j): np.outer(levels.shares[levels.first[i] + levels.counts[i] - 1], levels.shares[levels.first[j] + levels.counts[j] - 1]) * one_ways.total for i, j in pairs}
            dep = self._dependence(counter, levels, one_ways, pairs, expected, phases, 0)
            plan = plan_pairs(levels, pairs, dep, sigma_of_one=counter.unit / np.sqrt(phases.rounds[0]), noise_weight=weight, most=int(np.ceil(self.tree_pairs_per_column * len(domain))))
            chosen, cliques = self._within_tree(chains, plan.choices, [])
            if chosen:
                cost = levels.cost(0.8 * plan.sigma)
                tables = self._pairs(counter, chains, chosen, [cost[at(levels, c)] for c in chosen], phases.rounds[0], "round 1", measurements)
        fitted = self._fit_tree(chains, cliques, tables, one_ways, None, iterations)
        if pairs:
            expected = tree_pairs(fitted, chains, one_ways, pairs)
            dep = self._dependence(counter, levels, one_ways, pairs, expected, phases, 1)
            plan = plan_pairs(levels, pairs, dep, sigma_of_one=counter.unit / np.sqrt(phases.rounds[1]), noise_weight=weight, most=len(pairs))
            second = []
            if plan.choices:
                second = self._pairs(counter, chains, plan.choices, plan.costs, phases.rounds[1], "round 2", measurements)
                _, cliques = self._within_tree(chains, plan.choices, cliques, coarsen=False)
                fitted = self._fit_tree(chains, cliques, [*tables, *second], one_ways, fitted, iterations)
                expected = tree_pairs(fitted, chains, one_ways, pairs)
            targets = pair_targets(chains, expected, [*(tables if self.blend_first else []), *second])
        else:
            targets = []
        return dict(domain=domain, chains=chains, one_ways=one_ways, fitted=fitted, targets=targets, measurements=measurements, tables=tables, second=second, cliques=cliques, levels=levels)

    def phases(self, domain: Domain, persons: int, mu: float) -> Phases:
        """Splits mu^2 from public facts."""
        signal = self.signal(domain, persons, mu)
        share = self.one_way_share * (self.one_way_signal / signal) ** self.one_way_power
        share = min(max(share, self.one_way_least), self.one_way_most)
        whole = mu**2
        rest = 1 - share - self.score_share
        return Phases(one_ways=share * whole, scores=(self.score_share / 2 * whole,) * 2,
            rounds=(self.first_round_share * rest * whole, (1 - self.first_round_share) * rest * whole))

    def signal(self, domain: Domain, persons: int, mu: float) -> float:
        """Persons per one-way cell in units of the noise the whole budget would buy (u of the recipe)."""
        return mu * max(persons, 1) / max(sum(domain.sizes), 1)

    def _one_ways(self, counter, budget, measurements) -> OneWays:
        domain = counter.records.domain
        cliques = [(Level.finest(a),) for a in domain.attributes]
        found = counter.tables(cliques, domain.sizes, budget, "one-ways")
        measurements.extend(found)
        sigmas = tuple(m.sigma for m in found)
        precision = np.array([1.0 / (m.sigma**2 * m.noisy.size) for m in found])
        total = max(float(sum(p * m.noisy.sum() for p, m in zip(precision, found)) / precision.sum()), 1.0)
        masses = tuple(denoise_one_way(m.noisy, m.sigma, a, total=total) for m, a in zip(found, domain.attributes))
        return OneWays(masses=masses, sigmas=sigmas, total=total)

    def _dependence(self, counter, levels, one_ways, pairs, expected, phases, turn):
        sigma = counter.unit * np.sqrt(self.score_tables / sum(phases.rounds))
        choices = finest_readable(levels, pairs, self.score_cap * sigma, self.score_readable)
        chains = levels.chains
        references = []
        for i, j, a, b in choices:
            ri, rj = chains[i].project(chains[i].working, a), chains[j].project(chains[j].working, b)
            references.append(aggregate(expected[i, j], ri, rj, (chains[i].sizes[a], chains[j].sizes[b])))
        cliques = [(chains[i].levels[a], chains[j].levels[b]) for i, j, a, b in choices]
        scores, noise = counter.distances(cliques, references, phases.scores[turn], f"scores {turn + 1}")
        ginis = np.array([[levels.full_gini[i], levels.full_gini[j]] for i, j in pairs])
        if self.scaled:
            prior = np.sqrt(ginis.prod(axis=1))
        else:
            prior = np.ones(len(pairs))
        scores = shrink_scores(scores, noise, prior, 2 * one_ways.total * ginis.min(axis=1))
        felt = self._felt(levels, one_ways)
        chance = np.array([np.sqrt(poisson_distance(r) ** 2 + felt[at(levels, c)[0]] ** 2 + felt[at(levels, c)[1]] ** 2) for r, c in zip(references, choices)])
        shown = np.array([levels.visible[at(levels, c)[0]] * levels.visible[at(levels, c)[1]] for c in choices])
        dep = without_chance(scores, chance)
        return dep / np.maximum(shown, 1e-3) if self.rescale else dep

    def _felt(self, levels, one_ways):
        out = []
        for chain, mass, sigma in zip(levels.chains, one_ways.masses, one_ways.sigmas):
            for level in chain.levels[: chain.working + 1]:
                cells = np.bincount(level.groups, minlength=level.size)
                m = np.bincount(level.groups, weights=mass, minlength=level.size)
                out.append(np.minimum(0.8 * sigma * np.sqrt(cells), m).sum())
        return np.array(out)

    def _within_tree(self, chains, choices, cliques, coarsen=True):
        cliques = list(cliques); chosen = []
        for i, j, a, b in choices:
            while True:
                nodes = ((i, a), (j, b))
                if tree_cells(chains, [*cliques, nodes], cap=self.tree_cells) is not None:
                    chosen.append((i, j, a, b)); cliques.append(nodes); break
                if not coarsen or (a == 0 and b == 0): break
                if b == 0 or (a > 0 and chains[i].sizes[a] >= chains[j].sizes[b]): a -= 1
                else: b -= 1
        return chosen, cliques

    def _pairs(self, counter, chains, choices, costs, budget, label, measurements):
        cliques = [(chains[i].levels[a], chains[j].levels[b]) for i, j, a, b in choices]
        found = counter.tables(cliques, costs, budget, label)
        measurements.extend(found)
        return [PairTable(i=i, j=j, level_i=a, level_j=b, noisy=m.noisy, sigma=m.sigma) for (i, j, a, b), m in zip(choices, found)]

    def _fit_tree(self, chains, cliques, tables, one_ways, warm, iterations):
        tree = JunctionTree.build(chains, cliques)
        goals = []
        for k, (chain, level) in enumerate(zip(chains, tree.finest)):
            lv = chain.levels[level]
            goals.append(TableTarget(nodes=((k, level),), noisy=np.bincount(lv.groups, weights=one_ways.masses[k], minlength=lv.size),
                variance=one_ways.sigmas[k] ** 2 * np.bincount(lv.groups, minlength=lv.size)))
        merged = {}
        for t in tables:
            nodes = ((t.i, t.level_i), (t.j, t.level_j))
            if not tree.holds(nodes): continue
            p = 1 / t.sigma**2
            if nodes in merged:
                y, q = merged[nodes]; merged[nodes] = ((y * q + t.noisy * p) / (p + q), p + q)
            else: merged[nodes] = (t.noisy, p)
        goals += [TableTarget(nodes=n, noisy=y, variance=1 / p) for n, (y, p) in merged.items()]
        return fit_potentials(tree, goals, one_ways.total, kappa=self.kappa, iterations=iterations, warm=warm)


def tree_pairs(fitted: Calibrated, chains, one_ways, pairs):
    levels = [min(f, c.working) for f, c in zip(fitted.tree.finest, chains)]
    found = fitted.pair_marginals(levels)
    parts = [refine(m, c, l) for m, c, l in zip(one_ways.masses, chains, levels)]
    out = {}
    for i, j in pairs:
        (gi, si), (gj, sj) = parts[i], parts[j]
        out[i, j] = found[i, j][gi][:, gj] * (si[:, None] * sj * one_ways.total)
    return out
