"""One-way tables: what is measured, at which noise, and how far it is denoised."""

import numpy as np
import numpy.typing as npt
import pytest

from medsynth.encoding.domain import Attribute, Clique, Domain
from medsynth.models.levels import public_blocks
from medsynth.models.one_ways import FINE_COST, TOTAL_COST, measure_one_ways, one_way_spending
from medsynth.privacy import Ledger
from medsynth.privacy.measurement import Measurement

CODES = Attribute(name="dx", size=600, hierarchy=(np.repeat(np.arange(30), 20).astype(np.int32),))
SEX = Attribute(name="sex", size=2)


class Table:
    """Persons by code and by sex."""

    def __init__(self, codes: npt.NDArray[np.int64]) -> None:
        self.domain = Domain(attributes=(CODES, SEX))
        self.l2 = 1 << 20
        self._columns = {"dx": codes, "sex": codes % 2}

    def marginals(self, cliques: list[Clique]) -> list[npt.NDArray[np.int64]]:
        return [
            np.bincount(level[0].groups[self._columns[level[0].attribute]], minlength=level[0].size) << 20
            if level
            else np.array(len(self._columns["sex"])) << 20
            for level in cliques
        ]


def skewed(persons: int = 4000) -> npt.NDArray[np.int64]:
    """Half of the blocks are empty, the rest hold a few codes each."""
    rng = np.random.default_rng(3)
    block = np.minimum(rng.geometric(0.2, persons) - 1, 14)
    return np.asarray(block * 20 + np.minimum(rng.geometric(0.3, persons) - 1, 19))


def measured(mu2: float = 0.01) -> tuple[Table, list[Measurement]]:
    rows, ledger = Table(skewed()), Ledger(8.0, 1e-6, population="t")
    return rows, list(measure_one_ways(rows, ledger, mu2=mu2).published)


@pytest.mark.parametrize(
    ("attribute", "blocks"),
    [
        (CODES, 30),
        (SEX, None),
        (Attribute(name="d", size=600, ordered=600, hierarchy=CODES.hierarchy), None),
        (Attribute(name="d", size=600), None),
        (Attribute(name="d", size=300, hierarchy=(np.arange(300, dtype=np.int32),)), None),
    ],
)
def test_only_unordered_code_systems_have_public_blocks(attribute: Attribute, blocks: int | None) -> None:
    level = public_blocks(attribute)
    assert (level.size if level else None) == blocks


def test_codes_are_published_by_cell_and_by_block_and_the_budget_is_spent() -> None:
    _, tables = measured(mu2=0.25)
    assert [[level.size for level in table.clique] for table in tables] == [[], [600], [2], [30]]
    shares = np.array([(table.sensitivity / table.sigma) ** 2 for table in tables])
    assert np.isclose(shares.sum(), 0.25)
    free = np.sqrt([1, 599 / 600, 1 / 2, 29 / 30])
    wanted = (np.array([TOTAL_COST * 2, FINE_COST * 30, 2, 30]) * free) ** (2 / 3)
    assert np.allclose(shares / shares.sum(), wanted / wanted.sum())
    assert [table.sensitivity for table in tables] == pytest.approx(free, rel=1e-4)


def test_spending_foretells_what_is_measured() -> None:
    _, tables = measured(mu2=0.25)
    forecast = one_way_spending(Domain(attributes=(CODES, SEX)), share=0.25, mu=1.0)
    assert (forecast.tables, forecast.cells) == (4, 633)
    assert np.isclose(forecast.sigma, max(table.sigma for table in tables if table.clique))


def test_blocks_are_better_known_than_from_their_cells_alone() -> None:
    # Mean of 5: the error of the blocks is 0.6 of the other; failure probability below 1e-6.
    level = public_blocks(CODES)
    assert level is not None
    truth = np.bincount(level.groups[skewed()], minlength=30)
    ratios = []
    for _ in range(5):
        ledger = Ledger(8.0, 1e-6, population="t")
        found = measure_one_ways(Table(skewed()), ledger, mu2=0.01)
        alone = np.bincount(level.groups, found.known[1].noisy + found.total / 600, 30)
        ratios.append(np.abs(found.sums(0, level) - truth).sum() / np.abs(alone - truth).sum())
    assert np.mean(ratios) < 0.8


def test_masses_are_positive_and_sum_to_the_total() -> None:
    ledger = Ledger(8.0, 1e-6, population="t")
    found = measure_one_ways(Table(np.zeros(0, dtype=np.int64)), ledger, mu2=0.01)
    for mass in found.masses:
        assert (mass > 0).all()
        assert np.isclose(mass.sum(), found.total)
