from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medsynth.errors import UsageError
from medsynth.models.base import RareKnowledge
from medsynth.models.rare_groups import BELOW
from medsynth.sampling.draw import WEIGHT, Drawing, draw
from medsynth.sampling.how import MOST_ROWS, MOST_WRITTEN, generator, require_drawable, require_rows
from medsynth.sampling.repair import lawful, ruled_out


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
        {"kind": "pretty"},
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_model_exists(wrong, codec):
    options = {"n": 10, "seed": 1, "where": None, "upsample": None} | wrong
    with pytest.raises(UsageError):
        require_drawable(codec, options.pop("n"), **options)


@pytest.mark.parametrize("most", [MOST_ROWS, MOST_WRITTEN])
def test_too_few_rows_and_too_many_are_refused_with_the_fix_for_each(most):
    with pytest.raises(UsageError, match=r"-n -5: the number of rows to draw must not be negative\. Take") as few:
        require_rows(-5, most=most)
    assert "seeds" not in str(few.value)
    assert "medsynth sample" not in str(few.value)
    with pytest.raises(UsageError, match="`medsynth sample` writes more" if most == MOST_ROWS else "several tables"):
        require_rows(most + 1, most=most)


def test_no_seed_gives_other_rows_each_time(table, codec):
    one, other = (draw(table, codec, 200, generator(None)).frame for _ in range(2))
    assert not one.equals(other)


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 64 rows."""
    monkeypatch.setattr("medsynth.sampling.draw.CHUNK", 64)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 640])
def test_chunks_hold_all_rows_with_running_identifiers(n, table, codec):
    drawing = Drawing(table, codec, n, np.random.default_rng(1))
    frames = list(drawing)
    assert len(frames) == drawing.chunks == max(1, -(-n // 64))
    assert [len(frame) for frame in frames[:-1]] == [64] * (len(frames) - 1)
    keys = pd.concat(frames)["key"].tolist()
    assert keys == [f"R-{number:03d}" for number in range(1, n + 1)]
    assert drawing.summary.rows == n


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("kind", ["edited", "random"])
def test_a_longer_draw_begins_with_the_whole_chunks_of_a_shorter_one(kind, table, codec):
    short, long = (drawn(table, codec, n, kind=kind).frame for n in (200, 500))
    pd.testing.assert_frame_equal(short.iloc[:192], long.iloc[:192])


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("options", [{}, {"where": "old == 'yes'"}, {"upsample": {"ill": 0.37, "old": 0.5}}])
def test_equal_seeds_give_equal_rows_over_many_chunks(options, table, codec):
    first, again = (drawn(table, codec, 500, **options) for _ in range(2))
    pd.testing.assert_frame_equal(first.frame, again.frame)
    assert first.rare_shares == again.rare_shares


@pytest.mark.usefixtures("small_chunks")
def test_shares_and_weights_hold_over_all_chunks(table, codec):
    result = drawn(table, codec, 1_000, upsample={"ill": 0.37})
    ill = result.frame["ill"] == "yes"
    assert ill.sum() == 370
    assert result.rare_shares["ill"] == 0.37
    assert result.frame[WEIGHT].mean() == pytest.approx(1.0)
    assert result.frame[WEIGHT].nunique() == 2
    assert np.average(ill, weights=result.frame[WEIGHT]) == pytest.approx(0.2)
    # Every chunk has its part: 23.7 of 64 rows, never off by a row.
    for begun in range(0, 960, 64):
        assert 23 <= ill.iloc[begun : begun + 64].sum() <= 25


@pytest.mark.usefixtures("small_chunks")
def test_no_rule_is_broken_in_any_chunk_and_repairs_add_up(table, codec):
    result = drawn(table, codec, 2_000)
    assert lawful(result.frame, codec).all()
    # A quarter of the fifth that is ill; five standard deviations.
    assert abs(result.repaired - 0.05) < 5 * np.sqrt(0.05 * 0.95 / 2_000)


def test_an_unknown_kind_of_draw_is_refused(table, codec):
    with pytest.raises(UsageError, match="edited, random"):
        drawn(table, codec, kind="pretty")


def test_more_rows_than_memory_takes_are_refused_and_said_where_to_go(table, codec):
    with pytest.raises(UsageError, match="medsynth sample"):
        draw(table, codec, MOST_ROWS + 1, np.random.default_rng(0))
    assert Drawing(table, codec, MOST_ROWS + 1, np.random.default_rng(0)).chunks > 1


def test_rules_over_whole_cells_are_told_to_the_edit(codec):
    (ruled,) = ruled_out(codec)
    # Columns old, ill, ward: ill and in ward d.
    rows = np.array([[0, 1, 3], [1, 1, 3], [0, 0, 3], [0, 1, 2]], dtype=np.int32)
    assert ruled.mask(rows).tolist() == [True, True, False, False]


def test_a_condition_below_the_noise_is_raised_by_force_alone_and_then_marked(table, codec):
    unknown = replace(table, known={"ill": RareKnowledge(grade=BELOW, expected_error=None, columns=0)})
    with pytest.raises(UsageError, match=r"below the noise.*--force"):
        drawn(unknown, codec, upsample={"ill": 0.5})
    forced = drawn(unknown, codec, upsample={"ill": 0.5}, force=True)
    assert (forced.unsupported, forced.upsampled[0].drawn) == (("ill",), 0.5)
    # What is not raised is not refused, and what is known a little is not marked.
    assert drawn(unknown, codec, upsample={"old": 0.5}).unsupported == ()
    weak = replace(table, known={"ill": RareKnowledge(grade="weak", expected_error=0.2, columns=2)})
    assert drawn(weak, codec, upsample={"ill": 0.5}).unsupported == ()


def test_records_that_all_lie_below_the_noise_are_asked_for_by_force_alone_and_then_marked(table, codec):
    unknown = replace(table, known={"ill": RareKnowledge(grade=BELOW, expected_error=None, columns=0)})
    where = codec.schema.rare[[rare.name for rare in codec.schema.rare].index("ill")].where
    with pytest.raises(UsageError, match=r"--where: every record asked for is in ill.*--force"):
        drawn(unknown, codec, n=10, where=where)
    drawing = Drawing(unknown, codec, 10, np.random.default_rng(1), where=where, force=True)
    assert drawing.said["where"] == where
    assert "ill was asked for" in drawing.said["fiction"][0]
    assert drawn(table, codec, n=10, where=where) is not None


def test_a_file_says_what_was_raised_from_where(table, codec):
    said = Drawing(table, codec, 100, np.random.default_rng(1), upsample={"ill": 0.4}).said
    assert said["upsampled"]["ill"]["target"] == 0.4
    assert 0 < said["upsampled"]["ill"]["natural"] < 0.4
    assert "_weight" in said["weights_note"]
