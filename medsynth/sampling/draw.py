"""From a fitted model to rows: any number, under any condition, with rare conditions raised to a chosen share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from medsynth.encoding.codec import Codec, invent_identifiers
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.errors import UsageError
from medsynth.models.base import Fitted
from medsynth.sampling.repair import draw_lawful
from medsynth.sampling.strata import Stratum, allocate, natural_shares, upsampling_strata

WEIGHT = "_weight"
MOST_ROWS = 100_000_000
"""Rows drawn at once; more are drawn as several tables with different seeds."""


@dataclass(frozen=True, kw_only=True)
class Upsampled:
    """What upsampling did to one condition.

    Attributes:
      name: The rare condition's name.
      natural: Its share of the model's population.
      target: The share asked for.
      drawn: Its share of the rows drawn.
    """

    name: str
    natural: float
    target: float
    drawn: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """Sampled rows and how they were drawn.

    Attributes:
      frame: The rows; with upsampling a column `_weight` (mean 1) that restores the population.
      upsampled: One entry per upsampled condition.
      repaired: Share of the rows that broke a rule when first drawn and were drawn again.
      where: The condition they were drawn under, as text, or None.
      rare_shares: Share of the rows that has each rare condition of the schema.
    """

    frame: pd.DataFrame
    upsampled: tuple[Upsampled, ...] = ()
    repaired: float = 0.0
    where: str | None = None
    rare_shares: Mapping[str, float] = field(default_factory=dict)


def draw(
    fitted: Fitted,
    codec: Codec,
    n: int,
    rng: np.random.Generator,
    *,
    where: str | None = None,
    upsample: Mapping[str, float] | None = None,
) -> Draw:
    """Samples rows.

    Args:
      fitted: The model.
      codec: Of the model's schema.
      n: Rows, at least 0.
      rng: The same generator state gives the same bytes.
      where: A predicate every row shall satisfy.
      upsample: Rare condition name to wanted share in (0, 1).

    Raises:
      UsageError: If n is negative, a name or predicate is wrong, or what is asked for cannot occur.
    """
    require_rows(n)
    given = condition_of(codec, where)
    targets = dict(upsample or {})
    if not targets:
        rows = draw_lawful(fitted, codec, n, rng, given, keep=kept_conditions(codec))
        frame = _identified(rows.frame, codec)
        shares = _rare_shares(frame, codec)
        return Draw(frame=frame, repaired=rows.repaired / max(n, 1), where=where, rare_shares=shares)
    conditions = rare_conditions(codec, targets)
    strata = upsampling_strata(fitted, conditions, targets, given)
    frame, repaired = _draw_strata(fitted, codec, n, rng, strata)
    natural = natural_shares(fitted, conditions, given)
    shares = _rare_shares(frame, codec)
    return Draw(
        frame=frame,
        upsampled=tuple(
            Upsampled(name=name, natural=natural[name], target=target, drawn=shares[name])
            for name, target in targets.items()
        ),
        repaired=repaired / max(n, 1),
        where=where,
        rare_shares=shares,
    )


def generator(seed: int | None) -> np.random.Generator:
    """The generator of a user's seed, or a fresh one.

    Raises:
      UsageError: If the seed is negative.
    """
    if seed is not None and seed < 0:
        raise UsageError(f"--seed {seed}: must not be negative. Take a whole number such as 1.")
    return np.random.default_rng(seed)


def require_rows(n: int) -> None:
    """Refuses a number of rows that cannot be drawn at once.

    Raises:
      UsageError: Saying what is allowed.
    """
    if not 0 <= n <= MOST_ROWS:
        raise UsageError(
            f"-n {n}: rows to draw must lie between 0 and {MOST_ROWS:,}. "
            "For more, draw several tables with different seeds."
        )


def condition_of(codec: Codec, where: str | None) -> Condition | None:
    """The compiled predicate that every row shall satisfy.

    Raises:
      UsageError: If it cannot be read, names what the schema has not, or cuts through a cell.
    """
    return None if where is None else compile_condition(codec.schema.predicate(where), codec)


def require_drawable(
    codec: Codec, n: int, *, seed: int | None, where: str | None, upsample: Mapping[str, float] | None
) -> None:
    """Refuses what public settings alone show to be impossible to draw, before a budget is spent on a model.

    Raises:
      UsageError: As `draw` does.
    """
    require_rows(n)
    generator(seed)
    condition_of(codec, where)
    rare_conditions(codec, upsample or {})


def rare_conditions(codec: Codec, targets: Mapping[str, float]) -> dict[str, Condition]:
    """Compiled rare conditions of the schema that are to be upsampled.

    Raises:
      UsageError: If a name is not in the schema or a share is outside (0, 1).
    """
    for name, share in targets.items():
        codec.schema.rare_condition(name)
        if not 0 < share < 1:
            raise UsageError(f"--upsample {name}:{share}: the share must lie between 0 and 1, as in {name}:0.3.")
    return {name: compile_condition(codec.schema.rare_predicates[name], codec) for name in targets}


def kept_conditions(codec: Codec) -> tuple[Condition, ...]:
    """The schema's rare conditions, whose shares a repair shall not change."""
    return tuple(compile_condition(rare, codec) for rare in codec.schema.rare_predicates.values())


def _draw_strata(
    fitted: Fitted, codec: Codec, n: int, rng: np.random.Generator, strata: tuple[Stratum, ...]
) -> tuple[pd.DataFrame, int]:
    counts = allocate(n, np.array([stratum.drawn for stratum in strata]))
    keep = kept_conditions(codec)
    # Rows of the natural draw were edited towards every pair table; a stratum that finds enough of them takes those.
    pool = fitted.sample(n, rng)
    parts, weights, repaired = [], [], 0
    for stratum, count in zip(strata, counts.tolist(), strict=True):
        inside = pool[stratum.condition.mask(pool)]
        codes = inside[rng.permutation(len(inside))[:count]] if len(inside) >= count else None
        rows = draw_lawful(fitted, codec, count, rng, stratum.condition, keep=keep, codes=codes)
        parts.append(rows.frame)
        weights.append(np.full(count, stratum.natural * n / max(count, 1)))
        repaired += rows.repaired
    frame = pd.concat(parts, ignore_index=True)
    weight = np.concatenate(weights)
    # A stratum too small for a row of its own leaves its share to the others.
    frame[WEIGHT] = weight * (n / weight.sum()) if n else weight
    order = rng.permutation(n)
    return _identified(frame.iloc[order].reset_index(drop=True), codec), repaired


def _rare_shares(frame: pd.DataFrame, codec: Codec) -> dict[str, float]:
    inside = {name: rare.evaluate(frame, codec.schema) for name, rare in codec.schema.rare_predicates.items()}
    return {name: float(rows.mean()) if len(frame) else 0.0 for name, rows in inside.items()}


def _identified(frame: pd.DataFrame, codec: Codec) -> pd.DataFrame:
    """Identifiers run from 1 to n whatever was redrawn or shuffled."""
    for name, column in codec.schema.columns.items():
        if column.kind == "id":
            frame[name] = invent_identifiers(getattr(column, "format", None), len(frame))
    return frame
