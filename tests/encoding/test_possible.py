"""What predicates leave possible in whole cells, against evaluation on the rows themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth.encoding.codec import Codec
from medsynth.encoding.possible import impossible, possible
from medsynth.schema import parse_schema

SCHEMA = parse_schema("""
medsynth: 1
dataset: {name: clinic}
privacy: {rows_are_persons: true, persons: 500}
columns:
  a: {kind: integer, min: 0, max: 40, bins: 8, missing: true}
  b: {kind: integer, min: 0, max: 40, edges: [1, 2, 10, 20]}
  c: {kind: decimal, min: -5, max: 60, places: 1, bins: 12}
  sex: {kind: category, values: [F, M]}
  first: {kind: date, min: 2020-01-01, max: 2020-12-31, unit: month}
  last: {kind: date, min: 2020-01-01, max: 2020-12-31, unit: month}
combinations:
  - {name: three, columns: [sex, a, b], rows: [[F, 1, 1], [F, 2, 1], [M, 1, 1], [M, 30, 2], [M, null, 2]]}
""")
CODEC = Codec(schema=SCHEMA)
RNG = np.random.default_rng(3)
CODES = np.column_stack([RNG.integers(0, size, 1500) for size in CODEC.domain.sizes]).astype(np.int32)
ROWS = CODEC.decode(CODES, RNG)
ATOMS = [
    "a <= b", "a > b", "a == b", "a != b", "not (a < c)", "a + b <= 20", "a + b == c", "a - b >= 3", "2 * a == b",
    "a / b > 3", "round(c, 0) == a", "last >= first", "last - first <= 31", "sex == 'F'", "a is missing", "a * b < -1",
    "a + b + c > 200", "a >= 7",
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
@settings(max_examples=50, deadline=None)
def test_no_row_that_obeys_lies_where_none_is_possible(text: str) -> None:
    predicate = SCHEMA.predicate(text)
    obeys = predicate.evaluate(ROWS, SCHEMA)
    assert possible(predicate, CODEC).mask(CODES)[obeys].all()
    for excluded in impossible(predicate, CODEC):
        assert len(excluded.attributes) <= 2
        assert not excluded.mask(CODES)[obeys].any()


@pytest.mark.parametrize("text", ["a <= b", "a > b", "last >= first", "not (a < c)", "a + b <= 20", "a - b >= 3"])
def test_cells_that_are_possible_hold_an_obeying_row(text: str) -> None:
    """Every pair of cells in question is tried at its corners and at many values inside."""
    predicate = SCHEMA.predicate(text)
    columns = sorted(CODEC.domain.index(name) for name in predicate.columns)
    pairs, place = np.unique(CODES[:, columns], axis=0, return_inverse=True)
    seen = np.zeros(len(pairs), dtype=bool)
    for _ in range(30):
        seen[place.reshape(-1)[predicate.evaluate(CODEC.decode(CODES, RNG), SCHEMA)]] = True
    allowed = np.zeros(len(pairs), dtype=bool)
    allowed[place.reshape(-1)] = possible(predicate, CODEC).mask(CODES)
    assert (allowed[seen]).all()
    assert (allowed & ~seen).mean() < 0.03  # cells that touch the border in one corner are rarely hit


def test_a_list_of_three_columns_excludes_pairs() -> None:
    (rule,) = SCHEMA.rule_predicates
    pairs = {tuple(CODEC.domain.names[k] for k in sorted(found.attributes)) for found in impossible(rule, CODEC)}
    assert pairs == {("a", "b"), ("a", "sex"), ("b", "sex")}
    (excluded,) = [found for found in impossible(rule, CODEC) if found.attributes == {1, 3}]
    rows = CODEC.encode(ROWS.assign(b=[2] * len(ROWS), sex="F"))
    assert excluded.mask(rows).all()  # 2 goes with M alone


def test_parts_of_a_conjunction_exclude_by_themselves() -> None:
    found = impossible(SCHEMA.predicate("a <= b <= c"), CODEC)
    assert [sorted(each.attributes) for each in found] == [[0, 1], [1, 2]]
