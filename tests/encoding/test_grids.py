import datetime as dt
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.encoding.grids import GridCells, coarse_edges, label_of

DAY = 86_400


def grid(kind: str, missing: frozenset[str] = frozenset()) -> GridCells:
    return GridCells(name="x", edges=coarse_edges(kind), dates=kind == "date", missing=missing)


def bounds(cells: GridCells, value: Any) -> tuple[float, float] | None:
    """The interval a value falls into, None where it is in none."""
    (code,) = cells.encode(pd.Series([value], dtype=object)).tolist()
    return None if code == cells.size else (float(cells.edges[code]), float(cells.edges[code + 1]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, (0, 1)), (1, (1, 2)), (7, (4, 8)), (8, (8, 16)), (-1, (-1, 0)), (-3, (-4, -2)), ("12", (8, 16))],
)
def test_integers_fall_between_powers_of_two(value: Any, expected: tuple[float, float]) -> None:
    assert bounds(grid("integer"), value) == expected


def test_decimals_are_told_apart_down_to_a_billionth() -> None:
    assert bounds(grid("decimal"), 0.3) == (0.25, 0.5)
    assert bounds(grid("decimal"), 3e-9) == (2.0**-29, 2.0**-28)
    assert bounds(grid("decimal"), 0.0) == (0.0, 2.0**-30)


def test_dates_fall_into_their_year() -> None:
    first, stop = bounds(grid("date"), "1999-12-31T23:59:59") or (0, 0)
    assert dt.date(1970, 1, 1) + dt.timedelta(days=first) == dt.date(1999, 1, 1)
    assert dt.date(1970, 1, 1) + dt.timedelta(days=stop) == dt.date(2000, 1, 1)
    assert bounds(grid("date"), "1799-12-31") is None
    assert bounds(grid("date"), "2201-01-01") is None


@pytest.mark.parametrize("value", [None, "", "old", np.inf, -np.inf, "1e400", 2.0**53, 2**70, -(2**60), [1], object])
def test_what_is_no_number_between_the_limits_is_in_no_interval(value: Any) -> None:
    assert bounds(grid("integer"), value) is None


def test_missing_codes_are_in_no_interval() -> None:
    cells = grid("integer", frozenset({"-1", "N", "5"}))
    assert [bounds(cells, value) for value in (-1, "-1", -1.0, "N", 5)] == [None] * 5
    assert bounds(cells, 6) == (4, 8)


@pytest.mark.parametrize("kind", ["integer", "decimal", "date"])
def test_a_grid_follows_from_the_kind_alone_and_ascends(kind: str) -> None:
    edges = coarse_edges(kind).tolist()
    assert all(one < other for one, other in pairwise(edges))


def test_stated_places_keep_the_grid_within_exact_steps() -> None:
    edges = coarse_edges("decimal", step=1e-6)
    assert edges[-1] <= 2.0**49 * 1e-6 < 2 * edges[-1]


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.one_of(st.integers(), st.floats(), st.text(max_size=3), st.none()), min_size=1, max_size=6))
def test_every_value_is_placed_by_itself(values: list[Any]) -> None:
    for kind in ("integer", "decimal", "date"):
        cells = grid(kind, frozenset({"7"}))
        together = cells.encode(pd.Series(values, dtype=object)).tolist()
        assert together == [int(cells.encode(pd.Series([value], dtype=object))[0]) for value in values]
        assert all(0 <= code <= cells.size for code in together)


@pytest.mark.parametrize("value", ["", "  ", "x" * 101, "a\nb", "a\x00", "\ud800", "\u202e", "(other)"])
def test_what_cannot_be_shown_is_never_a_category(value: str) -> None:
    assert label_of(value) is None


def test_one_value_has_one_label_however_it_is_written() -> None:
    assert {label_of(value) for value in (5, 5.0, "5 ", np.int8(5))} == {"5"}
    assert label_of("Ünsëen") == "Ünsëen"
