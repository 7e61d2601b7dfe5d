"""Records of which a user gives some cells: read strictly, kept verbatim.

The file is the user's, not the fit's: what cannot be understood is refused, naming the column and never a value.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.categories import CategoryCells
from medsynth.encoding.cells import Cells
from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import IntArray
from medsynth.encoding.numbers import MICROSECONDS_PER_DAY, NumberCells
from medsynth.encoding.raw import factorized, moments, numbers
from medsynth.errors import UsageError
from medsynth.schema.texts import OTHER, canonical_text, shown, suggestion

BoolArray = npt.NDArray[np.bool_]
RowArray = npt.NDArray[np.intp]

MISSING = "(missing)"
"""How a given file says that a cell is missing on purpose; an empty cell is drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """Given cells.

    Attributes:
      codes: (n, attributes) int32; 0 where nothing is given.
      known: (n, attributes) bool, which cells are given.
      verbatim: By column, values (n,) that a code alone does not tell: numbers, dates, spellings of codes.
      written: By column, (n,) bool, where `verbatim` holds one.
      columns: The columns in which some cell is given, in the order of the file.
    """

    codes: IntArray
    known: BoolArray
    verbatim: dict[str, npt.NDArray[Any]]
    written: dict[str, BoolArray]
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.codes)

    def put(self, frame: pd.DataFrame, rows: RowArray) -> None:
        """Writes the verbatim values of some records into their decoded rows."""
        for name, values in self.verbatim.items():
            put(frame, name, self.written[name][rows], values[rows])


def put(frame: pd.DataFrame, name: str, where: BoolArray, values: Any) -> None:
    """Replaces some values of a column, of its own type; changes the frame in place."""
    if where.any():
        column = frame[name].array.copy()
        column[where] = values[where]
        frame[name] = column


def read_given(frame: pd.DataFrame, codec: Codec, *, option: str = "--given") -> Given:
    """Reads given records.

    Args:
      frame: Some modelled columns, in any order and type; an empty cell is not given, `(missing)` is missing.
      codec: Knows the columns.
      option: Where the records come from, for messages.

    Raises:
      UsageError: Naming a column that is not modelled or holds a value outside its domain.
    """
    names = [str(name) for name in frame.columns]
    if not len(frame) or not names:
        raise UsageError(f"{option}: the table holds no record. Give a header line and at least one record.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{option}: column {shown(twice)} occurs more than once. Leave one of them out.")
    codes = np.zeros((len(frame), len(codec.domain)), dtype=np.int32)
    known = np.zeros(codes.shape, dtype=bool)
    verbatim: dict[str, npt.NDArray[Any]] = {}
    written: dict[str, BoolArray] = {}
    for place, name in enumerate(names):
        _require_modelled(name, codec, option)
        position = codec.domain.index(name)
        values = frame.iloc[:, place].reset_index(drop=True)
        cells = codec.cells[position]
        known[:, position], codes[:, position] = _read(values, cells, f"{option}: column {shown(name)}")
        own = known[:, position] & (codes[:, position] < cells.tail.first)
        exact = _exact(values, cells)
        if exact is not None and own.any():
            verbatim[name], written[name] = exact, own
    some = tuple(name for name in names if known[:, codec.domain.index(name)].any())
    return Given(codes=codes, known=known, verbatim=verbatim, written=written, columns=some)


def _require_modelled(name: str, codec: Codec, option: str) -> None:
    if name in codec.domain:
        return
    schema = codec.schema
    if name in schema.derived:
        raise UsageError(f"{option}: column {shown(name)} is computed from others. Give those in its place.")
    if name in schema.columns:
        raise UsageError(
            f"{option}: column {shown(name)} is not modelled (kind {schema.columns[name].kind}), so nothing is drawn "
            "given it. Leave it out: records keep their order."
        )
    raise UsageError(f"{option}: column {shown(name)} is not in the schema. {suggestion(name, codec.domain.names)}")


def _read(values: "pd.Series[Any]", cells: Cells, where: str) -> tuple[BoolArray, IntArray]:
    """(which cells are given, their codes)."""
    positions, uniques = factorized(values)
    texts = [canonical_text(value) for value in uniques]
    declared = cells.knows(values)
    blank = np.array([*(text == "" for text in texts), True])[positions] & ~declared
    missing = np.array([*(text == MISSING for text in texts), False])[positions] & ~declared
    if missing.any() and not cells.tail.blank:
        raise UsageError(f"{where} is never missing in the schema. Give a value.")
    if not (declared | blank | missing).all():
        raise UsageError(f"{where} holds a value outside its domain. {_domain_of(cells)}")
    codes = cells.encode(values)
    codes[missing] = cells.tail.first
    codes[blank] = 0
    return ~blank, codes


def _domain_of(cells: Cells) -> str:
    if isinstance(cells, NumberCells):
        first, last = cells.bounds(0)[0], cells.bounds(len(cells.starts) - 1)[1]
        kind = {"integer": "whole numbers", "decimal": "numbers", "date": "days"}[cells.dtype]
        return f"It takes {kind} from {first} to {last}: correct it, or leave it empty."
    other = f" (or write {OTHER} in its place)" if cells.tail.other else ""
    return f"Take one that the schema lists{other}, or leave it empty."


def _exact(values: "pd.Series[Any]", cells: Cells) -> npt.NDArray[Any] | None:
    """Values as a column of the output holds them, where a code says less than the value; anything where unread."""
    if isinstance(cells, NumberCells):
        if cells.dtype == "date":
            days = np.floor(np.nan_to_num(moments(values)) / MICROSECONDS_PER_DAY)
            return np.asarray(days.astype(np.int64).astype("datetime64[D]").astype("datetime64[us]"))
        read = np.nan_to_num(numbers(values), posinf=0.0, neginf=0.0)
        return read if cells.dtype == "decimal" else np.asarray(read.astype(np.int64))
    if isinstance(cells, CategoryCells) and cells.dtype == "text":
        positions, uniques = factorized(values)
        texts = np.array([*(canonical_text(value) for value in uniques), ""], dtype=object)
        return np.asarray(texts[positions])
    return None
