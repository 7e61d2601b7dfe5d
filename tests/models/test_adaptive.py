"""The adaptive model end to end: budget, non-interference, total fits, and what it learns."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, Domain, IntArray, Level
from medsynth.models import rounds
from medsynth.models.adaptive import Adaptive
from medsynth.models.graphical import GraphicalModel
from medsynth.models.independent import Independent
from medsynth.models.levels import nested_chain
from medsynth.models.one_ways import OneWays, measure_one_ways
from medsynth.models.pair_tables import PairTable, completed
from medsynth.models.selection import Choice, Plan, plan_pairs
from medsynth.models.survey import Survey, one_way_gain
from medsynth.privacy import Ledger
from medsynth.privacy.interactions import interaction_sensitivity
from medsynth.privacy.measurement import Measurement

UNIT = 1 << 20


class Rows:
    """Encoded rows, one per person."""

    def __init__(self, codes: npt.ArrayLike, sizes: Sequence[int], ordered: Sequence[int] = ()):
        self.codes = np.asarray(codes, dtype=np.int32).reshape(-1, len(sizes))
        attributes = [
            Attribute(name=f"c{k}", size=size, ordered=size if k in ordered else 0) for k, size in enumerate(sizes)
        ]
        self.domain = Domain(attributes=tuple(attributes))
        self.l2 = UNIT

    def marginals(self, cliques: Sequence[tuple[Level, ...]]) -> list[npt.NDArray[np.int64]]:
        tables = []
        for clique in cliques:
            shape = tuple(level.size for level in clique)
            groups = [level.groups[self.codes[:, int(level.attribute[1:])]] for level in clique]
            flat = np.ravel_multi_index(tuple(groups), shape) if clique else np.zeros(len(self.codes), dtype=np.int64)
            tables.append(np.bincount(flat, minlength=math.prod(shape)).reshape(shape) * UNIT)
        return tables


class Constant:
    """A ledger whose answers do not depend on the rows."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.labels: list[str] = []

    def measure(
        self, records: Rows, cliques: Any, sigmas: Any, *, label: str, interactions: bool = False
    ) -> list[Measurement]:
        del records
        self.labels.append(label)
        return [
            Measurement(
                clique=clique,
                noisy=np.full(tuple(level.size for level in clique), self.value),
                sigma=sigma,
                sensitivity=1.0,
                entry=len(self.labels),
                interactions=interactions,
            )
            for clique, sigma in zip(cliques, sigmas, strict=True)
        ]

    def distances(
        self, records: Rows, cliques: Any, references: Any, sigma: float, *, label: str
    ) -> tuple[npt.NDArray[np.float64], int]:
        del records, references, sigma
        self.labels.append(label)
        return np.full(len(cliques), self.value), len(self.labels)


def ledger(epsilon: float = 1.0) -> Ledger:
    return Ledger(epsilon, 1e-6, population="test")


def fit(rows: Any, epsilon: float = 1.0, persons: int = 1000, **settings: Any) -> GraphicalModel:
    book = ledger(epsilon)
    return Adaptive(**settings).fit(rows, book, persons=persons, mu=book.guarantee.mu)


def related(n: int, seed: int = 0, sizes: Sequence[int] = (2, 3, 4, 5, 3)) -> IntArray:
    """Columns that follow one hidden number."""
    rng = np.random.default_rng(seed)
    hidden = rng.random(n)
    noise = rng.normal(0, 0.15, (n, len(sizes)))
    scaled = (np.clip(hidden[:, None] + noise, 0, 0.999) * np.array(sizes)).astype(np.int32)
    return np.asarray(scaled)


def pair_error(codes: IntArray, drawn: IntArray, sizes: Sequence[int]) -> float:
    errors = []
    for i, j in combinations(range(len(sizes)), 2):
        tables = [
            np.bincount(c[:, i] * sizes[j] + c[:, j], minlength=sizes[i] * sizes[j]) / len(c) for c in (codes, drawn)
        ]
        errors.append(np.abs(tables[0] - tables[1]).sum() / 2)
    return float(np.mean(errors))


@pytest.mark.parametrize("columns", [1, 2, 3, 6, 20])
@pytest.mark.parametrize("mu", [0.01, 0.3, 4.0])
def test_phases_spend_mu_squared_exactly(columns: int, mu: float) -> None:
    domain = Rows([], [3] * columns).domain
    assert math.isclose(Adaptive().phases(domain, 5000, mu).mu2, mu**2, rel_tol=1e-12)


