import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from medsynth.errors import BudgetError, InputError, MedsynthError, UsageError
from medsynth.privacy import mechanisms
from medsynth.privacy.accountant import GaussianEvent, mu_from
from medsynth.privacy.ledger import Ledger
from medsynth.privacy.mechanisms import UNITS_PER_PERSON


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(1.0, 1e-6, population="clinic", unit="patient", persons=1000)


def test_batch_costs_the_root_of_the_sum_of_squares(ledger: Ledger, two_tables: Any) -> None:
    tables = ledger.measure(two_tables, two_tables.cliques, [10.0, 20.0], label="One-ways")
    assert ledger.spent_mu2 == pytest.approx(1 / 100 + 1 / 400, rel=1e-12)
    assert [table.entry for table in tables] == [1, 1]
    assert [table.sigma for table in tables] == [10.0, 20.0]
    assert [table.noisy.shape for table in tables] == [(2,), (2, 3)]
    assert [table.sensitivity for table in tables] == [1.0, 1.0]


def test_sensitivity_of_k_rows_is_k(ledger: Ledger, make_records: Any) -> None:
    records = make_records([[0, 0]], l2=4 * UNITS_PER_PERSON)
    ledger.measure(records, records.cliques, [100.0], label="Marginal (sex)")
    assert ledger.spent_mu2 == pytest.approx((4 / 100) ** 2)


def test_entry_holds_public_settings_only(ledger: Ledger, two_tables: Any) -> None:
    ledger.measure(two_tables, two_tables.cliques, [10.0, 20.0], label="One-ways")
    (entry,) = ledger.entries
    assert entry.mu == pytest.approx(math.sqrt(1 / 100 + 1 / 400), rel=1e-14)
    assert entry.as_dict() == {
        "number": 1,
        "run": 0,
        "label": "One-ways",
        "kind": "marginals",
        "mu": entry.mu,
        "delta": 0.0,
        "tables": 2,
        "cells": 8,
        "sigma_low": 10.0,
        "sigma_high": 20.0,
        "sensitivity": 1.0,
        "part": "",
    }


def test_entries_do_not_depend_on_the_table_or_the_time(make_records: Any) -> None:
    extracts = []
    for counts in ([5, 0], [0, 10**13]):
        records = make_records([counts])
        fit = Ledger(1.0, 1e-6).allowance(0.5)
        fit.measure(records, records.cliques, [50.0], label="Marginal (sex)")
        extracts.append([entry.as_dict() for entry in fit.entries])
    assert extracts[0] == extracts[1]


def test_noise_of_a_measurement_has_the_booked_scale(make_records: Any) -> None:
    # Chi-squared on 3,000 residuals; failure probability 1e-6.
    exact = np.full(3000, 7 * UNITS_PER_PERSON)
    records = make_records([exact])
    ledger = Ledger(1.0, 1e-6)
    (table,) = ledger.measure(records, records.cliques, [25.0], label="Marginal (age)")
    statistic = float((((table.noisy - 7) / table.sigma) ** 2).sum())
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], 3000)
    assert low < statistic < high


