from itertools import combinations

import numpy as np
import pytest

from medsynth.encoding.comparison import Claim, MeasuredTable
from medsynth.leakage.ratios import known_marginal_ratio, published_table_ratio
from medsynth.privacy.interactions import centred


def measured(codec, names, noisy, sigma, *, interactions=False):
    groups = tuple(np.arange(codec.domain[name].size, dtype=np.int32) for name in names)
    return MeasuredTable(attributes=names, groups=groups, noisy=noisy, sigma=sigma, interactions=interactions)


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


def test_published_interactions_ratio_by_hand(codec, compare, world):
    # Persons: 100 by the one-way table. One of each kind is known, so 25 are expected in every cell, which have no
    # interactions: what was measured is the surplus, its margins taken out: +-8 over 16 + 25 (1 + 100 / 4).
    holdout = world[1].iloc[:4].assign(sex=["F", "F", "M", "M"], died=["no", "yes", "no", "yes"])
    noisy = np.array([[8.0, -8.0], [-8.0, 8.0]]) + np.array([[5.0], [-2.0]])
    single = measured(codec, ("sex",), np.array([50.0, 50.0]), 1e-6)
    pair = measured(codec, ("sex", "died"), noisy, 4.0, interactions=True)
    comparison = compare(world[2], holdout=holdout, claim=claim_of(single, pair))
    rows = comparison.codes("holdout")
    belief = published_table_ratio(comparison, rows, np.arange(4))
    agree = rows[:, codec.domain.index("sex")] == rows[:, codec.domain.index("died")]
    assert belief == pytest.approx(np.where(agree, 8, -8) / (16 + 25 * 26))


def published_interactions(codec, frame, sigma, rng):
    """A claim of the noisy size of a table and the noisy interactions of its finest pairs."""
    names = ("ward", "chronic_1", "age", "died", "sex")
    codes = codec.encode(frame)
    tables = [measured(codec, ("sex",), np.array([0.5, 0.5]) * len(frame), 1e-6)]
    for pair in combinations(names, 2):
        counts = np.zeros([codec.domain[name].size for name in pair])
        np.add.at(counts, tuple(codes[:, codec.domain.index(name)] for name in pair), 1)
        noisy = centred(counts) + rng.normal(0, sigma, counts.shape)
        tables.append(measured(codec, pair, noisy, sigma, interactions=True))
    return claim_of(*tables)


@pytest.mark.parametrize(("sigma", "least", "most"), [(1e-3, 0.62, 1.0), (500.0, 0.4, 0.6)])
def test_interactions_with_hardly_any_noise_give_members_away_and_well_hidden_ones_do_not(
    codec, compare, world, sigma, least, most
):
    # 100 members against 1,000 others. Without an attack the area strays from 1/2 by 0.03: 3.3 deviations, 1e-3.
    members, others = world[0].iloc[:100], world[1].iloc[1000:]
    claim = published_interactions(codec, members, sigma, np.random.default_rng(1))
    comparison = compare(world[2], train=members, claim=claim)
    rows = np.concatenate([comparison.codes("train"), codec.encode(others)])
    belief = published_table_ratio(comparison, rows, np.arange(1000))
    above = belief[:100, None] - belief[None, 100:]
    area = float((above > 0).mean() + (above == 0).mean() / 2)
    assert least < area < most


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
