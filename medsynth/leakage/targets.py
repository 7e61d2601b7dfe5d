"""Who is attacked: one row per person, members from train and strangers from the holdout."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison, Part
from medsynth.inference import Groups, person_numbers

Rows = npt.NDArray[np.int64]
FEWEST = 100
"""With fewer members or non-members an attack says too little to be worth a figure."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """Row numbers of one game.

    Attributes:
      members: Rows of train, one per person.
      strangers: As many rows of the holdout, one per person.
      reference: Holdout rows of yet other persons: what the attacker knows of the population.
    """

    members: Rows
    strangers: Rows
    reference: Rows

    @property
    def enough(self) -> bool:
        """Whether the game can say anything."""
        return len(self.members) >= FEWEST and len(self.reference) >= FEWEST


def persons_of(comparison: Comparison, part: Part) -> Groups:
    """Number of each row's person; every row is a person where the table names none."""
    frame = comparison.frame(part)
    unit = comparison.schema.privacy.unit
    known = unit is not None and unit in frame
    return person_numbers(frame[unit].to_numpy() if known else None, len(frame))


def one_row_each(comparison: Comparison, part: Part, rng: np.random.Generator) -> Rows:
    """One random row of every person that the model could have seen, in random order."""
    rows = rng.permutation(np.flatnonzero(comparison.weights(part) > 0))
    _, first = np.unique(persons_of(comparison, part)[rows], return_index=True)
    chosen: Rows = rows[np.sort(first)]
    return chosen


def choose_pairs(comparison: Comparison, most: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """At most so many members and equally many strangers, one row per person."""
    members, strangers = (
        one_row_each(comparison, "train", rng),
        one_row_each(comparison, "holdout", rng),
    )
    size = min(most, len(members), len(strangers))
    return members[:size], strangers[:size]


def choose_targets(comparison: Comparison, most: int, rng: np.random.Generator) -> Targets:
    """Members, strangers and a reference: at least half of the holdout's persons."""
    members, others = (
        one_row_each(comparison, "train", rng),
        one_row_each(comparison, "holdout", rng),
    )
    size = min(most, len(members), len(others) // 2)
    return Targets(members=members[:size], strangers=others[:size], reference=others[size:])


def some_rows(rows: int, most: int, rng: np.random.Generator) -> Rows:
    """All rows, or a random choice of so many."""
    return np.arange(rows) if rows <= most else rng.choice(rows, size=most, replace=False)
