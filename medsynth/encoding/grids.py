"""Public grids on which the bounds of a number or date are looked for, and finer ones between bounds that were found.

A grid follows from the kind of a column alone: numbers doubling from 1 (integers) or 2^-30 (decimals) to 2^53 on either
side of zero, dates by the year from 1800 to 2200. Nothing of a table decides a border.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.domain import Attribute, IntArray
from medsynth.encoding.numbers import MICROSECONDS_PER_DAY
from medsynth.encoding.raw import factorized, moments, numbers
from medsynth.schema.texts import OTHER, canonical_text

FloatArray = npt.NDArray[np.float64]

LARGEST_POWER: Final = 53
SMALLEST_POWER: Final = -30
EXACT_POWER: Final = 49
FIRST_YEAR: Final = 1800
LAST_YEAR: Final = 2200
LONGEST_LABEL: Final = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class GridCells:
    """Half-open intervals, and a last cell for all that is missing, unreadable or outside.

    Attributes:
      name: The column's name.
      edges: float64 (cells + 1,), ascending; cell i holds edges[i] <= value < edges[i + 1]; days since 1970 for dates.
      dates: Whether values are dates.
      missing: Canonical texts of the column's missing codes.
    """

    name: str
    edges: FloatArray
    dates: bool = False
    missing: frozenset[str] = frozenset()

    @property
    def size(self) -> int:
        """Number of intervals."""
        return len(self.edges) - 1

    @cached_property
    def attribute(self) -> Attribute:
        """The grid as a column of a domain; its last cell is no interval."""
        return Attribute(name=self.name, size=self.size + 1, ordered=self.size)

    def encode(self, values: "pd.Series[Any]") -> IntArray:
        """Codes of raw values, (n,) int32; total, each value by itself."""
        read = moments(values) / MICROSECONDS_PER_DAY if self.dates else numbers(values)
        cells = np.searchsorted(self.edges, np.nan_to_num(read, nan=np.inf, posinf=np.inf), side="right") - 1
        inside = (cells >= 0) & (cells < self.size) & ~self._is_missing(values, read)
        return np.where(inside, cells, self.size).astype(np.int32)

    def _is_missing(self, values: "pd.Series[Any]", read: FloatArray) -> npt.NDArray[np.bool_]:
        if not self.missing:
            return np.zeros(len(read), dtype=bool)
        positions, distinct = factorized(values)
        coded = np.array([*(canonical_text(value) in self.missing for value in distinct), False])
        marked: npt.NDArray[np.bool_] = coded[positions]
        return marked


def coarse_edges(kind: str, *, step: float | None = None) -> FloatArray:
    """Borders of the public grid of a kind.

    Args:
      kind: integer, decimal or date.
      step: Of a decimal whose places are public; beyond 2^49 steps neighbours are not always told apart.

    >>> coarse_edges("integer").size, coarse_edges("decimal").size, coarse_edges("date").size
    (109, 169, 402)
    """
    if kind == "date":
        years = np.arange(FIRST_YEAR, LAST_YEAR + 2).astype(str).astype("datetime64[D]")
        return years.astype(np.int64).astype(np.float64)
    powers = np.arange(0 if kind == "integer" else SMALLEST_POWER, LARGEST_POWER + 1)
    positive = 2.0**powers
    if step is not None:
        positive = positive[positive <= 2.0**EXACT_POWER * step]
    return np.concatenate([-positive[::-1], [0.0], positive])


def label_of(value: Any) -> str | None:
    """The text under which a raw cell may be published as a category, None if it never is; total.

    A text that is blank, very long, or holds what cannot be printed is never published: it is `(other)`.

    >>> label_of(5.0), label_of(" F "), label_of(""), label_of("a" * 101)
    ('5', 'F', None, None)
    """
    text = canonical_text(value)
    fits = 0 < len(text) <= LONGEST_LABEL and text.isprintable() and text != OTHER
    return text if fits else None
