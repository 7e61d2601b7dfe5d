"""What a budget buys, said before any row is read."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medsynth.encoding.codec import Codec
from medsynth.fitting import FitRequest
from medsynth.models import MODELS
from medsynth.privacy.guarantee import Guarantee

if TYPE_CHECKING:
    from medsynth.models.base import Spending

SECONDS_PER_CELL = 17e-6
"""Time of one exact discrete Gaussian draw, measured; whatever the noise."""
SEEN_AT = 3.0
"""A group is called visible when its count exceeds this many standard deviations of the noise on a cell."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A forecast from public facts.

    Attributes:
      guarantee: What the fit will promise.
      columns: Modelled columns.
      cells: Finest cells over all columns.
      spending: How the model splits the budget, phase by phase.
      smallest_group: Persons below which a cell of a one-way table is lost in its noise.
    """

    guarantee: Guarantee
    columns: int
    cells: int
    spending: tuple["Spending", ...]
    smallest_group: int

    @property
    def noise_seconds(self) -> float:
        """Seconds to draw the noise of all planned cells."""
        return SECONDS_PER_CELL * sum(phase.cells for phase in self.spending)


def make_plan(request: FitRequest) -> Plan:
    """Forecasts a fit; reads no data.

    Args:
      request: Schema, model and budget.
    """
    epsilon, delta = request.budget
    persons = request.schema.privacy.persons
    guarantee = Guarantee.of(epsilon, delta, unit=request.schema.privacy.noun, persons=persons)
    domain = Codec(schema=request.schema).domain
    spending = tuple(MODELS[request.model]().spending(domain, persons=persons, mu=guarantee.mu))
    return Plan(
        guarantee=guarantee,
        columns=len(domain),
        cells=sum(domain.sizes),
        spending=spending,
        smallest_group=math.ceil(SEEN_AT * spending[0].sigma),
    )
