import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from medsynth.errors import BudgetError, InputError, MedsynthError, UsageError
from medsynth.privacy import mechanisms, thresholds
from medsynth.privacy.accountant import delta_from, mu_from
from medsynth.privacy.guarantee import Guarantee, gaussian_delta
from medsynth.privacy.ledger import Ledger
from medsynth.privacy.measurement import drawn_sigma
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

FEW_UNITS = 2.0**-8
"""A noise of 4,096 units: fine enough for every proof, small enough to add up all probabilities."""


class Labelled:
    """Labels counted by hand, in persons."""

    def __init__(self, counts: dict[str, float], *, most_labels: int = 1, l2: int = UNITS_PER_PERSON) -> None:
        self.counts, self.most_labels, self.l2 = counts, most_labels, l2
        self.counted = 0

    def label_counts(self, column: str) -> tuple[Sequence[str], npt.NDArray[np.int64]]:
        self.counted += 1
        assert column == "job"
        units = np.array([round(count * UNITS_PER_PERSON) for count in self.counts.values()], dtype=np.int64)
        return list(self.counts), units


def budget(**changes: Any) -> Ledger:
    return Ledger(2.0, 1e-6, population="clinic", **({"thresholds": 1e-7} | changes))


def lattice(scale: float, reach: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(units, probabilities) of the discrete Gaussian, all but a negligible rest."""
    units = np.arange(-reach, reach + 1)
    weight = np.exp(-0.5 * (units / scale) ** 2)
    return units, weight / weight.sum()


@pytest.mark.parametrize("delta", [1e-2, 1e-3, 1e-7])
@pytest.mark.parametrize("most_labels", [1, 3])
def test_tail_of_one_persons_labels_is_delta_and_hardly_less(delta: float, most_labels: int) -> None:
    # The worst split of a person: everything in one label, next to nothing in the others.
    found = thresholds.calibrated(Labelled({}, most_labels=most_labels), sigma=FEW_UNITS, delta=delta)
    scale = drawn_sigma(FEW_UNITS) * UNITS_PER_PERSON
    units, chance = lattice(scale, int(9 * scale))
    at = round(found.persons * UNITS_PER_PERSON)
    own = chance[units + UNITS_PER_PERSON >= at].sum()
    others = (most_labels - 1) * chance[units >= at].sum()
    assert 0.99 * delta < own + others <= delta


@pytest.mark.parametrize("delta", [1e-2, 1e-3])
def test_a_label_of_one_person_survives_as_often_as_delta_says(delta: float) -> None:
    # 30,000 independent draws; each side of the binomial interval fails with probability 1e-6.
    trials, sigma = 30_000, 5.0
    found = thresholds.calibrated(Labelled({}), sigma=sigma, delta=delta)
    labels, counts = [str(k) for k in range(trials)], np.full(trials, UNITS_PER_PERSON)
    kept = mechanisms.surviving(labels, counts, sigma=drawn_sigma(sigma), threshold=found.persons)
    low, high = stats.binom.ppf([1e-6, 1 - 1e-6], trials, delta)
    assert low <= len(kept) <= high


def test_no_split_of_a_person_over_labels_survives_more_often_than_delta() -> None:
    rng = np.random.default_rng(3)
    found = thresholds.calibrated(Labelled({}, most_labels=4), sigma=2.0, delta=1e-4)
    for _ in range(200):
        split = rng.dirichlet(np.full(4, 0.3))
        scale = drawn_sigma(2.0)
        assert sum(thresholds.survival(found.persons, c, scale=scale) for c in split) <= 1e-4


@pytest.mark.parametrize("others", [0.0, 0.99, 1.01])
@pytest.mark.parametrize("epsilon", [0.0, 0.5, 1.0, 2.0])
def test_a_threshold_keeps_within_its_curve_in_both_directions(others: float, epsilon: float) -> None:
    """All outcomes of one label, with a person and without: nothing, or a noisy count from the threshold on."""
    sigma, delta = 1.0, 1e-3
    found = thresholds.calibrated(Labelled({}), sigma=sigma, delta=delta)
    base = others * found.persons
    # In steps of 2^-10 person; the person's own share of a lattice unit is left out on both sides alike.
    step = 2**10
    at = math.ceil(found.persons * step)
    units, chance = lattice(drawn_sigma(sigma) * step, 14 * step)

    def outcomes(count: float) -> npt.NDArray[np.float64]:
        if count == 0:  # a label that nobody holds is not looked at
            return np.append(np.zeros(14 * step + 1), 1.0)
        place = units + round(count * step) - at
        seen = np.bincount(place[place >= 0], chance[place >= 0], minlength=14 * step + 1)[: 14 * step + 1]
        return np.append(seen, 1 - seen.sum())

    without, present = outcomes(base), outcomes(base + 1)
    allowed = delta_from(1 / sigma, epsilon) + delta
    for one, other in ((without, present), (present, without)):
        assert np.maximum(one - math.exp(epsilon) * other, 0).sum() <= allowed * (1 + 1e-6) + 1e-9


def test_labels_that_pass_are_published_with_a_noisy_count_and_their_entry() -> None:
    # 1,000 persons at a threshold of about 60 pass but for 1e-80; 1 passes with probability 1e-8.
    ledger = budget()
    found = ledger.threshold(Labelled({"b": 1000, "a": 1000, "c": 1}), "job", sigma=10.0, delta=1e-8, label="Jobs")
    assert found.labels == ("a", "b")
    assert np.all(np.abs(found.noisy - 1000) < 80)  # 8 sigma: fails with probability below 1e-14
    (entry,) = ledger.entries
    assert (entry.number, entry.kind, entry.mu, entry.delta) == (found.entry, "threshold", pytest.approx(0.1), 1e-8)
    assert (entry.tables, entry.cells) == (1, 0)  # the number of labels is private
    assert ledger.spent_delta == 1e-8


def test_a_person_with_weight_k_costs_k_and_raises_the_threshold() -> None:
    ledger = budget()
    many = Labelled({"a": 9}, l2=4 * UNITS_PER_PERSON, most_labels=4)
    found = ledger.threshold(many, "job", sigma=100.0, delta=1e-9, label="Jobs")
    assert ledger.spent_mu2 == pytest.approx((4 / 100) ** 2)
    assert found.threshold.persons > thresholds.calibrated(Labelled({}), sigma=100.0, delta=1e-9).persons + 3


def test_without_labels_nothing_is_published_and_the_cost_is_booked_all_the_same() -> None:
    ledger = budget()
    assert ledger.threshold(Labelled({}), "job", sigma=10.0, delta=1e-8, label="Jobs").labels == ()
    assert len(ledger.entries) == 1


@pytest.mark.parametrize(
    ("sigma", "delta", "message"),
    [
        (0.5, 1e-9, r"^Jobs: would spend epsilon"),
        (100.0, 2e-7, r"^Jobs: would spend delta 2e-07 of the 1e-07 kept for thresholds \(0 spent in 0 releases\)"),
    ],
)
def test_overspent_mu_or_delta_is_refused_before_booking_counting_and_drawing(
    sigma: float, delta: float, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mechanisms, "surviving", lambda *_, **__: pytest.fail("drawn"))
    records, ledger = Labelled({"a": 9}), budget()
    with pytest.raises(BudgetError, match=message):
        ledger.threshold(records, "job", sigma=sigma, delta=delta, label="Jobs")
    assert (ledger.entries, records.counted) == ((), 0)


def test_delta_adds_up_over_thresholds_and_fits() -> None:
    ledger = budget()
    for _ in range(2):
        ledger.allowance(0.1).threshold(Labelled({}), "job", sigma=200.0, delta=5e-8, label="Jobs")
    with pytest.raises(
        BudgetError, match=r"would spend delta 1.01e-07 of the 1e-07 kept .*\(1e-07 spent in 2 releases\)"
    ):
        ledger.threshold(Labelled({}), "job", sigma=200.0, delta=1e-9, label="Jobs")
    assert ledger.spent_delta == pytest.approx(1e-7)


def test_a_budget_that_keeps_nothing_for_thresholds_releases_none() -> None:
    ledger = budget(thresholds=0.0)
    with pytest.raises(BudgetError, match=r"Jobs: would spend delta 1e-09 of the 0 kept for thresholds"):
        ledger.threshold(Labelled({}), "job", sigma=200.0, delta=1e-9, label="Jobs")
    with pytest.raises(BudgetError, match=r"^Fit: the budget of 'clinic' keeps no part of delta for thresholds"):
        ledger.allowance(0.5, thresholds=True)
    assert ledger.entries == ()


def test_fits_that_add_up_to_the_budget_may_spend_all_that_is_kept() -> None:
    ledger = budget()
    for _ in range(4):
        epsilon = ledger.remaining_epsilon if len(ledger.entries) == 6 else 0.9
        fit = ledger.allowance(epsilon, thresholds=True)
        assert 0 < fit.threshold_delta < fit.guarantee.thresholds == 1e-7
        fit.threshold(Labelled({}), "job", sigma=1e4, delta=fit.threshold_delta, label="Jobs")
        rest = math.sqrt(fit.guarantee.mu**2 - fit.spent_mu2) * (1 - 1e-9)
        fit.measure(_Nobody(), [()], [1 / rest], label="Persons")
    assert ledger.spent_delta == pytest.approx(1e-7 * ledger.spent_mu2 / ledger.guarantee.mu**2, rel=1e-6)


class _Nobody:
    l2 = UNITS_PER_PERSON

    def marginals(self, cliques: Sequence[Any]) -> list[npt.NDArray[np.int64]]:
        return [np.zeros((), dtype=np.int64) for _ in cliques]


def test_what_is_kept_for_thresholds_is_taken_from_the_noise_and_stated_again() -> None:
    plain, kept = Guarantee.of(1.0, 1e-6), Guarantee.of(1.0, 1e-6, thresholds=1e-7)
    assert kept.mu == mu_from(1.0, gaussian_delta(1e-6, 1e-7)) < plain.mu
    assert kept.delta_at(1.0) == pytest.approx(1e-6, rel=1e-9)
    assert kept.epsilon_at(1e-6) == pytest.approx(1.0, rel=1e-9)
    assert kept.odds_failure > Guarantee.of(1.0, gaussian_delta(1e-6, 1e-7)).odds_failure
    assert kept.membership_tpr_cap(0.01) == pytest.approx(stats.norm.cdf(stats.norm.ppf(0.01) + kept.mu) + 1e-7)
    assert kept.as_dict()["thresholds"] == 1e-7


@pytest.mark.parametrize("delta", [1e-9, 1e-7])
def test_epsilon_at_a_delta_within_what_thresholds_may_fail_by_is_refused_with_the_reason(delta: float) -> None:
    kept = Guarantee.of(1.0, 1e-6, thresholds=1e-7)
    with pytest.raises(UsageError, match=rf"Delta must lie above 1e-07, which is kept for thresholds, got {delta:g}"):
        kept.epsilon_at(delta)


@pytest.mark.parametrize("part", [-1e-9, 1e-6, 2e-6, math.nan])
def test_a_part_of_delta_that_is_none_is_refused(part: float) -> None:
    with pytest.raises(UsageError, match=r"part of delta for thresholds must lie from 0 to below 1e-06"):
        Guarantee.of(1.0, 1e-6, thresholds=part)


def test_what_is_kept_and_spent_outlives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    ledger = budget(path=path)
    ledger.threshold(Labelled({}), "job", sigma=200.0, delta=6e-8, label="Jobs")
    again = Ledger.open(path)
    assert (again.guarantee.thresholds, again.spent_delta) == (1e-7, 6e-8)
    with pytest.raises(BudgetError, match=r"more of delta is spent on thresholds already"):
        again.set_limit(2.0, thresholds=5e-8)
    again.set_limit(2.0, thresholds=2e-7)
    assert Ledger.open(path).guarantee.thresholds == 2e-7


def test_an_entry_with_an_impossible_delta_is_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    ledger = budget(path=path)
    line = {
        "kind": "entry",
        "entry": {"number": 1, "run": 0, "label": "x", "kind": "threshold", "mu": 0.1, "delta": -1},
    }
    ledger._book.append(lambda _: line)
    with pytest.raises(InputError, match=r"is not a budget file of version 1"):
        Ledger.open(path)


@pytest.mark.parametrize("delta", [0.0, 0.5, 1.0, math.nan])
def test_a_threshold_without_a_proof_is_refused_unbooked(delta: float) -> None:
    ledger = budget()
    with pytest.raises(UsageError, match=r"Delta"):
        ledger.threshold(Labelled({}), "job", sigma=10.0, delta=delta, label="Jobs")
    assert ledger.entries == ()


def test_malformed_counts_are_refused_without_a_word_about_them() -> None:
    class Wrong(Labelled):
        def label_counts(self, column: str) -> tuple[Sequence[str], npt.NDArray[np.int64]]:
            labels, counts = super().label_counts(column)
            return labels, counts[:-1]

    with pytest.raises(MedsynthError, match=r"^Records must return one int64 count for every label\.$"):
        budget().threshold(Wrong({"secret": 5}), "job", sigma=10.0, delta=1e-8, label="Jobs")


def test_stubs_for_the_noise_remove_all_private_information(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanisms, "surviving", lambda *_, **__: {"b": 70.0, "a": 80.0})
    found = [
        budget().threshold(Labelled(counts), "job", sigma=10.0, delta=1e-8, label="Jobs")
        for counts in ({}, {"z": 5.0, "y": 1e6})
    ]
    assert found[0].labels == found[1].labels == ("a", "b")
    assert found[0].noisy.tolist() == found[1].noisy.tolist() == [80.0, 70.0]
