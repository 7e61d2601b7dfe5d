"""Rows that break a rule of the schema are drawn again: no sampled row breaks one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.base import Fitted

RowArray = npt.NDArray[np.intp]
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
      repaired: How many of the first draw broke a rule and were replaced.
    """

    frame: pd.DataFrame
    repaired: int


def lawful(frame: pd.DataFrame, codec: Codec) -> npt.NDArray[np.bool_]:
    """Which rows obey every rule of the schema, (n,) bool."""
    obeys = np.ones(len(frame), dtype=bool)
    for rule in codec.schema.rule_predicates:
        obeys &= rule.evaluate(frame, codec.schema)
    return obeys


def kept_conditions(codec: Codec) -> tuple[Condition, ...]:
    """The schema's rare conditions, whose shares a repair shall not change."""
    return tuple(compile_condition(rare, codec) for rare in codec.schema.rare_predicates.values())


def ruled_out(codec: Codec) -> tuple[Condition, ...]:
    """What the schema's rules exclude, as far as whole cells say it: no edit may go there."""
    found = []
    for rule in codec.schema.rule_predicates:
        try:
            excluded = compile_condition(rule, codec).complement()
        except UsageError:
            continue
        if len(excluded.boxes) <= MOST_BOXES:
            found.append(excluded)
    return tuple(found)


def draw_lawful(
    fitted: Fitted,
    codec: Codec,
    n: int,
    rng: np.random.Generator,
    given: Condition | None = None,
    *,
    keep: Sequence[Condition] = (),
    codes: IntArray | None = None,
) -> LawfulRows:
    """Draws n rows and replaces those that break a rule by fresh draws of the same condition.

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

    Raises:
      UsageError: If no drawn row obeys the rules.
    """
    codes = fitted.sample(n, rng, given) if codes is None else codes
    frame = codec.decode(codes, rng)
    broken = np.flatnonzero(~lawful(frame, codec))
    repaired = len(broken)
    for conditions, rounds in ((keep[:MOST_KEPT], KEEPING_ROUNDS), ((), ROUNDS)):
        kinds = _kinds(codes, conditions)
        for number in range(rounds):
            if not len(broken):
                break
            size = min(max(n, FEWEST_FRESH), max(FEWEST_FRESH, len(broken) << (number + 1)))
            pool = fitted.sample(size, rng, given, edited=False)
            fresh = codec.decode(pool, rng)
            donors = _donors(kinds[broken], _kinds(pool, conditions), lawful(fresh, codec))
            found = donors >= 0
            frame = replaced(frame, broken[found], fresh.iloc[donors[found]])
            broken = broken[~found]
    return LawfulRows(frame=_from_sound(frame, broken, codec, rng), repaired=repaired)


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


def _from_sound(frame: pd.DataFrame, broken: RowArray, codec: Codec, rng: np.random.Generator) -> pd.DataFrame:
    """The frame with rows replaced by rows already drawn."""
    if not len(broken):
        return frame
    sound = np.flatnonzero(lawful(frame, codec))
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
