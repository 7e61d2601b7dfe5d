"""Pairs of tiny tables that differ in one hostile person: the worst cases of a synthesizer.

nobody              an empty table                        against one person
unseen_category     a few ordinary persons                and one with a category outside the schema
extreme_number      "                                     and one with a number far outside its bounds
all_missing         "                                     and one with no value at all
rare_condition      "                                     and the only one with a rare condition
many_rows           "                                     and one with fifty rows that share one weight
many_rows_kept      " under a bound of four rows          and one with fifty rows, of which four count
flipped_selection   persons at whom two pairs of columns are all but tied, and one who turns the tie

Under a schema that leaves values or bounds to be found (`source: private`):

private_labels      an empty table                        against one of fifty rows, half of them of one label
private_threshold   one too few with a label              and one more with that label
private_number      thirty ordinary persons               and one with an extreme number
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from medsynth.errors import UsageError
from medsynth.privacy.guarantee import Guarantee
from medsynth.privacy.thresholds import calibrated
from medsynth.schema import Schema, build_schema
from medsynth.sources.open import sensitivity_of

EPSILON: Final = 4.0
APPROXIMATE_EPSILON: Final = 1.0
DELTA: Final = 1e-6
MANY_ROWS: Final = 50
KEPT_ROWS: Final = 4
DOMAIN_SHARE: Final = 0.5
"""So much of the budget goes to the search of private domains, so that its faults show."""
THRESHOLD_SHARE: Final = 0.1
"""What medsynth keeps of delta for thresholds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two neighbouring tables under one public schema.

    Attributes:
      name: What the person is like.
      schema: Public; its epsilon and delta are the claim.
      without: Rows of everybody else.
      within: The same rows, and those of the person.
    """

    name: str
    schema: Schema
    without: pd.DataFrame
    within: pd.DataFrame


def hostile_pairs(epsilon: float | None = None, delta: float | None = None) -> tuple[Pair, ...]:
    """The eleven pairs of the module's docstring.

    Args:
      epsilon: Of the claim; None takes 4, where the fewest runs tell a broken build from a sound one.
      delta: Of the claim; None takes 1e-6.

    >>> [len(pair.within) - len(pair.without) for pair in hostile_pairs()]
    [1, 1, 1, 1, 1, 50, 50, 1, 50, 1, 1]
    """
    wards = _ward_schema(epsilon, delta, {"rule": "weight", "max": KEPT_ROWS})
    kept = _ward_schema(epsilon, delta, {"rule": "sample", "max": KEPT_ROWS})
    few = [_row(1, 12, "a", False), _row(2, 55, "b", False), _row(3, 80, "a", True)]
    hoarder = [_row(9, 55, "a", False)] * MANY_ROWS
    return (
        _pair("nobody", wards, [], [_row(9, 55, "a", False)]),
        _pair("unseen_category", wards, few, [_row(9, 55, "zeta", False)]),
        _pair("extreme_number", wards, few, [_row(9, 1e15, "a", False)]),
        _pair("all_missing", wards, few, [_row(9, None, None, None)]),
        _pair("rare_condition", wards, few, [_row(9, 55, "b", True)]),
        _pair("many_rows", wards, few, hoarder),
        _pair("many_rows_kept", kept, few, hoarder),
        flipped_selection(epsilon, delta),
        *private_pairs(epsilon, delta),
    )


def flipped_selection(epsilon: float | None = None, delta: float | None = None) -> Pair:
    """A table in which one person decides which pair of three columns is the weakest.

    Most persons agree in all columns, half with 0 and half with 1; so the margins say nothing, and a column's noise
    moves the distance of a pair from independence in second order only. Eighty agree in (one, three) alone, which
    sets that pair first. One has two rows of half a weight each, so that (one, two) lies one person behind
    (two, three); the person who joins sets it one ahead.
    """
    schema = build_schema(
        _public(epsilon, delta, {"rule": "weight", "max": 2})
        | {"columns": {name: {"kind": "category", "values": ["0", "1"]} for name in ("one", "two", "three")}}
    )
    agreeing = [("0", "0", "0"), ("1", "1", "1")] * 120 + [("0", "1", "0"), ("1", "0", "1")] * 40
    everybody = [(number, *cells) for number, cells in enumerate(agreeing, start=100)]
    halves = [(1, "0", "1", "1"), (1, "0", "0", "0")]
    columns = ["person", "one", "two", "three"]
    without = pd.DataFrame([*everybody, *halves], columns=columns)
    joined = pd.DataFrame([*everybody, *halves, (9, "0", "0", "1")], columns=columns)
    return Pair(name="flipped_selection", schema=schema, without=without, within=joined)


def private_pairs(epsilon: float | None = None, delta: float | None = None) -> tuple[Pair, ...]:
    """The three pairs whose schema leaves a column's values or bounds to be found."""
    many = _open_schema(epsilon, delta, "category", MANY_ROWS)
    one = _open_schema(epsilon, delta, "category", 1)
    number = _open_schema(epsilon, delta, "integer", 1)
    hoarder = [(9, "zeta" if row % 2 else f"label {row}") for row in range(MANY_ROWS)]
    holders = [(100 + person, "zeta") for person in range(_too_few(one))]
    aged = [(100 + person, 40 + person) for person in range(30)]
    return (
        _open_pair("private_labels", many, [], hoarder),
        _open_pair("private_threshold", one, holders, [(9, "zeta")]),
        _open_pair("private_number", number, aged, [(9, 10**12)]),
    )


