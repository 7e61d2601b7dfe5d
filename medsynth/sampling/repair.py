"""Rows that break a rule of the schema are drawn again: no sampled row breaks one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import Condition
from medsynth.errors import UsageError
from medsynth.models.base import Fitted

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
    fitted: Fitted, codec: Codec, n: int, rng: np.random.Generator, given: Condition | None = None
) -> LawfulRows:
    """Draws n rows and replaces those that break a rule by fresh draws of the same condition.

    After a bounded number of rounds, what is still broken is replaced by rows already drawn.

    Raises:
      UsageError: If no drawn row obeys the rules.
    """
    frame = codec.decode(fitted.sample(n, rng, given), rng)
    broken = np.flatnonzero(~lawful(frame, codec))
    repaired = len(broken)
    for _ in range(ROUNDS):
        if not len(broken):
            return LawfulRows(frame=frame, repaired=repaired)
        fresh = codec.decode(fitted.sample(max(FEWEST_FRESH, 2 * len(broken)), rng, given), rng)
        fresh = fresh[lawful(fresh, codec)].iloc[: len(broken)]
        frame = _replaced(frame, broken[: len(fresh)], fresh)
        broken = broken[len(fresh) :]
    sound = np.flatnonzero(lawful(frame, codec))
    if len(broken) and not len(sound):
        raise UsageError(
            "The rules of the schema and the condition asked for leave no record possible. "
            "Loosen the condition, or correct the rules."
        )
    return LawfulRows(
        frame=_replaced(frame, broken, frame.iloc[rng.choice(sound, size=len(broken))]) if len(broken) else frame,
        repaired=repaired,
    )


def _replaced(frame: pd.DataFrame, rows: npt.NDArray[np.int64], fresh: pd.DataFrame) -> pd.DataFrame:
    """The frame with some rows replaced, identifiers kept."""
    if not len(rows):
        return frame
    chosen = np.arange(len(frame))
    chosen[rows] = len(frame) + np.arange(len(rows))
    return pd.concat([frame, fresh], ignore_index=True).iloc[chosen].reset_index(drop=True)
