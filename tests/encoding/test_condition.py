"""Predicates as boxes of codes, against evaluation on the rows themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import EVERYTHING, compile_condition
from medsynth.errors import UsageError
from medsynth.schema import parse_schema

SCHEMA = parse_schema("""
medsynth: 1
dataset: {name: clinic}
privacy: {rows_are_persons: true, persons: 500}
columns:
  age: {kind: integer, min: 0, max: 99, bins: 10, missing: true}
  sex: {kind: category, values: [F, M]}
  stage: {kind: category, values: [I, II, III], ordered: true, missing_codes: ["?"], other: true}
  visits: {kind: integer, min: 0, max: 4}
  stays: {kind: integer, min: 0, max: 6}
  smoker: {kind: boolean}
  adult: {kind: category, values: ["yes", "no"]}
derived: {adult: "'yes' if age >= 18 else 'no'"}
rules: ["visits <= stays", "age < 12 implies not smoker == true", "age >= 65 or age < 65 or age is missing"]
""")
CODEC = Codec(schema=SCHEMA)
RNG = np.random.default_rng(7)
CODES = np.column_stack([RNG.integers(0, size, 4000) for size in CODEC.domain.sizes]).astype(np.int32)
ROWS = CODEC.decode(CODES, RNG)

ATOMS = [
    "age >= 65", "age < 12", "age is missing", "not (age >= 18)", "sex == 'F'", "sex in ('M')", "stage > 'I'",
    "stage is missing", "stage != 'II'", "visits < stays", "visits == stays", "smoker == true", "adult == 'yes'",
    "adult != 'yes'", "1 <= visits <= 3",
]  # fmt: skip
PREDICATES = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or", "implies"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=4,
)


@given(PREDICATES)
@settings(max_examples=150, deadline=None)
def test_boxes_hold_exactly_the_rows_that_satisfy_the_predicate(text: str) -> None:
    predicate = SCHEMA.predicate(text)
    condition = compile_condition(predicate, CODEC)
    np.testing.assert_array_equal(condition.mask(CODES), predicate.evaluate(ROWS, SCHEMA))
    inside = sum(np.prod([box[p].mean() if p in box else 1.0 for p in range(len(CODEC.domain))]) for box in condition)
    outside = condition.complement()
    assert not (condition.mask(CODES) & outside.mask(CODES)).any()
    total = inside + sum(np.prod([box[p].mean() for p in box]) for box in outside)
    assert total == pytest.approx(1.0)  # disjoint boxes: their volumes add up


def test_a_cut_inside_a_cell_names_the_cell() -> None:
    with pytest.raises(UsageError, match=r"'age >= 67' cuts through the cell 65 to 69|cuts through the cell"):
        compile_condition(SCHEMA.predicate("age >= 67"), CODEC)


def test_too_many_boxes_are_refused_with_the_reason() -> None:
    text = " and ".join(["(visits != stays or sex == 'F')"] * 2 + ["visits < stays"] * 1)
    condition = compile_condition(SCHEMA.predicate(text), CODEC)
    assert len(condition.boxes) < 100
    assert EVERYTHING.minus(EVERYTHING).boxes == ()
