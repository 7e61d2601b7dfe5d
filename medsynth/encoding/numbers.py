"""Cells of ordered columns: integers, decimals and dates, all cut on a grid of ticks.

A tick is the smallest step a column can show: 1 for integers, 10^-places for decimals, a day for dates. A cell is a
run of ticks, so decoding draws a tick and never leaves its cell, integers stay integers, and a cut named in the schema
falls exactly between two ticks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.cells import BoolArray, Tail, codes_of_uniques, groups_with_tail
from medsynth.encoding.domain import Attribute, IntArray
from medsynth.encoding.raw import factorized, moments, numbers
from medsynth.errors import UsageError
from medsynth.schema.texts import canonical_text

TickArray = npt.NDArray[np.int64]
MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberCells:
    """Runs of ticks.

    Attributes:
      name: The column's name.
      starts: First tick of each cell, ascending; cell i holds ticks starts[i] .. starts[i + 1] - 1.
      stop: One behind the last tick.
      tail: Missing cells; an ordered column has no `other` cell, strays go to missing or the nearest bound.
      step: Size of a tick in the column's unit.
      places: Decimal places shown; 0 for integers.
      dtype: What to decode to.
      hierarchy: Public coarser partitions of the own cells, finest first.
    """

    name: str
    starts: TickArray
    stop: int
    tail: Tail
    step: float = 1.0
    places: int = 0
    dtype: Literal["integer", "decimal", "date"] = "integer"
    hierarchy: tuple[IntArray, ...] = ()

    @cached_property
    def attribute(self) -> Attribute:
        """The column as the models see it."""
        return Attribute(
            name=self.name,
            size=len(self.starts) + self.tail.size,
            ordered=len(self.starts),
            hierarchy=tuple(groups_with_tail(groups, self.tail) for groups in self.hierarchy),
        )

    def encode(self, values: pd.Series) -> IntArray:
        """Codes of raw values, (n,) int32; total."""
        in_ticks = self._in_ticks(values)
        readable = ~np.isnan(in_ticks)
        ticks = np.clip(np.nan_to_num(in_ticks), -9.0e15, 9.0e15).round().astype(np.int64)
        positions = np.searchsorted(self.starts, ticks, side="right") - 1
        cells: IntArray = np.clip(positions, 0, len(self.starts) - 1).astype(np.int32)
        if not readable.all():
            cells[~readable] = codes_of_uniques(values[~readable], self._unreadable_cell)
        for text, cell in self.tail.code_cells.items():
            cells[in_ticks == self._tick_of(text)] = cell
        return cells

    def knows(self, values: pd.Series) -> BoolArray:
        """Which raw values lie between the bounds and, of integers and dates, are whole, (n,) bool."""
        ticks, read = self._in_ticks(values), self._whole(values)
        inside = read & (ticks >= self.starts[0]) & (ticks <= self.stop - 1)
        texts = {text for text in self.tail.code_cells if np.isnan(self._tick_of(text))}
        for text in self.tail.code_cells.keys() - texts:
            inside |= ticks == self._tick_of(text)
        if texts:
            positions, uniques = factorized(values)
            inside |= np.array([*(canonical_text(value) in texts for value in uniques), False])[positions]
        return np.asarray(inside)

    def _whole(self, values: pd.Series) -> BoolArray:
        """Which values have no part finer than the column's kind."""
        if self.dtype == "date":
            return np.asarray(moments(values) % MICROSECONDS_PER_DAY == 0)
        read = numbers(values)
        return np.asarray(~np.isnan(read) if self.dtype == "decimal" else np.floor(read) == read)

    def _in_ticks(self, values: pd.Series) -> npt.NDArray[np.float64]:
        """Raw values in ticks, NaN where they cannot be read."""
        if self.dtype == "date":
            return _days(values)
        # 0.07 / 0.01 is not 7: ticks are compared as integers, so what is nearly one becomes one.
        with np.errstate(over="ignore"):
            return np.round(numbers(values) / self.step, 6)

    def _tick_of(self, text: str) -> float:
        return float(self._in_ticks(pd.Series([text], dtype="object"))[0])

    def _unreadable_cell(self, value: Any) -> int:
        known = None if value is None else self.tail.code_cells.get(canonical_text(value))
        if known is not None:
            return known
        return 0 if self.tail.stray_cell is None else self.tail.stray_cell

    def decode(self, codes: IntArray, rng: np.random.Generator) -> pd.Series:
        """A value drawn evenly from the ticks of each code's cell; missing cells give their code or NA."""
        own = codes < len(self.starts)
        stops = np.append(self.starts[1:], self.stop)
        inside = np.where(own, codes, 0)
        ticks = rng.integers(self.starts[inside], stops[inside])
        if self.dtype == "date":
            days = self.shown(ticks)
            days[~own] = np.datetime64("NaT")
            return pd.Series(days, name=self.name)
        return self._with_tail(self.shown(ticks), codes, own)

    def shown(self, ticks: TickArray) -> npt.NDArray[Any]:
        """The values at ticks, as a table holds them."""
        if self.dtype == "date":
            return ticks.astype("datetime64[D]").astype("datetime64[us]")
        return np.round(ticks * self.step, self.places) if self.dtype == "decimal" else ticks * round(self.step)

    def _with_tail(self, numbers: npt.NDArray[Any], codes: IntArray, own: BoolArray) -> pd.Series:
        tail = np.array([_number_or_nan(value) for value in self.tail.values(None)] or [np.nan])
        if own.all() and not self.tail.size:
            return pd.Series(numbers, name=self.name)
        values = numbers.astype(np.float64)
        values[~own] = tail[codes[~own] - len(self.starts)]
        if self.dtype == "decimal":
            return pd.Series(values, name=self.name)
        return pd.Series(values, name=self.name).astype("Int64")

    def select(self, operator: str, value: Any) -> BoolArray:
        """Cells whose every tick satisfies the comparison; missing cells never do."""
        tick = self._tick_of(str(value))
        if np.isnan(tick):
            raise UsageError(f"Column '{self.name}': '{value}' is not a {self.dtype}. Compare it with one.")
        first, last = self.starts, np.append(self.starts[1:], self.stop) - 1
        holds_first, holds_last = _compare(operator, first, tick), _compare(operator, last, tick)
        inside = (first <= tick) & (tick <= last) & (first < last)
        undecided = (holds_first != holds_last) | (inside if operator in {"==", "!="} else False)
        if undecided.any():
            raise self._cut_error(operator, value, int(np.argmax(undecided)))
        mask = np.zeros(self.attribute.size, dtype=bool)
        mask[: len(first)] = holds_first
        return mask

    def _cut_error(self, operator: str, value: Any, cell: int) -> UsageError:
        low, high = self.bounds(cell)
        return UsageError(
            f"Column '{self.name}': '{operator} {value}' cuts through the cell {low} to {high}, inside which the model "
            f"knows nothing. Compare with an end of that cell, or name the cut in the schema and fit again."
        )

    def bounds(self, cell: int) -> tuple[str, str]:
        """First and last value of a cell, as text."""
        stops = np.append(self.starts[1:], self.stop)
        return self._text(int(self.starts[cell])), self._text(int(stops[cell]) - 1)

    def _text(self, tick: int) -> str:
        if self.dtype == "date":
            return str(np.datetime64(tick, "D"))
        return f"{tick * self.step:.{self.places}f}"


