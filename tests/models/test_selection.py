"""Selection: costs by hand, and a plan that measures what is worth its noise."""

import numpy as np
import pytest

from medsynth.encoding.domain import Attribute
from medsynth.models.levels import nested_chain
from medsynth.models.selection import (
    Resolutions,
    all_pairs,
    finest_readable,
    plan_pairs,
    poisson_distance,
    shrink_scores,
    split_noise,
    without_chance,
)


@pytest.fixture
def resolutions() -> Resolutions:
    """Three columns of 100 persons: even pairs of 2, 4 and 4 cells."""
    masses = (np.array([50.0, 50.0]), np.full(4, 25.0), np.full(4, 25.0))
    attributes = [Attribute(name=str(k), size=len(mass)) for k, mass in enumerate(masses)]
    chains = tuple(map(nested_chain, attributes, masses))
    return Resolutions(chains=chains, masses=masses, total=100.0)


def test_cost_is_the_mass_of_a_product_capped_at_the_noise_of_its_interactions(resolutions: Resolutions) -> None:
    # 2 x 4 even cells of 12.5 persons keep (1/2)(3/4) of the noise: capped at 5 they cost 8 * 1.875,
    # capped at 32 (of which 12 is left) 96, capped at 40 all 100.
    at = resolutions.segments((0, 1, 0, 2))
    assert np.isclose(resolutions.cost(5.0)[at], 15.0, rtol=0.03)
    assert np.isclose(resolutions.cost(32.0)[at], 96.0, rtol=0.03)
    assert np.isclose(resolutions.cost(40.0)[at], 100.0)


def test_cost_does_not_depend_on_the_order_of_the_columns(resolutions: Resolutions) -> None:
    # Rows and columns are tabulated differently; a step of the grid is 2.3 %.
    assert np.allclose(resolutions.cost(3.0), resolutions.cost(3.0).T, rtol=0.05)


def test_cost_equals_the_sum_over_cells_for_uneven_mass() -> None:
    rng = np.random.default_rng(0)
    masses = tuple(100 * rng.dirichlet(np.full(size, 0.3)) for size in (7, 12))
    attributes = [Attribute(name=str(k), size=len(mass)) for k, mass in enumerate(masses)]
    chains = tuple(map(nested_chain, attributes, masses))
    resolutions = Resolutions(chains=chains, masses=masses, total=100.0)
    product = np.outer(*masses) / 100
    finest = resolutions.segments((0, 1, len(chains[0].levels) - 1, len(chains[1].levels) - 1))
    for cap in (0.01, 0.3, 2.0):
        left = cap * (1 - 1 / 7) * (1 - 1 / 12)
        assert np.isclose(resolutions.cost(cap)[finest], np.minimum(left, product).sum(), rtol=0.03)


def test_visible_part_of_dependence_grows_with_the_level(resolutions: Resolutions) -> None:
    # One cell of four against the rest: 1 - (1/16 + 9/16) over 1 - 1/4.
    assert np.allclose(resolutions.visible, [1, 0.5, 0.8333, 1, 0.5, 0.8333, 1], atol=1e-4)


def test_constant_columns_make_no_pairs() -> None:
    attributes = [Attribute(name=str(k), size=size) for k, size in enumerate((3, 1, 2))]
    chains = [nested_chain(attribute, np.ones(attribute.size)) for attribute in attributes]
    assert all_pairs(chains) == [(0, 2)]


def test_readable_level_coarsens_with_the_noise(resolutions: Resolutions) -> None:
    pairs = [(1, 2)]
    assert finest_readable(resolutions, pairs, 0.5, 0.35) == [(1, 2, 2, 2)]
    # Of 9 cells 8 (2/3)^2 = 3.6 each is lost, 32 of the 35 allowed; 16 would lose 8 (3/4)^2 = 4.5 each.
    assert finest_readable(resolutions, pairs, 8.0, 0.35) == [(1, 2, 1, 1)]
    # Of 4 cells 5 each; 2 x 3 would lose 2 * 6.25 + 4 * 6.67.
    assert finest_readable(resolutions, pairs, 20.0, 0.35) == [(1, 2, 0, 0)]


