"""Nested levels: worked cases and nestedness for any mass."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.encoding.domain import Attribute
from medsynth.models.levels import LARGE, Chain, nested_chain


def groups(chain: Chain) -> list[list[int]]:
    return [level.groups.tolist() for level in chain.levels]


def test_nominal_chain_peels_off_the_heaviest_cell() -> None:
    attribute = Attribute(name="ward", size=6)
    chain = nested_chain(attribute, np.array([1.0, 8.0, 2.0, 0.0, 4.0, 3.0]))
    # 8 leaves first, then 4 from the rest, then 3; equal parts of a group stay neighbours.
    assert groups(chain) == [
        [1, 0, 1, 1, 1, 1],
        [2, 0, 2, 2, 1, 2],
        [3, 0, 3, 3, 1, 2],
        [0, 1, 2, 3, 4, 5],
    ]


def test_ordered_chain_cuts_at_the_mass_median() -> None:
    attribute = Attribute(name="age", size=6, ordered=6)
    chain = nested_chain(attribute, np.array([1.0, 1.0, 4.0, 3.0, 2.0, 1.0]))
    assert groups(chain)[:2] == [[0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 2]]


def test_heavy_missing_cell_leaves_an_ordered_column_first() -> None:
    attribute = Attribute(name="age", size=5, ordered=4)
    chain = nested_chain(attribute, np.array([1.0, 1.0, 1.0, 1.0, 6.0]))
    assert groups(chain)[0] == [0, 0, 0, 0, 1]


def test_light_missing_cell_stays_with_the_lighter_side() -> None:
    attribute = Attribute(name="age", size=5, ordered=4)
    chain = nested_chain(attribute, np.array([4.0, 5.0, 9.0, 8.0, 0.5]))
    assert groups(chain)[0] == [0, 0, 1, 1, 0]


def test_public_hierarchy_is_split_before_its_branches() -> None:
    blocks = np.array([0, 0, 1, 1, 2, 2, 3, 3], dtype=np.int32)
    chapters = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=np.int32)
    attribute = Attribute(name="dx", size=8, hierarchy=(blocks, chapters))
    chain = nested_chain(attribute, np.array([1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0, 1.0]))
    assert groups(chain)[0] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert groups(chain)[1] == [1, 1, 0, 0, 2, 2, 2, 2]


def test_one_cell_is_one_level() -> None:
    assert groups(nested_chain(Attribute(name="x", size=1), np.zeros(1))) == [[0]]


def test_large_attribute_never_works_at_its_finest_level() -> None:
    chain = nested_chain(Attribute(name="dx", size=1000), np.arange(1000.0))
    assert chain.sizes[chain.working] == LARGE
    assert chain.sizes[-1] == 1000


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_level_is_a_union_of_groups_of_the_next(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 90))
    ordered = data.draw(st.sampled_from([0, size, max(size - 2, 0)]))
    mass = np.array(data.draw(st.lists(st.floats(0, 1e6), min_size=size, max_size=size)))
    block = np.arange(size, dtype=np.int32) // 7
    hierarchy = (block, block // 3) if data.draw(st.booleans()) else ()
    chain = nested_chain(Attribute(name="x", size=size, ordered=ordered, hierarchy=hierarchy), mass)
    assert all(np.diff(chain.sizes) > 0)
    for fine in range(len(chain.levels)):
        assert set(chain.levels[fine].groups) == set(range(chain.sizes[fine]))
        for coarse in range(fine + 1):
            mapped = chain.project(fine, coarse)[chain.levels[fine].groups]
            assert (mapped == chain.levels[coarse].groups).all()
    leading = chain.levels[0].groups[:ordered] if chain.sizes[0] < size else []
    assert ordered in (0, 1) or all(np.diff(leading) >= 0)


@settings(max_examples=20, deadline=None)
@given(mass=st.lists(st.floats(0, 100), min_size=20, max_size=20))
def test_coarser_levels_join_contiguous_runs(mass: list[float]) -> None:
    chain = nested_chain(Attribute(name="x", size=20), np.array(mass))
    for fine in range(len(chain.levels) - 1):
        assert all(np.diff(chain.project(fine, 0)) >= 0)
