"""A reward for records: how much more often than the model the real table holds what they are, told by noisy counts.

    reference   a large draw of the fitted model, edited towards its pair targets: what pairs can say
    candidates  sets of three columns that depend on each other in it, at coarse levels that noise lets be read
    scores      noisy distances of the real tables from the reference's choose a few
    tables      what these hold beyond their pairs, noisy; of the difference from the reference's, each cell keeps
                what noise and chance do not explain
    weights     the reference is raked to these tables: one factor a cell, the reward of a record their product

So the reward is a density ratio between the real table and the model, estimated from a few noised tables, log-linear
in indicators of their cells: the discriminator of Ghalebikesabi et al. (2022), arXiv:2108.10934, in closed form.
Only the ledger sees rows; all else is a deterministic function of noisy values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Clique, IntArray, Level
from medsynth.encoding.records import Records
from medsynth.models.graphical import GraphicalModel
from medsynth.models.levels import Chain
from medsynth.models.reward_tables import Reward, RewardTable, cells_of
from medsynth.models.selection import poisson_distance
from medsynth.models.survey import LARGEST_REFERENCE
from medsynth.privacy.interactions import centred, shrinkage
from medsynth.privacy.measurement import sensitivities

if TYPE_CHECKING:
    from medsynth.privacy import Ledger, Measurement

FloatArray = npt.NDArray[np.float64]

REWARD = "Reward: "
"""What its ledger entries begin with."""

REWARD_SHARE = 0.1
"""Part of mu^2 for the reward where one is asked for."""

SCORE_PART = 0.2
"""Part of that for the distances that choose tables."""

TABLES = 8
SCORED = 60
"""Tables measured, and candidates whose distance is asked for: the noise on one distance grows with their root."""

REFERENCE_ROWS = 50_000
SEED = 20_220
"""Of the reference draw: public, so that equal noise gives equal models."""

READABLE = 4.0
"""Persons per cell, in units of the noise, at which a level is still read."""

LEAST_GROUPS, MOST_GROUPS = 2, 8
LEAST_RATIO, MOST_RATIO = 0.5, 2.0
"""A cell's share is corrected by no more than these factors."""

RAKINGS = 10


def rewarded(model: GraphicalModel, records: Records, ledger: "Ledger", *, mu: float) -> GraphicalModel:
    """The model with a reward that costs at most `mu`; as it was where it has no three columns that vary.

    Args:
      model: Fitted.
      records: The private rows, for the ledger alone.
      ledger: Adds the noise and books it.
      mu: Gaussian privacy budget.
    """
    parts = (sqrt(SCORE_PART) * mu, sqrt(1 - SCORE_PART) * mu)
    levels = [_level(chain, _groups(model.total, parts[1])) for chain in model.chains]
    rows = model.sample(REFERENCE_ROWS, np.random.default_rng(SEED))
    candidates = _candidates(levels, rows)
    if not candidates:
        return model
    reference = _Reference(rows=rows, model=model)
    scores: tuple[int, ...] = ()
    if len(candidates) > TABLES:
        candidates, entry = _chosen(candidates, reference, records, ledger, parts[0])
        scores = (entry,)
    else:
        parts = (0.0, mu)
    moved = sensitivities(records, candidates, interactions=True)
    sigma = sqrt(sum(each**2 for each in moved)) / parts[1]
    label = f"{REWARD}{len(candidates)} tables of three columns"
    found = ledger.measure(records, candidates, [sigma] * len(candidates), label=label, interactions=True)
    return replace(model, reward=Reward(tables=_raked(found, reference), scores=scores))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Reference:
    """A large draw of the model."""

    rows: IntArray
    model: GraphicalModel

    def cells(self, clique: Clique) -> npt.NDArray[np.intp]:
        """Cell of every row."""
        return cells_of(clique, self.rows, self.model.domain)

    def persons(self, clique: Clique) -> FloatArray:
        """What the model expects of a table, in persons."""
        shape = tuple(level.size for level in clique)
        counts = np.bincount(self.cells(clique), minlength=int(np.prod(shape))).reshape(shape)
        return np.asarray(np.minimum(self.model.total / len(self.rows) * counts, LARGEST_REFERENCE))


def _groups(total: float, mu: float) -> int:
    """Groups of a column in a table of three that its noise lets be read."""
    readable = (total * mu / (READABLE * sqrt(TABLES))) ** (1 / 3)
    return int(np.clip(readable, LEAST_GROUPS, MOST_GROUPS))


