"""Fixed combinations: which values a few columns may hold together, from a public table.

The table stands in the schema (`rows`) or in a CSV beside it (`file`), whose header names the columns. A blank cell
stands for a missing one.
"""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, PrivateAttr, ValidationInfo, model_validator

from medsynth.errors import UsageError
from medsynth.schema.domains import check_value
from medsynth.schema.predicate import InTable, Value
from medsynth.schema.sections import Name
from medsynth.schema.texts import canonical_text, shown, suggestion
from medsynth.schema.values import Entry, Filled

if TYPE_CHECKING:
    from medsynth.schema.table import Schema

MOST_ROWS = 20_000
MOST_BYTES = 10_000_000
TABLED = frozenset({"category", "boolean", "code", "integer"})


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    raise ValueError(f"cell {shown(value)} is neither text nor a whole number. Put it in quotes.")


Cell = Annotated[str | int | bool | None, BeforeValidator(_cell)]
Cells = tuple[tuple[str | int | bool | None, ...], ...]


class Combination(Entry):
    """The combinations of values that a few columns may hold; every other breaks the rule."""

    name: Name
    columns: tuple[Filled, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    file: Filled | None = None
    _read: tuple[tuple[str, ...], Cells] = PrivateAttr(default=((), ()))

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        inline = bool(self.columns or self.rows)
        if inline == (self.file is not None):
            found = "both" if inline else "neither"
            raise ValueError(f"needs columns and rows, or a file, found {found}. Keep one.")
        folder = (info.context or {}).get("folder")
        columns, rows = (self.columns, self.rows) if self.file is None else _from_file(self.file, folder)
        _check_shape(columns, rows)
        self._read = columns, rows
        return self

    @property
    def content(self) -> tuple[tuple[str, ...], Cells]:
        """(columns, rows), from wherever they stand."""
        return self._read

    def self_contained(self) -> "Combination":
        """The same with the rows of a file written inline."""
        columns, rows = self.content
        return Combination(name=self.name, columns=columns, rows=rows)

    def predicate(self, schema: "Schema") -> InTable:
        """The rule, its values as the columns write them.

        Raises:
          UsageError: If a column cannot be listed so, or never holds a value.
        """
        columns, rows = self.content
        for name in columns:
            _require_listable(name, schema)
        typed = [_typed(name, cells, schema) for name, cells in zip(columns, zip(*rows, strict=True), strict=True)]
        return InTable(columns, tuple(dict.fromkeys(zip(*typed, strict=True))))


def _from_file(name: str, folder: Path | None) -> tuple[tuple[str, ...], Cells]:
    path = (folder or Path()) / name
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"file {shown(name)} is larger than 10 MB. Shorten it.")
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header, *rows = [tuple(cell.strip() for cell in row) for row in csv.reader(lines) if row] or [()]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise ValueError(f"file {shown(name)} cannot be read ({reason}). Check the path.") from None
    return header, tuple(tuple(cell or None for cell in row) for row in rows)


def _check_shape(columns: tuple[str, ...], rows: Cells) -> None:
    if len(columns) < 2 or len(set(columns)) < len(columns) or not all(columns):
        raise ValueError("needs at least two columns, each named once. Correct the columns.")
    if not rows:
        raise ValueError("lists no combination, so no record could obey it. List the rows that may occur.")
    if len(rows) > MOST_ROWS:
        raise ValueError(f"lists more than {MOST_ROWS:,} combinations. Shorten it.")
    uneven = next((number for number, row in enumerate(rows, 1) if len(row) != len(columns)), None)
    if uneven is not None:
        raise ValueError(
            f"row {uneven} of the list has {len(rows[uneven - 1])} cells for {len(columns)} columns. Correct it."
        )


def _require_listable(name: str, schema: "Schema") -> None:
    if name not in schema.modelled:
        raise UsageError(f"column {shown(name)} is not modelled. {suggestion(name, schema.modelled)}")
    kind = schema.columns[name].kind
    if kind not in TABLED:
        raise UsageError(
            f"column {shown(name)}: combinations are of listed values and whole numbers, not of kind {kind}."
        )


def _typed(name: str, cells: tuple[Value | None, ...], schema: "Schema") -> list[Value | None]:
    """A column's cells in the list, as its description writes them."""
    column: Any = schema.columns[name]
    known: dict[Value | None, Value | None] = {}
    for cell in dict.fromkeys(cells):
        blank = cell is None or canonical_text(cell) in {"", *column.missing_texts}
        known[cell] = None if blank else _value(name, cell, schema)
        if blank and not column.can_be_missing:
            raise UsageError(f"column {shown(name)} has no missing cells, but a combination leaves it blank. Fill it.")
    return [known[cell] for cell in cells]


def _value(name: str, cell: Any, schema: "Schema") -> Value:
    if schema.columns[name].kind == "integer" and isinstance(cell, str):
        try:
            cell = int(cell)
        except ValueError:
            raise UsageError(f"column {shown(name)}: {shown(cell)} is not a whole number. Correct it.") from None
    value: Value = cell
    check_value(name, "==", value, schema)
    return value
