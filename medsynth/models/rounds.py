"""The rounds of `adaptive`: score pairs, measure those chosen, fit the tree to all that was measured."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.models.edit import PairTarget
from medsynth.models.impossible import ImpossiblePair
from medsynth.models.one_ways import OneWays, measure_one_ways
from medsynth.models.pair_tables import PairTable, completed
from medsynth.models.phases import Phases
from medsynth.models.selection import (
    MEAN_ABSOLUTE_NORMAL,
    Choice,
    Pair,
    Plan,
    plan_pairs,
)
from medsynth.models.survey import (
    Survey,
    fit_tree,
    independent_tree,
    nodes_of,
    one_way_gain,
    score_pairs,
    within_tree,
)
from medsynth.models.targets import pair_targets, raked_targets, tree_tables
from medsynth.models.triangulation import tree_cells

if TYPE_CHECKING:
    from medsynth.models.adaptive import Adaptive
    from medsynth.privacy import Measurement

FloatArray = npt.NDArray[np.float64]


class Rounds:
    """Measured pairs and the tree fitted to them, growing round by round."""

    def __init__(
        self, settings: "Adaptive", survey: Survey, phases: Phases, *, signal: float, study_cells: int
    ) -> None:
        self.settings = settings
        self.survey = survey
        self.phases = phases
        self._study_cells = study_cells
        self._noise_weight = min(settings.noise_most, settings.noise_signal / signal)
        self._kappa = settings.kappa if phases.tables[0] else settings.few_kappa
        self._least_ridge = settings.least_ridge if phases.tables[0] else 0.0
        self._iterations = settings.iterations * (3 if signal >= settings.strong_signal else 1)
        crowding = settings.crowding(survey.records.domain)
        self._raked = signal < settings.strong_signal * crowding
        self._tables: list[PairTable] = []
        self.held: list[Choice] = []
        self.measurements: list[Measurement] = []
        self.scores: list[int] = []
        self.fitted = independent_tree(survey.chains, survey.one_ways)
        if survey.zeros:
            self._refit()

    def first(self) -> bool:
        """Measures the pairs that gain most and fits a tree, or the one-ways again if that gains more.

        Returns:
          Whether pairs are worth measuring, as far as this round can tell.
        """
        settings, survey = self.settings, self.survey
        if not self.phases.tables[0]:
            return True
        dependence = self._score(0)
        if self.better_on_one_ways(dependence):
            self.measure_one_ways_again(self.phases.unscored)
            return False
        plan = self._plan(
            dependence,
            self.phases.tables[0],
            most=ceil(settings.tree_pairs * len(survey.chains)),
            weights=survey.pair_weights,
        )
        cap = settings.tree_cells
        self.held = within_tree(survey, self._with_needed(plan.choices, all_of_them=False), [], cap=cap, coarsen=True)
        if not self.held:
            self.phases = replace(self.phases, tables=(0.0, sum(self.phases.tables)))
            return True
        self.measure(0, self.held, plan.sigma)
        self._refit()
        return True

    def second(self) -> None:
        """Measures every pair still worth it, and the tree takes those it can hold; without one, the one-ways again."""
        survey = self.survey
        if self.phases.scores[1]:
            plan = self._plan(
                self._score(1), self.phases.tables[1], most=len(survey.pairs), weights=survey.pair_weights
            )
            choices, sigma = self._with_needed(plan.choices, all_of_them=True), plan.sigma
        else:
            choices = tuple(self._readable(tables=len(survey.pairs)))
            sigma = survey.unit * sqrt(len(choices) / self.phases.tables[1])
        if not choices:
            self.measure_one_ways_again(self.phases.tables[1])
            return
        self.measure(1, choices, sigma)
        self.held = self._held(choices)
        self._refit()

    @property
    def one_ways(self) -> OneWays:
        """One-way tables as far as they are known by now."""
        return self.survey.one_ways

    def targets(self, impossible: Sequence[ImpossiblePair]) -> tuple[PairTarget, ...]:
        """What every pair table of drawn rows should be."""
        found = pair_targets(self.survey.chains, self._expected(), self._tables, impossible=impossible)
        return raked_targets(found, self.survey.one_ways.masses) if self._raked else found

    def _expected(self) -> dict[Pair, FloatArray]:
        one_ways = self.survey.one_ways
        return tree_tables(self.fitted, one_ways.masses, one_ways.total, self.survey.pairs)

    def _readable(self, tables: int) -> list[Choice]:
        return self.survey.readable(
            sum(self.phases.tables),
            tables=tables,
            cap=self.settings.score_cap,
            share=self.settings.score_readable,
        )

    def _held(self, choices: Sequence[Choice]) -> list[Choice]:
        """What the tree holds: what estimates rest on, then what it held before, then the rest."""
        survey, settings = self.survey, self.settings
        needed = [table.choice for table in self._tables if table.choice[:2] in self._needed]
        first = within_tree(survey, list(dict.fromkeys(needed)), [], cap=self._study_cells, coarsen=False)
        cap = settings.tree_cells
        if first:
            cliques = [*(zero.nodes for zero in survey.zeros), *map(nodes_of, first)]
            cap += tree_cells(survey.chains, cliques, cap=self._study_cells) or 0
        held = [*first, *(choice for choice in self.held if choice not in first)]
        held = within_tree(survey, held, [], cap=cap, coarsen=False) if first else held
        rest = [choice for choice in choices if choice not in held]
        return held + within_tree(survey, rest, [nodes_of(choice) for choice in held], cap=cap, coarsen=False)

    @cached_property
    def _needed(self) -> dict[Pair, Choice]:
        """Pairs that a declared estimate rests on, at the finest levels that can be read.

        They are measured at these in both rounds, so that one tree can hold all of a study.
        """
        pairs = zip(self.survey.pairs, self.survey.needed, strict=True)
        needed = {pair for pair, is_needed in pairs if is_needed}
        if not needed or not self._study_cells:
            return {}
        readable = self._readable(max(len(needed), self.settings.score_tables))
        return {choice[:2]: choice for choice in readable if choice[:2] in needed}

    def _with_needed(self, choices: Sequence[Choice], *, all_of_them: bool) -> tuple[Choice, ...]:
        """Chosen pairs, those that estimates rest on at their own levels; or with all of those not measured yet."""
        chosen = tuple(self._needed.get(choice[:2], choice) for choice in choices)
        known = {table.choice for table in self._tables} | set(chosen)
        return chosen + tuple(each for each in self._needed.values() if all_of_them and each not in known)

    def _score(self, turn: int) -> FloatArray:
        """Dependence of every pair that the tree does not explain."""
        scores = score_pairs(
            self.survey,
            self._readable(self.settings.score_tables),
            self._expected(),
            self.phases.scores[turn],
            label=f"Pair scores, round {turn + 1}",
        )
        self.scores.append(scores.entry)
        return scores.dependence

    def _plan(self, dependence: FloatArray, mu2: float, *, most: int, weights: FloatArray | None = None) -> Plan:
        """Chooses by predicted gain, all pairs counting alike without weights."""
        return plan_pairs(
            self.survey.resolutions,
            self.survey.pairs,
            dependence,
            sigma_of_one=self.survey.unit / sqrt(mu2),
            noise_weight=self._noise_weight,
            most=most,
            weights=weights,
        )

    def better_on_one_ways(self, dependence: FloatArray) -> bool:
        """Whether all that is left would gain more on the one-ways, all pairs counting alike; from noisy values
        alone.
        """
        phases = self.phases
        plan = self._plan(dependence, sum(phases.tables), most=len(self.survey.pairs))
        factor = sqrt(phases.one_ways / (phases.one_ways + phases.unscored))
        return float(plan.gains.sum()) <= one_way_gain(self.survey, factor)

    def measure_one_ways_again(self, mu2: float) -> None:
        """Spends what pairs are not worth on the one-ways, and goes by these from then on."""
        survey = self.survey
        again = measure_one_ways(survey.records, survey.ledger, mu2=mu2, earlier=survey.one_ways)
        self.survey = replace(survey, one_ways=again)
        self._tables = [
            completed(table.choice, measured, again)
            for table, measured in zip(self._tables, self.measurements, strict=True)
        ]
        self.fitted = independent_tree(survey.chains, again)
        if self.held or survey.zeros:
            self._refit()

    def measure(self, turn: int, choices: Sequence[Choice], sigma: float) -> None:
        """Measures pairs; `sigma` is the common noise at which their costs are compared."""
        resolutions = self.survey.resolutions
        cost = resolutions.cost(MEAN_ABSOLUTE_NORMAL * sigma)
        weights = dict(zip(self.survey.pairs, self.survey.pair_weights.tolist(), strict=True))
        costs = [weights[choice[:2]] * float(cost[resolutions.segments(choice)]) for choice in choices]
        label = f"Pair tables, round {turn + 1}"
        found, tables = self.survey.measure(choices, costs, self.phases.tables[turn], label=label)
        self.measurements += found
        self._tables += tables

    def _refit(self) -> None:
        self.fitted = fit_tree(
            self.survey,
            [nodes_of(choice) for choice in self.held],
            self._tables,
            kappa=self._kappa,
            least_ridge=self._least_ridge,
            iterations=self._iterations,
            warm=self.fitted,
        )
