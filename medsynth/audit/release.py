"""All that one fit gives away, as plain values that an attack can compare."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.errors import UsageError

FloatArray = npt.NDArray[np.float64]
MOST_VALUES = 50
"""Distinct values of a column up to which each is looked at by itself."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Release:
    """What a recipient of one fit sees.

    Attributes:
      rows: Synthetic records, if any are released.
      numbers: Published arrays by name, such as noisy counts.
      facts: What is said in words or by its shape: which tables were measured, the schema, an error.
    """

    rows: pd.DataFrame | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)
    facts: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, eq=False)
class Trace:
    """A release taken apart: the numbers and the facts that an attack compares.

    Attributes:
      numbers: Published numbers by name.
      shares: Statistics of the synthetic rows by name; one that is absent is 0.
      facts: Of everything published.
      row_facts: Of the synthetic rows.
      error: The type of what the fit raised; blank if it did not.
    """

    numbers: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    facts: frozenset[str] = frozenset()
    row_facts: frozenset[str] = frozenset()
    error: str = ""


def trace_of(released: "Release | pd.DataFrame") -> Trace:
    """Takes a release apart; a data frame alone is a release of rows.

    Raises:
      UsageError: If it is neither.
    """
    release = Release(rows=released) if isinstance(released, pd.DataFrame) else released
    if not isinstance(release, Release):
        raise UsageError(
            f"A fit must return a data frame or a medsynth.audit.Release, got {type(released).__name__}. "
            "Return the synthetic rows, and what else is published."
        )
    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in release.numbers.items()}
    shapes = {f"publishes {name} of shape {array.shape}" for name, array in arrays.items()}
    shares, row_facts = ({}, set[str]()) if release.rows is None else _of_rows(release.rows)
    return Trace(
        numbers=dict(_cells(arrays)),
        shares=shares,
        facts=frozenset({*release.facts, *shapes}),
        row_facts=frozenset(row_facts),
    )


def trace_of_error(error: Exception | SystemExit) -> Trace:
    """What a fit shows that raises instead of releasing anything."""
    name = type(error).__name__
    return Trace(facts=frozenset({f"raises {name}: {error}"}), error=name)


def with_warnings(trace: Trace, messages: Iterable[str]) -> Trace:
    """The same release, heard with its warnings."""
    warned = frozenset(f"warns: {message}" for message in messages)
    if not warned:
        return trace
    return Trace(
        numbers=trace.numbers,
        shares=trace.shares,
        facts=trace.facts | warned,
        row_facts=trace.row_facts,
        error=trace.error,
    )


def _cells(arrays: Mapping[str, FloatArray]) -> Iterable[tuple[str, float]]:
    """Each cell under a name of its own; arrays of another shape have other names."""
    for name, array in arrays.items():
        for position, value in enumerate(array.ravel().tolist()):
            yield f"{name} {array.shape}[{position}]", value


def _of_rows(rows: pd.DataFrame) -> tuple[dict[str, float], set[str]]:
    shares = {"rows": float(len(rows))}
    facts = {f"column {name}: {rows[name].dtype}" for name in rows.columns}
    for name in rows.columns:
        column = rows[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            facts.add(f"column {name} declares {', '.join(map(str, column.cat.categories))}")
        found = _of_numbers(column) if pd.api.types.is_numeric_dtype(column.dtype) else _of_values(column)
        for key, share, fact in found:
            shares[f"{name} {key}"] = share
            if fact:
                facts.add(f"{name} {key}" if fact is True else fact)
    return shares, facts


def _of_values(column: "pd.Series[Any]") -> Iterable[tuple[str, float, bool]]:
    """(holds a value, its share, whether that is a fact by itself)."""
    values = ["missing" if value is None or value != value else str(value) for value in column.to_numpy(dtype=object)]
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    for value, count in list(counts.items())[:MOST_VALUES]:
        yield f"holds {value}", count / len(values), True


def _of_numbers(column: "pd.Series[Any]") -> Iterable[tuple[str, float, bool | str]]:
    """(statistic, its value, the fact that follows): magnitudes, not values, are facts."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    present = values[~np.isnan(values)]
    if len(present) < len(values):
        yield "holds missing", 1 - len(present) / len(values), True
    if len(present):
        yield "mean", float(present.mean()), False
        for name, end in (("least", float(present.min())), ("most", float(present.max()))):
            yield name, end, f"{column.name} {name} is about {_magnitude(end)}"


def _magnitude(value: float) -> str:
    """Sign and decimal exponent.

    >>> _magnitude(-250.0), _magnitude(0.0)
    ('-1e+2', '0')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{'-' if value < 0 else ''}1e{math.floor(math.log10(abs(value))):+d}"
