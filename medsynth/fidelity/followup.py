"""Times to an event that some were not followed to: survival curves, their distance, concordance."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.learners import BoolArray
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.target import UnusableError, persons_of
from medsynth.schema.reading import column_cells, kind_of, numbers, texts

STILL_FOLLOWED = 0.05
HAPPENED = frozenset({"1", "true", "yes", "y", "t"})
_TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True, kw_only=True, eq=False)
class Followed:
    """People of one table whose time and event are known and whose weight is positive.

    Attributes:
      times: (n,) length of follow-up, at least 0.
      events: (n,) whether it ended with the event.
      weights: (n,).
      persons: (n,) number of each row's person.
      positions: (n,) where the rows stand in their frame.
    """

    times: FloatArray
    events: BoolArray
    weights: FloatArray
    persons: npt.NDArray[np.int64]
    positions: npt.NDArray[np.intp]

    def take(self, chosen: npt.NDArray[np.intp]) -> "Followed":
        """Some of the people."""
        return Followed(
            times=self.times[chosen],
            events=self.events[chosen],
            weights=self.weights[chosen],
            persons=np.unique(self.persons[chosen], return_inverse=True)[1],
            positions=self.positions[chosen],
        )


def followed(comparison: Comparison, part: Part) -> Followed:
    """Reads the schema's `time` and `event`.

    Raises:
      UnusableError: If the table lacks them, or they are no number and no yes or no.
    """
    utility, schema, frame = comparison.schema.utility, comparison.schema, comparison.frame(part)
    if utility is None or utility.time is None or utility.event is None:
        raise UnusableError("the schema names no time and event.")
    for name in (utility.time, utility.event):
        if name not in frame and name not in schema.derived_expressions:
            raise UnusableError(f"the {part} table has no column '{name}'.")
    cells = column_cells(utility.time, frame, schema)
    if kind_of(utility.time, cells, schema) != "number":
        raise UnusableError(f"time '{utility.time}' is no number: name a column that holds the length of follow-up.")
    times = numbers(cells, schema.columns.get(utility.time))
    events, told = _events(comparison, part, utility.event)
    weights = comparison.weights(part)
    known = np.flatnonzero(told & (times >= 0) & (weights > 0))
    if not len(known):
        raise UnusableError(f"the {part} table shows no one's follow-up.")
    return Followed(
        times=times[known],
        events=events[known],
        weights=weights[known],
        persons=persons_of(comparison, part, known),
        positions=known,
    )


def _events(comparison: Comparison, part: Part, name: str) -> tuple[BoolArray, BoolArray]:
    """Whether the event happened, and whether that is known."""
    schema = comparison.schema
    column: Any = schema.columns.get(name)
    cells = column_cells(name, comparison.frame(part), schema)
    if kind_of(name, cells, schema) == "number":
        values = numbers(cells, column)
        return values == 1, ~np.isnan(values)
    happened = {column.texts[1]} if column is not None and column.kind == "boolean" else HAPPENED
    declared = getattr(column, "texts", None)
    if declared is not None and not happened & {text.lower() for text in declared} and not happened & set(declared):
        raise UnusableError(f"event '{name}' does not say who had it: its values need a 1, true or yes.")
    written = texts(cells, column)
    told = np.array([text is not None for text in written], dtype=bool)
    found = [text is not None and (text in happened or text.lower() in happened) for text in written]
    return np.array(found, dtype=bool), told


@dataclass(frozen=True, kw_only=True, eq=False)
class SurvivalCurve:
    """Kaplan and Meier's estimate for any weighting of the same people.

    Attributes:
      knots: (k,) distinct times, ascending.
      place: (n,) the knot of each person.
      events: (n,) whether the follow-up ended with the event.

    Source: Kaplan and Meier (1958), doi:10.1080/01621459.1958.10501452.
    """

    knots: FloatArray
    place: npt.NDArray[np.intp]
    events: BoolArray

    @classmethod
    def of(cls, times: FloatArray, events: BoolArray) -> "SurvivalCurve":
        knots, place = np.unique(times, return_inverse=True)
        return cls(knots=knots, place=place, events=events)

    def at(self, moments: FloatArray, weights: FloatArray) -> FloatArray:
        """Share that is still without the event just after each moment.

        >>> one = SurvivalCurve.of(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
        >>> one.at(np.array([0.0, 1.0, 2.5, 3.0]), np.ones(3)).round(3).tolist()
        [1.0, 0.667, 0.667, 0.0]
        """
        ended = np.bincount(self.place, weights, len(self.knots))
        died = np.bincount(self.place, weights * self.events, len(self.knots))
        at_risk = ended[::-1].cumsum()[::-1]
        shares = np.cumprod(1 - died / np.maximum(at_risk, _TINY))
        return np.append(1.0, shares)[np.searchsorted(self.knots, moments, side="right")]

    def still_followed(self, weights: FloatArray) -> float:
        """The last time to which a twentieth of the people is followed."""
        ended = np.bincount(self.place, weights, len(self.knots))
        at_risk = ended[::-1].cumsum()[::-1]
        return float(self.knots[np.flatnonzero(at_risk >= STILL_FOLLOWED * at_risk[0])[-1]])


def curve_distance(first: FloatArray, second: FloatArray, moments: FloatArray, end: float) -> float:
    """Mean absolute difference of two curves from the first moment to `end`; both step at the moments.

    >>> curve_distance(np.array([1.0, 0.5]), np.array([1.0, 1.0]), np.array([0.0, 3.0]), 4.0)
    0.125
    """
    widths = np.diff(np.append(moments, end))
    return float((np.abs(first - second) * widths).sum() / max(end - moments[0], _TINY))


def moments_until(end: float, *curves: SurvivalCurve) -> FloatArray:
    """0 and every time at which one of the curves may step, before the end."""
    moments = np.unique(np.concatenate([np.zeros(1), *(curve.knots for curve in curves)]))
    return moments[moments < end] if end > 0 else moments[:1]


def concordances(people: Followed, risks: FloatArray, weightings: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted share of comparable pairs whose order the risks tell; ties of risk count half.

    A pair is comparable when the event of one came before the other's follow-up ended, or at its end without the event.

    Args:
      people: n of them.
      risks: (n,), higher is sooner.
      weightings: (m, n) weights.

    Returns:
      (m,), NaN where no pair is comparable.

    Source: Harrell et al. (1982), doi:10.1001/jama.1982.03320430047030.

    >>> people = Followed(times=np.array([1.0, 2, 3]), events=np.array([True, True, False]), weights=np.ones(3),
    ...                   persons=np.arange(3), positions=np.arange(3))
    >>> concordances(people, np.array([3.0, 1, 2]), np.ones((1, 3))).round(3).tolist()
    [0.667]
    """
    sooner = people.times[:, None] < people.times[None, :]
    at_end = (people.times[:, None] == people.times[None, :]) & ~people.events[None, :]
    comparable = (people.events[:, None] & (sooner | at_end)).astype(np.float32)
    told = comparable * (0.5 + 0.5 * np.sign(risks[:, None] - risks[None, :])).astype(np.float32)
    masses = weightings.astype(np.float32)
    right = ((masses @ told) * masses).sum(axis=1, dtype=np.float64)
    pairs = ((masses @ comparable) * masses).sum(axis=1, dtype=np.float64)
    shares: npt.NDArray[np.float64] = np.where(pairs > 0, right / np.maximum(pairs, _TINY), np.nan)
    return shares
