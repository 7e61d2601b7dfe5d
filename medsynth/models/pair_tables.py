"""Measured pairs: the budget buys what a pair holds beyond its margins, and the one-ways complete the table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Clique
from medsynth.encoding.records import Records
from medsynth.models.levels import Chain
from medsynth.models.one_ways import OneWays
from medsynth.models.selection import Choice, split_noise
from medsynth.privacy.interactions import centred, interaction_sensitivity, shrinkage
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

if TYPE_CHECKING:
    from medsynth.privacy import Ledger, Measurement

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PairTable:
    """A noisy pair table.

    Attributes:
      choice: The pair and the levels it was measured at.
      noisy: Counts plus noise in persons, shaped by the levels; margins as the one-ways have them.
      sigma: Standard deviation of the noise of a cell, in persons, that of the margins left aside.
    """

    choice: Choice
    noisy: FloatArray
    sigma: float


def measure_pairs(
    records: Records,
    ledger: "Ledger",
    chains: Sequence[Chain],
    one_ways: OneWays,
    choices: Sequence[Choice],
    costs: Sequence[float] | FloatArray,
    mu2: float,
    *,
    label: str,
) -> "tuple[list[Measurement], list[PairTable]]":
    """Spends mu2 on the interactions of pairs, more on those whose noise costs more.

    Args:
      records: The private rows, for the ledger.
      ledger: Measures.
      chains: Levels of each attribute.
      one_ways: Margins of the tables.
      choices: Pairs at levels.
      costs: What the noise of each costs, if all had the same.
      mu2: Budget.
      label: What is released, in words.
    """
    if not choices:
        return [], []
    cliques = [clique_of(chains, choice) for choice in choices]
    moved = np.array([interaction_sensitivity(records.l2, [level.size for level in clique]) for clique in cliques])
    sigmas = moved / UNITS_PER_PERSON * split_noise(costs, mu2)
    found = ledger.measure(records, cliques, sigmas.tolist(), label=label, interactions=True)
    return found, [completed(choice, each, one_ways) for choice, each in zip(choices, found, strict=True)]


def clique_of(chains: Sequence[Chain], choice: Choice) -> Clique:
    """The levels of a choice."""
    i, j, level_i, level_j = choice
    return chains[i].levels[level_i], chains[j].levels[level_j]


def completed(choice: Choice, measured: "Measurement", one_ways: OneWays) -> PairTable:
    """A pair table from its noisy interactions and the one-ways as its margins."""
    i, j = choice[:2]
    rows, columns = (one_ways.sums(k, level) for k, level in zip((i, j), measured.clique, strict=True))
    g, h = measured.noisy.shape
    margins = rows[:, None] / h + columns / g - one_ways.total / (g * h)
    return PairTable(
        choice=choice,
        noisy=centred(measured.noisy) + margins,
        sigma=measured.sigma * shrinkage((g, h)),
    )
