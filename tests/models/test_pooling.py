"""Pooled counts: worked by hand, and against least squares written out cell by cell."""

import numpy as np

from medsynth.encoding.domain import Level
from medsynth.models.pooling import GroupCounts, pool

PAIRS = Level(attribute="dx", groups=np.array([0, 0, 1, 1], dtype=np.int32), size=2)
ALL = Level(attribute="dx", groups=np.zeros(4, dtype=np.int32), size=1)


def test_block_sums_are_the_precision_weighted_means_of_both_tables() -> None:
    # Two cells of variance 1 sum to 10 with variance 2; the block table says 16 with variance 1:
    # (10 / 2 + 16 / 1) / (1 / 2 + 1) = 14, variance 2 / 3; either cell takes half of the surplus.
    noisy = np.array([4.0, 6.0, 1.0, 1.0])
    table = GroupCounts(level=PAIRS, noisy=np.array([16.0, 2.0]), variance=1.0)
    found = pool(noisy, 1.0, [table], PAIRS)
    assert np.allclose(found.counts, [6.0, 8.0, 1.0, 1.0])
    assert found.block_deviations is not None
    assert np.allclose(found.block_deviations**2, 2 / 3)
    assert np.allclose(found.deviations**2, 2 / 3)


def test_no_further_table_leaves_counts_and_noise() -> None:
    noisy = np.array([4.0, 6.0, 1.0, 1.0])
    found = pool(noisy, 3.0, [], PAIRS)
    assert found.counts is noisy
    assert found.deviations.tolist() == [3.0] * 4
    assert found.block_deviations is not None
    assert np.allclose(found.block_deviations, 3.0 * np.sqrt(2))


def test_several_tables_agree_with_least_squares_written_out() -> None:
    rng = np.random.default_rng(0)
    cells, sigma = 12, 2.0
    levels = [
        Level(attribute="dx", groups=(np.arange(cells) // 3).astype(np.int32), size=4),
        Level(attribute="dx", groups=(np.arange(cells) % 5).astype(np.int32), size=5),
        Level(attribute="dx", groups=(np.arange(cells) // 3).astype(np.int32), size=4),
    ]
    variances = [0.5, 3.0, 7.0]
    noisy = rng.normal(10, 3, cells)
    sums = [
        GroupCounts(level=level, noisy=rng.normal(30, 5, level.size), variance=variance)
        for level, variance in zip(levels, variances, strict=True)
    ]
    design = [np.eye(cells), *(np.eye(level.size)[level.groups].T for level in levels)]
    weights = [1 / sigma**2, *(1 / variance for variance in variances)]
    values = [noisy, *(each.noisy for each in sums)]
    normal = sum(w * a.T @ a for w, a in zip(weights, design, strict=True))
    covariance = np.linalg.inv(np.asarray(normal))
    wanted = covariance @ sum(w * a.T @ y for w, a, y in zip(weights, design, values, strict=True))
    found = pool(noisy, sigma, sums, levels[1])
    assert np.allclose(found.counts, wanted)
    assert np.allclose(found.deviations**2, np.diag(covariance))
    assert found.block_deviations is not None
    assert np.allclose(found.block_deviations**2, np.diag(design[2] @ covariance @ design[2].T))


def test_a_total_known_for_sure_is_met() -> None:
    table = GroupCounts(level=ALL, noisy=np.array([20.0]), variance=1e-9)
    found = pool(np.array([4.0, 6.0, 1.0, 1.0]), 1.0, [table])
    assert np.isclose(found.counts.sum(), 20.0)
    assert found.block_deviations is None
