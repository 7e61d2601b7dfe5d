import itertools

import numpy as np
import pytest

from medsynth.collapse.baselines import BASELINES, chow_liu


def chain(n: int, rng: np.random.Generator) -> np.ndarray:
    """a to b to c, each a copy of the one before in nine rows of ten, and d by itself."""
    a = rng.integers(0, 3, n)
    b = np.where(rng.random(n) < 0.9, a, rng.integers(0, 3, n))
    c = np.where(rng.random(n) < 0.9, b, rng.integers(0, 3, n))
    return np.column_stack([a, c, b, rng.integers(0, 40, n)]).astype(np.int32)


def agreement(codes: np.ndarray) -> list[float]:
    return [float((codes[:, i] == codes[:, j]).mean()) for i, j in ((0, 2), (2, 1), (0, 1))]


def test_tree_keeps_the_pairs_that_tell_most_and_what_follows_from_them():
    rng = np.random.default_rng(0)
    codes = chain(20_000, rng)
    drawn = chow_liu(codes, np.ones(len(codes)), 20_000, rng)
    # A share of 20,000 draws lies within 0.02 of its own but once in 10^7.
    assert agreement(drawn) == pytest.approx(agreement(codes), abs=0.02)


@pytest.mark.parametrize("name", BASELINES)
def test_weights_count_and_no_value_is_invented(name):
    codes = np.array([[0, 0], [1, 5], [1, 7]], dtype=np.int32)
    drawn = BASELINES[name](codes, np.array([0.0, 3.0, 1.0]), 4000, np.random.default_rng(1))
    assert {tuple(row) for row in drawn.tolist()} == {(1, 5), (1, 7)}
    # Deviation 0.0068: five of them are missed once in a million.
    assert float((drawn[:, 1] == 5).mean()) == pytest.approx(0.75, abs=0.035)


@pytest.mark.parametrize("name", BASELINES)
def test_refits_without_fresh_records_lose_values_for_good(name):
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 60, (60, 2)).astype(np.int32)
    kept = [set(codes[:, 0].tolist())]
    for _ in range(6):
        codes = BASELINES[name](codes, np.ones(60), 60, rng)
        kept.append(set(codes[:, 0].tolist()))
    assert all(later <= earlier for earlier, later in itertools.pairwise(kept))
    assert len(kept[-1]) < len(kept[0]) / 2
