"""Great Expectations on a table: a suite from the schema, results as yes or no, no value shown.

The library takes seconds to import, so it is imported on first use, without its usage statistics. Only success per
expectation leaves this module: no counts, no examples, no messages.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.raw import WRITTEN_TRUTHS
from medsynth.fidelity.expectations import NUMBERS, UNLEARNED, Expectations, Expected, expectations_of
from medsynth.fidelity.rule_cases import Among, Atom, Missing, Within
from medsynth.schema import Schema
from medsynth.schema.texts import canonical_text
from medsynth.version import __version__

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

UNREADABLE_DAY = datetime.max
"""Stands for text that is no day: it lies behind every bound."""
CANONICAL = (
    "Speaks of tables with numbers as numbers, days as timestamps at midnight, all other columns as text, "
    "and missing codes as blanks."
)


class Verdict(NamedTuple):
    """Whether a table meets an expectation.

    Attributes:
      part: The column's name, or the rule's as messages call it.
      expectation: The expectation's public name, such as `expect_column_values_to_be_in_set`.
      success: Whether every row meets it; also False where it could not be judged.
      plausible: Real records may break it.
    """

    part: str
    expectation: str
    success: bool
    plausible: bool = False


def expectation_suite(schema: Schema, *, counted: bool = True) -> "ExpectationSuite":
    """What a table must meet: columns exist, values in set or bounds, blanks only where allowed, every rule.

    The suite speaks of canonical values: numbers as numbers, days as timestamps, everything else as text, as `validate`
    prepares them. It is serialisable (`suite.to_json_dict()`), so that teams can run it elsewhere; its `meta` names
    the rules that no expectation expresses. Plausible rules are warnings.

    Args:
      schema: The public description.
      counted: Whether the table has the column of rows per person, which medsynth adds.

    Returns:
      A suite named after the dataset, not yet part of any context.
    """
    return _suite(schema, expectations_of(schema, counted=counted))


def _suite(schema: Schema, wanted: Expectations) -> "ExpectationSuite":
    gx = _library()
    left_out = [{"rule": name, "reason": reason} for name, reason in wanted.left_out.items()]
    about = {"version": __version__, "schema": schema.dataset.name, "values": CANONICAL, "not_exported": left_out}
    found = [_expectation(gx.expectations, number, expected) for number, expected in enumerate(wanted.expected)]
    return gx.ExpectationSuite(name=schema.dataset.name, expectations=found, meta={"medsynth": about})


def _expectation(kinds: Any, number: int, expected: Expected) -> Any:
    settings = dict(expected.settings)
    if expected.given:
        settings["row_condition"] = _condition(expected.given)
    return getattr(kinds, expected.kind)(
        **settings,
        severity="warning" if expected.plausible else "critical",
        meta={"medsynth": {"number": number, "part": expected.part}},
    )


def _condition(given: tuple[Atom, ...]) -> Any:
    """A condition that every engine of the library can read."""
    from great_expectations.expectations.row_conditions import AndCondition

    tests = [test for atom in given for test in _tests(atom)]
    return tests[0] if len(tests) == 1 else AndCondition(conditions=tests)


def _tests(atom: Atom) -> Iterator[Any]:
    from great_expectations.expectations.row_conditions import Column, ComparisonCondition

    match atom:
        case Missing(column=name, holds=holds):
            yield Column(name).is_null() if holds else Column(name).is_not_null()
        case Among(column=name, values=values, holds=True):
            yield Column(name).is_in(values)
        case Among(column=name, values=values):
            yield Column(name).is_not_null()  # pandas holds a missing value for one outside the set, SQL does not
            yield Column(name).is_not_in(values)
        case Within(column=name, op=op, bound=bound):
            yield ComparisonCondition(column=Column(name), operator=op, parameter=bound)


def validate(frame: pd.DataFrame, schema: Schema, *, rules: bool = True) -> list[Verdict]:
    """Judges a table by its schema's suite.

    Nothing is written, no network is used, and nothing but success is read from the results.

    Args:
      frame: Rows in any type: as read from text, or decoded.
      schema: The public description.
      rules: Whether rules are judged too.

    Returns:
      One verdict per expectation, in the suite's order.
    """
    wanted = expectations_of(schema)
    if not rules:
        wanted = Expectations(expected=tuple(one for one in wanted.expected if one.part in schema.columns))
    telling = _telling_rows(canonical_frame(frame, schema), wanted.expected)
    held = _held(telling, schema, wanted)
    return [
        Verdict(expected.part, expected.name, held.get(number, False), expected.plausible)
        for number, expected in enumerate(wanted.expected)
    ]


def _held(canonical: pd.DataFrame, schema: Schema, wanted: Expectations) -> dict[int, bool]:
    """Whether every row meets an expectation, by its number."""
    gx = _library()
    with _silence():
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        rows = context.data_sources.add_pandas("rows").add_dataframe_asset("table")
        definition = gx.ValidationDefinition(
            name="check",
            data=rows.add_batch_definition_whole_dataframe("whole"),
            suite=context.suites.add(_suite(schema, wanted)),
        )
        results = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": canonical},
            result_format="BOOLEAN_ONLY",
        )
    return {one.expectation_config.meta["medsynth"]["number"]: bool(one.success) for one in results.results}


def _telling_rows(canonical: pd.DataFrame, wanted: Sequence[Expected]) -> pd.DataFrame:
    """Rows that decide every expectation: the first of each combination of values it looks at.

    Expectations are about single rows, so repetitions tell nothing; the library would copy all of them each time.
    """
    keep = np.zeros(len(canonical), dtype=bool)
    codes = {name: pd.factorize(canonical[name])[0] for name in canonical}
    for expected in wanted:
        if expected.by_extremes and expected.columns[0] in canonical:
            keep[_extremes(canonical[expected.columns[0]])] = True
    looked_at = dict.fromkeys(frozenset(expected.columns) for expected in wanted if not expected.by_extremes)
    for names in looked_at:
        if names <= codes.keys():
            keep |= ~pd.DataFrame({name: codes[name] for name in sorted(names)}).duplicated().to_numpy()
    return canonical[keep]


def _extremes(values: "pd.Series[Any]") -> list[int]:
    """Positions of a missing value and of the least and greatest number or day."""
    blank = values.isna().to_numpy()
    found = [int(blank.argmax())] if blank.any() else []
    present: npt.NDArray[np.intp] = np.flatnonzero(~blank)
    if values.dtype == object or not len(present):
        return found
    filled = values.to_numpy()[present]
    return [*found, int(present[filled.argmin()]), int(present[filled.argmax()])]


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
    kind: Any = {"integer": float, "decimal": float, "date": "datetime64[us]"}.get(column.kind, object)
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