@pytest.mark.parametrize("columns", [1, 2, 3, 6, 20])
def test_spending_foretells_every_phase_in_the_order_of_the_ledger(columns: int) -> None:
    sizes = (3,) * columns
    book, rows = ledger(8.0), Rows(related(1000, sizes=sizes), sizes)
    mu = book.guarantee.mu
    forecast = Adaptive().spending(rows.domain, persons=1000, mu=mu)
    assert math.isclose(sum(phase.share for phase in forecast), 1.0, rel_tol=1e-12)
    Adaptive().fit(rows, book, persons=1000, mu=mu)
    assert [phase.label for phase in forecast] == [entry.label for entry in book.entries]
    for phase, entry in zip(forecast, book.entries, strict=True):
        assert math.isclose(phase.share * mu**2, entry.mu**2, rel_tol=1e-6)


def test_more_columns_leave_more_to_the_one_ways() -> None:
    parts = [
        Adaptive().phases(Rows([], [size] * columns).domain, 20_000, 0.5).one_ways
        for columns, size in ((7, 80), (14, 40), (28, 20), (56, 10))
    ]
    assert parts[0] == parts[1] < parts[2] < parts[3]


@pytest.mark.parametrize("sizes", [(4,), (2, 3), (2, 3, 4, 5, 3)])
def test_the_ledger_is_spent_to_its_last_mu(sizes: tuple[int, ...]) -> None:
    # Strong relations and a large budget: every round finds a pair worth its noise.
    book = ledger(8.0)
    rows = Rows(related(4000, sizes=sizes), sizes)
    Adaptive().fit(rows, book, persons=4000, mu=book.guarantee.mu)
    assert math.isclose(book.spent_mu2, book.guarantee.mu**2, rel_tol=1e-9)


@pytest.mark.parametrize("rows", [0, 300])
def test_a_person_of_many_rows_gets_noise_in_proportion(rows: int) -> None:
    counted = Rows(related(rows), (2, 3, 4, 5, 3))
    counted.l2 = 3 * UNIT
    book = ledger()
    model = Adaptive().fit(counted, book, persons=300, mu=book.guarantee.mu)
    # A round without a pair worth its noise leaves its part unspent.
    assert book.spent_mu2 <= book.guarantee.mu**2 * (1 + 1e-9)
    for each in model.measurements:
        shape = [level.size for level in each.clique]
        moved = interaction_sensitivity(3 * UNIT, shape) / UNIT if each.interactions else 3.0
        assert each.sensitivity == moved


@pytest.mark.parametrize("value", [0.0, -40.0, 7.0, 1e13])
@pytest.mark.parametrize("sizes", [(1,), (3, 2, 4), (2, 3, 4, 5, 9)])
def test_a_constant_ledger_gives_the_same_bytes_for_any_rows(sizes: tuple[int, ...], value: float) -> None:
    fits = []
    for codes in (related(200, sizes=sizes), np.zeros((0, len(sizes))), np.zeros((1, len(sizes)))):
        book = Constant(value)
        rows = Rows(codes, sizes, ordered=(4,))
        model = Adaptive().fit(rows, book, persons=200, mu=0.8)  # type: ignore[arg-type]
        arrays = [*model.one_ways, *model.calibrated.beliefs, *(t.table for t in model.targets)]
        assert all(np.isfinite(array).all() for array in arrays)
        drawn = model.sample(30, np.random.default_rng(1))
        fits.append((book.labels, [array.tobytes() for array in arrays], drawn.tobytes()))
    assert fits[0] == fits[1] == fits[2]


@pytest.mark.parametrize("rows", [0, 1, 50])
@pytest.mark.parametrize("sizes", [(1,), (4,), (1, 1), (1, 4), (2, 2), (3, 1, 5, 2), (2,) * 6])
def test_any_table_yields_a_model_whose_rows_lie_in_the_domain(rows: int, sizes: tuple[int, ...]) -> None:
    model = fit(Rows(related(rows, sizes=sizes), sizes), epsilon=0.2, persons=50)
    drawn = model.sample(40, np.random.default_rng(0))
    assert drawn.shape == (40, len(sizes))
    assert (drawn >= 0).all()
    assert (drawn < np.array(sizes)).all()


def test_no_statement_of_persons_stops_the_fit() -> None:
    assert fit(Rows(related(20), (2, 3, 4, 5, 3)), persons=0).total >= 1


def test_related_columns_are_learned_at_a_large_budget() -> None:
    sizes = (2, 3, 4, 5, 3)
    codes = related(4000, sizes=sizes)
    model = fit(Rows(codes, sizes), epsilon=8.0, persons=4000)
    # Independent columns err by 0.32; a second sample of 4,000 rows by 0.015.
    assert pair_error(codes, model.sample(4000, np.random.default_rng(0)), sizes) < 0.015


