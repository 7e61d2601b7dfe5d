"""The flagship: selects, measures and estimates at noise-matched levels, then targets every pair.

Steps, in the order they happen (research recipe, steps 1 to 8):
    one-ways   measured and denoised            -> mass of every cell, total
    levels     nested, from that mass and rules -> chains, zeros
    round 1    noisy scores; chosen pairs that fit a tree, those that count more first and with less
               noise, measured, fitted; or, where pairs promise
               less than better one-ways, these again, and the rounds end
    round 2    scores against the tree, every pair still worth measuring, whether or not the tree
               can hold it; without one, the one-ways again
    refit      the tree takes what it can of round 2
    rare       declared rare conditions: counted, and columns measured inside them, which tilt the tree
               there
    targets    all pair tables: the tree's, corrected by every measured pair

Only the ledger sees rows. All that follows a measurement is a deterministic function of noisy
values and public facts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

from medsynth.encoding.domain import Attribute, Domain
from medsynth.encoding.records import Records
from medsynth.models.base import RareTarget, Spending
from medsynth.models.graphical import GraphicalModel
from medsynth.models.impossible import ImpossiblePair, impossible_pairs, separated
from medsynth.models.levels import nested_chain, public_blocks
from medsynth.models.one_ways import OneWays, measure_one_ways
from medsynth.models.phases import Phases
from medsynth.models.rare import RareSurvey
from medsynth.models.rare_plan import rare_spending
from medsynth.models.rounds import Rounds
from medsynth.models.selection import FloatArray
from medsynth.models.survey import Survey, zeros_within_tree
from medsynth.models.workload import require_weights
from medsynth.progress import Progress, Silent

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.privacy import Ledger


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """Select, measure, estimate, target.

    Every default is a constant of the measured recipe (step in brackets) unless said otherwise;
    none follows from rows.

    Attributes:
      one_way_share: Part of mu^2 for one-ways at `one_way_signal`; falls with
        signal^`one_way_power` [1].
      one_way_signal: Persons per one-way cell and noise at which that share holds [1].
      few_columns: And up to so many columns; with more of them the pairs outnumber what the budget
        can read, and one-ways need a larger part [part two, section B].
      one_way_power: [1].
      one_way_least: Least part for one-ways [1].
      one_way_most: Most part for one-ways [1].
      score_share: Part of mu^2 for scores, half in each round [3; recipe 0.08].
      score_tables: Scores compare at levels that this many tables could be read at [3].
      score_cap: Noise deviations a cell must stand out to be read [3].
      score_readable: Share of the persons that may fall below that [3].
      noise_most: Largest share of a table's noise that survives estimation [4].
      noise_signal: That share times the signal, where below `noise_most` [4; recipe 4.5, which errs
        3 % more on adult_discrete and 10 % more on nist_acs at epsilon 1].
      tree_pairs: Pairs of round 1 per column [5].
      first_round: Part of the pair budget for round 1 [5].
      tree_cells: Most cells of the junction tree [5, 7].
      study_cells: And so many where declared estimates need them, whose pairs enter first (not in the
        recipe: the two studies of diabetes130, over ten columns, need 1,000,000).
      study_mu: Budget, over the crowding, from which pairs of declared estimates are measured whatever their scores say
        and the tree may grow for them. On diabetes130 at epsilon 1, below it, all pairs erred 4 % more where they were.
      kappa: How much of a table's noise the fit forgives [7; recipe 0.003].
      least_ridge: And at least so many persons a cell (not in the recipe; 2 % less error at epsilon 10 on
        adult_discrete and nist_acs).
      iterations: Limit of a fit [7].
      strong_signal: Signal from which a fit may take three times as long [7]. From there on, times
        the crowding, measured pairs need no help of the one-ways: targets raked to these err 2 %
        less below and 2 % more above (adult_discrete), 3 to 15 % less (diabetes130).
      few_pairs: Up to this many pairs all are measured in one round, without scores (not in the
        recipe).
      few_kappa: `kappa` of that round; small tables settle ten times sooner at no loss (measured: 3
        to 4 columns of 2 to 5 cells, 100 to 10,000 persons, mu 0.5).
      rare_share: Part of mu^2 for rare conditions where some are declared [part two, section A].
      sweeps: How often the edit visits a row (measured here, `edit`).
    """

    one_way_share: float = 0.27
    one_way_signal: float = 18.0
    few_columns: int = 14
    one_way_power: float = 0.4
    one_way_least: float = 0.1
    one_way_most: float = 0.7
    score_share: float = 0.04
    score_tables: int = 30
    score_cap: float = 2.0
    score_readable: float = 0.35
    noise_most: float = 0.7
    noise_signal: float = 2.0
    tree_pairs: float = 1.2
    first_round: float = 0.4
    tree_cells: int = 200_000
    study_cells: int = 2_000_000
    study_mu: float = 0.12
    kappa: float = 0.002
    least_ridge: float = 0.5
    iterations: int = 200
    strong_signal: float = 45.0
    few_pairs: int = 6
    few_kappa: float = 0.1
    rare_share: float = 0.15
    sweeps: int = 2

    def fit(
        self,
        records: Records,
        ledger: "Ledger",
        *,
        persons: int,
        mu: float,
        progress: Progress | None = None,
        impossible: "Sequence[Condition]" = (),
        weights: FloatArray | None = None,
        rare: Sequence[RareTarget] = (),
    ) -> GraphicalModel:
        """Fits the model; see `Model`.

        Raises:
          ValueError: If a weight is not above 0; nothing is spent then.
        """
        progress = progress or Silent()
        domain = records.domain
        require_weights(weights)
        rare_mu2 = self._rare_mu2(mu, rare)
        mu = sqrt(mu**2 - rare_mu2)
        phases = self.phases(domain, persons, mu)
        progress.start("One-way tables")
        one_ways = measure_one_ways(records, ledger, mu2=phases.one_ways)
        forbidden = impossible_pairs(impossible, domain)
        survey = self._survey(records, ledger, one_ways, forbidden, weights)
        study_cells = self.study_cells if mu >= self.study_mu * self.crowding(domain) else 0
        signal = self.signal(domain, persons, mu)
        rounds = Rounds(self, survey, phases, signal=signal, study_cells=study_cells)
        if phases.tables[0]:
            progress.start("Pairs, round 1")
        if rounds.first() and phases.tables[1]:
            progress.start("Pairs, round 2")
            rounds.second()
        found = self._model(rounds, forbidden)
        if rare:
            progress.start("Rare conditions")
            conditions = RareSurvey(records, ledger, found, rare, rare_mu2)
            if conditions.unspent:
                rounds.measure_one_ways_again(conditions.unspent)
                found = self._model(rounds, forbidden)
            found = replace(found, rare=conditions.measured(found))
        progress.finish()
        return found

    def _model(self, rounds: Rounds, forbidden: Sequence[ImpossiblePair]) -> GraphicalModel:
        """The model as far as it is measured."""
        return GraphicalModel(
            domain=rounds.survey.records.domain,
            chains=rounds.survey.chains,
            one_ways=rounds.one_ways.shares,
            calibrated=rounds.fitted,
            total=rounds.one_ways.total,
            measurements=(*rounds.one_ways.published, *rounds.measurements),
            scores=tuple(rounds.scores),
            targets=rounds.targets(forbidden),
            sweeps=self.sweeps,
            model="adaptive",
            settings=asdict(self),
        )

    def _rare_mu2(self, mu: float, rare: Sequence[RareTarget]) -> float:
        return self.rare_share * mu**2 if rare else 0.0

    def _survey(
        self,
        records: Records,
        ledger: "Ledger",
        one_ways: OneWays,
        impossible: Sequence[ImpossiblePair],
        weights: FloatArray | None,
    ) -> Survey:
        """Levels from the one-ways, fit to express what is impossible."""
        chains = tuple(
            separated(nested_chain(attribute, mass), position, impossible)
            for position, (attribute, mass) in enumerate(zip(records.domain.attributes, one_ways.masses, strict=True))
        )
        return Survey(
            records=records,
            ledger=ledger,
            one_ways=one_ways,
            chains=chains,
            zeros=zeros_within_tree(chains, impossible, cap=self.tree_cells),
            weights=weights,
        )

    def signal(self, domain: Domain, persons: int, mu: float) -> float:
        """Stated persons per one-way cell, in units of the noise that the whole budget would buy (u
        of the recipe).
        """
        cells = sum(map(_counted_cells, domain.attributes))
        return mu * max(persons, 1) / max(cells, 1)

    def crowding(self, domain: Domain) -> float:
        """How much more signal a wide table needs, as its pairs share the budget."""
        return max(1.0, len(domain) / self.few_columns)

    def phases(self, domain: Domain, persons: int, mu: float) -> Phases:
        """Splits mu^2 from public facts; the parts sum to mu^2.

        Source: recipe, steps 1, 3, 5 and 6.
        """
        varied = sum(size > 1 for size in domain.sizes)
        pairs = varied * (varied - 1) // 2
        if not pairs:
            return Phases(one_ways=mu**2, scores=(0.0, 0.0), tables=(0.0, 0.0))
        needed = self.one_way_signal * self.crowding(domain)
        weakness = needed / self.signal(domain, persons, mu)
        share = self.one_way_share * weakness**self.one_way_power
        share = min(max(share, self.one_way_least), self.one_way_most)
        if pairs <= self.few_pairs:
            tables = (0.0, (1 - share) * mu**2)
            return Phases(one_ways=share * mu**2, scores=(0.0, 0.0), tables=tables)
        rest = 1 - share - self.score_share
        return Phases(
            one_ways=share * mu**2,
            scores=(self.score_share / 2 * mu**2,) * 2,
            tables=(self.first_round * rest * mu**2, (1 - self.first_round) * rest * mu**2),
        )

    def spending(
        self, domain: Domain, *, persons: int, mu: float, rare: Sequence[RareTarget] = ()
    ) -> tuple[Spending, ...]:
        """Forecasts the budget; see `Model`."""
        rare_mu2 = self._rare_mu2(mu, rare)
        rest = 1 - rare_mu2 / mu**2
        phases = self.phases(domain, persons, sqrt(mu**2 - rare_mu2)).spending(
            domain,
            persons=persons,
            tree_pairs=self.tree_pairs,
            readable=self.score_readable,
        )
        scaled = tuple(replace(phase, share=rest * phase.share) for phase in phases)
        return (*scaled, *rare_spending(domain, rare, mu2=rare_mu2, mu=mu)) if rare else phases


def _counted_cells(attribute: Attribute) -> int:
    """Cells of an attribute's one-way table, or twice its blocks where these carry it."""
    blocks = public_blocks(attribute)
    return attribute.size if blocks is None else min(attribute.size, 2 * blocks.size)
