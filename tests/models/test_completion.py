from itertools import combinations

import numpy as np
import pytest

from medsynth.encoding.domain import Attribute, Domain, Level
from medsynth.models.calibration import calibrate
from medsynth.models.completion import Completion
from medsynth.models.graphical import GraphicalModel
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain
from medsynth.models.row_evidence import Conditionals, Evidence, combined


def flat_model(joint: np.ndarray) -> GraphicalModel:
    """A model that is one table over attributes with a single level."""
    attributes = [Attribute(name=f"c{axis}", size=size) for axis, size in enumerate(joint.shape)]
    chains = tuple(Chain(attribute=a.name, levels=(Level.finest(a),)) for a in attributes)
    tree = JunctionTree.build(chains, [[(axis, 0) for axis in range(joint.ndim)]])
    with np.errstate(divide="ignore"):
        calibrated = calibrate(tree, [np.log(joint)])
    one_ways = tuple(joint.sum(axis=tuple(b for b in range(joint.ndim) if b != a)) for a in range(joint.ndim))
    return GraphicalModel(
        domain=Domain(attributes=tuple(attributes)), chains=chains, one_ways=one_ways, calibrated=calibrated, total=1.0
    )


def model_of(case) -> GraphicalModel:
    """The case's tree, each of whose cells is two finest cells: even ones hold a quarter, odd ones the rest."""
    tree, attributes, chains = case.tree, [], []
    for chain in tree.chains:
        attribute = Attribute(name=chain.attribute, size=2 * len(chain.levels[-1].groups))
        attributes.append(attribute)
        levels = [
            Level(attribute=level.attribute, groups=np.repeat(level.groups, 2), size=level.size)
            for level in chain.levels
        ]
        chains.append(Chain(attribute=chain.attribute, levels=(*levels, Level.finest(attribute))))
    finer = JunctionTree.rebuild(chains, tree.cliques, tree.parents)
    return GraphicalModel(
        domain=Domain(attributes=tuple(attributes)),
        chains=tuple(chains),
        one_ways=tuple(np.tile([0.25, 0.75], a.size // 2) / (a.size // 2) for a in attributes),
        calibrated=calibrate(finer, case.calibrated.log_potentials),
        total=1.0,
    )


def mask(rows: np.ndarray, *known: int) -> np.ndarray:
    """The same attributes known in every row."""
    return np.tile(np.isin(np.arange(rows.shape[1]), known), (len(rows), 1))


def nothing(rows: int, attributes: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of which nothing is known: (codes, known)."""
    return np.zeros((rows, attributes), dtype=np.int32), np.zeros((rows, attributes), dtype=bool)


def groups_of(model: GraphicalModel, codes: np.ndarray) -> np.ndarray:
    finest = [chain.levels[level] for chain, level in zip(model.chains, model.tree.finest, strict=True)]
    return np.stack([level.groups[codes[:, a]] for a, level in enumerate(finest)], axis=1).astype(np.intp)


def share_given(joint: np.ndarray, rows: np.ndarray, known: tuple[int, ...]) -> np.ndarray:
    """Probability of each row given its known attributes, from the table written out."""
    others = tuple(axis for axis in range(joint.ndim) if axis not in known)
    return (joint / joint.sum(axis=others, keepdims=True))[tuple(rows.T)]


def off(counts: np.ndarray, expected: np.ndarray) -> float:
    """Largest distance from expectation in deviations of a Poisson count, of cells expected 100 times or more.

    A sum of independent draws varies no more than a Poisson count, which of mean 100 is 6 deviations above it with
    probability 2.1e-8 and below it with less; so of 500 cells one is with probability below 2e-5.
    """
    often = expected >= 100
    return float((np.abs(counts - expected)[often] / np.sqrt(expected[often])).max())


def test_chances_on_the_way_down_multiply_to_the_exact_conditional_probability_of_a_row(case):
    """Every pattern of known attributes, against the joint table; every row with evidence of its own."""
    rng = np.random.default_rng(0)
    rows = np.stack([rng.integers(0, size, 25) for size in case.joint.shape], axis=1)
    conditionals = Conditionals.of(case.calibrated)
    for known in (known for size in range(5) for known in combinations(range(4), size)):
        chance = np.ones(len(rows))

        def follow(node, chances, places, some, chance=chance):
            finest = case.tree.finest[node[0]]
            own = conditionals.groups(node[0], rows[some, node[0]], node[1], have=finest)
            own_chances = chances[0][places]
            chance[some] *= own_chances[np.arange(len(some)), own] / own_chances.sum(axis=1)
            return own

        np.testing.assert_array_equal(Evidence(conditionals, rows, mask(rows, *known)).walk(follow), rows)
        np.testing.assert_allclose(chance, share_given(case.joint, rows, known), rtol=1e-9)


def test_rows_that_know_different_columns_are_told_their_own_chances_at_once(case):
    rng = np.random.default_rng(2)
    rows = np.stack([rng.integers(0, size, 200) for size in case.joint.shape], axis=1)
    known = rng.random(rows.shape) < 0.5
    conditionals, chance = Conditionals.of(case.calibrated), np.ones(len(rows))

    def follow(node, chances, places, some):
        own = conditionals.groups(node[0], rows[some, node[0]], node[1], have=case.tree.finest[node[0]])
        own_chances = chances[0][places]
        chance[some] *= own_chances[np.arange(len(some)), own] / own_chances.sum(axis=1)
        return own

    Evidence(conditionals, rows, known).walk(follow)
    expected = [share_given(case.joint, rows[[k]], tuple(np.flatnonzero(known[k])))[0] for k in range(len(rows))]
    np.testing.assert_allclose(chance, expected, rtol=1e-9)


@pytest.mark.parametrize("cells", [1, 1 << 21])
def test_completed_rows_follow_the_joint_table_given_their_cells_and_keep_them(cells, case, monkeypatch):
    monkeypatch.setattr("medsynth.models.row_evidence.MOST_CELLS", cells * 64)
    model, rng, n = model_of(case), np.random.default_rng(1), 6_000
    codes = rng.integers(0, 10, (n, 4)).astype(np.int32)
    drawn = Completion(model=model).complete(codes, mask(codes, 1, 3), rng)
    np.testing.assert_array_equal(drawn[:, [1, 3]], codes[:, [1, 3]])
    given = groups_of(model, codes)
    conditional = case.joint / case.joint.sum(axis=(0, 2), keepdims=True)
    expected = conditional[:, given[:, 1], :, given[:, 3]].sum(axis=0)
    counts = np.zeros_like(expected)
    np.add.at(counts, tuple(groups_of(model, drawn)[:, [0, 2]].T), 1)
    assert off(counts, expected) < 6
    # Inside a group odd cells hold three quarters of what even ones do not: 5 deviations.
    assert abs((drawn[:, 0] % 2).mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / n)


def test_a_row_whose_cells_cannot_occur_together_is_marked_and_the_columns_found():
    joint = np.ones((2, 3, 2, 2))
    joint[1, :, 1, 0] = 0  # attributes 0, 2 and 3 exclude this together, no two of them alone
    completion = Completion(model=flat_model(joint / joint.sum()))
    codes = np.array([[0, 1, 1, 0], [1, 2, 1, 0], [1, 0, 0, 0]], dtype=np.int32)
    assert completion.possible(codes, mask(codes, 0, 1, 2, 3)).tolist() == [True, False, True]
    assert completion.possible(codes, mask(codes, 0, 1, 2)).all()
    drawn = completion.complete(codes, mask(codes, 0, 1, 2, 3), np.random.default_rng(0))
    assert drawn.tolist() == [[0, 1, 1, 0], [-1] * 4, [1, 0, 0, 0]]
    assert completion.conflict(codes, mask(codes, 0, 1, 2, 3)) == [0, 2, 3]


def test_what_has_no_probability_is_never_drawn():
    joint = np.random.default_rng(3).random((3, 4, 5))
    joint[joint < 0.5] = 0
    completion = Completion(model=flat_model(joint / joint.sum()))
    drawn = completion.complete(*nothing(20_000, 3), np.random.default_rng(4))
    assert (joint[tuple(drawn.T)] > 0).all()


def test_equal_seeds_give_equal_rows_and_others_others(case):
    completion = Completion(model=model_of(case))
    codes = np.random.default_rng(5).integers(0, 10, (200, 4)).astype(np.int32)
    first, again, other = (
        completion.complete(codes, mask(codes, 2), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_rows_are_no_rows(case):
    completion = Completion(model=model_of(case))
    none = np.zeros((0, 4), dtype=np.int32)
    assert completion.complete(none, mask(none, 1), np.random.default_rng(0)).shape == (0, 4)
    assert completion.couple(none, none, mask(none, 1), np.random.default_rng(0)).shape == (0, 4)
    assert completion.possible(none, mask(none, 1)).shape == (0,)


def coupled(case, n=6_000):
    """Rows that know their own attribute 0, and their copies with group 0 of it."""
    model, rng = model_of(case), np.random.default_rng(6)
    completion = Completion(model=model)
    rows = completion.complete(*nothing(n, 4), rng)
    codes = rows.copy()
    codes[:, 0] = 0
    return model, rows, completion.couple(rows, codes, mask(codes, 0), rng)


def test_copies_by_themselves_follow_the_joint_table_given_what_is_set(case):
    model, _, copies = coupled(case)
    groups = groups_of(model, copies)
    assert (copies[:, 0] == 0).all()
    given = case.joint[groups[0, 0]]
    for axes in combinations(range(3), 2):
        expected = (given / given.sum()).sum(axis=3 - sum(axes)) * len(copies)
        counts = np.zeros_like(expected)
        np.add.at(counts, tuple(groups[:, [axis + 1 for axis in axes]].T), 1)
        assert off(counts, expected) < 6


def test_a_copy_under_a_rows_own_cells_is_that_row(case):
    model, rows, copies = coupled(case)
    same = groups_of(model, rows)[:, 0] == groups_of(model, copies)[:, 0]
    assert same.any()
    np.testing.assert_array_equal(rows[same, 1:], copies[same, 1:])


def test_what_does_not_depend_on_the_set_column_never_changes_and_the_rest_as_rarely_as_can_be():
    dependent = np.array([[0.30, 0.15, 0.05], [0.10, 0.15, 0.25]])  # column 0 by column 1
    joint = dependent[:, :, None] * np.array([0.2, 0.3, 0.5])
    completion, rng, n = Completion(model=flat_model(joint)), np.random.default_rng(7), 20_000
    rows = completion.complete(*nothing(n, 3), rng)
    codes = rows.copy()
    codes[:, 0] = 1
    copies = completion.couple(rows, codes, mask(codes, 0), rng)
    np.testing.assert_array_equal(rows[:, 2], copies[:, 2])
    # Half of the rows change column 0. Given 0 column 1 is (.6, .3, .1), given 1 (.2, .3, .5): no pair of draws
    # of these differs less often than in their total variation distance, .4. Five deviations of a share.
    changed = (rows[:, 1] != copies[:, 1]).mean()
    assert abs(changed - 0.5 * 0.4) < 5 * np.sqrt(0.2 * 0.8 / n)


def test_combinations_are_numbered_however_many_columns_there_are():
    rng = np.random.default_rng(8)
    columns = [rng.integers(0, 1 << 40, 300) for _ in range(4)]
    columns = [np.concatenate([column, column]) for column in columns]
    ids, firsts = combined(columns, rows=600)
    assert len(firsts) == 300
    for column in columns:
        np.testing.assert_array_equal(column[firsts][ids], column)
