from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, Domain, Level
from medsynth.errors import UsageError
from medsynth.models.base import Part
from medsynth.models.calibration import calibrate
from medsynth.models.edit import PairTarget
from medsynth.models.given import targets_given
from medsynth.models.graphical import GraphicalModel
from medsynth.models.levels import Chain
from medsynth.models.likelihood import log_likelihood
from medsynth.models.targets import tree_tables
from medsynth.privacy.measurement import Measurement

# Each tree cell of the case becomes two finest cells, holding 1/4 and 3/4 of it.
PARTS = np.array([0.25, 0.75])


def halved(level: Level) -> Level:
    return Level(attribute=level.attribute, groups=np.repeat(level.groups, 2), size=level.size)


@pytest.fixture
def model(case) -> GraphicalModel:
    tree = case.tree
    attributes, chains, one_ways = [], [], []
    for position, chain in enumerate(tree.chains):
        attribute = Attribute(name=chain.attribute, size=2 * len(chain.levels[-1].groups))
        attributes.append(attribute)
        levels = tuple(halved(level) for level in chain.levels)
        chains.append(Chain(attribute=chain.attribute, levels=(*levels, Level.finest(attribute))))
        node = (position, tree.finest[position])
        groups = chain.levels[node[1]].groups
        within = 1 / np.bincount(groups)[groups]
        one_ways.append(np.outer(case.marginal([node])[groups] * within, PARTS).ravel())
    finer = replace(case.calibrated, tree=type(tree).rebuild(chains, tree.cliques, tree.parents))
    return GraphicalModel(
        domain=Domain(attributes=tuple(attributes)),
        chains=tuple(chains),
        one_ways=tuple(one_ways),
        calibrated=finer,
        total=1000.0,
    )


def joint_of(case, model: GraphicalModel) -> np.ndarray:
    """Joint table over finest cells: the tree's, split by one-way shares."""
    table = case.joint
    for axis, one_way in enumerate(model.one_ways):
        groups = model.chains[axis].levels[model.tree.finest[axis]].groups
        within = one_way / np.bincount(groups, one_way)[groups]
        shape = [1] * table.ndim
        shape[axis] = -1
        table = table.take(groups, axis) * within.reshape(shape)
    return table


def mask(size: int, *cells: int) -> np.ndarray:
    return np.isin(np.arange(size), cells)


def condition() -> Condition:
    return Condition(boxes=({0: mask(10, 1, 2, 7)}, {0: mask(10, 3), 2: mask(10, 0, 9)}))


def inside(joint: np.ndarray) -> np.ndarray:
    rows = np.indices(joint.shape).reshape(joint.ndim, -1).T
    return condition().mask(rows).reshape(joint.shape)


def test_a_marginal_at_any_levels_equals_the_joint_table(case, model):
    joint = joint_of(case, model)
    finest = [Level.finest(attribute) for attribute in model.domain.attributes]
    np.testing.assert_allclose(model.marginal((finest[2], finest[0])), joint.sum(axis=(1, 3)).T, atol=1e-12)
    odd = Level(attribute="c1", groups=(np.arange(10) % 3).astype(np.int32), size=3)
    expected = np.zeros(3)
    np.add.at(expected, odd.groups, joint.sum(axis=(0, 2, 3)))
    np.testing.assert_allclose(model.marginal((odd,)), expected, atol=1e-12)


def test_the_share_of_a_condition_is_exact_over_its_boxes(case, model, monkeypatch):
    expected = joint_of(case, model)[inside(joint_of(case, model))].sum()
    assert model.share(condition()) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr("medsynth.models.graphical.LARGEST_JOINT", 1)
    assert model.share(condition()) == pytest.approx(expected, abs=1e-12)


def test_the_share_of_everything_is_one_and_of_nothing_zero(model):
    assert model.share(Condition(boxes=({},))) == pytest.approx(1.0)
    assert model.share(Condition(boxes=())) == 0.0


