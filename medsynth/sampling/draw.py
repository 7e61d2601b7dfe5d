"""From a fitted model to rows: any number, under any condition, with rare conditions raised to a chosen share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec, invent_identifiers
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.errors import UsageError
from medsynth.models.base import Fitted, Part
from medsynth.progress import Progress
from medsynth.sampling.repair import draw_lawful, kept_conditions, ruled_out
from medsynth.sampling.strata import Stratum, allocate, natural_shares, row_weights, upsampling_strata
from medsynth.schema.table import WEIGHT_COLUMN

WEIGHT = WEIGHT_COLUMN
CHUNK = 1 << 18
"""Rows drawn at a time, public and the same everywhere: how many rows a machine holds changes no byte."""

MOST_ROWS = 100_000_000
"""Rows drawn into memory at once."""

MOST_WRITTEN = 100_000_000_000
"""Rows drawn into a file, chunk by chunk."""

TENTHS = 10
"""A table of more chunks tells of each tenth."""

KINDS = {
    "edited": "Rows lie closer to the model than independent draws of it would: they fit a shared file, but standard "
    "errors computed as if rows were independent are wrong.",
    "random": "Rows are independent draws of the model (inside each stratum, where a rare condition was raised).",
}
"""How rows are drawn, and what that means to those who use them."""


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
class Drawn:
    """How rows were drawn.

    Attributes:
      rows: How many.
      upsampled: One entry per upsampled condition.
      repaired: Share of the rows that broke a rule when first drawn and were drawn again.
      where: The condition they were drawn under, as text, or None.
      rare_shares: Share of the rows that has each rare condition of the schema.
      kind: One of `KINDS`.
    """

    rows: int
    upsampled: tuple[Upsampled, ...] = ()
    repaired: float = 0.0
    where: str | None = None
    rare_shares: Mapping[str, float] = field(default_factory=dict)
    kind: str = "edited"


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw(Drawn):
    """Sampled rows and how they were drawn.

    Attributes:
      frame: The rows; with upsampling a column `_weight` (mean 1) that restores the population.
    """

    frame: pd.DataFrame


def draw(
    fitted: Fitted,
    codec: Codec,
    n: int,
    rng: np.random.Generator,
    *,
    where: str | None = None,
    upsample: Mapping[str, float] | None = None,
    kind: str = "edited",
) -> Draw:
    """Samples rows into memory; see `Drawing`.

    Raises:
      UsageError: If n is negative or too large, a name or predicate is wrong, or what is asked for cannot occur.
    """
    require_rows(n)
    drawing = Drawing(fitted, codec, n, rng, where=where, upsample=upsample, kind=kind)
    frame = gathered(drawing)
    return Draw(frame=frame, **vars(drawing.summary))


class Drawing:
    """Rows of one draw, a chunk at a time: memory does not grow with their number.

    The chunks together are as close to the model as rows drawn at once: each makes up for what those before it miss.
    Without upsampling, draws of different length with equal seeds begin with the same whole chunks.

    Args:
      fitted: The model.
      codec: Of the model's schema.
      n: Rows, at least 0.
      rng: The same generator state gives the same bytes.
      where: A predicate every row shall satisfy.
      upsample: Rare condition name to wanted share in (0, 1).
      kind: One of `KINDS`.

    Raises:
      UsageError: If n is negative, a name or predicate is wrong, or what is asked for cannot occur.
    """

    def __init__(
        self,
        fitted: Fitted,
        codec: Codec,
        n: int,
        rng: np.random.Generator,
        *,
        where: str | None = None,
        upsample: Mapping[str, float] | None = None,
        kind: str = "edited",
    ) -> None:
        require_rows(n, most=MOST_WRITTEN)
        require_kind(kind)
        self._fitted, self._codec, self._n, self._rng, self._where, self._kind = fitted, codec, n, rng, where, kind
        given = condition_of(codec, where)
        self._targets = dict(upsample or {})
        self._natural: dict[str, float] = {}
        self._parts: tuple[Part, ...] = (Part(condition=given),)
        self._counts = np.array([n])
        if self._targets:
            conditions = rare_conditions(codec, self._targets)
            self._natural = natural_shares(fitted, conditions, given)
            self._parts, self._counts = _weighted(upsampling_strata(fitted, conditions, self._targets, given), n)
        self._rows = fitted.rows(self._parts, population=given, edited=kind == "edited", forbidden=ruled_out(codec))
        self._keep = kept_conditions(codec)
        self._repaired = 0
        self._rare = dict.fromkeys(codec.schema.rare_predicates, 0)

    @property
    def kind(self) -> str:
        """How rows are drawn, one of `KINDS`."""
        return self._kind

    @property
    def said(self) -> dict[str, Any]:
        """What a table says of how its rows were drawn."""
        return {"draw": self._kind, "draw_note": KINDS[self._kind]}

    @property
    def chunks(self) -> int:
        """Number of chunks; at least one."""
        return max(1, -(-self._n // CHUNK))

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Chunk after chunk; once only."""
        left, begun = self._counts.copy(), 0
        for _ in range(self.chunks):
            size = min(CHUNK, self._n - begun)
            counts = allocate(size, left / left.sum()) if size else left
            frame = self._identified(self._chunk(counts), begun)
            left, begun = left - counts, begun + size
            for name, rare in self._codec.schema.rare_predicates.items():
                self._rare[name] += int(rare.evaluate(frame, self._codec.schema).sum())
            yield frame

    def _chunk(self, counts: npt.NDArray[np.int64]) -> pd.DataFrame:
        drawn = self._rows.draw(counts.tolist(), self._rng)
        frames = []
        for part, codes in zip(self._parts, drawn, strict=True):
            rows = draw_lawful(
                self._fitted, self._codec, len(codes), self._rng, part.condition, keep=self._keep, codes=codes
            )
            self._repaired += rows.repaired
            frames.append(rows.frame)
        if not self._targets:
            return frames[0]
        frame = pd.concat(frames, ignore_index=True)
        frame[WEIGHT] = np.repeat([part.weight for part in self._parts], counts)
        return frame.iloc[self._rng.permutation(len(frame))].reset_index(drop=True)

    def _identified(self, frame: pd.DataFrame, begun: int) -> pd.DataFrame:
        """Identifiers run from 1 to n over all chunks, whatever was redrawn or shuffled."""
        for name, column in self._codec.schema.columns.items():
            if column.kind == "id":
                pattern = getattr(column, "format", None)
                frame[name] = invent_identifiers(pattern, len(frame), first=begun + 1)
        return frame

    @property
    def summary(self) -> Drawn:
        """What was drawn, once all chunks are."""
        n = max(self._n, 1)
        shares = {name: count / n for name, count in self._rare.items()}
        return Drawn(
            rows=self._n,
            upsampled=tuple(
                Upsampled(name=name, natural=self._natural[name], target=target, drawn=shares[name])
                for name, target in self._targets.items()
            ),
            repaired=self._repaired / n,
            where=self._where,
            rare_shares=shares,
            kind=self._kind,
        )


