"""What a budget buys and what a fit costs, said before any row is read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from medsynth.encoding.bounding import bounding_of
from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import Domain
from medsynth.finding import DomainPlan, kept_for_thresholds
from medsynth.fitting import FitRequest, rare_targets
from medsynth.models import MODELS
from medsynth.models.base import RareTarget, Spending
from medsynth.models.levels import LARGE
from medsynth.models.one_ways import cell_noise
from medsynth.models.rare_groups import GRADES
from medsynth.models.rare_plan import COUNTS, INSIDE
from medsynth.privacy.guarantee import Guarantee
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.schema import Schema
from medsynth.schema.private import stand_in

SECONDS_PER_DRAW = 17e-6
"""Time of one exact discrete Gaussian draw, measured; whatever the noise."""
SECONDS_PER_VALUE = 3.7e-7
SECONDS_PER_TABLE = 6e-4
SECONDS_PER_NOISY_CELL = 32e-6
BASE_BYTES = 210 << 20
BYTES_PER_VALUE_READ = 38
BYTES_PER_VALUE_KEPT = 2
BYTES_PER_PAIR_CELL = 130
BYTES_PER_PERSON = 40
ROWS_READ_AT_ONCE = 1 << 18
WITHIN = 4.0
"""The forecast of processor time held within this factor for nine in ten of the fits it was measured on."""
SEEN_AT = 3.0
"""A group of so many standard deviations of the noise on a cell is told from nobody in nine fits of ten, where a
twentieth of all empty cells is taken for somebody (`docs/mathematics.md`, section 10).
"""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Processor time and memory of a fit from a file, from public facts: stated persons, columns, planned tables.

    Constants of a straight line through fits of four public tables (2,276 to 71,518 persons, 14 to 47 columns, epsilon
    0.1 to 10, three models) on two processors; held against new fits by `benchmarks/plan_forecast.py`. Nine fits in ten
    take between a quarter and four times the time: how much a model finds to fit is known only from the table, and two
    fits of one table differ too. Memory is right within a third. Mostly one processor works, so that time on the clock
    is about the same where nothing else runs. Many rows a person add to both figures.

    Attributes:
      seconds: Of processor time, without the start of Python.
      bytes: Largest memory of the process; `run`, which also evaluates, takes more.
    """

    seconds: float
    bytes: int

    @classmethod
    def of(cls, *, persons: int, columns: int, tables: int, cells: int, pair_cells: int = 0) -> "Forecast":
        """Forecasts a fit.

        Args:
          persons: As stated.
          columns: Modelled columns.
          tables: Planned noisy tables and scores.
          cells: Planned noisy numbers.
          pair_cells: Cells of the tables of all pairs that the model keeps.

        >>> Forecast.of(persons=50_000, columns=14, tables=304, cells=40_000).seconds
        1.7214
        """
        values = persons * columns
        seconds = SECONDS_PER_VALUE * values + SECONDS_PER_TABLE * tables + SECONDS_PER_NOISY_CELL * cells
        read = BYTES_PER_VALUE_READ * min(persons, ROWS_READ_AT_ONCE) * columns
        kept = BYTES_PER_VALUE_KEPT * values + BYTES_PER_PERSON * persons
        # Batches are gone by the time the pairs are held.
        return cls(seconds=round(seconds, 6), bytes=BASE_BYTES + kept + max(read, BYTES_PER_PAIR_CELL * pair_cells))


@dataclass(frozen=True, kw_only=True)
class RareOutlook:
    """What a fit can know of a rare condition, whatever its size turns out to be.

    Attributes:
      name: Of the schema.
      columns: Measured inside it, at most.
      count_noise: Standard deviation of the noise on its count.
      cell_noise: The same on a cell of a table inside it.
      smallest: Persons from which on it is of each grade.
    """

    name: str
    columns: int
    count_noise: float
    cell_noise: float
    smallest: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A forecast from public facts.

    Attributes:
      guarantee: What the fit will promise.
      columns: Modelled columns.
      cells: Finest cells over all columns; of private columns, of those that stand in for them.
      spending: How the budget is split, phase by phase: private domains first, then as the model does;
        noise in `counted`.
      counted: What a count of 1 is: the table's word for persons, or records where these count one by one.
      seen: The smallest group that a column's table shows, by column; of private columns, of those that stand in.
      smallest_category: Persons who must hold a private category, by a noisy count, for it to be found; None without.
      smallest_number: By private number or date: persons in one range of its public grid that stand out, about.
      private: Private columns.
      forecast: Time and memory of the fit.
      rare: What can be known of each declared rare condition; empty if the model measures none.
    """

    guarantee: Guarantee
    columns: int
    cells: int
    spending: tuple[Spending, ...]
    counted: str
    seen: Mapping[str, int]
    forecast: Forecast
    rare: tuple["RareOutlook", ...] = ()
    smallest_category: int | None = None
    smallest_number: Mapping[str, int] = field(default_factory=dict)
    private: tuple[str, ...] = ()

    @property
    def smallest_group(self) -> int:
        """The smallest group that every column's table shows."""
        return max(self.seen.values())

    @property
    def noise_seconds(self) -> float:
        """Seconds to draw the noise of all planned cells."""
        return SECONDS_PER_DRAW * sum(phase.cells for phase in self.spending)


