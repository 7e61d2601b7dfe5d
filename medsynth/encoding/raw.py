"""Raw cells, read one by one: what a cell means never depends on the rows around it.

pandas reads a mixed column as a whole: one odd cell changes the type of all, `1` and `True` are one
value, a date far away changes the resolution. A map that looks at a row alone is what the
sensitivity of every count rests on, so a column that is not of one plain type goes by the text of
each cell.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.schema.reading import uniques
from medsynth.schema.texts import canonical_text

FloatArray = npt.NDArray[np.float64]
TRUTH: Final = ("false", "true")
WRITTEN_TRUTHS: Final = {
    **dict.fromkeys(("1", "t", "T", "True", "TRUE", "true"), "true"),
    **dict.fromkeys(("0", "f", "F", "False", "FALSE", "false"), "false"),
}
"""How files write true and false, for a boolean column whose schema names no words of its own."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_OR_MONTH: Final = re.compile(r"\d{4}(-\d{2})?", re.ASCII)
_MICROSECONDS: Final = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}


def plain(values: "pd.Series[Any]", *, truth: tuple[str, str] = TRUTH) -> "pd.Series[Any]":
    """A column of one plain type as it is; any other as the text of each cell, None where empty.

    Args:
      values: Any content.
      truth: Texts of false and true among mixed cells.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        labels = [_text(label, truth) for label in values.cat.categories]
        array = np.array([*labels, None], dtype=object)[values.cat.codes.to_numpy()]
    elif _is_plain(values):
        return values
    else:
        array = np.fromiter((_text(value, truth) for value in values), dtype=object, count=len(values))
    return pd.Series(array, index=values.index, name=values.name, dtype=object)


def _is_plain(values: "pd.Series[Any]") -> bool:
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            return pd.api.types.infer_dtype(values, skipna=True) in {"string", "empty"}
        return dtype.kind in "iufbM"
    if isinstance(dtype, pd.SparseDtype):
        return False
    kinds = (pd.StringDtype, pd.BooleanDtype, pd.DatetimeTZDtype)
    return isinstance(dtype, kinds) or bool(pd.api.types.is_numeric_dtype(dtype))


def _text(value: Any, truth: tuple[str, str]) -> str | None:
    """The text of one cell; total."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return truth[int(value)]
    try:
        if pd.api.types.is_scalar(value) and pd.isna(value):
            return None
        return canonical_text(value)
    except Exception:  # whatever an object does when it is asked for its text
        return None


def factorized(values: "pd.Series[Any]") -> tuple[npt.NDArray[np.intp], list[Any]]:
    """Position of each row among the distinct values, -1 for an empty cell; the distinct values.

    Labels of a categorical column are read like cells; two that read alike stay two values.
    """
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return uniques(plain(values))
    codes, labels = uniques(values)
    texts = [_text(label, TRUTH) for label in labels]
    positions = np.array([*(-1 if text is None else place for place, text in enumerate(texts)), -1], dtype=np.intp)
    return positions[codes], ["" if text is None else text for text in texts]


def numbers(values: "pd.Series[Any]") -> FloatArray:
    """Each cell as a number, NaN where it cannot be read as one."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        positions, labels = uniques(values)
        texts = (_text(label, ("0", "1")) for label in labels)
        return np.array([*(np.nan if text is None else _number(text) for text in texts), np.nan])[positions]
    cells = plain(values, truth=("0", "1"))
    if cells.dtype.kind == "M":
        return np.full(len(cells), np.nan)
    if pd.api.types.is_numeric_dtype(cells.dtype):  # booleans included
        return np.asarray(cells.to_numpy(dtype=np.float64, na_value=np.nan))
    positions, distinct = factorized(cells)
    read: FloatArray = np.array([*map(_number, distinct), np.nan])[positions]
    return read


def _number(text: str) -> float:
    try:
        # Python's own reader rounds every text alike; pandas' depends on the texts around it.
        return float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        return float("nan")


def moments(values: "pd.Series[Any]") -> FloatArray:
    """Each cell as microseconds since 1970 in UTC, NaN where it is no ISO 8601 day or time."""
    if values.dtype.kind == "M":
        return _stamps(values)
    positions, distinct = factorized(values)
    read = [_moment(_text(value, TRUTH) or "") for value in distinct]
    stamps: FloatArray = np.array([*read, np.nan])[positions]
    return stamps


def _stamps(values: "pd.Series[Any]") -> FloatArray:
    naive = values if isinstance(values.dtype, np.dtype) else values.dt.tz_convert("UTC").dt.tz_localize(None)
    stamps = naive.to_numpy()
    read = stamps.astype(np.int64) * _MICROSECONDS[np.datetime_data(stamps.dtype)[0]]
    return np.where(np.isnat(stamps), np.nan, read)


def _moment(text: str) -> float:
    text = text.strip()
    if _YEAR_OR_MONTH.fullmatch(text):
        text = f"{text}-01-01"[:10]
    try:
        read = datetime.fromisoformat(text)
        aware = read if read.tzinfo else read.replace(tzinfo=UTC)
        return (aware - _EPOCH) / timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return float("nan")
