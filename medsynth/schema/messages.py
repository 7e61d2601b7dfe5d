"""Turns pydantic's findings into the sentences a person can act on."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, get_args

from medsynth.schema.columns import KINDS
from medsynth.schema.combinations import Combination
from medsynth.schema.sections import (
    Bounding,
    Dataset,
    Policy,
    Privacy,
    Rare,
    Study,
    Subgroup,
    Utility,
)
from medsynth.schema.table import Schema
from medsynth.schema.texts import listed, shown, suggestion

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

MOST_PROBLEMS = 12
_SECTIONS: dict[str, type[Any]] = {
    "dataset": Dataset,
    "privacy": Privacy,
    "rare": Rare,
    "combinations": Combination,
    "subgroups": Subgroup,
    "utility": Utility,
    "studies": Study,
    "policy": Policy,
}
_SINGULAR = {
    "rare": "rare condition",
    "subgroups": "subgroup",
    "studies": "study",
    "rules": "rule",
    "combinations": "combinations",
    "plausible": "plausible rule",
}


def sentences(error: "ValidationError") -> list[str]:
    """One sentence for each finding, beginning with where it stands."""
    found = list(dict.fromkeys(line for details in error.errors() for line in _lines(details)))
    rest = len(found) - MOST_PROBLEMS
    return found[:MOST_PROBLEMS] + ([f"and {rest} more problems."] if rest > 0 else [])


def _lines(details: "ErrorDetails") -> Iterator[str]:
    where, model = _place(details["loc"], details)
    message = _message(details, model)
    for line in message.split("\n"):
        yield f"{where}: {line}" if where else line


def _place(loc: Sequence[Any], details: "ErrorDetails") -> tuple[str, type[Any]]:
    """Where a finding stands, in words, and the model whose keys are allowed there."""
    path = [part for part in loc if not (isinstance(part, str) and part.startswith("function-"))]
    if details["type"] in {"missing", "extra_forbidden"}:
        path = path[:-1]
    if not path:
        return "", Schema
    section, rest = path[0], path[1:]
    if section == "columns" and rest:
        return _column_place(rest)
    model = _SECTIONS.get(str(section), Schema)
    if section == "privacy" and rest[:1] == ["bounding"]:
        model = Bounding
    if rest and isinstance(rest[0], int):
        name = f"{_SINGULAR.get(str(section), str(section))} {rest[0] + 1}"
        return ": ".join([name, *_keys(rest[1:])]), model
    return ": ".join([str(section), *_keys(rest)]), model


def _column_place(rest: Sequence[Any]) -> tuple[str, type[Any]]:
    name, kind = str(rest[0]), str(rest[1]) if len(rest) > 1 else ""
    return ": ".join([f"column {shown(name)}", *_keys(rest[2:])]), KINDS.get(kind, Schema)


def _keys(parts: Sequence[Any]) -> list[str]:
    return [
        part
        for part in parts
        if isinstance(part, str) and part.isidentifier() and part not in {"str", "int", "float", "bool"}
    ]


def _message(details: "ErrorDetails", model: type[Any]) -> str:
    kind, key, found = (
        details["type"],
        details["loc"][-1] if details["loc"] else "",
        details["input"],
    )
    context = details.get("ctx", {})
    if kind == "value_error":
        return str(context.get("error", details["msg"]))
    if kind == "extra_forbidden":
        return f"key {shown(key)} is not known. {suggestion(key, model.model_fields)}"
    if kind == "missing":
        return f"key {shown(key)} is absent. Add it."
    if kind == "union_tag_not_found":
        return f"key 'kind' is absent. Add one of {listed(KINDS)}."
    if kind == "union_tag_invalid":
        return f"kind {shown(context.get('tag'))} is not known. {suggestion(context.get('tag'), KINDS)}"
    if kind == "literal_error":
        return f"{shown(found)} is not allowed here. {suggestion(found, _choices(details, model))}"
    return _bound_message(kind, context, found)


def _choices(details: "ErrorDetails", model: type[Any]) -> list[str]:
    field = model.model_fields.get(str(details["loc"][-1]))
    return _literals(field.annotation) if field is not None else []


def _literals(annotation: Any) -> list[str]:
    """Texts of a Literal, also inside a union."""
    if isinstance(annotation, str):
        return [annotation]
    return [text for part in get_args(annotation) for text in _literals(part)]


def _bound_message(kind: str, context: Any, found: Any) -> str:
    limits = {
        "greater_than": ("above", "gt"),
        "greater_than_equal": ("at least", "ge"),
        "less_than": ("below", "lt"),
        "less_than_equal": ("at most", "le"),
    }
    if kind in limits:
        word, key = limits[kind]
        return f"must be {word} {context[key]:g}, got {shown(found)}. Correct it."
    if kind == "too_short":
        return "must not be empty. List at least one."
    shapes = {
        "tuple_type": "a list",
        "dict_type": "a mapping of keys to values",
        "model_type": "a mapping of keys to values",
        "model_attributes_type": "a mapping of keys to values",
        "string_type": "text",
    }
    wanted = shapes.get(kind, "something else")
    return f"must be {wanted}, got {_shape(found)}. Correct it."


def _shape(found: Any) -> str:
    names = {dict: "a mapping", list: "a list", tuple: "a list", type(None): "nothing"}
    return names.get(type(found), shown(found))
