"""Rules that no record can obey are named, and no others."""

import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.contradictions import find_conflicts
from medsynth.schema import parse_schema

SCHEMA = parse_schema("""
medsynth: 1
dataset: {name: clinic}
privacy: {rows_are_persons: true, persons: 500}
columns:
  a: {kind: integer, min: 0, max: 20, bins: 4}
  b: {kind: integer, min: 0, max: 20, bins: 21}
  c: {kind: integer, min: 0, max: 20, bins: 21, missing: true}
  site: {kind: category, values: [north, south, east]}
  ward: {kind: category, values: [x, y, z], missing: true}
subgroups: [{name: cut, where: "a >= 3 and a > 10"}]
""")
CODEC = Codec(schema=SCHEMA)


def conflicts(*rules: str):  # type: ignore[no-untyped-def]
    return find_conflicts({text: SCHEMA.predicate(text) for text in rules}, CODEC)


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (["a + b > 40"], ["a + b > 40"]),
        (["a + b + c == 100"], ["a + b + c == 100"]),
        (["site == 'north' and site == 'south'"], ["site == 'north' and site == 'south'"]),
        (["b >= 3", "site == 'north'", "b < 3"], ["b >= 3 and b < 3"]),
        (["b < c", "c < b"], ["b < c and c < b"]),
        (["a > 10", "2 * a <= 20"], ["a > 10 and 2 * a <= 20"]),
        (
            ["b > 19", "site != 'east'", "b > 19 implies c == 1", "c == 1 implies ward == 'x'", "ward != 'x'"],
            ["b > 19 and b > 19 implies c == 1 and c == 1 implies ward == 'x' and ward != 'x'"],
        ),
        (["c > b", "site == 'north' or b == 20", "site != 'north'"],
         ["c > b and site == 'north' or b == 20 and site != 'north'"]),
    ],
)  # fmt: skip
def test_the_smallest_set_that_leaves_no_record_is_named(rules: list[str], named: list[str]) -> None:
    found = conflicts(*rules)
    assert [problem.rules for problem in found.problems] == named
    assert not found.notices


@pytest.mark.parametrize(
    "rules",
    [
        ["b >= 3", "b <= 3"],
        ["b <= c or c is missing", "b >= c or c is missing"],
        ["a + b == c or c is missing", "site == 'north' implies ward is missing", "ward is missing implies b > 4"],
        ["site == 'north' or b > 3", "site != 'north' or b <= 3"],
        [],
    ],
)
def test_rules_that_some_record_obeys_are_no_contradiction(rules: list[str]) -> None:
    assert conflicts(*rules).problems == ()


def test_a_premise_that_two_rules_forbid_together_is_a_notice() -> None:
    found = conflicts("site == 'north' implies ward == 'x'", "site == 'north' implies ward == 'y'", "b > 3")
    assert found.problems == ()
    (notice,) = found.notices
    assert notice.endswith("together leave no record where site == 'north'.")


def test_a_column_that_is_left_one_value_is_a_notice() -> None:
    assert conflicts("site not in ('south', 'east')").notices == (
        "Rules leave column 'site' one value, 'north': it tells nothing of a record.",
    )
    assert conflicts("b >= c", "c == 20").notices == (
        "Rules leave column 'b' one value, 20: it tells nothing of a record.",
        "Rules leave column 'c' one value, 20: it tells nothing of a record.",
    )
    assert conflicts("ward is missing").notices[0].startswith("Rules leave column 'ward' one value, missing")
    assert conflicts("a <= 2").notices == ()  # one cell, several values
