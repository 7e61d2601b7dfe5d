"""Rare conditions: each one's count and its columns' tables inside it, at levels fitted to its size.

What a tree has wrong inside a rare condition is the one-ways: measured there, they repair it. Steps, in the order
they happen:
    counts    of every condition                       -> how many persons each holds, about
    plan      which columns can be read inside it, at which level; a condition too small for any is
              left to its count
    tables    of those columns inside the conditions; conditions that exclude each other share the cost
    shares    the tree's one-ways inside, moved towards the tables as far as these are signal
    tilt      factors that give the tree these one-ways inside the condition

Source: recipe part two, section A, step 3.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Level
from medsynth.encoding.records import Records
from medsynth.models.base import RareTarget
from medsynth.models.given import MOST_BOXES, one_ways_given
from medsynth.models.rare_groups import RareGroup
from medsynth.models.rare_plan import (
    COUNT_SHARE,
    COUNTS,
    INSIDE,
    Inside,
    exclusive_classes,
    grouped,
    noise_cost,
    plan_inside,
)
from medsynth.models.rare_shares import InsideTable, updated_shares
from medsynth.models.selection import MEAN_ABSOLUTE_NORMAL, split_noise
from medsynth.models.tilt import tilt
from medsynth.privacy.interactions import parts_mu, shrinkage
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

if TYPE_CHECKING:
    from medsynth.models.graphical import GraphicalModel
    from medsynth.privacy import Ledger, Measurement

FloatArray = npt.NDArray[np.float64]

WEAKEST = 0.3
"""Noise of a cell over the persons of the condition from which tables inside it do not help. Source: "Planning"."""

TREE_ERROR = 0.5
"""How far the tree's count of a condition may be off, as a part of it, beyond its noise (a guess)."""


