"""The public domain of a table: attributes, their cells, and nested levels over the cells."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Attribute:
    """A modelled column, cut into cells 0 .. size - 1.

    Attributes:
      name: The column's name.
      size: Number of cells, at least 1.
      ordered: How many leading cells ascend (0 for a nominal column); the cells behind them are missing or other.
      hierarchy: Public coarser partitions, finest first; each an int32 array (size,) from cell to group, groups
        0 .. max.
    """

    name: str
    size: int
    ordered: int = 0
    hierarchy: tuple[IntArray, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """A partition of an attribute's cells into groups.

    Attributes:
      attribute: The attribute's name.
      groups: int32 array (attribute size,), the group of each cell.
      size: Number of groups.
    """

    attribute: str
    groups: IntArray
    size: int

    @classmethod
    def finest(cls, attribute: Attribute) -> "Level":
        """The level at which every cell is a group of its own."""
        return cls(
            attribute=attribute.name,
            groups=np.arange(attribute.size, dtype=np.int32),
            size=attribute.size,
        )

    @cached_property
    def is_finest(self) -> bool:
        """True if group i is exactly cell i."""
        return self.size == len(self.groups) and bool(np.array_equal(self.groups, np.arange(self.size)))


Clique = tuple[Level, ...]
"""Levels of distinct attributes; a marginal over it has shape `tuple(level.size for level in clique)`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Domain(Mapping[str, Attribute]):
    """The attributes of a table, in schema order."""

    attributes: tuple[Attribute, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Attribute names, in order."""
        return tuple(attribute.name for attribute in self.attributes)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Cells per attribute, in order."""
        return tuple(attribute.size for attribute in self.attributes)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """Position of an attribute, which is also its column in an array of codes."""
        return self._positions[name]

    def __getitem__(self, name: str) -> Attribute:
        return self.attributes[self._positions[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.attributes)
