import numpy as np
import pytest

from medsynth.encoding.comparison import Claim, MeasuredTable
from medsynth.leakage.ratios import known_marginal_ratio, published_table_ratio


def measured(codec, names, noisy, sigma):
    groups = tuple(np.arange(codec.domain[name].size, dtype=np.int32) for name in names)
    return MeasuredTable(attributes=names, groups=groups, noisy=noisy, sigma=sigma)


def claim_of(*tables):
    return Claim(guarantee={}, measurements=tables, persons=100)


def test_known_marginal_ratio_by_hand(codec, compare, world):
    # Released: 3 F, 1 M; known: 2 F, 2 M. With half a row added: (3.5/5) / (2.5/5) for F.
    released = world[2].iloc[:4].assign(sex=["F", "F", "F", "M"])
    holdout = world[1].iloc[:4].assign(sex=["F", "F", "M", "M"])
    claim = claim_of(measured(codec, ("sex",), np.zeros(2), 1.0))
    comparison = compare(released, holdout=holdout, claim=claim)
    rows = comparison.codes("holdout")[[0, 3]]
    belief = known_marginal_ratio(comparison, rows, np.arange(4), np.random.default_rng(0))
    assert belief == pytest.approx(np.log([3.5 / 2.5, 1.5 / 2.5]))


def test_published_table_ratio_by_hand(codec, compare, world):
    # 60 of 100 are F where 50 are expected: 10 too many over a variance of 16 + 50 (1 + 100 / 4).
    holdout = world[1].iloc[:4].assign(sex=["F", "F", "M", "M"])
    claim = claim_of(measured(codec, ("sex",), np.array([60.0, 40.0]), 4.0))
    comparison = compare(world[2], holdout=holdout, claim=claim)
    rows = comparison.codes("holdout")[[0, 3]]
    belief = published_table_ratio(comparison, rows, np.arange(4))
    assert belief == pytest.approx([10 / (16 + 50 * 26), -10 / (16 + 50 * 26)])


def test_single_columns_are_attacked_only_where_no_pairs_were_measured(codec, compare, world):
    single = measured(codec, ("sex",), np.array([10.0, 90.0]), 1.0)
    pair = measured(codec, ("age", "died"), np.ones((5, 2)), 1.0)
    rng = np.random.default_rng(0)
    beliefs = []
    for tables in [(pair,), (single, pair)]:
        comparison = compare(world[2], claim=claim_of(*tables))
        rows = comparison.codes("train")[:20]
        beliefs.append(known_marginal_ratio(comparison, rows, np.arange(500), rng))
    assert beliefs[0].tolist() == beliefs[1].tolist()


def test_without_a_claim_all_pairs_are_used(compare, world):
    comparison = compare(world[2])
    rows = comparison.codes("train")[:20]
    belief = known_marginal_ratio(comparison, rows, np.arange(500), np.random.default_rng(0))
    assert np.isfinite(belief).all()
    assert belief.std() > 0
