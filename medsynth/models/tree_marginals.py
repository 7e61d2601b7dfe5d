"""Marginals across the cliques of a calibrated tree: all pairs at once, or any set of nodes.

All pairs: take the smaller attribute of each pair, hold each of its groups in turn, and pass what
that says about the other attributes outward, clique by clique. Every step is one product of
matrices.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import numpy.typing as npt

from medsynth.models.junction_tree import JunctionTree, Merge, Node

FloatArray = npt.NDArray[np.float64]
Axes = tuple[int, ...]


def pair_marginals(
    tree: JunctionTree,
    beliefs: Sequence[FloatArray],
    separators: Sequence[FloatArray],
    levels: Sequence[int],
    pairs: Collection[tuple[int, int]] | None = None,
) -> dict[tuple[int, int], FloatArray]:
    """Exact probabilities of every pair of attributes, or of some.

    Args:
      tree: The junction tree.
      beliefs: Probabilities of each clique.
      separators: Probabilities of each clique's separator towards its parent.
      levels: Level of each attribute, not finer than `tree.finest`.
      pairs: Those wanted, (i, j) with i < j; None for all.

    Returns:
      {(i, j): table (size of level i, size of level j)} for all wanted i < j.

    Source: recipe, part two, section B.
    """
    outward = _Outward(tree=tree, beliefs=beliefs, separators=separators, levels=levels)
    sizes = [chain.levels[level].size for chain, level in zip(tree.chains, levels, strict=True)]
    left = set(combinations(range(len(sizes)), 2) if pairs is None else pairs)
    found: dict[tuple[int, int], FloatArray] = {}
    for source in _sources(left, sizes):
        targets = {a for pair in left if source in pair for a in pair if a != source}
        for target, table in outward.tables(source, targets):
            pair = min(source, target), max(source, target)
            found[pair] = table if source < target else table.T
            left.discard(pair)
    return found


def _sources(pairs: Collection[tuple[int, int]], sizes: Sequence[int]) -> list[int]:
    """Attributes to hold in turn: those of most pairs first, of equally many the smallest."""
    partners = Counter(attribute for pair in pairs for attribute in pair)
    return sorted(partners, key=lambda a: (-partners[a], sizes[a], a))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Outward:
    """Passes one attribute's groups through the tree; keeps what depends on the tree alone."""

    tree: JunctionTree
    beliefs: Sequence[FloatArray]
    separators: Sequence[FloatArray]
    levels: Sequence[int]
    kernels: dict[tuple[int, Axes, Axes], "_Kernel"] = field(default_factory=dict)

    def tables(self, source: int, targets: set[int]) -> Iterator[tuple[int, FloatArray]]:
        """Yields (target, table over source and target) for every target."""
        home = self.tree.home([(source, self.levels[source])])
        assert home is not None  # levels are not finer than the tree's
        plan = self._plan(home, targets)
        axis = self._axis(home, source)
        held = np.zeros((self._size(source, self.levels[source]), self.tree.shapes[home][axis]))
        fine = self.tree.cliques[home][axis][1]
        groups = self.tree.chains[source].project(fine, self.levels[source])
        held[groups, np.arange(len(groups))] = 1.0
        yield from self._visit(home, -1, (axis,), held, plan)

    def _visit(
        self, clique: int, origin: int, known: Axes, given: FloatArray, plan: dict[int, list[int]]
    ) -> Iterator[tuple[int, FloatArray]]:
        """Reads the targets assigned to a clique, then goes on to its neighbours.

        given: shape (groups of the source, *known axes of the clique): ratio by which each group
          changes the clique.
        """
        for target in plan[clique]:
            node = (target, self.levels[target])
            yield target, self._pass(clique, known, given, (node,))
        for neighbour in self._neighbours(clique):
            if neighbour != origin and neighbour in plan:
                below = neighbour if self.tree.parents[neighbour] == clique else clique
                separator = self.tree.separators[below]
                joint = self._pass(clique, known, given, separator)
                base = self.separators[below]
                ratio = np.divide(joint, base, out=np.zeros_like(joint), where=base > 0)
                axes = tuple(self._axis(neighbour, attribute) for attribute, _ in separator)
                refined = self._refine(neighbour, axes, separator, ratio)
                yield from self._visit(neighbour, clique, axes, refined, plan)

    def _pass(self, clique: int, known: Axes, given: FloatArray, nodes: Sequence[Node]) -> FloatArray:
        """Joint probabilities of the source's groups and some nodes of a clique."""
        wanted = tuple(self._axis(clique, attribute) for attribute, _ in nodes)
        key = (clique, known, wanted)
        if key not in self.kernels:
            self.kernels[key] = _Kernel.of(self.beliefs[clique], known, wanted)
        table = self.kernels[key].apply(given)
        for place, (attribute, level) in enumerate(nodes):
            merge = self._merge(attribute, self.tree.cliques[clique][wanted[place]][1], level)
            table = table if merge is None else merge.sum(table, place + 1)
        return table

    def _refine(self, clique: int, axes: Axes, separator: Sequence[Node], ratio: FloatArray) -> FloatArray:
        """Repeats a ratio over a separator's groups for the finer groups of a clique."""
        for place, (attribute, level) in enumerate(separator):
            merge = self._merge(attribute, self.tree.cliques[clique][axes[place]][1], level)
            ratio = ratio if merge is None else ratio.take(merge.groups, place + 1)
        return ratio

    def _plan(self, home: int, targets: set[int]) -> dict[int, list[int]]:
        """Which targets are read at which clique, for the cliques on the way to some target."""
        left, plan, origins = set(targets), {}, {home: -1}
        queue = [home]
        for clique in queue:
            levels = dict(self.tree.cliques[clique])
            plan[clique] = sorted(a for a in left if levels.get(a, -1) >= self.levels[a])
            left.difference_update(plan[clique])
            for neighbour in self._neighbours(clique):
                if neighbour not in origins:
                    origins[neighbour] = clique
                    queue.append(neighbour)
        needed = {home}
        for clique in reversed(queue):
            if plan[clique] or clique in needed:
                needed.update({clique, origins[clique]})
        return {clique: plan[clique] for clique in queue if clique in needed}

    def _neighbours(self, clique: int) -> tuple[int, ...]:
        parent = self.tree.parents[clique]
        return (*self.tree.children[clique], *([parent] if parent >= 0 else []))

    def _axis(self, clique: int, attribute: int) -> int:
        return self.tree.axes[clique][attribute]

    def _size(self, attribute: int, level: int) -> int:
        return self.tree.chains[attribute].levels[level].size

    def _merge(self, attribute: int, fine: int, coarse: int) -> Merge | None:
        return None if fine == coarse else self.tree.merge(attribute, fine, coarse)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Kernel:
    """A clique's table as matrices from its known axes to its wanted ones, one per group of the
    axes that are both.

    Attributes:
      matrices: Shape (both, known only, wanted only).
      shape: Sizes of the axes that are both, then of those only wanted.
      inward: Order that brings (source, *known) to (both, source, known only).
      outward: Order that brings (both, source, wanted only) to (source, *wanted).
    """

    matrices: FloatArray
    shape: tuple[tuple[int, ...], tuple[int, ...]]
    inward: Axes
    outward: Axes

    @classmethod
    def of(cls, belief: FloatArray, known: Axes, wanted: Axes) -> "_Kernel":
        """Sums a clique's table to the axes that matter and arranges them."""
        both = tuple(axis for axis in known if axis in wanted)
        inner = tuple(axis for axis in known if axis not in wanted)
        outer = tuple(axis for axis in wanted if axis not in known)
        kept = sorted({*known, *wanted})
        summed = belief.sum(axis=tuple(a for a in range(belief.ndim) if a not in kept))
        arranged = summed.transpose([kept.index(axis) for axis in (*both, *inner, *outer)])
        sizes = [tuple(belief.shape[axis] for axis in part) for part in (both, inner, outer)]
        lengths = [int(np.prod(part)) for part in sizes]
        here = (*both, -1, *outer)
        return cls(
            matrices=np.ascontiguousarray(arranged).reshape(lengths),
            shape=(sizes[0], sizes[2]),
            inward=(
                *(1 + known.index(axis) for axis in both),
                0,
                *(1 + known.index(a) for a in inner),
            ),
            outward=tuple(here.index(axis) for axis in (-1, *wanted)),
        )

    def apply(self, given: FloatArray) -> FloatArray:
        """Shape (source, *known) -> (source, *wanted)."""
        length, inner, _ = self.matrices.shape
        moved = given.transpose(self.inward).reshape(length, given.shape[0], inner)
        result = np.matmul(moved, self.matrices)
        shape = (*self.shape[0], given.shape[0], *self.shape[1])
        return np.asarray(result.reshape(shape).transpose(self.outward))


