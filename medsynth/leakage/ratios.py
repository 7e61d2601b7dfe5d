"""Membership from marginals: where released shares exceed the population's, members are likelier.

On models that measure marginals these are the strongest black-box attacks known, because they look exactly where the
model looked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison, MeasuredTable
from medsynth.encoding.domain import Attribute, IntArray
from medsynth.leakage.distance import FloatArray
from medsynth.leakage.targets import Rows
from medsynth.privacy.interactions import centred

MOST_TABLES = 300
PSEUDO_COUNT = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Which columns and groups a marginal is made of."""

    positions: tuple[int, ...]
    groups: tuple[IntArray, ...]
    shape: tuple[int, ...]

    def cells(self, codes: IntArray) -> npt.NDArray[np.intp]:
        """Row-major cell of each row (n, d)."""
        cell = np.zeros(len(codes), dtype=np.intp)
        for position, groups, size in zip(self.positions, self.groups, self.shape, strict=True):
            cell = cell * size + groups[codes[:, position]]
        return cell

    def counts(self, codes: IntArray, weights: FloatArray) -> FloatArray:
        """Weighted counts, flat."""
        cells = int(np.prod(self.shape))
        return np.bincount(self.cells(codes), weights, minlength=cells).astype(np.float64)


def known_marginal_ratio(
    comparison: Comparison, rows: IntArray, reference: Rows, rng: np.random.Generator
) -> FloatArray:
    """Sum over the measured tables of log(released share / reference share) of each row's cell.

    Without a claim the structure is unknown, and all pairs of columns are used at their coarsest public level, or a
    random 300 of them.

    Source: Golob et al. (2024), arXiv:2410.05506.
    """
    belief = np.zeros(len(rows))
    population = comparison.codes("holdout")[reference]
    mass = np.ones(len(reference))  # one row per person already weighs persons equally
    for table in _attacked_tables(comparison, rng):
        released = _smoothed(table.counts(comparison.codes("synthetic"), comparison.synthetic_weights))
        known = _smoothed(table.counts(population, mass))
        belief += (np.log(released) - np.log(known))[table.cells(rows)]
    return belief


def published_table_ratio(comparison: Comparison, rows: IntArray, reference: Rows) -> FloatArray:
    """Sum over the published noisy tables of the standardised surplus in each row's cell.

    This is the likelihood ratio of "one person more in this cell" for a count whose variance is that of the noise, of
    the training sample and of the reference sample; of interactions, of a count with its margins taken out.
    """
    belief = np.zeros(len(rows))
    claim = comparison.claim
    if claim is None:
        return belief
    population = comparison.codes("holdout")[reference]
    mass = np.ones(len(reference))  # one row per person already weighs persons equally
    estimated = claim.estimated_persons
    for measured in (each for each in claim.measurements if each.attributes):
        table = _as_table(comparison, measured)
        known = _smoothed(table.counts(population, mass))
        persons = estimated if measured.interactions else max(1.0, float(measured.noisy.sum()))
        expected = persons * known
        variance = measured.sigma**2 + expected * (1 + persons / max(1, len(reference)))
        surplus = measured.noisy - expected.reshape(measured.noisy.shape)
        if measured.interactions:
            surplus = centred(surplus)
        belief += (surplus.ravel() / variance)[table.cells(rows)]
    return belief


def _attacked_tables(comparison: Comparison, rng: np.random.Generator) -> Iterator[Table]:
    claimed: Sequence[MeasuredTable] = comparison.claim.measurements if comparison.claim else ()
    measured = [table for table in claimed if table.attributes]
    joint = [table for table in measured if len(table.attributes) > 1]
    if measured:
        yield from (_as_table(comparison, table) for table in joint or measured)
        return
    pairs = list(combinations(range(len(comparison.domain)), 2))
    for chosen in rng.permutation(len(pairs))[:MOST_TABLES]:
        yield _coarse_pair(comparison.domain.attributes, pairs[chosen])


def _as_table(comparison: Comparison, measured: MeasuredTable) -> Table:
    return Table(
        positions=tuple(comparison.domain.index(name) for name in measured.attributes),
        groups=measured.groups,
        shape=measured.noisy.shape,
    )


def _coarse_pair(attributes: Sequence[Attribute], pair: tuple[int, int]) -> Table:
    groups = tuple(
        attributes[position].hierarchy[-1]
        if attributes[position].hierarchy
        else np.arange(attributes[position].size, dtype=np.int32)
        for position in pair
    )
    return Table(positions=pair, groups=groups, shape=tuple(int(cells.max()) + 1 for cells in groups))


def _smoothed(counts: FloatArray) -> FloatArray:
    """Shares with half a person added to every cell, so that no cell is impossible."""
    shares: FloatArray = (counts + PSEUDO_COUNT) / (counts.sum() + PSEUDO_COUNT * len(counts))
    return shares
