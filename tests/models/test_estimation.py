import numpy as np
import pytest

from medsynth.models.estimation import StructuralZeros, TableTarget, _Dual, fit_potentials


def uniform(case):
    """Beliefs of the distribution in which every cell of the joint table weighs the same."""
    even = np.full(case.joint.shape, 1 / case.joint.size)
    return [case.marginal(clique, even) for clique in case.tree.cliques]


def targets_of(case, noise=0.0, variance=1.0):
    rng = np.random.default_rng(9)
    return [
        TableTarget(
            nodes=clique,
            noisy=1000 * (table := case.marginal(clique)) + noise * rng.normal(size=table.shape),
            variance=variance,
        )
        for clique in case.tree.cliques
    ]


def test_consistent_tables_are_met_exactly_as_kappa_goes_to_zero(case):
    targets = targets_of(case)
    fitted = fit_potentials(case.tree, targets, 1000.0, kappa=1e-9, iterations=2000)
    for target in targets:
        assert np.abs(1000 * fitted.marginal(target.nodes) - target.noisy).max() < 0.2


def test_gradient_equals_finite_differences(case):
    dual = _Dual.of(case.tree, targets_of(case, noise=30.0, variance=900.0), 1000.0, (0.01, 0.0), ())
    rng = np.random.default_rng(0)
    point = rng.normal(size=dual.noisy.size)
    _, gradient = dual.value_and_gradient(point)
    for _ in range(5):
        direction = rng.normal(size=point.size)
        up, down = (dual.value_and_gradient(point + step * direction)[0] for step in (1e-5, -1e-5))
        assert (up - down) / 2e-5 == pytest.approx(float(gradient @ direction), rel=1e-5, abs=1e-3)


def test_at_the_optimum_residuals_are_kappa_variance_theta(case):
    targets = targets_of(case, noise=30.0, variance=900.0)
    fitted = fit_potentials(case.tree, targets, 1000.0, kappa=0.1, iterations=3000)
    for target in targets:
        residual = 1000 * fitted.marginal(target.nodes) - target.noisy
        np.testing.assert_allclose(residual, -0.1 * 900 * fitted.duals[target.nodes], atol=0.5)


def test_the_least_ridge_keeps_cells_below_zero_from_extreme_odds(case):
    node = (0, case.tree.finest[0])
    noisy = 1000 * case.marginal([node])
    noisy[1] += noisy[0] + 20
    noisy[0] = -20.0
    target = TableTarget(nodes=(node,), noisy=noisy, variance=1e-6)
    # At the optimum expected - noisy = -ridge * dual; with odds of e^-40 nobody is expected.
    free, held = (
        fit_potentials(case.tree, [target], 1000.0, kappa=0.01, least_ridge=least, iterations=2000).duals[target.nodes]
        for least in (0.0, 0.5)
    )
    assert held[0] == pytest.approx(-20 / 0.5, abs=0.1)
    assert free[0] < 10 * held[0]


def test_a_large_kappa_forgives_everything(case):
    fitted = fit_potentials(case.tree, targets_of(case, variance=1e9), 1000.0, kappa=1e6, iterations=50)
    for belief, expected in zip(fitted.beliefs, uniform(case), strict=True):
        np.testing.assert_allclose(belief, expected, atol=1e-3)


def test_variance_may_differ_from_cell_to_cell(case):
    node = (0, case.tree.finest[0])
    expected = 1000 * case.marginal([node])
    variance = np.where(np.arange(expected.size) == 0, 1e-9, 1e9)
    fitted = fit_potentials(case.tree, [TableTarget(nodes=(node,), noisy=expected, variance=variance)], 1000.0)
    assert 1000 * fitted.marginal([node])[0] == pytest.approx(expected[0], abs=0.5)


def test_warm_start_from_another_tree_is_nearly_done_at_once(case):
    targets = targets_of(case, noise=10.0, variance=100.0)
    first = fit_potentials(case.tree, targets, 1000.0, kappa=0.1, iterations=3000)
    again = fit_potentials(case.tree, targets, 1000.0, kappa=0.1, iterations=1, warm=first)
    for one, other in zip(first.beliefs, again.beliefs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_structural_zeros_survive_any_table(case):
    clique = case.tree.cliques[0]
    allowed = np.ones(case.tree.shapes[0], dtype=bool)
    allowed.flat[0] = False
    zeros = [StructuralZeros(nodes=clique, allowed=allowed)]
    fitted = fit_potentials(case.tree, targets_of(case), 1000.0, zeros=zeros)
    assert fitted.beliefs[0].flat[0] == 0.0


def test_a_table_outside_the_tree_is_a_defect(case):
    nodes = tuple((a, level + 1) for a, level in enumerate(case.tree.finest))
    with pytest.raises(ValueError, match="outside every clique"):
        fit_potentials(case.tree, [TableTarget(nodes=nodes, noisy=np.zeros(1), variance=1.0)], 1.0)


def test_no_tables_give_the_uniform_distribution(case):
    fitted = fit_potentials(case.tree, [], 1000.0)
    for belief, expected in zip(fitted.beliefs, uniform(case), strict=True):
        np.testing.assert_allclose(belief, expected, atol=1e-12)
