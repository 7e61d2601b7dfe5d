from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.encoding.condition import EVERYTHING, compile_condition
from medsynth.errors import UsageError
from medsynth.sampling.how import rare_conditions
from medsynth.sampling.strata import allocate, natural_shares, upsampling_strata


def members(stratum):
    """Whether a stratum's rows are (old, ill)."""
    rows = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=np.int32)
    found = rows[stratum.condition.mask(rows)]
    assert len(found) == 1
    return bool(found[0, 0]), bool(found[0, 1])


def test_one_condition_makes_two_strata_with_the_shares_asked_for(table, codec):
    targets = {"ill": 0.5}
    inside, outside = upsampling_strata(table, rare_conditions(codec, targets), targets)
    assert (inside.natural, inside.drawn) == pytest.approx((0.2, 0.5))
    assert (outside.natural, outside.drawn) == pytest.approx((0.8, 0.5))
    assert (inside.weight, outside.weight) == pytest.approx((0.4, 1.6))


def test_two_overlapping_conditions_are_raked_as_worked_by_hand(table, codec):
    # Natural: neither .6, ill .1, old .2, both .1. Raking keeps the odds ratio
    # .6 * .1 / (.1 * .2) = 3. Wanted: old .5, ill .5. With both = q, neither is q too:
    # q^2 / (.5 - q)^2 = 3, so q = .5 sqrt(3) / (1 + sqrt(3)).
    targets = {"old": 0.5, "ill": 0.5}
    strata = upsampling_strata(table, rare_conditions(codec, targets), targets)
    drawn = {members(stratum): stratum.drawn for stratum in strata}
    both = 0.5 * np.sqrt(3) / (1 + np.sqrt(3))
    assert drawn[True, True] == pytest.approx(both, abs=1e-6)
    assert drawn[False, False] == pytest.approx(both, abs=1e-6)
    assert drawn[True, False] == pytest.approx(0.5 - both, abs=1e-6)
    assert drawn[False, True] == pytest.approx(0.5 - both, abs=1e-6)
    assert sum(stratum.weight * stratum.drawn for stratum in strata) == pytest.approx(1.0)


def test_a_nested_condition_is_raised_inside_the_wider_one(table, codec):
    # both is inside ill: of the rows .5 are ill and .4 both, so .1 are ill alone.
    targets = {"ill": 0.5, "both": 0.4}
    strata = upsampling_strata(table, rare_conditions(codec, targets), targets)
    drawn = sorted(stratum.drawn for stratum in strata)
    assert drawn == pytest.approx([0.1, 0.4, 0.5], abs=1e-6)


@pytest.mark.parametrize("targets", [{"both": 0.5, "ill": 0.3}, {"sure": 0.5}, {"sure": 0.9, "old": 0.5}])
def test_shares_that_cannot_be_met_together_are_refused(targets, table, codec):
    with pytest.raises(UsageError, match="cannot be met together"):
        upsampling_strata(table, rare_conditions(codec, targets), targets)


def test_a_condition_that_never_occurs_is_named(table, codec):
    joint = table.joint.copy()
    joint[:, 1] = 0
    never = replace(table, joint=joint / joint.sum())
    with pytest.raises(UsageError, match="--upsample ill"):
        upsampling_strata(never, rare_conditions(codec, {"ill": 0.5}), {"ill": 0.5})


def test_where_and_upsampling_together_count_inside_the_part_asked_for(table, codec):
    where = compile_condition(codec.schema.predicate("old == 'yes'"), codec)
    targets = {"ill": 0.5}
    conditions = rare_conditions(codec, targets)
    assert natural_shares(table, conditions, where) == pytest.approx({"ill": 1 / 3})
    strata = upsampling_strata(table, conditions, targets, where)
    assert [s.natural for s in strata] == pytest.approx([1 / 3, 2 / 3])
    outside = EVERYTHING.minus(where)
    assert all(not stratum.condition.intersect(outside).boxes for stratum in strata)


def test_a_part_of_the_population_that_is_empty_is_refused(table, codec):
    joint = table.joint.copy()
    joint[1] = 0
    where = compile_condition(codec.schema.predicate("old == 'yes'"), codec)
    with pytest.raises(UsageError, match="--where"):
        upsampling_strata(replace(table, joint=joint), rare_conditions(codec, {"ill": 0.5}), {"ill": 0.5}, where)


@pytest.mark.parametrize(("name", "share"), [("old", 0.0), ("old", 1.0), ("old", -1.0), ("old", float("nan"))])
def test_a_share_outside_0_and_1_is_refused(name, share, codec):
    with pytest.raises(UsageError, match="between 0 and 1"):
        rare_conditions(codec, {name: share})


def test_an_unknown_condition_is_refused_with_a_suggestion(codec):
    with pytest.raises(UsageError, match="Did you mean 'old'"):
        rare_conditions(codec, {"olt": 0.5})


@given(
    n=st.integers(0, 5_000),
    shares=st.lists(st.floats(0.001, 1.0), min_size=1, max_size=8).map(np.array),
)
@settings(max_examples=100, deadline=None)
def test_allocated_rows_add_up_and_miss_their_share_by_less_than_one(n, shares):
    rows = allocate(n, shares)
    assert rows.sum() == n
    assert (np.abs(rows - n * shares / shares.sum()) < 1).all()


def test_largest_remainders_get_the_rows_left_over():
    assert allocate(7, np.array([0.5, 0.3, 0.2])).tolist() == [4, 2, 1]