class Chunked(Protocol):
    """Frames of one table, one after the other."""

    @property
    def chunks(self) -> int: ...

    def __iter__(self) -> Iterator[pd.DataFrame]: ...


def reported(drawing: Chunked, progress: Progress) -> Iterator[pd.DataFrame]:
    """The chunks, with a word before each tenth of a large table."""
    tenths = [k * drawing.chunks // TENTHS for k in range(TENTHS)] if drawing.chunks > TENTHS else [0]
    frames = iter(drawing)
    for number in range(drawing.chunks):
        if number in tenths:
            tenth = f", part {tenths.index(number) + 1} of 10" if len(tenths) > 1 else ""
            progress.start(f"Drawing records{tenth}")
        yield next(frames)
    progress.finish()


def gathered(drawing: Chunked) -> pd.DataFrame:
    """All chunks as one frame."""
    frames = list(drawing)
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def generator(seed: int | None) -> np.random.Generator:
    """The generator of a user's seed, or a fresh one.

    Raises:
      UsageError: If the seed is negative.
    """
    if seed is not None and seed < 0:
        raise UsageError(f"--seed {seed}: must not be negative. Take a whole number such as 1.")
    return np.random.default_rng(seed)


def require_rows(n: int, *, most: int = MOST_ROWS) -> None:
    """Refuses a number of rows that cannot be drawn.

    Raises:
      UsageError: Saying what is allowed.
    """
    if n < 0:
        raise UsageError(f"-n {n}: the number of rows to draw must not be negative. Take a whole number such as 1000.")
    if n > most:
        raise UsageError(
            f"-n {n}: rows to draw must lie between 0 and {most:,}. "
            + ("`medsynth sample` writes more." if most == MOST_ROWS else "Draw several tables with different seeds.")
        )


def require_kind(kind: str) -> None:
    """Refuses an unknown way to draw.

    Raises:
      UsageError: Saying which are known.
    """
    if kind not in KINDS:
        raise UsageError(f"--draw {kind}: not one of {', '.join(KINDS)}. Take one of them.")


def condition_of(codec: Codec, where: str | None) -> Condition | None:
    """The compiled predicate that every row shall satisfy.

    Raises:
      UsageError: If it cannot be read, names what the schema has not, or cuts through a cell.
    """
    return None if where is None else compile_condition(codec.schema.predicate(where), codec)


def require_drawable(
    codec: Codec,
    n: int,
    *,
    seed: int | None,
    where: str | None,
    upsample: Mapping[str, float] | None,
    kind: str = "edited",
) -> None:
    """Refuses what public settings alone show to be impossible to draw, before a budget is spent on a model.

    Raises:
      UsageError: As `draw` does.
    """
    require_rows(n)
    require_kind(kind)
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


def _weighted(strata: tuple[Stratum, ...], n: int) -> tuple[tuple[Part, ...], npt.NDArray[np.int64]]:
    """Strata that get rows, with what each row stands for, and their numbers of rows."""
    counts = allocate(n, np.array([stratum.drawn for stratum in strata]))
    weights = row_weights(strata, counts)
    kept = [k for k, count in enumerate(counts) if count or not n]
    parts = [Part(condition=strata[k].condition, natural=strata[k].natural, weight=float(weights[k])) for k in kept]
    return tuple(parts), counts[kept]
