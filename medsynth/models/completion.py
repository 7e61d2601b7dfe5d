"""Rows of which some cells are known: the rest drawn from the tree exactly given them; and copies
of rows under other evidence.

A copy is coupled to its row: attribute by attribute, in the order of the tree, a value stays as
often as both distributions allow (maximal coupling), and else follows what the new one has more of.
Each copy by itself is an exact draw under its own evidence.
Source: Lindvall (1992), Lectures on the Coupling Method, section I.5.
"""

from collections.abc import Iterator
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

    def possible(self, codes: IntArray, known: BoolArray) -> BoolArray:
        """Which rows have positive probability in their known cells, (n,) bool.

        Args:
          codes: (n, attributes); read where known.
          known: (n, attributes) bool.
        """
        possible = np.ones(len(codes), dtype=bool)
        for some in _blocks(len(codes), BLOCK):
            possible[some] = self._evidence(codes[some], known[some]).possible
        return possible

    def complete(self, codes: IntArray, known: BoolArray, rng: np.random.Generator) -> IntArray:
        """Rows with the known cells as they are and all others drawn given them, independently of other rows.

        Args:
          codes: (n, attributes); read where known.
          known: (n, attributes) bool.
          rng: Source of randomness.

        Returns:
          codes  # (n, attributes) int32; a row whose known cells have probability 0 is -1 throughout
        """
        drawn = codes.copy()
        for some in _blocks(len(codes), BLOCK):
            evidence = self._evidence(codes[some], known[some])
            groups = evidence.walk(lambda _, chances, __: _picked(chances, rng))
            self._fill(drawn[some], groups, ~known[some], rng)
            drawn[some][~evidence.possible] = -1
        return drawn

    def couple(self, rows: IntArray, codes: IntArray, known: BoolArray, rng: np.random.Generator) -> IntArray:
        """Rows with other known cells, as like the given rows as their own distribution allows.

        Args:
          rows: (n, attributes), complete: draws given their own cells where known.
          codes: (n, attributes), with the new cells where known.
          known: (n, attributes) bool.
          rng: Source of randomness.

        Returns:
          As `complete`.
        """
        drawn = np.where(known, codes, rows).astype(np.int32)
        for some in _blocks(len(codes), COUPLED_BLOCK):
            before = self._groups(rows[some], np.ones_like(known[some]))
            followed = _Followed(rows=before, conditionals=self.conditionals)
            Evidence(self.conditionals, before, known[some]).walk(followed.choose)
            evidence = self._evidence(codes[some], known[some])
            groups = evidence.walk(_Coupled(followed=followed, rng=rng).choose)
            self._fill(drawn[some], groups, (groups != before) & ~known[some], rng)
            drawn[some][~evidence.possible] = -1
        return drawn

    def conflict(self, codes: IntArray, known: BoolArray) -> list[int]:
        """Known attributes whose cells cannot occur together, of the first row that has some; none may be left out."""
        first = np.flatnonzero(~self.possible(codes, known))[:1]
        kept = known[first].copy()
        for attribute in np.flatnonzero(kept):
            kept[0, attribute] = False
            if self.possible(codes[first], kept).all():
                kept[0, attribute] = True
        return np.flatnonzero(kept).tolist()

    @cached_property
    def conditionals(self) -> "Conditionals":
        """Of every clique, its cells given its separator."""
        return Conditionals.of(self.model.calibrated)

    def _evidence(self, codes: IntArray, known: BoolArray) -> Evidence:
        return Evidence(self.conditionals, self._groups(codes, known), known)

    def _groups(self, codes: IntArray, known: BoolArray) -> IntpArray:
        """Tree groups of known cells; 0 of others."""
        groups = np.zeros(codes.shape, dtype=np.intp)
        for attribute, (chain, finest) in enumerate(zip(self.model.chains, self.model.tree.finest, strict=True)):
            rows = known[:, attribute]
            groups[rows, attribute] = chain.levels[finest].groups[codes[rows, attribute]]
        return groups

    def _fill(self, codes: IntArray, groups: IntpArray, where: BoolArray, rng: np.random.Generator) -> None:
        """Draws the finest cells of groups; writes them into codes."""
        for attribute, deck in enumerate(self._decks):
            rows = where[:, attribute]
            codes[rows, attribute] = deck.order[deck.pick(groups[rows, attribute], rng)]

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
      chances: Per node, (n, groups), summing to 1.
    """

    rows: IntpArray
    conditionals: Conditionals
    chances: dict[Node, FloatArray] = field(default_factory=dict)

    def choose(self, node: Node, chances: FloatArray, rows: IntpArray) -> IntpArray:
        """What the rows have."""
        kept = self.chances.setdefault(node, np.zeros((len(self.rows), chances.shape[1])))
        kept[rows] = _shares(chances)
        return self.own(node, rows)

    def own(self, node: Node, rows: IntpArray) -> IntpArray:
        """The rows' own groups."""
        attribute, level = node
        finest = self.conditionals.tree.finest[attribute]
        return self.conditionals.groups(attribute, self.rows[rows, attribute], level, have=finest)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Coupled:
    """Chooses the group of the rows that are followed as often as the new chances allow."""

    followed: _Followed
    rng: np.random.Generator

    def choose(self, node: Node, chances: FloatArray, rows: IntpArray) -> IntpArray:
        """Keeps with probability min(1, new / old), else draws from what is more likely than before."""
        old, new = self.followed.chances[node][rows], _shares(chances)
        own = self.followed.own(node, rows).copy()
        each = np.arange(len(rows))
        moved = np.flatnonzero(self.rng.random(len(rows)) * old[each, own] >= new[each, own])
        more = np.maximum(new[moved] - old[moved], 0.0)
        more = np.where(more.sum(axis=1, keepdims=True) > 0, more, new[moved])
        own[moved] = _picked(more, self.rng)
        return own


def _blocks(rows: int, size: int) -> Iterator[slice]:
    for start in range(0, rows, size):
        yield slice(start, start + size)


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
