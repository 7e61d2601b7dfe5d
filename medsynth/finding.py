"""Finds what a schema leaves open (`source: private`) under the ledger: categories, bounds, bins.

    category                   labels above a threshold; all others become `(other)`
    integer, decimal, date     counts on a public grid -> where the column lies
                               counts on finer cells there -> bounds, and bins of about equal mass

Each column is booked by itself. The tables that are read, their noise and their cost follow from the schema and from
what was released before. What is found is a schema without open columns: noisy values, free to use and to publish.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from medsynth.encoding.binning import (
    Run,
    finer_starts,
    quantile_starts,
    refined,
    shared_cells,
    significant_runs,
    stands_out,
    trimmed,
)
from medsynth.encoding.cells import Tail
from medsynth.encoding.domain import Level
from medsynth.encoding.grids import GridCells, coarse_edges
from medsynth.encoding.layout import DEFAULT_BINS
from medsynth.encoding.numbers import NumberCells
from medsynth.privacy.measurement import Measurement
from medsynth.privacy.thresholds import calibrated
from medsynth.schema.private import named_values, private_columns, widened, with_found
from medsynth.schema.texts import canonical_text
from medsynth.sources.open import Grid, OpenRecords, encode_open, sensitivity_of

if TYPE_CHECKING:
    from medsynth.privacy import Ledger
    from medsynth.schema import Schema
    from medsynth.sources import Source

FloatArray = npt.NDArray[np.float64]
TickArray = npt.NDArray[np.int64]
Found = Mapping[str, Any]

THRESHOLD_SHARE = 0.1
"""Part of delta that a budget keeps for thresholds, where its schema has private categories."""
MOST_CATEGORIES = 1000
LEAST_PLACES, MOST_PLACES = 2, 12
TELLS_APART = 4
"""Decimal digits of the width of a private decimal that are kept, where its schema names no places."""
_WHOLE = re.compile(r"0|-?[1-9]\d{0,14}")
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Search:
    """How open columns are searched; public constants, the same for every table.

    Attributes:
      bins: `quantiles` for bins of about equal mass, `even` for equal widths between the bounds that were found
        (compared by `benchmarks/binning.py`).
      coarse: Part of a number's or date's budget for the first grid.
      cells: Most finer cells of its second grid, about.
      signal: Persons in such a cell, in deviations of its noise, if all hold equally many: fewer persons, fewer cells.
    """

    bins: Literal["quantiles", "even"] = "quantiles"
    coarse: float = 0.3
    cells: int = 512
    signal: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What each open column may spend, before any is read.

    Attributes:
      mu2: Of every column.
      delta: Of every category.
    """

    mu2: float
    delta: float

    @classmethod
    def of(cls, schema: "Schema", *, mu2: float, delta: float) -> "Shares":
        """Equal parts of what all columns, and all categories, have together."""
        columns, categories = len(private_columns(schema)), len(private_columns(schema, "category"))
        return cls(mu2=mu2 / max(columns, 1), delta=delta / max(categories, 1))

    @property
    def sigma(self) -> float:
        """Noise on the count of a category, in persons; one person's rows weigh one person."""
        return float(self.mu2**-0.5)


