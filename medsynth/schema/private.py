"""Columns whose values or bounds are to be found under the budget, and the schema once they are."""

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from medsynth.errors import SchemaError, UsageError
from medsynth.schema.expression import ColumnReference, IfElse
from medsynth.schema.predicate import CompareCalculated, CompareColumns, InTable, rename_column
from medsynth.schema.texts import OTHER, canonical_text, shown

if TYPE_CHECKING:
    from medsynth.schema.table import Schema

FINDABLE = ("category", "integer", "decimal", "date")
"""Kinds that a private column can have."""

_SEVERAL = (CompareCalculated, CompareColumns, InTable)
"""Leaves about more than one column."""
_SIDES: Mapping[str, tuple[str, ...]] = {"<": ("at",), ">=": ("at",), "<=": ("behind",), ">": ("behind",)}
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
    found = {canonical_text(value): value for column, value in _constants(schema) if column == name}
    none = schema.columns[name].missing_texts | {OTHER}  # type: ignore[union-attr]
    return tuple(value for text, value in found.items() if text not in none)


def _constants(schema: "Schema") -> Iterator[tuple[str, Any]]:
    for predicate in (*schema.predicates(), *schema.plausible_predicates):
        for column, _, value in predicate.comparisons():
            yield column, value
    for formula in schema.formulas.values():
        for term in (formula.outcome, *formula.terms):
            yield from term.constants()
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


def require_known(schema: "Schema", where: str) -> None:
    """Refuses a condition that cuts a private column where the schema names no cut: whether it can be met is not known.

    Args:
      schema: Of a table.
      where: A predicate.

    Raises:
      UsageError: Naming the first such column, or if the predicate is wrong whatever will be found.
    """
    predicates = schema.predicates()
    named = [leaf for predicate in predicates for leaf in predicate.leaves()]
    cuts = {cut for predicate in predicates for comparison in predicate.comparisons() for cut in _cuts(*comparison)}
    for leaf in schema.predicate(where).leaves():
        for name, asked in _asked_of_private(leaf, schema):
            known = asked in named
            if not known and not isinstance(asked, _SEVERAL):
                wanted = asked.comparisons()
                known = all(_is_known(comparison, schema, cuts) for comparison in wanted)
            if not known:
                raise UsageError(
                    f"--where: column {shown(name)} is private, its cells are not known yet: name the cut under "
                    "`subgroups`, or use `fit` and then `sample --where`."
                )


def _asked_of_private(leaf: Any, schema: "Schema") -> Iterator[tuple[str, Any]]:
    """(private column, what a leaf asks of it), also where a derived column repeats it."""
    for name in leaf.columns:
        if name in schema.derived_expressions:
            for column in _repeated(schema.derived_expressions[name]):
                if not isinstance(leaf, _SEVERAL):
                    yield from _asked_of_private(rename_column(leaf, column), schema)
        elif schema.columns[name].source == "private":
            yield name, leaf


def _repeated(expression: Any) -> Iterator[str]:
    """Columns whose values a derived column takes over as they are."""
    if isinstance(expression, ColumnReference):
        yield expression.column
    elif isinstance(expression, IfElse):
        yield from _repeated(expression.then)
        yield from _repeated(expression.otherwise)


def _is_known(comparison: tuple[str, str, Any], schema: "Schema", cuts: Container[tuple[str, Any, str]]) -> bool:
    """Whether a comparison decides every cell of a private column, whatever is found."""
    name, _, value = comparison
    if schema.columns[name].kind == "category":
        return canonical_text(value) in {OTHER, *map(canonical_text, named_values(schema, name))}
    return all(cut in cuts for cut in _cuts(*comparison))


def _cuts(name: str, op: str, value: Any) -> Iterator[tuple[str, Any, str]]:
    """Where a comparison cuts an ordered column: at its constant, behind it, or both."""
    yield from ((name, value, side) for side in _SIDES.get(op, ("at", "behind")))


def stand_in(schema: "Schema", where: str | None = None) -> "Schema":
    """The schema with invented values and bounds in place of what is not found yet: for forecasts and checks alone.

    Args:
      schema: Of a table.
      where: A condition that is to be checked with it.

    Raises:
      UsageError: As `require_known` says of the condition.
    """
    private = private_columns(schema)
    if not private:
        return schema
    if where is not None:
        require_known(schema, where)
    found = {name: _stand_in(schema.columns[name].kind, named_values(schema, name)) for name in private}
    return with_found(schema, found)


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
