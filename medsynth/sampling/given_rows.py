"""Given records completed: what is given stays, what is empty is drawn from the model exactly given it."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.base import Fitted
from medsynth.models.completion import Completion
from medsynth.models.graphical import GraphicalModel
from medsynth.sampling.draw import Drawn
from medsynth.sampling.given_cells import BoolArray, Given, RowArray
from medsynth.sampling.given_rare import GIVEN_FICTION, fictional, given_below_the_noise
from medsynth.sampling.given_rules import BOXED_ROUND, obeying, redraw_inside, require_lawful_cells, rules_of, unlawful
from medsynth.sampling.how import require_rows
from medsynth.schema.texts import shown

CHUNK = 1 << 14
"""Records completed at a time, public and the same everywhere."""
COMPLETED = "completed"
COMPLETED_NOTE = "Every record is drawn by itself from the model, exactly given the cells that were given."
GIVEN_NOTE = (
    "The cells of these columns that were given are those of the user's file, verbatim. They are not synthetic, and no "
    "privacy guarantee covers them."
)


class GivenDrawing:
    """Completed records, a chunk at a time, in the order of the given ones.

    Args:
      fitted: The model.
      codec: Of the model's schema.
      given: The given cells.
      rng: The same generator state gives the same bytes.
      n: Records; a multiple of the given ones, which are gone through so many times. None completes each once.
      force: Complete records, too, whose cells put them into a condition below the noise.

    Raises:
      UsageError: If n is no such multiple, or given cells put a record into a condition below the noise, or, when
        drawn, contradict each other, the model or a rule.
    """

    kind = COMPLETED

    def __init__(
        self,
        fitted: Fitted,
        codec: Codec,
        given: Given,
        rng: np.random.Generator,
        *,
        n: int | None = None,
        force: bool = False,
    ) -> None:
        self._n = len(given) if n is None else n
        require_rows(self._n)
        if not self._n or self._n % len(given):
            raise UsageError(
                f"-n {self._n}: with --given it must be a multiple of the number of records in the file, which are "
                "completed so many times over. Leave it out to complete each once."
            )
        self._completion, self._codec, self.given, self._rng = completion_of(fitted), codec, given, rng
        self._fiction = fictional(fitted, codec, given.codes, given.known)
        if self._fiction and not force:
            raise given_below_the_noise(self._fiction[0])
        self._rules, self._repaired = rules_of(codec), 0
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
        return np.arange(begun, begun + size) % len(self.given)

    def known(self, begun: int, size: int) -> BoolArray:
        """Which cells of some output rows were given, (size, attributes)."""
        return np.asarray(self.given.known[self.records(begun, size)])

    def _lawful(self, rows: RowArray) -> pd.DataFrame:
        known = self.given.known[rows]
        require_lawful_cells(self._decoded(self.given.codes[rows], rows), known, self._codec, "--given")
        found = obeying(
            self._drawn(rows),
            lambda some, number: self._drawn(rows[some], boxed=number == BOXED_ROUND),
            self._codec,
            lambda some, broken: unlawful(some, known[broken], self._codec, "--given"),
        )
        self._repaired += found.repaired
        return found.frame

    def _drawn(self, rows: RowArray, *, boxed: bool = False) -> pd.DataFrame:
        codes, known = self.given.codes[rows], self.given.known[rows]
        drawn = completed_rows(self._completion, codes, known, self._rng, option="--given")
        if boxed:
            redraw_inside(self._rules, self._completion.model, drawn, known, self._rng)
        return self._decoded(drawn, rows)

    def _decoded(self, codes: IntArray, rows: RowArray) -> pd.DataFrame:
        frame = self._codec.decode_cells(codes, self._rng)
        self.given.put(frame, rows)
        return self._codec.derived(frame)

    @property
    def said(self) -> dict[str, Any]:
        """What a table says of how its rows were drawn."""
        return {
            "draw": COMPLETED,
            "draw_note": COMPLETED_NOTE,
            "given": list(self.given.columns),
            "given_note": GIVEN_NOTE,
        } | ({"fiction": [GIVEN_FICTION.format(name=name) for name in self._fiction]} if self._fiction else {})

    @property
    def summary(self) -> Drawn:
        """What was drawn, once all chunks are."""
        return Drawn(
            rows=self._n,
            repaired=self._repaired / self._n,
            rare_shares={name: count / self._n for name, count in self._rare.items()},
            kind=COMPLETED,
            unsupported=self._fiction,
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
    drawn = completion.complete(codes, known, rng) if like is None else completion.couple(like, codes, known, rng)
    if (drawn < 0).any():
        raise _impossible(completion.conflict(codes, known), completion.model.domain.names, option)
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
