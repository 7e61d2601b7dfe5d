import numpy as np
import pytest

from medsynth.leakage.copies import Copies
from medsynth.score import Edition


def evaluate(comparison):
    return Copies().evaluate(comparison, np.random.default_rng(0))


def test_exact_copies_are_counted_by_person(compare, world, scores):
    # 30 of 2,000 training persons are copied, and 10 of 2,000 of the holdout.
    synthetic = _stack(world[2], world[0].iloc[:30], world[1].iloc[:10])
    found = scores(evaluate(compare(synthetic)))
    assert found["leak.copies.exact_excess"].value == pytest.approx(20 / 2000)
    assert "30 of 2,000" in found["leak.copies.exact_excess"].sentence
    assert found["leak.copies.exact_p"].value < 0.01


def test_numbers_are_compared_by_value_not_by_cell(compare, world, scores):
    # Charges moved by a cent stay in their cell: no exact copies, but near ones.
    moved = world[0].assign(charge=(world[0]["charge"] + 0.01).round(2))
    found = scores(evaluate(compare(moved)))
    assert found["leak.copies.exact_excess"].value == 0
    assert found["leak.copies.near_p"].value < 1e-9


def test_copies_written_in_other_types_are_found(compare, world, scores):
    synthetic = world[0].astype(str).assign(charge=world[0]["charge"].astype("Float64"))
    found = scores(evaluate(compare(synthetic)))
    assert found["leak.copies.exact_excess"].value == 1


def test_a_copy_of_the_holdout_is_no_leak_of_train(compare, world, scores):
    found = scores(evaluate(compare(world[1])))
    assert found["leak.copies.exact_excess"].value == -1
    assert found["leak.copies.exact_p"].value == 1


def test_the_smallest_leak_that_would_have_been_seen_is_told(compare, world):
    sentence = evaluate(compare(world[2])).scores[0].sentence
    assert "four times in five" in sentence


def test_too_few_persons_are_told_and_not_scored(compare, world):
    found = evaluate(compare(world[2], holdout=world[1].iloc[:50]))
    assert [score.value for score in found.scores] == [None] * 4


def test_table_without_rows_is_told_and_not_scored(compare, world):
    found = evaluate(compare(world[2].iloc[:0]))
    assert [score.value for score in found.scores] == [None] * 4


def test_everything_is_internal(compare, world):
    found = evaluate(compare(world[2]))
    assert {entry.edition for entry in (*found.scores, *found.charts)} == {Edition.INTERNAL}
    assert len(found.charts[0].arrays["members"]) == len(found.charts[0].labels)


def _stack(*frames):
    import pandas as pd

    return pd.concat(frames, ignore_index=True)
