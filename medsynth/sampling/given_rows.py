"""Given records completed: what is given stays, what is empty is drawn from the model exactly given it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.base import Fitted
from medsynth.models.completion import Completion
from medsynth.models.graphical import GraphicalModel
from medsynth.sampling.draw import Drawn, require_rows
from medsynth.sampling.given_cells import BoolArray, Given, RowArray
from medsynth.sampling.repair import LawfulRows, lawful, replaced
from medsynth.schema.texts import listed, shown

CHUNK = 1 << 14
"""Records completed at a time, public and the same everywhere."""
ROUNDS = 40
MOST_TRIED = 1 << 16
"""A record that breaks a rule is drawn again in at most so many rounds, of at most so many draws for all of them."""

COMPLETED = "completed"
COMPLETED_NOTE = "Every record is drawn by itself from the model, exactly given the cells that were given."
GIVEN_NOTE = (
    "The cells of these columns that were given are those of the user's file, verbatim. They are not synthetic, and no "
    "privacy guarantee covers them."
)

Redraw = Callable[[RowArray, int], pd.DataFrame]
"""(rows, number of the round) to fresh draws of these rows."""


class GivenDrawing:
    """Completed records, a chunk at a time, in the order of the given ones.

    Args:
      fitted: The model.
      codec: Of the model's schema.
      given: The given cells.
      rng: The same generator state gives the same bytes.
      n: Records; a multiple of the given ones, which are gone through so many times. None completes each once.

    Raises:
      UsageError: If n is no such multiple, or, when drawn, given cells contradict each other, the model or a rule.
    """

    kind = COMPLETED

    def __init__(
        self, fitted: Fitted, codec: Codec, given: Given, rng: np.random.Generator, *, n: int | None = None
    ) -> None:
        self._n = len(given) if n is None else n
        require_rows(self._n)
        if not self._n or self._n % len(given):
            raise UsageError(
                f"-n {self._n}: with --given it must be a multiple of the number of records in the file, which are "
                "completed so many times over. Leave it out to complete each once."
            )
        self._completion, self._codec, self._given, self._rng = completion_of(fitted), codec, given, rng
        self._repaired = 0
        self._rare = dict.fromkeys(codec.schema.rare_predicates, 0)

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return -(-self._n // CHUNK)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Chunk after chunk; once only."""
        for begun in range(0, self._n, CHUNK):
            rows = self.records(begun, min(CHUNK, self._n - begun))
            frame = self._codec.finished(self._lawful(rows), first=begun + 1)
            for name, rare in self._codec.schema.rare_predicates.items():
                self._rare[name] += int(rare.evaluate(frame, self._codec.schema).sum())
            yield frame

    def records(self, begun: int, size: int) -> RowArray:
        """Which given record each of some output rows completes."""
        return np.arange(begun, begun + size) % len(self._given)

    def known(self, begun: int, size: int) -> BoolArray:
        """Which cells of some output rows were given, (size, attributes)."""
        return np.asarray(self._given.known[self.records(begun, size)])

    def _lawful(self, rows: RowArray) -> pd.DataFrame:
        known = self._given.known[rows]
        require_lawful_cells(self._decoded(self._given.codes[rows], rows), known, self._codec, "--given")
        found = obeying(
            self._drawn(rows),
            lambda some, _: self._drawn(rows[some]),
            self._codec,
            lambda some, broken: unlawful(some, known[broken], self._codec, "--given"),
        )
        self._repaired += found.repaired
        return found.frame

    def _drawn(self, rows: RowArray) -> pd.DataFrame:
        codes, known = self._given.codes[rows], self._given.known[rows]
        return self._decoded(completed_rows(self._completion, codes, known, self._rng, option="--given"), rows)

    def _decoded(self, codes: IntArray, rows: RowArray) -> pd.DataFrame:
        frame = self._codec.decode(codes, self._rng)
        self._given.put(frame, rows)
        return self._codec.finished(frame)

    @property
    def said(self) -> dict[str, Any]:
        """What a table says of how its rows were drawn."""
        return {
            "draw": COMPLETED,
            "draw_note": COMPLETED_NOTE,
            "given": list(self._given.columns),
            "given_note": GIVEN_NOTE,
        }

    @property
    def summary(self) -> Drawn:
        """What was drawn, once all chunks are."""
        return Drawn(
            rows=self._n,
            repaired=self._repaired / self._n,
            rare_shares={name: count / self._n for name, count in self._rare.items()},
            kind=COMPLETED,
        )


def completion_of(fitted: Fitted) -> Completion:
    """What completes rows of a model.

    Raises:
      UsageError: If the model is of a kind that cannot.
    """
    if not isinstance(fitted, GraphicalModel):
        raise UsageError(
            "--given, --set: this model cannot be conditioned record by record. Fit adaptive, mst or independent."
        )
    return Completion(model=fitted)


def by_pattern(known: BoolArray) -> Iterator[tuple[RowArray, tuple[int, ...]]]:
    """(rows, positions of their known attributes), for every pattern of known cells."""
    packed = np.packbits(known, axis=1)
    _, firsts, ids = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    for pattern, first in enumerate(firsts):
        yield np.flatnonzero(ids.ravel() == pattern), tuple(np.flatnonzero(known[first]).tolist())


