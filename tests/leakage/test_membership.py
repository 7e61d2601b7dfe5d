import numpy as np
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Claim, MeasuredTable
from medsynth.leakage.membership import Guess, Membership, surprise
from medsynth.score import Edition
from medsynth.testing import simulated_patients, simulated_schema

CAPS = {"membership_auc_cap": 0.566, "membership_tpr_cap_at_1pct_fpr": 0.018}


def evaluate(comparison):
    return Membership().evaluate(comparison, np.random.default_rng(1))


def test_full_copy_is_caught_by_the_closest_record_and_exceeds_the_cap(compare, world, scores):
    claim = Claim(guarantee=CAPS, measurements=(), persons=2000)
    found = scores(evaluate(compare(world[0], claim=claim)))
    strongest = found["leak.membership.strongest.auc"]
    assert strongest.low > strongest.ceiling == 0.566
    assert "exceeds" in strongest.sentence
    assert "closest_record" in strongest.sentence
    assert found["leak.membership.strongest.tpr_at_1pct_fpr"].low > 0.018


def test_disjoint_second_sample_passes(compare, world, scores):
    # Three attacks at joint level 0.05: this fixed draw passes; a fresh one would in 19 of 20.
    found = scores(evaluate(compare(world[2])))
    assert found["leak.membership.strongest.auc"].low < 0.5
    assert found["leak.membership.strongest.tpr_at_1pct_fpr"].low <= 0.01


def test_strongest_interval_allows_for_the_choice(compare, world, scores):
    found = scores(evaluate(compare(world[0])))
    own, strongest = (found[f"leak.membership.{name}.auc"] for name in ("closest_record", "strongest"))
    assert own.value == strongest.value
    assert strongest.low < own.low


def test_probability_is_of_going_beyond_the_cap_where_there_is_one(compare, world, scores):
    beyond = Claim(guarantee=CAPS | {"membership_auc_cap": 0.999}, measurements=(), persons=2000)
    assert scores(evaluate(compare(world[0], claim=beyond)))["leak.membership.p"].value > 0.9
    assert scores(evaluate(compare(world[0])))["leak.membership.p"].value < 1e-9
    assert scores(evaluate(compare(world[2])))["leak.membership.p"].value > 0.001


def test_members_on_top_of_a_ranking_are_noticed_where_the_area_is_not():
    # 30 of 1,000 members are certain, all others equal: the area is about 0.515.
    rng = np.random.default_rng(3)
    members, strangers = rng.random(1000), rng.random(1000)
    members[:30] += 1
    assert surprise([Guess.of(np.concatenate([members, strangers]), 1000, rng)], {}) < 0.001


def test_without_a_guarantee_no_cap_is_claimed(compare, world, scores):
    found = scores(evaluate(compare(world[2])))
    assert found["leak.membership.strongest.auc"].ceiling is None
    assert "No guarantee is claimed" in found["leak.membership.strongest.auc"].sentence


def test_exact_marginals_of_a_small_table_give_its_members_away(compare):
    # 300 members, all pairs published without noise. The area under chance has a deviation of
    # 0.024 (Hanley and McNeil); 0.58 is beyond three of them.
    schema = simulated_schema()
    codec = Codec(schema=schema)
    rows = simulated_patients(3300, np.random.default_rng(8))
    train, holdout = rows.iloc[:300], rows.iloc[300:]
    codes = codec.encode(train)
    tables = tuple(_exact_table(codec, codes, (i, j)) for i in range(14) for j in range(i))
    claim = Claim(guarantee=CAPS, measurements=tables, persons=300)
    found = {score.name: score for score in evaluate(compare(train, train=train, holdout=holdout, claim=claim)).scores}
    assert found["leak.membership.known_marginal.auc"].value > 0.58
    assert found["leak.membership.published_tables.auc"].value > 0.58


def test_too_few_persons_are_told_and_not_scored(compare, world):
    found = evaluate(compare(world[2], holdout=world[1].iloc[:150]))
    assert [score.value for score in found.scores] == [None, None]


def test_everything_is_internal_and_the_chart_names_every_attack(compare, world):
    found = evaluate(compare(world[2]))
    assert {entry.edition for entry in (*found.scores, *found.charts)} == {Edition.INTERNAL}
    assert found.charts[0].labels == ("strongest", "closest_record", "calibrated", "known_marginal")


def test_same_generator_seed_gives_the_same_scores(compare, world):
    comparison = compare(world[2])
    assert evaluate(comparison).scores == evaluate(comparison).scores


def _exact_table(codec, codes, pair):
    shape = tuple(codec.domain.sizes[position] for position in pair)
    counts = np.zeros(shape)
    np.add.at(counts, tuple(codes[:, position] for position in pair), 1)
    return MeasuredTable(
        attributes=tuple(codec.domain.names[position] for position in pair),
        groups=tuple(np.arange(size, dtype=np.int32) for size in shape),
        noisy=counts,
        sigma=1e-6,
    )


@pytest.mark.parametrize("part", ["train", "holdout"])
def test_rows_without_a_person_column_are_persons(compare, world, part):
    number = {"train": 0, "holdout": 1}[part]
    found = evaluate(compare(world[2], **{part: world[number].drop(columns="person")}))
    assert found.scores[0].value is not None