def _too_few(schema: Schema) -> int:
    """Most persons with a label whose exact count does not pass the threshold of a private category."""
    share = schema.privacy.domain_share
    mu = Guarantee.of(schema.privacy.epsilon, (1 - THRESHOLD_SHARE) * schema.delta_value).mu * share**0.5
    threshold = calibrated(sensitivity_of(schema), sigma=1 / mu, delta=THRESHOLD_SHARE * schema.delta_value)
    return math.ceil(threshold.persons) - 1


def one_marginal(epsilon: float | None = None, delta: float | None = None) -> Pair:
    """One column of two categories: nobody against one person, the plainest case."""
    schema = build_schema(
        _public(epsilon, delta, {"rule": "weight", "max": 1})
        | {"columns": {"ward": {"kind": "category", "values": ["a", "b"]}}}
    )
    within = pd.DataFrame({"person": [9], "ward": ["a"]})
    return Pair(name="one_marginal", schema=schema, without=within.iloc[:0], within=within)


def pairs_of(schema: Schema) -> tuple[Pair, ...]:
    """Pairs for any schema, made from its public columns: nobody against one person, hostile, missing, or of many rows.

    Raises:
      UsageError: If the schema has no modelled column.
    """
    if not schema.modelled:
        raise UsageError(f"Schema '{schema.dataset.name}' has no modelled column. Audit one that has.")
    hostile: Mapping[str, Any] = dict.fromkeys(schema.modelled, "1e15")
    missing: Mapping[str, Any] = dict.fromkeys(schema.modelled)
    many = 1 if schema.privacy.rows_are_persons else MANY_ROWS
    return tuple(
        Pair(name=name, schema=schema, without=frame.iloc[:0], within=frame)
        for name, frame in (
            ("extreme_values", _frame_for(schema, [hostile])),
            ("all_missing", _frame_for(schema, [missing])),
            ("many_rows", _frame_for(schema, [missing] * many)),
        )
    )


def _frame_for(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of one person with every column a fit asks for."""
    identifiers = {} if schema.privacy.unit is None else {schema.privacy.unit: "9"}
    frame = pd.DataFrame([dict.fromkeys(schema.inputs) | dict(row) | identifiers for row in rows])
    return frame.astype(object)


def _ward_schema(epsilon: float | None, delta: float | None, bounding: Mapping[str, Any]) -> Schema:
    columns = {
        "age": {"kind": "integer", "min": 0, "max": 99, "bins": 4, "missing": True},
        "ward": {"kind": "category", "values": ["a", "b"], "other": True, "missing": True},
        "died": {"kind": "boolean", "missing": True},
    }
    rare = [{"name": "died_in_b", "where": "ward == 'b' and died == true"}]
    return build_schema(_public(epsilon, delta, bounding) | {"columns": columns, "rare": rare})


def _open_schema(epsilon: float | None, delta: float | None, kind: str, rows: int) -> Schema:
    public = _public(epsilon, delta, {"rule": "weight", "max": rows})
    public["privacy"]["domain_share"] = DOMAIN_SHARE
    return build_schema(public | {"columns": {"found": {"kind": kind, "source": "private"}}})


def _open_pair(name: str, schema: Schema, rows: Sequence[Any], canary: Sequence[Any]) -> Pair:
    both = pd.DataFrame([*rows, *canary], columns=["person", "found"]).astype(object)
    return Pair(name=name, schema=schema, without=both.iloc[: len(rows)], within=both)


def _public(epsilon: float | None, delta: float | None, bounding: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "medsynth": 1,
        "dataset": {"name": "canaries"},
        "privacy": {
            "unit": "person",
            "persons": 100,
            "epsilon": EPSILON if epsilon is None else epsilon,
            "delta": DELTA if delta is None else delta,
            "bounding": dict(bounding),
        },
    }


def _row(person: int, age: float | None, ward: str | None, died: bool | None) -> tuple[Any, ...]:
    return (person, age, ward, died)


def _pair(name: str, schema: Schema, rows: Sequence[Any], canary: Sequence[Any]) -> Pair:
    both = pd.DataFrame([*rows, *canary], columns=["person", "age", "ward", "died"]).astype(object)
    return Pair(name=name, schema=schema, without=both.iloc[: len(rows)], within=both)
