import numpy as np
import pytest

from medsynth.models import tree_sampling
from medsynth.models.tree_sampling import Deck, sample_tree, shuffled_by_value


def test_a_clique_without_parent_gets_its_expected_rows_within_one(case):
    rows = sample_tree(case.calibrated, 1000, np.random.default_rng(0))
    root = case.tree.cliques[0]
    columns = [case.tree.chains[a].project(case.tree.finest[a], level)[rows[:, a]] for a, level in root]
    counts = np.zeros(case.tree.shapes[0])
    np.add.at(counts, tuple(columns), 1)
    assert np.abs(counts - 1000 * case.calibrated.beliefs[0]).max() < 1 + 1e-9


@pytest.mark.parametrize("systematic", [True, False])
def test_sampled_shares_approach_the_joint_table(case, systematic):
    # 12 + 12 cases of at most 625 cells: at 6 standard deviations the chance of a false alarm is
    # below 4e-5.
    n = 20_000
    rows = sample_tree(case.calibrated, n, np.random.default_rng(1), systematic=systematic)
    counts = np.zeros(case.joint.shape)
    np.add.at(counts, tuple(rows.T), 1)
    spread = np.sqrt(case.joint / n) + 2 / n
    assert (np.abs(counts / n - case.joint) < 6 * spread).all()


def test_equal_seeds_give_equal_rows_and_rows_come_in_random_order(case):
    first, again = (sample_tree(case.calibrated, 500, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.int32
    half = np.bincount(first[:250, 0], minlength=5) - np.bincount(first[250:, 0], minlength=5)
    # Hypergeometric, standard deviation at most sqrt(125): 8 of them.
    assert np.abs(half).max() < 90


def test_blocks_together_keep_the_shares(case, monkeypatch):
    monkeypatch.setattr(tree_sampling, "BLOCK", 64)
    rows = sample_tree(case.calibrated, 640, np.random.default_rng(0))
    expected = 640 * case.marginal([(0, case.tree.finest[0])])
    assert np.abs(np.bincount(rows[:, 0], minlength=len(expected)) - expected).max() < 10 * 4


def test_no_rows_have_the_width_of_the_domain(case):
    assert sample_tree(case.calibrated, 0, np.random.default_rng(0)).shape == (0, 4)


def test_deck_deals_every_row_and_never_a_cell_without_weight():
    rng = np.random.default_rng(0)
    weights = np.array([0.0, 0.2, 0.0, 0.3, 0.5, 0.0])
    deck = Deck.of(weights, np.array([0, 1, 1, 0, 1, 0]), 2)
    for _ in range(50):
        counts = deck.deal(np.array([3, 7]), rng)
        dealt = dict(zip(deck.order.tolist(), counts.tolist(), strict=True))
        assert dealt[0] + dealt[3] + dealt[5] == 3
        assert dealt[1] + dealt[2] + dealt[4] == 7
        assert dealt[0] == dealt[2] == dealt[5] == 0


def test_rows_that_draw_for_themselves_get_each_cell_by_its_weight_and_none_without():
    # Value 1 has the cells 1, 2, 4, 7 with weights .2, 0, .5, .1: shares .25, 0, .625, .125.
    weights = np.array([0.0, 0.2, 0.0, 0.3, 0.5, 0.0, 0.0, 0.1])
    deck = Deck.of(weights, np.array([0, 1, 1, 0, 1, 0, 2, 1]), 3)
    values = np.tile([0, 1], 40_000)
    cells = deck.order[deck.pick(values, np.random.default_rng(1))]
    assert (cells[::2] == 3).all()
    shares = np.bincount(cells[1::2], minlength=8) / 40_000
    # Standard deviation at most .0025: six of them, chance of a false alarm below 1e-8.
    np.testing.assert_allclose(shares, [0, 0.25, 0, 0, 0.625, 0, 0, 0.125], atol=0.015)
    assert shares[[0, 2, 3, 5, 6]].sum() == 0


def test_rows_that_draw_for_themselves_find_the_cell_of_their_quantile_in_any_deck():
    rng = np.random.default_rng(2)
    for spread in (0.0, 1.0, 8.0):
        weights = np.exp(spread * rng.normal(size=3000)) * (rng.random(3000) < 0.7)
        deck = Deck.of(weights, rng.integers(0, 40, 3000), 40)
        values = rng.integers(0, 40, 5000)
        places = deck.pick(values, np.random.default_rng(3))
        quantiles = np.random.default_rng(3).random(5000)
        for value, place, quantile in zip(values, places, quantiles, strict=True):
            own = deck.reached[deck.starts[value] : deck.starts[value + 1]]
            assert place == deck.starts[value] + np.searchsorted(own, quantile, side="right")


def test_independent_rows_vary_and_dealt_rows_do_not(case):
    share = case.marginal([(0, case.tree.finest[0])])[0]
    counts = {
        systematic: [
            int((sample_tree(case.calibrated, 400, np.random.default_rng(s), systematic=systematic)[:, 0] == 0).sum())
            for s in range(200)
        ]
        for systematic in (True, False)
    }
    # 200 variances around 400 p (1 - p): standard error a tenth of it, six of them.
    binomial = 400 * share * (1 - share)
    assert 0.4 * binomial < np.var(counts[False]) < 1.6 * binomial
    assert np.var(counts[True]) < 0.1 * binomial


def test_deck_is_unbiased():
    deck = Deck.of(np.array([0.25, 0.75]), np.zeros(2, dtype=int), 1)
    rng = np.random.default_rng(0)
    mean = np.mean([deck.deal(np.array([1]), rng)[0] for _ in range(4000)])
    # Standard deviation 0.0068: 6 of them, chance of a false alarm 2e-9.
    assert abs(mean - 0.25) < 0.042


def test_rows_are_sorted_by_value_over_more_than_sixteen_bits():
    values = np.random.default_rng(0).integers(0, 100_000, 3000)
    order, counts = shuffled_by_value(values, 100_000, np.random.default_rng(1))
    np.testing.assert_array_equal(values[order], np.sort(values))
    np.testing.assert_array_equal(counts, np.bincount(values, minlength=100_000))
