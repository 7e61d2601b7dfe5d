"""Rows that break a rule of the schema are set right: no sampled row breaks one.

Gently first: numbers are drawn again inside their cells, which changes nothing of what the model says; equalities are
computed (`settle.py`); what is left is replaced by fresh draws, a bounded number of times.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.encoding.domain import IntArray
from medsynth.encoding.possible import excluded
from medsynth.errors import UsageError
from medsynth.models.base import Fitted
from medsynth.sampling.settle import Settlement, settled, settlements
from medsynth.schema import Predicate

RowArray = npt.NDArray[np.intp]
INSIDE_ROUNDS = 10
ROUNDS = 25
KEEPING_ROUNDS = 8
FEWEST_FRESH = 256
MOST_KEPT = 62
"""Conditions that fit into the bits of one number."""
MOST_BOXES = 256
"""A rule of more boxes does not restrain the edit: it would be asked at every move. Its rows are repaired."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LawfulRows:
    """Decoded rows of which every one obeys the rules.

    Attributes:
      frame: The rows.
      repaired: How many of the first draw broke a rule in their cells, and were computed or replaced.
      redrawn: How many broke one inside their cells alone, where only numbers and dates were drawn again.
    """

    frame: pd.DataFrame
    repaired: int
    redrawn: int = 0


def lawful(frame: pd.DataFrame, codec: Codec, rules: Sequence[Predicate] | None = None) -> npt.NDArray[np.bool_]:
    """Which rows obey every rule, (n,) bool; by default the schema's."""
    obeys = np.ones(len(frame), dtype=bool)
    for rule in codec.schema.rule_predicates if rules is None else rules:
        obeys &= rule.evaluate(frame, codec.schema)
    return obeys


def kept_conditions(codec: Codec) -> tuple[Condition, ...]:
    """The schema's rare conditions, whose shares a repair shall not change."""
    return tuple(compile_condition(rare, codec) for rare in codec.schema.rare_predicates.values())


def ruled_out(codec: Codec, rules: Sequence[Predicate] | None = None) -> tuple[Condition, ...]:
    """What rules exclude, by default the schema's, as far as whole cells say it: no edit may go there."""
    rules = codec.schema.rule_predicates if rules is None else rules
    found = (condition for rule in rules for condition in excluded(rule, codec))
    return tuple(condition for condition in found if len(condition.boxes) <= MOST_BOXES)


def draw_lawful(
    fitted: Fitted,
    codec: Codec,
    n: int,
    rng: np.random.Generator,
    given: Condition | None = None,
    *,
    keep: Sequence[Condition] = (),
    codes: IntArray | None = None,
    rules: Sequence[Predicate] | None = None,
) -> LawfulRows:
    """Draws n rows; those that break a rule are drawn again inside their cells, computed, or replaced by fresh draws.

    A row inside some of the `keep` conditions is replaced by one inside the same ones, so that a
    repair changes none of their shares. What a bounded number of draws cannot replace so, any
    lawful draw replaces, and in the end rows already drawn.

    Args:
      fitted: The model.
      codec: Decodes, and knows the rules.
      n: Rows.
      rng: Source of randomness.
      given: Every row satisfies it.
      keep: Conditions whose shares no repair changes.
      codes: Rows (n, d) already drawn, to be repaired in place of a fresh draw.
      rules: What every row shall obey; None for the schema's rules.

    Raises:
      UsageError: If no drawn row obeys the rules.
    """
    codes = fitted.sample(n, rng, given) if codes is None else codes
    rules = codec.schema.rule_predicates if rules is None else rules
    ways = settlements(rules, codec)
    frame = codec.decode(codes, rng)
    first = np.flatnonzero(~lawful(frame, codec, rules))
    frame, broken = _redrawn_inside(frame, codes, first, codec, rules, rng)
    repaired = len(broken)
    frame, broken = _computed(frame, codes, broken, codec, rules, ways, given, keep[:MOST_KEPT])
    for conditions, rounds in ((keep[:MOST_KEPT], KEEPING_ROUNDS), ((), ROUNDS)):
        kinds = _kinds(codes, conditions)
        for number in range(rounds):
            if not len(broken):
                break
            size = min(max(n, FEWEST_FRESH), max(FEWEST_FRESH, len(broken) << (number + 1)))
            pool = fitted.sample(size, rng, given, edited=False)
            fresh, pool = settled(codec.decode(pool, rng), pool, ways, codec)
            sound = lawful(fresh, codec, rules) & _inside(pool, given)
            donors = _donors(kinds[broken], _kinds(pool, conditions), sound)
            found = donors >= 0
            frame = replaced(frame, broken[found], fresh.iloc[donors[found]])
            broken = broken[~found]
    frame = _from_sound(frame, broken, codec, rules, rng)
    return LawfulRows(frame=frame, repaired=repaired, redrawn=len(first) - repaired)


