import numpy as np
import pytest

from medsynth.leakage.attribute_inference import AttributeInference, Judge, secrets_of, width_of
from medsynth.leakage.distance import Neighbours
from medsynth.leakage.values import MISSING
from medsynth.testing import jittered_copy


def evaluate(comparison):
    return AttributeInference().evaluate(comparison, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("guess", "truth", "right"),
    [
        (-10.0, 1000.0, False),  # where errors are divided by the guess, this counts as a hit
        (0.0, 0.0, True),
        (0.0, 0.9, True),
        (0.0, -1.1, False),
        (-3.0, -2.5, True),
        (MISSING, MISSING, True),
        (MISSING, 0.0, False),
        (0.0, MISSING, False),
    ],
)
def test_numbers_below_zero_and_missing_ones_are_judged_by_distance(guess, truth, right):
    assert Judge(numeric=True, width=1.0).right(np.array([guess]), np.array([truth])).tolist() == [right]


def test_equal_row_outvotes_farther_ones_and_close_numbers_support_each_other():
    near = Neighbours(rows=np.array([[0, 1, 2]]), distances=np.array([[0.0, 0.1, 0.1]]))
    assert Judge(numeric=False, width=0.0).vote(np.array([1.0, 2.0, 2.0]), near).tolist() == [1.0]
    alike = Neighbours(rows=np.array([[0, 1, 2]]), distances=np.array([[0.1, 0.1, 0.1]]))
    assert Judge(numeric=True, width=1.0).vote(np.array([-9.0, 4.0, 4.5]), alike)[0] in {4.0, 4.5}


def test_commonest_number_is_the_one_that_most_lie_close_to():
    judge = Judge(numeric=True, width=0.5)
    assert judge.common(np.array([-7.0, 1.0, 1.2, 1.4, 9.0, MISSING])) in {1.0, 1.2, 1.4}
    assert judge.common(np.array([-7.0, 3.0, MISSING, MISSING])) == MISSING
    assert width_of(np.array([MISSING])) == 0.0


@pytest.mark.parametrize("kind", ["full", "jittered"])
def test_copies_give_secrets_of_people_in_the_data_away(compare, world, scores, kind):
    released = world[0] if kind == "full" else jittered_copy(world[0], 2000, np.random.default_rng(1))
    found = scores(evaluate(compare(released)))
    assert found["leak.attribute_inference.ward.p"].value < 1e-6
    assert found["leak.attribute_inference.died.p"].value < 1e-6


def test_what_holds_for_the_whole_population_is_no_leak(compare, world, scores):
    # The ward is guessed far better than its commonest value, of strangers too. p falls below 0.001 for one in 1,000.
    found = scores(evaluate(compare(world[2])))
    told = found["leak.attribute_inference.ward.excess"]
    assert told.low < 0 < told.high
    assert found["leak.attribute_inference.ward.p"].value > 0.001
    assert "A forest trained on other people is right for" in told.sentence


def test_secrets_are_declared_or_the_outcome_and_rare_columns(compare, world):
    comparison = compare(world[2])
    names = [comparison.domain.names[place] for place in secrets_of(comparison)]
    assert names == ["died", "chronic_1", "ward"]


def test_no_rows_or_too_few_persons_are_told(compare, world):
    assert [score.value for score in evaluate(compare(world[2].iloc[:0])).scores] == [None, None]
    assert [score.value for score in evaluate(compare(world[2], holdout=world[1].iloc[:50])).scores] == [None, None]
