"""Rows that are known in some attributes, each in its own groups: what the tree says of the others.

A message goes up the tree only from cliques below which something is known, and once for every
distinct combination of what is known there; the way down chooses one attribute after the other,
again once per combination. So the work follows the distinct combinations that meet in a clique, not
the rows times the tree.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from medsynth.models.calibration import Calibrated
from medsynth.models.junction_tree import JunctionTree, Node

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntpArray = npt.NDArray[np.intp]

MOST_CELLS = 1 << 21
"""Numbers in a table of combinations at a time."""

Choose = Callable[[int, Node, FloatArray, IntpArray], IntpArray]
"""(step, node, chances of its groups per row on any scale, rows) to the group of each of these rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditionals:
    """The tree as a product: the root's table, then each clique given its separator.

    Attributes:
      tree: The junction tree.
      tables: Per clique; 0 where the separator has no probability.
    """

    tree: JunctionTree
    tables: tuple[FloatArray, ...]

    @classmethod
    def of(cls, calibrated: Calibrated) -> "Conditionals":
        tables = []
        for belief, up, separator in zip(
            calibrated.beliefs, calibrated.tree.upward, calibrated.separator_beliefs, strict=True
        ):
            below = np.broadcast_to(np.ones(()) if up is None else up.spread(separator), belief.shape)
            tables.append(np.divide(belief, below, out=np.zeros_like(belief), where=below > 0))
        return cls(tree=calibrated.tree, tables=tuple(tables))

    def groups(self, attribute: int, groups: IntpArray, level: int, *, have: int | None = None) -> IntpArray:
        """Groups at a level, from groups at a finer one: at `have`, by default the tree's finest."""
        fine = self.tree.finest[attribute] if have is None else have
        return groups if fine == level else self.steps(attribute, fine, level)[groups]

    def steps(self, attribute: int, fine: int, level: int) -> IntpArray:
        """The group at a level of each group at a finer one."""
        return self.tree.chains[attribute].project(fine, level).astype(np.intp)

    def size(self, node: Node) -> int:
        """Number of groups of a node."""
        return self.tree.chains[node[0]].levels[node[1]].size

    def slices(self, clique: int, fixed: Mapping[int, IntpArray], rows: int) -> FloatArray:
        """The table of a clique at fixed groups of some attributes: (rows, groups of each other node)."""
        table = self.tables[clique]
        if not fixed:
            return np.broadcast_to(table, (rows, *table.shape))
        axes = [axis for axis, (attribute, _) in enumerate(self.tree.cliques[clique]) if attribute in fixed]
        front = np.moveaxis(table, axes, range(len(axes)))
        return np.asarray(front[tuple(fixed[self.tree.cliques[clique][axis][0]] for axis in axes)])


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """What of the rows is known or drawn so far.

    Attributes:
      conditionals: The tree.
      columns: (n, attributes) groups.
      levels: The level these stand at, per attribute known or begun; the same in all rows.
    """

    conditionals: Conditionals
    columns: IntpArray
    levels: dict[int, int]

    def at(self, attribute: int, level: int, rows: IntpArray | slice = slice(None)) -> IntpArray:
        """Groups of rows at a level no finer than theirs."""
        return self.conditionals.groups(attribute, self.columns[rows, attribute], level, have=self.levels[attribute])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Message:
    """What is known below a clique, as a factor over its separator.

    Attributes:
      ids: Which combination each row has.
      nodes: Nodes of the separator that are not known.
      table: (combinations, groups of each of the nodes), on any scale.
    """

    ids: IntpArray
    nodes: tuple[Node, ...]
    table: FloatArray


