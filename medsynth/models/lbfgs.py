"""Limited-memory BFGS for smooth convex functions, in a few lines of NumPy.

SciPy's is as good, but a fit of three columns takes longer to enter it than to finish here, and
nothing of the core then waits for SciPy to be imported.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Function = Callable[[FloatArray], tuple[float, FloatArray]]

MEMORY = 40
SUFFICIENT = 1e-4
"""A step must lower the value by this share of what its slope promises (Armijo)."""

ROUNDING = 1e-12
"""A convex function lies above its tangent, but for this share of its value."""

HALVINGS = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """One accepted step: move, change of gradient, 1 / (their product)."""

    move: FloatArray
    change: FloatArray
    inverse: float


def minimise(
    function: Function,
    start: FloatArray,
    *,
    iterations: int,
    gradient_tolerance: float = 1e-3,
    value_tolerance: float = 1e-3,
    patience: int = 5,
) -> FloatArray:
    """Minimises a convex function whose curvature is near 1 in every coordinate.

    Args:
      function: Gives (value, gradient) at a point.
      start: Where to begin.
      iterations: Limit of steps.
      gradient_tolerance: Stop when no coordinate of the gradient is larger.
      value_tolerance: Stop when `patience` steps together lowered the value by less.
      patience: See above.

    Source: Nocedal and Wright (2006), Numerical Optimization, algorithm 7.5; backtracking suffices
      for convex functions.
    """
    point = np.array(start, dtype=np.float64)
    value, gradient = function(point)
    steps: deque[Step] = deque(maxlen=MEMORY)
    values = deque([value], maxlen=patience + 1)
    for _ in range(iterations):
        if np.abs(gradient).max(initial=0.0) <= gradient_tolerance:
            break
        direction = _direction(gradient, steps)
        found = _search(function, point, value, gradient, direction)
        if found is None and steps:  # the last steps mislead: begin anew, downhill
            steps.clear()
            found = _search(function, point, value, gradient, -gradient)
        if found is None:
            break
        new, value, new_gradient = found
        change, move = new_gradient - gradient, new - point
        curvature = dot(move, change)
        if curvature > 0:
            steps.append(Step(move=move, change=change, inverse=1.0 / curvature))
        point, gradient = new, new_gradient
        values.append(value)
        if len(values) > patience and values[0] - value < value_tolerance:
            break
    return point


def _direction(gradient: FloatArray, steps: deque[Step]) -> FloatArray:
    """Where the last steps suggest the minimum to be (two-loop recursion)."""
    direction = -gradient
    if not steps:
        return direction
    shares = []
    for step in reversed(steps):
        share = step.inverse * dot(step.move, direction)
        direction -= share * step.change
        shares.append(share)
    last = steps[-1]
    direction *= 1.0 / (last.inverse * dot(last.change, last.change))
    for step, share in zip(steps, reversed(shares), strict=True):
        direction += (share - step.inverse * dot(step.change, direction)) * step.move
    return direction


def _search(
    function: Function, point: FloatArray, value: float, gradient: FloatArray, direction: FloatArray
) -> tuple[FloatArray, float, FloatArray] | None:
    """(point, value, gradient) of the first step that descends enough; None if rounding hides.

    A step too long for the function to be computed is taken back: what lies below the tangent, or nowhere, is wrong.
    """
    slope = dot(gradient, direction)
    spare = ROUNDING * abs(value)
    size = 1.0
    for _ in range(HALVINGS):
        new = point + size * direction
        new_value, new_gradient = function(new)
        if value + size * slope - spare <= new_value <= value + SUFFICIENT * size * slope:
            return new, new_value, new_gradient
        # The minimum of the parabola through both values, kept within a tenth and a half of the
        # step.
        curve = new_value - value - size * slope
        size *= min(0.5, max(0.1, -0.5 * size * slope / curve)) if np.isfinite(curve) else 0.1
    return None


def dot(left: FloatArray, right: FloatArray) -> float:
    """Inner product in one thread: those of a BLAS wait for each other on a busy machine, ten times as long."""
    return float(np.einsum("i,i->", left, right))
