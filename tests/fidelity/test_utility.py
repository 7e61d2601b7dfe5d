from dataclasses import replace

import numpy as np
import pytest

from medsynth.encoding.codec import Codec
from medsynth.fidelity.beliefs import judged
from medsynth.fidelity.utility import Utility
from medsynth.testing import independent_columns, simulated_schema


def evaluate(comparison, resamples=40):
    return Utility(resamples=resamples).evaluate(comparison, np.random.default_rng(0))


@pytest.fixture(scope="module")
def second(compare, world):
    """The third sample released."""
    return evaluate(compare(world[2]))


def with_target(**utility):
    return Codec(schema=simulated_schema(utility=utility))


def test_training_rows_released_lose_nothing(compare, world, scores):
    found = scores(evaluate(compare(world[0])))
    assert found["utility.auc.drop"].value == 0
    assert found["utility.auc.synthetic"].value == found["utility.auc.real"].value > 0.6
    assert found["utility.auc.real"].baseline == 0.5


def test_independent_columns_teach_nothing(compare, world, scores):
    # The area of a useless model over 390 cases and 1,110 others has a deviation of 0.017.
    synthetic = independent_columns(world[0], 1500, np.random.default_rng(1))
    found = scores(evaluate(compare(synthetic)))
    assert found["utility.auc.synthetic"].value == pytest.approx(0.5, abs=0.08)
    assert found["utility.auc.drop"].low > 0
    assert "loses" in found["utility.auc.drop"].sentence


def test_second_sample_is_worth_as_much_as_train(second, world, scores):
    found = scores(second)
    for name in ("utility.auc.drop", "utility.linear.auc.drop"):
        assert abs(found[name].value) < 0.06
    assert found["utility.auprc.real"].baseline == pytest.approx((world[1]["died"] == "yes").mean())


def test_curves_are_drawn_for_binary_targets(second):
    charts = {chart.name: chart for chart in second.charts}
    roc, calibration = charts["utility.roc"], charts["utility.calibration"]
    assert roc.arrays["synthetic"][-1] == 1
    assert list(roc.arrays["real"]) == sorted(roc.arrays["real"])
    assert len(calibration.labels) == len(calibration.arrays["observed"]) == 10


def test_classes_are_judged_one_against_the_rest(compare, world, scores):
    codec = with_target(target="ward", task="multiclass")
    train, holdout, synthetic = (frame.iloc[:500] for frame in world)
    found = scores(evaluate(compare(synthetic, train=train, holdout=holdout, codec=codec), 2))
    assert found["utility.auc.real"].value > 0.6
    assert found["utility.auprc.real"].baseline == pytest.approx(0.2)


def test_numbers_are_judged_by_the_variance_explained(compare, world, scores):
    codec = with_target(target="stay", task="regression")
    found = scores(evaluate(compare(world[2], codec=codec), 2))
    assert 0.1 < found["utility.r2.synthetic"].value < 1
    assert found["utility.r2.real"].baseline == 0


def test_excluded_columns_are_no_features(compare, world):
    left = ["age", "stay", "charge", "ward", "sex", *(f"chronic_{n}" for n in range(1, 9))]
    codec = with_target(target="died", positive="yes", exclude=left)
    found = evaluate(compare(world[2], codec=codec))
    assert [score.value for score in found.scores] == [None]
    assert "no column is left" in found.scores[0].sentence


def test_synthetic_table_with_one_class_scores_as_guessing(compare, world, scores):
    synthetic = world[2][world[2]["died"] == "no"]
    found = scores(evaluate(compare(synthetic), 2))
    assert found["utility.auc.synthetic"].value == 0.5


def test_holdout_with_one_class_is_told_and_not_scored(compare, world):
    holdout = world[1][world[1]["died"] == "no"]
    found = evaluate(compare(world[2], holdout=holdout))
    assert [score.value for score in found.scores] == [None]


def test_schema_without_a_target_scores_nothing(compare, world):
    codec = Codec(schema=simulated_schema(utility=None))
    assert evaluate(compare(world[2], codec=codec)).scores == ()


def test_shuffled_target_loses_and_is_badly_calibrated(compare, world, scores):
    rng = np.random.default_rng(5)
    synthetic = world[2].assign(died=rng.permutation(world[2]["died"]))
    found = scores(evaluate(compare(synthetic)))
    for prefix in ("", "linear.", "forest."):
        assert found[f"utility.{prefix}auc.drop"].low > 0
        assert found[f"utility.{prefix}brier.gap"].value > 0
    assert found["utility.forest.brier.gap"].low > 0
    assert found["utility.slope.synthetic"].value < 0.5 * found["utility.slope.real"].value


def test_headline_is_a_sentence_about_the_protected_persons(compare, world, scores):
    schema = simulated_schema()
    privacy = schema.privacy.model_copy(update={"noun": "patient"})
    codec = Codec(schema=schema.model_copy(update={"privacy": privacy}))
    sentence = scores(evaluate(compare(world[0], codec=codec)))["utility.auc.drop"].sentence
    told = "A model trained on this table loses 0.000 AUC on real patients, 95 % interval 0.000 to 0.000"
    assert sentence.startswith(told)


def test_calibration_stands_between_guessing_and_the_real_model(second, scores):
    found = scores(second)
    share = found["utility.auprc.real"].baseline
    assert found["utility.brier.real"].baseline == pytest.approx(share * (1 - share))
    assert found["utility.brier.synthetic"].ceiling == found["utility.brier.real"].value
    assert 0 <= found["utility.ece.synthetic"].low <= found["utility.ece.synthetic"].value < 0.2
    gap = found["utility.brier.synthetic"].value - found["utility.brier.real"].value
    assert found["utility.brier.gap"].value == pytest.approx(gap)


def test_models_are_trained_once_for_every_evaluator(compare, world):
    comparison = compare(world[0])
    assert judged(comparison) is judged(comparison)
    kept = np.ones(1500, dtype=bool)
    assert judged(comparison.restrict({"synthetic": kept})) is not judged(comparison)
    assert judged(replace(comparison, synthetic=world[2], _codes={})) is not judged(comparison)
