"""Rules that no record can obey, found from public text alone: one by itself, a pair, the smallest set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from medsynth.encoding.categories import CategoryCells
from medsynth.encoding.cells import BoolArray
from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import EVERYTHING, Condition
from medsynth.encoding.numbers import NumberCells
from medsynth.encoding.possible import possible
from medsynth.errors import UsageError
from medsynth.schema import Predicate
from medsynth.schema import predicate as ast

MOST_HELD = 512
"""Boxes of many rules together; beyond, they are only held against each other column by column."""
MOST_ROUNDS = 50


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Rules that leave no record.

    Attributes:
      rules: Their names.
      sentence: What is wrong and what to do.
    """

    rules: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Conflicts:
    """What rules do to each other.

    Attributes:
      problems: Rules that leave no record.
      notices: What they leave, but probably was not meant.
    """

    problems: tuple[Problem, ...] = ()
    notices: tuple[str, ...] = ()


def find_conflicts(rules: Mapping[str, Predicate], codec: Codec, *, notices: bool = True) -> Conflicts:
    """Looks for rules that contradict each other over the public domain.

    What is found is certain. Rules over many columns may contradict each other in ways that are not found.

    Args:
      rules: By name.
      codec: Gives the cells of each column.
      notices: Whether to look for those too.
    """
    sets = {name: possible(rule, codec) for name, rule in rules.items()}
    never = [name for name, allowed in sets.items() if not allowed.boxes]
    others = [name for name in sets if name not in never]
    pairs = [(one, other) for one, other in combinations(others, 2) if apart(sets[one], sets[other])]
    groups: list[tuple[str, ...]] = [*((name,) for name in never), *pairs]
    if not groups and _contradict(list(sets.values())):
        groups = [_smallest(sets)]
    if groups:
        return Conflicts(
            problems=tuple(Problem(rules=" and ".join(group), sentence=_sentence(group)) for group in groups)
        )
    if not notices:
        return Conflicts()
    return Conflicts(notices=(*_unmet(rules, sets, codec), *_forced(list(sets.values()), codec)))


def _sentence(group: Sequence[str]) -> str:
    if len(group) == 1:
        return f"{group[0]}: no record can obey it. Correct the rule, or the values and bounds of its columns."
    named = f"{', '.join(group[:-1])} and {group[-1]}"
    every = "both" if len(group) == 2 else "all"
    return f"{named} contradict each other: no record can obey {every}. Correct one of them."


def apart(one: Condition, other: Condition) -> bool:
    """Whether two sets of records have none in common; where too many boxes are needed, nothing is said."""
    if not one.attributes & other.attributes:
        return False
    try:
        return not one.intersect(other).boxes
    except UsageError:
        return False


def _contradict(sets: Sequence[Condition]) -> bool:
    """Whether many sets of records have none in common, as far as it is told with a bounded number of boxes."""
    if _left(sets) is None:
        return True
    met = EVERYTHING
    for each in sorted(sets, key=lambda condition: len(condition.boxes)):
        if len(met.boxes) * len(each.boxes) > MOST_HELD:
            continue  # without it the others are a larger set: if that is empty, all the more
        met = met.intersect(each)
    return not met.boxes


def _smallest(sets: Mapping[str, Condition]) -> tuple[str, ...]:
    """Rules that contradict each other, of which none can be spared."""
    kept = dict(sets)
    for name in sets:
        others = [allowed for other, allowed in kept.items() if other != name]
        if _contradict(others):
            del kept[name]
    return tuple(kept)


def _left(sets: Sequence[Condition]) -> dict[int, BoolArray] | None:
    """For each column that rules speak of, the cells they leave; None if they leave no record.

    Box by box against what is left of each column, until nothing changes.
    """
    left: dict[int, BoolArray] = {}
    for _ in range(MOST_ROUNDS):
        before = {column: int(mask.sum()) for column, mask in left.items()}
        for condition in sets:
            alive = [box for box in condition if all((mask & left.get(k, mask)).any() for k, mask in box.items())]
            if not alive:
                return None
            for column in set.intersection(*(set(box) for box in alive)):
                mask = np.any([box[column] for box in alive], axis=0)
                left[column] = left[column] & mask if column in left else mask
        if before == {column: int(mask.sum()) for column, mask in left.items()}:
            break
    return left


def _unmet(rules: Mapping[str, Predicate], sets: Mapping[str, Condition], codec: Codec) -> list[str]:
    """Premises that two rules together forbid: `x implies y == 1` beside `x implies y == 2`."""
    found = []
    premises = {name: possible(rule.left, codec) for name, rule in rules.items() if isinstance(rule, ast.Implies)}
    met = {name: premise for name, premise in premises.items() if not apart(premise, sets[name])}
    for one, other in combinations(rules, 2):
        for name, second in ((one, other), (other, one)):
            if (
                name in met
                and not apart(met[name], sets[second])
                and _apart_together(met[name], sets[name], sets[second])
            ):
                found.append(f"{one} and {other} together leave no record where {rules[name].left}.")  # type: ignore[attr-defined]
                break
    return found


def _apart_together(premise: Condition, own: Condition, other: Condition) -> bool:
    try:
        return apart(premise.intersect(own), other)
    except UsageError:
        return False


def _forced(sets: Sequence[Condition], codec: Codec) -> list[str]:
    """Columns of which the rules leave one value."""
    found = []
    for column, mask in sorted((_left(sets) or {}).items()):
        value = _only_value(codec.cells[column], mask)
        if value is not None and len(mask) > 1:
            name = codec.domain.names[column]
            found.append(f"Rules leave column '{name}' one value, {value}: it tells nothing of a record.")
    return found


def _only_value(cells: object, mask: BoolArray) -> str | None:
    """The one value in the cells of a mask, in words; None where there are several."""
    places = np.flatnonzero(mask)
    if len(places) != 1 or not isinstance(cells, CategoryCells | NumberCells):
        return None
    place = int(places[0])
    if place >= cells.tail.first:
        return "missing" if cells.tail.missing()[place] else "another than listed"
    if isinstance(cells, CategoryCells):
        return repr(cells.values[place])
    low, high = cells.bounds(place)
    return low if low == high else None
