import numpy as np

from medsynth.encoding.domain import Attribute, Level
from medsynth.fidelity.resolution import at_levels, cell_labels, pair_level, triple_level

BLOCKS = (np.arange(900) // 10).astype(np.int32)
CHAPTERS = (np.arange(900) // 100).astype(np.int32)


def test_small_columns_are_compared_cell_by_cell():
    assert pair_level(Attribute(name="a", size=100)).is_finest
    assert triple_level(Attribute(name="a", size=16)).is_finest


def test_codes_are_compared_at_blocks_in_pairs_and_at_chapters_in_triples():
    code = Attribute(name="dx", size=900, hierarchy=(BLOCKS, CHAPTERS))
    assert pair_level(code).size == 90
    assert triple_level(code).size == 9


def test_large_ordered_columns_are_cut_in_runs_and_keep_their_missing_cells():
    level = pair_level(Attribute(name="n", size=402, ordered=400))
    assert level.size == 102
    assert level.groups[:5].tolist() == [0, 0, 0, 0, 1]
    assert level.groups[-2:].tolist() == [100, 101]
    assert np.all(np.diff(level.groups) >= 0)


def test_large_lists_without_levels_stay_as_they_are():
    assert triple_level(Attribute(name="a", size=300)).is_finest


def test_codes_are_regrouped_by_column():
    halves = Level(attribute="a", groups=np.array([0, 0, 1], dtype=np.int32), size=2)
    grouped = at_levels(np.array([[0], [1], [2]], dtype=np.int32), [halves])
    assert grouped[:, 0].tolist() == [0, 0, 1]


def test_cells_are_called_by_their_values_or_bounds(codec):
    labels = dict(zip(codec.domain.names, map(cell_labels, codec.cells), strict=True))
    assert labels["sex"] == ("F", "M")
    assert labels["stay"][0] == "1"
    assert all(len(labels[name]) == size for name, size in zip(codec.domain.names, codec.domain.sizes, strict=True))
