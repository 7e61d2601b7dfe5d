"""Noise of a condition's count: by hand, and against fits of the same rows over and over."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, Clique, Domain, Level
from medsynth.models.condition_noise import standard_error
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain
from medsynth.models.one_ways import measure_one_ways
from medsynth.models.pair_tables import measure_pairs
from medsynth.privacy import Ledger
from medsynth.privacy.measurement import Measurement

SIZES = (4, 6)
DOMAIN = Domain(attributes=tuple(Attribute(name=f"c{k}", size=size) for k, size in enumerate(SIZES)))
FINEST = [Level.finest(attribute) for attribute in DOMAIN.attributes]
HALVES = [
    Level(attribute=level.attribute, groups=(np.arange(level.size) % 2).astype(np.int32), size=2) for level in FINEST
]
CHAINS = [Chain(attribute=fine.attribute, levels=(half, fine)) for half, fine in zip(HALVES, FINEST, strict=True)]
HELD = JunctionTree.build(CHAINS, [((0, 1), (1, 1))])


def measured(*clique: Level, sigma: float) -> Measurement:
    shape = tuple(level.size for level in clique)
    return Measurement(clique=clique, noisy=np.zeros(shape), sigma=sigma, sensitivity=1.0, entry=1, interactions=True)


def mask(attribute: int, *cells: int) -> npt.NDArray[np.bool_]:
    return np.isin(np.arange(SIZES[attribute]), cells)


def both(first: tuple[int, ...], second: tuple[int, ...]) -> Condition:
    return Condition(boxes=({0: mask(0, *first), 1: mask(1, *second)},))


ONE_WAYS = (measured(sigma=11.0), measured(FINEST[0], sigma=3.0), measured(FINEST[1], sigma=5.0))


def test_standard_error_of_a_pairs_cell_by_hand() -> None:
    # Interactions: 2^2 (3/4)(5/6). Rows: 1/6 in one of 4, less 1/24 in all; columns: 1/4 in one of 6, less 1/24. One
    # person more adds 1/24 to the count.
    pair = measured(*FINEST, sigma=2.0)
    rows = 9.0 * ((1 / 6) ** 2 - 4 / 24**2)
    columns = 25.0 * ((1 / 4) ** 2 - 6 / 24**2)
    total = 121.0 / 24**2
    found = standard_error(both((2,), (0,)), (*ONE_WAYS, pair), HELD, DOMAIN)
    assert found == pytest.approx(np.sqrt(4 * 3 / 4 * 5 / 6 + rows + columns + total))


def test_a_group_adds_the_noise_of_all_its_cells() -> None:
    # Of 2 x 2 groups one: 2^2 / 4 of interactions; slopes of +-1/4 on groups of 2 and of 3 cells.
    tree = JunctionTree.build(CHAINS, [((0, 0), (1, 0))])
    pair = measured(*HALVES, sigma=2.0)
    found = standard_error(both((0, 2), (1, 3, 5)), (*ONE_WAYS, pair), tree, DOMAIN)
    assert found == pytest.approx(np.sqrt(4 / 4 + 2 / 16 * 2 * 9 + 2 / 16 * 3 * 25 + 121 / 16))


def test_groups_of_unequal_size_bear_on_the_number_of_persons() -> None:
    # Cells 1 | 3 of the first column, halves of the second; the cell (1, 1) of 2 x 2. Slopes of +-1/4: on cells of the
    # first -1/4, 1/4, 1/4, 1/4, whose mean is 1/8; on those of the second 0.
    uneven = Level(attribute="c0", groups=np.array([0, 1, 1, 1], dtype=np.int32), size=2)
    chains = [Chain(attribute="c0", levels=(uneven, FINEST[0])), CHAINS[1]]
    tree = JunctionTree.build(chains, [((0, 0), (1, 0))])
    pair = measured(uneven, HALVES[1], sigma=2.0)
    found = standard_error(both((1, 2, 3), (1, 3, 5)), (*ONE_WAYS, pair), tree, DOMAIN)
    rows, total = 9.0 * (4 / 16 - 4 / 64), 121.0 * (1 / 4 + 1 / 8) ** 2
    assert found == pytest.approx(np.sqrt(4 / 4 + rows + 6 / 16 * 25 + total))


def test_a_condition_on_one_column_is_counted_by_its_own_table_alone() -> None:
    pair = measured(*FINEST, sigma=0.01)
    condition = Condition(boxes=({1: mask(1, 0, 4)},))
    variance = 25 * (2 - 4 / 6) + 121 * (2 / 6) ** 2
    assert standard_error(condition, (*ONE_WAYS, pair), HELD, DOMAIN) == pytest.approx(np.sqrt(variance))


def test_interactions_say_nothing_where_the_tree_or_a_one_way_table_is_missing() -> None:
    pair, apart = measured(*FINEST, sigma=2.0), JunctionTree.build(CHAINS, [])
    assert standard_error(both((2,), (0,)), (*ONE_WAYS, pair), apart, DOMAIN) is None
    assert standard_error(both((2,), (0,)), (*ONE_WAYS[:2], pair), HELD, DOMAIN) is None
    assert standard_error(both((2,), (0,)), (*ONE_WAYS[1:], pair), HELD, DOMAIN) is None
    coarse = measured(*HALVES, sigma=2.0)
    assert standard_error(both((2,), (0,)), (*ONE_WAYS, coarse), HELD, DOMAIN) is None
    assert standard_error(Condition(boxes=({},)), (*ONE_WAYS, pair), HELD, DOMAIN) is None


def test_a_table_measured_twice_is_known_better() -> None:
    again = tuple(measured(*each.clique, sigma=4.0) for each in ONE_WAYS)
    condition = Condition(boxes=({1: mask(1, 0, 4)},))
    column, total = 1 / (1 / 25 + 1 / 16), 1 / (1 / 121 + 1 / 16)
    found = standard_error(condition, (*ONE_WAYS, *again), HELD, DOMAIN)
    assert found == pytest.approx(np.sqrt(column * (2 - 4 / 6) + total * (2 / 6) ** 2))


class Rows:
    """Persons by both columns, each many enough that no denoising cuts at zero."""

    def __init__(self) -> None:
        self.domain, self.l2 = DOMAIN, 1 << 20
        self.table = np.random.default_rng(6).integers(2000, 9000, SIZES)

    def marginals(self, cliques: list[Clique]) -> list[npt.NDArray[np.int64]]:
        tables = []
        for clique in cliques:
            table = self.table
            for axis in (1, 0):
                own = [level for level in clique if level.attribute == f"c{axis}"]
                groups = own[0].groups if own else np.zeros(SIZES[axis], dtype=np.int32)
                member = groups[:, None] == np.arange(groups.max() + 1)
                table = np.moveaxis(np.tensordot(table, member.astype(np.int64), (axis, 0)), -1, axis)
            tables.append(table.reshape([level.size for level in clique]) << 20)
        return tables


@pytest.mark.parametrize(
    ("level", "condition"),
    [(1, both((2,), (0,))), (1, both((0, 1, 3), (2, 3))), (0, both((0, 2), (1, 3, 5)))],
    ids=["cell", "block", "groups"],
)
def test_standard_error_is_the_spread_of_repeated_fits(level: int, condition: Condition) -> None:
    rows, repeats, found, stated = Rows(), 500, [], 0.0
    inside = condition.mask(np.indices(SIZES).reshape(2, -1).T.astype(np.int32)).reshape(SIZES)
    tree = JunctionTree.build(CHAINS, [((0, level), (1, level))])
    for _ in range(repeats):
        ledger = Ledger(1.0, 1e-6)
        one_ways = measure_one_ways(rows, ledger, mu2=0.02)  # type: ignore[arg-type]
        pairs, (table,) = measure_pairs(
            rows,  # type: ignore[arg-type]
            ledger,
            CHAINS,
            one_ways,
            [(0, 1, level, level)],
            [1.0],
            0.02,
            label="Pair",
        )
        cells = inside[np.ix_(*(np.unique(c.levels[level].groups, return_index=True)[1] for c in CHAINS))]
        found.append(table.noisy[cells].sum())
        error = standard_error(condition, (*one_ways.published, *pairs), tree, DOMAIN) or 0.0
        stated = error
    # Chi-squared on 499 degrees of freedom, failure probability 1e-6.
    statistic = np.var(found, ddof=1) / stated**2 * (repeats - 1)
    low, high = stats.chi2.ppf([5e-7, 1 - 5e-7], repeats - 1)
    assert low < statistic < high
