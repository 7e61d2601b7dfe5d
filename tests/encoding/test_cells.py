"""Values to cells and back, for every kind of column."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.encoding.layout import column_cells
from medsynth.errors import UsageError
from medsynth.schema.columns import Boolean, Category, Code, Date, Decimal, Integer

STRANGE = [
    None,
    float("nan"),
    float("inf"),
    -float("inf"),
    "",
    " ",
    "?",
    "abc",
    1e300,
    -5,
    [1],
    {"a": 1},
    True,
    "9999-99-99",
]

COLUMNS = {
    "category": Category(values=("a", "b", "c"), ordered=True, missing=True, missing_codes=("?",), other=True),
    "numbered category": Category(values=(1, 2, 3), missing_codes=(-9,)),
    "bare category": Category(values=("a", "b")),
    "boolean": Boolean(),
    "written boolean": Boolean(true="F", false="M", missing=True),
    "integer": Integer(min=-5, max=120, bins=9, spikes=(0,), missing=True, missing_codes=(-9, "N")),
    "bare integer": Integer(min=0, max=3),
    "rounded integer": Integer(min=0, max=1000, round_to=10, bins=7),
    "log integer": Integer(min=0, max=1_000_000, scale="log", bins=20),
    "decimal": Decimal(min=-1.5, max=250.25, places=2, bins=13, missing=True),
    "log decimal": Decimal(min=0.01, max=500, places=2, scale="log", bins=16),
    "edged decimal": Decimal(min=0, max=20, places=1, edges=(6.5, 7.0, 9.0)),
    "date": Date(min=date(2019, 12, 30), max=date(2021, 3, 2), unit="week", missing=True),
    "day": Date(min=date(2020, 1, 1), max=date(2020, 3, 1), unit="day"),
    "month": Date(min=date(1950, 1, 1), max=date(2020, 12, 31), unit="month"),
    "code": Code(
        codes=(
            {"code": "250", "block": "249-259"},
            {"code": "401", "block": "401-405"},
            {"code": "402", "block": "401-405"},
        ),
        missing_codes=("?",),
        other=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_cell_decodes_to_a_value_that_encodes_to_it(kind: str) -> None:
    cells = column_cells("x", COLUMNS[kind])
    codes = np.repeat(np.arange(cells.attribute.size, dtype=np.int32), 25)
    again = cells.encode(cells.decode(codes, np.random.default_rng(0)))
    blank = cells.tail.blank_cell
    restorable = np.ones(cells.attribute.size, dtype=bool)
    if kind == "integer":  # the code "N" cannot stand in a column of numbers: it comes back blank
        restorable[cells.tail.code_cells["N"]] = False
        assert (again[codes == cells.tail.code_cells["N"]] == blank).all()
    kept = restorable[codes]
    np.testing.assert_array_equal(again[kept], codes[kept])


@pytest.mark.parametrize("kind", COLUMNS)
def test_encoding_is_total_and_silent(kind: str) -> None:
    cells = column_cells("x", COLUMNS[kind])
    codes = cells.encode(pd.Series(STRANGE, dtype="object"))
    assert codes.dtype == np.int32
    assert codes.min() >= 0
    assert codes.max() < cells.attribute.size
    assert len(cells.encode(pd.Series([], dtype="object"))) == 0


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_cell_does_not_depend_on_the_rows_around_it(kind: str) -> None:
    cells = column_cells("x", COLUMNS[kind])
    together = cells.encode(pd.Series(STRANGE, dtype="object"))
    alone = [int(cells.encode(pd.Series([value], dtype="object"))[0]) for value in STRANGE]
    assert together.tolist() == alone


@given(st.integers(-300, 500), st.integers(1, 40), st.sampled_from(["linear", "log"]))
@settings(max_examples=60, deadline=None)
def test_an_integer_stays_an_integer_inside_its_cell(value: int, bins: int, scale: str) -> None:
    cells = column_cells("x", Integer(min=-100, max=300, bins=bins, scale=scale))
    code = cells.encode(pd.Series([value]))
    decoded = cells.decode(code, np.random.default_rng(value + 300))
    assert decoded.dtype == np.int64
    low, high = cells.bounds(int(code[0]))
    clipped = min(max(value, -100), 300)
    assert int(low) <= clipped <= int(high)
    assert int(low) <= decoded[0] <= int(high)


@given(st.decimals("0", "20", places=2))
@settings(max_examples=60, deadline=None)
def test_a_decimal_keeps_its_declared_places(value: object) -> None:
    cells = column_cells("x", Decimal(min=0, max=20, places=2, bins=11))
    decoded = cells.decode(cells.encode(pd.Series([float(value)])), np.random.default_rng(1))
    assert round(decoded[0] * 100) == pytest.approx(decoded[0] * 100, abs=1e-9)


def test_categories_come_back_in_declared_order_and_type() -> None:
    cells = column_cells("x", COLUMNS["category"])
    decoded = cells.decode(np.array([2, 0, 3, 4, 5], dtype=np.int32), np.random.default_rng(0))
    assert decoded.cat.categories.tolist() == ["a", "b", "c", "?", "(other)"]
    assert decoded.cat.ordered
    assert decoded.astype(object).where(decoded.notna(), None).tolist() == ["c", "a", None, "?", "(other)"]


def test_a_spike_is_a_cell_of_its_own_and_bounds_clip() -> None:
    cells = column_cells("x", COLUMNS["integer"])
    codes = cells.encode(pd.Series([0, -5, -400, 120, 9999, -9]))
    assert cells.bounds(int(codes[0])) == ("0", "0")
    assert codes[1] == codes[2] == 0
    assert codes[3] == codes[4]
    assert codes[5] == cells.tail.code_cells["-9"]


def test_a_comparison_named_in_the_schema_becomes_an_edge() -> None:
    column = Integer(min=0, max=99, bins=10)
    with pytest.raises(UsageError, match="cuts through the cell 60 to 69"):
        column_cells("age", column).select(">=", 65)
    cells = column_cells("age", column, [(">=", 65)])
    mask = cells.select(">=", 65)
    values = pd.Series(np.arange(100))
    np.testing.assert_array_equal(mask[cells.encode(values)], values >= 65)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "==", "!="])
@pytest.mark.parametrize("value", [0.0, 0.07, 3.3, 20.0, 25.0])
def test_decimal_selections_agree_with_the_values(operator: str, value: float) -> None:
    column = Decimal(min=0, max=20, places=2, bins=6)
    cells = column_cells("x", column, [(operator, value)])
    values = pd.Series(np.round(np.arange(0, 20.001, 0.01), 2))
    expected = {"<": values < value, "<=": values <= value, ">": values > value, ">=": values >= value,
                "==": values == value, "!=": values != value}[operator]  # fmt: skip
    np.testing.assert_array_equal(cells.select(operator, value)[cells.encode(values)], expected)


def test_dates_have_months_and_years_as_public_levels() -> None:
    cells = column_cells("d", COLUMNS["day"])
    months, years = cells.attribute.hierarchy
    assert months.max() == 2
    assert years.max() == 0
    decoded = cells.decode(np.array([31], dtype=np.int32), np.random.default_rng(0))
    assert str(decoded.dtype) == "datetime64[us]"
    assert decoded[0] == pd.Timestamp("2020-02-01")


def test_a_raw_code_is_read_as_its_category_and_its_block_selects_it() -> None:
    cells = column_cells("dx", COLUMNS["code"])
    assert cells.encode(pd.Series(["401", "250", "?", "999", None])).tolist() == [1, 0, 3, 4, 3]
    assert cells.select_group("401-405").tolist() == [False, True, True, False, False]


def test_a_text_cut_by_a_nul_does_not_become_another_rows_value() -> None:
    cells = column_cells("x", Category(values=("F", "M"), other=True))
    assert cells.encode(pd.Series(["F\0x", "F", "M"], dtype="object")).tolist() == [2, 0, 1]
    assert cells.encode(pd.Series(["F", "F\0x"], dtype="object")).tolist() == [0, 2]
