import time

import numpy as np
import pytest

from medsynth.encoding.domain import Level
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain
from medsynth.models.triangulation import clique_cells, tree_cells


def chains_of(number: int, *sizes: int) -> list[Chain]:
    fine = sizes[-1]
    levels = [
        Level(attribute="x", groups=(np.arange(fine) * size // fine).astype(np.int32), size=size) for size in sizes
    ]
    return [Chain(attribute="x", levels=tuple(levels)) for _ in range(number)]


def test_a_coarser_node_costs_nothing_beside_the_finer_one():
    chains = chains_of(2, 2, 4, 8)
    assert clique_cells(chains, [(0, 2), (0, 0), (1, 1)]) == 8 * 4


def test_a_path_of_pairs_needs_the_cells_of_its_pairs():
    chains = chains_of(4, 10)
    assert tree_cells(chains, [[(0, 0), (1, 0)], [(1, 0), (2, 0)], [(2, 0), (3, 0)]], cap=300) == 300


def test_a_cycle_of_four_needs_two_triangles():
    chains = chains_of(4, 10)
    cycle = [[(0, 0), (1, 0)], [(1, 0), (2, 0)], [(2, 0), (3, 0)], [(3, 0), (0, 0)]]
    assert tree_cells(chains, cycle, cap=10_000) == 2000


def test_levels_of_one_attribute_meet_at_the_coarser_level():
    chains = chains_of(3, 2, 8)
    tree = JunctionTree.build(chains, [[(0, 1), (1, 1)], [(0, 0), (2, 1)]])
    assert sorted(tree.cliques) == [((0, 0), (2, 1)), ((0, 1), (1, 1))]
    assert tree.separators[1] == ((0, 0),)
    assert tree.cells == 8 * 8 + 2 * 8


def test_a_tree_above_the_cap_is_none():
    chains = chains_of(3, 10)
    triangle = [[(0, 0), (1, 0)], [(1, 0), (2, 0)], [(0, 0), (2, 0)]]
    assert tree_cells(chains, triangle, cap=999) is None
    assert tree_cells(chains, triangle, cap=1000) == 1000


def test_an_attribute_in_no_clique_enters_alone_at_its_finest_level():
    tree = JunctionTree.build(chains_of(2, 2, 8), [[(0, 0)]])
    assert sorted(tree.cliques) == [((0, 0),), ((1, 1),)]
    assert tree.finest == (0, 1)


def test_no_attributes_give_one_empty_clique():
    tree = JunctionTree.build([], [])
    assert (tree.cliques, tree.cells) == (((),), 1)


@pytest.mark.parametrize("seed", range(40))
def test_every_tree_holds_its_cliques_has_running_intersection_and_the_cells_foretold(seed):
    rng = np.random.default_rng(seed)
    chains = chains_of(7, 2, 3, 6, 12)
    cliques = [
        [(int(a), int(rng.integers(0, 4))) for a in rng.choice(7, rng.integers(1, 4), replace=False)]
        for _ in range(rng.integers(1, 10))
    ]
    tree = JunctionTree.build(chains, cliques)
    assert tree.runs_through
    assert all(tree.holds(clique) for clique in cliques)
    assert tree_cells(chains, cliques, cap=10**12) == tree.cells
    assert all(0 <= parent < child for child, parent in enumerate(tree.parents) if child)
    assert not any(
        i != j and all(dict(other).get(a, -1) >= level for a, level in clique)
        for i, clique in enumerate(tree.cliques)
        for j, other in enumerate(tree.cliques)
    )


def test_a_size_test_at_forty_six_attributes_takes_milliseconds():
    rng = np.random.default_rng(0)
    chains = chains_of(46, 2, 4, 8, 16)
    cliques: list[list[tuple[int, int]]] = []
    durations = []
    for _ in range(150):
        pair = [(int(a), int(rng.integers(0, 3))) for a in rng.choice(46, 2, replace=False)]
        began = time.perf_counter()
        fits = tree_cells(chains, [*cliques, pair], cap=200_000)
        durations.append(time.perf_counter() - began)
        cliques += [pair] if fits else []
    # About 1 ms on an idle core; the bound leaves room for a busy machine.
    assert np.median(durations) < 0.02
