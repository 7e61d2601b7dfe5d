"""Rows that break a rule of the schema are drawn again: no sampled row breaks one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import EVERYTHING, Condition
from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.base import Fitted
from medsynth.sampling.strata import combination

RowArray = npt.NDArray[np.intp]
ROUNDS = 25
FEWEST_FRESH = 256


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


def draw_lawful(
    fitted: Fitted,
    codec: Codec,
    n: int,
    rng: np.random.Generator,
    given: Condition | None = None,
    *,
    keep: Sequence[Condition] = (),
) -> LawfulRows:
    """Draws n rows and replaces those that break a rule by fresh draws of the same condition.

    A row inside some of the `keep` conditions is replaced by one inside the same ones, so that a repair changes none of
    their shares. What cannot be replaced so is replaced by any lawful draw, and in the end by rows already drawn.

    Raises:
      UsageError: If no drawn row obeys the rules.
    """
    codes = fitted.sample(n, rng, given)
    frame = codec.decode(codes, rng)
    broken = np.flatnonzero(~lawful(frame, codec))
    if not len(broken):
        return LawfulRows(frame=frame, repaired=0)
    left = []
    for condition, rows in _parts(codes, broken, given, keep):
        frame, rest = _redrawn(frame, rows, fitted, codec, rng, condition)
        left.append(rest)
    frame, rest = _redrawn(frame, np.concatenate(left), fitted, codec, rng, given)
    return LawfulRows(frame=_from_sound(frame, rest, codec, rng), repaired=len(broken))


def _parts(
    codes: IntArray, broken: RowArray, given: Condition | None, keep: Sequence[Condition]
) -> Iterator[tuple[Condition | None, RowArray]]:
    """Broken rows by which of the conditions they satisfy, with that part of the population."""
    inside = np.array([condition.mask(codes[broken]) for condition in keep], dtype=bool).reshape(len(keep), -1).T
    patterns, which = np.unique(inside, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        try:
            part: Condition | None = combination(EVERYTHING if given is None else given, keep, pattern)
        except UsageError:  # too many boxes to condition on exactly
            part = given
        yield part, broken[which.reshape(-1) == number]


def _redrawn(
    frame: pd.DataFrame,
    broken: RowArray,
    fitted: Fitted,
    codec: Codec,
    rng: np.random.Generator,
    given: Condition | None,
) -> tuple[pd.DataFrame, RowArray]:
    """The frame with rows replaced by lawful draws, and the rows for which a bounded number of rounds found none."""
    for _ in range(ROUNDS):
        if not len(broken):
            break
        fresh = codec.decode(fitted.sample(max(FEWEST_FRESH, 2 * len(broken)), rng, given), rng)
        fresh = fresh[lawful(fresh, codec)].iloc[: len(broken)]
        frame = _replaced(frame, broken[: len(fresh)], fresh)
        broken = broken[len(fresh) :]
    return frame, broken


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
    return _replaced(frame, broken, frame.iloc[rng.choice(sound, size=len(broken))])


def _replaced(frame: pd.DataFrame, rows: RowArray, fresh: pd.DataFrame) -> pd.DataFrame:
    """The frame with some rows replaced, identifiers kept."""
    if not len(rows):
        return frame
    chosen = np.arange(len(frame))
    chosen[rows] = len(frame) + np.arange(len(rows))
    return pd.concat([frame, fresh], ignore_index=True).iloc[chosen].reset_index(drop=True)