@dataclass(frozen=True, kw_only=True)
class DomainPlan:
    """What finding the domains will cost, from public facts.

    Attributes:
      columns: Private columns.
      tables: Lists and tables that are noised.
      cells: Noisy numbers, the counts of categories aside, whose number is private.
      sigma: Largest noise on a count, in persons.
      smallest_category: Noisy count from which on a category is found; None without private categories.
      smallest_number: By number or date: persons in one range of its public grid that stand out from the noise, about.
    """

    columns: tuple[str, ...]
    tables: int
    cells: int
    sigma: float
    smallest_category: int | None
    smallest_number: Mapping[str, int]

    @classmethod
    def of(cls, schema: "Schema", *, mu2: float, delta: float) -> "DomainPlan":
        """The plan for a budget of mu^2 and a delta for thresholds."""
        columns, categories = private_columns(schema), private_columns(schema, "category")
        shares, search = Shares.of(schema, mu2=mu2, delta=delta), Search()
        numbers = [name for name in columns if name not in categories]
        sizes = {name: _coarse_grid(name, schema.columns[name]).size for name in numbers}
        coarse = (shares.mu2 * search.coarse) ** -0.5
        part = min(search.coarse, 1 - search.coarse) if numbers else 1.0
        return cls(
            columns=columns,
            tables=len(categories) + 2 * len(numbers),
            cells=sum(size + search.cells for size in sizes.values()),
            sigma=shares.sigma * part**-0.5,
            smallest_category=_smallest_category(schema, shares) if categories else None,
            smallest_number={name: math.ceil(stands_out(size) * coarse) for name, size in sizes.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Domains:
    """What was found: schema and names follow from noisy counts.

    Attributes:
      schema: Without open columns.
      unseen: Numbers and dates of which nothing stood out from the noise, so that their bounds are assumed.
      content: Digest of the open columns as the first pass read them, for the note of which table was read; private.
    """

    schema: "Schema"
    unseen: tuple[str, ...] = ()
    content: bytes = field(default=b"", repr=False)


def _smallest_category(schema: "Schema", shares: Shares) -> int:
    threshold = calibrated(sensitivity_of(schema), sigma=shares.sigma, delta=shares.delta)
    return math.ceil(threshold.persons)


def kept_for_thresholds(schema: "Schema", delta: float) -> float:
    """The part of delta that a budget made for this schema keeps for thresholds."""
    return THRESHOLD_SHARE * delta if private_columns(schema, "category") else 0.0


def find_domains(
    source: "Source", schema: "Schema", ledger: "Ledger", *, mu2: float, key: bytes, search: Search | None = None
) -> Domains:
    """The schema with what its private columns hold, found under the ledger; total.

    Args:
      source: Private rows; read twice where numbers or dates are open.
      schema: With private columns.
      ledger: A fit's allowance; books every release.
      mu2: What all of them may spend of mu^2.
      key: 64 secret bytes, as for the fit.
      search: How; the default for every table.

    Raises:
      BudgetError: If a cost does not fit.
    """
    search = search or Search()
    shares = Shares.of(schema, mu2=mu2, delta=ledger.threshold_delta)
    numbers = [name for name in private_columns(schema) if schema.columns[name].kind != "category"]
    categories = private_columns(schema, "category")
    grids = [_coarse_grid(name, schema.columns[name]) for name in numbers]
    batches = source.batches(_inputs(schema, [*numbers, *categories]))
    records = encode_open(batches, schema, grids=grids, categories=categories, key=key)
    found = {name: _find_categories(records, schema, name, ledger, shares) for name in categories}
    spans = [_find_span(records, schema, grid, ledger, shares, search) for grid in grids]
    unseen = []
    if spans:
        batches = source.batches(_inputs(schema, numbers))
        finer = encode_open(batches, schema, grids=[span.cells for span in spans], categories=(), key=key)
        for span in spans:
            counts = _measured_cells(finer, span, ledger, shares, search)
            found[span.cells.name] = _find_bins(counts, schema, span, search)
            if not span.seen and not significant_runs(counts.noisy[1 : len(span.cells.starts) - 1], counts.sigma):
                unseen.append(span.cells.name)
    return Domains(schema=with_found(schema, found), unseen=tuple(unseen), content=records.content)


def _inputs(schema: "Schema", names: Sequence[str]) -> tuple[str, ...]:
    extra = [name for name in (schema.privacy.unit, schema.privacy.order) if name is not None]
    return tuple(dict.fromkeys([*names, *extra]))


def _find_categories(records: OpenRecords, schema: "Schema", name: str, ledger: "Ledger", shares: Shares) -> Found:
    """What passed the threshold and what the schema names, numbers before words; the rest is `(other)`."""
    label = f"Domain of '{name}': categories"
    passed = ledger.threshold(records, name, sigma=shares.sigma, delta=shares.delta, label=label)
    largest = np.argsort(-passed.noisy, kind="stable")[:MOST_CATEGORIES]
    texts = {passed.labels[place] for place in largest.tolist()} | set(map(canonical_text, named_values(schema, name)))
    ordered = sorted(texts, key=lambda text: (0, int(text), text) if _WHOLE.fullmatch(text) else (1, 0, text))
    whole = all(map(_WHOLE.fullmatch, texts))
    return {"values": tuple(int(text) for text in ordered) if whole else tuple(ordered), "other": True}


def _measured(records: OpenRecords, grid: Grid, ledger: "Ledger", mu2: float, label: str) -> Measurement:
    (measured,) = ledger.measure(records, [(Level.finest(grid.attribute),)], [mu2**-0.5], label=label)
    return measured


def _coarse_grid(name: str, column: Any) -> GridCells:
    step = 10.0**-column.places if column.kind == "decimal" and "places" in column.model_fields_set else None
    return GridCells(
        name=name,
        edges=coarse_edges(column.kind, step=step),
        dates=column.kind == "date",
        missing=column.missing_texts,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Span:
    """Where a column lies, in finer cells.

    Attributes:
      cells: The finer cells, between one for all below and one for all above.
      borders: Which finer cells begin an interval of the public grid, and their number at the end.
      parts: Runs of finer cells that stood out on the public grid; at least one.
      seen: Whether any stood out.
    """

    cells: NumberCells
    borders: list[int]
    parts: list[Run]
    seen: bool

    @property
    def ticks(self) -> TickArray:
        """First ticks of the finer cells, and the end of the last."""
        return self.cells.starts[1:]


def _find_span(
    records: OpenRecords, schema: "Schema", grid: GridCells, ledger: "Ledger", shares: Shares, search: Search
) -> _Span:
    """Finer cells where the counts on the public grid stand out; where none does, on a default."""
    column: Any = schema.columns[grid.name]
    counts = _measured(records, grid, ledger, shares.mu2 * search.coarse, f"Domain of '{grid.name}': range")
    noisy = counts.noisy[: grid.size]
    runs = significant_runs(noisy, counts.sigma)
    edges, masses = _default(column.kind), np.ones(1)
    if runs:
        first, stop = runs[0][0], runs[-1][1]
        edges, masses = grid.edges[first : stop + 1], noisy[first:stop]
    finer_sigma = (shares.mu2 * (1 - search.coarse)) ** -0.5
    wanted = min(search.cells, int(max(masses.sum(), 0.0) / (search.signal * finer_sigma)))
    places = _places(column, edges)
    step = 10.0**-places if column.kind == "decimal" else float(getattr(column, "round_to", None) or 1)
    borders, wide = _ticks(edges, step)
    starts = finer_starts(borders, shared_cells(masses[wide], np.diff(borders), wanted))
    ends = np.searchsorted(starts, _first_ticks(grid.edges[np.array(runs, dtype=np.int64).reshape(-1, 2)], step))
    return _Span(
        cells=_guarded(grid.name, column, starts, int(borders[-1]), step=step, places=places),
        borders=np.searchsorted(np.append(starts, borders[-1]), borders).tolist(),
        parts=[(first, stop) for first, stop in ends.tolist() if first < stop] or [(0, len(starts))],
        seen=bool(runs),
    )


def _guarded(name: str, column: Any, starts: TickArray, stop: int, *, step: float, places: int) -> NumberCells:
    """Cells from these ticks on, between one for all below and one for all above."""
    guarded = np.concatenate([[starts[0] - 1], starts, [stop]])
    return NumberCells(
        name=name,
        starts=guarded,
        stop=stop + 1,
        tail=Tail(first=len(guarded), blank=True, codes=tuple(column.missing_codes), other=False),
        step=step,
        places=places,
        dtype=column.kind,
    )


def _first_ticks(edges: FloatArray, step: float) -> TickArray:
    return np.asarray(np.ceil(edges / step - 1e-9).astype(np.int64))


def _ticks(edges: FloatArray, step: float) -> tuple[TickArray, TickArray]:
    """First ticks of the intervals that hold any, with the end of the last, and which intervals these are."""
    ticks = _first_ticks(edges, step)
    ticks[-1] = max(int(ticks[-1]), int(ticks[0]) + 1)
    wide = np.flatnonzero(np.diff(ticks))
    return np.append(ticks[wide], ticks[-1]), wide


def _measured_cells(records: OpenRecords, span: _Span, ledger: "Ledger", shares: Shares, search: Search) -> Measurement:
    label = f"Domain of '{span.cells.name}': cells"
    return _measured(records, span.cells, ledger, shares.mu2 * (1 - search.coarse), label)


def _find_bins(counts: Measurement, schema: "Schema", span: _Span, search: Search) -> Found:
    """Bounds and bins from the counts of the finer cells."""
    cells, column = span.cells, schema.columns[span.cells.name]
    noisy = counts.noisy[1 : len(cells.starts) - 1]
    first, stop = trimmed(noisy, counts.sigma, span.parts)
    ticks = span.ticks[first : stop + 1]
    bounds = _bounds(column, ticks, cells, named_values(schema, cells.name))
    if column.kind == "date":
        return bounds
    bins = getattr(column, "bins", None) or DEFAULT_BINS
    if search.bins == "even":
        return bounds | {"bins": bins}
    inside = [border - first for border in span.borders if first < border < stop]
    kept = quantile_starts(noisy[first:stop], counts.sigma, bins, borders=inside)
    chosen = refined(ticks[[*kept, stop - first]], np.add.reduceat(noisy[first:stop], kept), bins).tolist()
    # What the schema names beyond the bounds that were found gets a bin of its own.
    inner = (_value(tick, cells) for tick in (*chosen, int(ticks[-1])))
    edges = {bounds["min"], *(value for value in inner if bounds["min"] < value <= bounds["max"])}
    return bounds | {"edges": tuple(sorted(edges)), "bins": None}


def _bounds(column: Any, ticks: TickArray, cells: NumberCells, named: Sequence[Any]) -> dict[str, Any]:
    last = max(int(ticks[-1]) - 1, int(ticks[0]) + (column.kind == "decimal"))
    low, high = widened(column.kind, _value(int(ticks[0]), cells), _value(last, cells), named)
    return {"min": low, "max": high} | ({"places": cells.places} if column.kind == "decimal" else {})


def _value(tick: int, cells: NumberCells) -> Any:
    if cells.dtype == "date":
        return _EPOCH + timedelta(days=tick)
    return round(tick * cells.step, cells.places) if cells.dtype == "decimal" else tick * round(cells.step)


def _default(kind: str) -> FloatArray:
    """Where a column is taken to lie that does not stand out from the noise: 0 to 1, or the year 2000."""
    if kind == "date":
        return np.array([(date(2000, 1, 1) - _EPOCH).days, (date(2001, 1, 1) - _EPOCH).days], dtype=np.float64)
    return np.array([0.0, 2.0 if kind == "integer" else 1.0])


def _places(column: Any, edges: FloatArray) -> int:
    """Decimal places: the schema's, or enough to tell apart parts of the width, and no more than are exact."""
    if column.kind != "decimal":
        return 0
    if "places" in column.model_fields_set:
        return int(column.places)
    width, largest = float(edges[-1] - edges[0]), float(np.abs(edges).max())
    exact = math.floor(15 - math.log10(max(largest, 1e-9)))
    return max(0, min(max(LEAST_PLACES, math.ceil(TELLS_APART - math.log10(width))), MOST_PLACES, exact))
