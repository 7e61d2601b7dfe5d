"""The first step of every marginal model: all one-way tables, denoised to one common total.

An unordered attribute of many cells with a public hierarchy is counted twice, by cell and by block
of its finest public level: the blocks carry what other columns depend on, at a fraction of the
noise that their cells would add up to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Attribute, Clique, Domain, Level
from medsynth.encoding.records import Records
from medsynth.models.base import Spending
from medsynth.models.denoising import denoise_one_ways
from medsynth.models.levels import public_blocks
from medsynth.models.marginals import weighted_total
from medsynth.models.pooling import CellCounts, GroupCounts, pool
from medsynth.models.selection import split_noise
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

if TYPE_CHECKING:
    from medsynth.privacy import Ledger, Measurement

FloatArray = npt.NDArray[np.float64]

FINE_COST = 0.4
"""Cost of a table of cells beside a table of its blocks, per block (measured on diabetes130 at
epsilon 1: 0.2 errs as much, 0.8 errs 2 % more).
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class OneWays:
    """One-way tables of every attribute.

    Attributes:
      measurements: The table of finest cells of every attribute, in order; one measured twice, as one.
      blocks: The table of public blocks, for attributes (by position) that have one.
      published: Every one-way table as it was measured.
      masses: Denoised persons per finest cell, per attribute; each sums to total.
      deviations: Noise of the cells that `masses` were made of, per attribute.
      total: Noisy number of persons, at least 1.
    """

    measurements: "tuple[Measurement, ...]"
    blocks: "Mapping[int, Measurement]" = field(default_factory=dict)
    published: "tuple[Measurement, ...]" = ()
    masses: tuple[FloatArray, ...]
    deviations: tuple[FloatArray, ...]
    total: float

    @property
    def shares(self) -> tuple[FloatArray, ...]:
        """Share of each finest cell, per attribute; each sums to 1."""
        return tuple(mass / mass.sum() for mass in self.masses)

    def sums(self, attribute: int, level: Level) -> FloatArray:
        """Denoised persons in each group of a level."""
        return np.asarray(np.bincount(level.groups, self.masses[attribute], level.size), dtype=np.float64)

    def variances(self, attribute: int, level: Level) -> FloatArray:
        """Variance of the noise of each group of a level, cell errors taken as independent."""
        return np.asarray(
            np.bincount(level.groups, self.deviations[attribute] ** 2, level.size),
            dtype=np.float64,
        )


def measure_one_ways(records: Records, ledger: "Ledger", *, mu2: float, earlier: OneWays | None = None) -> OneWays:
    """Spends mu2 on the one-way tables, more on those with more cells.

    Args:
      records: The private rows, for the ledger.
      ledger: Measures.
      mu2: Budget, the sum of (sensitivity / sigma)^2 over the tables.
      earlier: What was measured before, to be pooled with it.

    Source: recipe, step 1.
    """
    attributes = records.domain.attributes
    persons = records.l2 / UNITS_PER_PERSON
    blocks, cliques, costs = _design(records.domain)
    sigmas = persons * split_noise(costs, mu2)
    label = "One-way tables, again" if earlier else "One-way tables"
    measured = ledger.measure(records, cliques, sigmas.tolist(), label=label)
    tables = measured
    if earlier:
        known = (*earlier.measurements, *earlier.blocks.values())
        tables = [_pooled(*both) for both in zip(known, measured, strict=True)]
    own = tables[: len(attributes)]
    by_block = dict(zip(blocks, tables[len(attributes) :], strict=True))
    estimates = [_estimate(*each, by_block.get(k)) for k, each in enumerate(zip(attributes, own, strict=True))]
    total = weighted_total([m.noisy for m in tables], [m.sigma for m in tables])
    return OneWays(
        measurements=tuple(own),
        blocks=by_block,
        published=(*(earlier.published if earlier else ()), *measured),
        masses=denoise_one_ways(attributes, estimates, total=total),
        deviations=tuple(estimate.deviations for estimate in estimates),
        total=total,
    )


def _pooled(one: "Measurement", other: "Measurement") -> "Measurement":
    """Two measurements of a table as one, weighted by precision."""
    weight, rest = one.sigma**-2, other.sigma**-2
    noisy = (weight * one.noisy + rest * other.noisy) / (weight + rest)
    return replace(other, noisy=noisy, sigma=(weight + rest) ** -0.5)


def _estimate(attribute: Attribute, measured: "Measurement", block: "Measurement | None") -> CellCounts:
    """Counts of an attribute's cells from its tables."""
    sums = []
    if block is not None:
        (level,) = block.clique
        sums.append(GroupCounts(level=level, noisy=block.noisy, variance=block.sigma**2))
    return pool(measured.noisy, measured.sigma, sums, public_blocks(attribute))


def _design(domain: Domain) -> tuple[list[int], list[Clique], list[float]]:
    """(attributes with a block table, cliques: cells of all, then those blocks; their costs)."""
    found = {k: public_blocks(attribute) for k, attribute in enumerate(domain.attributes)}
    blocks = {k: level for k, level in found.items() if level is not None}
    cliques = [(Level.finest(attribute),) for attribute in domain.attributes]
    costs = [
        FINE_COST * blocks[k].size if k in blocks else float(attribute.size)
        for k, attribute in enumerate(domain.attributes)
    ]
    cliques += [(level,) for level in blocks.values()]
    costs += [float(level.size) for level in blocks.values()]
    return list(blocks), list(cliques), costs


def one_way_spending(domain: Domain, *, share: float, mu: float) -> Spending:
    """Forecasts the one-way tables for a share of mu^2."""
    _, cliques, costs = _design(domain)
    return Spending(
        label="One-way tables",
        share=share,
        tables=len(cliques),
        cells=sum(level.size for clique in cliques for level in clique),
        sigma=float(split_noise(costs, share * mu**2).max()),
    )
