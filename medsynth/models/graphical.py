"""What every marginal model fits: a tree over levels, one-way shares below them, and pair targets
for edited rows.

A tree group stands for several finest cells; inside it the cells follow the attribute's one-way
shares, independently of the other attributes. So any table is the tree's, refined; any condition is
evidence on groups; and a row is a row of the tree with a cell drawn in each group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medsynth.encoding.condition import same
from medsynth.encoding.domain import Clique, Domain, IntArray, Level
from medsynth.models.base import Part, RareKnowledge
from medsynth.models.calibration import Calibrated
from medsynth.models.condition_noise import standard_error
from medsynth.models.drawing import ModelRows
from medsynth.models.edit import PairTarget
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain
from medsynth.models.pieces import Piece, pieces_given, pieces_of_all
from medsynth.models.rare_groups import RareGroup
from medsynth.models.reward_tables import Reward
from medsynth.models.tree_rows import TreeRows, positive

if TYPE_CHECKING:
    from medsynth.encoding.condition import Box, Condition
    from medsynth.privacy import Measurement

FloatArray = npt.NDArray[np.float64]

LARGEST_JOINT = 1 << 14
"""Up to this many cells, boxes are read off one joint table of their attributes."""

FEW_BOXES = 64
"""But up to this many boxes of attributes that lie in no clique together are evidence, each by itself."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphicalModel:
    """A fitted marginal model.

    Attributes:
      domain: The public attributes.
      chains: Nested levels of each attribute.
      one_ways: Share of each finest cell, per attribute; each sums to 1.
      calibrated: The tree's distribution over groups.
      total: Noisy number of persons.
      measurements: The public noisy tables.
      scores: Ledger entries of the noisy scores that chose the tables.
      targets: Pair tables that drawn rows are edited towards; none for rows straight from the tree.
      sweeps: How often the edit visits a row.
      rare: Rare conditions that were measured on their own.
      tilted: Whether this is the tree inside a rare condition, whose one-ways there need no correction.
      reward: What records earn in a selection; None where none was fitted.
      model: Name of the model that was fitted.
      settings: Its public settings.
    """

    domain: Domain
    chains: tuple[Chain, ...]
    one_ways: tuple[FloatArray, ...]
    calibrated: Calibrated
    total: float
    measurements: "tuple[Measurement, ...]" = ()
    scores: tuple[int, ...] = ()
    targets: tuple[PairTarget, ...] = ()
    sweeps: int = 2
    rare: tuple[RareGroup, ...] = ()
    tilted: bool = False
    reward: Reward | None = None
    model: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tree(self) -> JunctionTree:
        """The junction tree."""
        return self.calibrated.tree

    @cached_property
    def plain(self) -> "GraphicalModel":
        """The tree alone, without what was measured inside rare conditions."""
        return replace(self, rare=()) if self.rare else self

    def inside(self, group: RareGroup) -> "GraphicalModel":
        """The tree that holds inside a rare condition."""
        weights = dict(enumerate(group.weights))
        one_ways = [one_way * weight for one_way, weight in zip(self.one_ways, group.weights, strict=True)]
        return replace(
            self.plain,
            calibrated=self.calibrated.condition(self._evidence(weights))[0],
            one_ways=tuple(one_way / one_way.sum() for one_way in one_ways),
            tilted=True,
        )

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The population in pieces."""
        return pieces_of_all(self)

    def marginal(self, clique: Clique) -> FloatArray:
        """Probabilities over any levels of distinct attributes, axes in the clique's order."""
        if self.rare:
            return np.asarray(sum(self._piece_marginal(piece, clique) for piece in self.pieces))
        positions = [self.domain.index(level.attribute) for level in clique]
        table = self.calibrated.marginal([(a, self.tree.finest[a]) for a in positions])
        for axis, (attribute, level) in enumerate(zip(positions, clique, strict=True)):
            table = _along(table, axis, self._refinement(attribute, level))
        return table

    def _piece_marginal(self, piece: Piece, clique: Clique) -> FloatArray:
        """A piece's part of a table."""
        if piece.condition is None:
            return piece.share * piece.model.marginal(clique)
        shares = piece.model.box_shares(piece.condition)
        parts = [
            share * piece.model.within(box).marginal(clique)
            for box, share in zip(piece.condition, shares, strict=True)
            if share > 0
        ]
        return np.asarray(piece.share / shares.sum() * sum(parts))

    def within(self, box: "Box") -> "GraphicalModel":
        """The tree inside a box of positive probability."""
        one_ways = [one_way * box[a] if a in box else one_way for a, one_way in enumerate(self.one_ways)]
        masses = tuple(one_way / one_way.sum() for one_way in one_ways)
        return replace(self.plain, calibrated=self.given(box), one_ways=masses)

    def share(self, condition: "Condition") -> float:
        """Probability of a condition among rows straight from the tree, before any edit; see `Fitted`."""
        if not self.rare:
            return float(self.box_shares(condition).sum())
        return float(sum(piece.share for piece in pieces_given(self, condition)))

    def count(self, condition: "Condition") -> tuple[float, float | None]:
        """(persons, standard error); see `Fitted`.

        The error is the noise of the published table that counts the condition best: of those the
        share is fitted to, one whose cells make up the condition exactly; None if there is none.
        What smoothing adds is not part of it. A rare condition has a count of its own.
        """
        for group in self.rare:
            if same(group.condition, condition):
                return max(group.counted, 0.0), group.error
        return self.share(condition) * self.total, standard_error(condition, self.measurements, self.tree, self.domain)

    def knowledge(self, name: str) -> RareKnowledge | None:
        """What was measured of a rare condition; see `Fitted`."""
        for group in self.rare:
            if group.name == name:
                return RareKnowledge(grade=group.grade, expected_error=group.expected_error, columns=len(group.columns))
        return None

    def sample(
        self, n: int, rng: np.random.Generator, given: "Condition | None" = None, *, edited: bool = True
    ) -> IntArray:
        """Draws rows of finest cells, shape (n, attributes); see `Fitted`.

        Rows are dealt and edited towards the targets, given a condition towards what these say
        inside it. Without a condition, its frequency then is near that of the one-ways, not near
        its `share`: one at noise level may vanish, where the tree keeps a little mass and the
        denoised one-ways have next to none.
        """
        return self.rows([Part(condition=given)], population=given, edited=edited).draw([n], rng)[0]

    def rows(
        self,
        parts: Sequence[Part],
        *,
        population: "Condition | None" = None,
        edited: bool = True,
        forbidden: "Sequence[Condition]" = (),
    ) -> ModelRows:
        """Rows of several strata, chunk after chunk; see `Fitted`."""
        return ModelRows(self, parts, edited=edited, population=population, forbidden=forbidden)

    def draw_from_tree(
        self, n: int, rng: np.random.Generator, box: "Box | None" = None, *, systematic: bool = True
    ) -> IntArray:
        """Draws rows without editing them.

        Args:
          n: Number of rows.
          rng: Source of randomness.
          box: Allowed cells of some attributes; a box of positive probability.
          systematic: Each cell gets its expected rows, rounded; if False, rows are independent.
        """
        return self.tree_rows(box or {}, systematic=systematic).draw(n, rng)

    def tree_rows(self, box: "Box", *, systematic: bool) -> TreeRows:
        """Draws rows of a box, any number of times."""
        levels = [self._tree_level(attribute) for attribute in range(len(self.domain))]
        calibrated = self.given(box)
        return TreeRows(calibrated=calibrated, levels=levels, one_ways=self.one_ways, box=box, systematic=systematic)

    def given(self, box: "Box") -> Calibrated:
        """The tree's distribution inside a box of positive probability."""
        return self.calibrated.condition(self._evidence(box))[0] if box else self.calibrated

    def _tree_level(self, attribute: int) -> Level:
        return self.chains[attribute].levels[self.tree.finest[attribute]]

    @cached_property
    def _within(self) -> tuple[FloatArray, ...]:
        """Share of each finest cell in its tree group; even where the group has no mass."""
        shares = []
        for attribute, one_way in enumerate(self.one_ways):
            level = self._tree_level(attribute)
            weights = positive(one_way, level, None)
            shares.append(weights / np.bincount(level.groups, weights, level.size)[level.groups])
        return tuple(shares)

    def _refinement(self, attribute: int, level: Level) -> FloatArray:
        """Share of each tree group in each group of a level, shape (tree groups, level.size)."""
        here = self._tree_level(attribute)
        flat = here.groups.astype(np.int64) * level.size + level.groups
        shares = np.bincount(flat, self._within[attribute], here.size * level.size)
        return np.asarray(shares.reshape(here.size, level.size))

    def _evidence(self, box: "Box | Mapping[int, FloatArray]") -> dict[int, FloatArray]:
        """Allowed or weighed share of each tree group, per attribute of the box."""
        found = {}
        for attribute, mask in box.items():
            level = self._tree_level(attribute)
            allowed = self._within[attribute] * mask
            found[attribute] = np.bincount(level.groups, allowed, level.size).astype(np.float64)
        return found

    def box_shares(self, condition: "Condition") -> FloatArray:
        """Probability of each box of a condition."""
        attributes = sorted({a for box in condition.boxes for a in box})
        nodes = [(a, self.tree.finest[a]) for a in attributes]
        cells = np.prod([float(self._tree_level(a).size) for a in attributes])
        # A table across cliques costs as much as dozens of boxes, each one pass through the tree.
        if cells > LARGEST_JOINT or (self.tree.home(nodes) is None and len(condition.boxes) <= FEW_BOXES):
            return np.array([self.calibrated.condition(self._evidence(box))[1] for box in condition.boxes])
        joint = self.calibrated.marginal(nodes)
        shares = []
        for box in condition.boxes:
            evidence, table = self._evidence(box), joint
            for attribute in reversed(attributes):
                weights = evidence.get(attribute)
                table = table.sum(axis=-1) if weights is None else table @ weights
            shares.append(float(table))
        return np.array(shares)


def _along(table: FloatArray, axis: int, matrix: FloatArray) -> FloatArray:
    """Multiplies one axis of a table by a matrix (old, new)."""
    return np.moveaxis(np.tensordot(table, matrix, axes=(axis, 0)), -1, axis)