def _number_or_nan(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _days(values: pd.Series) -> npt.NDArray[np.float64]:
    return np.floor(moments(values) / MICROSECONDS_PER_DAY)


def _compare(operator: str, left: Any, right: Any) -> BoolArray:
    functions: dict[str, Callable[[Any, Any], BoolArray]] = {
        "==": np.equal,
        "!=": np.not_equal,
        "<": np.less,
        "<=": np.less_equal,
        ">": np.greater,
        ">=": np.greater_equal,
    }
    return functions[operator](left, right)


def evenly(first: int, stop: int, bins: int, scale: str) -> TickArray:
    """Starts of at most `bins` runs over ticks first .. stop - 1, even on a linear or logarithmic scale.

    A logarithmic scale over zero or negative ticks uses asinh at one ten-thousandth of the range.

    >>> evenly(0, 10, 5, "linear").tolist()
    [0, 2, 4, 6, 8]
    """
    bins = min(bins, stop - first)
    if scale == "linear":
        edges = np.linspace(first, stop, bins + 1)
    elif first > 0:
        edges = np.geomspace(first, stop, bins + 1)
    else:
        unit = max(1.0, (stop - first) / 10_000)
        edges = np.sinh(np.linspace(np.arcsinh(first / unit), np.arcsinh(stop / unit), bins + 1)) * unit
    starts = np.unique(np.ceil(edges[:-1] - 1e-9).astype(np.int64))
    return np.unique(np.clip(starts, first, stop - 1))


def with_cuts(starts: TickArray, stop: int, cuts: Sequence[int]) -> TickArray:
    """Adds cell boundaries; a cut outside the range changes nothing."""
    inside = [cut for cut in cuts if starts[0] < cut < stop]
    return np.unique(np.concatenate([starts, np.array(inside, dtype=np.int64)]))