def joint_marginal(
    tree: JunctionTree,
    beliefs: Sequence[FloatArray],
    separators: Sequence[FloatArray],
    nodes: Sequence[Node],
) -> FloatArray:
    """Exact probabilities over nodes that no clique holds together, by elimination towards one
    clique.

    Args:
      tree: The junction tree.
      beliefs: Probabilities of each clique.
      separators: Probabilities of each clique's separator towards its parent.
      nodes: Distinct attributes at levels not finer than `tree.finest`.

    Returns:
      Probabilities, axes in the order of the nodes.
    """
    return _Inward(tree=tree, beliefs=beliefs, separators=separators, nodes=nodes).table()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Inward:
    """Carries queried nodes up to the root; einsum labels are clique axes and carried nodes."""

    tree: JunctionTree
    beliefs: Sequence[FloatArray]
    separators: Sequence[FloatArray]
    nodes: Sequence[Node]

    def table(self) -> FloatArray:
        """The queried table."""
        readers: dict[int, list[int]] = {}
        for place, (attribute, level) in enumerate(self.nodes):
            # Parents stand first: the first holder is the one next to the root.
            holder = next(k for k, has in enumerate(self.tree.levels) if has.get(attribute, -1) >= level)
            readers.setdefault(holder, []).append(place)
        needed = set(readers)
        for clique in reversed(range(len(self.tree.cliques))):
            if clique in needed and clique:
                needed.add(self.tree.parents[clique])
        carried, table = self._collect(0, readers, needed)
        return table.transpose(np.argsort(carried))

    def _collect(self, clique: int, readers: dict[int, list[int]], needed: set[int]) -> tuple[list[int], FloatArray]:
        """(places of queried nodes read below, table over them and the clique's separator)."""
        labels = {attribute: axis for axis, (attribute, _) in enumerate(self.tree.cliques[clique])}
        levels = dict(self.tree.cliques[clique])
        operands: list[object] = [self.beliefs[clique], list(labels.values())]
        used = len(labels)
        carried: list[int] = []
        out: list[int] = []
        for child in (child for child in self.tree.children[clique] if child in needed):
            below, table = self._collect(child, readers, needed)
            base = self.separators[child]
            ratio = np.divide(table, base, out=np.zeros_like(table), where=base > 0)
            fine = self._refined(ratio, len(below), self.tree.separators[child], levels)
            fresh = list(range(used, used + len(below)))
            used += len(below)
            operands += [fine, fresh + [labels[a] for a, _ in self.tree.separators[child]]]
            carried, out = carried + below, out + fresh
        asked = [(place, self.nodes[place]) for place in readers.get(clique, [])]
        for place, node in [*asked, *((-1, node) for node in self.tree.separators[clique])]:
            operands += [self._indicator(node, levels), [labels[node[0]], used]]
            out.append(used)
            used += 1
            carried += [place] if place >= 0 else []
        return carried, np.einsum(*operands, out, optimize="greedy")  # type: ignore[call-overload]

    def _refined(self, ratio: FloatArray, lead: int, separator: Sequence[Node], levels: dict[int, int]) -> FloatArray:
        for place, (attribute, level) in enumerate(separator):
            if levels[attribute] != level:
                groups = self.tree.merge(attribute, levels[attribute], level).groups
                ratio = ratio.take(groups, lead + place)
        return ratio

    def _indicator(self, node: Node, levels: dict[int, int]) -> FloatArray:
        """1 where a group of the clique's level belongs to a group of the node's."""
        attribute, level = node
        groups = self.tree.chains[attribute].project(levels[attribute], level)
        return np.eye(self.tree.chains[attribute].levels[level].size)[groups]
