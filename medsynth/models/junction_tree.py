"""A junction tree over (attribute, level) nodes, and sums between tables of its nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
import numpy.typing as npt

from medsynth.models import triangulation
from medsynth.models.levels import Chain

FloatArray = npt.NDArray[np.float64]
IntpArray = npt.NDArray[np.intp]

Node = triangulation.Node
"""(attribute position, level position in its chain)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class JunctionTree:
    """Cliques of nodes joined at separators; in a clique each attribute has one axis, at its finest
    level there.

    A coarser level of an attribute is a function of the finer one, so a clique holds it for free.
    Neighbours share an attribute at the coarser of their two levels; cliques without a common
    attribute meet at an empty separator.

    Attributes:
      chains: Levels of every attribute of the domain, by position.
      cliques: Nodes of each clique, by attribute; a parent stands before its children, the root
        first.
      parents: Position of each clique's parent, -1 for the root.
      separators: Nodes each clique shares with its parent, () for the root.
    """

    chains: tuple[Chain, ...]
    cliques: tuple[tuple[Node, ...], ...]
    parents: tuple[int, ...]
    separators: tuple[tuple[Node, ...], ...]

    @classmethod
    def build(cls, chains: Sequence[Chain], cliques: Sequence[Sequence[Node]]) -> "JunctionTree":
        """Triangulates the graph of the given cliques and joins the maximal cliques that result.

        Args:
          chains: Levels of every attribute.
          cliques: Nodes that must lie together; an attribute in none of them enters alone at its
            finest level.
        """
        found = triangulation.maximal_cliques(chains, cliques)
        order, parents = triangulation.join(found)
        nodes = tuple(found[position] for position in order)
        return cls.rebuild(chains, nodes, parents)

    @classmethod
    def rebuild(
        cls, chains: Sequence[Chain], cliques: Sequence[tuple[Node, ...]], parents: Sequence[int]
    ) -> "JunctionTree":
        """The tree with these cliques and parents; its separators follow."""
        separators = tuple(
            shared_nodes(cliques[child], cliques[parent]) if parent >= 0 else () for child, parent in enumerate(parents)
        )
        return cls(
            chains=tuple(chains),
            cliques=tuple(cliques),
            parents=tuple(parents),
            separators=separators,
        )

    @cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each clique's table."""
        return tuple(
            tuple(self.chains[attribute].levels[level].size for attribute, level in clique) for clique in self.cliques
        )

    @cached_property
    def cells(self) -> int:
        """Cells of all clique tables together."""
        return sum(prod(shape) for shape in self.shapes)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Positions of each clique's children."""
        found: list[list[int]] = [[] for _ in self.cliques]
        for child, parent in enumerate(self.parents):
            if parent >= 0:
                found[parent].append(child)
        return tuple(tuple(each) for each in found)

    @cached_property
    def finest(self) -> tuple[int, ...]:
        """Finest level of each attribute present in the tree."""
        levels = [0] * len(self.chains)
        for attribute, level in (node for clique in self.cliques for node in clique):
            levels[attribute] = max(levels[attribute], level)
        return tuple(levels)

    @cached_property
    def runs_through(self) -> bool:
        """True if every node's cliques are connected (the running intersection property)."""
        for attribute, finest in enumerate(self.finest):
            for wanted in range(finest + 1):
                holders = sum(has.get(attribute, -1) >= wanted for has in self.levels)
                links = sum(a == attribute and level >= wanted for s in self.separators for a, level in s)
                if holders and holders - links != 1:
                    return False
        return True

    def home(self, nodes: Sequence[Node]) -> int | None:
        """The smallest clique that has every node at its level or finer, or None."""
        wanted = dict(nodes)
        holders = [
            position
            for position, levels in enumerate(self.levels)
            if all(levels.get(attribute, -1) >= level for attribute, level in wanted.items())
        ]
        return min(holders, key=lambda position: prod(self.shapes[position]), default=None)

    def holds(self, nodes: Sequence[Node]) -> bool:
        """True if one clique has every node at its level or finer."""
        return self.home(nodes) is not None

    @cached_property
    def levels(self) -> tuple[dict[int, int], ...]:
        """Level of each attribute in each clique."""
        return tuple(dict(clique) for clique in self.cliques)

    @cached_property
    def axes(self) -> tuple[dict[int, int], ...]:
        """Axis of each attribute in each clique."""
        return tuple({a: axis for axis, (a, _) in enumerate(clique)} for clique in self.cliques)

    def merge(self, attribute: int, fine: int, coarse: int) -> "Merge":
        """How groups of one level of an attribute add up to those of a coarser one."""
        key = (attribute, fine, coarse)
        if key not in self._merges:
            chain = self.chains[attribute]
            self._merges[key] = Merge.of(chain.project(fine, coarse), chain.levels[coarse].size)
        return self._merges[key]

    @cached_property
    def _merges(self) -> dict[tuple[int, int, int], "Merge"]:
        return {}

    def embedding(self, outer: Sequence[Node], inner: Sequence[Node]) -> "Embedding":
        """How a table over `inner` sits in one over `outer`, which has its levels or finer ones."""
        key = (tuple(outer), tuple(inner))
        if key not in self._embeddings:
            self._embeddings[key] = Embedding.between(self, *key)
        return self._embeddings[key]

    @cached_property
    def _embeddings(self) -> dict[tuple[tuple[Node, ...], tuple[Node, ...]], "Embedding"]:
        return {}

    @cached_property
    def upward(self) -> tuple["Embedding | None", ...]:
        """Per clique, its separator within the clique (None for the root)."""
        return tuple(
            self.embedding(clique, separator) if parent >= 0 else None
            for clique, separator, parent in zip(self.cliques, self.separators, self.parents, strict=True)
        )

    @cached_property
    def downward(self) -> tuple["Embedding | None", ...]:
        """Per clique, its separator within the parent (None for the root)."""
        return tuple(
            self.embedding(self.cliques[parent], separator) if parent >= 0 else None
            for separator, parent in zip(self.separators, self.parents, strict=True)
        )


