"""Pairs that are completed from their interactions and the one-ways: by hand, spending, noise."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from medsynth.encoding.domain import Attribute, Level
from medsynth.models.levels import Chain
from medsynth.models.one_ways import OneWays
from medsynth.models.pair_tables import completed, measure_pairs
from medsynth.privacy import Ledger
from medsynth.privacy.interactions import interaction_sensitivity
from medsynth.privacy.measurement import Measurement

FloatArray = npt.NDArray[np.float64]


def chain(name: str, size: int, groups: list[int] | None = None) -> Chain:
    finest = Level.finest(Attribute(name=name, size=size))
    if groups is None:
        return Chain(attribute=name, levels=(finest,))
    coarse = Level(attribute=name, groups=np.array(groups, dtype=np.int32), size=max(groups) + 1)
    return Chain(attribute=name, levels=(coarse, finest))


def known(*masses: FloatArray) -> OneWays:
    """One-ways without noise."""
    deviations, total = tuple(map(np.zeros_like, masses)), float(masses[0].sum())
    return OneWays(known=(), published=(), masses=masses, deviations=deviations, total=total)


def of_interactions(chains: list[Chain], noisy: FloatArray, sigma: float, level: int = -1) -> Measurement:
    clique = tuple(each.levels[level] for each in chains)
    return Measurement(clique=clique, noisy=noisy, sigma=sigma, sensitivity=0.5, entry=2, interactions=True)


def test_completed_table_by_hand() -> None:
    # Independent: 30, 30 and 20, 20. Of the interactions the row, column and overall means are dropped.
    one_ways = known(np.array([60.0, 40.0]), np.array([50.0, 50.0]))
    noisy = np.array([[5.0, -5.0], [-5.0, 5.0]]) + np.array([[3.0], [-1.0]]) + np.array([10.0, 2.0])
    found = completed((0, 1, 0, 0), of_interactions([chain("a", 2), chain("b", 2)], noisy, 4.0), one_ways)
    assert found.noisy == pytest.approx(np.array([[35.0, 25.0], [15.0, 25.0]]))
    assert found.sigma == 4.0 * 0.5
    assert found.choice == (0, 1, 0, 0)


def test_margins_of_a_completed_table_are_the_one_ways_at_its_levels() -> None:
    chains = [chain("a", 4, [0, 1, 1, 0]), chain("b", 5, [0, 0, 1, 2, 2])]
    one_ways = known(np.array([1.0, 2.0, 3.0, 4.0]), np.array([5.0, 0.0, 2.0, 2.0, 1.0]))
    noisy = np.random.default_rng(0).normal(0, 9, (2, 3))
    found = completed((0, 1, 0, 0), of_interactions(chains, noisy, 9.0, level=0), one_ways)
    assert found.noisy.sum(axis=1) == pytest.approx([5.0, 5.0])
    assert found.noisy.sum(axis=0) == pytest.approx([5.0, 2.0, 3.0])


class Repeated:
    """The same table of two columns however often it is asked for; one person counts `rows` times."""

    def __init__(self, table: npt.NDArray[np.int64], rows: int = 1) -> None:
        self._units = table << 20
        self.l2 = rows << 20

    def marginals(self, cliques: list[tuple[Level, ...]]) -> list[npt.NDArray[np.int64]]:
        return [self._units for _ in cliques]


def measured(
    table: npt.NDArray[np.int64], times: int, mu2: float
) -> tuple[Ledger, list[Measurement], list[FloatArray]]:
    """A table measured and completed many times from its own margins; the errors of its cells."""
    chains = [chain("a", table.shape[0]), chain("b", table.shape[1])]
    one_ways = known(table.sum(axis=1).astype(float), table.sum(axis=0).astype(float))
    ledger, choices = Ledger(1.0, 1e-6), [(0, 1, 0, 0)] * times
    found, tables = measure_pairs(
        Repeated(table),  # type: ignore[arg-type]
        ledger,
        chains,
        one_ways,
        choices,
        [1.0] * times,
        mu2,
        label="Pairs",
    )
    assert all(each.sigma == pytest.approx(tables[0].sigma) for each in tables)
    return ledger, found, [(each.noisy - table) / each.sigma for each in tables]


def test_stated_noise_is_that_of_every_cell() -> None:
    # Chi-squared on 1,000 errors of each of 12 cells; failure probability 1e-6 in all.
    table = np.random.default_rng(4).integers(0, 900, (3, 4))
    _, _, errors = measured(table, 1000, 0.04)
    statistics = (np.array(errors) ** 2).sum(axis=0)
    low, high = stats.chi2.ppf([5e-7 / 12, 1 - 5e-7 / 12], 1000)
    assert (low < statistics).all()
    assert (statistics < high).all()


def test_the_chi_squared_would_see_the_shrinkage_left_out() -> None:
    # Errors of 3 x 4 cells are 0.71 of the noise that was drawn: its chi-squared would pass with less than 1e-9.
    low = stats.chi2.ppf(5e-7 / 12, 1000)
    assert stats.chi2.sf(low / (2 / 3 * 3 / 4), 1000) < 1e-9


def test_interactions_of_a_large_table_have_as_much_noise_as_they_have_freedom() -> None:
    # Chi-squared with 39 * 59 degrees of freedom; failure probability 1e-6.
    table = np.random.default_rng(5).integers(0, 90, (40, 60))
    _, (found,), (errors,) = measured(table, 1, 0.01)
    drawn = (errors * np.sqrt(39 / 40 * 59 / 60)) ** 2
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], 39 * 59)
    assert low < drawn.sum() < high
    assert found.sigma == pytest.approx(interaction_sensitivity(1 << 20, (40, 60)) / 2**20 / 0.1)


def test_a_whole_table_for_the_same_budget_has_more_noise_in_every_cells_interactions() -> None:
    # By the factor sqrt((1 - 1/g)(1 - 1/h)), 1/2 of 2 x 2: docs/mathematics.md, section 8.
    _, (found,), _ = measured(np.full((2, 2), 100), 1, 0.04)
    whole = 1 / np.sqrt(0.04)
    assert found.sigma / whole == pytest.approx(0.5, rel=1e-4)


def test_pairs_spend_their_budget_and_more_of_it_on_those_that_cost_more() -> None:
    chains = [chain("a", 2), chain("b", 2), chain("c", 2)]
    one_ways, ledger = known(*[np.array([5.0, 5.0])] * 3), Ledger(1.0, 1e-6)
    rows = Repeated(np.full((2, 2), 5), rows=3)
    choices = [(0, 1, 0, 0), (1, 2, 0, 0)]
    found, tables = measure_pairs(
        rows,  # type: ignore[arg-type]
        ledger,
        chains,
        one_ways,
        choices,
        [1.0, 8.0],
        0.03,
        label="Pairs",
    )
    assert ledger.spent_mu2 == pytest.approx(0.03, rel=1e-12)
    assert ledger.entries[0].kind == "interactions"
    assert found[0].sigma / found[1].sigma == pytest.approx(2.0)
    assert [table.choice for table in tables] == choices
    assert all(each.interactions for each in found)


def test_without_a_pair_nothing_is_booked() -> None:
    ledger = Ledger(1.0, 1e-6)
    rows = Repeated(np.ones((2, 2), dtype=np.int64))
    found = measure_pairs(rows, ledger, [], known(np.ones(2)), [], [], 0.03, label="Pairs")  # type: ignore[arg-type]
    assert found == ([], [])
    assert ledger.entries == ()
