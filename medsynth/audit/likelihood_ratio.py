"""A score for releases, learned from some of them: the likelihood ratio of the two worlds.

Numbers are taken as Gaussian with a mean in each world and one variance, facts as present or absent, all as
independent given the world. Wrong assumptions cost the attack power; they cost its bounds nothing, because
thresholds are tested on releases that the score has not seen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
LEAST_SEEN = 8
"""Runs of each world in which a number must be present for its means to be compared."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scorer:
    """The learned likelihood ratio.

    Attributes:
      weights: Log-likelihood ratio per unit of each number.
      middles: Value of each number at which both worlds are as likely.
      present: Log-likelihood ratio of a fact that is present, less that of its absence.
      offset: Log-likelihood ratio of no fact at all.
      absent: Value of a number that is absent; None leaves it out.
    """

    weights: Mapping[str, float]
    middles: Mapping[str, float]
    present: Mapping[str, float]
    offset: float
    absent: float | None = None

    def score(self, numbers: Mapping[str, float], facts: frozenset[str]) -> float:
        """The log-likelihood ratio of one release; larger speaks for the person being in the table."""
        total = self.offset + math.fsum(self.present[fact] for fact in facts & self.present.keys())
        for name, weight in self.weights.items():
            value = numbers.get(name, self.absent)
            if value is not None and math.isfinite(value):
                total += weight * (value - self.middles[name])
        return total


Seen = Sequence[tuple[Mapping[str, float], frozenset[str]]]


def learn(without: Seen, within: Seen, *, absent: float | None = None) -> Scorer:
    """Learns the score from releases of both worlds.

    Differences of means are shrunk, those within chance to nothing; facts count whose rates differ by more than chance
    would make one of so many differ.

    Args:
      without: (numbers, facts) of releases without the person.
      within: The same with the person.
      absent: Value of a number that a release lacks; None leaves it out.

    Source: Neyman and Pearson (1933), doi:10.1098/rsta.1933.0009 (the ratio); James and Stein (1961), in the form of
      each number by itself (shrinkage); Donoho and Johnstone (1994), doi:10.1093/biomet/81.3.425 (facts: the square of
      a difference exceeds 2 log of their number).
    """
    names = sorted({name for numbers, _ in (*without, *within) for name in numbers})
    facts = sorted({fact for _, found in (*without, *within) for fact in found})
    least = 2 * math.log(max(2, len(names) + len(facts)))
    weights, middles = {}, {}
    for name in names:
        columns = [_column(name, world, absent) for world in (without, within)]
        if min(map(len, columns)) >= min(LEAST_SEEN, len(without)):
            weight = _weight(*columns)
            if weight:
                weights[name], middles[name] = weight, float(columns[0].mean() + columns[1].mean()) / 2
    present, offset = _facts(facts, without, within, least)
    return Scorer(weights=weights, middles=middles, present=present, offset=offset, absent=absent)


def _column(name: str, world: Seen, absent: float | None) -> FloatArray:
    found = [numbers.get(name, absent) for numbers, _ in world]
    return np.array([value for value in found if value is not None and math.isfinite(value)], dtype=np.float64)


def _weight(without: FloatArray, within: FloatArray) -> float:
    """Difference of the means over the variance, shrunk by what chance alone adds to its square."""
    difference = float(within.mean() - without.mean())
    variance = float(((len(without) * without.var()) + (len(within) * within.var())) / (len(without) + len(within)))
    if abs(difference) <= 1e-9 * (1 + abs(float(without.mean()))):
        return 0.0
    # Two constants that differ tell the worlds apart by themselves.
    variance = max(variance, (1e-3 * difference) ** 2)
    square = difference**2 / (variance * (1 / len(without) + 1 / len(within)))
    return difference / variance * max(0.0, 1 - 1 / square)


def _facts(facts: Sequence[str], without: Seen, within: Seen, least: float) -> tuple[dict[str, float], float]:
    present, offset = {}, 0.0
    for fact in facts:
        no, yes = ((sum(fact in found for _, found in world) + 0.5) / (len(world) + 1) for world in (without, within))
        pooled = (no + yes) / 2
        square = (yes - no) ** 2 / (pooled * (1 - pooled) * (1 / len(without) + 1 / len(within)))
        if square > least:
            base = math.log((1 - yes) / (1 - no))
            present[fact] = math.log(yes / no) - base
            offset += base
    return present, offset
