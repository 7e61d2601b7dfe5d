"""Edited rows: targets that can be met are met, rules hold, nothing else moves."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Attribute, IntArray, Level
from medsynth.models.edit import PairTarget, edit_rows


def target(table: npt.ArrayLike, i: int = 0, j: int = 1) -> PairTarget:
    values = np.asarray(table, dtype=np.float64)
    rows, columns = (
        Level.finest(Attribute(name=str(k), size=size)) for k, size in zip((i, j), values.shape, strict=True)
    )
    return PairTarget(i=i, j=j, level_i=rows, level_j=columns, table=values)


def counts(codes: IntArray, shape: tuple[int, int]) -> list[list[int]]:
    flat = codes[:, 0] * shape[1] + codes[:, 1]
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).tolist()


def test_two_by_two_rows_reach_their_target() -> None:
    rows = np.array([[0, 0]] * 25 + [[0, 1]] * 25 + [[1, 0]] * 25 + [[1, 1]] * 25, dtype=np.int32)
    wanted = [[40, 10], [10, 40]]
    edited = edit_rows(rows, [target(wanted)], np.random.default_rng(0), sweeps=3)
    assert counts(edited, (2, 2)) == wanted
    assert (edited != rows).any(axis=1).sum() == 30
    assert counts(rows, (2, 2)) == [[25, 25], [25, 25]]


def test_targets_of_another_total_are_scaled_to_the_rows() -> None:
    rows = np.zeros((8, 2), dtype=np.int32)
    edited = edit_rows(rows, [target([[0.25, 0.25], [0.25, 0.25]])], np.random.default_rng(0))
    assert counts(edited, (2, 2)) == [[2, 2], [2, 2]]


def test_rows_that_meet_their_target_stay() -> None:
    rows = np.array([[0, 1], [1, 0], [1, 1]], dtype=np.int32)
    edited = edit_rows(rows, [target([[0, 1], [1, 1]])], np.random.default_rng(0))
    assert (edited == rows).all()


def test_coarse_targets_draw_cells_inside_the_new_group() -> None:
    groups = np.array([0, 0, 1, 1, 1], dtype=np.int32)
    coarse = Level(attribute="0", groups=groups, size=2)
    other = Level.finest(Attribute(name="1", size=2))
    goal = PairTarget(i=0, j=1, level_i=coarse, level_j=other, table=np.array([[20.0, 0.0], [20.0, 0.0]]))
    rows = np.zeros((40, 2), dtype=np.int32)
    masses = [np.array([1.0, 0.0, 0.0, 3.0, 0.0]), np.ones(2)]
    edited = edit_rows(rows, [goal], np.random.default_rng(0), masses=masses)
    assert np.bincount(edited[:, 0], minlength=5).tolist() == [20, 0, 0, 20, 0]


def test_no_rows_and_no_targets_are_no_trouble() -> None:
    empty = np.zeros((0, 2), dtype=np.int32)
    assert edit_rows(empty, [target(np.ones((2, 2)))], np.random.default_rng(0)).shape == (0, 2)
    rows = np.ones((3, 2), dtype=np.int32)
    assert (edit_rows(rows, [], np.random.default_rng(0)) == rows).all()
    zero = edit_rows(rows, [target(np.zeros((2, 2)))], np.random.default_rng(0))
    assert zero.shape == (3, 2)


def test_equal_seeds_give_equal_rows() -> None:
    rows = np.random.default_rng(3).integers(0, 3, (500, 2)).astype(np.int32)
    goal = [target([[5, 1, 1], [1, 5, 1], [1, 1, 5]])]
    first, second = (edit_rows(rows, goal, np.random.default_rng(9)) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_no_row_enters_a_cell_that_is_not_allowed() -> None:
    # The targets ask for the forbidden cell (1, 1) more than for any other.
    rows = np.zeros((60, 3), dtype=np.int32)
    allowed = np.array([[True, True], [True, False]])
    banned = replace(target([[1, 1], [1, 9]]), allowed=allowed)
    others = [target(np.ones((2, 2)), 0, 2), target(np.ones((2, 2)), 1, 2)]
    edited = edit_rows(rows, [banned, *others], np.random.default_rng(0), sweeps=4)
    assert not (edited[:, 0] & edited[:, 1]).any()
    assert edited.any(axis=0).all()


def test_a_row_in_a_cell_that_is_not_allowed_leaves_it() -> None:
    rows = np.ones((20, 2), dtype=np.int32)
    allowed = np.array([[True, True], [True, False]])
    banned = replace(target([[1, 1], [1, 9]]), allowed=allowed)
    edited = edit_rows(rows, [banned], np.random.default_rng(0))
    assert not (edited[:, 0] & edited[:, 1]).any()