def test_a_small_budget_is_no_worse_than_independent_columns() -> None:
    # Unrelated columns, epsilon 0.1: expected are 0.078 and 0.067; the mean of 10 fits of the first
    # strays by 0.005, so this fails once in a thousand runs.
    sizes = (4, 6, 3, 8, 5, 2)
    codes = np.random.default_rng(0).integers(0, sizes, (3000, 6)).astype(np.int32)
    errors: dict[str, list[float]] = {"adaptive": [], "independent": []}
    for _ in range(10):
        for name, model in (("adaptive", Adaptive()), ("independent", Independent())):
            book = ledger(0.1)
            fitted = model.fit(Rows(codes, sizes), book, persons=3000, mu=book.guarantee.mu)
            drawn = fitted.sample(3000, np.random.default_rng(0))
            errors[name].append(pair_error(codes, drawn, sizes))
    assert np.mean(errors["adaptive"]) < 1.4 * np.mean(errors["independent"])


def test_targets_cover_every_pair_and_trace_to_the_tree() -> None:
    sizes = (2, 3, 4, 5, 3)
    model = fit(Rows(related(500), sizes))
    assert [(t.i, t.j) for t in model.targets] == list(combinations(range(5), 2))
    assert all(math.isclose(t.table.sum(), model.total, rel_tol=0.2) for t in model.targets)


def test_large_code_column_enters_pairs_at_coarse_levels_only() -> None:
    rng = np.random.default_rng(0)
    code = np.minimum(rng.geometric(0.02, 2000) - 1, 699)
    codes = np.stack([code, code > 30, rng.integers(0, 3, 2000), code > 60], axis=1)
    model = fit(Rows(codes, (700, 2, 3, 2)), persons=2000)
    assert max(max(t.table.shape) for t in model.targets) <= 256
    assert model.sample(100, rng)[:, 0].max() < 700


def test_three_small_columns_fit_in_ten_milliseconds_of_processor_time() -> None:
    rows = Rows(related(50, sizes=(2, 3, 2)), (2, 3, 2))
    book = Constant(6.0)
    times = []
    for _ in range(12):
        began = time.process_time()
        Adaptive().fit(rows, book, persons=50, mu=0.3)  # type: ignore[arg-type]
        times.append(time.process_time() - began)
    assert min(times) < 0.010


def test_settings_are_public_and_saved_with_the_model() -> None:
    model = fit(Rows(related(60), (2, 3, 4, 5, 3)), kappa=0.01)
    assert model.settings["kappa"] == 0.01
    assert model.model == "adaptive"
    assert replace(Adaptive(), kappa=0.01) == Adaptive(kappa=0.01)


@pytest.mark.parametrize("model", [Independent(), Adaptive()], ids=["independent", "adaptive"])
@pytest.mark.parametrize("cells", [[1, 4, 7], range(0, 24, 2)], ids=["few", "half"])
def test_an_interval_around_a_count_covers_the_true_count(model: Independent | Adaptive, cells: Sequence[int]) -> None:
    sizes, repeats = (24, 3), 200
    rows = Rows(related(1000, sizes=sizes), sizes)
    # Scattered cells: `adaptive` also measures them in groups that hold much else. Of half of all persons most of the
    # noise is that of their number.
    wanted = Condition(boxes=({0: np.isin(np.arange(24), cells)},))
    true, covered = wanted.mask(rows.codes).sum(), 0
    for _ in range(repeats):
        book = ledger()
        fitted = model.fit(rows, book, persons=1000, mu=book.guarantee.mu)
        count, error = fitted.count(wanted)
        assert error is not None
        covered += abs(count - true) <= 1.96 * error
    # An interval that covers in 95 of 100 repeats fails here with probability 2.7e-5; these are
    # wider than that, as more than one table speaks of the share.
    assert covered >= 0.88 * repeats


def test_where_pairs_promise_nothing_the_one_ways_are_measured_again_with_all_that_is_left() -> None:
    codes = np.random.default_rng(1).integers(0, 6, (2000, 8))
    book = ledger(0.1)
    fitted = Adaptive().fit(Rows(codes, [6] * 8), book, persons=2000, mu=book.guarantee.mu)
    assert [entry.label for entry in book.entries] == [
        "One-way tables",
        "Pair scores, round 1",
        "One-way tables, again",
    ]
    assert book.spent_mu2 == pytest.approx(book.guarantee.mu**2, rel=1e-6)
    assert {len(measured.clique) for measured in fitted.measurements} == {0, 1}
    assert len(fitted.measurements) == 2 * (1 + 8)


@pytest.mark.parametrize(("rows", "epsilon"), [(50, 0.1), (200, 0.1), (300, 0.3)])
def test_without_a_pair_worth_it_nothing_is_left_unspent(rows: int, epsilon: float) -> None:
    for seed in range(4):
        codes = np.random.default_rng(seed).integers(0, 12, (rows, 8))
        book = ledger(epsilon)
        Adaptive().fit(Rows(codes, [12] * 8), book, persons=rows, mu=book.guarantee.mu)
        assert book.spent_mu2 == pytest.approx(book.guarantee.mu**2, rel=1e-6)


