"""Rows of a fitted model, chunk after chunk: strata drawn under evidence, then edited with weights and
strata kept.

Rows of a stratum are first edited towards what pair tables should be inside it. The stratum that
holds most of the population comes last and is edited towards what the weighted rows of all strata
together still miss. No move leaves a stratum.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.edit import Editor, Limits
from medsynth.models.given import masses_given
from medsynth.models.pieces import Piece, pieces_given, targets_together
from medsynth.models.tree_sampling import Deck

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.models.base import Part
    from medsynth.models.edit import PairTarget
    from medsynth.models.graphical import GraphicalModel
    from medsynth.models.tree_rows import TreeRows


FloatArray = npt.NDArray[np.float64]

SMALL = 10_000
"""Up to so many rows an edit has time for more sweeps, and rounding would lose rare levels."""

SMALL_SWEEPS = 6
"""Times that rows of a small table are edited: there more than two pay (`benchmarks/selection.py`)."""

MOST_WATCHED = 64
"""Boxes of a condition that every move is held against."""


class ModelRows:
    """Rows of a marginal model; see `Rows`.

    Args:
      model: The fitted model.
      parts: The strata; disjoint.
      edited: Whether rows are dealt and edited; if not, rows of a stratum are independent.
      population: The condition that all strata make up; None for everybody.
      forbidden: No edit moves a row into one of these.
    """

    def __init__(
        self,
        model: "GraphicalModel",
        parts: "Sequence[Part]",
        *,
        edited: bool = True,
        population: "Condition | None" = None,
        forbidden: "Sequence[Condition]" = (),
    ) -> None:
        self._parts = [_Stratum.of(model, part, edited=edited, forbidden=forbidden) for part in parts]
        pieces = [piece for stratum in self._parts for piece in stratum.pieces]
        self._balance = max(pieces, key=lambda piece: piece.natural)
        targets = targets_together(pieces_given(model, population)) if edited else ()
        self._together = self._balance.editor_to(targets)
        for part, stratum in zip(parts, self._parts, strict=True):
            for piece in stratum.pieces if edited else ():
                alone = piece is not self._balance or self._together is None
                # Among everybody a rare condition has too few rows for its own tables to be worth their time.
                if alone and not (part.condition is None and piece.piece.model.tilted):
                    piece.prepare()

    def draw(self, counts: Sequence[int], rng: np.random.Generator) -> list[IntArray]:
        """The next rows of each stratum."""
        small = sum(counts) <= SMALL
        drawn = [stratum.draw(n, rng, small=small) for stratum, n in zip(self._parts, counts, strict=True)]
        if self._together is not None:
            for stratum, rows in zip(self._parts, drawn, strict=True):
                for k, piece in enumerate(stratum.pieces):
                    if piece is not self._balance:
                        self._together.book(rows[k], stratum.weight)
            for stratum, rows in zip(self._parts, drawn, strict=True):
                for k, piece in enumerate(stratum.pieces):
                    if piece is self._balance:
                        rows[k] = piece.edited(self._together, rows[k], rng, weight=stratum.weight, small=small)
        return [shuffled(rows, rng) for rows in drawn]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Stratum:
    """One part: its pieces, whose rows are drawn each by its own tree.

    Attributes:
      pieces: Disjoint.
      shares: Of the pieces in the part.
      weight: What each row stands for.
      systematic: Whether pieces get their expected rows.
    """

    pieces: "list[_PieceRows]"
    shares: FloatArray
    weight: float
    systematic: bool

    @classmethod
    def of(cls, model: "GraphicalModel", part: "Part", *, edited: bool, forbidden: "Sequence[Condition]") -> "_Stratum":
        found = pieces_given(model, part.condition)
        total = sum(piece.share for piece in found)
        if not total > 0:
            raise UsageError(
                "The condition cannot occur in the fitted model: its probability is 0. Use a wider condition."
            )
        forbidden = unseen(model, forbidden)
        return cls(
            pieces=[
                _PieceRows.of(piece, part.natural * piece.share / total, edited=edited, forbidden=forbidden)
                for piece in found
            ],
            shares=np.array([piece.share / total for piece in found]),
            weight=part.weight,
            systematic=edited,
        )

    def draw(self, n: int, rng: np.random.Generator, *, small: bool) -> list[IntArray]:
        """Rows of each piece, edited where it has an editor."""
        counts = split(self.shares, n, rng, systematic=self.systematic)
        return [piece.draw(count, rng, small=small) for piece, count in zip(self.pieces, counts, strict=True)]


@dataclass(kw_only=True, eq=False)
class _PieceRows:
    """Part of a stratum, how its rows are drawn and what they should be.

    Attributes:
      piece: Its tree and condition.
      natural: Its share of the population.
      boxes: Draws the rows of each box of the condition.
      shares: Of the boxes.
      limits: Where no edit may lead.
      systematic: Whether boxes get their expected rows.
      editor: Brings the rows to the pair tables inside the condition.
    """

    piece: Piece
    natural: float
    boxes: "list[TreeRows]"
    shares: FloatArray
    limits: Limits
    systematic: bool
    editor: Editor | None = None

    @classmethod
    def of(cls, piece: Piece, natural: float, *, edited: bool, forbidden: "Sequence[Condition]") -> "_PieceRows":
        model, condition = piece.model, piece.condition
        shares = np.ones(1) if condition is None else model.box_shares(condition)
        boxes = [{}] if condition is None else [box for box, share in zip(condition, shares, strict=True) if share > 0]
        return cls(
            piece=piece,
            natural=natural,
            boxes=[model.tree_rows(box, systematic=edited) for box in boxes],
            shares=shares[shares > 0] / shares.sum(),
            limits=_limits(condition, forbidden),
            systematic=edited,
        )

    def prepare(self) -> None:
        """Finds what pair tables should be inside the condition."""
        self.editor = self.editor_to(targets_together([self.piece]))

    def editor_to(self, targets: "Sequence[PairTarget]") -> Editor | None:
        """Edits rows of the piece towards these targets."""
        if not targets:
            return None
        model = self.piece.model
        return Editor(targets, masses=masses_given(model, self.piece.condition), sweeps=model.sweeps)

    def draw(self, n: int, rng: np.random.Generator, *, small: bool) -> IntArray:
        """Rows in random order, edited if there is an editor."""
        if len(self.boxes) == 1:
            rows = self.boxes[0].draw(n, rng)
        else:
            counts = split(self.shares, n, rng, systematic=self.systematic)
            rows = shuffled([box.draw(count, rng) for box, count in zip(self.boxes, counts, strict=True)], rng)
        return rows if self.editor is None else self.edited(self.editor, rows, rng, small=small)

    def edited(
        self, editor: Editor, rows: IntArray, rng: np.random.Generator, *, weight: float = 1.0, small: bool
    ) -> IntArray:
        """Rows edited; those of a small table more often, and so that no group that one of them holds is lost."""
        if not small:
            return editor.edit(rows, rng, weight=weight, limits=self.limits)
        return editor.edit(rows, rng, weight=weight, limits=replace(self.limits, spare=True), sweeps=SMALL_SWEEPS)


def split(
    shares: Sequence[float] | FloatArray, n: int, rng: np.random.Generator, *, systematic: bool = True
) -> list[int]:
    """Rows of each of several parts: its expected number, rounded, or drawn row by row."""
    deck = Deck.of(np.asarray(shares, dtype=np.float64), np.zeros(len(shares), dtype=np.intp), 1)
    counts = deck.deal(np.array([n]), rng) if systematic else rng.multinomial(n, deck.shares)
    return [int(count) for count in counts]


def shuffled(parts: Sequence[IntArray], rng: np.random.Generator) -> IntArray:
    """All rows in random order; those of one part are in it already."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)[rng.permutation(sum(map(len, parts)))]


def _limits(condition: "Condition | None", forbidden: "Sequence[Condition]") -> Limits:
    """No move leaves the condition; one of many boxes is kept by keeping its columns."""
    if condition is None or len(condition.boxes) <= MOST_WATCHED:
        return Limits(within=condition, forbidden=forbidden)
    return Limits(frozen=condition.attributes, forbidden=forbidden)


def unseen(model: "GraphicalModel", forbidden: "Sequence[Condition]") -> "list[Condition]":
    """What is forbidden and no target says so."""
    seen = [{target.i, target.j} for target in model.targets if target.allowed is not None]
    return [each for each in forbidden if not any(each.attributes <= pair for pair in seen)]
