"""Rows of finest cells: a row of the tree, with a cell drawn in each of its groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray, Level
from medsynth.models.calibration import Calibrated
from medsynth.models.tree_sampling import BLOCK, Deck, TreeSampler

if TYPE_CHECKING:
    from medsynth.encoding.condition import Box

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TreeRows:
    """Draws rows; what does not depend on the rows is prepared once.

    Attributes:
      calibrated: The distribution of groups, given the box.
      levels: The tree's finest level of each attribute.
      one_ways: Share of each finest cell, per attribute.
      box: Allowed cells of some attributes.
      systematic: Each cell gets its expected rows, rounded; if False, rows are independent.
    """

    calibrated: Calibrated
    levels: Sequence[Level]
    one_ways: Sequence[FloatArray]
    box: "Box"
    systematic: bool = True

    def draw(self, n: int, rng: np.random.Generator) -> IntArray:
        """Finest cells, shape (n, attributes); each column is contiguous."""
        columns = self._sampler.draw(n, rng).T
        for attribute, deck in self._decks.items():
            for start in range(0, n, BLOCK):
                block = columns[attribute, start : start + BLOCK]
                deck.hand(block, rng, systematic=self.systematic).fill(block, deck.order.astype(np.int32))
        return columns.T

    @cached_property
    def _sampler(self) -> TreeSampler:
        return TreeSampler(calibrated=self.calibrated, systematic=self.systematic)

    @cached_property
    def _decks(self) -> dict[int, Deck]:
        """Cells by group, of the attributes whose groups hold several."""
        decks = {}
        for attribute, (level, one_way) in enumerate(zip(self.levels, self.one_ways, strict=True)):
            if not level.is_finest:
                allowed = self.box.get(attribute)
                weights = one_way if allowed is None else one_way * allowed
                decks[attribute] = Deck.of(positive(weights, level, allowed), level.groups, level.size)
        return decks


def positive(weights: FloatArray, level: Level, allowed: npt.NDArray[np.bool_] | None) -> FloatArray:
    """Weights of cells, even over the allowed cells of a group where the group has none."""
    empty = np.bincount(level.groups, weights, level.size) <= 0
    even = np.ones(len(weights)) if allowed is None else allowed.astype(np.float64)
    return np.where(empty[level.groups], even, weights)