def _redrawn_inside(
    frame: pd.DataFrame,
    codes: IntArray,
    broken: RowArray,
    codec: Codec,
    rules: Sequence[Predicate],
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, RowArray]:
    """(the rows, with numbers and dates of broken ones drawn again inside their cells; those still broken)."""
    found: list[pd.DataFrame] = []
    mended: list[RowArray] = []
    for _ in range(INSIDE_ROUNDS if len(broken) else 0):
        again = codec.decode(codes[broken], rng)
        sound = lawful(again, codec, rules)
        if sound.any():
            found.append(again[sound])
            mended.append(broken[sound])
        broken = broken[~sound]
    if found:
        frame = replaced(frame, np.concatenate(mended), pd.concat(found, ignore_index=True))
    return frame, broken


def _computed(
    frame: pd.DataFrame,
    codes: IntArray,
    broken: RowArray,
    codec: Codec,
    rules: Sequence[Predicate],
    ways: Sequence[Settlement],
    given: Condition | None,
    keep: Sequence[Condition],
) -> tuple[pd.DataFrame, RowArray]:
    """(the rows, with equalities computed where that breaks nothing else; those still broken)."""
    if not ways or not len(broken):
        return frame, broken
    again, moved = settled(frame.iloc[broken], codes[broken], ways, codec)
    sound = lawful(again, codec, rules) & _inside(moved, given)
    sound &= _kinds(moved, keep) == _kinds(codes[broken], keep)
    return replaced(frame, broken[sound], again[sound]), broken[~sound]


def _inside(codes: IntArray, given: Condition | None) -> npt.NDArray[np.bool_]:
    return np.ones(len(codes), dtype=bool) if given is None else given.mask(codes)


def _kinds(codes: IntArray, conditions: Sequence[Condition]) -> npt.NDArray[np.int64]:
    """For each row, one number that says which of the conditions it satisfies."""
    kinds = np.zeros(len(codes), dtype=np.int64)
    for position, condition in enumerate(conditions):
        kinds |= condition.mask(codes).astype(np.int64) << position
    return kinds


def _donors(wanted: npt.NDArray[np.int64], offered: npt.NDArray[np.int64], sound: npt.NDArray[np.bool_]) -> RowArray:
    """For each broken row a sound fresh row of its kind, each given once; -1 where there is none."""
    donors = np.full(len(wanted), -1, dtype=np.intp)
    for kind in np.unique(wanted):
        rows, candidates = np.flatnonzero(wanted == kind), np.flatnonzero(sound & (offered == kind))
        matched = min(len(rows), len(candidates))
        donors[rows[:matched]] = candidates[:matched]
    return donors


def _from_sound(
    frame: pd.DataFrame, broken: RowArray, codec: Codec, rules: Sequence[Predicate], rng: np.random.Generator
) -> pd.DataFrame:
    """The frame with rows replaced by rows already drawn."""
    if not len(broken):
        return frame
    sound = np.flatnonzero(lawful(frame, codec, rules))
    if not len(sound):
        raise UsageError(
            "The rules of the schema and the condition asked for leave no record possible. "
            "Loosen the condition, or correct the rules."
        )
    return replaced(frame, broken, frame.iloc[rng.choice(sound, size=len(broken))])


def replaced(frame: pd.DataFrame, rows: RowArray, fresh: pd.DataFrame) -> pd.DataFrame:
    """The frame with some rows replaced, identifiers kept."""
    if not len(rows):
        return frame
    chosen = np.arange(len(frame))
    chosen[rows] = len(frame) + np.arange(len(rows))
    return pd.concat([frame, fresh], ignore_index=True).iloc[chosen].reset_index(drop=True)
