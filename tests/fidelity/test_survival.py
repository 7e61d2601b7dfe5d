import warnings

import numpy as np
import pytest

from medsynth.encoding.codec import Codec
from medsynth.fidelity import cox
from medsynth.fidelity.cox import Hazards, overlapping, same_signs
from medsynth.fidelity.followup import Followed, SurvivalCurve, concordances, curve_distance, followed, moments_until
from medsynth.fidelity.survival import Survival
from medsynth.fidelity.target import UnusableError
from medsynth.testing import independent_columns, simulated_schema


@pytest.fixture(scope="module")
def group():
    """Three hundred people with ties of time, a third of them lost before the event."""
    rng = np.random.default_rng(1)
    everyone = np.arange(300)
    return Followed(
        times=rng.integers(0, 40, 300).astype(float),
        events=rng.random(300) < 0.66,
        weights=rng.integers(1, 5, 300).astype(float),
        persons=everyone,
        positions=everyone,
    )


def timed(**utility):
    told = {"task": "survival", "time": "stay", "event": "died"}
    return Codec(schema=simulated_schema(utility=told | utility))


def judge(comparison, resamples=20):
    return Survival(resamples=resamples).evaluate(comparison, np.random.default_rng(0))


def test_curve_agrees_with_lifelines(group):
    lifelines = pytest.importorskip("lifelines")
    oracle = lifelines.KaplanMeierFitter().fit(group.times, group.events, weights=group.weights)
    moments = np.arange(0.0, 45.0)
    own = SurvivalCurve.of(group.times, group.events).at(moments, group.weights)
    assert own == pytest.approx(oracle.survival_function_at_times(moments).to_numpy())


def test_concordance_agrees_with_lifelines(group):
    utils = pytest.importorskip("lifelines.utils")
    risks = np.round(np.random.default_rng(2).normal(0, 1, 300) - group.times / 20, 1)
    expected = utils.concordance_index(group.times, -risks, group.events)
    plain, heavy = concordances(group, risks, np.stack([np.ones(300), group.weights]))
    assert plain == pytest.approx(expected, abs=1e-6)
    # Whole weights stand for as many people, who are not compared with themselves.
    copies = np.repeat(np.arange(300), group.weights.astype(int))
    expected = utils.concordance_index(group.times[copies], -risks[copies], group.events[copies])
    assert heavy == pytest.approx(expected, abs=1e-6)


def test_distance_by_hand():
    # One curve falls to 0.5 at day 1, the other to 0 at day 3: 2 days differ by 0.5, the last by 0.5 too.
    first = SurvivalCurve.of(np.array([1.0, 4.0]), np.array([True, False]))
    second = SurvivalCurve.of(np.array([3.0, 3.0]), np.array([True, True]))
    moments = moments_until(4.0, first, second)
    curves = [curve.at(moments, np.ones(2)) for curve in (first, second)]
    assert moments.tolist() == [0, 1, 3]
    assert curve_distance(*curves, moments, 4.0) == pytest.approx((2 * 0.5 + 1 * 0.5) / 4)


def test_follow_up_ends_where_a_twentieth_is_left():
    curve = SurvivalCurve.of(np.arange(1.0, 41.0), np.zeros(40, dtype=bool))
    assert curve.still_followed(np.ones(40)) == 39


def test_hazard_ratios_are_compared_by_sign_and_interval():
    real = Hazards(value=np.array([1.0, -1, 0.1]), low=np.array([0.5, -2, -1]), high=np.array([1.5, -0.5, 1]))
    own = Hazards(value=np.array([0.2, 1, -1]), low=np.array([-0.5, 0.5, -1.5]), high=np.array([0.7, 1.5, -0.9]))
    assert same_signs(own, real) == 0.5
    assert overlapping(own, real) == pytest.approx(2 / 3)
    assert same_signs(own, Hazards(value=own.value, low=own.value - 9, high=own.value + 9)) is None


def test_second_sample_lies_at_the_ceiling(compare, world, scores):
    pytest.importorskip("lifelines")
    evaluation = judge(compare(world[2], codec=timed()))
    found = scores(evaluation)
    distance = found["utility.survival.distance"]
    assert distance.value == pytest.approx(distance.ceiling, abs=0.02)
    assert distance.value < distance.baseline
    assert abs(found["utility.survival.concordance.drop"].value) < 0.03
    assert found["utility.survival.concordance.real"].value > 0.6
    assert found["utility.survival.hazards.sign"].value > 0.8
    assert found["utility.survival.hazards.overlap"].value > 0.8
    assert [chart.name for chart in evaluation.charts] == ["utility.survival", "utility.survival.hazards"]


def test_independent_columns_teach_no_hazards(compare, world, scores):
    pytest.importorskip("lifelines")
    synthetic = independent_columns(world[0], 1500, np.random.default_rng(4))
    found = scores(judge(compare(synthetic, codec=timed())))
    assert found["utility.survival.concordance.drop"].low > 0
    distance = found["utility.survival.distance"]
    assert distance.value == pytest.approx(distance.baseline, abs=0.03)


def test_weights_and_persons_with_several_rows_are_allowed_for(compare, world):
    """Half of the training rows twice, at half the weight each, are the same table."""
    pytest.importorskip("lifelines")
    train = world[0].iloc[:400]
    people = {part: train for part in ("train", "holdout")}
    plain = compare(train, codec=timed(), **people)
    halves = train.loc[np.repeat(train.index, 2)]
    doubled = compare(train, codec=timed(), holdout=train, train=halves, train_weights=np.full(800, 0.5))
    models = []
    for comparison in (plain, doubled):
        one = followed(comparison, "train")
        models.append(cox.fit_hazards(comparison, "train", one, cox.covariates_of(comparison, one)[:4]))
    # Not quite the same: two halves of a row tie with each other.
    assert models[1].value == pytest.approx(models[0].value, abs=0.05)
    # Rows of one person are no independent evidence: the intervals do not shrink by the root of two.
    assert (models[1].high - models[1].low) / (models[0].high - models[0].low) == pytest.approx(1, abs=0.15)


def test_time_and_event_are_judged_beside_another_task(compare, world, scores, monkeypatch):
    codec = timed(task="binary", target="died", positive="yes")
    monkeypatch.setattr(cox, "MOST_COVARIATES", 2)
    found = scores(judge(compare(world[2], codec=codec), 2))
    assert found["utility.survival.distance"].value >= 0


def test_missing_extra_is_named_and_nothing_fails(compare, world, scores, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(cox, "import_module", absent)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scores(judge(compare(world[2], codec=timed()), 2))
    assert found["utility.survival.distance"].value >= 0
    assert found["utility.survival.concordance.drop"].value is None
    assert "pip install 'medsynth-dp[survival]'" in found["utility.survival.concordance.drop"].sentence


@pytest.mark.parametrize(
    ("utility", "words"), [({"event": "ward"}, "a 1, true or yes"), ({"time": "ward"}, "is no number")]
)
def test_unusable_columns_are_told(compare, world, utility, words):
    comparison = compare(world[2], codec=timed(**utility))
    (score,) = judge(comparison).scores
    assert score.value is None
    assert words in score.sentence
    with pytest.raises(UnusableError, match=words):
        followed(comparison, "train")


def test_negative_and_unknown_times_are_left_out(compare, world):
    frame = world[0].iloc[:5].assign(stay=[1, -1, None, 4, 5], died=["yes", "yes", "no", None, "no"])
    people = followed(compare(frame, codec=timed()), "synthetic")
    assert people.times.tolist() == [1, 5]
    assert people.events.tolist() == [True, False]
