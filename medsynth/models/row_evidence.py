"""Rows that are known in some attributes, each in its own: what the tree says of the others.

Rows may be known in different attributes: in every clique those are taken together that know the
same ones there. A message goes up the tree only from cliques below which something is known, once for
every distinct combination of it; the way down chooses one attribute after the other, again once per
combination. So the work follows the distinct combinations that meet in a clique, not the rows times
the tree. Several trees of one shape, parts of a mixture, are asked at once, along the first axis of every table.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth.models.calibration import Calibrated
from medsynth.models.junction_tree import JunctionTree, Node

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntpArray = npt.NDArray[np.intp]

MOST_CELLS = 1 << 21
"""Numbers in a table of combinations at a time."""

Choose = Callable[[Node, FloatArray, IntpArray, IntpArray], IntpArray]
"""(node, chances of its groups (parts, combinations, groups) on any scale, the combination of each row, rows) to the
group of each of these rows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditionals:
    """Trees of one shape as products: the root's table, then each clique given its separator.

    Attributes:
      tree: The junction tree.
      tables: Per clique (parts, groups of each node); 0 where the separator has no probability.
    """

    tree: JunctionTree
    tables: tuple[FloatArray, ...]

    @classmethod
    def of(cls, *parts: Calibrated) -> "Conditionals":
        tables = zip(*map(_conditionals, parts), strict=True)
        return cls(tree=parts[0].tree, tables=tuple(np.stack(each) for each in tables))

    @property
    def parts(self) -> int:
        """Number of trees."""
        return len(self.tables[0])

    def groups(self, attribute: int, groups: IntpArray, level: int, *, have: int) -> IntpArray:
        """Groups at a level, from groups at the finer level `have`."""
        return groups if have == level else self.steps(attribute, have, level)[groups]

    def steps(self, attribute: int, fine: int, level: int) -> IntpArray:
        """The group at a level of each group at a finer one."""
        return self.tree.chains[attribute].project(fine, level).astype(np.intp)

    def size(self, node: Node) -> int:
        """Number of groups of a node."""
        return self.tree.chains[node[0]].levels[node[1]].size

    def slices(
        self, clique: int, fixed: Mapping[int, IntpArray], rows: int, parts: IntpArray | None = None
    ) -> FloatArray:
        """The table of a clique at fixed groups of some attributes: (parts, rows, groups of each other node).

        With a part for each row it is taken from that one, and there is one part.
        """
        table = self.tables[clique]
        axes = [axis for axis, (a, _) in enumerate(self.tree.cliques[clique], start=1) if a in fixed]
        front = np.moveaxis(table, axes, range(1, len(axes) + 1))
        index = tuple(fixed[self.tree.cliques[clique][axis - 1][0]] for axis in axes)
        if parts is not None:
            return np.asarray(front[(parts, *index)])[None]
        if not fixed:
            return np.broadcast_to(table[:, None], (len(table), rows, *table.shape[1:]))
        every: tuple[Any, ...] = (slice(None), *index)
        return np.asarray(front[every])


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """What of the rows is known or drawn so far.

    Attributes:
      conditionals: The tree.
      columns: (n, attributes) groups.
      levels: (n, attributes) the level each stands at, -1 where nothing is known.
      parts: (n,) the tree of each row; None if all are asked.
    """

    conditionals: Conditionals
    columns: IntpArray
    levels: IntpArray
    parts: IntpArray | None = None

    def at(self, attribute: int, level: int, rows: IntpArray) -> IntpArray:
        """Groups of rows, all known at one level, at a level no finer than that."""
        have = int(self.levels[rows[0], attribute])
        return self.conditionals.groups(attribute, self.columns[rows, attribute], level, have=have)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Factor:
    """What is known below a clique, over what is not known of its separator.

    Attributes:
      nodes: Nodes of the separator that are not known.
      table: (parts, combinations, groups of each of the nodes), on the scale of `logs`.
      logs: (parts, combinations).
    """

    nodes: tuple[Node, ...]
    table: FloatArray
    logs: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class _Message:
    """What is known below a clique.

    Attributes:
      variants: (n,) which factor speaks of each row, counted from 1; 0 where nothing is known.
      ids: (n,) which combination of that factor.
      factors: One for each set of columns of the separator that are not known.
    """

    variants: IntpArray
    ids: IntpArray
    factors: list[_Factor]


_Spoken = list[tuple[_Message, _Factor]]


