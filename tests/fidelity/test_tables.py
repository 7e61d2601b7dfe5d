import numpy as np
import pytest

from medsynth.fidelity.tables import (
    Sample,
    cliques_of,
    fold_distances,
    independent_columns,
    measure_distances,
    shares_of,
    total_variation,
)


def sample(codes, weights=None):
    codes = np.asarray(codes, dtype=np.int32)
    rows = np.arange(len(codes))
    return Sample(
        codes=codes,
        weights=np.ones(len(codes)) if weights is None else np.asarray(weights, dtype=float),
        folds=rows % 8,
        persons=rows,
    )


def test_total_variation_by_hand():
    assert total_variation(np.array([0.5, 0.5, 0.0]), np.array([0.2, 0.5, 0.3])) == pytest.approx(0.3)


def test_distances_with_folds_left_out_by_hand():
    first, second = sample([[0], [0], [1], [1]]), sample([[0], [1], [1], [1]])
    whole, *left_out = fold_distances(first, second, [(0,)], [2])
    # Halves against a quarter and the rest; without the first rows 1/3 and 2/3 against 0 and 1.
    assert whole == pytest.approx(0.25)
    assert left_out == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3, 0.25, 0.25, 0.25, 0.25])


def test_shares_are_weighted():
    shares = shares_of(sample([[0, 0], [0, 1], [1, 1]], [1, 1, 2]), (0, 1), [2, 2])
    assert shares.tolist() == [0.25, 0.25, 0.0, 0.5]


def test_distances_by_hand():
    rng = np.random.default_rng(0)
    equal = sample([[0, 0], [1, 1]] * 40)
    crossed = sample([[0, 1], [1, 0]] * 40)
    found = measure_distances(equal, equal, crossed, cliques=[(0,), (0, 1)], sizes=[2, 2], rng=rng)
    assert found.train.tolist() == [0.0, 1.0]
    assert found.second.tolist() == [0.0, 0.0]
    assert found.size_ratio == 1.0
    assert found.floor_train[1] == pytest.approx(0.5, abs=0.15)


def test_leaving_out_a_fold_gives_the_distance_of_the_rest():
    rng = np.random.default_rng(0)
    half = sample([[0]] * 8 + [[1]] * 8)
    most = sample([[0]] * 16)
    found = measure_distances(half, half, most, cliques=[(0,)], sizes=[2], rng=rng)
    assert found.left_out[0, :, 0] == pytest.approx(np.full(8, 0.5))


def test_independent_columns_keep_shares_and_break_dependence():
    # 20,000 rows: a share of 0.5 is off by more than 0.02 with probability below 1e-7.
    tied = sample([[0, 0], [1, 1]] * 100)
    free = independent_columns(tied, 20_000, np.random.default_rng(1))
    assert shares_of(free, (0, 1), [2, 2]) == pytest.approx(np.full(4, 0.25), abs=0.02)


def test_size_ratio_says_that_a_larger_second_sample_lies_nearer():
    # Distances scale as sqrt(1/n_train + 1/n): sqrt(2) against sqrt(5).
    rng = np.random.default_rng(2)
    train = sample(rng.integers(0, 10, size=(4000, 3)))
    holdout = sample(rng.integers(0, 10, size=(1000, 3)))
    synthetic = sample(rng.integers(0, 10, size=(4000, 3)))
    found = measure_distances(train, holdout, synthetic, cliques=[(0, 1), (0, 2), (1, 2)], sizes=[10] * 3, rng=rng)
    assert found.size_ratio == pytest.approx(np.sqrt(2 / 5), rel=0.1)


def test_all_pairs_or_a_random_choice():
    rng = np.random.default_rng(0)
    assert cliques_of(4, 2, 100, rng) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert len(set(cliques_of(20, 3, 50, rng))) == 50
