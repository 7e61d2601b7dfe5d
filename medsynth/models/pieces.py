"""The population in pieces: each rare condition as its own tables have it, the rest as the tree has it.

A person may meet several conditions. Pieces are disjoint: the rarest condition takes all its persons, the next what is
left of its own, and so on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from medsynth.encoding.condition import EVERYTHING, Condition
from medsynth.errors import UsageError
from medsynth.models.edit import PairTarget
from medsynth.models.given import targets_given

if TYPE_CHECKING:
    from medsynth.models.graphical import GraphicalModel

MOST_PIECE_BOXES = 64
"""A condition that would cut a piece into more boxes is left to the tree."""

LEAST_LEFT = 0.1
"""Of what rarer conditions have left, what a condition leaves at least, if the tree has as much outside it."""

LEAST_PART = 1e-3
"""Of its own persons, what a condition keeps beside those that rarer ones have taken, at least."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """A part of the population.

    Attributes:
      model: Its tree holds inside the condition.
      condition: What the piece is; None for everybody.
      share: Of the population.
    """

    model: "GraphicalModel"
    condition: Condition | None
    share: float

    @cached_property
    def mass(self) -> float:
        """Probability of the condition in the model."""
        return 1.0 if self.condition is None else float(self.model.box_shares(self.condition).sum())


def pieces_of_all(model: "GraphicalModel") -> tuple[Piece, ...]:
    """Pieces of the whole population, the rarest condition first, the rest last."""
    found: list[Piece] = []
    rest, left = EVERYTHING, 1.0
    for group in sorted((group for group in model.rare if group.weights), key=lambda group: group.persons):
        cut = _cut(group.condition, rest)
        if cut is None:
            continue
        own, outside = cut
        inside = model.inside(group)
        if not inside.box_shares(own).sum() > 0:
            continue
        share = group.persons / model.total
        taken = sum(piece.share * _within(piece, group.condition) for piece in found)
        # What the tree has outside is not taken away whole, but nothing is left for what it holds impossible.
        spared = min(LEAST_LEFT * left, float(model.plain.box_shares(outside).sum()))
        share = min(max(share - taken, LEAST_PART * share), left - spared)
        found.append(Piece(model=inside, condition=own, share=share))
        rest, left = outside, left - share
    if found and not float(model.plain.box_shares(rest).sum()) > 0:
        whole = sum(piece.share for piece in found)
        return tuple(replace(piece, share=piece.share / whole) for piece in found)
    return (*found, Piece(model=model.plain, condition=rest if found else None, share=left))


def _cut(condition: Condition, rest: Condition) -> tuple[Condition, Condition] | None:
    """(what is left of a condition, what is left beside it); None where one is empty or of too many boxes."""
    try:
        own, outside = condition.intersect(rest), rest.minus(condition)
    except UsageError:
        return None
    few = max(len(own.boxes), len(outside.boxes)) <= MOST_PIECE_BOXES
    return (own, outside) if few and own.boxes and outside.boxes else None


def pieces_given(model: "GraphicalModel", condition: Condition | None) -> tuple[Piece, ...]:
    """Those parts of the pieces that lie in a condition, each with its share of the population."""
    if condition is None:
        return model.pieces
    found = []
    for piece in model.pieces:
        met = condition if piece.condition is None else piece.condition.intersect(condition)
        share = piece.share * _share_within(piece, met)
        if share > 0:
            found.append(Piece(model=piece.model, condition=met, share=share))
    return tuple(found)


def targets_together(pieces: Sequence[Piece]) -> tuple[PairTarget, ...]:
    """What pair tables of several pieces together should be; of the whole population, the model's own targets."""
    if sum(piece.share for piece in pieces) > 1 - 1e-9:
        return pieces[-1].model.targets
    parts = [
        piece.model.targets if piece.condition is None else targets_given(piece.model, piece.condition)
        for piece in pieces
    ]
    if len(pieces) == 1 or not all(parts):
        return max(zip(pieces, parts, strict=True), key=lambda both: both[0].share)[1]
    return tuple(
        replace(
            same[0],
            table=sum(p.share * t.table / max(t.table.sum(), 1e-300) for p, t in zip(pieces, same, strict=True)),
        )
        for same in zip(*parts, strict=True)
    )


def _within(piece: Piece, condition: Condition) -> float:
    return _share_within(piece, condition if piece.condition is None else piece.condition.intersect(condition))


def _share_within(piece: Piece, met: Condition) -> float:
    """Share of a piece in a condition that lies inside it."""
    if not met.boxes:
        return 0.0
    inside = float(piece.model.box_shares(met).sum())
    return min(inside / piece.mass, 1.0) if piece.mass > 0 else 0.0
