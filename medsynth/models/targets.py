"""Pair tables the rows should meet: what the tree says, corrected by every measured pair as far as
it is signal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray
from medsynth.models.calibration import Calibrated
from medsynth.models.edit import PairTarget
from medsynth.models.impossible import ImpossiblePair
from medsynth.models.levels import Chain
from medsynth.models.pair_tables import PairTable
from medsynth.models.selection import Pair

FloatArray = npt.NDArray[np.float64]

RAKE_SWEEPS = 3
"""Times that rows and columns are scaled in turn; other numbers were not tried."""


def signal_ratio(expected: FloatArray, noisy: FloatArray, sigma: float) -> float:
    """The c of Var(signal) = c m, by moments from E (y - m)^2 = sigma^2 + c m; never negative.

    >>> signal_ratio(np.array([10.0, 10.0]), np.array([13.0, 7.0]), 2.0)
    0.5
    """
    surplus = float(((noisy - expected) ** 2).sum()) - sigma**2 * expected.size
    # Of no mass the ratio stays finite, so that it times 0 is 0.
    return max(surplus, 0.0) / max(float(expected.sum()), 1e-200)


def shrunk_ratio(expected: FloatArray, noisy: FloatArray, sigma: float) -> FloatArray:
    """By which factor each cell's expected mass should change, given a noisy count of it.

    The residual y - m keeps the share c m / (c m + sigma^2) that is signal; masses stay
    nonnegative.

    Source: recipe, step 8.
    """
    signal = signal_ratio(expected, noisy, sigma) * expected
    kept = np.divide(signal, signal + sigma**2, out=np.zeros_like(signal), where=signal > 0)
    updated = np.maximum(expected + kept * (noisy - expected), 0.0)
    return np.divide(updated, expected, out=np.ones_like(updated), where=expected > 0)


def pair_targets(
    chains: Sequence[Chain],
    expected: Mapping[Pair, FloatArray],
    measured: Sequence[PairTable],
    *,
    impossible: Sequence[ImpossiblePair] = (),
) -> tuple[PairTarget, ...]:
    """Corrects the tree's pair tables by the measured ones, each at its own level.

    Args:
      chains: Levels of each attribute.
      expected: Tree masses in persons of every pair (i < j), both at `chain.working`.
      measured: Noisy tables; a pair measured twice is corrected twice, in the order given.
      impossible: What no row may be.

    Returns:
      A target per pair in `expected`, at the working levels.
    """
    tables = {pair: np.array(table) for pair, table in expected.items()}
    for table in measured:
        i, j, level_i, level_j = table.choice
        rows = chains[i].project(chains[i].working, level_i)
        columns = chains[j].project(chains[j].working, level_j)
        coarse = aggregate(tables[i, j], rows, columns, table.noisy.shape)
        tables[i, j] *= shrunk_ratio(coarse, table.noisy, table.sigma)[rows][:, columns]
    working = [chain.levels[chain.working] for chain in chains]
    allowed = {
        each.pair: each.at(chains, (chains[each.pair[0]].working, chains[each.pair[1]].working)) for each in impossible
    }
    return tuple(
        PairTarget(
            i=i,
            j=j,
            level_i=working[i],
            level_j=working[j],
            table=table * allowed.get((i, j), 1.0),
            allowed=allowed.get((i, j)),
        )
        for (i, j), table in tables.items()
    )


def raked_targets(targets: Sequence[PairTarget], masses: Sequence[FloatArray]) -> tuple[PairTarget, ...]:
    """Brings targets back to the one-ways, which each correction of a pair alone has left.

    Args:
      targets: Pair tables at one level per attribute.
      masses: One-way mass of each attribute's cells, in persons.
    """
    levels = {target.i: target.level_i for target in targets}
    levels |= {target.j: target.level_j for target in targets}
    sums = {k: np.bincount(level.groups, masses[k], level.size).astype(np.float64) for k, level in levels.items()}
    return tuple(replace(target, table=rake(target.table, sums[target.i], sums[target.j])) for target in targets)


def rake(table: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Scales rows and columns in turn towards their sums; empty ones stay empty.

    >>> rake(np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([6.0, 2.0]), np.array([4.0, 4.0]))
    array([[3., 3.],
           [1., 1.]])

    Source: Deming and Stephan (1940), doi:10.1214/aoms/1177731829.
    """
    raked = np.array(table)
    for _ in range(RAKE_SWEEPS):
        for axis, wanted in ((1, rows), (0, columns)):
            found = raked.sum(axis=axis)
            ratio = np.divide(wanted, found, out=np.ones_like(found), where=found > 0)
            raked *= np.expand_dims(ratio, axis)
    return raked


def tree_tables(
    fitted: Calibrated, masses: Sequence[FloatArray], total: float, pairs: Sequence[Pair]
) -> dict[Pair, FloatArray]:
    """Expected persons of every pair at the working levels: the tree's tables, refined by the
    one-ways.
    """
    chains = fitted.tree.chains
    levels = [min(f, chain.working) for f, chain in zip(fitted.tree.finest, chains, strict=True)]
    parts = [refine(*part) for part in zip(masses, chains, levels, strict=True)]
    found = fitted.pair_marginals(levels, pairs)
    tables = {}
    for i, j in pairs:
        (rows, share_i), (columns, share_j) = parts[i], parts[j]
        tables[i, j] = found[i, j][rows][:, columns] * (total * share_i[:, None] * share_j)
    return tables


def aggregate(table: FloatArray, rows: IntArray, columns: IntArray, shape: tuple[int, ...]) -> FloatArray:
    """Sums a table over groups of its rows and columns."""
    flat = (rows.astype(np.int64)[:, None] * shape[1] + columns).ravel()
    sums = np.bincount(flat, weights=table.ravel(), minlength=shape[0] * shape[1])
    return np.asarray(sums.reshape(shape))


def refine(mass: FloatArray, chain: Chain, coarse: int) -> tuple[IntArray, FloatArray]:
    """How working groups sit in groups of a coarser level: (coarse group, share of it) per working
    group.

    Args:
      mass: One-way mass of the attribute's cells.
      chain: Its levels.
      coarse: Position of a level not finer than `chain.working`.
    """
    working = chain.levels[chain.working]
    fine = np.bincount(working.groups, weights=mass, minlength=working.size)
    groups = chain.project(chain.working, coarse)
    even = 1.0 / np.bincount(groups)[groups]
    whole = np.bincount(groups, weights=fine)[groups]
    return groups, np.divide(fine, whole, out=even, where=whole > 0)