class Evidence:
    """Rows that are known in the same attributes.

    Args:
      conditionals: The tree.
      groups: (n, attributes) at the tree's finest levels, n at least 1; read in the known attributes.
      known: Their positions.
    """

    def __init__(self, conditionals: Conditionals, groups: IntpArray, known: Sequence[int]) -> None:
        self._conditionals, self._tree = conditionals, conditionals.tree
        self._known = State(conditionals=conditionals, columns=groups, levels={a: self._tree.finest[a] for a in known})
        self._messages: list[_Message | None] = [None] * len(self._tree.cliques)
        for clique in range(len(self._tree.cliques) - 1, -1, -1):
            self._messages[clique] = self._upward(clique)

    @property
    def possible(self) -> BoolArray:
        """Which rows have positive probability."""
        root = self._messages[0]
        return np.ones(len(self._known.columns), dtype=bool) if root is None else root.table[root.ids] > 0

    def walk(self, choose: Choose) -> IntpArray:
        """Rows at the finest levels: what is known, and what was chosen, from the root on."""
        state = replace(self._known, columns=self._known.columns.copy(), levels=dict(self._known.levels))
        step = 0
        for clique, nodes in enumerate(self._tree.cliques):
            new = tuple(node for node in nodes if state.levels.get(node[0], -1) < node[1])
            if new:
                self._downward(clique, new, state, step, choose)
                state.levels.update(new)
                step += len(new)
        return state.columns

    def _upward(self, clique: int) -> _Message | None:
        """The clique's conditional times what its children say, summed over what its separator has not."""
        nodes, known = self._tree.cliques[clique], self._known.levels
        free = tuple(node for node in nodes if node[0] not in known)
        if len(free) == len(nodes) and not self._telling(clique):
            return None
        kept = tuple(node for node in self._tree.separators[clique] if node[0] not in known)
        ids, firsts = self._combinations(clique, self._known)
        parts = []
        for some in _portions(firsts, prod(map(self._conditionals.size, free))):
            table = self._table(clique, free, self._known, some)
            parts.append(_scaled(_summed(self._tree, table, free, kept)))
        return _Message(ids=ids, nodes=kept, table=np.concatenate(parts))

    def _downward(self, clique: int, new: tuple[Node, ...], state: State, step: int, choose: Choose) -> None:
        """Chooses the groups of a clique's new nodes, given the rows' groups so far."""
        ids, firsts = self._combinations(clique, state)
        order = np.argsort(ids, kind="stable")
        starts = np.append(0, np.cumsum(np.bincount(ids)))
        begun, low = state.columns.copy(), 0
        for some in _portions(firsts, prod(map(self._conditionals.size, new))):
            table = self._table(clique, new, replace(state, columns=begun), some)
            rows = order[starts[low] : starts[low + len(some)]]
            places, low = ids[rows] - low, low + len(some)
            for offset, node in enumerate(new):
                size = table.shape[1]
                chances = table.reshape(len(table), size, -1).sum(axis=2)[places]
                chosen = choose(step + offset, node, chances, rows)
                state.columns[rows, node[0]] = chosen
                table, places = table.reshape(-1, *table.shape[2:]), places * size + chosen

    def _combinations(self, clique: int, state: State) -> tuple[IntpArray, IntpArray]:
        """(which combination of what bears on the clique each row has, a row of each)."""
        here = [state.at(a, min(x, state.levels[a])) for a, x in self._tree.cliques[clique] if a in state.levels]
        return combined([*here, *(child.ids for child in self._telling(clique))], rows=len(state.columns))

    def _table(self, clique: int, axes: tuple[Node, ...], state: State, some: IntpArray) -> FloatArray:
        """Chances of the groups of some nodes in some rows, on any scale: (rows, groups of each node)."""
        nodes = self._tree.cliques[clique]
        fixed = {a: state.at(a, level, some) for a, level in nodes if (a, level) not in axes}
        table = self._conditionals.slices(clique, fixed, len(some))
        for axis, (attribute, level) in enumerate(axes):
            if attribute in state.levels:  # drawn before at a coarser level
                coarse = self._conditionals.steps(attribute, level, state.levels[attribute])
                inside = coarse == state.columns[some, attribute][:, None]
                table = table * inside.reshape(len(some), *_along(axis, len(axes)))
        for child in self._telling(clique):
            table = table * self._factor(child, axes, state, some)
        return table

    def _factor(self, child: _Message, axes: tuple[Node, ...], state: State, some: IntpArray) -> FloatArray:
        """What a child says of some rows, spread over the axes."""
        places = {attribute: axis for axis, (attribute, _) in enumerate(axes)}
        beside = [1] * len(axes)
        index = [child.ids[some].reshape(-1, *beside)]
        for attribute, level in child.nodes:
            if attribute in places:
                axis = places[attribute]
                steps = self._conditionals.steps(attribute, axes[axis][1], level)
                index.append(steps.reshape(1, *_along(axis, len(axes))))
            else:
                index.append(state.at(attribute, level, some).reshape(-1, *beside))
        return np.asarray(child.table[tuple(index)])

    def _telling(self, clique: int) -> list[_Message]:
        """Messages of the clique's children below which something is known."""
        found = (self._messages[child] for child in self._tree.children[clique])
        return [message for message in found if message is not None]


def combined(columns: Sequence[IntpArray], *, rows: int) -> tuple[IntpArray, IntpArray]:
    """(number of each row's combination, a row of each combination).

    >>> combined([np.array([3, 1, 3]), np.array([0, 0, 0])], rows=3)
    (array([1, 0, 1]), array([1, 0]))
    """
    ids, firsts = np.zeros(rows, dtype=np.intp), np.zeros(1, dtype=np.intp)
    for column in columns:
        _, firsts, ids = np.unique(ids * (int(column.max()) + 1) + column, return_index=True, return_inverse=True)
    return ids, firsts


def _portions(firsts: IntpArray, cells: int) -> Iterator[IntpArray]:
    """The combinations, so many at a time that their tables stay small."""
    size = max(1, MOST_CELLS // max(cells, 1))
    for start in range(0, len(firsts), size):
        yield firsts[start : start + size]


def _along(axis: int, axes: int) -> list[int]:
    """Shape of a vector along one of several axes."""
    return [-1 if other == axis else 1 for other in range(axes)]


def _summed(tree: JunctionTree, table: FloatArray, nodes: Sequence[Node], kept: Sequence[Node]) -> FloatArray:
    """Sums each row's table over `nodes` to the kept ones, at their levels."""
    wanted = dict(kept)
    table = table.sum(axis=tuple(axis for axis, (a, _) in enumerate(nodes, start=1) if a not in wanted))
    for axis, (attribute, level) in enumerate((node for node in nodes if node[0] in wanted), start=1):
        if level != wanted[attribute]:
            table = tree.merge(attribute, level, wanted[attribute]).sum(table, axis)
    return table


def _scaled(table: FloatArray) -> FloatArray:
    """Each row's table divided by its peak, so that products of many stay in range."""
    peak = table.max(axis=tuple(range(1, table.ndim)), keepdims=True) if table.ndim > 1 else table
    return np.asarray(np.divide(table, peak, out=np.zeros_like(table), where=peak > 0))
