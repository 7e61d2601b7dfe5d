"""Table to codes and back."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.cells import Cells
from medsynth.encoding.domain import Domain, IntArray
from medsynth.encoding.layout import build_cells
from medsynth.errors import DataError
from medsynth.schema.table import ROWS_COLUMN

if TYPE_CHECKING:
    from medsynth.schema import Schema

IDENTIFIER_BLOCK = "#"


@dataclass(frozen=True, kw_only=True, eq=False)
class Codec:
    """Encodes rows of a schema's table as codes of its domain, and decodes codes to rows.

    Attributes:
      schema: The public description of the table.

    Formal guarantee:
      `encode` maps each row by itself: no row's codes depend on another row, and no row raises or warns.
    """

    schema: "Schema"

    @cached_property
    def cells(self) -> tuple[Cells, ...]:
        """Cells of each modelled column, in schema order."""
        return build_cells(self.schema)

    @cached_property
    def domain(self) -> Domain:
        """The public domain."""
        return Domain(attributes=tuple(cells.attribute for cells in self.cells))

    def encode(self, frame: pd.DataFrame) -> IntArray:
        """Codes of the modelled columns.

        Args:
          frame: Rows with at least the modelled columns, in any order and type.

        Returns:
          codes  # (n_records, n_attributes) int32

        Raises:
          DataError: If a modelled column is absent.
        """
        require_columns(frame.columns, self.domain.names)
        return self._encode(frame, self.domain.names)

    def encode_rows(self, frame: pd.DataFrame) -> IntArray:
        """Codes of what each row says by itself; the number of rows of its person, which it cannot know, is code 0.

        `rows_per_person` gives it once all rows are read.
        """
        return self._encode(frame, [name for name in self.domain.names if name != ROWS_COLUMN])

    def _encode(self, frame: pd.DataFrame, names: Iterable[str]) -> IntArray:
        codes = np.zeros((len(frame), len(self.cells)), dtype=np.int32)
        for name in names:
            position = self.domain.index(name)
            codes[:, position] = self.cells[position].encode(frame[name])
        return codes

    def rows_per_person(self, rows: npt.NDArray[np.int64]) -> tuple[int, IntArray] | None:
        """(position of the column of rows per person, its codes), None where the schema has no such column.

        Args:
          rows: (n,) how many rows of each row's person are kept.
        """
        if ROWS_COLUMN not in self.domain:
            return None
        position = self.domain.index(ROWS_COLUMN)
        return position, self.cells[position].encode(pd.Series(rows))

    def decode(self, codes: IntArray, rng: np.random.Generator) -> pd.DataFrame:
        """Rows for codes: columns in schema order, derived columns computed, identifiers invented.

        Args:
          codes: (n_records, n_attributes) int32.
          rng: Drives where inside its cell a number or date falls.
        """
        return self.finished(self.decode_cells(codes, rng))

    def decode_cells(self, codes: IntArray, rng: np.random.Generator) -> pd.DataFrame:
        """The modelled columns of rows for codes; see `decode`."""
        decoded = {
            name: cells.decode(codes[:, position], rng)
            for position, (name, cells) in enumerate(zip(self.domain.names, self.cells, strict=True))
        }
        return pd.DataFrame(decoded, index=pd.RangeIndex(len(codes)))

    def derived(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with every derived column computed anew; changes the frame in place."""
        for name, expression in self.schema.derived_expressions.items():
            frame[name] = self._as_declared(name, expression.evaluate(frame, self.schema))
        return frame

    def finished(self, frame: pd.DataFrame, *, first: int = 1) -> pd.DataFrame:
        """Rows of modelled columns as a table: derived columns computed, identifiers invented, in schema order.

        Args:
          frame: Changed in place.
          first: Number of the first identifier.
        """
        self.derived(frame)
        for name, column in self.schema.columns.items():
            if column.kind == "id":
                frame[name] = invent_identifiers(getattr(column, "format", None), len(frame), first=first)
        return frame[list(self.schema.outputs)]

    def _as_declared(self, name: str, values: pd.Series) -> pd.Series:
        """Gives a derived column the type of its entry in `columns`, where it has one."""
        column = self.schema.columns.get(name)
        if column is not None and column.kind == "category":
            return pd.Series(
                pd.Categorical(values, categories=list(column.values), ordered=column.ordered), index=values.index
            )
        return values


def require_columns(present: "pd.Index[str] | list[str] | tuple[str, ...]", needed: tuple[str, ...]) -> None:
    """Refuses a table that lacks a column of its schema.

    Raises:
      DataError: Naming the first absent columns.
    """
    found = set(present)
    absent = [name for name in needed if name not in found]
    if absent:
        named = ", ".join(repr(name) for name in absent[:5]) + (", ..." if len(absent) > 5 else "")
        raise DataError(
            f"Table: {len(absent)} of {len(needed)} columns of the schema are absent: {named}. "
            "Name the columns as the schema does, or remove them from the schema."
        )


def invent_identifiers(pattern: str | None, n: int, *, first: int = 1) -> "pd.Series[str] | pd.Series[int]":
    """Fresh identifiers, n from `first` on, written into the `#` run of the pattern; they carry no information.

    >>> list(invent_identifiers("P-####", 2))
    ['P-0001', 'P-0002']
    """
    numbers = np.arange(first, first + n)
    if not pattern or IDENTIFIER_BLOCK not in pattern:
        return pd.Series(numbers)
    width = pattern.count(IDENTIFIER_BLOCK)
    head, _, rest = pattern.partition(IDENTIFIER_BLOCK)
    tail = rest.replace(IDENTIFIER_BLOCK, "")
    return pd.Series([f"{head}{number:0{width}d}{tail}" for number in numbers.tolist()])


def person_weighted(weights: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Row weights with mean 1 from bounded units, zeros kept."""
    total = weights.sum()
    return np.ones(len(weights)) if total == 0 else weights * (len(weights) / total)