def test_noise_drawn_is_wide_enough_for_the_lattice(
    ledger: Ledger, two_tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def stub(values: Any, *, sigma: float) -> Any:
        drawn.append(sigma)
        return np.zeros(values.shape)

    monkeypatch.setattr(mechanisms, "gaussian", stub)
    ledger.measure(two_tables, two_tables.cliques, [10.0, 20.0], label="One-ways")
    true_mu = math.sqrt(sum((mechanisms.lattice_factor(s) / s) ** 2 for s in drawn))
    assert true_mu < math.sqrt(ledger.spent_mu2) * (1 - 0.9e-9)


def test_two_fits_never_share_noise(make_records: Any) -> None:
    # Chance that one of 8 cells agrees at sigma 10 persons is below 1e-6.
    records = make_records([np.zeros(8)])
    tables = [Ledger(1.0, 1e-6).measure(records, records.cliques, [10.0], label="x")[0] for _ in range(2)]
    assert not np.any(tables[0].noisy == tables[1].noisy)


def test_stub_for_the_noise_removes_all_private_information(make_records: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanisms, "gaussian", lambda values, *, sigma: np.full(values.shape, sigma))
    seen = []
    for counts in ([5, 0], [0, 10**13]):
        records = make_records([counts])
        ledger = Ledger(1.0, 1e-6)
        (table,) = ledger.measure(records, records.cliques, [50.0], label="x")
        scores, _ = ledger.distances(records, records.cliques, [np.zeros(2)], 50.0, label="y")
        seen.append((table.noisy.tobytes(), scores.tobytes()))
    assert seen[0] == seen[1]


def test_distances_by_hand(ledger: Ledger, make_records: Any) -> None:
    # |3 - 1| + |1 - 2| = 3 and |5 - 5.5| = 0.5 persons; sigma 10 holds within 6 sigma but for 4e-9.
    records = make_records([[3 * UNITS_PER_PERSON, UNITS_PER_PERSON], [5 * UNITS_PER_PERSON]])
    references = [np.array([1.0, 2.0]), np.array([5.5])]
    scores, entry = ledger.distances(records, records.cliques, references, 10.0, label="Scores")
    assert entry == 1
    assert np.all(np.abs(scores - [3, 0.5]) < 60)
    assert ledger.spent_mu2 == pytest.approx(2 / 100)
    assert ledger.entries[0].sensitivity == pytest.approx(math.sqrt(2))


def test_distances_are_exact_on_the_lattice(make_records: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanisms, "gaussian", lambda values, **_: values.astype(float))
    records = make_records([[10**13, 7]])
    references = [np.array([0.0, -3.0 / UNITS_PER_PERSON])]
    scores, _ = Ledger(1.0, 1e-6).distances(records, records.cliques, references, 10.0, label="x")
    assert scores[0] == 10**13 + 10


def test_one_person_moves_a_distance_by_at_most_the_sensitivity() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        table, reference = rng.integers(0, 50, size=(2, 6))
        person = rng.multinomial(UNITS_PER_PERSON, rng.dirichlet(np.ones(6)))
        before, after = np.abs(table - reference).sum(), np.abs(table + person - reference).sum()
        assert abs(int(after) - int(before)) <= UNITS_PER_PERSON


def test_overspend_names_the_label_and_both_epsilons(make_records: Any) -> None:
    records = make_records([[0, 0]])
    ledger = Ledger(1.0, 1e-6, population="clinic")
    fit = ledger.allowance(1.0)
    for _ in range(7):
        fit.measure(records, records.cliques, [math.sqrt(7.5) / fit.guarantee.mu], label="Age")
    with pytest.raises(BudgetError) as refusal:
        fit.measure(records, records.cliques, [8.0], label="Marginal (sex, age)")
    assert str(refusal.value) == (
        "Marginal (sex, age): would spend epsilon 1.11 of 1.00 (0.96 spent in 7 releases, 0.23 left for one more). "
        "Raise --epsilon, or fit without it."
    )


def test_overspend_is_refused_before_booking_counting_and_drawing(
    ledger: Ledger, two_tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("noise was drawn")

    monkeypatch.setattr(mechanisms, "gaussian", never)
    with pytest.raises(BudgetError, match=r"would spend epsilon .* \(0.00 spent in 0 releases, 1 left for one more\)"):
        ledger.measure(two_tables, two_tables.cliques, [1.0, 1.0], label="One-ways")
    with pytest.raises(BudgetError):
        ledger.distances(two_tables, two_tables.cliques, [np.zeros(2), np.zeros((2, 3))], 1.0, label="Scores")
    assert two_tables.counted == 0
    assert ledger.entries == ()


def test_crash_between_booking_and_counting_leaves_the_cost_booked(ledger: Ledger) -> None:
    class Crashing:
        l2 = UNITS_PER_PERSON

        def marginals(self, _cliques: Any) -> Any:
            raise RuntimeError("disk gone")

    with pytest.raises(RuntimeError):
        ledger.measure(Crashing(), [()], [10.0], label="Total")
    with pytest.raises(RuntimeError):
        ledger.distances(Crashing(), [()], [np.array(0.0)], 10.0, label="Scores")
    assert ledger.spent_mu2 == pytest.approx(2 / 100)


def test_tables_shaped_by_the_rows_are_refused_without_their_shape(ledger: Ledger) -> None:
    class FromRows:
        l2 = UNITS_PER_PERSON

        def marginals(self, _cliques: Any) -> Any:
            return [np.zeros(17, dtype=np.int64)]

    with pytest.raises(MedsynthError, match="public domain's shape") as refusal:
        ledger.measure(FromRows(), [()], [10.0], label="Total")
    assert "17" not in str(refusal.value)


@pytest.mark.parametrize("parts", [1, 3, 7, 100])
def test_plan_that_adds_up_to_the_limit_passes_the_filter(make_records: Any, parts: int) -> None:
    records = make_records([[0, 0]])
    ledger = Ledger(1.0, 1e-6)
    fit = ledger.allowance(1.0)
    weights = np.random.default_rng(parts).dirichlet(np.ones(parts))
    for weight in weights:
        sigma = 1 / math.sqrt(weight * fit.guarantee.mu**2)
        fit.measure(records, records.cliques, [sigma], label="part")
    assert fit.remaining_mu2 == pytest.approx(0, abs=1e-12)
    with pytest.raises(BudgetError):
        fit.book(GaussianEvent(1e-5), label="one more")


def test_allowance_holds_a_fit_to_its_own_epsilon(ledger: Ledger) -> None:
    fit = ledger.allowance(0.5)
    assert fit.guarantee.epsilon == 0.5
    assert fit.guarantee.mu == mu_from(0.5, 1e-6)
    assert fit.guarantee.unit == "patient"
    with pytest.raises(BudgetError, match=r"of 0\.50 .*Raise --epsilon, or fit without it\."):
        fit.book(GaussianEvent(mu_from(0.6, 1e-6)), label="Too much")
    fit.book(GaussianEvent(mu_from(0.4, 1e-6)), label="Enough")
    assert ledger.spent_mu2 == fit.spent_mu2


def test_allowance_states_the_unit_and_persons_of_its_own_table(ledger: Ledger) -> None:
    own = ledger.allowance(0.5, unit="newborn", persons=40).guarantee
    assert (own.unit, own.persons, own.delta) == ("newborn", 40, 1e-6)
    assert (ledger.guarantee.unit, ledger.guarantee.persons) == ("patient", 1000)


def test_first_stated_privacy_unit_stands(ledger: Ledger) -> None:
    ledger.allowance(0.1)
    ledger.allowance(0.1, privacy_unit="column 'pid'")
    with pytest.raises(InputError) as refusal:
        ledger.allowance(0.1, privacy_unit="rows")
    assert str(refusal.value) == (
        "Ledger in memory: the budget's privacy unit is column 'pid', not rows. "
        "Declare the budget's unit in the schema."
    )
    assert ledger.allowance(0.1, privacy_unit="column 'pid'")._run == 3  # the refused one was not begun


def test_allowances_see_their_own_entries_and_share_the_limit(ledger: Ledger) -> None:
    first, second = ledger.allowance(0.7), ledger.allowance(0.7)
    first.book(GaussianEvent(mu_from(0.7, 1e-6)), label="A")
    second.book(GaussianEvent(0.01), label="B")
    assert [(e.number, e.run, e.label) for e in ledger.entries] == [(1, 1, "A"), (2, 2, "B")]
    assert [e.label for e in second.entries] == ["B"]
    with pytest.raises(BudgetError, match=r"of 1\.00 .*limit of 'clinic'"):
        second.book(GaussianEvent(mu_from(0.69, 1e-6)), label="C")
    with pytest.raises(UsageError, match="cannot be divided"):
        first.allowance(0.1)


def test_allowance_beyond_what_is_left_is_refused_before_anything_is_spent(ledger: Ledger) -> None:
    ledger.allowance(0.9).book(GaussianEvent(mu_from(0.9, 1e-6)), label="First")
    with pytest.raises(BudgetError, match="Fit: would spend epsilon"):
        ledger.allowance(0.9)
    assert len(ledger.entries) == 1


def test_what_remains_can_be_asked_for(ledger: Ledger) -> None:
    ledger.allowance(0.8).book(GaussianEvent(mu_from(0.8, 1e-6)), label="First")
    rest = ledger.allowance(ledger.remaining_epsilon)
    rest.book(GaussianEvent(rest.guarantee.mu), label="Rest")
    assert ledger.remaining_mu2 == pytest.approx(0, abs=1e-8)


def test_refusal_by_a_hair_shows_enough_digits(ledger: Ledger) -> None:
    with pytest.raises(BudgetError, match=r"epsilon 1\.00001 of 1\.00000 "):
        ledger.book(GaussianEvent(mu_from(1.00001, 1e-6)), label="Hair")


def test_unproved_event_is_refused_and_not_booked(ledger: Ledger) -> None:
    class Selection:
        kind = "selection"
        mu = 0.1

    with pytest.raises(UsageError, match="no proved cost"):
        ledger.book(Selection(), label="Select")
    assert ledger.entries == ()


def test_limit_cannot_fall_below_the_spend(ledger: Ledger) -> None:
    ledger.book(GaussianEvent(mu_from(0.6, 1e-6)), label="First")
    with pytest.raises(BudgetError, match=r"epsilon 0\.60 of 0\.50 .*Set a limit above the spend"):
        ledger.set_limit(0.5)
    assert ledger.set_limit(0.7).epsilon == 0.7
    assert ledger.guarantee.epsilon == 0.7
    assert ledger.set_limit(2.0, 1e-7).delta == 1e-7
    with pytest.raises(UsageError, match="belongs to the population"):
        ledger.allowance(0.1).set_limit(5.0)


def test_keys_differ_by_purpose_and_population_and_never_show(ledger: Ledger) -> None:
    key = ledger.key("bounding")
    assert len(key) == 32
    assert key == ledger.key("bounding") == ledger.allowance(0.1).key("bounding")
    assert key != ledger.key("holdout")
    assert key != Ledger(1.0, 1e-6, population="clinic").key("bounding")
    assert ledger._header["key"] not in repr(ledger)


@pytest.mark.parametrize("epsilon", [0.0, -1.0, math.nan, math.inf])
def test_ledger_refuses_an_impossible_epsilon(epsilon: float) -> None:
    with pytest.raises(UsageError, match="Epsilon must be"):
        Ledger(epsilon, 1e-6)


def test_mismatched_settings_are_refused_unbooked(ledger: Ledger, two_tables: Any) -> None:
    with pytest.raises(UsageError, match="one sigma for each"):
        ledger.measure(two_tables, two_tables.cliques, [10.0], label="One-ways")
    with pytest.raises(UsageError, match="is outside"):
        ledger.measure(two_tables, two_tables.cliques, [10.0, math.inf], label="One-ways")
    with pytest.raises(UsageError, match="finite values"):
        ledger.distances(two_tables, two_tables.cliques, [np.zeros(2), np.full((2, 3), np.nan)], 9.0, label="x")
    assert ledger.measure(two_tables, [], [], label="Nothing") == []
    assert ledger.entries == ()
    assert two_tables.counted == 0


def test_three_column_fit_books_and_draws_in_ten_milliseconds(make_records: Any) -> None:
    # Three one-way and three two-way tables of binary columns: 18 cells, two bookings; best of 5.
    ones, pairs = make_records([np.zeros(2)] * 3), make_records([np.zeros((2, 2))] * 3)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        fit = Ledger(1.0, 1e-6).allowance(1.0)
        fit.measure(ones, ones.cliques, [20.0] * 3, label="One-ways")
        fit.measure(pairs, pairs.cliques, [20.0] * 3, label="Pairs")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.01


def test_open_of_a_missing_file_says_so(tmp_path: Any) -> None:
    with pytest.raises(InputError, match="no budget file here"):
        Ledger.open(tmp_path / "none.ledger.jsonl")
    assert list(tmp_path.iterdir()) == []


TRAIN, HELD = "share 0.2/fitted", "share 0.2/held out"


def test_two_sides_of_a_split_cost_as_much_as_the_dearer() -> None:
    ledger = Ledger(1.0, 1e-6)
    fit = ledger.allowance(1.0, part=TRAIN)
    fit.book(GaussianEvent(fit.guarantee.mu), label="Fit")
    figures = ledger.allowance(1.0, part=HELD)
    figures.book(GaussianEvent(figures.guarantee.mu), label="Figures")
    assert ledger.spent_mu2 == pytest.approx(ledger.guarantee.mu**2)
    assert [entry.part for entry in ledger.entries] == [TRAIN, HELD]
    for part in (TRAIN, HELD, "", "share 0.3/fitted"):
        with pytest.raises(BudgetError):
            ledger.allowance(0.01, part=part)


def test_a_side_may_spend_what_its_own_persons_have_left() -> None:
    ledger = Ledger(1.0, 1e-6)
    mu = ledger.guarantee.mu
    ledger.book(GaussianEvent(0.6 * mu), label="Everybody")
    ledger.allowance(0.75, part=TRAIN).book(GaussianEvent(0.7 * mu), label="Fit")
    held = ledger.allowance(0.7, part=HELD)
    assert held.remaining_mu2 == pytest.approx(min(held.guarantee.mu**2, 0.64 * mu**2))
    with pytest.raises(BudgetError):
        ledger.book(GaussianEvent(0.5 * mu), label="Everybody again")
    held.book(GaussianEvent(0.6 * mu), label="Figures")


def test_other_splits_add_up_and_a_file_remembers_the_sides(tmp_path: Path) -> None:
    """Who is fitted in one split may be held out of another: their costs add up."""
    ledger = Ledger(1.0, 1e-6, path=tmp_path / "b.jsonl")
    mu = ledger.guarantee.mu
    ledger.allowance(0.9, part=TRAIN).book(GaussianEvent(0.8 * mu), label="Fit")
    again = Ledger.open(tmp_path / "b.jsonl")
    with pytest.raises(BudgetError):
        again.allowance(0.9, part="share 0.5/held out").book(GaussianEvent(0.8 * mu), label="Fit")
    again.allowance(0.9, part=HELD).book(GaussianEvent(0.8 * mu), label="Figures")
    assert again.spent_mu2 == pytest.approx(0.64 * mu**2)
