"""A small schema, and changes to it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from medsynth.schema import Schema, build_schema

SMALL: dict[str, Any] = {
    "medsynth": 1,
    "dataset": {"name": "small"},
    "privacy": {"unit": "person", "persons": 1000},
    "columns": {
        "person": {"kind": "id", "format": "P-####"},
        "age": {"kind": "integer", "min": 0, "max": 120, "unit": "years"},
        "sex": {"kind": "category", "values": ["F", "M"]},
        "smoker": {"kind": "boolean", "true": "yes", "false": "no", "missing": True},
        "band": {
            "kind": "category",
            "values": ["low", "mid", "high"],
            "ordered": True,
            "other": True,
            "missing_codes": ["?"],
        },
        "charge": {
            "kind": "decimal",
            "min": 0,
            "max": 500,
            "places": 2,
            "missing_codes": [-1, "N"],
        },
        "paid": {"kind": "decimal", "min": 0, "max": 500},
        "admit": {"kind": "date", "min": "2020-01-01", "max": "2025-12-31", "missing": True},
        "dx": {"kind": "code", "system": "icd9cm3", "other": True, "missing_codes": ["?"]},
        "notes": {"kind": "drop", "reason": "free text"},
    },
}


@pytest.fixture
def changed() -> Callable[..., dict[str, Any]]:
    """The small schema as plain values, with some keys replaced; a dotted key reaches inside."""

    def change(**changes: Any) -> dict[str, Any]:
        content = deepcopy(SMALL)
        for path, value in changes.items():
            *parents, last = path.split("__")
            place = content
            for parent in parents:
                place = place[parent]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        return content

    return change


@pytest.fixture
def small(changed: Callable[..., dict[str, Any]]) -> Schema:
    return build_schema(changed())
