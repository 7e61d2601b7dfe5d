"""What-if copies: every record a second time, some columns set, the others as like the first as the model allows.

The copy is coupled to its record (`models/completion.py`): a value stays wherever the model's distribution under the
set columns permits, and taken by themselves the copies are draws of that distribution. This compares groups of a
population; nothing here knows what causes what.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import IntArray
from medsynth.errors import InputError, UsageError
from medsynth.models.base import Fitted
from medsynth.sampling.draw import Drawing, Drawn
from medsynth.sampling.given_cells import BoolArray, Given, RowArray, put, read_given
from medsynth.sampling.given_rare import SET_FICTION, fictional, set_below_the_noise
from medsynth.sampling.given_rows import GivenDrawing, completed_rows, completion_of
from medsynth.sampling.given_rules import BOXED_ROUND, obeying, redraw_inside, require_lawful_cells, rules_of, unlawful
from medsynth.sampling.how import MOST_WRITTEN, How, require_rows
from medsynth.schema.table import REPLICATE_COLUMN
from medsynth.schema.texts import shown

COPY = "_copy"
PAIR = "_pair"
FACTUAL, WHAT_IF = "factual", "what-if"
COUPLED_ROUNDS = 4
"""A copy that breaks a rule is coupled anew in so many rounds, then drawn without regard to its record."""

WHAT_IF_NOTE = (
    "What-if, not a causal effect: in copies marked 'what-if' the named columns are set, and every other value follows "
    "the model given them, unchanged from its record wherever the model allows. This is how records that differ in "
    "these columns differ in the population, whatever the cause."
)


class WhatIf:
    """Records and their what-if copies, each copy right behind its record.

    Args:
      factual: Draws the records.
      fitted: Their model.
      codec: Of its schema.
      settings: Column to the value it is set to.
      rng: Source of randomness; may be that of the records.
      force: Make copies, too, that are set into a condition below the noise.

    Raises:
      UsageError: If a column is not modelled, a value outside its domain or sets copies into a condition below the
        noise, or, when drawn, the model or a rule excludes it.
    """

    def __init__(
        self,
        factual: Drawing | GivenDrawing,
        fitted: Fitted,
        codec: Codec,
        settings: Mapping[str, Any],
        rng: np.random.Generator,
        *,
        force: bool = False,
    ) -> None:
        self._factual, self._codec, self._rng = factual, codec, rng
        self._settings, self._set = dict(settings), _setting(settings, codec)
        self._completion = completion_of(fitted)
        self._rules, self._repaired = rules_of(codec), 0
        self._fiction = fictional(fitted, codec, *self._fixed())
        if self._fiction and not force:
            raise set_below_the_noise(self._fiction[0], option=self._option)

    def _fixed(self) -> tuple[IntArray, BoolArray]:
        """What is known of copies before a record is drawn: (codes, known), of one that stands for all without given
        cells.
        """
        if not isinstance(self._factual, GivenDrawing):
            return self._set.codes, self._set.known
        given, known = self._factual.given, self._set.known[0]
        return np.where(known, self._set.codes[0], given.codes).astype(np.int32), given.known | known

    @property
    def chunks(self) -> int:
        """Number of chunks."""
        return self._factual.chunks

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Chunk after chunk; once only."""
        begun = 0
        for frame in self._factual:
            yield _paired(frame, self._copies(frame, self._known(begun, len(frame))), begun)
            begun += len(frame)

    def _known(self, begun: int, size: int) -> BoolArray:
        """Which cells of the copies do not change: given ones, and those that are set."""
        known = np.zeros((size, len(self._codec.domain)), dtype=bool)
        if isinstance(self._factual, GivenDrawing):
            known |= self._factual.known(begun, size)
        return np.asarray(known | self._set.known[0])

    def _copies(self, frame: pd.DataFrame, known: BoolArray) -> pd.DataFrame:
        own = self._codec.encode(frame)
        codes = np.where(self._set.known[0], self._set.codes[0], own).astype(np.int32)

        def copied(rows: RowArray, number: int) -> pd.DataFrame:
            like = own[rows] if number < COUPLED_ROUNDS else None
            drawn = completed_rows(
                self._completion, codes[rows], known[rows], self._rng, option=self._option, like=like
            )
            if number == BOXED_ROUND:
                redraw_inside(self._rules, self._completion.model, drawn, known[rows], self._rng)
            return self._decoded(drawn, own[rows], frame.iloc[rows])

        require_lawful_cells(self._decoded(codes, own, frame), known, self._codec, self._option)
        found = obeying(
            copied(np.arange(len(frame)), 0),
            copied,
            self._codec,
            lambda some, broken: unlawful(some, known[broken], self._codec, self._option),
        )
        self._repaired += found.repaired
        for name in frame.columns:
            # Identifiers and weights are those of the record: a copy is no further person.
            if name not in self._codec.domain and name not in self._codec.schema.derived:
                found.frame[name] = frame[name]
        return found.frame

    def _decoded(self, drawn: IntArray, own: IntArray, frame: pd.DataFrame) -> pd.DataFrame:
        """The copies as a table; where a cell is that of the record, so is the value in it."""
        decoded = self._codec.decode_cells(drawn, self._rng)
        for position, name in enumerate(self._codec.domain.names):
            same = (drawn[:, position] == own[:, position]) & ~self._set.known[0, position]
            put(decoded, name, same, frame[name].array)
        self._set.put(decoded, np.zeros(len(decoded), dtype=np.intp))
        return self._codec.derived(decoded)

    @property
    def _option(self) -> str:
        return "--given, --set" if isinstance(self._factual, GivenDrawing) else "--set"

    @property
    def said(self) -> dict[str, Any]:
        """What a table says of how its rows were drawn."""
        values = {name: str(value) for name, value in self._settings.items()}
        said = self._factual.said
        fiction = [*said.get("fiction", ()), *(SET_FICTION.format(name=name) for name in self._fiction)]
        said |= {"fiction": fiction} if fiction else {}
        return said | {"what_if": values, "what_if_note": WHAT_IF_NOTE}

    @property
    def summary(self) -> Drawn:
        """What was drawn, once all chunks are; shares of rare conditions are those of the factual records."""
        drawn = self._factual.summary
        repaired = drawn.repaired * drawn.rows + self._repaired
        fiction = tuple(dict.fromkeys((*drawn.unsupported, *self._fiction)))
        return replace(drawn, rows=2 * drawn.rows, repaired=repaired / max(2 * drawn.rows, 1), unsupported=fiction)


