"""When a generation counts as safe: fixed here, before anything is measured, the same for every table.

Generation 1 is what anyone gets who synthesises once, so what refitting costs is what a later generation loses beyond
it. A generation is safe while no measure lies further from the real table than generation 1 does by more than its
tolerance. Every generator makes generation 1 once for each of its courses; the further of these counts, so that luck in
one does not condemn the next. The tolerances are the sizes at which a reader of the table would be misled, not what a
course happens to show: see `MEASURES`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medsynth.fidelity.decay import Figure

Course = Sequence[Mapping[str, Figure]]
"""Figures by measure of each generation, the real table first."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is followed, and how far it may move.

    Attributes:
      name: As `medsynth.fidelity.decay` calls it.
      title: A short noun phrase.
      shows: What its figure is, for the chart.
      tolerance: How much further than generation 1 a safe generation may lie from the real table.
      means: What the distance is and what the tolerance allows, in words.
    """

    name: str
    title: str
    shows: str
    tolerance: float
    means: str


MEASURES: Final = (
    Measure(
        name="variance",
        title="Variance of numbers",
        shows="Variance inside the public bounds over that of the real table, geometric mean over numeric columns.",
        tolerance=0.10,
        means="Mean over numeric columns of the change of the variance, as a logarithm: a tenth moves standard "
        "errors by a twentieth.",
    ),
    Measure(
        name="entropy",
        title="Entropy of columns",
        shows="Entropy of all columns, summed, over that of the real table.",
        tolerance=0.02,
        means="Change of the summed entropy of all columns, relative: two hundredths of the variety.",
    ),
    Measure(
        name="tails",
        title="Tail coverage",
        shows="Share of the real mass in the outer 1 % of each column whose cells still hold a record, mean over "
        "columns.",
        tolerance=0.10,
        means="Share of the real mass in the outer 1 % of each column whose cells are empty: a tenth of the tails.",
    ),
    Measure(
        name="rare",
        title="Share of rare conditions",
        shows="Share of the declared rare conditions over the real share, geometric mean.",
        tolerance=0.25,
        means="Mean over declared conditions of the change of their share, as a logarithm: a quarter of the cases.",
    ),
    Measure(
        name="pairs",
        title="Error over pairs of columns",
        shows="Mean total variation distance to the holdout over pairs of columns; at generation 0, that of two real "
        "samples.",
        tolerance=0.01,
        means="Mean total variation distance to the holdout: one row in a hundred more would have to change.",
    ),
    Measure(
        name="prediction",
        title="Prediction on held-out persons",
        shows="AUC (R squared for numbers) on held-out persons of boosted trees trained on the table.",
        tolerance=0.02,
        means="AUC (R squared for numbers) lost against the same learner trained on real records: two hundredths.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How many generations of a course are safe.

    Attributes:
      safe: The last generation before the first that is not; at least 1.
      reached: Whether all that were measured are.
      broken: Titles of the measures that broke the criterion first.
    """

    safe: int
    reached: bool
    broken: tuple[str, ...] = ()


def judge_course(course: Course, firsts: Sequence[Mapping[str, Figure]] = ()) -> Verdict:
    """Applies the criterion.

    Args:
      course: The real table and at least one generation.
      firsts: First generations of other courses of the same generator.
    """
    measures = [measure for measure in MEASURES if measure.name in course[0]]
    first = {each.name: max(_distance(figures, each) for figures in (course[1], *firsts)) for each in measures}
    for generation, figures in enumerate(course[2:], 2):
        broken = tuple(
            measure.title
            for measure in measures
            if _distance(figures, measure) > first[measure.name] + measure.tolerance
        )
        if broken:
            return Verdict(safe=generation - 1, reached=False, broken=broken)
    return Verdict(safe=len(course) - 1, reached=True)


def _distance(figures: Mapping[str, Figure], measure: Measure) -> float:
    """Without bounds where a table no longer shows what is measured, such as a target that is missing everywhere."""
    return figures[measure.name].distance if measure.name in figures else math.inf
