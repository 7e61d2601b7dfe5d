"""What is counted among held-out persons for the figures that are paid for: follows from synthetic rows alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.encoding.domain import Attribute, Domain, IntArray, Level
from medsynth.errors import UsageError
from medsynth.fidelity.beliefs import calm
from medsynth.fidelity.learners import as_integers, boosting, features_of
from medsynth.fidelity.tables import FloatArray, cliques_of
from medsynth.fidelity.target import Target, UnusableError, rows_of, target_of
from medsynth.schema.predicate import Compare, IsMissing
from medsynth.schema.table import ROWS_COLUMN

GROUPS = 6
MOST_PAIRS = 60
CLASSES = 20
OUTCOMES = Attribute(name="outcome", size=3)
"""Not a case, a case, not known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictor:
    """A model trained on the synthetic rows, its beliefs rounded to classes.

    Attributes:
      column: What it predicts.
      classes: Codes (n, d) to the class (n,) of each row's belief.
      beliefs: (classes,) mean belief of each class among the synthetic rows.
      case: Codes of a case.
      unknown: Codes of a row that does not show the outcome; None where every row does.
    """

    column: str
    classes: Callable[[IntArray], IntArray]
    beliefs: FloatArray
    case: Condition
    unknown: Condition | None

    @property
    def domain(self) -> Domain:
        """Of the table that judges it."""
        return Domain(attributes=(Attribute(name="belief", size=len(self.beliefs)), OUTCOMES))

    def outcomes(self, codes: IntArray) -> IntArray:
        """0 for no case, 1 for a case, 2 where it is not known, (n,)."""
        found = self.case.mask(codes).astype(np.int32)
        if self.unknown is not None:
            found[self.unknown.mask(codes)] = 2
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """Tables to count among held-out persons; a function of the schema and of the synthetic rows.

    Attributes:
      levels: One per compared column, of about `GROUPS` groups.
      pairs: Positions in `levels`.
      predictor: None where the schema declares no yes-or-no prediction.
    """

    levels: tuple[Level, ...]
    pairs: tuple[tuple[int, ...], ...]
    predictor: Predictor | None


def tables_to_count(comparison: Comparison, rng: np.random.Generator) -> Asked:
    """What to count for the figures that are paid for; looks at synthetic rows only.

    Args:
      comparison: Of which only the schema and the synthetic rows are read.
      rng: Chooses `MOST_PAIRS` pairs where there are more.
    """
    codes, weights = comparison.codes("synthetic"), comparison.weights("synthetic")
    levels = tuple(
        coarse_level(attribute, np.bincount(codes[:, position], weights, attribute.size).astype(np.float64))
        for position, attribute in enumerate(comparison.domain.attributes)
        if attribute.name != ROWS_COLUMN and attribute.size > 1
    )
    pairs = tuple(cliques_of(len(levels), 2, MOST_PAIRS, rng)) if len(levels) > 1 else ()
    return Asked(levels=levels, pairs=pairs, predictor=_predictor(comparison))


def coarse_level(attribute: Attribute, mass: FloatArray, most: int = GROUPS) -> Level:
    """At most `most` groups of about equal synthetic mass; fewer cells mean less noise.

    Neighbours are joined in an ordered column, whose missing cells stay together; else the rarest values are.

    Args:
      attribute: A column.
      mass: (size,) weight of the synthetic rows in each cell.
      most: At least 2.
    """
    if attribute.size <= most:
        return Level.finest(attribute)
    groups = np.zeros(attribute.size, dtype=np.int32)
    ascending = attribute.ordered
    if ascending:
        own = mass[:ascending]
        middle = (np.cumsum(own) - own / 2) / max(float(own.sum()), np.finfo(float).tiny)
        runs = most if ascending == attribute.size else most - 1
        groups[:ascending] = np.minimum(middle * runs, runs - 1).astype(np.int32)
        groups[ascending:] = runs
    else:
        groups[:] = most - 1
        groups[np.argsort(-mass, kind="stable")[: most - 1]] = np.arange(most - 1)
    present, joined = np.unique(groups, return_inverse=True)
    return Level(attribute=attribute.name, groups=joined.astype(np.int32), size=len(present))


def _predictor(comparison: Comparison) -> Predictor | None:
    if comparison.schema.utility is None:
        return None
    try:
        target = target_of(comparison)
        rows = rows_of(comparison, "synthetic", target)
        case, unknown = _outcome(target, comparison.codec)
    except (UnusableError, UsageError):  # a case that cuts through a cell cannot be counted
        return None
    features = features_of(comparison.domain.attributes, target.excluded)
    if target.task != "binary" or not features or len(np.unique(rows.labels)) < 2:
        return None
    learner = boosting(features)
    with calm():
        learner.fit(as_integers(rows.codes, features), rows.labels, sample_weight=rows.weights)
        own = learner.predict_proba(as_integers(rows.codes, features))[:, 1]
    edges = np.unique(np.quantile(own, np.arange(1, CLASSES) / CLASSES, method="inverted_cdf"))
    place = np.searchsorted(edges, own)
    mass = np.bincount(place, rows.weights, len(edges) + 1)
    beliefs = np.bincount(place, rows.weights * own, len(edges) + 1) / np.maximum(mass, np.finfo(float).tiny)
    kept = mass > 0  # the class above the highest edge may be empty
    edges, beliefs = edges[: int(kept.sum()) - 1], beliefs[kept]

    def classes(codes: IntArray) -> IntArray:
        with calm():
            belief = learner.predict_proba(as_integers(codes, features))[:, 1] if len(codes) else np.empty(0)
        return np.searchsorted(edges, belief).astype(np.int32)

    return Predictor(column=target.column, classes=classes, beliefs=beliefs, case=case, unknown=unknown)


def _outcome(target: Target, codec: Codec) -> tuple[Condition, Condition | None]:
    case = compile_condition(Compare(column=target.column, op="==", value=target.positive), codec)
    unknown = compile_condition(IsMissing(column=target.column), codec)
    return case, unknown if unknown.boxes else None
