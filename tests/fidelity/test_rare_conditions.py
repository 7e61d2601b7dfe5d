import numpy as np
import pytest

from medsynth.encoding.codec import Codec
from medsynth.fidelity.rare_conditions import RareConditions
from medsynth.score import Edition
from medsynth.testing import independent_columns, simulated_schema


def evaluate(comparison):
    return RareConditions().evaluate(comparison, np.random.default_rng(0))


def has_it(frame):
    return ((frame["ward"] == "intensive") & (frame["chronic_1"] == "yes")).to_numpy()


def test_shares_are_the_shares_of_rows(compare, world, scores):
    found = scores(evaluate(compare(world[2])))
    for part, frame in zip(("train", "holdout", "synthetic"), world, strict=True):
        score = found[f"rare.intensive.share.{part}"]
        assert score.value == pytest.approx(has_it(frame).mean())
        assert score.low < score.value < score.high


def test_weights_restore_the_share_of_an_upsampled_condition(compare, world, scores):
    train = world[0]
    rows = np.concatenate([np.arange(len(train)), np.repeat(np.flatnonzero(has_it(train)), 3)])
    weights = np.where(has_it(train), 0.25, 1.0)[rows]
    found = scores(evaluate(compare(train.iloc[rows], synthetic_weights=weights / weights.mean())))
    assert found["rare.intensive.share.synthetic"].value > 2 * has_it(train).mean()
    assert "upsampled on purpose" in found["rare.intensive.share.synthetic"].sentence
    assert found["rare.intensive.share.synthetic_weighted"].value == pytest.approx(has_it(train).mean())


def test_only_synthetic_shares_are_shareable(compare, world):
    editions = {score.name: score.edition for score in evaluate(compare(world[2])).scores}
    shareable = {name for name, edition in editions.items() if edition is Edition.SHAREABLE}
    assert shareable == {
        "rare.intensive.share.synthetic",
        "rare.intensive.share.synthetic_weighted",
    }


def test_shareable_shares_do_not_depend_on_private_rows(compare, world):
    kept = [
        [s for s in evaluate(comparison).scores if s.edition is Edition.SHAREABLE]
        for comparison in (
            compare(world[2]),
            compare(world[2], train=world[1].iloc[:5], holdout=world[0].iloc[:0]),
        )
    ]
    assert kept[0] == kept[1]


def test_real_rows_lie_nearer_within_the_condition_than_independent_columns(compare, world, scores):
    real = scores(evaluate(compare(world[2])))
    blind = scores(evaluate(compare(independent_columns(world[0], 1500, np.random.default_rng(0)))))
    for name in ("rare.intensive.tv1.train", "rare.intensive.tv2.train"):
        assert real[name].value < blind[name].value
        assert real[name].value < real[name].baseline


def test_training_rows_have_no_error_within_the_condition(compare, world, scores):
    found = scores(evaluate(compare(world[0])))
    assert found["rare.intensive.tv1.train"].value == pytest.approx(0)


def test_too_few_rows_are_told_and_not_scored(compare, world, scores):
    schema = simulated_schema(rare=[{"name": "nobody", "where": "stay == 30 and age == '0-17'"}])
    found = scores(evaluate(compare(world[2], codec=Codec(schema=schema))))
    assert found["rare.nobody.tv1.train"].value is None
    assert "Too few" in found["rare.nobody.tv1.train"].sentence
