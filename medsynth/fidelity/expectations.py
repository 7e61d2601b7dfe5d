"""What a table must meet, as plain values: each is one expectation of great-expectations, which is not imported here.

Columns give expectations of their own; rules give those of `rule_expectations.py`. All are about single rows, so a
table meets them exactly where its distinct rows do.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from medsynth.fidelity.rule_cases import Atom
from medsynth.fidelity.rule_expectations import Unportable, of_rule
from medsynth.schema.table import ROWS_COLUMN
from medsynth.schema.values import LARGEST

if TYPE_CHECKING:
    from medsynth.schema import Schema

UNLEARNED = frozenset({"id", "drop"})
NUMBERS = frozenset({"integer", "decimal"})
LARGEST_SET = 20_000
"""Code lists longer than this are not written into a suite."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One expectation.

    Attributes:
      kind: The library's class, such as `ExpectColumnValuesToBeInSet`.
      columns: What it is about, the condition included.
      settings: The class's arguments, without its condition.
      given: It concerns the rows where all of these hold.
      part: What it belongs to: the name of a column, or of a rule as messages call it.
      plausible: Real records may break it: a warning, no failure.
    """

    kind: str
    columns: tuple[str, ...]
    settings: Mapping[str, Any]
    part: str
    given: tuple[Atom, ...] = ()
    plausible: bool = False

    @property
    def name(self) -> str:
        """The expectation's public name, such as `expect_column_values_to_be_in_set`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.kind).lower()

    @property
    def by_extremes(self) -> bool:
        """Whether the least, the greatest and a missing value of a column decide."""
        return self.kind in {"ExpectColumnToExist", "ExpectColumnValuesToNotBeNull"} or (
            self.kind == "ExpectColumnValuesToBeBetween" and not self.given
        )


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """All that a schema expects.

    Attributes:
      expected: In the order of the schema: columns, rules, plausible rules.
      left_out: Why, by the name of each rule, list and definition that no expectation expresses.
    """

    expected: tuple[Expected, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, list[Expected]]:
        """Expectations by column and rule."""
        found: dict[str, list[Expected]] = {}
        for expected in self.expected:
            found.setdefault(expected.part, []).append(expected)
        return found


def expectations_of(schema: "Schema", *, counted: bool = True) -> Expectations:
    """What a table of the schema must meet.

    Args:
      schema: The public description.
      counted: Whether the table has the column of rows per person, which medsynth adds.

    Returns:
      Expectations, and by name the rules that none expresses, with the reason.
    """
    columns = {
        name: column
        for name, column in schema.columns.items()
        if column.kind not in UNLEARNED and (counted or name != ROWS_COLUMN)
    }
    expected = [found for name, column in columns.items() for found in _of_column(name, column)]
    left_out = {f"Column '{name}'": why for name, column in columns.items() if (why := _unlisted(column))}
    for name, rule, plausible in named_rules(schema):
        try:
            cases = of_rule(rule, columns, schema)
        except Unportable as reason:
            left_out[name] = str(reason)
            continue
        expected += [Expected(part=name, plausible=plausible, **case) for case in cases]
    derived = {f"Derived column '{name}'": "no expectation computes a column" for name in schema.derived}
    return Expectations(expected=tuple(expected), left_out=left_out | derived)


def named_rules(schema: "Schema") -> Iterator[tuple[str, Any, bool]]:
    """(name in messages, predicate, whether real records may break it) of every rule."""
    for name, rule in zip(schema.rule_names, schema.rule_predicates, strict=True):
        yield name, rule, False
    for text, rule in zip(schema.plausible, schema.plausible_predicates, strict=True):
        yield f"Plausible rule '{text}'", rule, True


def _unlisted(column: Any) -> str | None:
    """Why the values of a column are not in the suite, where they would be expected there."""
    if column.is_open:
        return "its values or bounds are private"
    if column.kind == "code" and not column.other and len(column.code_system.codes) > LARGEST_SET:
        return f"its list is longer than {LARGEST_SET:,} codes"
    return None


def _of_column(name: str, column: Any) -> Iterator[Expected]:
    def expected(kind: str, **settings: Any) -> Expected:
        return Expected(kind=kind, columns=(name,), settings={"column": name} | settings, part=name)

    yield expected("ExpectColumnToExist")
    if not (column.missing or column.missing_codes):
        yield expected("ExpectColumnValuesToNotBeNull")
    if column.kind in NUMBERS:
        low, high = (-LARGEST, LARGEST) if column.is_open else (column.min, column.max)
        yield expected("ExpectColumnValuesToBeBetween", min_value=float(low), max_value=float(high))
    elif column.kind == "date":
        days = (date(1, 1, 1), date(9999, 12, 30)) if column.is_open else (column.min, column.max)
        first, last = (datetime.combine(day, time.min) for day in days)
        yield expected("ExpectColumnValuesToBeBetween", min_value=first, max_value=last)
    elif not column.other and not column.is_open:
        allowed = column.code_system.codes if column.kind == "code" else column.texts
        if len(allowed) <= LARGEST_SET:
            yield expected("ExpectColumnValuesToBeInSet", value_set=list(allowed))