def shared_nodes(first: Sequence[Node], second: Sequence[Node]) -> tuple[Node, ...]:
    """Attributes of both cliques, each at the coarser of its two levels."""
    other = dict(second)
    return tuple((a, min(level, other[a])) for a, level in first if a in other)


@dataclass(frozen=True, kw_only=True, eq=False)
class Merge:
    """Groups of a fine level that belong to each group of a coarse one, prepared for summing.

    Attributes:
      groups: Coarse group of each fine group.
      order: Fine groups sorted by coarse group, None where they already are.
      starts: First place of each nonempty coarse group in that order.
      filled: Positions of the nonempty coarse groups, None where all are.
      size: Number of coarse groups.
    """

    groups: IntpArray
    order: IntpArray | None
    starts: IntpArray
    filled: IntpArray | None
    size: int

    @classmethod
    def of(cls, groups: npt.NDArray[np.integer], size: int) -> "Merge":
        """Prepares a map from fine to coarse groups."""
        wide = groups.astype(np.intp)
        order = None if bool(np.all(wide[1:] >= wide[:-1])) else np.argsort(wide, kind="stable")
        ascending = wide if order is None else wide[order]
        counts = np.bincount(ascending, minlength=size)
        filled = None if bool(counts.all()) else np.flatnonzero(counts)
        ends = np.cumsum(counts)
        starts = (ends - counts) if filled is None else (ends - counts)[filled]
        return cls(groups=wide, order=order, starts=starts, filled=filled, size=size)

    def sum(self, table: FloatArray, axis: int) -> FloatArray:
        """Sums fine groups of one axis into coarse ones."""
        ordered = table if self.order is None else table.take(self.order, axis)
        sums = np.add.reduceat(ordered, self.starts, axis)
        if self.filled is None:
            return sums
        whole = np.zeros((*table.shape[:axis], self.size, *table.shape[axis + 1 :]))
        whole[(slice(None),) * axis + (self.filled,)] = sums
        return whole


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding:
    """A table over `inner` nodes inside one over `outer` nodes: sum the one to the other, or spread
    it back.

    Attributes:
      dropped: Outer axes that inner does not have.
      merges: (axis after dropping, merge) where the inner level is coarser.
      order: Position in the inner nodes of each kept axis.
      spread_shape: Shape of an inner table, axes in outer order and at outer levels, with 1 for
        dropped axes.
    """

    dropped: tuple[int, ...]
    merges: tuple[tuple[int, Merge], ...]
    order: tuple[int, ...]
    spread_shape: tuple[int, ...]

    @classmethod
    def between(cls, tree: JunctionTree, outer: tuple[Node, ...], inner: tuple[Node, ...]) -> "Embedding":
        """Prepares the arithmetic between two node sets."""
        wanted = {attribute: (place, level) for place, (attribute, level) in enumerate(inner)}
        kept = [node for node in outer if node[0] in wanted]
        merges = []
        for axis, (attribute, level) in enumerate(kept):
            coarse = wanted[attribute][1]
            if coarse != level:
                merges.append((axis, tree.merge(attribute, level, coarse)))
        return cls(
            dropped=tuple(axis for axis, node in enumerate(outer) if node[0] not in wanted),
            merges=tuple(merges),
            order=tuple(wanted[attribute][0] for attribute, _ in kept),
            spread_shape=tuple(tree.chains[a].levels[level].size if a in wanted else 1 for a, level in outer),
        )

    @cached_property
    def _to_inner(self) -> tuple[int, ...] | None:
        inverse = tuple(int(place) for place in np.argsort(self.order))
        return None if inverse == tuple(range(len(inverse))) else inverse

    def sum(self, table: FloatArray) -> FloatArray:
        """Sums an outer table to the inner nodes."""
        result = table.sum(axis=self.dropped) if self.dropped else table
        for axis, merge in self.merges:
            result = merge.sum(result, axis)
        return np.asarray(result if self._to_inner is None else result.transpose(self._to_inner))

    def spread(self, table: FloatArray) -> FloatArray:
        """Repeats an inner table so that it broadcasts over an outer one."""
        result = table if self._to_inner is None else table.transpose(self.order)
        for axis, merge in self.merges:
            result = result.take(merge.groups, axis)
        return result.reshape(self.spread_shape)
