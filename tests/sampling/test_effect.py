"""What a selection is said to have done: worked by hand, and one that harms must be caught."""

from dataclasses import replace

import numpy as np
import pytest

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, Domain, Level
from medsynth.models.edit import PairTarget
from medsynth.sampling.effect import Effect, Side, Tally, nearest

STEPS = Attribute(name="steps", size=5, ordered=5)
SEX = Attribute(name="sex", size=2)
DOMAIN = Domain(attributes=(STEPS, SEX))
EVEN = (PairTarget(i=0, j=1, level_i=Level.finest(STEPS), level_j=Level.finest(SEX), table=np.full((5, 2), 0.1)),)
LAST = Condition(boxes=({0: np.arange(5) == 4},))


def test_ordered_cells_are_as_far_apart_as_their_steps_and_others_equal_or_not() -> None:
    rows = np.array([[0, 0], [1, 0], [4, 1]], dtype=np.int32)
    assert nearest(rows, DOMAIN).tolist() == [0.125, 0.125, 0.875]
    assert nearest(rows[:1], DOMAIN).tolist() == [0.0]


def test_rows_are_counted_over_chunks_strata_and_weights() -> None:
    tally = Tally(DOMAIN, EVEN, {"last": LAST})
    tally.add([np.array([[0, 0], [0, 0]], dtype=np.int32), np.array([[4, 1]], dtype=np.int32)], [1.0, 3.0])
    tally.add([np.zeros((0, 2), dtype=np.int32), np.array([[4, 1]], dtype=np.int32)], [1.0, 3.0])
    side = tally.side
    # 2 of 8 in one cell, 6 of 8 in another, where every cell should hold a tenth.
    assert side.distance == pytest.approx(0.15 + 0.65)
    assert (side.rows, side.levels, side.singles, side.repeats) == (4, 4, 0, 0.25)
    assert side.rare == {"last": 2}


def test_no_rows_are_told_without_a_distance() -> None:
    tally = Tally(DOMAIN, EVEN, {})
    tally.add([np.zeros((0, 2), dtype=np.int32)], [1.0])
    assert vars(tally.side) == vars(Side(rows=0, distance=None, levels=0, singles=0, repeats=0.0, spread=0.0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"distance": 0.12}, "0.1200 from the model's"),
        ({"levels": 80}, "80 levels of the columns are left of 100"),
        ({"spread": 0.05}, "records lie 0.0500 apart"),
        ({"rare": {"last": 60}}, "'last' has 60 records left of 100"),
    ],
)
def test_each_harm_is_said_and_a_little_is_let_pass(change: dict[str, object], said: str) -> None:
    before = Side(
        rows=1000, distance=0.1, levels=100, singles=15, repeats=0.0, spread=0.1, spread_error=0.001, rare={"last": 100}
    )
    slightly = replace(before, distance=0.109, levels=97, spread=0.097, rare={"last": 75})
    assert Effect(before=before, after=slightly).harms == ()
    (harm,) = Effect(before=before, after=replace(before, **change)).harms
    assert said in harm
