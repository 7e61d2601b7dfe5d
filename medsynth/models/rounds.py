"""The rounds of `adaptive`: score pairs, measure those chosen, fit the tree to all that was measured."""

from collections.abc import Sequence
from dataclasses import replace
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

if TYPE_CHECKING:
    from medsynth.models.adaptive import Adaptive
    from medsynth.privacy import Measurement

FloatArray = npt.NDArray[np.float64]


class Rounds:
    """Measured pairs and the tree fitted to them, growing round by round."""

    def __init__(self, settings: "Adaptive", survey: Survey, phases: Phases, *, signal: float) -> None:
        self.settings = settings
        self.survey = survey
        self.phases = phases
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
        self.held = within_tree(survey, plan.choices, [], cap=cap, coarsen=True)
        if not self.held:
            self.phases = replace(self.phases, tables=(0.0, sum(self.phases.tables)))
            return True
        self.measure(0, self.held, plan.sigma)
        self._refit()
        return True

    def second(self) -> None:
        """Measures every pair still worth it, and the tree takes those it can hold; without one, the one-ways again."""
        settings, survey = self.settings, self.survey
        if self.phases.scores[1]:
            plan = self._plan(
                self._score(1), self.phases.tables[1], most=len(survey.pairs), weights=survey.pair_weights
            )
            needed = self._needed(plan.choices)
            choices = (*needed, *(choice for choice in plan.choices if choice[:2] not in {each[:2] for each in needed}))
            sigma = plan.sigma
        else:
            choices = tuple(self._readable(tables=len(survey.pairs)))
            sigma = survey.unit * sqrt(len(choices) / self.phases.tables[1])
        if not choices:
            self.measure_one_ways_again(self.phases.tables[1])
            return
        self.measure(1, choices, sigma)
        self.held = within_tree(survey, self._in_order(choices), [], cap=settings.tree_cells, coarsen=False)
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

    def _in_order(self, choices: Sequence[Choice]) -> list[Choice]:
        """What the tree shall hold, the first first: what estimates rest on, what it holds already, the rest."""
        needed = {pair for pair, is_needed in zip(self.survey.pairs, self.survey.needed, strict=True) if is_needed}
        first = [table.choice for table in reversed(self._tables) if table.choice[:2] in needed]
        return list(dict.fromkeys([*first, *self.held, *choices]))

    def _needed(self, chosen: Sequence[Choice]) -> list[Choice]:
        """Pairs that a declared estimate rests on, none coarser than a table of so many can be read at."""
        planned = {choice[:2]: choice for choice in chosen}
        earlier = {table.choice[:2]: table.choice for table in self._tables}
        needed = [pair for pair, is_needed in zip(self.survey.pairs, self.survey.needed, strict=True) if is_needed]
        tables = len(planned.keys() | set(needed))
        found = []
        for readable in self._readable(tables) if needed else ():
            pair = readable[:2]
            if pair not in needed:
                continue
            known = earlier.get(pair, (*pair, -1, -1))
            if pair in planned or known[2] < readable[2] or known[3] < readable[3]:
                plan = planned.get(pair, readable)
                found.append((*pair, max(plan[2], readable[2]), max(plan[3], readable[3])))
        return found

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