def measured(*axes: tuple[int, int], sigma: float) -> Measurement:
    """A table over (attribute, cells per group)."""
    clique = tuple(
        Level(attribute=f"c{a}", groups=np.arange(10, dtype=np.int32) // width, size=10 // width) for a, width in axes
    )
    shape = tuple(level.size for level in clique)
    return Measurement(clique=clique, noisy=np.zeros(shape), sigma=sigma, sensitivity=1.0, entry=1)


def test_a_measured_table_gives_the_standard_error_worked_by_hand(model):
    fine, coarse = measured((0, 1), sigma=20.0), measured((0, 2), sigma=8.0)
    noisy = replace(model, measurements=(fine, coarse))
    # Groups 1 and 3 of the coarse table: 8 sqrt(2) of 1000 persons, less than 20 sqrt(4).
    whole = Condition(boxes=({0: mask(10, 2, 3)}, {0: mask(10, 6, 7)}))
    assert noisy.count(whole)[1] == pytest.approx(8 * np.sqrt(2))
    # Two boxes may fill a group together.
    parts = Condition(boxes=({0: mask(10, 2, 6)}, {0: mask(10, 3, 7)}))
    assert noisy.count(parts)[1] == noisy.count(whole)[1]


def test_a_table_whose_cells_a_condition_divides_gives_no_standard_error(model):
    fine, coarse = measured((0, 1), sigma=20.0), measured((0, 5), sigma=1.0)
    # Cell 1 is a fifth of a coarse group, whose noise says nothing of it.
    divided = Condition(boxes=({0: mask(10, 1)},))
    assert replace(model, measurements=(coarse, fine)).count(divided)[1] == pytest.approx(20.0)
    assert replace(model, measurements=(coarse,)).count(divided)[1] is None


def over_finest_cells(model: GraphicalModel, *cliques: tuple[tuple[int, int], ...]):
    """A model of the same attributes whose tree has these cliques at the finest cells."""
    chains = [Chain(attribute=c.attribute, levels=c.levels[-1:]) for c in model.chains]
    tree = type(model.tree).build(chains, cliques)
    even = calibrate(tree, [np.zeros(shape) for shape in tree.shapes])
    return replace(model, chains=tuple(chains), calibrated=even)


def test_one_table_must_count_all_attributes_of_a_condition(model):
    pair, alone = measured((0, 1), (1, 1), sigma=5.0), measured((0, 1), sigma=20.0)
    noisy = replace(over_finest_cells(model, ((0, 0), (1, 0))), measurements=(pair, alone))
    both = Condition(boxes=({0: mask(10, 1), 1: mask(10, 4, 5)},))
    assert noisy.count(both)[1] == pytest.approx(5 * np.sqrt(2))
    # The pair table, summed over one attribute, would say 5 sqrt(10): its margins were not measured.
    one = Condition(boxes=({0: mask(10, 1)},))
    assert noisy.count(one)[1] == pytest.approx(20.0)
    assert noisy.count(Condition(boxes=({2: mask(10, 1)},)))[1] is None
    assert noisy.count(Condition(boxes=({0: mask(10, 1), 2: mask(10, 1)},)))[1] is None


def test_a_table_that_the_tree_does_not_hold_gives_no_standard_error(model):
    pair = measured((0, 1), (1, 1), sigma=5.0)
    noisy = replace(over_finest_cells(model, ((0, 0), (2, 0))), measurements=(pair,))
    # The share comes from the tree, which took no notice of this table.
    both = Condition(boxes=({0: mask(10, 1), 1: mask(10, 4, 5)},))
    assert noisy.count(both)[1] is None


@pytest.mark.parametrize("zero", [False, True])
def test_tree_rows_satisfy_a_condition_as_often_as_its_share_says(model, zero):
    if zero:
        # Tree groups 0 and 1 have mass, yet not one cell of theirs has any in the one-ways.
        level = model.chains[0].levels[model.tree.finest[0]]
        bare = np.where(level.groups < 2, 0.0, model.one_ways[0])
        model = replace(model, one_ways=(bare / max(bare.sum(), 1e-300), *model.one_ways[1:]))
    n = 100_000
    rows = model.draw_from_tree(n, np.random.default_rng(0))
    cells = [Condition(boxes=({0: mask(10, cell)},)) for cell in range(10)]
    for each in (condition(), *cells):
        share = model.share(each)
        found = each.mask(rows).mean()
        # 24 cases of 11 shares at 4 standard errors of independent rows, which vary more than
        # these: another seed would fail at most once in 60.
        assert abs(found - share) <= 4 * np.sqrt(share * (1 - share) / n) + 1e-12


def test_rows_follow_the_joint_table(case, model):
    # 12 cases of 10,000 cells: at 7 standard deviations the chance of a false alarm is below 1e-6.
    joint, n = joint_of(case, model), 20_000
    counts = np.zeros(joint.shape)
    np.add.at(counts, tuple(model.sample(n, np.random.default_rng(0)).T), 1)
    assert (np.abs(counts / n - joint) < 7 * (np.sqrt(joint / n) + 1 / n)).all()


def test_rows_given_a_condition_follow_the_joint_table_given_it(case, model):
    joint, n = joint_of(case, model), 20_000
    expected = np.where(inside(joint), joint, 0.0)
    expected /= expected.sum()
    rows = model.sample(n, np.random.default_rng(0), condition())
    assert condition().mask(rows).all()
    counts = np.zeros(joint.shape)
    np.add.at(counts, tuple(rows.T), 1)
    assert (np.abs(counts / n - expected) < 7 * (np.sqrt(expected / n) + 1 / n)).all()


def test_an_impossible_condition_is_a_usage_error(model):
    for impossible in (Condition(boxes=()), Condition(boxes=({0: np.zeros(10, dtype=bool)},))):
        with pytest.raises(UsageError, match="cannot occur in the fitted model"):
            model.sample(5, np.random.default_rng(0), impossible)


def test_equal_seeds_give_equal_rows(model):
    for given in (None, condition()):
        first, again = (model.sample(300, np.random.default_rng(3), given) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        assert (first.shape, first.dtype) == ((300, 4), np.int32)


def test_no_rows_are_no_rows(model):
    assert model.sample(0, np.random.default_rng(0)).shape == (0, 4)
    assert model.sample(0, np.random.default_rng(0), condition()).shape == (0, 4)


def agreeing(model: GraphicalModel) -> GraphicalModel:
    """A model whose rows shall more often agree in the coarsest groups of the first two attributes."""
    expected = tree_tables(model.calibrated, model.one_ways, 1.0, list(combinations(range(4), 2)))
    coarse = [chain.project(chain.working, 0) for chain in model.chains]
    expected[0, 1] = expected[0, 1] * np.where(coarse[0][:, None] == coarse[1], 9.0, 1.0)
    working = [chain.levels[chain.working] for chain in model.chains]
    return replace(
        model,
        targets=tuple(
            PairTarget(i=i, j=j, level_i=working[i], level_j=working[j], table=table)
            for (i, j), table in expected.items()
        ),
    )


def agreement(model: GraphicalModel, rows: np.ndarray) -> float:
    first, second = (model.chains[k].levels[0].groups[rows[:, k]] for k in (0, 1))
    return float((first == second).mean())


def test_rows_are_edited_towards_pair_targets_unless_independent_ones_are_asked_for(model):
    n, rng = 4000, np.random.default_rng(0)
    edited, dealt = (agreement(model, m.sample(n, rng)) for m in (agreeing(model), model))
    independent = agreement(model, agreeing(model).sample(n, rng, edited=False))
    # Six standard errors of a share of at most 1/2 among 4,000: chance of a false alarm 2e-8 in 12 cases.
    assert abs(independent - dealt) < 6 * np.sqrt(0.25 / n)
    assert edited > dealt + 0.02


def test_independent_rows_follow_the_joint_table(case, model):
    joint, n = joint_of(case, model), 20_000
    counts = np.zeros(joint.shape)
    np.add.at(counts, tuple(model.sample(n, np.random.default_rng(0), edited=False).T), 1)
    # As for dealt rows above.
    assert (np.abs(counts / n - joint) < 7 * (np.sqrt(joint / n) + 1 / n)).all()


def test_rows_given_a_condition_are_edited_and_stay_in_it(model):
    level = model.chains[0].levels[0]
    for given in (Condition(boxes=({0: level.groups == 1},)), condition()):
        edited, dealt = (m.sample(4000, np.random.default_rng(1), given) for m in (agreeing(model), model))
        assert given.mask(edited).all()
        # What the targets of other pairs say may outweigh a small gain.
        assert agreement(model, edited) > agreement(model, dealt) - 0.01


def test_what_targets_say_of_a_condition_shapes_its_rows_worked_by_hand(model):
    # Given a cell of the first attribute in group g, the target makes group g of the second nine
    # times as likely: p becomes 9 p / (9 p + 1 - p).
    coarse = [model.chains[k].levels[0].groups for k in (0, 1)]
    inside = Condition(boxes=({0: mask(10, 3)},))
    (target,) = (t for t in targets_given(agreeing(model), inside) if (t.i, t.j) == (0, 1))
    joint = model.marginal((Level.finest(model.domain.attributes[0]), model.chains[1].levels[0]))[3]
    p = joint[coarse[0][3]] / joint.sum()
    table = target.table.sum(axis=0)
    found = np.bincount(model.chains[1].project(model.chains[1].working, 0), table)[coarse[0][3]] / table.sum()
    assert found == pytest.approx(9 * p / (9 * p + 1 - p), abs=1e-9)


def test_weighted_strata_keep_their_rows_and_meet_the_targets_together(model):
    editable = agreeing(model)
    level = model.chains[0].levels[0]
    inside = Condition(boxes=({0: level.groups == 1},))
    outside = inside.complement()
    natural = model.share(inside)
    weights = natural / 0.5, (1 - natural) / 0.5
    parts = [
        Part(condition=inside, natural=natural, weight=weights[0]),
        Part(condition=outside, natural=1 - natural, weight=weights[1]),
    ]
    rows = editable.rows(parts)
    chunks = [rows.draw([500, 500], np.random.default_rng(k)) for k in range(3)]
    for one, other in chunks:
        assert inside.mask(one).all()
        assert outside.mask(other).all()
    drawn = [np.concatenate(found) for found in zip(*chunks, strict=True)]
    weighted = sum(weight / 2 * agreement(model, found) for weight, found in zip(weights, drawn, strict=True))
    assert weighted > agreement(model, model.sample(3000, np.random.default_rng(3))) + 0.02


def test_many_boxes_are_kept_by_keeping_their_columns(model, monkeypatch):
    monkeypatch.setattr("medsynth.models.drawing.MOST_WATCHED", 1)
    rows = agreeing(model).sample(500, np.random.default_rng(2), condition())
    assert condition().mask(rows).all()


def test_a_condition_of_too_many_boxes_is_drawn_and_not_edited(model, monkeypatch):
    monkeypatch.setattr("medsynth.models.given.MOST_BOXES", 1)
    edited, plain = (m.sample(300, np.random.default_rng(3), condition()) for m in (agreeing(model), model))
    np.testing.assert_array_equal(edited, plain)


def test_no_edit_leads_into_what_is_forbidden(model):
    forbidden = Condition(boxes=({0: mask(10, 9), 1: mask(10, 9), 2: mask(10, 9)},))
    clear = agreeing(model)
    rows = clear.rows([Part()], forbidden=[forbidden])
    drawn = clear.draw_from_tree(400, np.random.default_rng(4))
    edited = rows.draw([400], np.random.default_rng(4))[0]
    assert forbidden.mask(edited).sum() <= forbidden.mask(drawn).sum()


def test_the_likelihood_of_every_cell_is_its_probability(case, model) -> None:
    joint = joint_of(case, model)
    codes = np.array(list(np.ndindex(*joint.shape)), dtype=np.int32)[:: max(1, joint.size // 500)]
    assert np.allclose(np.exp(log_likelihood(model, codes)), joint[tuple(codes.T)], rtol=1e-9, atol=1e-15)
