"""How one column is cut into cells: its own values first, then the ways a value can be missing, then everything else.

Encoding is a per-value map that never fails: a value outside the declared domain becomes `other` if the column has that
cell, else missing if it may be missing, else the nearest declared value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.domain import Attribute, IntArray
from medsynth.encoding.raw import factorized
from medsynth.schema.texts import OTHER, canonical_text

BoolArray = npt.NDArray[np.bool_]


class Cells(Protocol):
    """One column's cells: the map from values to codes and back, and which cells a comparison selects."""

    @property
    def attribute(self) -> Attribute: ...

    @property
    def tail(self) -> "Tail": ...

    def encode(self, values: pd.Series) -> IntArray:
        """Codes of raw values, (n,) int32; total."""
        ...

    def knows(self, values: pd.Series) -> BoolArray:
        """Which raw values the schema declares, missing codes included, (n,) bool; an empty cell it does not."""
        ...

    def decode(self, codes: IntArray, rng: np.random.Generator) -> pd.Series:
        """Values for codes, each inside its cell, with the column's declared type."""
        ...

    def select(self, operator: str, value: Any) -> BoolArray:
        """Cells (size,) whose every value satisfies `column operator value`.

        Raises:
          UsageError: If the comparison cuts through a cell.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Tail:
    """The cells behind a column's own values.

    Attributes:
      first: Code of the first tail cell, which is the number of the column's own cells.
      blank: Whether an empty cell may occur.
      codes: Declared values that mean missing, each a cell of its own.
      other: Whether values outside the domain have a cell.
    """

    first: int
    blank: bool
    codes: tuple[Any, ...]
    other: bool

    @property
    def size(self) -> int:
        """Number of tail cells."""
        return int(self.blank) + len(self.codes) + int(self.other)

    @cached_property
    def code_cells(self) -> dict[str, int]:
        """Cell of each missing code, by its canonical text."""
        start = self.first + int(self.blank)
        return {canonical_text(code): start + offset for offset, code in enumerate(self.codes)}

    @property
    def blank_cell(self) -> int | None:
        """Where an empty cell goes: its own cell, else the first missing code's, else None."""
        if self.blank or self.codes:
            return self.first
        return None

    @property
    def stray_cell(self) -> int | None:
        """Where a value outside the domain goes, or None where only a declared value is left."""
        return self.first + self.size - 1 if self.other else self.blank_cell

    def missing(self) -> BoolArray:
        """Mask over all cells of the column: those that mean missing."""
        mask = np.zeros(self.first + self.size, dtype=bool)
        mask[self.first : self.first + self.size - int(self.other)] = True
        return mask

    def values(self, blank: Any) -> list[Any]:
        """What each tail cell is decoded to, in order; `blank` stands for an empty cell."""
        return ([blank] if self.blank else []) + list(self.codes) + ([OTHER] if self.other else [])


def groups_with_tail(groups: Sequence[int] | IntArray, tail: Tail) -> IntArray:
    """Extends a partition of the own cells by one group per tail cell."""
    own = np.asarray(groups, dtype=np.int32)
    first = int(own.max(initial=-1)) + 1
    return np.concatenate([own, np.arange(first, first + tail.size, dtype=np.int32)])


def codes_of_uniques(values: pd.Series, cell_of: Any) -> IntArray:
    """Encodes by mapping each distinct value once; `cell_of(value or None)` gives its cell."""
    codes, uniques = factorized(values)
    cells = np.array([cell_of(value) for value in uniques] + [cell_of(None)], dtype=np.int32)
    return cells[codes]
