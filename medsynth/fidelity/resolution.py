"""At which public level each column is compared, and what its groups are called.

The rule is fixed by the schema alone, never by data, so that a figure means the same for every table of one schema:

- one- and two-way tables: a column of at most 100 cells is compared cell by cell. A larger one is compared at the
  coarsest of its public levels but one (ICD-9 codes at their blocks, days at their months), at its only level if it
  has one, and in at most 100 runs of neighbouring cells if it is ordered and has none. A large unordered list without
  levels stays as it is.
- three-way tables: the same with 16 cells, and the coarsest public level (ICD-9 chapters, years).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.encoding.domain import Attribute, IntArray, Level

MOST_CELLS = 100
MOST_CELLS_THREE_WAY = 16


def pair_level(attribute: Attribute) -> Level:
    """The level at which a column enters one- and two-way tables."""
    public = attribute.hierarchy[-2:]
    return _level(attribute, MOST_CELLS, public[0] if public else None)


def triple_level(attribute: Attribute) -> Level:
    """The level at which a column enters three-way tables."""
    public = attribute.hierarchy
    return _level(attribute, MOST_CELLS_THREE_WAY, public[-1] if public else None)


def at_levels(codes: IntArray, levels: Sequence[Level]) -> IntArray:
    """Codes (n, d) regrouped by one level per column, stored column by column."""
    grouped = np.empty(codes.shape, dtype=np.int32, order="F")
    for position, level in enumerate(levels):
        grouped[:, position] = level.groups[codes[:, position]]
    return grouped


def group_labels(comparison: Comparison, position: int, level: Level) -> tuple[str, ...]:
    """What to call each group of a column: its cell, or the first and last of its cells.

    >>> _span("401", "405"), _span("Female", "Female")
    ('401 to 405', 'Female')
    """
    cells = cell_labels(comparison.codec.cells[position])
    labels = []
    for group in range(level.size):
        members = np.flatnonzero(level.groups == group)
        labels.append(_span(cells[members[0]], cells[members[-1]]) if len(members) else "")
    return tuple(labels)


def cell_labels(cells: Any) -> tuple[str, ...]:
    """What to call each cell of a column: its value, its bounds, or how it is missing."""
    tail = tuple(str(value) for value in cells.tail.values("(missing)"))
    if hasattr(cells, "values"):
        return tuple(str(value) for value in cells.values) + tail
    return tuple(_span(*cells.bounds(cell)) for cell in range(cells.tail.first)) + tail


def _level(attribute: Attribute, most: int, public: IntArray | None) -> Level:
    if attribute.size <= most:
        return Level.finest(attribute)
    if public is not None:
        return Level(attribute=attribute.name, groups=public, size=int(public.max()) + 1)
    if attribute.ordered > most:
        return _runs(attribute, most)
    return Level.finest(attribute)


def _runs(attribute: Attribute, most: int) -> Level:
    """At most `most` runs of neighbouring cells; the cells behind the ordered ones stay."""
    own = (np.arange(attribute.ordered) * most // attribute.ordered).astype(np.int32)
    tail = np.arange(most, most + attribute.size - attribute.ordered, dtype=np.int32)
    groups = np.concatenate([own, tail])
    return Level(attribute=attribute.name, groups=groups, size=int(groups.max()) + 1)


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
