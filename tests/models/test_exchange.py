"""Rows exchanged for those of a pool: what is wanted is reached, counts stay true, no level is lost."""

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Attribute, IntArray, Level
from medsynth.models.edit import Editor, Limits, PairTarget
from medsynth.models.exchange import _Choice, exchange


def target(table: npt.ArrayLike, i: int = 0, j: int = 1) -> PairTarget:
    values = np.asarray(table, dtype=np.float64)
    rows, columns = (
        Level.finest(Attribute(name=str(k), size=size)) for k, size in zip((i, j), values.shape, strict=True)
    )
    return PairTarget(i=i, j=j, level_i=rows, level_j=columns, table=values)


def codes(*rows: tuple[int, ...]) -> IntArray:
    return np.array(rows, dtype=np.int32)


def chosen(rows: IntArray, pool: IntArray, table: npt.ArrayLike, **options: object) -> list[tuple[int, ...]]:
    gains = Editor([target(table)]).gains(rows)
    found = exchange(rows, pool, gains, np.random.default_rng(0), sizes=np.shape(table), **options)
    return sorted(map(tuple, found.tolist()))


def test_a_row_gives_way_to_the_one_the_table_lacks() -> None:
    assert chosen(codes((0, 0), (0, 0)), codes((1, 1)), [[1, 0], [0, 1]]) == [(0, 0), (1, 1)]


def test_rows_that_meet_their_target_stay() -> None:
    rows = codes((0, 0), (1, 1))
    assert chosen(rows, codes((0, 1), (1, 0), (0, 0), (1, 1)), [[1, 0], [0, 1]]) == [(0, 0), (1, 1)]


def test_the_last_row_of_a_level_stays_whatever_the_table_says() -> None:
    rows, pool = codes((0, 0), (1, 1)), codes((0, 0), (0, 0))
    assert chosen(rows, pool, [[1, 0], [0, 0]]) == [(0, 0), (1, 1)]
    assert chosen(codes((0, 0), (0, 1), (1, 1), (1, 1)), pool, [[1, 0], [0, 0]]).count((1, 1)) >= 1


def test_only_rows_of_one_kind_are_exchanged() -> None:
    rows, pool = codes((0, 0), (0, 0)), codes((1, 1), (0, 1))
    other_kind = (np.array([0, 0]), np.array([1, 1]))
    assert chosen(rows, pool, [[1, 0], [0, 1]], kinds=other_kind) == [(0, 0), (0, 0)]


def test_no_pool_no_rows_and_no_pairs_change_nothing() -> None:
    rows, rng = codes((0, 0)), np.random.default_rng(0)
    gains = Editor([target([[0, 0], [0, 1]])]).gains(rows)
    assert exchange(rows, codes().reshape(0, 2), gains, rng, sizes=(2, 2)).tolist() == [[0, 0]]
    assert exchange(rows[:0], codes((1, 1)), gains, rng, sizes=(2, 2)).tolist() == []
    assert exchange(rows, codes((1, 1)), Editor([]).gains(rows), rng, sizes=(2, 2)).tolist() == [[0, 0]]


def test_costs_after_all_exchanges_are_those_of_the_rows_chosen() -> None:
    rng = np.random.default_rng(3)
    targets = [target(rng.random((3, 4)), 0, 1), target(rng.random((3, 2)), 0, 2), target(rng.random((4, 2)), 1, 2)]
    rows, pool = (np.stack([rng.integers(0, size, n) for size in (3, 4, 2)], 1).astype(np.int32) for n in (60, 300))
    editor = Editor(targets)
    gains = editor.gains(rows)
    before = (gains.surplus() ** 2).sum()
    choice = _Choice(np.concatenate([rows, pool]), 60, gains, (3, 4, 2))
    for place in range(60):
        choice.meet(np.array([place]), 60 + np.arange(5 * place, 5 * place + 5)[None])
    afresh = editor.gains(choice.chosen)
    above = np.triu(np.ones_like(gains.cost, dtype=bool))
    assert np.allclose(gains.cost[above], afresh.cost[above], atol=1e-4)
    assert (afresh.surplus() ** 2).sum() < 0.3 * before


def test_an_edit_that_spares_levels_keeps_the_last_row_and_a_plain_one_loses_it() -> None:
    rows = codes(*[(0, 0)] * 9, (1, 0))
    only_zero = [target([[10, 0], [0, 0]])]
    plain = Editor(only_zero).edit(rows, np.random.default_rng(0))
    spared = Editor(only_zero).edit(rows, np.random.default_rng(0), limits=Limits(spare=True))
    assert plain.max(axis=0).tolist() == [0, 0]
    assert spared.max(axis=0).tolist() == [1, 0]
