"""Great Expectations on a table: a suite from the schema, results as yes or no, no value shown.

The library takes seconds to import, so it is imported on first use, without its usage statistics. Only success per
expectation leaves this module: no counts, no examples, no messages.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from medsynth.encoding.raw import WRITTEN_TRUTHS
from medsynth.schema import Schema
from medsynth.schema.texts import canonical_text
from medsynth.schema.values import LARGEST

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

UNLEARNED = frozenset({"id", "drop"})
NUMBERS = frozenset({"integer", "decimal"})
UNREADABLE_DAY = datetime.max
"""Stands for text that is no day: it lies behind every bound."""
LARGEST_SET = 20_000
"""Code lists longer than this are not written into a suite."""


class Verdict(NamedTuple):
    """Whether a column meets an expectation.

    Attributes:
      column: The column's name.
      expectation: The expectation's public name, such as `expect_column_values_to_be_in_set`.
      success: Whether every row meets it; also False where it could not be judged.
    """

    column: str
    expectation: str
    success: bool


def expectation_suite(schema: Schema) -> "ExpectationSuite":
    """What a table must meet: columns exist, values in set or bounds, blanks only where allowed.

    The suite speaks of canonical values: numbers as numbers, days as dates, everything else as text, as `validate`
    prepares them. It is serialisable (`suite.to_json_dict()`), so that teams can run it elsewhere.

    Args:
      schema: The public description.

    Returns:
      A suite named after the dataset, not yet part of any context.
    """
    gx = _library()
    suite = gx.ExpectationSuite(name=schema.dataset.name)
    for name, column in schema.columns.items():
        if column.kind in UNLEARNED:
            continue
        for expectation in _column_expectations(gx.expectations, name, column):
            suite.add_expectation(expectation)
    return suite


def validate(frame: pd.DataFrame, schema: Schema) -> list[Verdict]:
    """Judges a table by its schema's suite.

    Nothing is written, no network is used, and nothing but success is read from the results.

    Args:
      frame: Rows in any type: as read from text, or decoded.
      schema: The public description.

    Returns:
      One verdict per column and expectation, in the suite's order.
    """
    gx = _library()
    with _silence():
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        rows = context.data_sources.add_pandas("rows").add_dataframe_asset("table")
        definition = gx.ValidationDefinition(
            name="check",
            data=rows.add_batch_definition_whole_dataframe("whole"),
            suite=context.suites.add(expectation_suite(schema)),
        )
        results = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": canonical_frame(frame, schema)},
            result_format="BOOLEAN_ONLY",
        )
    found = {_key(result.expectation_config): bool(result.success) for result in results.results}
    return [
        Verdict(*key, found.get(key, False))
        for key in (_key(expectation.configuration) for expectation in definition.suite.expectations)
    ]


def canonical_frame(frame: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The schema's columns as the suite speaks of them.

    Missing codes become blanks, unreadable numbers infinity, unreadable days `UNREADABLE_DAY`.
    """
    kept = {
        name: _canonical(frame[name], column)
        for name, column in schema.columns.items()
        if name in frame and column.kind not in UNLEARNED
    }
    return pd.DataFrame(kept, index=frame.index)


def _canonical(values: "pd.Series[Any]", column: Any) -> "pd.Series[Any]":
    read, blank = (_number, float("nan")) if column.kind in NUMBERS else (_reader(column), None)
    codes, uniques = pd.factorize(values.astype(object))
    texts = [canonical_text(value) for value in uniques]
    plain = [blank if text in {"", *column.missing_texts} else read(text) for text in texts]
    kind: Any = float if column.kind in NUMBERS else object
    table = np.empty(len(plain) + 1, dtype=kind)
    table[:] = [*plain, blank]
    canonical: pd.Series[Any] = pd.Series(table[codes], index=values.index, dtype=kind)
    return canonical


def _reader(column: Any) -> Callable[[str], Any]:
    if column.kind == "date":
        return _day
    if column.kind == "boolean" and column.true is True and column.false is False:
        return lambda text: WRITTEN_TRUTHS.get(text, text)
    if column.kind == "code":
        return lambda text: column.code_system.normalise(text) or text
    return str


def _day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text[:10])
    except ValueError:
        return UNREADABLE_DAY


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _column_expectations(kinds: Any, name: str, column: Any) -> Iterator[Any]:
    yield kinds.ExpectColumnToExist(column=name)
    if not (column.missing or column.missing_codes):
        yield kinds.ExpectColumnValuesToNotBeNull(column=name)
    if column.kind in NUMBERS:
        low, high = (-LARGEST, LARGEST) if column.is_open else (column.min, column.max)
        yield kinds.ExpectColumnValuesToBeBetween(column=name, min_value=float(low), max_value=float(high))
    elif column.kind == "date":
        days = (date(1, 1, 1), date(9999, 12, 30)) if column.is_open else (column.min, column.max)
        first, last = (datetime.combine(day, time.min) for day in days)
        yield kinds.ExpectColumnValuesToBeBetween(column=name, min_value=first, max_value=last)
    elif not column.other and not column.is_open:
        allowed = column.code_system.codes if column.kind == "code" else column.texts
        if len(allowed) <= LARGEST_SET:
            yield kinds.ExpectColumnValuesToBeInSet(column=name, value_set=list(allowed))


def _key(configuration: Any) -> tuple[str, str]:
    return str(configuration.kwargs["column"]), str(configuration.type)


def _library() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import touches deprecated standard modules
        import great_expectations
    return great_expectations


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps the library's warnings and log lines, which may quote values, from being shown."""
    logger = logging.getLogger("great_expectations")
    before = logger.disabled, logger.level, logger.propagate
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled, logger.level, logger.propagate = before