class Evidence:
    """Rows that are known in some attributes, each in its own.

    Args:
      conditionals: The tree.
      groups: (n, attributes) at the tree's finest levels, n at least 1; read where known.
      known: (n, attributes) bool.
      parts: (n,) the tree of each row, which then is the only one asked; None for all trees.
    """

    def __init__(
        self, conditionals: Conditionals, groups: IntpArray, known: BoolArray, parts: IntpArray | None = None
    ) -> None:
        self._conditionals, self._tree = conditionals, conditionals.tree
        self._parts = conditionals.parts if parts is None else 1
        levels = np.where(known, np.array(self._tree.finest), -1)
        self._known = State(conditionals=conditionals, columns=groups, levels=levels, parts=parts)
        self._messages: dict[int, _Message] = {}
        for clique in range(len(self._tree.cliques) - 1, -1, -1):
            self._messages[clique] = self._upward(clique)

    @property
    def logs(self) -> FloatArray:
        """Logarithm of the probability of what is known of each row, (parts, n); -inf where there is none."""
        root, logs = self._messages[0], np.zeros((self._parts, len(self._known.columns)))
        for variant, factor in enumerate(root.factors, start=1):
            rows = root.variants == variant
            logs[:, rows] = np.where(factor.table > 0, factor.logs, -np.inf)[:, root.ids[rows]]
        return logs

    def walk(self, choose: Choose) -> IntpArray:
        """Rows at the finest levels: what is known, and what was chosen, from the root on."""
        state = replace(self._known, columns=self._known.columns.copy(), levels=self._known.levels.copy())
        for clique, nodes in enumerate(self._tree.cliques):
            for rows in self._alike(clique, state):
                new = tuple(node for node in nodes if state.levels[rows[0], node[0]] < node[1])
                if new:
                    self._downward(clique, new, state, rows, choose)
                    for attribute, level in new:
                        state.levels[rows, attribute] = level
        return state.columns

    def _alike(self, clique: int, state: State) -> list[IntpArray]:
        """Rows that know the same columns in the clique, and of which the same children speak."""
        here = [state.levels[:, attribute] + 1 for attribute, _ in self._tree.cliques[clique]]
        below = [self._messages[child].variants for child in self._tree.children[clique]]
        ids, firsts = combined([*here, *below], rows=len(state.columns))
        return np.split(np.argsort(ids, kind="stable"), np.cumsum(np.bincount(ids, minlength=len(firsts)))[:-1])

    def _upward(self, clique: int) -> _Message:
        """The clique's conditional times what its children say, summed over what its separator has not."""
        nodes, ids = self._tree.cliques[clique], np.zeros(len(self._known.columns), dtype=np.intp)
        variants, found = np.zeros_like(ids), dict[tuple[Node, ...], list[tuple[FloatArray, FloatArray]]]()
        for rows in self._alike(clique, self._known):
            have, spoken = self._known.levels[rows[0]], self._spoken(clique, rows)
            free = tuple(node for node in nodes if have[node[0]] < 0)
            if len(free) == len(nodes) and not spoken:
                continue
            kept = tuple(node for node in self._tree.separators[clique] if have[node[0]] < 0)
            own, firsts = self._combinations(clique, self._known, rows, spoken)
            tables = found.setdefault(kept, [])
            ids[rows] = own + sum(logs.shape[1] for _, logs in tables)
            variants[rows] = 1 + list(found).index(kept)
            for some in _portions(firsts, self._parts * prod(map(self._conditionals.size, free))):
                table = self._table(clique, free, self._known, some, spoken)
                table, logs = _scaled(_summed(self._tree, table, free, kept))
                tables.append((table, sum((factor.logs[:, message.ids[some]] for message, factor in spoken), logs)))
        factors = [
            _Factor(nodes=kept, table=np.concatenate(tables, axis=1), logs=np.concatenate(logs, axis=1))
            for kept, (tables, logs) in ((kept, zip(*both, strict=True)) for kept, both in found.items())
        ]
        return _Message(variants=variants, ids=ids, factors=factors)

    def _downward(self, clique: int, new: tuple[Node, ...], state: State, rows: IntpArray, choose: Choose) -> None:
        """Chooses the groups of a clique's new nodes in some rows, given their groups so far."""
        spoken = self._spoken(clique, rows)
        ids, firsts = self._combinations(clique, state, rows, spoken)
        order = np.argsort(ids, kind="stable")
        starts, low = np.append(0, np.cumsum(np.bincount(ids))), 0
        for some in _portions(firsts, self._parts * prod(map(self._conditionals.size, new))):
            table = self._table(clique, new, state, some, spoken)
            own = order[starts[low] : starts[low + len(some)]]
            places, low = ids[own] - low, low + len(some)
            for node in new:
                size = table.shape[2]
                chances = table.reshape(*table.shape[:3], -1).sum(axis=3)
                chosen = choose(node, chances, places, rows[own])
                state.columns[rows[own], node[0]] = chosen
                table, places = table.reshape(len(table), -1, *table.shape[3:]), places * size + chosen

    def _combinations(self, clique: int, state: State, rows: IntpArray, spoken: _Spoken) -> tuple[IntpArray, IntpArray]:
        """(which combination of what bears on the clique each of these rows has, a row of each)."""
        have = state.levels[rows[0]]
        here = [state.at(a, min(x, int(have[a])), rows) for a, x in self._tree.cliques[clique] if have[a] >= 0]
        part = [] if state.parts is None else [state.parts[rows]]
        ids, firsts = combined([*part, *here, *(message.ids[rows] for message, _ in spoken)], rows=len(rows))
        return ids, rows[firsts]

    def _table(self, clique: int, axes: tuple[Node, ...], state: State, some: IntpArray, spoken: _Spoken) -> FloatArray:
        """Chances of the groups of some nodes in some rows, on any scale: (parts, rows, groups of each node)."""
        nodes, have = self._tree.cliques[clique], state.levels[some[0]]
        fixed = {a: state.at(a, level, some) for a, level in nodes if (a, level) not in axes}
        parts = None if state.parts is None else state.parts[some]
        table = self._conditionals.slices(clique, fixed, len(some), parts)
        for axis, (attribute, level) in enumerate(axes):
            if have[attribute] >= 0:  # drawn before at a coarser level
                coarse = self._conditionals.steps(attribute, level, int(have[attribute]))
                inside = coarse == state.columns[some, attribute][:, None]
                table = table * inside.reshape(len(some), *_along(axis, len(axes)))
        for message, factor in spoken:
            table = table * self._factor(message.ids[some], factor, axes, state, some)
        return table

    def _factor(
        self, ids: IntpArray, factor: _Factor, axes: tuple[Node, ...], state: State, some: IntpArray
    ) -> FloatArray:
        """What a child says of some rows, spread over the axes."""
        places = {attribute: axis for axis, (attribute, _) in enumerate(axes)}
        beside = [1] * len(axes)
        index = [ids.reshape(-1, *beside)]
        for attribute, level in factor.nodes:
            if attribute in places:
                axis = places[attribute]
                steps = self._conditionals.steps(attribute, axes[axis][1], level)
                index.append(steps.reshape(1, *_along(axis, len(axes))))
            else:
                index.append(state.at(attribute, level, some).reshape(-1, *beside))
        every: tuple[Any, ...] = (slice(None), *index)
        return np.asarray(factor.table[every])

    def _spoken(self, clique: int, rows: IntpArray) -> _Spoken:
        """What the clique's children say of rows that are alike."""
        messages = (self._messages[child] for child in self._tree.children[clique])
        return [(each, each.factors[each.variants[rows[0]] - 1]) for each in messages if each.variants[rows[0]]]


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


