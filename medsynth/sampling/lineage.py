"""What a model fitted on synthetic records says of the tables before it.

    records ─▶ model 1 ─▶ table, generation 1 ─▶ model 2 ─▶ table, generation 2 ─▶ ...

The chain is recorded, never followed: no earlier file is opened.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

TEXTS: Final = ("generator", "schema", "model", "row_meaning", "licence", "terms", "allowed_use", "draw", "given_note")
GUARANTEE: Final = ("epsilon", "delta", "unit", "neighbours")
LONGEST, MOST_ANCESTORS = 500, 20


def lineage_of(mark: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a model remembers of the table it was fitted on, as plain values.

    Only the keys that medsynth writes are taken, each as a short text or a number: a side-car is a file like any other,
    and what else it holds does not belong into a model that is shared.

    Args:
      mark: What the table says of its synthetic origin; None where it says nothing.

    Returns:
      `generation`, at least 2, and `ancestors`, oldest first, the last `MOST_ANCESTORS`; nothing without a mark.
    """
    if mark is None:
        return {}
    named = mark.get("ancestors")
    earlier = [_remembered(each) for each in named if isinstance(each, Mapping)] if isinstance(named, list) else []
    parent = _remembered(mark)
    ancestors = [*earlier, parent][-MOST_ANCESTORS:]
    generation = 1 + max(parent["generation"], len(ancestors))
    return {"generation": generation, "ancestors": ancestors}


def _remembered(said: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a mark that are passed on; what is of another type than medsynth writes is left out."""
    kept: dict[str, Any] = {key: said[key][:LONGEST] for key in TEXTS if isinstance(said.get(key), str)}
    generation = said.get("generation")
    kept["generation"] = generation if type(generation) is int and generation >= 1 else 1
    promise = said.get("guarantee")
    if isinstance(promise, Mapping):
        stated = {key: promise[key] for key in GUARANTEE if _stated(promise.get(key))}
        kept["guarantee"] = {key: value[:LONGEST] if isinstance(value, str) else value for key, value in stated.items()}
    return kept


def _stated(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str) or (number and math.isfinite(value))


def lineage_sentences(about: Mapping[str, Any]) -> tuple[str, ...]:
    """The chain in words, for people who use the model or its tables; nothing for a first generation.

    Args:
      about: Public facts of a model file.
    """
    ancestors = about.get("ancestors", ())
    if not ancestors:
        return ()
    return (
        f"Generation {about['generation']}: fitted on a table that says it is synthetic. Every fit on synthetic "
        "records adds its own errors to those of the table; `medsynth collapse` measures how many fits in a row a "
        "table bears.",
        *(f"Ancestor, as its mark says: {_told(each)}." for each in ancestors),
        "For the people behind an ancestor holds what was promised for that ancestor; the guarantee of this fit is "
        "about the records of the table that it read.",
    )


def _told(ancestor: Mapping[str, Any]) -> str:
    promise = ancestor.get("guarantee", {})
    stated = "no guarantee stated"
    if {"epsilon", "delta"} <= promise.keys():
        stated = f"epsilon {promise['epsilon']}, delta {promise['delta']} per {promise.get('unit', 'person')}"
    parts = (
        f"generation {ancestor['generation']}",
        ancestor.get("schema") and f"table {ancestor['schema']}",
        ancestor.get("model") and f"model {ancestor['model']}",
        ancestor.get("generator"),
        stated,
        ancestor.get("licence") and f"licence {ancestor['licence']}",
        ancestor.get("given_note") and "some columns given, which no guarantee covers",
    )
    return ", ".join(part for part in parts if part)
