"""Tables of disjoint parts of the rows: what a person can change in all of them, and what is booked for it."""

import math
from typing import Any

import numpy as np
import pytest

from medsynth.errors import BudgetError
from medsynth.privacy import Ledger
from medsynth.privacy.accountant import mu_from
from medsynth.privacy.interactions import interactions, parts_mu
from medsynth.privacy.mechanisms import UNITS_PER_PERSON


def test_parts_cost_what_the_dearest_part_costs(make_records: Any) -> None:
    # Interactions of a column of two cells move by sqrt(1/2), of four by sqrt(3/4), a count by 1.
    parts = [make_records([[0, 0], [0, 0, 0, 0]]), make_records([np.array(7)])]
    ledger = Ledger(90.0, 1e-6)
    ledger.measure_parts(parts, [part.cliques for part in parts], [[2.0, 1.0], [4.0]], label="parts")
    (entry,) = ledger.entries
    assert entry.mu == pytest.approx(math.sqrt(0.5 / 4 + 0.75), rel=1e-5)
    assert (entry.tables, entry.cells, entry.sigma_low, entry.sigma_high) == (3, 7, 1.0, 4.0)
    other = Ledger(90.0, 1e-6)
    other.measure_parts(parts, [part.cliques for part in parts], [[20.0, 10.0], [0.5]], label="parts")
    assert other.entries[0].mu == pytest.approx(2.0, rel=1e-5)  # now the count is the dearest


def test_parts_without_a_table_cost_nothing(make_records: Any) -> None:
    ledger = Ledger(1.0, 1e-6)
    assert ledger.measure_parts([make_records([])], [[]], [[]], label="nothing") == [[]]
    assert ledger.entries == ()


def test_parts_beyond_the_budget_are_neither_booked_nor_counted(make_records: Any) -> None:
    part = make_records([[5, 5]])
    ledger = Ledger(1.0, 1e-6)
    sigma = 0.9 * math.sqrt(0.5) / mu_from(1.0, 1e-6)
    with pytest.raises(BudgetError):
        ledger.measure_parts([part], [part.cliques], [[sigma]], label="parts")
    assert (ledger.entries, part.counted) == ((), 0)


@pytest.mark.parametrize("seed", range(20))
def test_a_person_moves_the_stack_of_all_parts_by_no_more_than_is_booked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [[(2,), (5, 3)], [()], [(7,)]]
    sigmas = [[1.0, 4.0], [2.0], [0.9]]
    before = [[rng.integers(0, 1 << 20, shape) for shape in own] for own in shapes]
    after = [[table.copy() for table in own] for own in before]
    rows = int(rng.integers(1, 8))
    for weight, part in zip([UNITS_PER_PERSON // rows] * rows, rng.integers(0, 3, rows), strict=True):
        for table in after[part]:
            table[tuple(rng.integers(0, size) for size in table.shape)] += weight
    moved = [
        ((interactions(new) - interactions(old)) / sigma).ravel()
        for own, changed, noise in zip(before, after, sigmas, strict=True)
        for old, new, sigma in zip(own, changed, noise, strict=True)
    ]
    assert np.linalg.norm(np.concatenate(moved)) <= parts_mu(UNITS_PER_PERSON, shapes, sigmas)


def test_a_person_in_the_dearest_part_moves_the_stack_by_all_that_is_booked() -> None:
    row = np.array([UNITS_PER_PERSON, 0, 0, 0])
    moved = np.linalg.norm(interactions(row) - interactions(np.zeros(4, dtype=np.int64)))
    booked = parts_mu(UNITS_PER_PERSON, [[(4,)], [(2,)]], [[1.0], [1.0]])
    assert 1 - 1e-5 < moved / booked <= 1
