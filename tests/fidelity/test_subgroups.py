"""Subgroups and fairness: a group deliberately broken is warned about, an intact one is not."""

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.fidelity.fairness import Fairness, named_cases
from medsynth.fidelity.subgroups import Subgroups, rounded_size
from medsynth.score import Edition
from medsynth.testing import independent_columns, simulated_schema

GROUPS = [
    {"name": "surgery", "where": "ward == 'surgery'"},
    {"name": "elsewhere", "where": "ward != 'surgery'"},
    {"name": "few", "where": "age == '80+' and ward == 'intensive' and stay > 9 and sex == 'F'"},
]


@pytest.fixture(scope="module")
def among(compare):
    codec = Codec(schema=simulated_schema(subgroups=GROUPS))
    return lambda synthetic, **changes: compare(synthetic, codec=codec, **changes)


@pytest.fixture(scope="module")
def broken(among, world):
    """In surgery columns are independent and illnesses a coin's, elsewhere they are real."""
    inside, rng = world[2]["ward"] == "surgery", np.random.default_rng(3)
    lost = independent_columns(world[2][inside], inside.sum(), rng)
    for number in range(1, 9):
        lost[f"chronic_{number}"] = rng.choice(["no", "yes"], len(lost))
    lost["died"] = np.where(lost["age"].isin(["0-17", "18-39"]), "yes", "no")
    return among(pd.concat([world[2][~inside], lost], ignore_index=True))


@pytest.fixture(scope="module")
def intact(among, world):
    """The third sample released."""
    return among(world[2])


@pytest.fixture(scope="module")
def served(intact):
    """What is said of subgroups when the third sample is released."""
    return by_name(Subgroups(resamples=60).evaluate(intact, np.random.default_rng(0)))


def by_name(evaluation):
    return {score.name: score for score in evaluation.scores}


def found_in(evaluator, comparison):
    return by_name(evaluator(resamples=60).evaluate(comparison, np.random.default_rng(0)))


def test_broken_group_is_warned_about_and_the_intact_one_is_not(broken):
    found = found_in(Subgroups, broken)
    for headline in ("tv2", "drop"):
        assert "WARNING" in found[f"subgroup.surgery.{headline}"].sentence
        assert "WARNING" not in found[f"subgroup.elsewhere.{headline}"].sentence
    assert found["subgroup.worse"].value == 1
    assert "'surgery' (two-way error)" in found["subgroup.worse"].sentence
    assert "'elsewhere'" not in found["subgroup.worse"].sentence


def test_second_sample_serves_every_group_within_its_ceiling(served):
    assert served["subgroup.worse"].value == 0
    for name in ("surgery", "elsewhere"):
        error = served[f"subgroup.{name}.tv2"]
        assert error.low <= error.value <= error.high
        assert error.value == pytest.approx(error.ceiling, abs=0.02)
        assert error.value < error.baseline


def test_small_group_is_too_few_to_tell(served):
    assert served["subgroup.few.tv2"].value is None
    assert "too few to tell" in served["subgroup.few.tv2"].sentence
    assert "subgroup.few.drop" not in served


def test_size_is_rounded_and_internal(served, world):
    size = served["subgroup.surgery.size"]
    assert size.value == rounded_size(int((world[0]["ward"] == "surgery").sum()))
    assert size.value % 10 == 0
    assert size.edition is Edition.INTERNAL


def test_training_on_a_table_that_misleads_in_one_ward_widens_its_gap(broken):
    found = found_in(Fairness, broken)
    assert found["utility.fairness.surgery.auc"].low > 0.02
    assert "WARNING" in found["utility.fairness.widened"].sentence
    assert found["utility.fairness.few"].value is None


def test_second_sample_and_the_training_table_widen_nothing(among, world, intact):
    found = found_in(Fairness, intact)
    assert found["utility.fairness.widened"].value == 0
    same = found_in(Fairness, among(world[0]))
    assert [same[f"utility.fairness.surgery.{name}"].value for name in ("tpr", "auc", "calibration")] == [0, 0, 0]


def test_numbers_are_judged_by_error_and_bias(compare, world):
    schema = simulated_schema(subgroups=GROUPS, utility={"target": "stay", "task": "regression"})
    train, holdout, synthetic = (frame.iloc[:600] for frame in world)
    later = synthetic.assign(
        stay=np.where(synthetic["ward"] == "surgery", np.minimum(synthetic["stay"] + 6, 30), synthetic["stay"])
    )
    comparison = compare(later, train=train, holdout=holdout, codec=Codec(schema=schema))
    found = found_in(Fairness, comparison)
    assert found["utility.fairness.surgery.bias"].low > 0.02
    assert found["utility.fairness.surgery.mae"].value > 0


def test_as_many_are_named_as_there_are_cases():
    beliefs, truth, weights = np.array([0.8, 0.6, 0.2]), np.array([0.0, 1.0, 1.0]), np.array([1.0, 2.0, 1.0])
    # Three quarters of the weight are cases: the first row and the second whole.
    assert named_cases(beliefs, truth, weights).tolist() == [1, 1, 0]


def test_schema_without_subgroups_scores_nothing(compare, world):
    for evaluator in (Subgroups, Fairness):
        assert evaluator().evaluate(compare(world[2]), np.random.default_rng(0)).scores == ()
