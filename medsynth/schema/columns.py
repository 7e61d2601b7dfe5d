"""The kinds of column a schema can describe, from public knowledge alone.

category   a public list of values          integer, decimal   public bounds and bins
boolean    two values                       date               public bounds
code       a public hierarchy of codes      id                 invented afresh, never learned
                                            drop               neither read nor released
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from medsynth.schema.codes import (
    CodeSystem,
    code_system_from_rows,
    load_code_system,
    shipped_code_system,
)
from medsynth.schema.texts import OTHER, canonical_text, listed, shown
from medsynth.schema.values import (
    BooleanLabel,
    Day,
    Entry,
    Filled,
    Flag,
    Label,
    MissingCode,
    Number,
    Text,
    Whole,
)

Source = Literal["public", "data", "private", "found"]
"""What a description rests on: public knowledge; rows, awaiting a person's word; nothing yet, to be found under the
budget; an earlier fit, which found it under its budget.
"""
Attacker = Literal["known", "secret", "neither"]
MOST_CELLS = 4096


class _Described(Entry):
    description: Text | None = None
    source: Source = "public"
    attacker: Attacker = "neither"


class _Modelled(_Described):
    missing: Flag = False
    missing_codes: tuple[MissingCode, ...] = ()
    other: Flag = False
    unit: Text | None = None
    keeps_others: ClassVar[bool] = False
    needed: ClassVar[tuple[str, ...]] = ()
    found: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _check_common(self) -> Self:
        _distinct("missing_codes", self.missing_codes)
        if self.other and not self.keeps_others:
            raise ValueError(
                "'other' is for lists of values; a value outside the bounds becomes missing or the nearest bound. "
                "Remove 'other'."
            )
        return self

    @model_validator(mode="after")
    def _check_found(self) -> Self:
        """What the budget is to find must not be written, and what nothing finds must be."""
        if self.source != "private":
            absent = [key for key in self.needed if getattr(self, key) in (None, ())]
            if absent and not (self.source == "found" and self.keeps_others and self.other):
                raise ValueError("\n".join(map(self._absence, absent)))
            return self
        if not self.needed:
            raise ValueError(f"source: private leaves nothing to find for kind {self.kind}. Write source: public.")  # type: ignore[attr-defined]
        fields = type(self).model_fields
        written = [key for key in (*self.needed, *self.found) if getattr(self, key) != fields[key].default]
        if written:
            raise ValueError(
                f"source: private is found under the budget, so {listed(written)} must not be written. Remove "
                f"{'it' if len(written) == 1 else 'them'}, or write source: public."
            )
        return self

    def _absence(self, key: str) -> str:
        if key in self.model_fields_set:
            return f"{key}: must not be empty. List at least one."
        return f"key {shown(key)} is absent. Add it."

    @property
    def is_open(self) -> bool:
        """Whether the values or bounds are still to be found under the budget."""
        return self.source == "private"

    @property
    def missing_texts(self) -> frozenset[str]:
        """Canonical texts of the missing codes."""
        return frozenset(canonical_text(code) for code in self.missing_codes)

    @property
    def can_be_missing(self) -> bool:
        """Whether a blank or a missing code may occur."""
        return self.missing or bool(self.missing_codes)


class Category(_Modelled):
    """One of a public list of values.

    >>> Category(kind="category", values=("F", "M")).values
    ('F', 'M')
    """

    kind: Literal["category"] = "category"
    values: tuple[Label, ...] = ()
    ordered: Flag = False
    keeps_others: ClassVar[bool] = True
    needed: ClassVar[tuple[str, ...]] = ("values",)
    found: ClassVar[tuple[str, ...]] = ("ordered", "other")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _distinct("values", self.values)
        if len({type(value) for value in self.values}) > 1:
            raise ValueError("values mix text and numbers. Put all of them in quotes.")
        _not_among(self.values, self.missing_texts)
        if OTHER in {*self.texts, *self.missing_texts}:
            raise ValueError(
                f"{shown(OTHER)} is how a value outside the list is written, so it is none of the list. Remove it, and "
                "write other: true."
            )
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The values' canonical texts, in declared order."""
        return tuple(canonical_text(value) for value in self.values)


class Boolean(_Modelled):
    """One of two values, written as declared."""

    kind: Literal["boolean"] = "boolean"
    true: BooleanLabel = True
    false: BooleanLabel = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if canonical_text(self.true) == canonical_text(self.false):
            raise ValueError(f"true and false are both written {shown(self.true)}. Write two different values.")
        _not_among((self.false, self.true), self.missing_texts)
        return self

    @property
    def values(self) -> tuple[bool | str | int, ...]:
        """How false and true are written, in this order."""
        return (self.false, self.true)

    @property
    def texts(self) -> tuple[str, ...]:
        """Canonical texts of `values`."""
        return tuple(canonical_text(value) for value in self.values)


