import numpy as np
import pytest

from medsynth.encoding.domain import Level
from medsynth.models.calibration import calibrate
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain


def two_by_two() -> JunctionTree:
    chains = [
        Chain(
            attribute=name,
            levels=(Level(attribute=name, groups=np.arange(2, dtype=np.int32), size=2),),
        )
        for name in "abc"
    ]
    return JunctionTree.build(chains, [[(0, 0), (1, 0)], [(1, 0), (2, 0)]])


def test_beliefs_and_log_partition_worked_by_hand():
    tree = two_by_two()
    weights = {
        ((0, 0), (1, 0)): [[1.0, 2.0], [3.0, 4.0]],
        ((1, 0), (2, 0)): [[1.0, 1.0], [1.0, 3.0]],
    }
    fitted = calibrate(tree, [np.log(weights[clique]) for clique in tree.cliques])
    # b=0: (1+3) * 2 = 8; b=1: (2+4) * 4 = 24.
    assert fitted.log_partition == pytest.approx(np.log(32.0))
    np.testing.assert_allclose(fitted.marginal([(1, 0)]), [8 / 32, 24 / 32])
    np.testing.assert_allclose(fitted.marginal([(2, 0), (0, 0)])[1], [(1 + 2 * 3) / 32, (3 + 4 * 3) / 32])


def test_beliefs_equal_the_joint_table(case):
    for clique, belief in zip(case.tree.cliques, case.calibrated.beliefs, strict=True):
        np.testing.assert_allclose(belief, case.marginal(clique), atol=1e-12)


def test_any_marginal_equals_the_joint_table(case):
    rng = np.random.default_rng(1)
    for _ in range(4):
        nodes = [
            (int(a), int(rng.integers(0, case.tree.finest[a] + 1)))
            for a in rng.choice(4, rng.integers(0, 5), replace=False)
        ]
        np.testing.assert_allclose(case.calibrated.marginal(nodes), case.marginal(nodes), atol=1e-12)


def test_pair_marginals_equal_the_joint_table(case):
    rng = np.random.default_rng(2)
    levels = [int(rng.integers(0, finest + 1)) for finest in case.tree.finest]
    pairs = case.calibrated.pair_marginals(levels)
    assert sorted(pairs) == [(i, j) for i in range(4) for j in range(i + 1, 4)]
    for (i, j), table in pairs.items():
        np.testing.assert_allclose(table, case.marginal([(i, levels[i]), (j, levels[j])]), atol=1e-12)


def test_conditioning_equals_the_joint_table_given_the_evidence(case):
    rng = np.random.default_rng(3)
    evidence = {a: np.where(rng.random(n) < 0.6, rng.random(n), 0.0) for a, n in enumerate(case.joint.shape) if a != 1}
    weighed = case.joint.copy()
    for attribute, weights in evidence.items():
        shape = [1] * weighed.ndim
        shape[attribute] = -1
        weighed = weighed * weights.reshape(shape)
    given, probability = case.calibrated.condition(evidence)
    assert probability == pytest.approx(weighed.sum(), abs=1e-12)
    if probability > 0:
        nodes = [(1, case.tree.finest[1]), (3, 0)]
        expected = case.marginal(nodes, weighed / weighed.sum())
        np.testing.assert_allclose(given.marginal(nodes), expected, atol=1e-9)


def test_impossible_evidence_has_probability_zero(case):
    given, probability = case.calibrated.condition({0: np.zeros(case.joint.shape[0])})
    assert probability == 0.0
    assert given is case.calibrated


def test_structural_zeros_stay_zero_and_extreme_potentials_do_not_overflow():
    tree = two_by_two()
    potentials = [
        np.array([[0.0, -np.inf], [2000.0, -3000.0]]),
        np.array([[0.0, 5000.0], [0.0, 0.0]]),
    ]
    fitted = calibrate(tree, potentials)
    assert fitted.log_partition == pytest.approx(7000.0)
    assert fitted.beliefs[0][0, 1] == 0.0
    assert all(np.isfinite(belief).all() for belief in fitted.beliefs)


def test_nothing_possible_has_log_partition_minus_infinity():
    tree = two_by_two()
    fitted = calibrate(tree, [np.full((2, 2), -np.inf), np.zeros((2, 2))])
    assert fitted.log_partition == -np.inf
