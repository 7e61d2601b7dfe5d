"""The population in pieces: each rare condition as its own tables have it, the rest as the tree has it.

A person may meet several conditions. Pieces are disjoint: the rarest condition takes all its persons, the next what is
left of its own, and so on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from medsynth.encoding.condition import EVERYTHING, Condition
from medsynth.models.edit import PairTarget
from medsynth.models.given import targets_given

if TYPE_CHECKING:
    from medsynth.models.graphical import GraphicalModel

MOST_PIECE_BOXES = 64
"""A condition that would cut a piece into more boxes is left to the tree."""

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
        own, outside = group.condition.intersect(rest), rest.minus(group.condition)
        if max(len(own.boxes), len(outside.boxes)) > MOST_PIECE_BOXES or not outside.boxes or not own.boxes:
            continue
        inside = model.inside(group)
        share = group.persons / model.total
        taken = sum(piece.share * _within(piece, group.condition) for piece in found)
        share = min(max(share - taken, LEAST_PART * share), 0.9 * left)
        if inside.box_shares(own).sum() > 0:
            found.append(Piece(model=inside, condition=own, share=share))
            rest, left = outside, left - share
    return (*found, Piece(model=model.plain, condition=rest if found else None, share=left))


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
