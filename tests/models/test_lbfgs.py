import numpy as np
import pytest

from medsynth.models.lbfgs import minimise


def test_a_quadratic_is_solved():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(30, 30))
    curvature, target = half @ half.T + np.eye(30), rng.normal(size=30)

    def quadratic(x):
        return float(0.5 * (x - target) @ curvature @ (x - target)), curvature @ (x - target)

    found = minimise(quadratic, np.zeros(30), iterations=300, gradient_tolerance=1e-9, value_tolerance=0.0)
    np.testing.assert_allclose(found, target, atol=1e-7)


def test_a_start_at_the_minimum_stays():
    np.testing.assert_array_equal(minimise(lambda x: (float(x @ x), 2 * x), np.zeros(3), iterations=5), np.zeros(3))


def test_the_limit_of_iterations_is_kept():
    calls = []

    def slow(x):
        calls.append(1)
        return float(np.cosh(x).sum()), np.sinh(x)

    minimise(slow, np.full(2, 3.0), iterations=2, value_tolerance=0.0)
    assert len(calls) < 12


@pytest.mark.parametrize("nonsense", [-np.inf, np.nan, -1e12])
def test_a_step_on_which_the_function_cannot_be_computed_is_taken_back(nonsense):
    def flat_then_broken(x):  # a Huber function: flat enough that the first steps overshoot
        if np.abs(x).max() > 50:
            return nonsense, np.full_like(x, 1e9)
        return float(np.sqrt(1 + 4e4 * x @ x)), 4e4 * x / np.sqrt(1 + 4e4 * x @ x)

    found = minimise(flat_then_broken, np.full(3, 20.0), iterations=400)
    np.testing.assert_allclose(found, 0, atol=1e-3)
