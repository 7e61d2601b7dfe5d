"""Completed rows and copies of a population in pieces, against the whole table written out cell by cell."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from medsynth.encoding.condition import Condition
from medsynth.errors import UsageError
from medsynth.models.completion import Completion
from medsynth.models.graphical import GraphicalModel
from medsynth.models.mixture import Mixture
from medsynth.models.rare_groups import RareGroup
from medsynth.models.row_evidence import Evidence

from .conftest import Case, random_case
from .test_completion import flat_model, groups_of, mask, model_of, nothing, off


@pytest.fixture(params=range(5))
def case(request: pytest.FixtureRequest) -> Case:
    """Five random trees."""
    return random_case(request.param)


def group(name: str, condition: Condition, persons: float, weights) -> RareGroup:
    return RareGroup(
        name=name,
        condition=condition,
        persons=persons,
        counted=persons,
        error=1.0,
        sigma=1.0,
        columns=(),
        expected_error=None,
        weights=tuple(weights),
        measurements=(),
    )


def box(model: GraphicalModel, **cells) -> Condition:
    sizes = model.domain.sizes
    return Condition(boxes=({int(a[1:]): np.isin(np.arange(sizes[int(a[1:])]), some) for a, some in cells.items()},))


def in_pieces(case) -> GraphicalModel:
    """The case's tree with two rare conditions that meet, each with a tree turned its own way."""
    model, rng = model_of(case), np.random.default_rng(9)
    conditions = [box(model, a0=[0, 1, 4], a1=[0, 3]), box(model, a1=[0, 1, 2], a3=[1, 2])]
    weights = [[rng.uniform(0.05, 1.0, size) for size in model.domain.sizes] for _ in conditions]
    groups = (group("one", conditions[0], 100.0, weights[0]), group("two", conditions[1], 250.0, weights[1]))
    return replace(model, rare=groups, total=1_000.0)


def written_out(model: GraphicalModel, joint: np.ndarray) -> np.ndarray:
    """The population over finest cells: the first condition has its own table, the second what the first leaves of it,
    the rest the tree's.
    """
    sizes = model.domain.sizes
    cells = np.indices(sizes).reshape(len(sizes), -1).T.astype(np.int32)
    plain = joint[tuple(groups_of(model, cells).T)]
    for a, one_way in enumerate(model.one_ways):
        groups = model.chains[a].levels[model.tree.finest[a]].groups
        plain = plain * (one_way / np.bincount(groups, one_way)[groups])[cells[:, a]]
    left, found = np.ones(len(cells), dtype=bool), np.zeros(len(cells))
    for rare, piece in zip([*model.rare, None], model.pieces, strict=True):
        inside = left if rare is None else left & rare.condition.mask(cells)
        table = plain * inside
        for a, weight in enumerate(() if rare is None else rare.weights):
            table = table * weight[cells[:, a]]
        found += piece.share * table / table.sum()
        left = left & ~inside
    return found.reshape(sizes)


def test_a_row_is_of_each_part_as_often_as_the_whole_table_says(case):
    """Every pattern of known attributes; the parts are asked where the table is cut by their boxes."""
    model = in_pieces(case)
    assert model.pieces[0].share == pytest.approx(0.1)
    table, mixture, rng = written_out(model, case.joint), Mixture.of(model), np.random.default_rng(3)
    assert table.sum() == pytest.approx(1.0)
    assert len(mixture.shares) >= 4  # two conditions over two attributes leave several boxes
    codes = np.stack([rng.integers(0, size, 25) for size in model.domain.sizes], axis=1).astype(np.int32)
    for known in (known for size in range(5) for known in combinations(range(4), size)):
        some = mask(codes, *known)
        evidence = Evidence(mixture.conditionals, mixture.groups(codes, some), some)
        chance = np.exp(mixture.prior(codes, some) + evidence.logs).sum(axis=0)
        others = tuple(a for a in range(4) if a not in known)
        expected = table.sum(axis=others, keepdims=True)[tuple(np.where(some, codes, 0).T)]
        # The chance of a group's cells beside each other is left out where it is the same in all parts.
        for a in set(known) - mixture._telling.keys():
            expected = expected / mixture.within[a][0, codes[:, a]]
        np.testing.assert_allclose(chance, expected, rtol=1e-9)


def test_completed_rows_follow_the_pieces_given_their_cells_whatever_they_know(case):
    model, rng, n = in_pieces(case), np.random.default_rng(1), 6_000
    table = written_out(model, case.joint)
    codes = np.stack([rng.integers(0, size, n) for size in model.domain.sizes], axis=1).astype(np.int32)
    known = np.where(np.arange(n)[:, None] % 2 == 0, mask(codes, 1), mask(codes, 0, 3))
    drawn = Completion(model=model).complete(codes, known, rng)
    np.testing.assert_array_equal(drawn[known], codes[known])
    expected = np.zeros_like(table)
    for axes, rows in (((1,), codes[::2]), ((0, 3), codes[1::2])):
        others = tuple(a for a in range(4) if a not in axes)
        conditional = table / table.sum(axis=others, keepdims=True)
        index = tuple(rows[:, a] for a in axes)
        counts = np.zeros([table.shape[a] for a in axes])
        np.add.at(counts, index, 1)
        expected += conditional * counts.reshape([table.shape[a] if a in axes else 1 for a in range(4)])
    for axes in combinations(range(4), 2):
        counts = np.zeros([table.shape[a] for a in axes])
        np.add.at(counts, tuple(drawn[:, axes].T), 1)
        assert off(counts, expected.sum(axis=tuple(a for a in range(4) if a not in axes))) < 6