class RareSurvey:
    """Counts rare conditions, and then what their rows are like.

    Args:
      records: The private rows, for the ledger.
      ledger: Measures.
      model: Fitted to all that was measured before.
      targets: The conditions.
      mu2: Budget.
    """

    def __init__(
        self,
        records: Records,
        ledger: "Ledger",
        model: "GraphicalModel",
        targets: Sequence[RareTarget],
        mu2: float,
    ) -> None:
        self._records, self._ledger, self._model = records, ledger, model
        self._targets = [target for target in targets if target.condition.boxes]
        self._unit = records.l2 / UNITS_PER_PERSON
        self._mu2 = (1 - COUNT_SHARE) * mu2 if self._targets else mu2
        self._counts = self._counted(COUNT_SHARE * mu2)
        self._plans = self._planned()

    @property
    def unspent(self) -> float:
        """Budget that no condition can use."""
        return 0.0 if self._classes else self._mu2

    def measured(self, model: "GraphicalModel") -> tuple[RareGroup, ...]:
        """Spends the rest, and tilts the tree inside every condition.

        Args:
          model: As it will be used.
        """
        tables = self._tables()
        updated = iter(updated_shares([table for own in tables for table in own]))
        found = []
        for k, (plan, own) in enumerate(zip(self._plans, tables, strict=True)):
            wanted = list(plan.shares)
            for column in plan.levels:
                wanted[column] = next(updated)
            found.append(self._group(model, k, replace(plan, shares=wanted), own))
        return tuple(found)

    def _counted(self, mu2: float) -> "list[Measurement]":
        """The number of persons of every condition; those that exclude each other at the cost of one."""
        classes = exclusive_classes(self._targets)
        found: dict[int, Measurement] = {}
        for members in classes:
            parts = self._records.parts([self._targets[k].condition for k in members])
            sigma = self._unit * sqrt(len(classes) / mu2)
            counted = self._ledger.measure_parts(parts, [[()]] * len(members), [[sigma]] * len(members), label=COUNTS)
            found |= {k: measured for k, (measured,) in zip(members, counted, strict=True)}
        return [found[k] for k in range(len(self._targets))]

    def _planned(self) -> list[Inside]:
        """Columns and levels of every condition; the weakest are left out until the others can be read."""
        asked = [_can_be_asked(self._model, target) for target in self._targets]
        shares = [
            one_ways_given(self._model, target.condition) if can else []
            for target, can in zip(self._targets, asked, strict=True)
        ]
        persons = [self._estimate(k) for k in range(len(self._targets))]
        kept = [k for k, can in enumerate(asked) if can]
        while True:
            self._classes = [[kept[k] for k in each] for each in exclusive_classes([self._targets[k] for k in kept])]
            budget = self._mu2 / max(len(self._classes), 1)
            plans = [
                plan_inside(self._model, target, shares[k], persons[k], self._unit, budget if k in kept else 0.0)
                for k, target in enumerate(self._targets)
            ]
            weakest = max(kept, key=lambda k: plans[k].strength, default=None)
            if weakest is None or plans[weakest].strength < WEAKEST:
                self._kept = kept
                return plans
            kept.remove(weakest)

    def _tables(self) -> list[list[InsideTable]]:
        """Noisy tables inside each condition; none where it cannot be read."""
        found: list[list[InsideTable]] = [[] for _ in self._targets]
        for members in self._classes:
            parts = self._records.parts([self._targets[k].condition for k in members])
            plans = [self._plans[k] for k in members]
            budget = self._mu2 / len(self._classes)
            levels = [_levels(self._model, plan) for plan in plans]
            sigmas = self._sigmas(plans, budget)
            cliques = [[(level,) for level in each] for each in levels]
            measured = self._ledger.measure_parts(parts, cliques, sigmas, label=INSIDE)
            for k, plan, tables in zip(members, plans, measured, strict=True):
                found[k] = [
                    InsideTable.of(
                        self._model.chains[column], plan.levels[column], plan.shares[column], plan.persons, table
                    )
                    for column, table in zip(plan.levels, tables, strict=True)
                ]
        return found

    def _sigmas(self, plans: Sequence[Inside], budget: float) -> list[list[float]]:
        """Noise of every table of conditions that exclude each other, in persons; together they cost the budget."""
        shapes: list[list[tuple[int, ...]]] = []
        noise: list[list[float]] = []
        for plan in plans:
            masses = [grouped(self._model, plan, column) for column in plan.levels]
            left = np.array([shrinkage(each.shape) for each in masses])
            costs = left * [noise_cost(each, plan) for each in masses]
            shapes.append([each.shape for each in masses])
            noise.append([float(sigma) for sigma in self._records.l2 * left * split_noise(costs, budget)])
        # What rounding adds to the cost is paid by a little more noise.
        factor = parts_mu(self._records.l2, shapes, noise) / sqrt(budget) / UNITS_PER_PERSON
        return [[factor * sigma for sigma in each] for each in noise]

    def _counted_once(self, k: int) -> tuple[float, float]:
        """(persons in a condition, noise of that): its count, and that of its column where it is about one."""
        counted = self._counts[k]
        noisy, precision = float(counted.noisy), counted.sigma**-2
        by_tree, error = self._model.count(self._targets[k].condition)
        if error is not None and len(self._targets[k].condition.attributes) == 1:
            noisy = (noisy * precision + by_tree * error**-2) / (precision + error**-2)
            precision += error**-2
        return noisy, precision**-0.5

    def _estimate(self, k: int) -> float:
        """Persons in a condition, at least 1: as counted, drawn towards the tree's word as far as noise explains the
        difference.
        """
        counted, error = self._counted_once(k)
        by_tree = self._model.share(self._targets[k].condition) * self._model.total
        spread = max((TREE_ERROR * by_tree) ** 2, (counted - by_tree) ** 2 - error**2)
        kept = spread / (spread + error**2)
        return max(by_tree + kept * (counted - by_tree), 1.0)

    def _group(self, model: "GraphicalModel", k: int, plan: Inside, tables: Sequence[InsideTable]) -> RareGroup:
        """The condition's own tree."""
        target = plan.target
        counted, error = self._counted_once(k)
        classes = len(exclusive_classes([self._targets[other] for other in sorted({*self._kept, k})]))
        tilted = set(range(len(plan.shares))) - (target.condition.attributes - set(plan.levels))
        return RareGroup(
            name=target.name,
            condition=target.condition,
            persons=plan.persons,
            counted=counted,
            error=error,
            sigma=self._unit * sqrt(max(len(target.columns), 1) * classes / self._mu2),
            columns=tuple(plan.levels),
            expected_error=_expected_error(model, plan, tables),
            weights=tilt(model, target.condition, plan.shares, tilted) if plan.shares else (),
            measurements=(self._counts[k], *(table.measured for table in tables)),
        )


def _levels(model: "GraphicalModel", plan: Inside) -> list[Level]:
    return [model.chains[column].levels[position] for column, position in plan.levels.items()]


def _expected_error(model: "GraphicalModel", plan: Inside, tables: Sequence[InsideTable]) -> float | None:
    """Mean total variation that noise leaves in the measured columns; None without any.

    Source: recipe part two, "Planning".
    """
    if not tables:
        return None
    errors = []
    for column, table in zip(plan.levels, tables, strict=True):
        masses = grouped(model, plan, column)
        noise = MEAN_ABSOLUTE_NORMAL * table.sigma
        errors.append(0.5 * float(np.minimum(noise, masses).sum()) / plan.persons)
    return float(np.mean(errors))


def _can_be_asked(model: "GraphicalModel", target: RareTarget) -> bool:
    """Whether the tree can be conditioned on it at a bearable cost; if not, the condition is counted alone."""
    return 0 < len(target.condition.boxes) <= MOST_BOXES and model.share(target.condition) > 0
