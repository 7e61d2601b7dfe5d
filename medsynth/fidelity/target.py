"""The schema's utility target as labels, in the rows where it is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.tables import FloatArray
from medsynth.inference import person_numbers
from medsynth.schema.predicate import Compare, IsMissing
from medsynth.schema.table import ROWS_COLUMN

MOST_ROWS = 100_000
"""Rows of a table that are learned from or judged on; a fixed random choice where there are more."""


class UnusableError(Exception):
    """The target cannot be judged; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is predicted.

    Attributes:
      column: Its name.
      task: binary, multiclass or regression.
      positive: The value that counts as a case, for binary.
      excluded: Columns that are no features: the target, `exclude`, derived columns and the rows per person.
    """

    column: str
    task: str
    positive: Any
    excluded: frozenset[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows of one part whose target is known and whose weight is positive.

    Attributes:
      codes: (n, d).
      labels: (n,) class numbers, or numbers for regression.
      weights: (n,).
      persons: (n,) number of each row's person.
      positions: (n,) where the rows stand in their frame.
    """

    codes: npt.NDArray[np.int32]
    labels: FloatArray
    weights: FloatArray
    persons: npt.NDArray[np.int64]
    positions: npt.NDArray[np.intp]

    def take(self, chosen: npt.NDArray[np.intp]) -> "Rows":
        """Some of the rows."""
        return Rows(
            codes=self.codes[chosen],
            labels=self.labels[chosen],
            weights=self.weights[chosen],
            persons=np.unique(self.persons[chosen], return_inverse=True)[1],
            positions=self.positions[chosen],
        )


def some_of(count: int, most: int) -> npt.NDArray[np.intp]:
    """Positions of a fixed random choice of at most `most` of `count` rows, in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(count).choice(count, size=most, replace=False))


def target_of(comparison: Comparison) -> Target:
    """The target of a schema that declares one.

    Raises:
      UnusableError: If its task is not judged.
    """
    utility = comparison.schema.utility
    if utility is None or utility.target is None or (utility.task == "binary" and utility.positive is None):
        raise UnusableError("the schema names no target or no positive value.")
    return Target(
        column=utility.target,
        task=utility.task,
        positive=utility.positive,
        excluded=not_features(comparison),
    )


def rows_of(comparison: Comparison, part: Part, target: Target) -> Rows:
    """Rows of one part with their labels.

    Raises:
      UnusableError: If the part does not show the target.
    """
    schema, frame, weights = comparison.schema, comparison.frame(part), comparison.weights(part)
    if target.column not in frame:
        raise UnusableError(f"the {part} table has no column '{target.column}'.")
    labels = _labels(comparison, part, target)
    missing = IsMissing(column=target.column).evaluate(frame, schema)
    known = np.flatnonzero(~missing & (weights > 0) & ~np.isnan(labels))
    known = known[some_of(len(known), MOST_ROWS)]
    if len(np.unique(labels[known])) < (2 if part == "holdout" else 1):
        raise UnusableError(f"the {part} table does not show '{target.column}' often enough.")
    return Rows(
        codes=comparison.codes(part)[known],
        labels=labels[known],
        weights=weights[known],
        persons=persons_of(comparison, part, known),
        positions=known,
    )


def persons_of(comparison: Comparison, part: Part, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """Number of the person of each of these rows of one part; every synthetic row is a person."""
    frame, unit = comparison.frame(part), comparison.schema.privacy.unit
    known = unit is not None and part != "synthetic" and unit in frame
    return person_numbers(frame[unit].to_numpy()[rows] if known else None, len(rows))


def not_features(comparison: Comparison) -> frozenset[str]:
    """Columns that predict nothing: derived ones, `exclude`, every declared outcome and the rows per person."""
    schema, utility = comparison.schema, comparison.schema.utility
    if utility is None:
        return frozenset()
    outcomes = {name for name in (utility.target, utility.time, utility.event) if name is not None}
    # How many records a person has tells of the later ones: no predictor may know it.
    return frozenset(schema.derived_expressions) | outcomes | {ROWS_COLUMN, *utility.exclude}


def _labels(comparison: Comparison, part: Part, target: Target) -> FloatArray:
    frame = comparison.frame(part)
    if target.task == "binary":
        case = Compare(column=target.column, op="==", value=target.positive)
        return case.evaluate(frame, comparison.schema).astype(np.float64)
    if target.task == "regression":
        numbers = pd.to_numeric(frame[target.column].astype(object), errors="coerce")
        return np.asarray(numbers, dtype=np.float64)
    if target.column not in comparison.domain:
        raise UnusableError(f"'{target.column}' is not a modelled column.")
    codes = comparison.codes(part)
    return codes[:, comparison.domain.index(target.column)].astype(np.float64)
