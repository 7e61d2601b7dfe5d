import math
from dataclasses import replace

import numpy as np
import pytest

from medsynth.encoding.comparison import Claim, MeasuredTable
from medsynth.fidelity.measured import Measured, noise_distance, synthetic_shares
from medsynth.privacy.interactions import centred
from medsynth.score import Edition


def table(codec, names, noisy, sigma, *, interactions=False):
    groups = tuple(np.arange(codec.domain[name].size, dtype=np.int32) for name in names)
    noisy = np.asarray(noisy, dtype=float)
    return MeasuredTable(attributes=names, groups=groups, noisy=noisy, sigma=sigma, interactions=interactions)


def claim_about(codec, frame, sigma, rng, *, interactions=False):
    """One-way and two-way tables (or their interactions) of a frame, with Gaussian noise."""
    codes = codec.encode(frame)
    tables = []
    for names in [("sex",), ("age",), ("age", "died"), ("ward", "chronic_1")]:
        shape = tuple(codec.domain[name].size for name in names)
        counts = np.zeros(shape)
        np.add.at(counts, tuple(codes[:, codec.domain.index(name)] for name in names), 1)
        beyond = interactions and len(names) == 2
        exact = centred(counts) if beyond else counts
        tables.append(table(codec, names, exact + rng.normal(0, sigma, shape), sigma, interactions=beyond))
    return Claim(guarantee={}, measurements=tuple(tables), persons=len(frame))


def test_distance_by_hand(codec, compare, world, scores):
    synthetic = world[0].iloc[:4].assign(sex=["F", "F", "F", "M"])
    claim = Claim(guarantee={}, measurements=(table(codec, ("sex",), [50.0, 50.0], 1e-6),), persons=100)
    found = scores(Measured().evaluate(compare(synthetic, claim=claim), np.random.default_rng(0)))
    assert found["fidelity.tv1.measured"].value == pytest.approx(0.25)
    assert found["fidelity.tv2.measured"].value is None


def test_noise_distance_by_hand(codec):
    mean, deviation = noise_distance(table(codec, ("sex",), [60, 40], 5.0), persons=100.0)
    assert mean == pytest.approx(5 * math.sqrt(2 / math.pi) / 100)
    assert deviation == pytest.approx(0.5 * math.sqrt(2 * (1 - 2 / math.pi)) * 5 / 100)


def test_distance_of_interactions_by_hand(codec, compare, world, scores):
    # Shares 1/2, 1/4, 0, 1/4 of sex and died have interactions of +-1/8. Measured were +-0.2, and margins that say
    # nothing: 4 cells of 0.075 apart. The product of the columns has no interactions: 4 cells of 0.2.
    synthetic = world[0].iloc[:4].assign(sex=["F", "F", "F", "M"], died=["no", "no", "yes", "yes"])
    codes = codec.encode(synthetic)
    own = np.zeros((2, 2))
    np.add.at(own, tuple(codes[:, codec.domain.index(name)] for name in ("sex", "died")), 0.25)
    sign = np.sign(centred(own))
    assert np.abs(centred(own)) == pytest.approx(1 / 8)
    noisy = 20 * sign + np.array([[7.0], [-3.0]])
    tables = (
        table(codec, ("sex",), [75.0, 25.0], 1e-6),
        table(codec, ("sex", "died"), noisy, 1e-6, interactions=True),
    )
    claim = Claim(guarantee={}, measurements=tables, persons=100)
    found = scores(Measured().evaluate(compare(synthetic, claim=claim), np.random.default_rng(0)))
    score = found["fidelity.tv2.measured"]
    assert score.value == pytest.approx(0.5 * 4 * 0.075)
    assert score.baseline == pytest.approx(0.5 * 4 * 0.2)
    assert "beyond their margins" in score.sentence
    assert "beyond" not in found["fidelity.tv1.measured"].sentence


