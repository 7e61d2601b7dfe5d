"""Conjunctions of ranges, matched against a table through sorted columns."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from medsynth.leakage.distance import FloatArray

Rows = npt.NDArray[np.intp]


class Range(NamedTuple):
    """Values of one column, both ends included."""

    column: int
    low: float
    high: float


Predicate = Sequence[Range]


class Sorted:
    """A table (n, d) with every column sorted once, so that a predicate reads its rarest range only."""

    def __init__(self, table: FloatArray) -> None:
        self.table = np.asfortranarray(table)
        self._order = [np.argsort(column, kind="stable") for column in self.table.T]
        self._spans: dict[Range, tuple[int, int]] = {}
        self._ascending = [column[order] for column, order in zip(self.table.T, self._order, strict=True)]

    def matches(self, predicate: Predicate) -> Rows:
        """Rows that lie in every range."""
        spans = sorted((self._span(one) for one in predicate), key=lambda span: span[1] - span[0])
        first, last, rarest = spans[0]
        rows: Rows = self._order[rarest.column][first:last]
        for _, _, one in spans[1:]:
            if not len(rows):
                break
            cells = self.table[rows, one.column]
            rows = rows[(cells >= one.low) & (cells <= one.high)]
        return rows

    def isolated(self, predicates: Iterable[Predicate]) -> Rows:
        """The single row that each predicate matches; -1 where it matches none or several."""
        found = (self.matches(predicate) for predicate in predicates)
        return np.array([rows[0] if len(rows) == 1 else -1 for rows in found], dtype=np.intp)

    def _span(self, one: Range) -> tuple[int, int, Range]:
        if one not in self._spans:
            ascending = self._ascending[one.column]
            first = int(np.searchsorted(ascending, one.low, side="left"))
            self._spans[one] = first, int(np.searchsorted(ascending, one.high, side="right"))
        return *self._spans[one], one
