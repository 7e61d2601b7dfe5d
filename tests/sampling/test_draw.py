import numpy as np
import pandas as pd
import pytest

from medsynth.errors import UsageError
from medsynth.sampling.draw import MOST_ROWS, WEIGHT, draw, generator, require_drawable
from medsynth.sampling.repair import lawful


def drawn(table, codec, n=1_000, seed=1, **options):
    return draw(table, codec, n, np.random.default_rng(seed), **options)


def test_the_same_generator_gives_the_same_rows_and_another_seed_others(table, codec):
    options = {"upsample": {"ill": 0.5}}
    first, again = (drawn(table, codec, seed=1, **options).frame for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(drawn(table, codec, seed=2, **options).frame)


@pytest.mark.parametrize("n", [1, 10, 999, 1_000])
def test_an_upsampled_share_is_the_one_asked_for_to_the_row(n, table, codec):
    result = drawn(table, codec, n, upsample={"ill": 0.37})
    assert abs((result.frame["ill"] == "yes").sum() - 0.37 * n) < 1
    assert result.upsampled[0].natural == pytest.approx(0.2)
    assert result.upsampled[0].drawn == (result.frame["ill"] == "yes").mean()


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1_000])
def test_weights_have_mean_1_for_any_number_of_rows(n, table, codec):
    weights = drawn(table, codec, n, upsample={"ill": 0.5, "old": 0.5}).frame[WEIGHT]
    assert weights.mean() == pytest.approx(1.0)
    assert (weights > 0).all()


def test_weighted_rows_have_the_natural_share_exactly(table, codec):
    frame = drawn(table, codec, upsample={"ill": 0.5}).frame
    assert np.average(frame["ill"] == "yes", weights=frame[WEIGHT]) == pytest.approx(0.2)


def test_without_upsampling_there_is_no_weight(table, codec):
    assert WEIGHT not in drawn(table, codec).frame


def test_rows_are_shuffled_and_identifiers_run_from_1(table, codec):
    frame = drawn(table, codec, upsample={"ill": 0.5}).frame
    assert frame["key"].tolist() == [f"R-{number:03d}" for number in range(1, 1_001)]
    assert 100 < (frame["ill"].iloc[:500] == "yes").sum() < 400


def test_no_rule_is_broken_and_the_repaired_share_is_said(table, codec):
    for options in ({}, {"where": "ill == 'yes'"}, {"upsample": {"ill": 0.5}}):
        result = drawn(table, codec, 2_000, **options)
        assert lawful(result.frame, codec).all()
        expected = 0.25 * (result.frame["ill"] == "yes").mean()
        # Five standard deviations of a share of at most 1/4 among 2,000.
        assert abs(result.repaired - expected) < 5 * np.sqrt(0.25 * 0.75 / 2_000)


def test_every_row_satisfies_where(table, codec):
    result = drawn(table, codec, where="old == 'yes' and ward in ('a', 'b')", upsample={"ill": 0.9})
    assert (result.frame["old"] == "yes").all()
    assert set(result.frame["ward"]) <= {"a", "b"}
    assert result.where == "old == 'yes' and ward in ('a', 'b')"


def test_no_rows_have_the_columns_of_any(table, codec):
    for options in ({}, {"upsample": {"ill": 0.5}}):
        some, none = (drawn(table, codec, n, **options).frame for n in (5, 0))
        assert list(none) == list(some)
        assert none.dtypes.drop("key").equals(some.dtypes.drop("key"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": -1},
        {"n": MOST_ROWS + 1},
        {"seed": -1},
        {"where": "old =="},
        {"where": "key == 'R-1'"},
        {"upsample": {"nobody": 0.5}},
        {"upsample": {"ill": 1.5}},
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_model_exists(wrong, codec):
    options = {"n": 10, "seed": 1, "where": None, "upsample": None} | wrong
    with pytest.raises(UsageError):
        require_drawable(codec, options.pop("n"), **options)


def test_no_seed_gives_other_rows_each_time(table, codec):
    one, other = (draw(table, codec, 200, generator(None)).frame for _ in range(2))
    assert not one.equals(other)