def _level(chain: Chain, most: int) -> Level | None:
    """The finest level of at most so many groups; None where two groups are too fine."""
    fit = [level for level in chain.levels if LEAST_GROUPS <= level.size <= max(most, LEAST_GROUPS)]
    return fit[-1] if fit else None


def _candidates(levels: Sequence[Level | None], rows: IntArray) -> list[Clique]:
    """Sets of three columns in which two pairs at least depend, the most dependent first; post-processing."""
    told = {k: level.groups[rows[:, k]] for k, level in enumerate(levels) if level is not None}
    sizes = {k: level.size for k, level in enumerate(levels) if level is not None}
    strength = {(i, j): _dependence(told[i], told[j], sizes[i], sizes[j]) for i, j in combinations(told, 2)}
    triples = list(combinations(told, 3))
    pairs = [sorted(strength[pair] for pair in combinations(triple, 2)) for triple in triples]
    order = np.argsort([-(weak + middle) for weak, middle, _ in pairs], kind="stable")[:SCORED]
    return [tuple(level for k in triples[place] if (level := levels[k]) is not None) for place in order]


def _dependence(first: IntArray, second: IntArray, rows: int, columns: int) -> float:
    """Total variation between a table of pairs and independence."""
    table = np.bincount(first.astype(np.intp) * columns + second, minlength=rows * columns).reshape(rows, columns)
    table = table / max(table.sum(), 1)
    return 0.5 * float(np.abs(table - np.outer(table.sum(axis=1), table.sum(axis=0))).sum())


def _chosen(
    candidates: Sequence[Clique], reference: _Reference, records: Records, ledger: "Ledger", mu: float
) -> tuple[list[Clique], int]:
    """Candidates furthest from what the model expects, beyond chance; and the entry that paid for the scores."""
    expected = [reference.persons(clique) for clique in candidates]
    sigma = sqrt(len(candidates)) * _persons(records) / mu
    label = f"{REWARD}scores of {len(candidates)} tables"
    distances, entry = ledger.distances(records, candidates, expected, sigma, label=label)
    beyond = distances - [poisson_distance(table) for table in expected]
    order = np.argsort(-beyond, kind="stable")[:TABLES]
    return [candidates[place] for place in order], entry


def _persons(records: Records) -> float:
    """Sensitivity of one table, in persons."""
    return sensitivities(records, [()], interactions=False)[0]


def _raked(found: "Sequence[Measurement]", reference: _Reference) -> tuple[RewardTable, ...]:
    """Factors of the cells: the reference, weighed by them, has the corrected tables."""
    cells = [reference.cells(measured.clique) for measured in found]
    wanted = []
    for measured in found:
        persons = reference.persons(measured.clique)
        corrected = persons * corrections(persons, measured.noisy, measured.sigma)
        wanted.append(corrected / max(float(corrected.sum()), 1e-300))
    weights, factors = np.ones(len(reference.rows)), [np.ones(table.size) for table in wanted]
    for _ in range(RAKINGS):
        for place, table in enumerate(wanted):
            have = np.bincount(cells[place], weights, table.size) / weights.sum()
            factor = np.divide(table.ravel(), have, out=np.ones(table.size), where=(have > 0) & (table.ravel() > 0))
            factors[place] *= factor
            weights *= factor[cells[place]]
    return tuple(
        RewardTable(measurement=measured, share=share, log_weights=np.log(factor).reshape(share.shape))
        for measured, share, factor in zip(found, wanted, factors, strict=True)
    )


def corrections(persons: FloatArray, noisy: FloatArray, sigma: float) -> FloatArray:
    """How far each cell is believed to lie from what the model expects, as a factor near 1.

    The relative difference of a cell is taken as normal with a variance that all cells of the table share, seen
    through noise of `sigma` and the chance of who was sampled; each cell keeps its mean given what was seen.

    Args:
      persons: What the model expects of the table.
      noisy: Noisy interactions of the real table.
      sigma: Of the noise, before the projection on interactions.
    """
    kept = shrinkage(persons.shape) ** 2
    seen = centred(noisy) - centred(persons)
    disturbed = kept * (sigma**2 + persons)
    variance = max(float((seen**2 - disturbed).sum()), 0.0) / max(float((persons**2).sum()), 1e-300)
    believed = variance * persons * seen / np.maximum(variance * persons**2 + disturbed, 1e-300)
    return np.clip(1.0 + believed, LEAST_RATIO, MOST_RATIO)
