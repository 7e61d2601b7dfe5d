"""Edited rows: targets that can be met are met, rules hold, nothing else moves."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, IntArray, Level
from medsynth.models.edit import Editor, Limits, PairTarget, edit_rows


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


def where(**cells: int) -> Condition:
    """Rows with these cells, columns named c0, c1, ...; each column has two."""
    return Condition(boxes=({int(name[1:]): np.arange(2) == cell for name, cell in cells.items()},))


def test_a_cell_that_deserves_a_tenth_of_a_row_gets_one_in_ten_chunks() -> None:
    # 20 rows a chunk: 0.1 of them in cell (1, 1), too little for any chunk alone.
    goal = target([[0.895, 0.05], [0.05, 0.005]])
    rng = np.random.default_rng(0)
    rows = np.array([[0, 0]] * 18 + [[0, 1], [1, 0]], dtype=np.int32)
    alone = sum(counts(edit_rows(rows, [goal], rng), (2, 2))[1][1] for _ in range(40))
    editor = Editor([goal])
    together = np.concatenate([editor.edit(rows, rng) for _ in range(40)])
    assert alone == 0
    found = counts(together, (2, 2))
    assert np.abs(np.array(found) - 800 * goal.table).max() <= 1


def test_chunks_together_meet_the_target_as_rows_edited_at_once_do() -> None:
    rng = np.random.default_rng(1)
    goal = target(rng.random((6, 7)) ** 4)
    rows = np.stack([rng.integers(0, 6, 4000), rng.integers(0, 7, 4000)], axis=1).astype(np.int32)
    editor = Editor([goal])
    chunks = np.concatenate([editor.edit(rows[k : k + 500], rng) for k in range(0, 4000, 500)])
    wanted = 4000 * goal.table / goal.table.sum()
    assert np.abs(np.array(counts(chunks, (6, 7))) - wanted).max() <= 1


def test_booked_rows_count_by_their_weight_worked_by_hand() -> None:
    # 30 rows of weight 1/3 stand for 10 of cell (0, 0); 40 of weight 1 must make up the other 40 of
    # a table of 50 that wants 20, 10, 10, 10.
    goal = target([[20, 10], [10, 10]])
    editor = Editor([goal])
    editor.book(np.zeros((30, 2), dtype=np.int32), 1 / 3)
    edited = editor.edit(np.zeros((40, 2), dtype=np.int32), np.random.default_rng(0), weight=1.0)
    assert counts(edited, (2, 2)) == [[10, 10], [10, 10]]


def test_rows_of_weight_two_are_half_as_many_as_the_target_lacks() -> None:
    goal = target([[20, 20], [20, 20]])
    editor = Editor([goal])
    editor.book(np.array([[0, 0]] * 20 + [[0, 1]] * 4, dtype=np.int32))
    # Of 80 in all, 56 are missing: 16 in (0, 1), 20 in (1, 0), 20 in (1, 1), by 28 rows of weight 2.
    edited = editor.edit(np.zeros((28, 2), dtype=np.int32), np.random.default_rng(0), weight=2.0)
    assert np.abs(np.array(counts(edited, (2, 2))) - [[0, 8], [10, 10]]).max() <= 1


def test_no_move_leaves_the_stratum_even_if_the_target_asks_for_it() -> None:
    goal = [target([[1, 9], [1, 9]]), target(np.ones((2, 2)), 0, 2), target(np.ones((2, 2)), 1, 2)]
    rows = np.zeros((100, 3), dtype=np.int32)
    inside = Limits(within=where(c1=0))
    edited = Editor(goal).edit(rows, np.random.default_rng(0), limits=inside)
    assert not edited[:, 1].any()
    assert edited[:, [0, 2]].any(axis=0).all()
    frozen = Editor(goal).edit(rows, np.random.default_rng(0), limits=Limits(frozen=frozenset({1, 2})))
    assert not frozen[:, 1:].any()
    assert frozen[:, 0].any()


def test_no_move_enters_a_forbidden_combination_of_three_columns() -> None:
    # All pairs want ones everywhere, and only all three ones together are forbidden.
    pairs = [target([[1, 1], [1, 6]], i, j) for i, j in ((0, 1), (0, 2), (1, 2))]
    rows = np.zeros((200, 3), dtype=np.int32)
    limits = Limits(forbidden=[where(c0=1, c1=1, c2=1)])
    editor = Editor(pairs, sweeps=4)
    edited = editor.edit(rows, np.random.default_rng(0), limits=limits)
    assert not edited.all(axis=1).any()
    assert edited.any(axis=0).all()
    free = edit_rows(rows, pairs, np.random.default_rng(0), sweeps=4)
    assert free.all(axis=1).any()


def test_a_stratum_that_divides_a_group_is_kept_cell_by_cell() -> None:
    # Cells 0 1 | 2 3 in two groups; the stratum holds cells 0 and 2.
    groups = np.array([0, 0, 1, 1], dtype=np.int32)
    goal = PairTarget(
        i=0,
        j=1,
        level_i=Level(attribute="0", groups=groups, size=2),
        level_j=Level.finest(Attribute(name="1", size=2)),
        table=np.ones((2, 2)),
    )
    within = Condition(boxes=({0: np.array([True, False, True, False])},))
    rows = np.zeros((400, 2), dtype=np.int32)
    edited = Editor([goal], sweeps=4).edit(rows, np.random.default_rng(0), limits=Limits(within=within))
    assert set(edited[:, 0]) == {0, 2}


def test_what_rows_exceed_is_read_back_exactly_from_many_moves() -> None:
    rng = np.random.default_rng(2)
    goals = [target(rng.random((30, 20)), 0, 1), target(rng.random((30, 9)), 0, 2), target(rng.random((20, 9)), 1, 2)]
    rows = np.stack([rng.integers(0, size, 20_000) for size in (30, 20, 9)], axis=1).astype(np.int32)
    edited_at_once, booked = Editor(goals), Editor(goals)
    booked.book(edited_at_once.edit(rows, np.random.default_rng(3)))
    np.testing.assert_allclose(edited_at_once._surplus, booked._surplus, atol=0.01)
