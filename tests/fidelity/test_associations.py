from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kruskal, spearmanr
from scipy.stats.contingency import association

from medsynth.fidelity.association_matrix import Columns, association_matrix, cramers_v, independent, weighted_ranks
from medsynth.fidelity.associations import Associations


def columns(numbers=(), categories=(), weights=None):
    """Numbers first, then categories."""
    n = len((*numbers, *categories)[0])
    weights = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    values = [np.asarray(column, dtype=float) for column in numbers]
    return Columns(
        ranks=np.array([weighted_ranks(column, weights) for column in values]).reshape(len(values), n).T,
        known=np.array([~np.isnan(column) for column in values], dtype=float).reshape(len(values), n).T,
        codes=np.array(categories, dtype=np.int32).reshape(len(categories), n).T,
        sizes=tuple(max(column) + 1 for column in categories),
        places=tuple(range(len(values) + len(categories))),
        weights=weights,
        folds=np.arange(n) % 8,
    )


def of_two(*arguments, **changes):
    matrix = association_matrix(columns(*arguments, **changes))
    assert matrix[0, 1, 0] == matrix[1, 0, 0]
    return matrix[0, 1, 0]


def test_two_categories_worked_by_hand():
    # 30 10 / 10 30: chi-square is 20, over 80 rows 1/4; Bergsma takes 1/79 from it and from the one degree of freedom.
    first = np.repeat([0, 0, 1, 1], [30, 10, 10, 30])
    second = np.repeat([0, 1, 0, 1], [30, 10, 10, 30])
    assert of_two((), (first, second)) == pytest.approx(np.sqrt((1 / 4 - 1 / 79) / (1 - 1 / 79)))


def test_a_number_and_a_category_worked_by_hand():
    # Ranks 1 2 | 3 4: between groups 4 of 5 squares; corrected 1 - (1/5) (3/2) = 0.7.
    assert of_two(([10, 20, 30, 90],), ([0, 0, 1, 1],)) == pytest.approx(np.sqrt(0.7))


def test_two_numbers_that_fall_and_rise_together_or_not():
    assert of_two(([1, 2, 3], [10, 50, 51])) == pytest.approx(1)
    assert of_two(([1, 2, 3], [9, 8, -5])) == pytest.approx(-1)
    assert of_two(([1, 2, 3], [4, 4, 4])) == 0


def test_a_constant_column_has_nothing_in_common():
    assert of_two(([5, 5, 5, 5],), ([0, 0, 1, 1],)) == 0
    assert of_two((), ([0, 0, 0, 0], [0, 1, 0, 1])) == 0


def test_rows_without_the_number_are_left_out():
    known = of_two(([1, 2, 3, 9],), ([0, 0, 1, 1],))
    assert of_two(([1, 2, 3, 9, np.nan],), ([0, 0, 1, 1, 0],)) == pytest.approx(known)


def test_measures_agree_with_scipy():
    rng = np.random.default_rng(0)
    number, other = rng.integers(0, 30, (2, 500))
    other = other + number
    groups = (number + rng.integers(0, 30, 500)) // 15
    assert of_two((number, other)) == pytest.approx(spearmanr(number, other).statistic)
    # Kruskal and Wallis' H over n - 1 is the share of rank variance between groups, before the correction.
    kinds = groups.max() + 1
    share = kruskal(*(number[groups == kind] for kind in range(kinds))).statistic / 499
    assert of_two((number,), (groups,)) ** 2 == pytest.approx(1 - (1 - share) * 499 / (500 - kinds))
    table = np.histogram2d(groups, number // 10, bins=(kinds, 3))[0]
    many = cramers_v(table[..., None] * 1e6, np.array([500e6]))[0]  # so many rows that nothing is corrected
    assert many == pytest.approx(association(table.astype(int), method="cramer"), abs=1e-4)


def test_weights_count_like_repeated_rows_but_for_the_correction():
    rows = [0, 1, 2, 3, 3, 3]
    number, groups = np.array([4.0, 1.0, 3.0, 7.0]), np.array([0, 1, 0, 1])
    weighted = columns((number, number**2), (groups,), weights=[1, 1, 1, 3])
    repeated = columns((number[rows], number[rows] ** 2), (groups[rows],))
    assert association_matrix(weighted)[0, 1] == pytest.approx(association_matrix(repeated)[0, 1])
    assert weighted.ranks[:, 0] == pytest.approx(repeated.ranks[[0, 1, 2, 3], 0])


def test_leaving_out_a_fold_is_leaving_out_its_rows():
    rng = np.random.default_rng(3)
    numbers, groups = rng.normal(size=(2, 160)), rng.integers(0, 3, (2, 160))
    numbers[1] += groups[0]
    table = columns(numbers, groups, weights=rng.random(160))
    whole = association_matrix(table, folds=True)
    kept = table.folds != 2
    few = Columns(
        ranks=table.ranks[kept],
        known=table.known[kept],
        codes=table.codes[kept],
        sizes=table.sizes,
        places=table.places,
        weights=table.weights[kept],
        folds=table.folds[kept],
    )
    assert whole[..., 3] == pytest.approx(association_matrix(few)[..., 0])
    assert whole[..., 0] == pytest.approx(association_matrix(table)[..., 0])


def test_independent_columns_have_no_association_left():
    rng = np.random.default_rng(4)
    number = rng.normal(size=3000)
    table = columns((number, -number), ((number > 0).astype(int), (number > 1).astype(int)))
    matrix = association_matrix(independent(table, 3000, rng))[..., 0]
    # Deviations are about 1/sqrt(3000) = 0.018; four of them are exceeded by one of six pairs in 2,600 draws.
    assert all(abs(matrix[pair]) < 0.075 for pair in permutations(range(4), 2))


def test_a_broken_pair_leads_the_worst(compare, world):
    broken = world[2].copy()
    broken["stay"] = np.random.default_rng(0).permutation(broken["stay"])
    found = Associations().evaluate(compare(broken), np.random.default_rng(1))
    worst = next(chart for chart in found.charts if chart.name == "fidelity.worst_associations")
    assert all("stay" in label for label in worst.labels[:3])
    assert "stay" in found.scores[0].sentence
    matrices = next(chart for chart in found.charts if chart.kind == "heatmap")
    assert set(matrices.arrays) == {"real holdout", "synthetic"}
