"""Raw cells as a schema reads them: numbers, days, or texts; total on any content."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.errors import DataError
from medsynth.schema.texts import OTHER, canonical_text, shown

if TYPE_CHECKING:
    from medsynth.schema.view import SchemaView

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
NUMERIC = frozenset({"integer", "decimal"})
LISTED = frozenset({"category", "boolean", "code"})


def column_cells(name: str, frame: pd.DataFrame, schema: "SchemaView") -> "pd.Series[Any]":
    """A column of the frame; a derived one that the frame lacks is computed.

    Raises:
      DataError: If there is no such column.
    """
    if name in frame.columns:
        cells = frame[name]
        return cells if isinstance(cells, pd.Series) else cells.iloc[:, 0]
    expression = schema.derived_expressions.get(name)
    if expression is None:
        raise DataError(f"Table: column {shown(name)} is absent. Add it, or name it as the schema does.")
    cells = expression.evaluate(frame, schema)
    return cells  # type: ignore[no-any-return]


def kind_of(name: str, cells: "pd.Series[Any]", schema: "SchemaView") -> str:
    """The declared kind; of an undeclared (derived) column `number`, `day` or `text`, by its type."""
    column = schema.columns.get(name)
    if column is not None and column.kind in NUMERIC:
        return "number"
    if column is not None and column.kind == "date":
        return "day"
    if column is not None and column.kind in LISTED:
        return "text"
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return "day"
    return "number" if _is_number(cells) else "text"


def _is_number(cells: "pd.Series[Any]") -> bool:
    return pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype)


def _plain(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    return cells.astype(object) if isinstance(cells.dtype, pd.CategoricalDtype) else cells


def numbers(cells: "pd.Series[Any]", column: Any = None) -> FloatArray:
    """Cells as floats at the declared precision, NaN where missing or unreadable.

    >>> numbers(pd.Series(["1", " 2.5", "N", None], dtype="object")).tolist()
    [1.0, 2.5, nan, nan]
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return np.full(len(cells), np.nan)
    try:
        read = pd.to_numeric(_plain(cells), errors="coerce")
    except (TypeError, ValueError, OverflowError):  # nested or huge content: its text decides
        read = pd.to_numeric(cells.map(str), errors="coerce")
    values = read.to_numpy(dtype=np.float64, na_value=np.nan).copy()
    for code in column.missing_codes if column is not None else ():
        values[values == _float(code)] = np.nan
    return values if column is None else _at_precision(values, column)


def _at_precision(values: FloatArray, column: Any) -> FloatArray:
    """Numbers as the codec keeps them: at the column's places, or multiples of `round_to`."""
    if column.kind == "decimal":
        return np.round(values, column.places)
    step = getattr(column, "round_to", None) or 1
    return np.round(np.round(values / step, 6)) * step


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def days(cells: "pd.Series[Any]", column: Any = None) -> FloatArray:
    """Cells as days since 1970-01-01, NaN where missing or unreadable.

    >>> days(pd.Series(["1970-01-02", "1970-01-03T10:00", "x", None], dtype="object")).tolist()
    [1.0, 2.0, nan, nan]
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        values = _day_numbers(cells)
    else:
        codes, distinct = uniques(cells)
        written = pd.Series([canonical_text(value) for value in distinct], dtype=object)
        # Without the cache, which joins texts that agree up to a NUL: each is read by itself.
        read = pd.to_datetime(written, errors="coerce", format="ISO8601", utc=True, cache=False)
        values = np.append(_day_numbers(read), np.nan)[codes]
    for code in column.missing_codes if column is not None else ():
        values[values == day_number(code)] = np.nan
    return values


def _day_numbers(stamps: "pd.Series[Any]") -> FloatArray:
    """Days of time stamps, by the clock of their own zone."""
    dates = stamps.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    values: FloatArray = dates.astype(np.int64).astype(np.float64)
    values[np.isnat(dates)] = np.nan
    return values


def day_number(text: Any) -> float:
    """Days since 1970-01-01 of a text such as 2020-01-31; NaN if it is none."""
    try:
        return float((date.fromisoformat(str(text)) - date(1970, 1, 1)).days)
    except ValueError:
        return float("nan")


def uniques(cells: "pd.Series[Any]") -> tuple[npt.NDArray[np.intp], list[Any]]:
    """Position of each cell among the distinct ones, -1 where missing, and the distinct ones.

    Not `pandas.factorize` for objects: it cuts texts at a NUL and holds 1 and True for one, so that
    what one row is read as would depend on the rows before it.

    >>> codes, distinct = uniques(pd.Series([1, True, "a", None, "a"], dtype="object"))
    >>> codes.tolist(), distinct
    ([0, 1, 2, -1, 2], [1, True, 'a'])
    """
    if isinstance(cells.dtype, pd.CategoricalDtype):
        return cells.cat.codes.to_numpy().astype(np.intp), list(cells.cat.categories)
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iufbM":
        codes, values = pd.factorize(cells)
        return codes, list(values)
    return _object_uniques(cells.to_numpy(dtype=object))


def _object_uniques(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], list[Any]]:
    table: dict[Any, int] = {}
    positions = [
        -1 if missing else table.setdefault(value if type(value) is str else _key(value), len(table))
        for value, missing in zip(values, pd.isna(values), strict=True)
    ]
    distinct = [key if isinstance(key, str) else key[1] for key in table]
    return np.array(positions, dtype=np.intp), distinct


def _key(value: Any) -> tuple[type, Any]:
    """Tells values of different types apart; of unhashable content its text decides."""
    try:
        hash(value)
    except TypeError:
        return type(value), str(value)
    return type(value), value


def text_reader(column: Any) -> Callable[[Any], str | None]:
    """Maps a raw value to the text of a declared value, `(other)`, or None where missing."""
    if column is None or column.kind not in LISTED:
        return lambda value: canonical_text(value) or None
    known = None if column.kind == "code" else frozenset(column.texts)
    system = column.code_system if column.kind == "code" else None

    def read(value: Any) -> str | None:
        text = canonical_text(value)
        if text == "" or text in column.missing_texts:
            return None
        if system is not None:
            return system.normalise(text) or OTHER
        return text if known is None or text in known else OTHER

    return read


def texts(cells: "pd.Series[Any]", column: Any = None) -> npt.NDArray[Any]:
    """Cells as declared texts, None where missing; (n,) object."""
    codes, distinct = uniques(cells)
    read = text_reader(column)
    table = np.empty(len(distinct) + 1, dtype=object)
    table[:-1] = [read(value) for value in distinct]
    return table[codes]