def test_plan_measures_a_strong_pair_and_leaves_a_weak_one(resolutions: Resolutions) -> None:
    plan = plan_pairs(
        resolutions,
        all_pairs(resolutions.chains),
        np.array([0.0, 0.5, 90.0]),
        sigma_of_one=1.0,
        noise_weight=0.7,
        most=3,
    )
    assert plan.choices == ((1, 2, 2, 2),)
    # 90 persons of dependence minus 0.7 * 16 cells * 0.8 (3/4)^2 persons of noise.
    assert np.isclose(plan.gains[0], 90 - 0.7 * 16 * 0.8 * 9 / 16, rtol=0.01)


def test_plan_is_empty_where_noise_outweighs_dependence(resolutions: Resolutions) -> None:
    pairs = all_pairs(resolutions.chains)
    plan = plan_pairs(resolutions, pairs, np.ones(3), sigma_of_one=500.0, noise_weight=0.7, most=3)
    assert plan.choices == ()


def test_scores_shrink_to_their_prior_when_all_spread_is_noise() -> None:
    scores = shrink_scores(np.array([9.0, 11.0]), 5.0, np.ones(2), np.full(2, 100.0))
    assert scores.tolist() == [10.0, 10.0]


def test_scores_keep_the_share_of_spread_that_is_signal() -> None:
    # Spread 100 about their mean, noise variance 25: three quarters stay.
    scores = shrink_scores(np.array([10.0, 30.0]), 5.0, np.ones(2), np.array([100.0, 20.0]))
    assert np.allclose(scores, [12.5, 20.0])


def test_chance_leaves_in_quadrature() -> None:
    assert without_chance(np.array([5.0, 2.0]), np.array([3.0, 4.0])).tolist() == [4.0, 0.0]


def test_poisson_distance_matches_simulation() -> None:
    expected = np.array([0.05, 30.0, 400.0])
    draws = np.random.default_rng(0).poisson(expected, (4000, 3))
    # 4,000 draws: standard error 0.8 % of the mean.
    assert np.isclose(poisson_distance(expected), np.abs(draws - expected).sum(1).mean(), rtol=0.05)


def test_noise_split_spends_the_budget_exactly() -> None:
    multipliers = split_noise([3.0, 0.0, 70.0], 0.25)
    assert np.isclose((1 / multipliers**2).sum(), 0.25, rtol=1e-12)


def test_no_column_is_less_varied_than_a_constant_one() -> None:
    # Rounding puts the squared shares of this column above 1.
    masses = (np.array([0.0, 1.1]), np.array([3.3, 0.0]))
    chains = tuple(nested_chain(Attribute(name=str(k), size=2), mass) for k, mass in enumerate(masses))
    for total in np.nextafter([1.1, 3.3], 0.0):
        resolutions = Resolutions(chains=chains, masses=masses, total=float(total))
        assert (resolutions.gini >= 0).all()


def test_a_pair_that_counts_more_is_chosen_first(resolutions: Resolutions) -> None:
    pairs = all_pairs(resolutions.chains)
    dependence = np.array([40.0, 30.0, 20.0])

    def planned(weights: list[float]) -> tuple[tuple[int, ...], float]:
        plan = plan_pairs(
            resolutions,
            pairs,
            dependence,
            sigma_of_one=0.01,
            noise_weight=0.5,
            most=1,
            weights=np.array(weights),
        )
        return plan.choices[0][:2], float(plan.gains[0])

    alike, gain = planned([1.0, 1.0, 1.0])
    assert alike == pairs[0]
    assert planned([0.1, 0.1, 2.8])[0] == pairs[2]
    # The same pair at the same levels gains as often as it counts.
    chosen, more = planned([2.0, 0.5, 0.5])
    assert chosen == pairs[0]
    assert np.isclose(more, 2 * gain)