def make_plan(request: FitRequest) -> Plan:
    """Forecasts a fit; reads no data.

    Args:
      request: Schema, model and budget.
    """
    schema, (epsilon, delta) = request.schema, request.budget
    persons = schema.privacy.persons
    kept = kept_for_thresholds(schema, delta)
    guarantee = Guarantee.of(epsilon, delta, unit=schema.privacy.noun, persons=persons, thresholds=kept)
    domains = _domains(schema, guarantee)
    share = schema.privacy.domain_share if domains.columns else 0.0
    codec = Codec(schema=stand_in(schema))
    domain, rare = codec.domain, rare_targets(codec)
    mu = guarantee.mu * math.sqrt(1 - share)
    phases = tuple(MODELS[request.model]().spending(domain, persons=persons, mu=mu, rare=rare))
    scaled = tuple(replace(phase, share=phase.share * (1 - share)) for phase in phases)
    l2 = bounding_of(schema.privacy).l2
    noise = cell_noise(domain, mu2=phases[0].share * mu**2, l2=l2)
    spending = (*((_searching(domains, share),) if share else ()), *scaled)
    return Plan(
        guarantee=guarantee,
        columns=len(domain),
        cells=sum(domain.sizes),
        spending=tuple(replace(phase, sigma=phase.sigma * l2 / UNITS_PER_PERSON) for phase in spending),
        counted="records" if l2 > UNITS_PER_PERSON else f"{schema.privacy.noun}s",
        seen={name: math.ceil(SEEN_AT * sigma) for name, sigma in noise.items()},
        smallest_category=domains.smallest_category,
        smallest_number=domains.smallest_number,
        private=domains.columns,
        rare=_outlooks(rare, spending, l2 / UNITS_PER_PERSON),
        forecast=Forecast.of(
            persons=persons,
            columns=len(domain),
            tables=sum(phase.tables for phase in spending),
            cells=sum(phase.cells for phase in spending),
            pair_cells=_pair_cells(domain, phases),
        ),
    )


def _outlooks(rare: Sequence[RareTarget], spending: Sequence[Spending], unit: float) -> tuple[RareOutlook, ...]:
    """From the noise that the model forecasts for as many columns as the largest condition has."""
    noise = {phase.label: unit * phase.sigma for phase in spending}
    if INSIDE not in noise:
        return ()
    most = max(1, *(len(target.columns) for target in rare))
    return tuple(
        RareOutlook(
            name=target.name,
            columns=len(target.columns),
            count_noise=noise[COUNTS],
            cell_noise=(cell := noise[INSIDE] * math.sqrt(len(target.columns) / most)),
            smallest={grade: math.ceil(cell / limit) for grade, limit in GRADES.items()},
        )
        for target in rare
    )


def _domains(schema: Schema, own: Guarantee) -> DomainPlan:
    """What finding the private columns will cost, in a budget made for the schema."""
    privacy, delta = schema.privacy, schema.delta_value
    limit = Guarantee.of(privacy.epsilon, delta, thresholds=kept_for_thresholds(schema, delta))
    failing = own.thresholds * min(1.0, (own.mu / limit.mu) ** 2)
    return DomainPlan.of(schema, mu2=privacy.domain_share * own.mu**2, delta=failing)


def _searching(domains: DomainPlan, share: float) -> Spending:
    return Spending(
        label="Private domains", share=share, tables=domains.tables, cells=domains.cells, sigma=domains.sigma
    )


def _pair_cells(domain: Domain, spending: Sequence[Spending]) -> int:
    """Cells of the pairs that the last phase may measure, at the finest levels that pairs enter."""
    pairs = [phase for phase in spending[1:] if phase.label not in {COUNTS, INSIDE}]
    if not pairs:
        return 0
    groups = sum(min(size, LARGE) for size in domain.sizes)
    return groups**2 * pairs[-1].tables // max(1, len(domain) * (len(domain) - 1))
