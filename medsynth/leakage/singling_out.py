"""Singling out: do predicates learned on the released table hold for one real person alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.inference import sign_test
from medsynth.leakage.distance import FloatArray
from medsynth.leakage.game import Game, untold
from medsynth.leakage.predicates import Predicate, Range, Rows, Sorted
from medsynth.leakage.targets import FEWEST, choose_pairs, some_rows
from medsynth.leakage.values import MISSING, BoolArray, Values, values_of
from medsynth.score import Evaluation, Score

HIGHEST = float(np.finfo(np.float64).max)
TRIES = 4
"""Released rows looked at for every predicate wanted: many rows have a twin, and give none."""
DID = {
    "univariate": "picks a value that one released row alone has, or the ends of a column",
    "multivariate": "joins values of one released row until no other released row has them all",
}


@dataclass(frozen=True, kw_only=True)
class SinglingOut:
    """Predicates that match one released row, tried on train and on as many people of the holdout.

    A success is a predicate that exactly one person meets. Predicates that succeed on both sides, or on a person whom
    an earlier one had singled out, say nothing of memory; the others fall on either side alike if the table was made
    without the people attacked, so an exact sign test compares them.

    Attributes:
      most_targets: People on each side; all of the smaller table by default, since a person is only alone in a crowd.
      most_released: Released rows that predicates are learned on.
      attempts: Predicates tried, of one column and of several.

    Source: the two kinds of predicates, Giomi et al. (2023), doi:10.56553/popets-2023-0055.
    """

    most_targets: int = 100_000
    most_released: int = 100_000
    attempts: int = 2000
    names: ClassVar[tuple[str, ...]] = ("singling_out",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `leak.singling_out.{univariate,multivariate}.{excess,p}`."""
        members, strangers = choose_pairs(comparison, self.most_targets, rng)
        if len(members) < FEWEST or not len(comparison.synthetic):
            return Evaluation(scores=tuple(score for kind in DID for score in _unplayed(kind)))
        values = values_of(comparison)
        rows = some_rows(len(comparison.synthetic), self.most_released, rng)
        released = Sorted(values.tables["synthetic"][rows])
        real = Sorted(values.tables["train"][members])
        others = Sorted(values.tables["holdout"][strangers])
        learned: dict[str, Callable[[], Sequence[Predicate]]] = {
            "univariate": lambda: univariate(released.table, values.numeric, self.attempts, rng),
            "multivariate": lambda: multivariate(released, values.numeric, self.attempts, rng),
        }
        scores: list[Score] = []
        for kind, learn in learned.items():
            predicates = learn()
            blind = guessed(predicates, values, released.table, rng)
            scores += _played(kind, real.isolated(predicates), others.isolated(predicates), real.isolated(blind))
        return Evaluation(scores=tuple(scores))


def univariate(table: FloatArray, numeric: BoolArray, most: int, rng: np.random.Generator) -> list[Predicate]:
    """Values that one row alone holds, and the ends of numbers; at most so many, in random order."""
    found: list[Predicate] = []
    for place, column in enumerate(table.T):
        known = column[column > MISSING]
        if not len(known):
            continue
        single, counts = np.unique(known, return_counts=True)
        lone = single[counts == 1]
        lone = rng.permutation(lone)[:most]
        found += [[Range(place, value, value)] for value in map(float, lone)]
        if numeric[place]:
            found += [[Range(place, -HIGHEST, float(single[0]))], [Range(place, float(single[-1]), HIGHEST)]]
    return [found[one] for one in rng.permutation(len(found))[:most]]


def multivariate(released: Sorted, numeric: BoolArray, most: int, rng: np.random.Generator) -> list[Predicate]:
    """For random rows: random columns, one after the other, until no other row matches."""
    middle = np.median(released.table, axis=0)
    found: list[Predicate] = []
    for row in rng.permutation(len(released.table))[: TRIES * most]:
        predicate = _alone(released.table, int(row), numeric, middle, rng)
        if predicate:
            found.append(predicate)
        if len(found) == most:
            break
    return found


def _alone(
    table: FloatArray, row: int, numeric: BoolArray, middle: FloatArray, rng: np.random.Generator
) -> list[Range]:
    """A predicate that holds for this row only; empty where the row has a twin."""
    left: Rows = np.arange(len(table))
    predicate: list[Range] = []
    for place in map(int, rng.permutation(table.shape[1])):
        one = _range(place, float(table[row, place]), numeric=bool(numeric[place]), middle=float(middle[place]))
        cells = table[left, place]
        left = left[(cells >= one.low) & (cells <= one.high)]
        predicate.append(one)
        if len(left) == 1:
            return predicate
    return []


def _range(place: int, value: float, *, numeric: bool, middle: float) -> Range:
    """A listed value itself; of a number all that lies as far out or farther."""
    if not numeric or value == MISSING:
        return Range(place, value, value)
    return Range(place, value, HIGHEST) if value >= middle else Range(place, -HIGHEST, value)


def guessed(
    predicates: Sequence[Predicate], values: Values, table: FloatArray, rng: np.random.Generator
) -> list[Predicate]:
    """As many predicates over the same columns by someone who saw shares and ends of columns, and no record.

    Of several columns, every value is another row's; of one column, any value between its ends.
    """
    middle, lowest = np.median(table, axis=0), np.where(table > MISSING, table, np.inf).min(axis=0)
    ends = np.column_stack([lowest, table.max(axis=0)])

    def blind(one: Range, *, several: bool) -> Range:
        place = one.column
        value = float(table[rng.integers(len(table)), place])
        if not several and one.low == one.high:
            value = round(float(rng.uniform(*ends[place])), int(values.places[place]))
            return Range(place, value, value)
        return _range(place, value, numeric=bool(values.numeric[place]), middle=float(middle[place]))

    return [[blind(one, several=len(predicate) > 1) for one in predicate] for predicate in predicates]


def _played(kind: str, own: Rows, other: Rows, blind: Rows) -> tuple[Score, Score]:
    if not len(own):
        return _unplayed(kind)
    lone = (own >= 0) & (other < 0), (other >= 0) & (own < 0)
    return Game(
        name=f"singling_out.{kind}",
        members=int((own >= 0).sum()),
        strangers=int((other >= 0).sum()),
        trials=len(own),
        chance=float((blind >= 0).mean()),
        p=sign_test(len(np.unique(own[lone[0]])), len(np.unique(other[lone[1]]))),
        knew="the released rows",
        did=DID[kind],
        got="are met by one person alone",
    ).scores


def _unplayed(kind: str) -> tuple[Score, Score]:
    why = "Too few persons, or no released row that differs from all others: nobody was singled out."
    return untold(f"singling_out.{kind}", why)
