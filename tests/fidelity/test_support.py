"""Estimates are supported where the counts they rest on were published, finely enough, and nowhere else."""

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import MeasuredTable
from medsynth.fidelity.study_fits import estimates
from medsynth.fidelity.support import Support, support
from medsynth.schema import Schema, parse_schema

SCHEMA: Schema = parse_schema(
    """
medsynth: 1
dataset: {name: ward}
privacy: {rows_are_persons: true, persons: 1000}
columns:
  died: {kind: boolean}
  age: {kind: integer, min: 0, max: 7, bins: 8}
  ward: {kind: category, values: [a, b, c]}
subgroups:
  - {name: old, where: age >= 6}
  - {name: old in a, where: "age >= 6 and ward == 'a'"}
utility: {target: died, positive: true, task: binary}
studies: [{name: deaths, formula: died ~ age + ward, family: logistic}]
"""
)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    age = rng.integers(0, 8, 1000)
    return pd.DataFrame({"died": rng.random(1000) < 0.3, "age": age, "ward": rng.choice(list("abc"), 1000)})


def table(*names: str, sigma: float = 1.0, **groups: list[int]) -> MeasuredTable:
    """A published table of these columns, by cell unless groups are given."""
    domain = Codec(schema=SCHEMA).domain
    of = tuple(np.array(groups.get(name, range(domain[name].size)), dtype=np.int32) for name in names)
    shape = tuple(int(each.max()) + 1 for each in of)
    return MeasuredTable(attributes=names, groups=of, noisy=np.zeros(shape), sigma=sigma, interactions=True)


PAIRS = [("died", "age"), ("died", "ward"), ("age", "ward")]


def told(frame: pd.DataFrame, *tables: MeasuredTable) -> dict[tuple[str, str], Support]:
    return {(each.study, each.term): each for each in support(SCHEMA, frame, tables, 1000.0)}


def test_all_is_supported_where_every_pair_was_measured_by_cell_but_what_needs_three_columns(frame):
    found = told(frame, *(table(*pair) for pair in PAIRS))
    three = found.pop(("died == true", "old in a"))
    assert "was not measured" in three.reason
    assert all(each.supported and each.hidden == pytest.approx(0) for each in found.values())


def test_support_is_told_of_the_declared_estimates_in_their_order(frame):
    names = [(each.study, each.term) for each in estimates(SCHEMA, frame, np.ones(1000))]
    assert list(told(frame)) == names


def test_without_pairs_only_what_one_column_tells_is_supported(frame):
    assert [key for key, each in told(frame).items() if each.supported] == [("died == true", "everyone")]


def test_a_missing_pair_of_two_terms_leaves_the_whole_study_unsupported_and_shares_as_they_are(frame):
    found = told(frame, table("died", "age"), table("died", "ward"))
    assert "age with ward was not measured" in found["deaths", "age"].reason
    assert found["died == true", "old"].supported


def test_a_number_measured_in_halves_is_too_coarse_and_in_quarters_hides_a_part(frame):
    # Of eight even cells, halves show 1 - (1/4) = 3/4 of the variance (16/21 of the eight), quarters 20/21.
    others = [table("died", "ward"), table("age", "ward")]
    halves = told(frame, table("died", "age", age=[0, 0, 0, 0, 1, 1, 1, 1]), *others)
    quarters = told(frame, table("died", "age", age=[0, 0, 1, 1, 2, 2, 3, 3]), *others)
    assert "too coarsely" in halves["deaths", "age"].reason
    assert quarters["deaths", "age"].hidden == pytest.approx(1 / 21, abs=0.01)
    assert halves["died == true", "old"].reason  # half a group is no subgroup
    assert quarters["died == true", "old"].hidden == pytest.approx(0)


def test_lumped_values_are_unsupported_and_those_with_a_group_of_their_own_are_not(frame):
    found = told(frame, table("died", "age"), table("age", "ward"), table("died", "ward", ward=[0, 1, 1]))
    assert "too coarsely" in found["deaths", "ward: b"].reason


def test_a_subgroup_below_the_noise_is_unsupported(frame):
    # Chance gives 1000 x 0.3 x 0.25 = 75 deaths of the old. Noise on them: sigma times the lengths of (0, 1) and of
    # eight cells of which two are inside, about their means: sqrt(1/2) sqrt(3/2).
    noise = np.sqrt(0.5 * 1.5)
    loud, quiet = (told(frame, table("died", "age", sigma=sigma)) for sigma in (45 / noise, 30 / noise))
    assert "below the noise" in loud["died == true", "old"].reason
    assert quiet["died == true", "old"].supported


def test_the_mean_of_a_number_needs_cells_of_one_value_each():
    """Of costs in ten cells the mean rests on where they lie inside, of which no count tells."""
    text = """
medsynth: 1
dataset: {name: ward}
privacy: {rows_are_persons: true, persons: 1000}
columns:
  ward: {kind: category, values: [a, b]}
  cost: {kind: integer, min: 0, max: 9, bins: BINS}
studies: [{name: costs, formula: cost ~ ward, family: linear}]
"""
    frame = pd.DataFrame({"cost": np.arange(1000) % 10, "ward": list("ab") * 500})
    reasons = {}
    for bins in (5, 10):
        schema = parse_schema(text.replace("BINS", str(bins)))
        found = {(each.study, each.term): each.reason for each in support(schema, frame, (), 1000.0)}
        reasons[bins] = next(reason for (study, _), reason in found.items() if study == "cost")
    assert "inside their cells" in reasons[5]
    assert reasons[10] == ""
