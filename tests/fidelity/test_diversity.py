"""Diversity: worked by hand, and a table that lost its variety is caught where a second real sample passes."""

import numpy as np
import pandas as pd
import pytest

from medsynth import testing
from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.diversity import Diversity, covered
from medsynth.schema import parse_schema

LEVELS = "abcdefgh"


@pytest.fixture
def measured(compare, scores):
    return lambda table: scores(Diversity().evaluate(compare(table), np.random.default_rng(0)))


def by_hand(holdout: list[str], synthetic: list[str]) -> Comparison:
    schema = parse_schema(
        "medsynth: 1\ndataset: {name: t}\nprivacy: {rows_are_persons: true, persons: 500, epsilon: 1}\n"
        f"columns:\n  x: {{kind: category, values: [{', '.join(LEVELS)}]}}\n"
    )
    frames = {"train": holdout, "holdout": holdout, "synthetic": synthetic}
    parts = {name: pd.DataFrame({"x": pd.array(values, dtype="string")}) for name, values in frames.items()}
    weights = {f"{name}_weights": np.ones(len(frame)) for name, frame in parts.items()}
    return Comparison(**parts, **weights, codec=Codec(schema=schema))


def test_coverage_weighs_what_occurs() -> None:
    cells = np.array([4, 4, 7, 9]), np.array([4, 9, 11])
    assert covered(cells, np.array([1.0, 1.0, 2.0, 1.0])) == pytest.approx(3 / 5)


def test_one_of_two_rare_levels_and_all_but_one_record_in_four_hundred(scores) -> None:
    """b, c are rare (1 of 400 each), h does not occur; the table has a and b."""
    comparison = by_hand(["a"] * 398 + ["b", "c"], ["a"] * 9 + ["b"])
    found = scores(Diversity().evaluate(comparison, np.random.default_rng(0)))
    assert found["fidelity.diversity.rare_levels"].value == 0.5
    assert found["fidelity.diversity.coverage"].value == pytest.approx(399 / 400)
    assert "50.0% of the levels" in found["fidelity.diversity.rare_levels"].sentence


def test_without_rare_levels_or_rows_nothing_is_told(scores) -> None:
    no_rare = scores(Diversity().evaluate(by_hand(["a", "b"], ["a"]), np.random.default_rng(0)))
    assert no_rare["fidelity.diversity.rare_levels"].value is None
    empty = scores(Diversity().evaluate(by_hand([], ["a"]), np.random.default_rng(0)))
    assert {score.value for score in empty.values()} == {None}
    undrawn = scores(Diversity().evaluate(by_hand(["a", "b"], []), np.random.default_rng(0)))
    assert undrawn["fidelity.diversity.coverage"].value == 0


def test_coverage_of_a_second_sample_lies_at_the_ceiling_and_of_a_collapsed_table_far_below(measured, world) -> None:
    second = measured(world[2])
    assert second["fidelity.diversity.coverage"].value == pytest.approx(
        second["fidelity.diversity.coverage"].ceiling, abs=0.02
    )
    collapsed = measured(world[2].iloc[np.zeros(1500, dtype=int)])
    assert collapsed["fidelity.diversity.coverage"].value < 0.5 * second["fidelity.diversity.coverage"].value


def test_independent_columns_keep_rare_levels(measured, world) -> None:
    table = testing.independent_columns(world[0], 1500, np.random.default_rng(1))
    recall = measured(table)["fidelity.diversity.rare_levels"].value
    assert recall is not None
    assert recall > 0.5
