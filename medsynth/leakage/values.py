"""Every cell of the three tables as a number: equal for equal values, in order where there is one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.comparison import Comparison, Part
from medsynth.leakage.distance import FloatArray

BoolArray = npt.NDArray[np.bool_]
PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")
LISTED = frozenset({"category", "boolean", "code"})
MISSING = -np.inf
"""Below every value, so that a range of values never holds it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Values:
    """Cells of the modelled columns.

    Attributes:
      tables: (n, d) per part; numbers as shown, days since 1970, positions of listed values; `MISSING` where empty.
      numeric: (d,) Whether a column is a number or a day.
      places: (d,) Decimal places that a number is shown with.
    """

    tables: Mapping[Part, FloatArray]
    numeric: BoolArray
    places: npt.NDArray[np.int64]


def values_of(comparison: Comparison) -> Values:
    """Reads all three tables, once for all attacks."""
    return comparison.once("values", lambda: _read(comparison))


def _read(comparison: Comparison) -> Values:
    columns: Sequence[Any] = [comparison.schema.columns[name] for name in comparison.domain.names]
    tables = {
        part: np.column_stack(
            [_column(comparison, part, place, column) for place, column in enumerate(columns)]
            or [np.zeros((len(comparison.frame(part)), 0))]
        )
        for part in PARTS
    }
    return Values(
        tables=tables,
        numeric=np.array([column.kind not in LISTED for column in columns], dtype=bool),
        places=np.array([_places(column) for column in columns], dtype=np.int64),
    )


def _places(column: Any) -> int:
    return int(getattr(column, "places", 6)) if column.kind == "decimal" else 0


def _column(comparison: Comparison, part: Part, place: int, column: Any) -> FloatArray:
    if column.kind in LISTED:
        return comparison.codes(part)[:, place].astype(np.float64)
    raw = comparison.frame(part)[comparison.domain.names[place]]
    if column.kind == "date":
        days = pd.to_datetime(raw.astype("string").str.slice(0, 10), format="%Y-%m-%d", errors="coerce")
        since = (days - pd.Timestamp("1970-01-01")).dt.days.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.where(np.isnan(since), MISSING, since)
    read = pd.to_numeric(raw, errors="coerce").astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(read), np.round(read, _places(column)), MISSING)