def _conditionals(calibrated: Calibrated) -> Iterator[FloatArray]:
    """Each clique's table given its separator."""
    for belief, up, separator in zip(
        calibrated.beliefs, calibrated.tree.upward, calibrated.separator_beliefs, strict=True
    ):
        below = np.broadcast_to(np.ones(()) if up is None else up.spread(separator), belief.shape)
        yield np.divide(belief, below, out=np.zeros_like(belief), where=below > 0)


def _summed(tree: JunctionTree, table: FloatArray, nodes: Sequence[Node], kept: Sequence[Node]) -> FloatArray:
    """Sums each row's table over `nodes` to the kept ones, at their levels."""
    wanted = dict(kept)
    table = table.sum(axis=tuple(axis for axis, (a, _) in enumerate(nodes, start=2) if a not in wanted))
    for axis, (attribute, level) in enumerate((node for node in nodes if node[0] in wanted), start=2):
        if level != wanted[attribute]:
            table = tree.merge(attribute, level, wanted[attribute]).sum(table, axis)
    return table


def _scaled(table: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(each row's table divided by its peak, so that products of many stay in range; logarithm of the peak)."""
    peak = table.max(axis=tuple(range(2, table.ndim)), keepdims=True) if table.ndim > 2 else table
    logs = np.log(np.where(peak > 0, peak, 1.0)).reshape(table.shape[:2])
    return np.asarray(np.divide(table, peak, out=np.zeros_like(table), where=peak > 0)), logs
