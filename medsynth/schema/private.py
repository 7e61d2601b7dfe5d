"""Columns whose values or bounds are to be found under the budget, and the schema once they are."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from medsynth.errors import SchemaError
from medsynth.schema.texts import OTHER, canonical_text

if TYPE_CHECKING:
    from medsynth.schema.table import Schema

FINDABLE = ("category", "integer", "decimal", "date")
"""Kinds that a private column can have."""

_STAND_INS: Mapping[str, Mapping[str, Any]] = {
    "category": {"values": tuple(f"value {number}" for number in range(1, 17)), "other": True},
    "integer": {"min": 0, "max": 2**20},
    "decimal": {"min": 0.0, "max": 2.0**20},
    "date": {"min": date(2000, 1, 1), "max": date(2019, 12, 31)},
}


def private_columns(schema: "Schema", *kinds: str) -> tuple[str, ...]:
    """Modelled columns that are still to be found; of these kinds, where some are named."""
    return tuple(
        name
        for name in schema.modelled
        if schema.columns[name].source == "private" and (not kinds or schema.columns[name].kind in kinds)
    )


def require_found(schema: "Schema") -> None:
    """Refuses a schema with private columns where a table is to be encoded.

    Raises:
      SchemaError: Naming the first of them.
    """
    private = private_columns(schema)
    if private:
        raise SchemaError(
            f"Schema '{schema.dataset.name}': column '{private[0]}' says source: private, and only `fit` and `run` "
            "find what that leaves open. Take the schema of a model fitted with it, or declare public values."
        )


def named_values(schema: "Schema", name: str) -> tuple[Any, ...]:
    """What the schema itself says of a column's values: constants it is compared with, and the positive one.

    These are public by the schema's text, and so are always part of what is found; `(other)` is what is not.
    """
    return _values_among((value for column, value in _constants(schema) if column == name), schema.columns[name])


def _values_among(constants: Iterable[Any], column: Any) -> tuple[Any, ...]:
    """Distinct constants that are values of a column: neither a missing code nor its cell for all others."""
    found = {canonical_text(value): value for value in constants}
    none = column.missing_texts | {OTHER}
    return tuple(value for text, value in found.items() if text not in none)


def _constants(schema: "Schema") -> Iterator[tuple[str, Any]]:
    for predicate in (*schema.predicates(), *schema.plausible_predicates):
        for column, _, value in predicate.comparisons():
            yield column, value
    utility = schema.utility
    if utility is not None and utility.target is not None and utility.positive is not None:
        yield utility.target, utility.positive


def with_found(schema: "Schema", found: Mapping[str, Mapping[str, Any]]) -> "Schema":
    """The schema whose private columns have values or bounds, checked as if a person had written it.

    Args:
      schema: With private columns.
      found: By column: keys of its description.
    """
    from medsynth.schema.load import dump_schema, parse_schema

    columns = {
        name: type(column).model_validate({**_written(column), **found[name], "source": "found"})
        if name in found
        else column
        for name, column in schema.columns.items()
    }
    whole = schema.self_contained()
    columns |= {name: whole.columns[name] for name in columns if name not in found}
    return parse_schema(dump_schema(whole.model_copy(update={"columns": columns})), where="schema with what was found")


def stand_in(schema: "Schema", where: str | None = None) -> "Schema":
    """The schema with invented values and bounds in place of what is not found yet: for forecasts and checks alone.

    Args:
      schema: Of a table.
      where: A predicate whose constants shall be possible too.

    Raises:
      UsageError: If the predicate is wrong, whatever will be found.
    """
    private = private_columns(schema)
    if not private:
        return schema
    asked = [] if where is None else list(schema.predicate(where).comparisons())
    named = {
        name: _values_among(
            [*named_values(schema, name), *(value for column, _, value in asked if column == name)],
            schema.columns[name],
        )
        for name in private
    }
    return with_found(schema, {name: _stand_in(schema.columns[name].kind, named[name]) for name in private})


def _stand_in(kind: str, named: Sequence[Any]) -> Mapping[str, Any]:
    keys = _STAND_INS[kind]
    if kind == "category":
        return {**keys, "values": tuple(dict.fromkeys((*map(canonical_text, named), *keys["values"])))}
    low, high = widened(kind, keys["min"], keys["max"], named)
    return {"min": low, "max": high}


def widened(kind: str, low: Any, high: Any, named: Iterable[Any]) -> tuple[Any, Any]:
    """Bounds that also hold what the schema names.

    >>> widened("integer", 18, 90, (64.5, 100))
    (18, 100)
    """
    if kind == "date":
        days = [date.fromisoformat(value) for value in named]
        return min([low, *days]), max([high, *days])
    if kind == "integer":
        return min([low, *map(math.floor, named)]), max([high, *map(math.ceil, named)])
    return min([low, *map(float, named)]), max([high, *map(float, named)])


def _written(column: Any) -> dict[str, Any]:
    return {key: value for key, value in dict(column).items() if key in column.model_fields_set and key != "source"}
