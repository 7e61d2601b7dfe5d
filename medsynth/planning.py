"""What a budget buys and what a fit costs, said before any row is read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from medsynth.encoding.bounding import bounding_of
from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import Domain
from medsynth.fitting import FitRequest
from medsynth.models import MODELS
from medsynth.models.levels import LARGE
from medsynth.models.one_ways import cell_noise
from medsynth.privacy.guarantee import Guarantee
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

if TYPE_CHECKING:
    from medsynth.models.base import Spending

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
class Plan:
    """A forecast from public facts.

    Attributes:
      guarantee: What the fit will promise.
      columns: Modelled columns.
      cells: Finest cells over all columns.
      spending: How the model splits the budget, phase by phase; noise in `counted`.
      counted: What a count of 1 is: the table's word for persons, or records where these count one by one.
      seen: The smallest group that a column's table shows, by column.
      forecast: Time and memory of the fit.
    """

    guarantee: Guarantee
    columns: int
    cells: int
    spending: tuple["Spending", ...]
    counted: str
    seen: Mapping[str, int]
    forecast: Forecast

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
    epsilon, delta = request.budget
    persons = request.schema.privacy.persons
    guarantee = Guarantee.of(epsilon, delta, unit=request.schema.privacy.noun, persons=persons)
    domain = Codec(schema=request.schema).domain
    l2 = bounding_of(request.schema.privacy).l2
    spending = tuple(MODELS[request.model]().spending(domain, persons=persons, mu=guarantee.mu))
    noise = cell_noise(domain, mu2=spending[0].share * guarantee.mu**2, l2=l2)
    return Plan(
        guarantee=guarantee,
        columns=len(domain),
        cells=sum(domain.sizes),
        spending=tuple(replace(phase, sigma=phase.sigma * l2 / UNITS_PER_PERSON) for phase in spending),
        counted="records" if l2 > UNITS_PER_PERSON else f"{request.schema.privacy.noun}s",
        seen={name: math.ceil(SEEN_AT * sigma) for name, sigma in noise.items()},
        forecast=Forecast.of(
            persons=persons,
            columns=len(domain),
            tables=sum(phase.tables for phase in spending),
            cells=sum(phase.cells for phase in spending),
            pair_cells=_pair_cells(domain, spending),
        ),
    )


def _pair_cells(domain: Domain, spending: Sequence["Spending"]) -> int:
    """Cells of the pairs that the last phase may measure, at the finest levels that pairs enter."""
    if len(spending) < 2:
        return 0
    groups = sum(min(size, LARGE) for size in domain.sizes)
    return groups**2 * spending[-1].tables // max(1, len(domain) * (len(domain) - 1))
