"""Scalar types of a schema file: strict, finite, and explained when they are refused."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict

from medsynth.schema.texts import shown

LARGEST = 2**53
"""Beyond it a float no longer tells neighbouring integers apart."""


class Entry(BaseModel):
    """A frozen mapping of the schema file; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __eq__(self, other: object) -> bool:
        """Equal when the written keys are; where the file lies does not matter."""
        # By text, because 1 and true are different values in a schema, though equal in Python.
        return isinstance(other, Entry) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy without what was computed of the original: cached properties belong to their values."""
        copied = super().model_copy(update=update, deep=deep)
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"must be text, got {shown(value)}. Put it in quotes.")


def _filled(value: Any) -> str:
    text = _text(value)
    if not text.strip():
        raise ValueError("must not be blank. Write a text.")
    return text


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"must be true or false, got {shown(value)}. Write true or false, without quotes.")


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, got {shown(value)}. Write it without quotes or a point.")
    if abs(value) > LARGEST:
        raise ValueError(f"must lie within 2^53 of zero, got {shown(value)}. Use another unit.")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a number, got {shown(value)}. Write it without quotes.")
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"must be finite and within 2^53 of zero, got {shown(value)}. Use another number.")
    return float(value)


def _day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"must be a date, got {shown(value)}. Write it as 2020-01-31.") from None


def _label(value: Any) -> str | int:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, str) or value is None:
        raise ValueError("a blank value means missing. Set missing: true, or quote a text.")
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"value {shown(value)} is neither text nor a whole number. Put it in quotes.")
    return _whole(value)


def _missing_code(value: Any) -> str | int | float:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return _number(value)
    return _label(value)


Text = Annotated[str, BeforeValidator(_text)]
Filled = Annotated[str, BeforeValidator(_filled)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_number)]
Day = Annotated[date, BeforeValidator(_day)]
Label = Annotated[str | int, BeforeValidator(_label)]
BooleanLabel = Annotated[
    bool | str | int,
    BeforeValidator(lambda value: value if isinstance(value, bool) else _label(value)),
]
MissingCode = Annotated[str | int | float, BeforeValidator(_missing_code)]
