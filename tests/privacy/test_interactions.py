"""Interactions of a table: by hand, what one person moves, what is booked and what noise is drawn."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from medsynth.errors import BudgetError, MedsynthError, UsageError
from medsynth.privacy import mechanisms
from medsynth.privacy.interactions import centred, interaction_sensitivity, interactions, shrinkage
from medsynth.privacy.ledger import Ledger
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

Table = npt.NDArray[np.int64]


def test_interactions_by_hand() -> None:
    # Row means 6/3, 7/3 and column means 7/2, 3/2, 3/2 and the mean 13/6, rounded down: 2, 2; 3, 1, 1; 2.
    table = np.array([[5, 1, 0], [2, 2, 3]])
    assert interactions(table).tolist() == [[2, 0, -1], [-1, 1, 2]]
    assert interactions(table).dtype == np.int64


def test_interactions_of_negative_units_are_rounded_down_too() -> None:
    assert interactions(np.array([[-1, 0], [0, 0]])).tolist() == [[0, 0], [0, -1]]


def test_shrinkage_and_sensitivity_by_hand() -> None:
    assert shrinkage((2, 2)) == 0.5
    assert shrinkage((4, 5)) == pytest.approx(math.sqrt(0.75 * 0.8))
    assert interaction_sensitivity(UNITS_PER_PERSON, (2, 2)) == 2**19 + 3 * 2
    assert interaction_sensitivity(100, (4, 5)) == pytest.approx(100 * math.sqrt(0.6) + 3 * math.sqrt(20))


def test_one_column_is_counted_beyond_its_mean_and_no_column_is_the_number_of_persons() -> None:
    # Mean 11/4, rounded down 2.
    assert interactions(np.array([7, 0, 3, 1])).tolist() == [5, -2, 1, -1]
    assert interactions(np.array(12)).tolist() == 12
    assert centred(np.array([7.0, 0.0, 3.0, 2.0])).tolist() == [4.0, -3.0, 0.0, -1.0]
    assert float(centred(np.array(12.0))) == 12.0
    assert shrinkage((4,)) == pytest.approx(math.sqrt(0.75))
    assert interaction_sensitivity(100, (4,)) == pytest.approx(100 * math.sqrt(0.75) + 2)
    assert interaction_sensitivity(100, ()) == 100


def test_centred_by_hand() -> None:
    # Row means 3, 1; column means 4, 1, 1; mean 2.
    table = np.array([[7.0, 2.0, 0.0], [1.0, 0.0, 2.0]])
    assert centred(table).tolist() == [[2.0, 0.0, -2.0], [-2.0, 0.0, 2.0]]


def test_centring_takes_out_the_margins_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    table, rows, columns = rng.normal(size=(4, 7)), rng.normal(size=(4, 1)), rng.normal(size=7)
    found = centred(table)
    assert np.allclose([*found.sum(axis=0), *found.sum(axis=1)], 0, atol=1e-12)
    assert np.allclose(centred(table + rows + columns), found)
    assert np.allclose(centred(found), found)


@pytest.mark.parametrize("shape", [(), (2,), (7,), (2, 2), (3, 5), (9, 2), (2, 3, 4)])
def test_a_person_in_one_cell_moves_the_interactions_by_the_shrinkage_exactly(shape: tuple[int, ...]) -> None:
    for cell in np.ndindex(shape):
        alone = np.zeros(shape)
        alone[cell] = 1.0
        assert np.linalg.norm(centred(alone)) == pytest.approx(shrinkage(shape), rel=1e-12)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Table, Table, int]:
    """A table, the same with one person more, and the bound on the person's weight."""
    shape = tuple(draw(st.lists(st.integers(2, 6), max_size=3)))
    weight = draw(st.one_of(st.integers(1, 20), st.integers(1, 10 * UNITS_PER_PERSON)))
    counts = st.one_of(st.integers(0, 30), st.integers(0, 10**9 * UNITS_PER_PERSON // 216))
    table = draw(arrays.arrays(np.int64, shape, elements=counts)).reshape(shape)
    person, left = np.zeros(shape, dtype=np.int64), weight
    for cell in draw(st.lists(st.tuples(*(st.integers(0, size - 1) for size in shape)), min_size=1, max_size=8)):
        taken = draw(st.one_of(st.just(left), st.integers(0, left)))
        person[cell] += taken
        left -= taken
    return table, table + person, weight


@given(neighbours())
@settings(max_examples=400, deadline=None)
def test_one_person_moves_the_interactions_by_at_most_the_sensitivity(pair: tuple[Table, Table, int]) -> None:
    one, other, weight = pair
    moved = [int(cell) for cell in (interactions(other) - interactions(one)).ravel()]
    # Squares of units add up beyond 2^53: in whole numbers, against the square of the bound.
    assert math.sqrt(sum(cell**2 for cell in moved)) <= interaction_sensitivity(weight, one.shape)


def test_without_the_rounding_the_sensitivity_would_be_exceeded() -> None:
    moved = interactions(np.array([[1, 0], [0, 0]])) - interactions(np.zeros((2, 2), dtype=np.int64))
    assert shrinkage((2, 2)) < np.linalg.norm(moved) <= interaction_sensitivity(1, (2, 2))


@pytest.mark.parametrize("shape", [(2, 2), (256, 256), (2, 256)])
@pytest.mark.parametrize("spread", [False, True])
def test_interactions_of_a_billion_persons_are_exact(shape: tuple[int, int], spread: bool) -> None:
    rng, units = np.random.default_rng(0), 10**9 * UNITS_PER_PERSON
    table = np.zeros(shape, dtype=np.int64)
    table[0, 1] = units
    if spread:
        table = rng.multinomial(units, rng.dirichlet(np.full(math.prod(shape), 0.2))).reshape(shape).astype(np.int64)
    whole = table.astype(object)  # integers of any length
    by_row = whole.sum(axis=1, keepdims=True) // shape[1]
    by_column = whole.sum(axis=0, keepdims=True) // shape[0]
    exact = whole - by_row - by_column + whole.sum() // table.size
    assert interactions(table).tolist() == exact.tolist()


def two_shapes(make_records: Any) -> Any:
    return make_records([np.full((2, 2), 5 * UNITS_PER_PERSON), np.full((4, 5), UNITS_PER_PERSON)])


def test_batch_of_interactions_books_the_sensitivity_of_each_shape(make_records: Any) -> None:
    records, ledger = two_shapes(make_records), Ledger(1.0, 1e-6)
    tables = ledger.measure(records, records.cliques, [10.0, 20.0], label="Pairs", interactions=True)
    moved = [0.5 + 6 / 2**20, math.sqrt(0.6) + 3 * math.sqrt(20) / 2**20]
    assert [table.sensitivity for table in tables] == pytest.approx(moved, rel=1e-14)
    assert ledger.spent_mu2 == pytest.approx((moved[0] / 10) ** 2 + (moved[1] / 20) ** 2, rel=1e-12)
    assert all(table.interactions for table in tables)
    assert [table.noisy.shape for table in tables] == [(2, 2), (4, 5)]
    (entry,) = ledger.entries
    assert (entry.kind, entry.tables, entry.cells, entry.sensitivity) == ("interactions", 2, 24, moved[1])


def test_interactions_cost_in_proportion_to_a_persons_rows(make_records: Any) -> None:
    records, ledger = make_records([np.zeros((2, 2))], l2=4 * UNITS_PER_PERSON), Ledger(1.0, 1e-6)
    ledger.measure(records, records.cliques, [10.0], label="Pair", interactions=True)
    assert ledger.spent_mu2 == pytest.approx(((2 + 6 / 2**20) / 10) ** 2, rel=1e-12)


def test_whole_tables_are_still_booked_whole(make_records: Any) -> None:
    records, ledger = two_shapes(make_records), Ledger(1.0, 1e-6)
    tables = ledger.measure(records, records.cliques, [10.0, 20.0], label="Pairs")
    assert [table.sensitivity for table in tables] == [1.0, 1.0]
    assert not any(table.interactions for table in tables)
    assert ledger.spent_mu2 == pytest.approx(1 / 100 + 1 / 400)


@pytest.mark.parametrize("shape", [(1,), (1, 4), (4, 1), (2, 1, 2)])
def test_tables_without_interactions_are_refused_before_booking_and_counting(
    shape: tuple[int, ...], make_records: Any
) -> None:
    records, ledger = make_records([np.zeros((2, 2)), np.zeros(shape)]), Ledger(1.0, 1e-6)
    with pytest.raises(UsageError, match=r"has no interactions.*Leave it out\."):
        ledger.measure(records, records.cliques, [10.0, 10.0], label="Pairs", interactions=True)
    assert ledger.entries == ()
    assert records.counted == 0
    with pytest.raises(UsageError, match="has no interactions"):
        interactions(np.zeros(shape, dtype=np.int64))


def test_records_without_a_sensitivity_have_no_interactions_either(make_records: Any) -> None:
    records, ledger = make_records([np.zeros((2, 2))], l2=0), Ledger(1.0, 1e-6)
    with pytest.raises(MedsynthError, match="at least one unit"):
        ledger.measure(records, records.cliques, [10.0], label="Pairs", interactions=True)
    assert ledger.entries == ()


def test_interactions_beyond_the_budget_are_refused_before_booking_and_counting(make_records: Any) -> None:
    # Sigma 2 persons costs mu 0.25 for 2 x 2, and mu 0.5 for the table; the limit has 0.21.
    records, ledger = make_records([np.zeros((2, 2))]), Ledger(1.0, 1e-6)
    with pytest.raises(BudgetError, match="Pairs: would spend epsilon"):
        ledger.measure(records, records.cliques, [2.0], label="Pairs", interactions=True)
    assert (ledger.entries, records.counted) == ((), 0)


def test_noise_of_interactions_has_the_booked_scale(make_records: Any) -> None:
    # Chi-squared on 3,000 residuals; failure probability 1e-6.
    table = np.random.default_rng(2).integers(0, 50 * UNITS_PER_PERSON, (60, 50))
    records, ledger = make_records([table]), Ledger(1.0, 1e-6)
    (found,) = ledger.measure(records, records.cliques, [25.0], label="Pair", interactions=True)
    residuals = (found.noisy - interactions(table) / UNITS_PER_PERSON) / found.sigma
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], table.size)
    assert low < float((residuals**2).sum()) < high


