"""From a fitted model to rows: any number, under any condition, with rare conditions raised to a chosen share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec, invent_identifiers
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.models.base import Fitted, Part, Rows
from medsynth.sampling.how import (
    MOST_WRITTEN,
    How,
    asked_below_the_noise,
    below_the_noise,
    condition_of,
    held_rules,
    implied,
    rare_conditions,
    require_rows,
    unsupported,
)
from medsynth.sampling.repair import draw_lawful, kept_conditions, ruled_out
from medsynth.sampling.select import Selected, SelectedRows
from medsynth.sampling.strata import Stratum, allocate, natural_shares, row_weights, upsampling_strata
from medsynth.schema.table import WEIGHT_COLUMN

WEIGHT = WEIGHT_COLUMN
CHUNK = 1 << 18
"""Rows drawn at a time, public and the same everywhere: how many rows a machine holds changes no byte."""


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
    """What was drawn.

    Attributes:
      rows: How many.
      upsampled: One entry per upsampled condition.
      repaired: Share of the rows that broke a rule when first drawn and were computed or drawn again.
      redrawn: Share whose numbers or dates broke one inside their cells, and were drawn again there.
      clean: Whether `plausible` rules were held as rules.
      where: The condition they were drawn under, as text, or None.
      rare_shares: Share of the rows that has each rare condition of the schema.
      kind: One of `KINDS`.
      selected: What was selected from which pool, and what that did; None if rows are as drawn.
      unsupported: Conditions that were raised although the model knows too little of them: those records are fiction.
    """

    rows: int
    upsampled: tuple[Upsampled, ...] = ()
    repaired: float = 0.0
    redrawn: float = 0.0
    clean: bool = False
    where: str | None = None
    rare_shares: Mapping[str, float] = field(default_factory=dict)
    kind: str = "edited"
    selected: Selected | None = None
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw(Drawn):
    """Sampled rows and how they were drawn.

    Attributes:
      frame: The rows; with upsampling a column `_weight` (mean 1) that restores the population.
    """

    frame: pd.DataFrame


def draw(fitted: Fitted, codec: Codec, n: int, rng: np.random.Generator, **how: Any) -> Draw:
    """Samples rows into memory; see `Drawing`.

    Raises:
      UsageError: If n is negative or too large, a name or predicate is wrong, or what is asked for cannot occur.
    """
    require_rows(n)
    drawing = Drawing(fitted, codec, n, rng, **how)
    frame = gathered(drawing)
    return Draw(frame=frame, **vars(drawing.summary))


class Chunked(Protocol):
    """Frames of one table, one after the other."""

    @property
    def chunks(self) -> int:
        """How many."""
        ...

    def __iter__(self) -> Iterator[pd.DataFrame]: ...


def gathered(drawing: Chunked) -> pd.DataFrame:
    """All chunks as one frame."""
    frames = list(drawing)
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


class Drawing:
    """Rows of one draw, a chunk at a time: memory does not grow with their number.

    The chunks together are as close to the model as rows drawn at once: each makes up for what those before it miss.
    Without upsampling, draws of different length with equal seeds begin with the same whole chunks.

    Args:
      fitted: The model.
      codec: Of the model's schema.
      n: Rows, at least 0.
      rng: The same generator state gives the same bytes.
      how: Fields of `How`.

    Raises:
      UsageError: If n is negative, a name or predicate is wrong, or what is asked for cannot occur or is below the
        noise.
    """

    def __init__(self, fitted: Fitted, codec: Codec, n: int, rng: np.random.Generator, **how: Any) -> None:
        self.how = How(**how)
        require_rows(n, most=MOST_WRITTEN)
        self._fitted, self._codec, self._n, self._rng = fitted, codec, n, rng
        given = condition_of(codec, self.how.where)
        self._targets = dict(self.how.upsample or {})
        self.unsupported = unsupported(fitted, self._targets)
        if given is not None:
            self.unsupported += self._asked_in_vain(given)
        self._natural: dict[str, float] = {}
        self._parts: tuple[Part, ...] = (Part(condition=given),)
        self._counts = np.array([n])
        if self._targets:
            conditions = rare_conditions(codec, self._targets)
            if unsupported(fitted, self._targets) and not self.how.force:
                raise below_the_noise(self.unsupported)
            self._natural = natural_shares(fitted, conditions, given)
            self._parts, self._counts = _weighted(upsampling_strata(fitted, conditions, self._targets, given), n)
        self._rules = held_rules(codec, clean=self.how.clean)
        self._keep = kept_conditions(codec)
        self._size, self._rows = self._source(given)
        self._repaired = self._redrawn = 0
        self._rare = dict.fromkeys(codec.schema.rare_predicates, 0)

    def _asked_in_vain(self, given: Condition) -> tuple[str, ...]:
        """Rare conditions below the noise in which every record asked for lies; refused unless by force."""
        rare = self._codec.schema.rare_predicates
        below = [name for name in unsupported(self._fitted, rare) if name not in self._targets]
        found = tuple(name for name in below if implied(given, compile_condition(rare[name], self._codec)))
        if found and not self.how.force:
            raise asked_below_the_noise(found[0])
        return found

    def _source(self, given: Condition | None) -> tuple[int, Rows]:
        """How many rows a chunk has, and what draws them; a pool is no larger than a chunk otherwise is."""
        forbidden = ruled_out(self._codec, self._rules)
        plain: Any = {"population": given, "edited": self.how.kind == "edited", "forbidden": forbidden}
        select = self.how.select
        if select is None:
            return CHUNK, self._fitted.rows(self._parts, **plain)
        rare = dict(zip(self._codec.schema.rare_predicates, self._keep, strict=True))
        rows = SelectedRows(self._fitted, self._parts, rare=rare, selection=select, **plain)
        return max(1, CHUNK // select.oversample), rows

    @property
    def said(self) -> dict[str, Any]:
        """What a file says of how its rows were drawn."""
        said = self.how.said(self.unsupported)
        if self._targets:
            said["upsampled"] = {
                name: {"natural": self._natural[name], "target": target} for name, target in self._targets.items()
            }
            said["weights_note"] = "Column _weight restores the population's shares; use it in every estimate."
        if isinstance(self._rows, SelectedRows) and self._rows.rewarded:
            said["selection"]["reward"] = "Records were taken in proportion to the reward that the fit paid for."
        return said

    @property
    def chunks(self) -> int:
        """Number of chunks; at least one."""
        return max(1, -(-self._n // self._size))

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Chunk after chunk; once only."""
        left, begun = self._counts.copy(), 0
        for _ in range(self.chunks):
            size = min(self._size, self._n - begun)
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
                self._fitted,
                self._codec,
                len(codes),
                self._rng,
                part.condition,
                keep=self._keep,
                codes=codes,
                rules=self._rules,
            )
            self._repaired += rows.repaired
            self._redrawn += rows.redrawn
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
            redrawn=self._redrawn / n,
            clean=self.how.clean,
            where=self.how.where,
            rare_shares=shares,
            kind=self.how.kind,
            selected=self._rows.selected if isinstance(self._rows, SelectedRows) else None,
            unsupported=self.unsupported,
        )


def _weighted(strata: tuple[Stratum, ...], n: int) -> tuple[tuple[Part, ...], npt.NDArray[np.int64]]:
    """Strata that get rows, with what each row stands for, and their numbers of rows."""
    counts = allocate(n, np.array([stratum.drawn for stratum in strata]))
    weights = row_weights(strata, counts)
    kept = [k for k, count in enumerate(counts) if count or not n]
    parts = [Part(condition=strata[k].condition, natural=strata[k].natural, weight=float(weights[k])) for k in kept]
    return tuple(parts), counts[kept]
