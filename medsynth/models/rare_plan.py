"""What to measure inside a rare condition: columns that can be read, and levels that fit its size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Domain
from medsynth.errors import UsageError
from medsynth.models.base import RareTarget, Spending
from medsynth.models.selection import MEAN_ABSOLUTE_NORMAL
from medsynth.privacy.interactions import shrinkage

if TYPE_CHECKING:
    from medsynth.models.graphical import GraphicalModel

FloatArray = npt.NDArray[np.float64]

COUNTS = "Counts of rare conditions"
INSIDE = "Columns inside rare conditions"

COUNT_SHARE = 0.1
"""Part of the budget of rare conditions for their counts."""

READABLE = 0.4
"""Part of a condition's persons that the noise of one of its tables may reach. Source: step 3."""

WORTH = 1.0
"""Part of a table's persons that are not in its likeliest groups, by the chance that two differ, which its noise may
reach: a column that hardly varies is known well enough (without this 0.199 in place of 0.189 inside eight conditions
of adult_discrete and diabetes130 at epsilon 1, 0.154 in place of 0.146 at epsilon 3; half as much does no better).
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inside:
    """What is planned for one condition.

    Attributes:
      target: The condition and its columns.
      persons: It holds about so many.
      shares: Of every attribute's working groups inside it, by the tree and its targets.
      levels: Position in its chain of the level at which each readable column is measured, by column.
      sigma: Noise of a cell if all columns had the same, in persons.
    """

    target: RareTarget
    persons: float
    shares: Sequence[FloatArray]
    levels: dict[int, int]
    sigma: float

    @property
    def strength(self) -> float:
        """Noise of a cell over the persons; infinite where no column can be read."""
        return self.sigma / self.persons if self.levels else float("inf")


def exclusive_classes(targets: Sequence[RareTarget]) -> list[list[int]]:
    """Positions of conditions in classes within which any two exclude each other: a row is in one of a class at most.

    Source: greedy colouring, in order.
    """
    classes: list[list[int]] = []
    for k, target in enumerate(targets):
        for members in classes:
            if not any(_meet(target, targets[other]) for other in members):
                members.append(k)
                break
        else:
            classes.append([k])
    return classes


def _meet(one: RareTarget, other: RareTarget) -> bool:
    """Whether a row may be in both; also where that would take too many boxes to tell."""
    try:
        return bool(one.condition.intersect(other.condition).boxes)
    except UsageError:
        return True


def rare_spending(domain: Domain, targets: Sequence[RareTarget], *, mu2: float, mu: float) -> tuple[Spending, ...]:
    """Forecasts counts and tables; all conditions and columns are planned, fewer may be measured.

    Args:
      domain: The public attributes.
      targets: The conditions.
      mu2: Budget of rare conditions.
      mu: Of the whole fit.
    """
    classes = len(exclusive_classes(targets))
    columns = [max(len(target.columns), 1) for target in targets]
    return (
        Spending(
            label=COUNTS,
            share=COUNT_SHARE * mu2 / mu**2,
            tables=len(targets),
            cells=len(targets),
            sigma=sqrt(classes / (COUNT_SHARE * mu2)),
        ),
        Spending(
            label=INSIDE,
            share=(1 - COUNT_SHARE) * mu2 / mu**2,
            tables=sum(len(target.columns) for target in targets),
            cells=sum(domain.sizes[column] for target in targets for column in target.columns),
            sigma=sqrt(classes * max(columns) / ((1 - COUNT_SHARE) * mu2)),
        ),
    )


def plan_inside(
    model: "GraphicalModel",
    target: RareTarget,
    shares: Sequence[FloatArray],
    persons: float,
    unit: float,
    mu2: float,
) -> Inside:
    """Columns that can be read inside a condition, each at its finest readable level.

    Args:
      model: Gives the levels.
      target: The condition.
      shares: Of every attribute's working groups inside it.
      persons: It holds.
      unit: Sensitivity of one table, in persons.
      mu2: Budget; nothing can be read without.
    """
    columns = list(target.columns)
    plan = Inside(target=target, persons=persons, shares=shares, levels={}, sigma=float("inf"))
    while columns and mu2 > 0:
        plan = replace(plan, sigma=unit * sqrt(len(columns) / mu2))
        levels = {column: _finest_readable(model, plan, column) for column in columns}
        readable = [column for column in columns if levels[column] is not None]
        if readable == columns:
            return replace(plan, levels={column: level for column, level in levels.items() if level is not None})
        columns = readable
    return plan


def _finest_readable(model: "GraphicalModel", plan: Inside, column: int) -> int | None:
    """The finest level at which a table's noise stays below its part of the persons."""
    chain = model.chains[column]
    for position in range(chain.working, -1, -1):
        if chain.sizes[position] < 2:
            break
        groups = chain.project(chain.working, position)
        masses = np.asarray(plan.persons * np.bincount(groups, plan.shares[column], chain.sizes[position]))
        spread = plan.persons * (1 - float(plan.shares[column] @ plan.shares[column]))
        if noise_cost(masses, plan) <= min(READABLE * plan.persons, WORTH * spread):
            return position
    return None


def noise_cost(masses: FloatArray, plan: Inside) -> float:
    """Mean L1 error of a table's cells, none worse than left out."""
    noise = MEAN_ABSOLUTE_NORMAL * plan.sigma * shrinkage(masses.shape) ** 2
    return float(np.minimum(noise, masses).sum())


def grouped(model: "GraphicalModel", plan: Inside, column: int) -> FloatArray:
    """Expected persons of a planned table."""
    chain, position = model.chains[column], plan.levels[column]
    groups = chain.project(chain.working, position)
    return np.asarray(plan.persons * np.bincount(groups, plan.shares[column], chain.sizes[position]))
