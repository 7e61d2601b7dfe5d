import pytest

from medsynth.collapse.criterion import MEASURES, judge_course
from medsynth.fidelity.decay import Figure


def course(*distances: float, name: str = "pairs") -> list[dict[str, Figure]]:
    return [{name: Figure(value=0.0, distance=distance)} for distance in (0.0, *distances)]


def test_the_count_ends_before_the_first_generation_beyond_the_tolerance():
    verdict = judge_course(course(0.05, 0.055, 0.0599, 0.0601, 0.05))
    assert (verdict.safe, verdict.reached) == (3, False)
    assert verdict.broken == ("Error over pairs of columns",)


def test_a_course_that_never_breaks_is_safe_as_far_as_it_was_measured():
    verdict = judge_course(course(0.05, 0.01, 0.0))
    assert (verdict.safe, verdict.reached, verdict.broken) == (2 + 1, True, ())


def test_the_further_of_two_first_generations_counts():
    later = course(0.05, 0.065)
    assert judge_course(later).safe == 1
    assert judge_course(later, [course(0.06)[1]]).safe == 2


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_each_measure_can_break_the_criterion_alone(measure):
    verdict = judge_course(course(0.1, 0.1 + 1.01 * measure.tolerance, name=measure.name))
    assert (verdict.safe, verdict.broken) == (1, (measure.title,))


def test_a_measure_that_a_table_no_longer_shows_breaks_the_criterion():
    vanished = course(0.1, 0.1, name="prediction")
    vanished[2] = {}
    assert judge_course(vanished).broken == ("Prediction on held-out persons",)
    assert judge_course([vanished[0], {}, {}]).reached
