"""A rare condition as the model knows it, and how well: counted, measured inside, its tree tilted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.privacy import Measurement

FloatArray = npt.NDArray[np.float64]

GRADES = {"supported": 0.07, "fair": 0.15, "weak": 0.3}
"""Upper limits of a cell's noise over the persons of a condition, by grade. Source: recipe part two, "Planning":
error of the one-ways inside, relative to that without tables: .72, .79, .91."""

BELOW = "below the noise"

UNMEASURED = "counted only"
"""Of a condition that the tree cannot be asked for: impossible in it, or of too many boxes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RareGroup:
    """One rare condition.

    Attributes:
      name: Of the schema.
      condition: Its boxes.
      persons: It holds about so many, what the model goes by: the count, drawn towards the tree's where noise may
        explain the difference.
      counted: Its noised count, unbiased.
      error: Standard error of the count from the noise.
      sigma: Noise of a cell of a table inside it, in persons, if all declared columns were measured alike.
      columns: Attributes measured inside it.
      expected_error: Mean total variation that the noise leaves in these columns; None without any.
      weights: Per attribute (size,), factor by which each cell is likelier inside the condition than the tree says;
        empty if the tree cannot be asked for it.
      measurements: The count, then a table per column, all of rows inside the condition.
    """

    name: str
    condition: "Condition"
    persons: float
    counted: float
    error: float
    sigma: float
    columns: tuple[int, ...]
    expected_error: float | None
    weights: tuple[FloatArray, ...]
    measurements: "tuple[Measurement, ...]"

    @property
    def grade(self) -> str:
        """How far its records can be trusted: one of `GRADES`, `BELOW`, or `UNMEASURED`."""
        grade = grade_of(self.sigma / self.persons)
        return grade if self.weights or grade == BELOW else UNMEASURED


def grade_of(strength: float) -> str:
    """The grade at a cell's noise over the persons of the condition.

    >>> grade_of(0.1), grade_of(0.4)
    ('fair', 'below the noise')
    """
    return next((grade for grade, limit in GRADES.items() if strength < limit), BELOW)
