"""Linkability: can two views of a person, each with other columns, be linked through the released table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.encoding.domain import IntArray
from medsynth.inference import fisher_exact
from medsynth.leakage.distance import Distance
from medsynth.leakage.game import Game, untold
from medsynth.leakage.targets import FEWEST, choose_pairs, some_rows
from medsynth.leakage.values import BoolArray
from medsynth.schema.table import ROWS_COLUMN
from medsynth.score import Evaluation

Halves = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Linkability:
    """A person is linked if both halves of their columns have a released row among their nearest in common.

    The halves are the schema's known and its secret columns; with fewer than two of either, every other column.

    Attributes:
      most_targets: Members attacked, and as many strangers.
      most_released: Released rows searched.
      neighbours: Nearest rows looked at for each half.

    Source: the game, Giomi et al. (2023), doi:10.56553/popets-2023-0055.
    """

    most_targets: int = 2000
    most_released: int = 50_000
    neighbours: int = 5
    names: ClassVar[tuple[str, ...]] = ("linkability",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `leak.linkability.{excess,p}`."""
        members, strangers = choose_pairs(comparison, self.most_targets, rng)
        halves = halves_of(comparison)
        if len(members) < FEWEST or not len(comparison.synthetic) or not halves[0]:
            why = "Too few persons, no released rows or a single column: no views were linked."
            return Evaluation(scores=untold("linkability", why))
        released = comparison.codes("synthetic")[some_rows(len(comparison.synthetic), self.most_released, rng)]
        rows = np.concatenate([comparison.codes("train")[members], comparison.codes("holdout")[strangers]])
        linked = self._linked(comparison, rows, released, halves, rng)
        own, other = int(linked[: len(members)].sum()), int(linked[len(members) :].sum())
        game = Game(
            name="linkability",
            members=own,
            strangers=other,
            trials=len(members),
            chance=chance_of(min(self.neighbours, len(released)), len(released)),
            p=fisher_exact(own, len(members), other, len(members)),
            knew=f"the released rows, {_named(comparison, halves[0])} of one person and "
            f"{_named(comparison, halves[1])} of somebody who may be the same",
            did=f"looks for one released row among the {self.neighbours} nearest to both",
            got="find one",
        )
        return Evaluation(scores=game.scores)

    def _linked(
        self, comparison: Comparison, rows: IntArray, released: IntArray, halves: Halves, rng: np.random.Generator
    ) -> BoolArray:
        """Whether the nearest rows by either half meet."""
        found = [
            Distance(attributes=[comparison.domain.attributes[place] for place in half])
            .neighbours(rows[:, half], released[:, half], self.neighbours, rng)
            .rows
            for half in halves
        ]
        met: BoolArray = (found[0][:, :, None] == found[1][:, None, :]).any(axis=(1, 2))
        return met


def halves_of(comparison: Comparison) -> Halves:
    """Two disjoint sets of columns, by position."""
    domain, schema = comparison.domain, comparison.schema
    known, secret = (
        tuple(domain.index(name) for name in schema.with_attacker(role) if name in domain.names)
        for role in ("known", "secret")
    )
    if len(known) > 1 and len(secret) > 1:
        return known, secret
    places = [place for place, name in enumerate(domain.names) if name != ROWS_COLUMN]
    return tuple(places[1::2]), tuple(places[::2])


def chance_of(looked: int, rows: int) -> float:
    """Probability that two random choices of so many rows have one in common.

    >>> round(chance_of(1, 10), 6), chance_of(6, 10)
    (0.1, 1.0)
    """
    missed = 1.0
    for drawn in range(looked):
        missed *= max(0.0, (rows - looked - drawn) / (rows - drawn))
    return 1 - missed


def _named(comparison: Comparison, half: Sequence[int]) -> str:
    names = [comparison.domain.names[place] for place in half]
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more columns" if len(names) > 4 else ", ".join(names)
