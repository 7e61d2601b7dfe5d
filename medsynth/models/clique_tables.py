"""Many small tables inside the cliques of a tree: sum them all out of the cliques, or add them all
in.

A clique holds several tables. Dropping an axis that most of them do not have gives a smaller table
to read those from, and so on: a clique is read about three times, however many tables it holds.
Adding goes the same way back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from medsynth.models.junction_tree import Embedding, JunctionTree, Node

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class CliqueTables:
    """Small tables, each read from one clique; their cells lie in a row, table by table.

    Attributes:
      readings: Per clique, how its tables are read.
      shapes: Shape of each table.
      ends: End of each table in the row.
    """

    readings: "tuple[Reading, ...]"
    shapes: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, tree: JunctionTree, tables: Sequence[Sequence[Node]]) -> "CliqueTables":
        """Places every table in the smallest clique that holds it.

        Raises:
          ValueError: If no clique holds a table.
        """
        held: list[list[tuple[int, tuple[Node, ...]]]] = [[] for _ in tree.cliques]
        for number, nodes in enumerate(tables):
            home = tree.home(nodes)
            if home is None:
                raise ValueError("a table lies outside every clique of the tree: build the tree with it")
            held[home].append((number, tuple(nodes)))
        shapes = tuple(tuple(tree.chains[a].levels[k].size for a, k in nodes) for nodes in tables)
        return cls(
            readings=tuple(Reading.plan(tree, clique, here) for clique, here in zip(tree.cliques, held, strict=True)),
            shapes=shapes,
            ends=tuple(int(end) for end in np.cumsum([prod(shape) for shape in shapes])),
        )

    def cut(self, row: FloatArray) -> list[FloatArray]:
        """The tables whose cells lie in a row."""
        starts = (0, *self.ends[:-1])
        return [row[start:end].reshape(shape) for start, end, shape in zip(starts, self.ends, self.shapes, strict=True)]

    def add(self, row: FloatArray, cliques: Sequence[FloatArray]) -> None:
        """Adds every table to its clique, in place."""
        tables = self.cut(row)
        for reading, clique in zip(self.readings, cliques, strict=True):
            reading.add(tables, clique)

    def sums(self, cliques: Sequence[FloatArray]) -> FloatArray:
        """Sums the cliques to every table; the cells in a row."""
        row = np.empty(self.ends[-1] if self.ends else 0)
        tables = self.cut(row)
        for reading, clique in zip(self.readings, cliques, strict=True):
            reading.sum(clique, tables)
        return row


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """How tables are read from one table.

    Attributes:
      shape: Shape of the table read from.
      direct: (number, embedding) of the tables read from it directly.
      smaller: (dropped axis, reading) of smaller tables to read others from.
    """

    shape: tuple[int, ...]
    direct: tuple[tuple[int, Embedding], ...]
    smaller: "tuple[tuple[int, Reading], ...]"

    @classmethod
    def plan(
        cls,
        tree: JunctionTree,
        nodes: tuple[Node, ...],
        wanted: Sequence[tuple[int, tuple[Node, ...]]],
    ) -> "Reading":
        """Chooses the axes to drop; `wanted` holds the number and the nodes of each table."""
        direct, smaller = list(wanted), []
        while (axis := _axis_to_drop(tree, nodes, direct)) is not None:
            without = [item for item in direct if nodes[axis][0] not in dict(item[1])]
            direct = [item for item in direct if item not in without]
            rest = nodes[:axis] + nodes[axis + 1 :]
            smaller.append((axis, cls.plan(tree, rest, without)))
        return cls(
            shape=tuple(tree.chains[a].levels[level].size for a, level in nodes),
            direct=tuple((number, tree.embedding(nodes, inner)) for number, inner in direct),
            smaller=tuple(smaller),
        )

    def sum(self, table: FloatArray, results: Sequence[FloatArray]) -> None:
        """Fills the results that this reading covers."""
        for axis, reading in self.smaller:
            reading.sum(table.sum(axis=axis), results)
        for number, embedding in self.direct:
            results[number][...] = embedding.sum(table)

    def add(self, tables: Sequence[FloatArray], target: FloatArray) -> None:
        """Adds the tables that this reading covers to a table of its shape."""
        for number, embedding in self.direct:
            target += embedding.spread(tables[number])
        for axis, reading in self.smaller:
            part = np.zeros(reading.shape)
            reading.add(tables, part)
            target += np.expand_dims(part, axis)


def _axis_to_drop(
    tree: JunctionTree, nodes: Sequence[Node], wanted: Sequence[tuple[int, tuple[Node, ...]]]
) -> int | None:
    """The axis to sum over first for the tables without it: the one that saves most reading."""
    best, best_saving = None, 0.0
    for axis, (attribute, level) in enumerate(nodes):
        number = sum(attribute not in dict(inner) for _, inner in wanted)
        saving = number * (1 - 1 / tree.chains[attribute].levels[level].size) - 1
        if saving > best_saving:
            best, best_saving = axis, saving
    return best