@pytest.mark.parametrize("cell", [(0, 0), (1, 2)])
def test_what_is_drawn_hides_one_person_as_well_as_is_booked(
    cell: tuple[int, int], make_records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Table, float]] = []

    def stub(values: Table, *, sigma: float) -> npt.NDArray[np.float64]:
        assert values.dtype == np.int64
        drawn.append((values, sigma))
        return np.zeros(values.shape)

    monkeypatch.setattr(mechanisms, "gaussian", stub)
    tables = [np.arange(6).reshape(2, 3) * 777_777, np.arange(12).reshape(4, 3) * 123_457]
    person = []
    for table in tables:
        moved = table.copy()
        moved[cell] += UNITS_PER_PERSON
        person.append(moved)
    costs = []
    for counts in (tables, person):
        records, ledger = make_records(counts), Ledger(1.0, 1e-6)
        ledger.measure(records, records.cliques, [9.0, 17.0], label="Pairs", interactions=True)
        costs.append(ledger.spent_mu2)
    told = sum(
        (np.linalg.norm(b - a) / UNITS_PER_PERSON / sigma * mechanisms.lattice_factor(sigma)) ** 2
        for (a, sigma), (b, _) in zip(drawn[:2], drawn[2:], strict=True)
    )
    assert costs[0] == costs[1]
    # Nothing is given away, and little is wasted: the rounding costs 3 sqrt(g h) units.
    assert costs[0] * (1 - 1e-4) < told < costs[0] * (1 - 1e-9)


def test_stub_for_the_noise_removes_all_private_information_of_interactions(
    make_records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mechanisms, "gaussian", lambda values, *, sigma: np.full(values.shape, sigma))
    seen = []
    for counts in ([[5, 0], [0, 1]], [[0, 10**13], [7, 0]]):
        records, ledger = make_records([counts]), Ledger(1.0, 1e-6)
        (table,) = ledger.measure(records, records.cliques, [50.0], label="x", interactions=True)
        seen.append((table.noisy.tobytes(), table.sensitivity, [entry.as_dict() for entry in ledger.entries]))
    assert seen[0] == seen[1]
