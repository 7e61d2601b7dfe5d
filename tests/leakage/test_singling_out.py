import numpy as np
import pandas as pd
import pytest

from medsynth.leakage.predicates import Range, Sorted
from medsynth.leakage.singling_out import HIGHEST, SinglingOut, multivariate, univariate
from medsynth.leakage.values import MISSING
from medsynth.score import Edition

TABLE = np.array([[1.0, 0.0], [1.0, -5.0], [2.0, MISSING], [2.0, 0.0], [2.0, 3.0]])
NUMERIC = np.array([False, True])


def evaluate(comparison):
    return SinglingOut().evaluate(comparison, np.random.default_rng(0))


def test_predicates_match_what_a_reader_would_match():
    table = Sorted(TABLE)
    assert sorted(table.matches([Range(0, 2.0, 2.0)])) == [2, 3, 4]
    assert sorted(table.matches([Range(0, 2.0, 2.0), Range(1, 0.0, HIGHEST)])) == [3, 4]
    assert table.matches([Range(1, -HIGHEST, -4.0)]).tolist() == [1]  # the missing cell is no small number
    assert table.isolated([[Range(1, 3.0, 3.0)], [Range(0, 1.0, 1.0)], [Range(0, 7.0, 7.0)]]).tolist() == [4, -1, -1]


def test_single_values_and_ends_make_the_predicates_of_one_column():
    found = {tuple(predicate[0]) for predicate in univariate(TABLE, NUMERIC, 100, np.random.default_rng(0))}
    assert found == {(1, -5.0, -5.0), (1, 3.0, 3.0), (1, -HIGHEST, -5.0), (1, 3.0, HIGHEST)}


def test_joined_predicates_hold_for_one_released_row_alone():
    rng = np.random.default_rng(1)
    table = Sorted(rng.integers(0, 3, (200, 8)).astype(float))
    predicates = multivariate(table, np.arange(8) % 2 == 0, 50, rng)
    assert len(predicates) == 50
    assert (table.isolated(predicates) >= 0).all()


def test_rows_with_a_twin_give_no_predicate():
    twins = Sorted(np.repeat(np.arange(10.0)[:, None], 2, axis=0))
    assert multivariate(twins, np.array([False]), 5, np.random.default_rng(0)) == []


def test_full_copy_is_singled_out_and_guessing_blindly_is_not(compare, world, scores):
    found = scores(evaluate(compare(world[0])))
    for kind in ("univariate", "multivariate"):
        assert found[f"leak.singling_out.{kind}.p"].value < 1e-9
        assert found[f"leak.singling_out.{kind}.excess"].low > 0.5
    assert "Blind guessing: 0." in found["leak.singling_out.univariate.excess"].sentence


@pytest.mark.parametrize("part", [1, 2], ids=["holdout", "second sample"])
def test_tables_without_memory_of_train_pass(compare, world, scores, part):
    # Each p-value falls below 0.001 for one fresh draw in 1,000; this one is fixed.
    found = scores(evaluate(compare(world[part])))
    for kind in ("univariate", "multivariate"):
        assert found[f"leak.singling_out.{kind}.p"].value > 0.001


def test_a_value_to_the_cent_that_is_one_persons_alone_is_a_leak(compare, world, scores):
    # Right shares and no association, yet every charge is somebody's.
    rng = np.random.default_rng(2)
    shuffled = world[2].assign(charge=rng.permutation(world[0]["charge"].to_numpy()))
    found = scores(evaluate(compare(shuffled)))
    assert found["leak.singling_out.univariate.p"].value < 1e-9
    assert found["leak.singling_out.multivariate.p"].value > 0.001


def test_person_met_by_many_predicates_counts_once(compare, world, scores):
    # One person of train stands behind every released row that is not a stranger's: all differ in one cell from theirs.
    person = world[0].iloc[[0] * 60].assign(charge=np.arange(60) + 90_000.0)
    found = scores(evaluate(compare(pd.concat([world[2].iloc[:500], person], ignore_index=True))))
    assert found["leak.singling_out.multivariate.p"].value > 0.001


def test_table_of_missing_cells_or_without_rows_is_told(compare, world):
    assert [score.value for score in evaluate(compare(world[2].iloc[:0])).scores] == [None] * 4
    empty = world[2].assign(**{name: None for name in world[2].columns})
    assert [score.value for score in evaluate(compare(empty)).scores] == [None] * 4


def test_everything_is_internal(compare, world):
    assert {score.edition for score in evaluate(compare(world[2])).scores} == {Edition.INTERNAL}
