from itertools import pairwise

import numpy as np
import pytest

from medsynth.encoding.binning import (
    finer_starts,
    quantile_starts,
    refined,
    shared_cells,
    significant_runs,
    stands_out,
    trimmed,
)


def test_hardly_any_run_of_an_empty_grid_stands_out() -> None:
    # At most 1 in 1,000 grids has one; 1,000 grids have more than 9 with probability below 1.2e-7 (binomial).
    rng = np.random.default_rng(1)
    found = sum(bool(significant_runs(rng.normal(0, 3.0, 108), 3.0)) for _ in range(1000))
    assert found <= 9


def test_runs_are_disjoint_ascend_and_stand_out() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        noisy = rng.normal(rng.gamma(0.5, 10, 77), 4.0)
        runs = significant_runs(noisy, 4.0)
        assert all(a[1] <= b[0] for a, b in pairwise(runs))
        assert all(noisy[a:b].sum() > stands_out(77) * 4.0 * np.sqrt(b - a) for a, b in runs)


def test_few_persons_spread_over_many_cells_still_stand_out_together() -> None:
    # 4.3 deviations for 64 cells. Of 4, two cells hold 8 > 6.1, one 4 < 4.3; of 2, eight hold 16 > 12.2, four 8 < 8.6.
    assert [b - a for a, b in significant_runs(np.full(64, 4.0), 1.0)] == [2] * 32
    assert [b - a for a, b in significant_runs(np.full(64, 2.0), 1.0)] == [8] * 8


def test_finer_cells_follow_the_mass_and_are_no_finer_than_ticks() -> None:
    parts = shared_cells(np.array([10.0, 30.0, -5.0]), np.array([4, 100, 9]), 40)
    assert parts.tolist() == [4, 30, 1]
    assert shared_cells(np.array([-1.0, -2.0]), np.array([4, 4]), 40).tolist() == [1, 1]
    assert finer_starts(np.array([-8, -4, 0, 2**53]), np.array([2, 1, 2])).tolist() == [-8, -6, -4, 0, 2**52]


def test_bins_of_equal_mass_by_hand() -> None:
    # 16 cells of 10 persons in 4 bins: 40 each, at cells 0, 4, 8, 12.
    assert quantile_starts(np.full(16, 10.0), 0.01, 4) == [0, 4, 8, 12]
    # A heap of 100 among 10s keeps a bin of its own; the share is 190 / 4.
    heap = np.full(10, 10.0)
    heap[5] = 100.0
    assert quantile_starts(heap, 0.01, 4) == [0, 4, 5, 6]


def test_bins_are_no_finer_than_the_noise_allows() -> None:
    few = quantile_starts(np.full(64, 10.0), 20.0, 64)
    many = quantile_starts(np.full(64, 10.0), 0.1, 64)
    assert len(few) <= 2 < len(many) == 64


def test_known_borders_stay_where_nothing_stands_out() -> None:
    assert quantile_starts(np.full(8, 1.0), 100.0, 8, borders=[4]) == [0, 4]


@pytest.mark.parametrize("bins", [1, 3, 64])
def test_bins_number_at_most_about_what_was_asked(bins: int) -> None:
    rng = np.random.default_rng(bins)
    starts = quantile_starts(rng.gamma(0.3, 50, 200), 0.01, bins)
    # Neighbouring bins hold more than a share together, so there are at most twice as many.
    assert starts[0] == 0
    assert len(starts) <= 2 * bins + 1


def test_an_empty_end_is_cut_and_a_full_one_is_not() -> None:
    noisy = np.array([0.0, 0.3, 40, 40, 40, 40, 40, 2.0, 0.0, 0.2])
    assert trimmed(noisy, 1.0, [(0, 10)]) == (2, 8)
    # No run stands out in the outermost parts, but they hold more than noise, as the coarse grid has found.
    spread = np.array([1.5, 1.5, 1.5, 50, 50, 1.5, 1.5, 1.5])
    assert trimmed(spread, 1.0, [(0, 3), (3, 5), (5, 8)]) == (0, 8)


def test_a_part_that_is_not_confirmed_is_left_out() -> None:
    noisy = np.array([0.0, 0, 0, 50, 50, 0, 0, 0, 1.0])
    assert trimmed(noisy, 1.0, [(0, 3), (3, 5), (8, 9)]) == (3, 5)
    assert trimmed(np.zeros(9), 1.0, [(0, 3), (8, 9)]) == (0, 9)


def test_what_the_search_could_not_tell_apart_is_cut_evenly_and_a_heap_is_not() -> None:
    # 100 persons in 10 bins: a share is 10. A bin of 60 over 30 ticks gives 6, a heap on one tick stays, 10 give 1.
    assert refined(np.array([0, 30, 31, 40]), np.array([60.0, 30.0, 10.0]), 10).tolist() == [
        0,
        5,
        10,
        15,
        20,
        25,
        30,
        31,
    ]
    equal = np.array([0, 4, 8, 12])
    assert refined(equal, np.full(3, 5.0), 3).tolist() == equal[:-1].tolist()