def completed_rows(
    completion: Completion,
    codes: IntArray,
    known: BoolArray,
    rng: np.random.Generator,
    *,
    option: str,
    like: IntArray | None = None,
) -> IntArray:
    """Rows drawn given their known cells, or coupled to other rows.

    Args:
      completion: Draws.
      codes: (n, attributes), read in the known cells alone.
      known: (n, attributes) bool.
      rng: Source of randomness.
      option: For messages.
      like: Rows (n, attributes) to be coupled to.

    Raises:
      UsageError: Naming columns whose known cells cannot occur together.
    """
    drawn = np.empty_like(codes)
    for rows, positions in by_pattern(known):
        some = codes[rows]
        if like is None:
            drawn[rows] = completion.complete(some, positions, rng)
        else:
            drawn[rows] = completion.couple(like[rows], some, positions, rng)
        if (drawn[rows] < 0).any():
            raise _impossible(completion.conflict(some, positions), completion.model.domain.names, option)
    return drawn


def _impossible(positions: Sequence[int], names: Sequence[str], option: str) -> UsageError:
    columns = ", ".join(shown(names[position]) for position in positions)
    if len(positions) == 1:
        return UsageError(
            f"{option}: column {columns} has a value that the model gives no probability, so nothing can be drawn "
            "given it. Leave such cells empty."
        )
    return UsageError(
        f"{option}: columns {columns}: cells of some record cannot occur together in the model. "
        "Correct them, or leave one of them empty."
    )


def rule_columns(codec: Codec) -> list[frozenset[str]]:
    """Modelled columns that each rule rests on, those of derived columns included."""
    expressions, found = codec.schema.derived_expressions, []
    for rule in codec.schema.rule_predicates:
        columns = rule.columns
        while derived := columns & expressions.keys():
            columns = columns - derived | frozenset().union(*(expressions[name].columns for name in derived))
        found.append(columns)
    return found


def require_lawful_cells(frame: pd.DataFrame, known: BoolArray, codec: Codec, option: str) -> None:
    """Refuses known cells that break a rule whatever is drawn beside them; reads no others.

    Raises:
      UsageError: Naming the rule and its columns.
    """
    schema = codec.schema
    for text, rule, columns in zip(schema.rules, schema.rule_predicates, rule_columns(codec), strict=True):
        if not columns <= set(codec.domain.names):
            continue
        decided = known[:, [codec.domain.index(name) for name in sorted(columns)]].all(axis=1)
        if decided.any() and not rule.evaluate(frame, schema)[decided].all():
            raise UsageError(
                f"{option}: in some record the cells of {listed(sorted(columns))} break the rule '{text}'. "
                "Correct them, or leave one of them to be drawn."
            )


def obeying(
    frame: pd.DataFrame,
    redraw: Redraw,
    codec: Codec,
    refusal: Callable[[pd.DataFrame, RowArray], UsageError],
) -> LawfulRows:
    """Draws rows that break a rule again, each by itself, until it obeys; what is drawn first and obeys is taken.

    Args:
      frame: Rows.
      redraw: Draws some of them again.
      codec: Knows the rules.
      refusal: From draws that broke a rule, and whose they are, to an error.

    Raises:
      UsageError: If a row breaks a rule however often it is drawn.
    """
    broken = np.flatnonzero(~lawful(frame, codec))
    repaired, fresh = len(broken), frame.iloc[broken]
    for number in range(ROUNDS):
        if not len(broken):
            break
        tries = max(1, min(1 << number, MOST_TRIED // len(broken)))
        fresh = redraw(np.repeat(broken, tries), number)
        sound = lawful(fresh, codec).reshape(-1, tries)
        found = sound.any(axis=1)
        first = np.flatnonzero(found) * tries + sound.argmax(axis=1)[found]
        frame = replaced(frame, broken[found], fresh.iloc[first])
        broken, fresh = broken[~found], fresh.iloc[np.flatnonzero(~np.repeat(found, tries))[::tries]]
    if len(broken):
        raise refusal(fresh, broken)
    return LawfulRows(frame=frame, repaired=repaired)


def unlawful(frame: pd.DataFrame, known: BoolArray, codec: Codec, option: str) -> UsageError:
    """The refusal of records that break a rule however often they are drawn, naming the rule and what is known."""
    schema = codec.schema
    for text, rule, columns in zip(schema.rules, schema.rule_predicates, rule_columns(codec), strict=True):
        broken = ~rule.evaluate(frame, schema)
        if broken.any():
            fixed = known[int(np.argmax(broken))]
            named = [name for name, is_known in zip(codec.domain.names, fixed, strict=True) if is_known]
            held = sorted(columns & set(named)) or named
            return UsageError(
                f"{option}: given {listed(held)}, no draw of some record obeyed the rule '{text}'. "
                "Correct these cells, leave them to be drawn, or loosen the rule."
            )
    raise AssertionError("a refused record breaks a rule")
