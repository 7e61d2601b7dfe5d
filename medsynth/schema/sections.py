"""The parts of a schema beside its columns: dataset, privacy, rare conditions, subgroups, utility, studies, policy."""

import re
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from medsynth.schema.predicate import Predicate, parse_predicate
from medsynth.schema.texts import shown
from medsynth.schema.values import Entry, Filled, Flag, Label, Number, Text, Whole

SMALLEST_EPSILON = 0.001
"""Below it a release shows nothing of a table, and delta is the larger part of the promise."""
LARGEST_EPSILON = 100.0
"""Above it nothing is protected."""
LARGEST_DELTA = 1e-6
_NAME = re.compile(r"\w[\w .,+()<>=-]*")


def _neighbours(value: Any) -> Any:
    if value == "replace-one":
        raise ValueError(
            "replace-one is not offered: every guarantee here is for adding or removing one person, which also "
            "bounds replacing one at twice the epsilon. Write add-remove."
        )
    return value


def _delta(value: Any) -> Any:
    if value == "auto":
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(f"must be auto or a number between 0 and 1, got {shown(value)}. Write auto.")
    return float(value)


def epsilon_problem(epsilon: float) -> str | None:
    """What is wrong with an epsilon and the fix, or None; the same for a schema, a fit and a budget."""
    if SMALLEST_EPSILON <= epsilon <= LARGEST_EPSILON:
        return None
    why = "; above it nothing is protected" if epsilon > LARGEST_EPSILON else ""
    why = "; below it nothing is learned" if 0 < epsilon < SMALLEST_EPSILON else why
    return (
        f"must be a number from {SMALLEST_EPSILON:g} to {LARGEST_EPSILON:g}, got {epsilon:g}{why}. "
        "Choose one from 0.1 to 10."
    )


def _name(value: Any) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value) and len(value) <= 80:
        return value
    raise ValueError(
        f"name {shown(value)} must begin with a letter or digit and hold no more than 80 letters, digits, blanks "
        "and _ - . , + ( ) < > =. Rename it."
    )


Name = Annotated[str, BeforeValidator(_name)]


class Dataset(Entry):
    """What the table is and what may be done with it; `name` also names the budget file.

    `sampling_fraction` is the share of the population that the table holds, as is publicly known.
    """

    name: Name
    population: Text | None = None
    licence: Text | None = None
    terms: Text | None = None
    allowed_use: Text | None = None
    sampling_fraction: Annotated[Number, Field(gt=0, le=1)] | None = None


class Bounding(Entry):
    """How many rows of a person count, and which; whether that number is a column of its own."""

    rule: Literal["first", "last", "sample", "weight"] = "weight"
    max: Annotated[Whole, Field(ge=1, le=10_000)] = 10
    order: Filled | None = None
    count: Flag | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        needs_order = self.rule in {"first", "last"}
        if needs_order and self.order is None:
            raise ValueError(f"rule {self.rule} needs a column to order by. Write order: COLUMN.")
        if self.order is not None and not needs_order:
            raise ValueError(f"rule {self.rule} does not use an order. Remove order.")
        if self.count and self.max == 1:
            raise ValueError("where max is 1, every person counts with one row. Remove count.")
        return self

    @property
    def counts(self) -> bool:
        """Whether the number of a person's rows is a column: by default where these share one weight."""
        return self.max > 1 and (self.rule == "weight" if self.count is None else self.count)


class Privacy(Entry):
    """Who is protected, and how much may be learned of them."""

    unit: Filled | None = None
    noun: Filled = "person"
    rows_are_persons: Flag = False
    persons: Annotated[Whole, Field(ge=1)]
    persons_source: Literal["public", "data"] = "public"
    bounding: Bounding = Bounding()
    epsilon: Number = 1.0
    delta: Annotated[float | Literal["auto"], BeforeValidator(_delta)] = "auto"
    neighbours: Annotated[Literal["add-remove"], BeforeValidator(_neighbours)] = "add-remove"
    domain_share: Annotated[Number, Field(gt=0, le=0.5)] = 0.1

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.unit is not None) == self.rows_are_persons:
            found = "both" if self.rows_are_persons else "neither"
            raise ValueError(
                f"needs exactly one of unit and rows_are_persons, found {found}. Name the column of persons in "
                "unit, or write rows_are_persons: true if no person has two rows."
            )
        if self.rows_are_persons and self.bounding.max != 1 and "bounding" in self.model_fields_set:
            raise ValueError("where rows are persons there is one row each. Remove bounding, or write max: 1.")
        wrong = epsilon_problem(self.epsilon)
        if wrong is not None:
            raise ValueError(f"epsilon {wrong}")
        return self

    @property
    def order(self) -> str | None:
        """The column by which the first or last rows of a person are chosen."""
        return self.bounding.order

    @property
    def counts_rows(self) -> bool:
        """Whether the table has a column with the number of the person's rows that count."""
        return self.unit is not None and self.bounding.counts

    @property
    def delta_value(self) -> float:
        """Delta as a number; `auto` is min(1e-6, persons^-1.5) of the stated persons."""
        return min(LARGEST_DELTA, float(self.persons) ** -1.5) if self.delta == "auto" else self.delta


class _Where(Entry):
    name: Name
    where: Filled

    @cached_property
    def predicate(self) -> Predicate:
        """The condition as written, columns and values not checked; `Schema.predicate` checks."""
        return parse_predicate(self.where)


class Rare(_Where):
    """A rare condition that is always measured, and can be upsampled to `share`."""

    keep_with: tuple[Filled, ...] = ()
    share: Annotated[Number, Field(gt=0, le=1)] | None = None


class Subgroup(_Where):
    """A group for which results are also shown."""


class Utility(Entry):
    """What the table is used to predict."""

    target: Filled | None = None
    positive: Label | bool | None = None
    task: Literal["binary", "multiclass", "regression", "survival"] = "binary"
    time: Filled | None = None
    event: Filled | None = None
    exclude: tuple[Filled, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.task == "survival" and (self.time is None or self.event is None):
            raise ValueError("task survival needs the columns time and event. Name both.")
        if self.task != "survival" and self.target is None:
            raise ValueError(f"task {self.task} needs a column target. Name it.")
        if self.positive is not None and self.task != "binary":
            raise ValueError(f"'positive' is for task binary, not {self.task}. Remove it.")
        return self


class Study(Entry):
    """An analysis that users of the table will run."""

    name: Name
    formula: Filled
    family: Literal["logistic", "linear", "cox"] = "linear"


class Policy(Entry):
    """Limits that a release must meet."""

    epsilon_max: Annotated[Number, Field(gt=0)] | None = None
    membership_tpr_at_1pct_fpr_max: Annotated[Number, Field(ge=0, le=1)] | None = None
    exact_match_excess_max: Annotated[Number, Field(ge=0)] | None = None
    tv_2way_max: Annotated[Number, Field(ge=0, le=1)] | None = None
    auc_drop_max: Annotated[Number, Field(ge=0, le=1)] | None = None
