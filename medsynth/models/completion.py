"""Rows of which some cells are known: the rest drawn from the model exactly given them; and copies
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
from medsynth.models.mixture import Beliefs, Mixture
from medsynth.models.row_evidence import BoolArray, Conditionals, Evidence, FloatArray, IntpArray

if TYPE_CHECKING:
    from medsynth.models.graphical import GraphicalModel

BLOCK = 1 << 13
"""Rows completed at a time."""
COUPLED_BLOCK = 1 << 12
"""Rows copied at a time: the chances of all their values are held."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Completion:
    """Completes rows of finest cells; what does not depend on the rows is prepared once.

    A known cell is evidence on its group in the tree, and on the part of the population the row is from: inside a
    group of a part cells follow its one-way shares, whatever the other attributes are.

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
            evidence = Evidence(self._mixture.conditionals, self._mixture.groups(codes[some], known[some]), known[some])
            possible[some] = _possible(evidence.logs + self._mixture.prior(codes[some], known[some]))
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
            self._complete(drawn[some], known[some], rng)
        return drawn

    def _complete(self, codes: IntArray, known: BoolArray, rng: np.random.Generator) -> None:
        """Draws the part each row is from, then all else in it; writes it into codes."""
        mixture, groups = self._mixture, self._mixture.groups(codes, known)
        prior = mixture.prior(codes, known)
        parts = prior.argmax(axis=0)
        several = np.flatnonzero((prior > -np.inf).sum(axis=0) > 1)
        if len(several):
            evidence = Evidence(mixture.conditionals, groups[several], known[several])
            parts[several] = _picked(Beliefs.of(prior[:, several] + evidence.logs).weights.T, rng)
        evidence = Evidence(mixture.conditionals, groups, known, parts)
        drawn = evidence.walk(lambda _, chances, places, __: _picked(chances[0][places], rng))
        mixture.fill(codes, drawn, ~known, parts, rng)
        codes[~_possible(evidence.logs + np.take_along_axis(prior, parts[None], axis=0))] = -1

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
            self._couple(rows[some], drawn[some], known[some], rng)
        return drawn

    def _couple(self, rows: IntArray, codes: IntArray, known: BoolArray, rng: np.random.Generator) -> None:
        """Writes the copies into codes."""
        mixture, trees = self._mixture, self._mixture.conditionals
        before = mixture.groups(rows, np.ones_like(known))
        evidence = Evidence(trees, before, known)
        followed = _Followed(
            rows=before, conditionals=trees, beliefs=Beliefs.of(mixture.prior(rows, known) + evidence.logs)
        )
        evidence.walk(followed.choose)
        evidence = Evidence(trees, mixture.groups(codes, known), known)
        logs = mixture.prior(codes, known) + evidence.logs
        coupled = _Coupled(followed=followed, beliefs=Beliefs.of(logs), rng=rng)
        groups = evidence.walk(coupled.choose)
        for attribute in range(codes.shape[1]):
            free = np.flatnonzero(~known[:, attribute])
            codes[free, attribute] = coupled.cells(mixture, attribute, rows, groups, free)
        codes[~_possible(logs)] = -1

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
    def _mixture(self) -> Mixture:
        return Mixture.of(self.model)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Followed:
    """Chooses what given rows have, and keeps the chances of every value there.

    Attributes:
      rows: (n, attributes) at the tree's finest levels.
      conditionals: The trees.
      beliefs: From which part each row is, as far as has been followed.
      chances: Per node, (n, groups), summing to 1.
    """

    rows: IntpArray
    conditionals: Conditionals
    beliefs: Beliefs
    chances: dict[Node, FloatArray] = field(default_factory=dict)

    def choose(self, node: Node, chances: FloatArray, places: IntpArray, rows: IntpArray) -> IntpArray:
        """What the rows have."""
        kept = self.chances.setdefault(node, np.zeros((len(self.rows), chances.shape[2])))
        shares, own = _shares(chances), self.own(node, rows)
        kept[rows] = self.beliefs.mixed(shares, places, rows)
        self.beliefs.learn(shares[:, places, own], rows)
        return own

    def own(self, node: Node, rows: IntpArray) -> IntpArray:
        """The rows' own groups."""
        attribute, level = node
        finest = self.conditionals.tree.finest[attribute]
        return self.conditionals.groups(attribute, self.rows[rows, attribute], level, have=finest)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Coupled:
    """Chooses the group, then the cell, of the rows that are followed as often as the new chances allow.

    Attributes:
      followed: The rows.
      beliefs: From which part each copy is, as far as it is drawn.
      rng: Source of randomness.
    """

    followed: _Followed
    beliefs: Beliefs
    rng: np.random.Generator

    def choose(self, node: Node, chances: FloatArray, places: IntpArray, rows: IntpArray) -> IntpArray:
        """Keeps with probability min(1, new / old), else draws from what is more likely than before."""
        shares, own = _shares(chances), self.followed.own(node, rows).copy()
        old, new = self.followed.chances[node][rows], self.beliefs.mixed(shares, places, rows)
        each = np.arange(len(rows))
        moved = np.flatnonzero(self.rng.random(len(rows)) * old[each, own] >= new[each, own])
        own[moved] = _more(old[moved], new[moved], self.rng)
        self.beliefs.learn(shares[:, places, own], rows)
        return own

    def cells(self, mixture: Mixture, attribute: int, rows: IntArray, groups: IntpArray, some: IntpArray) -> IntpArray:
        """The finest cells of one attribute in some of the rows, whose groups are chosen: kept or drawn likewise."""
        level, within = mixture.levels[attribute], mixture.within[attribute]
        group, own = groups[some, attribute], rows[some, attribute].astype(np.intp)
        if level.is_finest or not len(some):
            return np.asarray(group)
        before = self.followed.beliefs
        old = np.where(level.groups[own] == group, (before.weights[:, some] * within[:, own]).sum(axis=0), 1.0)
        new = np.where(level.groups[own] == group, (self.beliefs.weights[:, some] * within[:, own]).sum(axis=0), 0.0)
        moved = np.flatnonzero(self.rng.random(len(some)) * old >= new)
        inside = level.groups == group[moved, None]
        chances = [inside * (beliefs.weights[:, some[moved]].T @ within) for beliefs in (before, self.beliefs)]
        same = level.groups[own[moved]] == group[moved]
        before.learn(within[:, own], some)
        own[moved] = _more(chances[0] * same[:, None], chances[1], self.rng)
        self.beliefs.learn(within[:, own], some)
        return np.asarray(own)


