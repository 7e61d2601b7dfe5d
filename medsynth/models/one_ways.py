"""The first step of every marginal model: all one-way tables, denoised to one common total."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Domain, Level
from medsynth.encoding.records import Records
from medsynth.models.base import Spending
from medsynth.models.denoising import denoise_one_way
from medsynth.models.marginals import weighted_total
from medsynth.models.selection import split_noise
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

if TYPE_CHECKING:
    from medsynth.privacy import Ledger, Measurement

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class OneWays:
    """One-way tables of every attribute.

    Attributes:
      measurements: As published.
      masses: Denoised persons per finest cell, per attribute; each sums to total.
      total: Noisy number of persons, at least 1.
    """

    measurements: "tuple[Measurement, ...]"
    masses: tuple[FloatArray, ...]
    total: float

    @property
    def shares(self) -> tuple[FloatArray, ...]:
        """Share of each finest cell, per attribute; each sums to 1."""
        return tuple(mass / mass.sum() for mass in self.masses)


def measure_one_ways(records: Records, ledger: "Ledger", *, mu2: float) -> OneWays:
    """Spends mu2 on the one-way tables, more on those with more cells.

    Args:
      records: The private rows, for the ledger.
      ledger: Measures.
      mu2: Budget, the sum of (sensitivity / sigma)^2 over the tables.

    Source: recipe, step 1.
    """
    attributes = records.domain.attributes
    persons = records.l2 / UNITS_PER_PERSON
    sigmas = persons * split_noise([attribute.size for attribute in attributes], mu2)
    cliques = [(Level.finest(attribute),) for attribute in attributes]
    measured = ledger.measure(records, cliques, sigmas.tolist(), label="One-way tables")
    total = weighted_total([m.noisy for m in measured], [m.sigma for m in measured])
    masses = tuple(
        denoise_one_way(m.noisy, m.sigma, attribute, total=total)
        for m, attribute in zip(measured, attributes, strict=True)
    )
    return OneWays(measurements=tuple(measured), masses=masses, total=total)


def one_way_spending(domain: Domain, *, share: float, mu: float) -> Spending:
    """Forecasts the one-way tables for a share of mu^2."""
    sigmas = split_noise(domain.sizes, share * mu**2)
    return Spending(
        label="One-way tables",
        share=share,
        tables=len(domain),
        cells=sum(domain.sizes),
        sigma=float(sigmas.max()),
    )
