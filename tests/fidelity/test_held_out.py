"""Figures on held-out persons from counts: by hand, against scikit-learn, and how far noise moves them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from medsynth.encoding.domain import Attribute
from medsynth.fidelity.held_out import Counted, binned_auc, binned_brier, paid_figures, synthetic_table
from medsynth.fidelity.held_out_tables import GROUPS, coarse_level, tables_to_count
from medsynth.score import Edition


def expanded(table: np.ndarray, beliefs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, belief = [], []
    for place, (others, cases) in enumerate(table.astype(int)):
        truth += [0] * others + [1] * cases
        belief += [beliefs[place]] * (others + cases)
    return np.array(truth), np.array(belief)


def test_figures_of_counts_are_those_of_scikit_learn_on_the_rows() -> None:
    table = np.array([[40, 3], [25, 9], [11, 20], [0, 4]])
    beliefs = np.array([0.05, 0.3, 0.6, 0.9])
    truth, belief = expanded(table, beliefs)
    assert binned_auc(table.astype(float)) == pytest.approx(roc_auc_score(truth, belief))
    assert binned_brier(table.astype(float), beliefs) == pytest.approx(brier_score_loss(truth, belief))


def test_without_cases_there_is_no_auc() -> None:
    assert np.isnan(binned_auc(np.array([[4.0, 0.0], [1.0, 0.0]])))
    assert np.isnan(binned_brier(np.zeros((2, 3)), np.array([0.1, 0.2])))


def test_ordered_cells_are_joined_with_their_neighbours_at_equal_mass_and_missing_stays_apart() -> None:
    column = Attribute(name="age", size=9, ordered=8)
    level = coarse_level(column, np.array([1.0, 1, 1, 1, 1, 1, 1, 1, 5]), most=5)
    assert level.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]


def test_of_a_list_the_rarest_values_are_joined() -> None:
    column = Attribute(name="code", size=5)
    assert coarse_level(column, np.array([9.0, 1, 5, 2, 7]), most=4).groups.tolist() == [0, 3, 2, 3, 1]
    assert coarse_level(column, np.ones(5), most=5).size == 5


@pytest.fixture(scope="module")
def clean(compare, world):
    return compare(world[2])


def raw_counts(comparison, asked, part: str) -> Counted:
    codes, weights = comparison.codes(part), comparison.weights(part)

    def table(clique):
        cell = np.zeros(len(codes), dtype=np.intp)
        for level in clique:
            cell = cell * level.size + level.groups[codes[:, comparison.domain.index(level.attribute)]]
        shape = tuple(level.size for level in clique)
        return np.bincount(cell, weights, int(np.prod(shape))).reshape(shape)

    outcome = None
    if asked.predictor is not None:
        classes, outcomes = asked.predictor.classes(codes), asked.predictor.outcomes(codes)
        size = len(asked.predictor.beliefs)
        outcome = np.bincount(classes * 3 + outcomes, weights, size * 3).reshape(size, 3)
    pairs = tuple(table([asked.levels[p] for p in pair]) for pair in asked.pairs)
    columns = tuple(table([level]) for level in asked.levels)
    return Counted(columns=columns, pairs=pairs, outcome=outcome, noise=(0, 0, 0))


def noised(counted: Counted, noise: tuple[float, float, float], rng: np.random.Generator) -> Counted:
    return Counted(
        columns=tuple(table + rng.normal(0, noise[0], table.shape) for table in counted.columns),
        pairs=tuple(table + rng.normal(0, noise[1], table.shape) for table in counted.pairs),
        outcome=counted.outcome + rng.normal(0, noise[2], counted.outcome.shape),
        noise=noise,
    )


def test_paid_figures_lie_near_the_raw_ones_and_only_those_are_internal(clean) -> None:
    """Noise of 3 persons on 1,500: each figure within its interval, which has 95 %; the seed is fixed."""
    rng = np.random.default_rng(5)
    asked = tables_to_count(clean, rng)
    raw = raw_counts(clean, asked, "holdout")
    seen = noised(raw, (3.0, 3.0, 3.0), rng)
    found = paid_figures(clean, asked, seen, raw, paid="x", rng=np.random.default_rng(6))
    scores = {score.name: score for score in found.scores}
    elsewhere = raw_counts(clean, asked, "train")
    blind = paid_figures(clean, asked, seen, elsewhere, paid="x", rng=np.random.default_rng(6))
    for name in ("fidelity.tv1", "fidelity.tv2", "utility.auc", "utility.brier"):
        paid, exact = scores[f"{name}.paid"], scores[f"{name}.paid_raw"]
        assert (paid.edition, exact.edition) == (Edition.SHAREABLE, Edition.INTERNAL)
        assert paid.low <= exact.value <= paid.high, name
        other = {score.name: score for score in blind.scores}[f"{name}.paid"]
        assert other == paid  # what is shared does not know the raw counts
    assert all(chart.edition is Edition.SHAREABLE for chart in found.charts)


def test_what_is_counted_does_not_depend_on_a_private_row(clean, compare, world) -> None:
    train, holdout, second = world
    turned = compare(second, train=train.iloc[:2], holdout=holdout.iloc[:3])
    first, second = (tables_to_count(one, np.random.default_rng(1)) for one in (clean, turned))
    assert [level.groups.tolist() for level in first.levels] == [level.groups.tolist() for level in second.levels]
    assert first.pairs == second.pairs
    assert np.array_equal(first.predictor.beliefs, second.predictor.beliefs)
    assert max(level.size for level in first.levels) <= GROUPS


def test_synthetic_tables_are_weighted_shares(clean) -> None:
    level = coarse_level(clean.domain.attributes[0], np.ones(clean.domain.sizes[0]))
    assert synthetic_table(clean, [level]).sum() == pytest.approx(1.0)


def test_where_noise_swamps_the_persons_nothing_is_told(clean) -> None:
    rng = np.random.default_rng(7)
    asked = tables_to_count(clean, rng)
    raw = raw_counts(clean, asked, "holdout")
    found = paid_figures(clean, asked, noised(raw, (5e3, 5e3, 5e3), rng), raw, paid="x", rng=rng)
    assert {score.value for score in found.scores if score.name.endswith(".paid")} == {None}


def test_rows_that_count_in_full_widen_the_interval(clean) -> None:
    """Three rows of a person may fall together: a third of as many persons, intervals wider by root three."""
    asked = tables_to_count(clean, np.random.default_rng(8))
    raw = raw_counts(clean, asked, "holdout")
    widths = []
    for rows_each in (1.0, 3.0):
        counted = replace(raw, noise=(1.0, 1.0, 1.0), rows_each=rows_each)
        found = paid_figures(clean, asked, counted, raw, paid="x", rng=np.random.default_rng(9))
        (brier,) = [score for score in found.scores if score.name == "utility.brier.paid"]
        widths.append(brier.high - brier.low)
    assert 1.5 < widths[1] / widths[0] < 2.0
