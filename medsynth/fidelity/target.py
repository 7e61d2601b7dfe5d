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
    """

    codes: npt.NDArray[np.int32]
    labels: FloatArray
    weights: FloatArray
    persons: npt.NDArray[np.int64]


def target_of(comparison: Comparison) -> Target:
    """The target of a schema that declares one.

    Raises:
      UnusableError: If its task is not judged.
    """
    utility = comparison.schema.utility
    if utility is None or utility.task == "survival":
        raise UnusableError("survival targets are not judged yet; they come with the `survival` extra.")
    if utility.target is None or (utility.task == "binary" and utility.positive is None):
        raise UnusableError("the schema names no target or no positive value.")
    derived = frozenset(comparison.schema.derived_expressions)
    return Target(
        column=utility.target,
        task=utility.task,
        positive=utility.positive,
        # How many records a person has tells of the later ones: no predictor may know it.
        excluded=derived | {utility.target, ROWS_COLUMN, *utility.exclude},
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
    known = ~missing & (weights > 0) & ~np.isnan(labels)
    if len(np.unique(labels[known])) < (2 if part == "holdout" else 1):
        raise UnusableError(f"the {part} table does not show '{target.column}' often enough.")
    unit = schema.privacy.unit
    named = frame[unit].to_numpy()[known] if unit is not None and unit in frame else None
    return Rows(
        codes=comparison.codes(part)[known],
        labels=labels[known],
        weights=weights[known],
        persons=person_numbers(named, int(known.sum())),
    )


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