def test_one_ways_measured_after_pairs_are_the_margins_of_these(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = iter(range(9))

    def nothing_left(*arguments: Any, **named: Any) -> Plan:
        plan = plan_pairs(*arguments, **named)
        return replace(plan, choices=()) if next(plans) == 2 else plan  # the guard's, round 1, round 2

    def noted(choice: Choice, measured: Measurement, one_ways: OneWays) -> PairTable:
        margins.append(one_ways.total)
        return completed(choice, measured, one_ways)

    margins: list[float] = []
    monkeypatch.setattr(rounds, "plan_pairs", nothing_left)
    monkeypatch.setattr(rounds, "completed", noted)
    codes = np.random.default_rng(2).integers(0, 6, (3000, 8))
    codes[:, 1] = codes[:, 0]
    book, rows = ledger(3.0), Rows(codes, [6] * 8)
    model = Adaptive().fit(rows, book, persons=3000, mu=book.guarantee.mu)
    assert [entry.label for entry in book.entries][-2:] == ["Pair scores, round 2", "One-way tables, again"]
    assert book.spent_mu2 == pytest.approx(book.guarantee.mu**2, rel=1e-6)
    first, second = (Level.finest(attribute) for attribute in rows.domain.attributes[:2])
    # Noise moves the trace by about 0.01.
    assert np.trace(model.marginal((first, second))) > 0.8
    pairs = [measured for measured in model.measurements if len(measured.clique) == 2]
    assert pairs
    assert margins == [model.total] * len(pairs)


def test_where_pairs_promise_much_no_budget_goes_back_to_the_one_ways() -> None:
    book = ledger(1.0)
    sizes = (6, 6, 6, 6, 6, 6)
    Adaptive().fit(Rows(related(20_000, sizes=sizes), sizes), book, persons=20_000, mu=book.guarantee.mu)
    labels = [entry.label for entry in book.entries]
    assert "Pair tables, round 2" in labels
    assert "One-way tables, again" not in labels


def test_one_ways_measured_twice_have_the_noise_of_both_budgets_together() -> None:
    rows = Rows(np.zeros((500, 2)), [40, 3])
    book = ledger(8.0)
    first = measure_one_ways(rows, book, mu2=0.3)
    both = measure_one_ways(rows, book, mu2=1.2, earlier=first)
    once = measure_one_ways(rows, ledger(8.0), mu2=1.5)
    assert [m.sigma for m in both.known] == pytest.approx([m.sigma for m in once.known])
    assert [m.entry for m in both.published] == [1, 1, 1, 2, 2, 2]
    weights = np.array([m.sigma**-2 for m in (both.published[1], both.published[4])])
    by_hand = weights @ np.array([both.published[1].noisy, both.published[4].noisy]) / weights.sum()
    assert np.allclose(both.known[1].noisy, by_hand)
    assert both.total == pytest.approx(float(both.known[0].noisy))


def test_one_way_gain_by_hand() -> None:
    # Cells of 100 persons with noise of 10: 0.8 * 10 a cell, half of it gone; two columns of 2 and 4 cells, one pair.
    chains = tuple(nested_chain(attribute, np.ones(attribute.size)) for attribute in Rows([], [2, 4]).domain.attributes)
    known = OneWays(
        known=(),
        published=(),
        masses=(np.full(2, 100.0), np.full(4, 100.0)),
        deviations=(np.full(2, 10.0), np.full(4, 10.0)),
        total=200.0,
    )
    survey = Survey(records=cast(Any, None), ledger=cast(Any, None), one_ways=known, chains=chains)
    assert one_way_gain(survey, 0.5) == pytest.approx(6 * 4.0)


def test_measurements_that_contradict_each_other_leave_a_model_with_mass() -> None:
    # Interactions of hundreds of noise deviations against margins that cannot hold them, and a rule besides.
    class Absurd(Constant):
        def measure(self, records: Any, cliques: Any, sigmas: Any, **named: Any) -> list[Measurement]:
            found = super().measure(records, cliques, sigmas, **named)
            signs = np.random.default_rng(0)
            return [
                replace(each, noisy=1e5 * signs.choice([-1.0, 1.0], each.noisy.shape)) if each.interactions else each
                for each in found
            ]

    sizes = (3, 3, 4, 2, 5, 3)
    rule = Condition(boxes=({0: np.array([True, False, False]), 1: np.array([False, True, False])},))
    fitted = Adaptive().fit(Rows([], sizes), cast(Any, Absurd(1e4)), persons=1000, mu=5.0, impossible=[rule])
    assert np.isfinite(fitted.calibrated.log_partition)
    assert fitted.sample(50, np.random.default_rng(0)).shape == (50, 6)
