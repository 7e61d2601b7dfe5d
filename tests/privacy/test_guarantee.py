import math
import re

import pytest
from scipy.special import ndtr, ndtri

from medsynth.errors import UsageError
from medsynth.privacy.guarantee import Guarantee
from medsynth.schema.sections import LARGEST_EPSILON, SMALLEST_EPSILON


@pytest.mark.parametrize(
    ("epsilon", "auc", "tpr"),
    [(1, 0.566, 0.018), (3, 0.677, 0.047), (8, 0.861, 0.213), (10, 0.904, 0.316)],
)
def test_membership_caps_match_the_published_table(epsilon: float, auc: float, tpr: float) -> None:
    guarantee = Guarantee.of(epsilon, 1e-6)
    assert guarantee.membership_auc_cap == pytest.approx(auc, abs=5e-4)
    assert guarantee.membership_tpr_cap(0.01) == pytest.approx(tpr, abs=5e-4)


def test_caps_by_hand_for_mu_one() -> None:
    guarantee = Guarantee(epsilon=1.0, delta=0.126937, mu=1.0)
    assert guarantee.membership_auc_cap == pytest.approx(ndtr(1 / math.sqrt(2)))
    assert guarantee.membership_tpr_cap(0.5) == pytest.approx(ndtr(1.0))
    assert guarantee.membership_tpr_cap(0.01) == pytest.approx(ndtr(ndtri(0.01) + 1))
    assert guarantee.rho == 0.5
    assert guarantee.delta_at(1.0) == pytest.approx(0.126937, abs=1e-6)


def test_one_guarantee_has_an_epsilon_for_every_delta() -> None:
    guarantee = Guarantee.of(1.0, 1e-6)
    assert guarantee.epsilon_at(1e-6) == pytest.approx(1.0, rel=1e-12)
    assert guarantee.epsilon_at(1e-9) > 1 > guarantee.epsilon_at(1e-4)


def test_delta_defaults_to_the_stated_persons() -> None:
    assert Guarantee.of(1.0, persons=1_000_000).delta == 1e-9
    with pytest.raises(UsageError, match="delta or the stated number of persons"):
        Guarantee.of(1.0)


def test_sentence_names_the_unit_the_factor_and_the_chance_of_failure() -> None:
    sentence = Guarantee.of(1.0, 1e-6, unit="patient").sentence()
    assert "any one patient is in the data by at most x2.8" in sentence
    assert "except with probability 7" in sentence
    assert "epsilon 1, delta 1e-06 per patient" in sentence


def test_chance_of_failure_bounds_the_gaussian_loss_and_exceeds_delta() -> None:
    for epsilon, delta in [(0.5, 1e-5), (1.0, 1e-6), (3.0, 1e-9)]:
        guarantee = Guarantee.of(epsilon, delta)
        mu = guarantee.mu
        upper, lower = ndtr(mu / 2 - epsilon / mu), ndtr(-mu / 2 - epsilon / mu)
        assert delta < upper + lower < guarantee.odds_failure < 500 * delta


def test_as_dict_holds_plain_values_only() -> None:
    values = Guarantee.of(1.0, 1e-6, persons=71_518).as_dict()
    assert all(isinstance(value, (float, int, str)) for value in values.values())
    assert values["persons"] == 71_518
    assert values["neighbours"] == "add-remove"


@pytest.mark.parametrize("epsilon", [0, -1, math.nan, math.inf, 1e-300, 1e-9, 9.9e-4, 100.1, 1000, 1e9])
def test_an_epsilon_outside_the_public_bounds_is_refused(epsilon: float) -> None:
    with pytest.raises(UsageError, match=r"Epsilon must be a number from 0\.001 to 100, got .* Choose one from 0.1"):
        Guarantee.of(epsilon, 1e-6)


@pytest.mark.parametrize("delta", [1e-300, 1e-12, 1e-6, 1e-3, 0.5, 0.999999])
@pytest.mark.parametrize("epsilon", [SMALLEST_EPSILON, 0.01, 0.1, 1.0, 10.0, LARGEST_EPSILON])
def test_no_guarantee_speaks_of_a_factor_of_one_or_of_a_probability_of_one(epsilon: float, delta: float) -> None:
    guarantee = Guarantee.of(epsilon, delta)
    sentence = guarantee.sentence()
    assert re.search(r"x1(\.0*)?,|probability (0\.99|1(\.0*)?) ", sentence) is None
    assert re.search(
        r"by at most x[1-9][\d,.e+]*, except with probability \S+ \(|has an AUC above [01]\.\d{3},", sentence
    )
    assert guarantee.bounds_odds == ("odds" in sentence) == (guarantee.as_dict()["odds_failure"] is not None)


def test_where_delta_lets_the_odds_go_the_sentence_names_the_best_test() -> None:
    guarantee = Guarantee.of(0.1, 0.5, unit="patient")
    assert guarantee.sentence() == (
        "Whatever else an attacker knows, no test of whether any one patient is in the data has an AUC above 0.844, "
        "where guessing has 0.5 (epsilon 0.1, delta 0.5 per patient)."
    )
    assert guarantee.membership_auc_cap == pytest.approx(0.8432, abs=1e-4)


FACTORS = [(0.001, "1.002"), (0.05, "1.052"), (0.1, "1.11"), (1, "2.8"), (10, "22,027"), (100, "2.7e+43")]


@pytest.mark.parametrize(("epsilon", "factor"), FACTORS)
def test_a_factor_is_rounded_up_and_near_one_keeps_its_digits(epsilon: float, factor: str) -> None:
    assert f"at most x{factor}, except" in Guarantee.of(epsilon, 1e-9).sentence()


@pytest.mark.parametrize(
    "epsilon", [SMALLEST_EPSILON, 0.0953, 0.5, 0.693, 1, 2, 4.605, 4.606, 20.7, 20.8, LARGEST_EPSILON]
)
def test_no_stated_factor_is_below_the_one_that_is_guaranteed(epsilon: float) -> None:
    guarantee = Guarantee.of(epsilon, 1e-12)
    found = re.search(r"by at most x(\S+), except", guarantee.sentence())
    assert found
    assert guarantee.odds_factor <= float(found[1].replace(",", "")) <= 1.1 * guarantee.odds_factor
