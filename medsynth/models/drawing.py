"""Rows of a fitted model, chunk after chunk: strata drawn under evidence, then edited with weights and
strata kept.

Rows of a stratum are first edited towards what pair tables should be inside it. The stratum that
holds most of the population comes last and is edited towards what the weighted rows of all strata
together still miss. No move leaves a stratum.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.edit import Editor, Limits
from medsynth.models.given import masses_given, targets_given
from medsynth.models.tree_sampling import Deck

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.models.base import Part
    from medsynth.models.graphical import GraphicalModel
    from medsynth.models.tree_rows import TreeRows


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
        self._balance = max(range(len(parts)), key=lambda k: parts[k].natural)
        targets = () if not edited else model.targets if population is None else targets_given(model, population)
        masses = masses_given(model, parts[self._balance].condition)
        self._together = Editor(targets, masses=masses, sweeps=model.sweeps) if targets else None
        if edited:
            for k, stratum in enumerate(self._parts):
                if k != self._balance or self._together is None:
                    stratum.prepare(model)

    def draw(self, counts: Sequence[int], rng: np.random.Generator) -> list[IntArray]:
        """The next rows of each stratum."""
        drawn = [stratum.draw(n, rng) for stratum, n in zip(self._parts, counts, strict=True)]
        if self._together is None:
            return drawn
        for k, rows in enumerate(drawn):
            if k != self._balance:
                self._together.book(rows, self._parts[k].part.weight)
        last = self._parts[self._balance]
        drawn[self._balance] = self._together.edit(
            drawn[self._balance], rng, weight=last.part.weight, limits=last.limits
        )
        return drawn


@dataclass(kw_only=True, eq=False)
class _Stratum:
    """One part, how its rows are drawn and what they should be.

    Attributes:
      part: Its condition and weight.
      boxes: Draws the rows of each box of the condition.
      shares: Of the boxes.
      limits: Where no edit may lead.
      systematic: Whether boxes get their expected rows.
      editor: Brings the rows to the pair tables inside the condition.
    """

    part: "Part"
    boxes: "list[TreeRows]"
    shares: npt.NDArray[np.float64]
    limits: Limits
    systematic: bool
    editor: Editor | None = None

    @classmethod
    def of(cls, model: "GraphicalModel", part: "Part", *, edited: bool, forbidden: "Sequence[Condition]") -> "_Stratum":
        condition = part.condition
        shares = np.ones(1) if condition is None else model.box_shares(condition)
        if not shares.sum() > 0:
            raise UsageError(
                "The condition cannot occur in the fitted model: its probability is 0. Use a wider condition."
            )
        boxes = [{}] if condition is None else [box for box, share in zip(condition, shares, strict=True) if share > 0]
        return cls(
            part=part,
            boxes=[model.tree_rows(box, systematic=edited) for box in boxes],
            shares=shares[shares > 0],
            limits=_limits(condition, _unseen(model, forbidden)),
            systematic=edited,
        )

    def prepare(self, model: "GraphicalModel") -> None:
        """Finds what pair tables should be inside the condition."""
        condition = self.part.condition
        targets = model.targets if condition is None else targets_given(model, condition)
        if targets:
            self.editor = Editor(targets, masses=masses_given(model, condition), sweeps=model.sweeps)

    def draw(self, n: int, rng: np.random.Generator) -> IntArray:
        """Rows of the stratum in random order, edited if there is an editor."""
        if len(self.boxes) == 1:
            rows = self.boxes[0].draw(n, rng)
        else:
            deck = Deck.of(self.shares, np.zeros(len(self.shares), dtype=np.intp), 1)
            counts = deck.deal(np.array([n]), rng) if self.systematic else rng.multinomial(n, deck.shares)
            parts = [box.draw(int(count), rng) for box, count in zip(self.boxes, counts, strict=True)]
            rows = np.concatenate(parts)[rng.permutation(n)]
        return rows if self.editor is None else self.editor.edit(rows, rng, limits=self.limits)


def _limits(condition: "Condition | None", forbidden: "Sequence[Condition]") -> Limits:
    """No move leaves the condition; one of many boxes is kept by keeping its columns."""
    if condition is None or len(condition.boxes) <= MOST_WATCHED:
        return Limits(within=condition, forbidden=forbidden)
    return Limits(frozen=condition.attributes, forbidden=forbidden)


def _unseen(model: "GraphicalModel", forbidden: "Sequence[Condition]") -> "list[Condition]":
    """What is forbidden and no target says so."""
    seen = [{target.i, target.j} for target in model.targets if target.allowed is not None]
    return [each for each in forbidden if not any(each.attributes <= pair for pair in seen)]
