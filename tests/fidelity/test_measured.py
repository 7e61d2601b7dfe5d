import math
from dataclasses import replace

import numpy as np
import pytest

from medsynth.encoding.comparison import Claim, MeasuredTable
from medsynth.fidelity.measured import (
    Measured,
    estimated_persons,
    noise_distance,
    synthetic_shares,
)
from medsynth.score import Edition


def table(codec, names, noisy, sigma):
    groups = tuple(np.arange(codec.domain[name].size, dtype=np.int32) for name in names)
    return MeasuredTable(attributes=names, groups=groups, noisy=np.asarray(noisy, dtype=float), sigma=sigma)


def claim_about(codec, frame, sigma, rng):
    """One-way and two-way tables of a frame, with Gaussian noise."""
    codes = codec.encode(frame)
    tables = []
    for names in [("sex",), ("age",), ("age", "died"), ("ward", "chronic_1")]:
        shape = tuple(codec.domain[name].size for name in names)
        counts = np.zeros(shape)
        np.add.at(counts, tuple(codes[:, codec.domain.index(name)] for name in names), 1)
        tables.append(table(codec, names, counts + rng.normal(0, sigma, shape), sigma))
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


def test_the_measured_rows_themselves_score_what_the_noise_shows(codec, compare, world, scores):
    # Within four standard deviations of the noise: fails with probability below 1e-4.
    claim = claim_about(codec, world[0], 20.0, np.random.default_rng(5))
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
    assert estimated_persons(claim) == 1.0


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
