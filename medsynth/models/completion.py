"""Rows of which some cells are known: the rest drawn from the tree exactly given them; and copies
of rows under other evidence.

A copy is coupled to its row: attribute by attribute, in the order of the tree, a value stays as
often as both distributions allow (maximal coupling), and else follows what the new one has more of.
Each copy by itself is an exact draw under its own evidence.
Source: Lindvall (1992), Lectures on the Coupling Method, section I.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from medsynth.encoding.domain import IntArray
from medsynth.models.junction_tree import Node
from medsynth.models.row_evidence import BoolArray, Conditionals, Evidence, FloatArray, IntpArray
from medsynth.models.tree_rows import positive
from medsynth.models.tree_sampling import Deck

if TYPE_CHECKING:
    from medsynth.models.graphical import GraphicalModel

BLOCK = 1 << 13
"""Rows completed at a time."""
COUPLED_BLOCK = 1 << 12
"""Rows copied at a time: the chances of all their values are held."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Completion:
    """Completes rows of finest cells; what does not depend on the rows is prepared once.

    A known cell is evidence on its group in the tree: inside a group cells follow the one-way
    shares, whatever the other attributes are.

    Attributes:
      model: The fitted model.
    """

    model: "GraphicalModel"

    def possible(self, codes: IntArray, known: Sequence[int]) -> BoolArray:
        """Which rows have positive probability in their known attributes, (n,) bool.

        Args:
          codes: (n, attributes); read in the known ones alone.
          known: Positions of the known attributes.
        """
        blocks = [
            Evidence(self.conditionals, self._groups(codes[start : start + BLOCK], known), known).possible
            for start in range(0, len(codes), BLOCK)
        ]
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=bool)

    def complete(self, codes: IntArray, known: Sequence[int], rng: np.random.Generator) -> IntArray:
        """Rows with the known cells as they are and all others drawn given them, independently of other rows.

        Args:
          codes: (n, attributes); read in the known attributes alone.
          known: Positions of the known attributes.
          rng: Source of randomness.

        Returns:
          codes  # (n, attributes) int32; a row whose known cells have probability 0 is -1 throughout
        """
        drawn = codes.copy()
        for start in range(0, len(codes), BLOCK):
            block = drawn[start : start + BLOCK]
            evidence = Evidence(self.conditionals, self._groups(block, known), known)
            groups = evidence.walk(lambda _, __, chances, ___: _picked(chances, rng))
            for attribute in self._free(known):
                block[:, attribute] = self._cells(attribute, groups[:, attribute], rng)
            block[~evidence.possible] = -1
        return drawn

    def couple(self, rows: IntArray, codes: IntArray, known: Sequence[int], rng: np.random.Generator) -> IntArray:
        """Rows with other known cells, as like the given rows as their own distribution allows.

        Args:
          rows: (n, attributes), complete: draws given their own cells in the known attributes.
          codes: (n, attributes), with the new cells in the known attributes.
          known: Positions of the known attributes.
          rng: Source of randomness.

        Returns:
          As `complete`.
        """
        drawn = codes.copy()
        for start in range(0, len(codes), COUPLED_BLOCK):
            block, like = drawn[start : start + COUPLED_BLOCK], rows[start : start + COUPLED_BLOCK]
            before = self._groups(like, range(len(self.model.domain)))
            followed = _Followed(rows=before, conditionals=self.conditionals)
            Evidence(self.conditionals, before, known).walk(followed.choose)
            evidence = Evidence(self.conditionals, self._groups(block, known), known)
            groups = evidence.walk(_Coupled(followed=followed, rng=rng).choose)
            for attribute in self._free(known):
                moved = groups[:, attribute] != before[:, attribute]
                block[:, attribute] = like[:, attribute]
                block[moved, attribute] = self._cells(attribute, groups[moved, attribute], rng)
            block[~evidence.possible] = -1
        return drawn

    def conflict(self, codes: IntArray, known: Sequence[int]) -> list[int]:
        """Known attributes whose cells cannot occur together, of the first row that has some; none may be left out."""
        row = codes[np.flatnonzero(~self.possible(codes, known))[:1]]
        kept = list(known)
        for attribute in known:
            fewer = [other for other in kept if other != attribute]
            if not self.possible(row, fewer).all():
                kept = fewer
        return kept

    @cached_property
    def conditionals(self) -> "Conditionals":
        """Of every clique, its cells given its separator."""
        return Conditionals.of(self.model.calibrated)

    def _free(self, known: Sequence[int]) -> list[int]:
        return [attribute for attribute in range(len(self.model.domain)) if attribute not in known]

    def _groups(self, codes: IntArray, attributes: Sequence[int]) -> IntpArray:
        """Tree groups of some attributes; 0 for the others."""
        groups = np.zeros(codes.shape, dtype=np.intp)
        for attribute in attributes:
            level = self.model.chains[attribute].levels[self.model.tree.finest[attribute]]
            groups[:, attribute] = level.groups[codes[:, attribute]]
        return groups

    def _cells(self, attribute: int, groups: IntpArray, rng: np.random.Generator) -> IntpArray:
        deck = self._decks[attribute]
        return deck.order[deck.pick(groups, rng)]

    @cached_property
    def _decks(self) -> list[Deck]:
        """Of every attribute, the finest cells in each of its groups."""
        model, decks = self.model, []
        for attribute, chain in enumerate(model.chains):
            level = chain.levels[model.tree.finest[attribute]]
            decks.append(Deck.of(positive(model.one_ways[attribute], level, None), level.groups, level.size))
        return decks


