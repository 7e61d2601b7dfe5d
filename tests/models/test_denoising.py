"""Denoised one-ways: worked cases, and fewer errors than projection alone."""

import numpy as np

from medsynth.encoding.domain import Attribute
from medsynth.models.denoising import (
    denoise_one_way,
    denoise_one_ways,
    shrink_nominal,
    smooth,
)
from medsynth.models.marginals import project_to_simplex
from medsynth.models.pooling import CellCounts


def test_two_cells_are_projected_onto_the_total() -> None:
    found = denoise_one_way(np.array([6.0, -2.0]), 1.0, Attribute(name="sex", size=2), total=5.0)
    assert found.tolist() == [5.0, 0.0]


def test_nonpositive_sum_becomes_a_total_of_one() -> None:
    found = denoise_one_way(np.array([-6.0, -2.0]), 1.0, Attribute(name="sex", size=2))
    assert found.tolist() == [0.0, 1.0]


def test_pure_noise_becomes_flat() -> None:
    noisy = np.array([3.0, 9.0, 1.0, 4.0, 4.0, 7.0, 0.0, 2.0, 6.0])
    found = denoise_one_way(noisy, 50.0, Attribute(name="age", size=9, ordered=9))
    assert np.allclose(found, 4.0, atol=0.1)


def test_a_flat_table_of_a_power_of_two_stays() -> None:
    assert np.allclose(smooth(np.full(16, 7.0), 5.0), 7.0)


def test_smoothing_without_doubt_changes_nothing() -> None:
    steps = np.repeat([0.0, 1e6, 0.0, 3e6], 4)
    assert np.allclose(smooth(steps, 1.0), steps, atol=2.0)


def test_a_cell_far_above_the_noise_stays_as_measured() -> None:
    noisy = np.array([0.3, 90.0, -0.8, 0.1])
    found = shrink_nominal(noisy, 1.0)
    assert found[1] == 90.0
    assert (found >= 0).all()
    assert found[[0, 2, 3]].max() < 0.3


def test_an_empty_block_falls_silent_beside_a_busy_one() -> None:
    blocks = np.repeat(np.array([0, 1], dtype=np.int32), 50)
    truth = np.where(blocks == 0, 2.0, 0.0)
    noisy = truth + np.random.default_rng(0).normal(size=100)
    alone, informed = shrink_nominal(noisy, 1.0), shrink_nominal(noisy, 1.0, blocks)
    assert np.abs(informed - truth).sum() < np.abs(alone - truth).sum()


def test_ordered_denoising_beats_projection() -> None:
    # Smooth truth of 100 cells, noise half a cell's mass; 20 draws: failure probability below 1e-6.
    truth = 1000 * np.exp(-0.5 * ((np.arange(100) - 40) / 15) ** 2)
    attribute = Attribute(name="age", size=100, ordered=100)
    rng = np.random.default_rng(1)
    ratios = []
    for _ in range(20):
        noisy = truth + rng.normal(0, 300, 100)
        kept = denoise_one_way(noisy, 300.0, attribute, total=truth.sum())
        plain = project_to_simplex(noisy, truth.sum())
        ratios.append(np.abs(kept - truth).sum() / np.abs(plain - truth).sum())
    assert np.mean(ratios) < 0.6


def test_nominal_denoising_beats_projection_on_rare_codes() -> None:
    # 600 codes, most of them unused; 10 draws: failure probability below 1e-6.
    truth = np.zeros(600)
    truth[::12] = 4000 / np.arange(1, 51)
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(10):
        noisy = truth + rng.normal(0, 30, 600)
        kept = denoise_one_way(noisy, 30.0, Attribute(name="dx", size=600), total=truth.sum())
        plain = project_to_simplex(noisy, truth.sum())
        ratios.append(np.abs(kept - truth).sum() / np.abs(plain - truth).sum())
    assert np.mean(ratios) < 0.9


def small_columns(columns: int, rng: np.random.Generator) -> tuple[list[Attribute], list[CellCounts]]:
    """Drugs that nearly everybody goes without."""
    attributes = [Attribute(name=f"drug{k}", size=4) for k in range(columns)]
    truth = np.array([970.0, 20.0, 6.0, 4.0])
    return attributes, [
        CellCounts(counts=truth + rng.normal(0, 15, 4), deviations=np.full(4, 15.0)) for _ in attributes
    ]


def test_many_small_columns_share_what_is_rare() -> None:
    # 20 columns, 20 draws: failure probability below 1e-6.
    truth, rng = np.array([970.0, 20.0, 6.0, 4.0]), np.random.default_rng(4)
    ratios = []
    for _ in range(20):
        attributes, counts = small_columns(20, rng)
        pooled = denoise_one_ways(attributes, counts, total=1000.0)
        plain = [project_to_simplex(each.counts, 1000.0) for each in counts]
        ratios.append(np.abs(pooled - truth).sum() / np.abs(np.array(plain) - truth).sum())
    assert np.mean(ratios) < 0.85


def test_a_few_small_columns_are_left_as_measured() -> None:
    attributes, counts = small_columns(3, np.random.default_rng(4))
    found = denoise_one_ways(attributes, counts, total=1000.0)
    for mass, each in zip(found, counts, strict=True):
        assert np.allclose(mass, project_to_simplex(each.counts, 1000.0), atol=1e-3)


def test_noise_makes_no_cell_impossible() -> None:
    attribute = Attribute(name="sex", size=2)
    counts = CellCounts(counts=np.array([60.0, -20.0]), deviations=np.full(2, 9.0))
    (mass,) = denoise_one_ways([attribute], [counts], total=50.0)
    assert 0 < mass[1] < 0.001
    assert np.isclose(mass.sum(), 50.0)