def small() -> tuple[GraphicalModel, np.ndarray]:
    """Smoking, cancer, stay: independent but for 4 % who smoke, have cancer, and stay long, as nobody else does."""
    plain = np.einsum("i,j,k->ijk", [0.6, 0.4], [0.9, 0.1], [0.8, 0.15, 0.05])
    model = flat_model(plain)
    condition = box(model, a0=[1], a1=[1])
    tilt = [np.ones(2), np.ones(2), np.array([0.1 / 0.8, 0.2 / 0.15, 0.7 / 0.05]) / 14]
    model = replace(model, rare=(group("both", condition, 60.0, tilt),), total=1_000.0)
    table = plain * 0.94 / 0.96
    table[1, 1] = 0.06 * np.array([0.1, 0.2, 0.7])
    return model, table


def test_a_record_inside_a_condition_has_its_one_ways_and_not_the_trees():
    model, table = small()
    n = 10_000
    codes = np.tile(np.array([[1, 1, 0]], dtype=np.int32), (n, 1))
    completion, rng = Completion(model=model), np.random.default_rng(0)
    stay = np.bincount(completion.complete(codes, mask(codes, 0, 1), rng)[:, 2], minlength=3) / n
    # Five deviations of a share, three times: once in 580,000 seeds.
    assert (np.abs(stay - [0.1, 0.2, 0.7]) < 5 * np.sqrt(0.21 / n)).all()
    stay = np.bincount(completion.complete(codes * [0, 1, 1], mask(codes, 0, 1), rng)[:, 2], minlength=3) / n
    assert (np.abs(stay - [0.8, 0.15, 0.05]) < 5 * np.sqrt(0.16 / n)).all()
    # By hand: who stays long and smokes has cancer with .042 / (.042 + .4 * .9 * .05 * .94 / .96) = .704.
    codes[:, 2] = 2
    cancer = completion.complete(codes, mask(codes, 0, 2), rng)[:, 1].mean()
    assert table[1, 1, 2] / table[1, :, 2].sum() == pytest.approx(0.042 / (0.042 + 0.017625))
    assert abs(cancer - 0.042 / (0.042 + 0.017625)) < 5 * np.sqrt(0.21 / n)


def test_copies_follow_the_pieces_under_what_is_set_and_change_as_rarely_as_can_be():
    model, table = small()
    completion, rng, n = Completion(model=model), np.random.default_rng(2), 20_000
    rows = completion.complete(*nothing(n, 3), rng)
    codes = rows.copy()
    codes[:, 0] = 0  # nobody smokes
    copies = completion.couple(rows, codes, mask(codes, 0), rng)
    counts = np.zeros((2, 3))
    np.add.at(counts, tuple(copies[:, 1:].T), 1)
    assert off(counts, n * table[0] / table[0].sum()) < 6
    kept = rows[:, 0] == 0
    np.testing.assert_array_equal(rows[kept], copies[kept])
    # Cancer is drawn before the stay, so of those who smoke it changes in the total variation distance of the two
    # conditionals of it: not more often because a record lies in the condition and its copy cannot.
    before, after = table[1].sum(axis=1) / table[1].sum(), table[0].sum(axis=1) / table[0].sum()
    changed = (rows[~kept, 1] != copies[~kept, 1]).mean()
    assert abs(changed - abs(before[1] - after[1])) < 5 * np.sqrt(0.04 * 0.96 / (~kept).sum())
    # Given cancer or none, the stay outside the condition is the same with and without smoking.
    healthy = ~kept & (rows[:, 1] == 0) & (copies[:, 1] == 0)
    np.testing.assert_array_equal(rows[healthy], copies[healthy] + [1, 0, 0])


def test_copies_into_a_condition_and_out_of_it_follow_the_whole_table(case):
    model, rng, n = in_pieces(case), np.random.default_rng(4), 6_000
    table, completion = written_out(model, case.joint), Completion(model=model)
    rows = completion.complete(*nothing(n, 4), rng)
    codes = rows.copy()
    codes[:, 1] = 0  # may be in either condition or in none
    copies = completion.couple(rows, codes, mask(codes, 1), rng)
    given = table[:, 0] / table[:, 0].sum()
    for one, other in combinations(range(3), 2):
        counts = np.zeros((given.shape[one], given.shape[other]))
        np.add.at(counts, tuple(copies[:, [(0, 2, 3)[one], (0, 2, 3)[other]]].T), 1)
        assert off(counts, n * given.sum(axis=3 - one - other)) < 6
    own = completion.couple(rows, rows, mask(rows, 1), rng)
    np.testing.assert_array_equal(own, rows)


def test_a_cell_without_any_share_can_be_known_and_its_part_follows_from_the_rest():
    model, _ = small()
    model = replace(model, one_ways=(*model.one_ways[:2], np.array([0.8, 0.2, 0.0])))
    codes = np.array([[1, 1, 2], [1, 0, 2]], dtype=np.int32)
    completion = Completion(model=model)
    assert completion.possible(codes, mask(codes, 0, 1, 2)).all()
    np.testing.assert_array_equal(completion.complete(codes, mask(codes, 0, 2), np.random.default_rng(0))[:, 2], [2, 2])


def test_too_many_boxes_are_refused_with_the_reason(monkeypatch):
    monkeypatch.setattr("medsynth.models.mixture.MOST_PARTS", 2)
    with pytest.raises(UsageError, match="rare conditions cut the population into more than 2 boxes"):
        Mixture.of(small()[0])