@dataclass(frozen=True, kw_only=True, eq=False)
class _Followed:
    """Chooses what given rows have, and keeps the chances of every value there.

    Attributes:
      rows: (n, attributes) at the tree's finest levels.
      conditionals: The tree.
      chances: Per step, (n, groups), summing to 1.
    """

    rows: IntpArray
    conditionals: Conditionals
    chances: dict[int, FloatArray] = field(default_factory=dict)

    def choose(self, step: int, node: Node, chances: FloatArray, rows: IntpArray) -> IntpArray:
        """The rows' own groups."""
        kept = self.chances.setdefault(step, np.zeros((len(self.rows), chances.shape[1])))
        kept[rows] = _shares(chances)
        return self.conditionals.groups(node[0], self.rows[rows, node[0]], node[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Coupled:
    """Chooses the group of the rows that are followed as often as the new chances allow."""

    followed: _Followed
    rng: np.random.Generator

    def choose(self, step: int, node: Node, chances: FloatArray, rows: IntpArray) -> IntpArray:
        """Keeps with probability min(1, new / old), else draws from what is more likely than before."""
        old, new = self.followed.chances[step][rows], _shares(chances)
        own = self.followed.conditionals.groups(node[0], self.followed.rows[rows, node[0]], node[1])
        each = np.arange(len(rows))
        moved = np.flatnonzero(self.rng.random(len(rows)) * old[each, own] >= new[each, own])
        more = np.maximum(new[moved] - old[moved], 0.0)
        more = np.where(more.sum(axis=1, keepdims=True) > 0, more, new[moved])
        own[moved] = _picked(more, self.rng)
        return own


def _shares(chances: FloatArray) -> FloatArray:
    """Rows that sum to 1; one without any chance stays 0."""
    total = chances.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(chances, total, out=np.zeros_like(chances), where=total > 0))


def _picked(chances: FloatArray, rng: np.random.Generator) -> IntpArray:
    """A group per row, by its chances (n, groups) on any scale."""
    reached = np.cumsum(chances, axis=1)
    # A draw may round up to the total: no group behind the last with a chance is picked.
    most = np.nextafter(reached[:, -1], 0.0)
    drawn = np.minimum(rng.random(len(chances)) * reached[:, -1], most)
    return np.asarray(np.minimum((reached <= drawn[:, None]).sum(axis=1), chances.shape[1] - 1))
