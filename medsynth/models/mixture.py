"""The population as a mixture of trees of one shape, one for each box of each piece: no row lies in two of them.

What is known of a row says from which part it may be; what is drawn of it says more.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from medsynth.encoding.domain import IntArray, Level
from medsynth.errors import UsageError
from medsynth.models.row_evidence import BoolArray, Conditionals, FloatArray, IntpArray
from medsynth.models.tree_rows import positive
from medsynth.models.tree_sampling import Deck

if TYPE_CHECKING:
    from medsynth.models.graphical import GraphicalModel

LEAST = 1e-50
"""Share of a cell that has none: it is never drawn, but can be known of a row, whose part then follows from the others
of its group."""

MOST_PARTS = 256
"""Each holds a table of every clique and is asked for every row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixture:
    """Trees with shares of the population.

    Attributes:
      shares: (parts,), of the population; they sum to 1.
      conditionals: The trees.
      levels: The trees' finest level of each attribute.
      within: Per attribute (parts, size), share of each finest cell in its tree group; 0 outside the part.
    """

    shares: FloatArray
    conditionals: Conditionals
    levels: tuple[Level, ...]
    within: tuple[FloatArray, ...]

    @classmethod
    def of(cls, model: "GraphicalModel") -> "Mixture":
        """The pieces of a model, box by box.

        Raises:
          UsageError: If there are too many boxes.
        """
        shares, trees = [], list["GraphicalModel"]()
        for piece in model.pieces:
            tree = replace(piece.model, one_ways=tuple(np.maximum(each, LEAST) for each in piece.model.one_ways))
            boxes = ({},) if piece.condition is None else piece.condition.boxes
            masses = np.ones(1) if piece.condition is None else tree.box_shares(piece.condition)
            _require_few(len(trees) + int((masses > 0).sum()))
            for box, mass in zip(boxes, masses, strict=True):
                if mass > 0:
                    shares.append(piece.share * mass / masses.sum())
                    trees.append(tree.within(box))
        levels = tuple(c.levels[finest] for c, finest in zip(model.chains, model.tree.finest, strict=True))
        within = zip(*([_within(tree, a) for a in range(len(levels))] for tree in trees), strict=True)
        return cls(
            shares=np.array(shares),
            conditionals=Conditionals.of(*(tree.calibrated for tree in trees)),
            levels=levels,
            within=tuple(np.stack(each) for each in within),
        )

    def prior(self, codes: IntArray, known: BoolArray) -> FloatArray:
        """Logarithm of each part's share times that of the known cells in their groups, (parts, n).

        Args:
          codes: (n, attributes) finest cells, read where known.
          known: (n, attributes) bool.
        """
        logs = np.repeat(np.log(self.shares)[:, None], len(codes), axis=1)
        for attribute, table in self._telling.items():
            rows = np.flatnonzero(known[:, attribute])
            logs[:, rows] += table[:, codes[rows, attribute]]
        return logs

    def groups(self, codes: IntArray, known: BoolArray) -> IntpArray:
        """Tree groups of known cells; 0 of others."""
        groups = np.zeros(codes.shape, dtype=np.intp)
        for attribute, level in enumerate(self.levels):
            rows = known[:, attribute]
            groups[rows, attribute] = level.groups[codes[rows, attribute]]
        return groups

    def fill(
        self, codes: IntArray, groups: IntpArray, where: BoolArray, parts: IntpArray, rng: np.random.Generator
    ) -> None:
        """Draws finest cells of groups, each row's in its own part; writes them into codes."""
        for attribute, level in enumerate(self.levels):
            rows = np.flatnonzero(where[:, attribute])
            if level.is_finest:
                codes[rows, attribute] = groups[rows, attribute]
                continue
            # All parts lie in one deck, one behind the other.
            deck = self._decks[attribute]
            places = deck.pick(parts[rows] * level.size + groups[rows, attribute], rng)
            codes[rows, attribute] = deck.order[places] % len(level.groups)

    @cached_property
    def _telling(self) -> dict[int, FloatArray]:
        """Logarithms of the shares of cells, of attributes in which they differ between parts."""
        with np.errstate(divide="ignore"):
            return {a: np.log(table) for a, table in enumerate(self.within) if (table != table[0]).any()}

    @cached_property
    def _decks(self) -> dict[int, Deck]:
        """Finest cells of all parts by part and group, of attributes whose groups hold several."""
        decks = {}
        for attribute, (level, table) in enumerate(zip(self.levels, self.within, strict=True)):
            if not level.is_finest:
                values = np.arange(len(table))[:, None] * level.size + level.groups
                decks[attribute] = Deck.of(table.ravel(), values.ravel(), table.shape[0] * level.size)
        return decks


@dataclass(frozen=True, kw_only=True, eq=False)
class Beliefs:
    """From which part each row is, as far as it is known; learnt from what is drawn of it.

    Attributes:
      weights: (parts, n); each row's sum to 1.
    """

    weights: FloatArray

    @classmethod
    def of(cls, logs: FloatArray) -> "Beliefs":
        """From logarithms on any scale; a row that no part allows may be from each."""
        peak = logs.max(axis=0)
        weights = np.exp(np.where(peak > -np.inf, logs - np.where(peak > -np.inf, peak, 0.0), 0.0))
        return cls(weights=weights / weights.sum(axis=0))

    def mixed(self, shares: FloatArray, places: IntpArray, rows: IntpArray) -> FloatArray:
        """What all parts together say of rows, (rows, groups), of shares (parts, combinations, groups)."""
        if len(shares) == 1:
            return np.asarray(shares[0][places])
        found = np.zeros((len(rows), shares.shape[2]))
        for weights, share in zip(self.weights[:, rows], shares, strict=True):
            some = np.flatnonzero(weights)
            found[some] += weights[some, None] * share[places[some]]
        return found

    def learn(self, likelihoods: FloatArray, rows: IntpArray) -> None:
        """Multiplies by likelihoods (parts, rows); what no part allows teaches nothing."""
        if len(likelihoods) > 1:
            before = self.weights[:, rows]
            after = before * likelihoods
            total = after.sum(axis=0)
            self.weights[:, rows] = np.divide(after, total, out=before, where=total > 0)


def _within(tree: "GraphicalModel", attribute: int) -> FloatArray:
    level = tree.chains[attribute].levels[tree.tree.finest[attribute]]
    weights = positive(tree.one_ways[attribute], level, None)
    return np.asarray(weights / np.bincount(level.groups, weights, level.size)[level.groups])


def _require_few(parts: int) -> None:
    if parts > MOST_PARTS:
        raise UsageError(
            f"--given, --set: the schema's rare conditions cut the population into more than {MOST_PARTS} boxes of "
            "cells, beyond which records are not completed. Fit with fewer or simpler rare conditions."
        )
