"""The first step of every marginal model: the number of persons and what every column holds beyond it, denoised.

A table of one column is measured as interactions, because it need not tell the number of persons again: two cells
are known with 0.7 of the noise. An unordered attribute of many cells with a public hierarchy is counted twice, by
cell and by block of its finest public level: the blocks carry what other columns depend on, at a fraction of the
noise that their cells would add up to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Attribute, Clique, Domain, Level
from medsynth.encoding.records import Records
from medsynth.models.base import Spending
from medsynth.models.denoising import denoise_one_ways
from medsynth.models.levels import public_blocks
from medsynth.models.pooling import CellCounts, GroupCounts, pool
from medsynth.models.selection import split_noise
from medsynth.privacy.interactions import centred, interaction_sensitivity, shrinkage
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

if TYPE_CHECKING:
    from medsynth.privacy import Ledger, Measurement

FloatArray = npt.NDArray[np.float64]

FINE_COST = 0.4
"""Cost of a table of cells beside a table of its blocks, per block (measured on diabetes130 at
epsilon 1: 0.2 errs as much, 0.8 errs 2 % more).
"""

TOTAL_COST = 0.3
"""Cost of the number of persons beside that of a cell, per column (0.1 and 1 err as much on
adult_discrete and nist_acs at epsilon 0.1).
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class OneWays:
    """One-way tables of every attribute.

    Attributes:
      known: The number of persons and the interactions of every table, one measured twice as one.
      published: Each of them as it was measured.
      masses: Denoised persons per finest cell, per attribute; each sums to total.
      deviations: Noise of the cells that `masses` were made of, per attribute.
      total: Noisy number of persons, at least 1.
    """

    known: "tuple[Measurement, ...]"
    published: "tuple[Measurement, ...]"
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
    """Spends mu2 on the number of persons and the one-way tables, more on those with more cells.

    Args:
      records: The private rows, for the ledger.
      ledger: Measures.
      mu2: Budget, the sum of (sensitivity / sigma)^2 over the tables.
      earlier: What was measured before, to be pooled with it.

    Source: recipe, step 1; residual basis, `docs/mathematics.md`, section 8.
    """
    design = _design(records.domain)
    label = "One-way tables, again" if earlier else "One-way tables"
    sigmas = _sigmas(design, records.l2, mu2)
    measured = ledger.measure(
        records, [clique for clique, _ in design], sigmas.tolist(), label=label, interactions=True
    )
    known = [_pooled(*both) for both in zip(earlier.known, measured, strict=True)] if earlier else measured
    attributes = records.domain.attributes
    estimates = [_estimate(attribute, known) for attribute in attributes]
    total = max(1.0, float(known[0].noisy))
    return OneWays(
        known=tuple(known),
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


def _estimate(attribute: Attribute, known: "Sequence[Measurement]") -> CellCounts:
    """Counts of an attribute's cells from its tables; from the number of persons, if it has one cell."""
    whole, *tables = known
    own = [table for table in tables if table.clique[0].attribute == attribute.name]
    if not own:
        return CellCounts(counts=whole.noisy.reshape(1), deviations=np.full(1, whole.sigma))
    cells, *blocks = (_completed(table, whole) for table in own)
    return pool(cells.noisy, cells.variance**0.5, blocks, public_blocks(attribute))


def _completed(table: "Measurement", whole: "Measurement") -> GroupCounts:
    """Counts from interactions and the number of persons; the noise of the latter moves all cells alike and is left
    aside.
    """
    (level,) = table.clique
    noisy = centred(table.noisy) + float(whole.noisy) / level.size
    return GroupCounts(level=level, noisy=noisy, variance=(table.sigma * shrinkage((level.size,))) ** 2)


def _design(domain: Domain) -> list[tuple[Clique, float]]:
    """(table, what its noise costs): of no column, of the cells of all that vary, of the blocks of some."""
    varied = [attribute for attribute in domain.attributes if attribute.size > 1]
    cells: list[tuple[Clique, float]] = []
    blocks: list[tuple[Clique, float]] = []
    for attribute in varied:
        block = public_blocks(attribute)
        cells.append(((Level.finest(attribute),), FINE_COST * block.size if block else attribute.size))
        if block:
            blocks.append(((block,), block.size))
    return [((), TOTAL_COST * max(1, len(varied))), *cells, *blocks]


def _sigmas(design: Sequence[tuple[Clique, float]], l2: int, mu2: float) -> FloatArray:
    """Noise of each table for the budget, in persons."""
    shapes = [[level.size for level in clique] for clique, _ in design]
    costs = [cost * shrinkage(shape) for (_, cost), shape in zip(design, shapes, strict=True)]
    moved = np.array([interaction_sensitivity(l2, shape) for shape in shapes]) / UNITS_PER_PERSON
    return np.asarray(moved * split_noise(costs, mu2))


def cell_noise(domain: Domain, *, mu2: float, l2: int = UNITS_PER_PERSON) -> dict[str, float]:
    """Standard deviation of the noise on the count of one cell, in persons, by attribute.

    A cell is counted as its part of the number of persons and what it holds beyond that.

    Args:
      domain: The public domain.
      mu2: Budget of the one-way tables.
      l2: Sensitivity of one marginal in units.

    Source: `docs/mathematics.md`, section 10.
    """
    design = _design(domain)
    sigmas = _sigmas(design, l2, mu2)
    whole = float(sigmas[0])
    found = dict.fromkeys(domain.names, whole)
    for (clique, _), sigma in zip(design, sigmas, strict=True):
        if clique and clique[0].is_finest:
            size = clique[0].size
            found[clique[0].attribute] = float(np.hypot(shrinkage((size,)) * sigma, whole / size))
    return found


def one_way_spending(domain: Domain, *, share: float, mu: float) -> Spending:
    """Forecasts the one-way tables for a share of mu^2; sigma is that of the noisiest cells."""
    design = _design(domain)
    sigmas = _sigmas(design, UNITS_PER_PERSON, share * mu**2)
    return Spending(
        label="One-way tables",
        share=share,
        tables=len(design),
        cells=sum(level.size for clique, _ in design for level in clique) + 1,
        sigma=float(max(sigmas[1:], default=sigmas[0])),
    )