class Integer(_Modelled):
    """A whole number between public bounds."""

    kind: Literal["integer"] = "integer"
    min: Whole | None = None
    max: Whole | None = None
    bins: Annotated[Whole, Field(ge=1, le=MOST_CELLS)] | None = None
    scale: Literal["linear", "log"] = "linear"
    edges: tuple[Whole, ...] | None = None
    spikes: tuple[Whole, ...] = ()
    round_to: Annotated[Whole, Field(ge=1)] | None = None
    needed: ClassVar[tuple[str, ...]] = ("min", "max")
    found: ClassVar[tuple[str, ...]] = ("scale", "edges", "spikes")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_number(self)
        return self


class Decimal(_Modelled):
    """A number between public bounds, with a fixed number of decimal places."""

    kind: Literal["decimal"] = "decimal"
    min: Number | None = None
    max: Number | None = None
    places: Annotated[Whole, Field(ge=0, le=12)] = 2
    bins: Annotated[Whole, Field(ge=1, le=MOST_CELLS)] | None = None
    scale: Literal["linear", "log"] = "linear"
    edges: tuple[Number, ...] | None = None
    spikes: tuple[Number, ...] = ()
    needed: ClassVar[tuple[str, ...]] = ("min", "max")
    found: ClassVar[tuple[str, ...]] = ("scale", "edges", "spikes")

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_number(self)
        return self


class Date(_Modelled):
    """A day between public bounds; `unit` is the finest step that is learned."""

    kind: Literal["date"] = "date"
    min: Day | None = None
    max: Day | None = None
    unit: Literal["day", "week", "month"] | None = None
    needed: ClassVar[tuple[str, ...]] = ("min", "max")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"bounds must ascend, got min {self.min} and max {self.max}. Swap them.")
        return self


class Code(_Modelled):
    """A code of a public hierarchy: shipped (`system`), a CSV beside the schema (`values_file`),
    or inline (`codes`).
    """

    kind: Literal["code"] = "code"
    system: Filled | None = None
    values_file: Filled | None = None
    codes: Annotated[tuple[dict[str, Text], ...], Field(min_length=1)] | None = None
    keeps_others: ClassVar[bool] = True
    _folder: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self, info: ValidationInfo) -> Self:
        given = [key for key in ("system", "values_file", "codes") if getattr(self, key) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"needs exactly one of system, values_file, codes; found {found}. Keep one.")
        self._folder = (info.context or {}).get("folder")
        _not_among(self.code_system.codes, self.missing_texts)
        return self

    @property
    def code_system(self) -> CodeSystem:
        """The codes and their public levels."""
        if self.system is not None:
            return shipped_code_system(self.system)
        if self.codes is not None:
            return code_system_from_rows("codes", self.codes)
        return load_code_system((self._folder or Path()) / str(self.values_file))


class Id(_Described):
    """An identifier: never learned, invented afresh, numbers written into the run of `#`."""

    kind: Literal["id"] = "id"
    format: Filled | None = None


class Drop(_Described):
    """A column that is neither read nor released."""

    kind: Literal["drop"] = "drop"
    reason: Filled | None = None


Column = Annotated[Category | Boolean | Integer | Decimal | Date | Code | Id | Drop, Field(discriminator="kind")]
KINDS: dict[str, type[Entry]] = {
    "category": Category,
    "boolean": Boolean,
    "integer": Integer,
    "decimal": Decimal,
    "date": Date,
    "code": Code,
    "id": Id,
    "drop": Drop,
}


def _distinct(key: str, values: tuple[Any, ...]) -> None:
    seen: set[str] = set()
    for value in values:
        text = canonical_text(value)
        if text in seen:
            raise ValueError(f"{key} must be distinct, got {shown(value)} twice. Remove one.")
        seen.add(text)


def _not_among(values: tuple[Any, ...], missing: frozenset[str]) -> None:
    shared = [value for value in values if canonical_text(value) in missing]
    if shared:
        raise ValueError(
            f"{listed(map(shown, shared))} is both a value and a missing code. Keep it in one of the two lists."
        )


def _check_number(column: Integer | Decimal) -> None:
    low, high = column.min, column.max
    if low is None or high is None:
        return
    unit = f" ({column.unit})" if column.unit else ""
    if low > high:
        raise ValueError(f"bounds must ascend, got min {low:g} and max {high:g}{unit}. Swap them.")
    if low == high and column.kind == "decimal":
        raise ValueError(f"bounds must differ, got min and max {low:g}{unit}. Widen them, or drop the column.")
    _distinct("spikes", column.spikes)
    _inside("spikes", column.spikes, low, high, unit)
    if column.edges is not None:
        if column.bins is not None:
            raise ValueError("has both edges and bins. Keep one: edges already say how many bins there are.")
        if list(column.edges) != sorted(set(column.edges)):
            raise ValueError(f"edges must ascend, got {listed(f'{edge:g}' for edge in column.edges)}. Sort them.")
        _inside("edges", column.edges, low, high, unit)


def _inside(key: str, values: tuple[float, ...], low: float, high: float, unit: str) -> None:
    for value in values:
        if not low <= value <= high:
            raise ValueError(
                f"{key} must lie inside the bounds {low:g} to {high:g}{unit}, got {value:g}. "
                "Widen the bounds, or remove it."
            )