def test_noise_distance_of_two_by_two_interactions_by_hand(codec):
    # All four cells are one number of half the noise, but for its sign.
    pair = table(codec, ("sex", "died"), np.zeros((2, 2)), 5.0, interactions=True)
    mean, deviation = noise_distance(pair, persons=100.0)
    assert mean == pytest.approx(0.5 * 4 * 2.5 * math.sqrt(2 / math.pi) / 100)
    assert deviation == pytest.approx(0.5 * 4 * 2.5 * math.sqrt(1 - 2 / math.pi) / 100)


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 4), (2, 9), (8, 6)])
def test_noise_distance_of_interactions_matches_simulation(shape):
    # 20,000 draws: five standard errors of the mean and of the deviation, each at most 1 / sqrt(n) of the deviation
    # and a half as much again for the tails; failure probability 1e-5.
    rng, n = np.random.default_rng(3), 20_000
    groups = tuple(np.arange(size, dtype=np.int32) for size in shape)
    pair = MeasuredTable(attributes=("a", "b"), groups=groups, noisy=np.zeros(shape), sigma=3.0, interactions=True)
    drawn = np.array([0.5 * np.abs(centred(noise)).sum() for noise in rng.normal(0, 3.0, (n, *shape))]) / 50
    mean, deviation = noise_distance(pair, persons=50.0)
    assert abs(drawn.mean() - mean) < 5 * deviation / math.sqrt(n)
    assert drawn.std() == pytest.approx(deviation, rel=7.5 / math.sqrt(n))


@pytest.mark.parametrize("interactions", [False, True])
def test_the_measured_rows_themselves_score_what_the_noise_shows(codec, compare, world, scores, interactions):
    # Within four standard deviations of the noise: fails with probability below 1e-4.
    claim = claim_about(codec, world[0], 20.0, np.random.default_rng(5), interactions=interactions)
    found = scores(Measured().evaluate(compare(world[0], claim=claim), np.random.default_rng(0)))
    for ways in (1, 2):
        score = found[f"fidelity.tv{ways}.measured"]
        assert abs(score.value - score.ceiling) < 2.1 * (score.high - score.low) / 2


def test_groups_of_a_coarse_measurement_are_used(codec, compare, world):
    ward = codec.domain["ward"]
    groups = (np.arange(ward.size) > 0).astype(np.int32)
    coarse = MeasuredTable(attributes=("ward",), groups=(groups,), noisy=np.array([1.0, 1.0]), sigma=1.0)
    shares = synthetic_shares(compare(world[0]), coarse)
    assert shares[0] == pytest.approx((world[0]["ward"] == "cardiology").mean())


def test_persons_come_from_the_noisy_tables_and_never_fall_below_one(codec):
    claim = Claim(guarantee={}, measurements=(table(codec, ("sex",), [-5.0, -9.0], 10.0),), persons=100)
    assert claim.estimated_persons == 1.0


def test_persons_are_not_read_off_interactions(codec):
    # 100 and 130 with noise variances 2 and 18: weights 9 and 1. Interactions sum to noise alone.
    tables = (
        table(codec, ("sex",), [60.0, 40.0], 1.0),
        table(codec, ("died",), [100.0, 30.0], 3.0),
        table(codec, ("sex", "died"), np.full((2, 2), 999.0), 0.01, interactions=True),
    )
    assert Claim(guarantee={}, measurements=tables, persons=7).estimated_persons == pytest.approx(103.0)
    assert Claim(guarantee={}, measurements=tables[2:], persons=7).estimated_persons == 7.0


def test_measured_scores_are_shareable_and_do_not_depend_on_private_rows(codec, compare, world):
    claim = claim_about(codec, world[0], 20.0, np.random.default_rng(5))
    comparison = compare(world[2], claim=claim)
    other = replace(
        comparison,
        train=world[1].iloc[:7],
        train_weights=np.ones(7),
        holdout=world[0].iloc[:9],
        holdout_weights=np.ones(9),
        _codes={},
    )
    first, second = (Measured().evaluate(one, np.random.default_rng(0)) for one in (comparison, other))
    assert first == second
    assert {entry.edition for entry in (*first.scores, *first.charts)} == {Edition.SHAREABLE}


def test_table_made_elsewhere_is_told_and_not_scored(compare, world):
    found = Measured().evaluate(compare(world[2]), np.random.default_rng(0))
    assert [score.value for score in found.scores] == [None, None]