def _blocks(rows: int, size: int) -> Iterator[slice]:
    for start in range(0, rows, size):
        yield slice(start, start + size)


def _possible(logs: FloatArray) -> BoolArray:
    """Which rows some part allows."""
    return np.asarray((logs > -np.inf).any(axis=0))


def _shares(chances: FloatArray) -> FloatArray:
    """Chances that sum to 1 along the last axis; where there are none they stay 0."""
    total = chances.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(chances, total, out=np.zeros_like(chances), where=total > 0))


def _more(old: FloatArray, new: FloatArray, rng: np.random.Generator) -> IntpArray:
    """A group per row of what the new chances have more of than the old, (n, groups)."""
    more = np.maximum(new - old, 0.0)
    return _picked(np.where(more.sum(axis=1, keepdims=True) > 0, more, new), rng)


def _picked(chances: FloatArray, rng: np.random.Generator) -> IntpArray:
    """A group per row, by its chances (n, groups) on any scale."""
    reached = np.cumsum(chances, axis=1)
    # A draw may round up to the total: no group behind the last with a chance is picked.
    most = np.nextafter(reached[:, -1], 0.0)
    drawn = np.minimum(rng.random(len(chances)) * reached[:, -1], most)
    return np.asarray(np.minimum((reached <= drawn[:, None]).sum(axis=1), chances.shape[1] - 1))