def _setting(settings: Mapping[str, Any], codec: Codec) -> Given:
    """The values set, read as given cells of one record."""
    given = read_given(
        pd.DataFrame({name: [value] for name, value in settings.items()}, dtype=object), codec, option="--set"
    )
    empty = [name for name in settings if name not in given.columns]
    if empty:
        raise UsageError(
            f"--set: column {shown(empty[0])} is set to no value. Write one, as in {empty[0]}=VALUE, or (missing) "
            "if the column may be missing."
        )
    return given


def _paired(frame: pd.DataFrame, copies: pd.DataFrame, begun: int) -> pd.DataFrame:
    """Each record followed by its copy, with what tells them apart and together."""
    both = pd.concat([frame, copies[list(frame.columns)]], ignore_index=True)
    order = np.arange(len(both)).reshape(2, -1).T.ravel()
    both = both.iloc[order].reset_index(drop=True)
    both[COPY] = pd.Categorical.from_codes(np.arange(len(both)) % 2, dtype=pd.CategoricalDtype([FACTUAL, WHAT_IF]))
    both[PAIR] = begun + 1 + np.arange(len(both)) // 2
    return both


def require_factual(frame: pd.DataFrame, said: Mapping[str, Any] | None, name: str) -> None:
    """Refuses a table that holds what-if copies where its rows are to stand for a population.

    Args:
      frame: The table.
      said: What it says of its origin.
      name: Of the file.

    Raises:
      InputError: If it holds them, or says so and no longer tells which they are.
    """
    if REPLICATE_COLUMN in frame.columns or "replicates" in (said or {}):
        raise InputError(
            f"{name}: holds replicates, which are several tables. "
            f"Keep the rows whose {REPLICATE_COLUMN} is 0 in a file of their own, without that column, and give that."
        )
    told = COPY in frame.columns
    if (frame[COPY] == WHAT_IF).any() if told else "what_if" in (said or {}):
        raise InputError(
            f"{name}: holds what-if copies, which are no rows of the population. "
            f"Keep the rows whose {COPY} is '{FACTUAL}' in a file of their own, and give that."
        )


def drawing_of(
    fitted: Fitted,
    codec: Codec,
    rng: np.random.Generator,
    *,
    n: int | None = None,
    given: pd.DataFrame | None = None,
    settings: Mapping[str, Any] | None = None,
    most: int = MOST_WRITTEN,
    **how: Any,
) -> Drawing | GivenDrawing | WhatIf:
    """What a user asked to be drawn.

    Args:
      fitted: The model.
      codec: Of its schema.
      rng: The same generator state gives the same bytes.
      n: Records; by default as many as given, else as the stated persons.
      given: Records to be completed, see `GivenDrawing`.
      settings: Column to value, see `WhatIf`.
      most: Refuse more records.
      how: Fields of `How`; records that are completed are drawn one by one.

    Raises:
      UsageError: If these are wrong, or make no sense together.
    """
    How(**how)
    if given is not None:
        _refuse(BESIDE_GIVEN, how)
    if settings:
        _refuse(BESIDE_SET, how)
    factual: Drawing | GivenDrawing
    if given is not None:
        factual = GivenDrawing(fitted, codec, read_given(given, codec), rng, n=n, force=how.get("force", False))
    else:
        rows = codec.schema.privacy.persons if n is None else n
        require_rows(rows, most=most)
        factual = Drawing(fitted, codec, rows, rng, **how)
    return WhatIf(factual, fitted, codec, settings, rng, force=how.get("force", False)) if settings else factual


BESIDE_GIVEN = {
    "upsample": "--upsample: cannot be combined with --given, whose records are neither more nor fewer than the "
    "file's. Repeat records in the file.",
    "where": "--where: cannot be combined with --given. State what every record shall be as cells of the file.",
    "oversample": "--oversample: cannot be combined with --given, whose records are each drawn once. Leave it out.",
    "clean": "--clean: cannot be combined with --given, whose cells may be doubtful themselves. Leave it out.",
    "kind": "--draw edited: cannot be combined with --given, whose records are each drawn exactly given their cells, "
    "while an edit looks at all of them. Leave --draw out.",
}
"""What makes no sense for records that are completed; of kinds only the edited."""

BESIDE_SET = {
    "where": "--where: cannot be combined with --set, because copies need not satisfy it. "
    "Leave it out, and keep the pairs whose factual record satisfies it.",
    "clean": "--clean: cannot be combined with --set, whose copies may be doubtful by what is set. Leave it out.",
}
"""The same for what-if copies."""


def _refuse(beside: Mapping[str, str], how: Mapping[str, Any]) -> None:
    for name, message in beside.items():
        asked = how.get(name)
        if asked and (name != "kind" or asked == "edited"):
            raise UsageError(message)
