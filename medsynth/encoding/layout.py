"""From a schema's column to its cells: every boundary follows from public text alone."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from medsynth.encoding.categories import CategoryCells
from medsynth.encoding.cells import Cells, Tail
from medsynth.encoding.domain import IntArray
from medsynth.encoding.numbers import NumberCells, TickArray, evenly, with_cuts
from medsynth.encoding.raw import WRITTEN_TRUTHS
from medsynth.schema.private import require_found

if TYPE_CHECKING:
    from medsynth.schema import Schema

DEFAULT_BINS = 64
"""Cells of a numeric column whose schema names no bins; the models merge what noise would drown."""
MOST_DATE_CELLS = 800


def build_cells(schema: "Schema") -> tuple[Cells, ...]:
    """Cells of every modelled column, in schema order.

    Raises:
      SchemaError: If the schema leaves some of them open.
    """
    require_found(schema)
    cuts = schema_cuts(schema)
    return tuple(column_cells(name, schema.columns[name], cuts.get(name, ())) for name in schema.modelled)


def column_cells(name: str, column: Any, cuts: Iterable[tuple[str, Any]] = ()) -> Cells:
    """Cells of one column.

    Args:
      name: The column's name.
      column: Its description in the schema.
      cuts: (operator, value) pairs that some predicate of the schema compares it with.
    """
    builders: dict[str, Callable[..., Cells]] = {
        "category": _category,
        "boolean": _boolean,
        "code": _code,
        "integer": _number,
        "decimal": _number,
        "date": _date,
    }
    return builders[column.kind](name, column, tuple(cuts))


def _tail(column: Any, first: int, *, other: bool = False) -> Tail:
    return Tail(first=first, blank=column.missing, codes=tuple(column.missing_codes), other=other)


def _category(name: str, column: Any, cuts: tuple[tuple[str, Any], ...]) -> CategoryCells:  # noqa: ARG001 (every builder of cells takes the cuts)
    values = tuple(column.values)
    return CategoryCells(
        name=name, values=values, tail=_tail(column, len(values), other=column.other), ordered=column.ordered
    )


def _boolean(name: str, column: Any, cuts: tuple[tuple[str, Any], ...]) -> CategoryCells:  # noqa: ARG001 (every builder of cells takes the cuts)
    values = (column.false, column.true)
    wordless = column.false is False and column.true is True
    return CategoryCells(
        name=name,
        values=values,
        tail=_tail(column, 2),
        dtype="boolean" if wordless and not column.missing_codes else "category",
        normalise=WRITTEN_TRUTHS.get if wordless else None,
    )


def _code(name: str, column: Any, cuts: tuple[tuple[str, Any], ...]) -> CategoryCells:  # noqa: ARG001 (every builder of cells takes the cuts)
    system = column.code_system
    return CategoryCells(
        name=name,
        values=tuple(system.codes),
        tail=_tail(column, len(system.codes), other=column.other),
        dtype="text",
        normalise=system.normalise,
        levels=tuple(level.groups for level in system.levels),
        members=system.members,
    )


def _number(name: str, column: Any, cuts: tuple[tuple[str, Any], ...]) -> NumberCells:
    places = getattr(column, "places", 0)
    step = 10.0**-places if column.kind == "decimal" else float(getattr(column, "round_to", None) or 1)

    def tick(value: Any) -> float:
        return round(float(value) / step, 6)

    first, stop = round(tick(column.min)), round(tick(column.max)) + 1
    starts = _declared_starts(column, first, stop, tick)
    spikes = [edge for value in column.spikes for edge in (round(tick(value)), round(tick(value)) + 1)]
    boundaries = spikes + [edge for operator, value in cuts for edge in _boundaries(operator, tick(value))]
    starts = with_cuts(starts, stop, boundaries)
    return NumberCells(
        name=name,
        starts=starts,
        stop=stop,
        tail=_tail(column, len(starts)),
        step=step,
        places=places,
        dtype=column.kind,
    )


def _declared_starts(column: Any, first: int, stop: int, tick: Any) -> TickArray:
    if column.edges:
        inner = [round(tick(edge)) for edge in column.edges]
        return np.unique(np.array([first, *[edge for edge in inner if first < edge < stop]], dtype=np.int64))
    return evenly(first, stop, column.bins or DEFAULT_BINS, column.scale)


def _boundaries(operator: str, tick: float) -> tuple[int, ...]:
    """Cell starts that make `column operator value` decide every cell.

    >>> _boundaries(">=", 65.0), _boundaries(">", 65.0), _boundaries("==", 65.0)
    ((65,), (66,), (65, 66))
    """
    at, behind = int(np.ceil(tick)), int(np.floor(tick)) + 1
    return {"<": (at,), ">=": (at,), "<=": (behind,), ">": (behind,)}.get(operator, (at, behind))


def _date(name: str, column: Any, cuts: tuple[tuple[str, Any], ...]) -> NumberCells:
    def day(value: Any) -> int:
        return int(np.datetime64(str(value), "D").astype(np.int64))

    first, stop = day(column.min), day(column.max) + 1
    starts = _date_starts(first, stop, column.unit)
    starts = with_cuts(starts, stop, [edge for operator, value in cuts for edge in _boundaries(operator, day(value))])
    return NumberCells(
        name=name,
        starts=starts,
        stop=stop,
        tail=_tail(column, len(starts)),
        dtype="date",
        hierarchy=_calendar(starts),
    )


def _date_starts(first: int, stop: int, unit: str | None) -> TickArray:
    """Starts of days, weeks (from the first day on) or calendar months; with no unit, the finest that stays small."""
    days = np.arange(first, stop, dtype=np.int64)
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    by_unit: dict[str, TickArray] = {
        "day": days,
        "week": days[::7],
        "month": days[np.append(True, months[1:] != months[:-1])],
    }
    if unit in by_unit:
        return by_unit[unit]
    return next((starts for starts in by_unit.values() if len(starts) <= MOST_DATE_CELLS), by_unit["month"])


def _calendar(starts: TickArray) -> tuple[IntArray, ...]:
    """Months, then years, of cell starts; only levels that merge something."""
    days = starts.astype("datetime64[D]")
    levels = []
    size = len(starts)
    for unit in ("datetime64[M]", "datetime64[Y]"):
        _, groups = np.unique(days.astype(unit), return_inverse=True)
        if int(groups.max()) + 1 < size:
            levels.append(groups.astype(np.int32))
            size = int(groups.max()) + 1
    return tuple(levels)


def schema_cuts(schema: "Schema") -> dict[str, list[tuple[str, Any]]]:
    """Comparisons of ordered columns with constants in the schema's rare conditions, rules and subgroups."""
    cuts: dict[str, list[tuple[str, Any]]] = {}
    for predicate in schema.predicates():
        for column, operator, value in predicate.comparisons():
            cuts.setdefault(column, []).append((operator, value))
    return cuts
