"""The three fixed learners of the utility figures, and weighted measures of what they predict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from medsynth.encoding.domain import Attribute, IntArray
from medsynth.fidelity.tables import FloatArray

BoolArray = npt.NDArray[np.bool_]
HIGH_CARDINALITY = 100
MOST_CATEGORIES = 255
ROWS_PER_TREE = 10_000
SEED = 0
"""The learners' own randomness is fixed: a figure depends on the tables, not on luck."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Feature:
    """One predictor: a column at a fixed level.

    Attributes:
      position: Column of the codes.
      groups: Cell to group.
      ordered: Leading groups that ascend, 0 for a list of values.
      size: Number of groups.
    """

    position: int
    groups: IntArray
    ordered: int
    size: int


def features_of(attributes: Sequence[Attribute], excluded: frozenset[str]) -> tuple[Feature, ...]:
    """All columns but the excluded; more than 100 codes enter at their coarsest public level."""
    return tuple(
        _feature(position, attribute) for position, attribute in enumerate(attributes) if attribute.name not in excluded
    )


def _feature(position: int, attribute: Attribute) -> Feature:
    if attribute.size > HIGH_CARDINALITY and attribute.hierarchy and not attribute.ordered:
        groups = attribute.hierarchy[-1]
        return Feature(position=position, groups=groups, ordered=0, size=int(groups.max()) + 1)
    cells = np.arange(attribute.size, dtype=np.int32)
    return Feature(position=position, groups=cells, ordered=attribute.ordered, size=attribute.size)


def as_integers(codes: IntArray, features: Sequence[Feature]) -> npt.NDArray[np.float32]:
    """Groups (n, features); cells behind the ordered ones of a column are left blank (NaN)."""
    table = np.empty((len(codes), len(features)), dtype=np.float32)
    for column, feature in enumerate(features):
        groups = feature.groups[codes[:, feature.position]]
        table[:, column] = np.where(groups < feature.ordered, groups, np.nan) if feature.ordered else groups
    return table


def as_indicators(codes: IntArray, features: Sequence[Feature]) -> sparse.csr_matrix:
    """Indicators of every group; an ordered column gives one rank in [0, 1] and its tail cells."""
    rows, columns, values, start = [], [], [], 0
    everyone = np.arange(len(codes))
    for feature in features:
        groups = feature.groups[codes[:, feature.position]]
        first = max(0, feature.ordered - 1)  # an ordered column's ranks share one column, in front of its tail
        ranked = groups < feature.ordered
        rows.append(everyone)
        columns.append(start + np.where(ranked, 0, groups - first))
        values.append(np.where(ranked, groups / max(1, feature.ordered - 1), 1.0))
        start += feature.size - first
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csr_matrix(entries, shape=(len(codes), start))


def boosting(features: Sequence[Feature], *, regression: bool = False) -> Any:
    """Gradient-boosted trees with fixed settings."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    listed = [not feature.ordered and 2 < feature.size <= MOST_CATEGORIES for feature in features]
    learner = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return learner(
        max_iter=100,
        learning_rate=0.1,
        max_leaf_nodes=31,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features=listed,
        early_stopping=False,
        random_state=SEED,
    )


def linear(*, regression: bool = False) -> Any:
    """Ridge-penalised logistic or linear regression with fixed settings."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if regression:
        return Ridge(alpha=1.0, solver="lsqr", random_state=SEED)
    return LogisticRegression(C=1.0, max_iter=200, tol=1e-3, random_state=SEED)


def forest(rows: int, *, regression: bool = False) -> Any:
    """A random forest with fixed settings; each tree sees at most 10,000 of the rows."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    learner = RandomForestRegressor if regression else RandomForestClassifier
    return learner(
        n_estimators=50,
        max_depth=10,
        min_samples_leaf=5,
        max_features="sqrt",
        max_samples=min(rows, ROWS_PER_TREE),
        random_state=SEED,
    )


def weighted_auc(truth: BoolArray, beliefs: FloatArray, weights: FloatArray) -> float:
    """Weighted chance that a positive is believed in more than a negative; NaN without both.

    >>> weighted_auc(np.array([True, False]), np.array([0.2, 0.2]), np.ones(2))
    0.5
    """
    return Ranked.of(truth, beliefs).auc(weights)


def weighted_auprc(truth: BoolArray, beliefs: FloatArray, weights: FloatArray) -> float:
    """Weighted average precision; NaN without a positive.

    >>> weighted_auprc(np.array([True, False]), np.array([0.9, 0.2]), np.ones(2))
    1.0
    """
    return Ranked.of(truth, beliefs).auprc(weights)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranked:
    """Rows sorted once by belief, so that many weightings can be measured."""

    order: npt.NDArray[np.intp]
    last_of_tie: npt.NDArray[np.intp]
    truth: BoolArray

    @classmethod
    def of(cls, truth: BoolArray, beliefs: FloatArray) -> "Ranked":
        order = np.argsort(-beliefs, kind="stable")
        ordered = beliefs[order]
        last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))[: len(ordered)]
        return cls(order=order, last_of_tie=last, truth=truth[order])

    def passed(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weight of positives and negatives at or above each distinct belief, highest first."""
        mass = weights[self.order]
        hits, misses = np.cumsum(mass * self.truth), np.cumsum(mass * ~self.truth)
        return hits[self.last_of_tie], misses[self.last_of_tie]

    def auc(self, weights: FloatArray) -> float:
        hits, misses = self.passed(weights)
        if not len(hits) or not hits[-1] > 0 or not misses[-1] > 0:
            return float("nan")
        heights = hits - np.diff(hits, prepend=0.0) / 2
        return float((np.diff(misses, prepend=0.0) * heights).sum() / (hits[-1] * misses[-1]))

    def aucs(self, weightings: FloatArray) -> FloatArray:
        """The AUC under each of (m, n) weightings; NaN where one lacks positives or negatives."""
        masses = weightings[:, self.order]
        hits = np.cumsum(masses * self.truth, axis=1)[:, self.last_of_tie]
        misses = np.cumsum(masses * ~self.truth, axis=1)[:, self.last_of_tie]
        heights = hits - np.diff(hits, axis=1, prepend=0.0) / 2
        pairs = hits[:, -1] * misses[:, -1]
        won = (np.diff(misses, axis=1, prepend=0.0) * heights).sum(axis=1)
        areas: FloatArray = np.where(pairs > 0, won / np.maximum(pairs, np.finfo(float).tiny), np.nan)
        return areas

    def auprc(self, weights: FloatArray) -> float:
        hits, misses = self.passed(weights)
        if not len(hits) or not hits[-1] > 0:
            return float("nan")
        precision = hits / np.maximum(hits + misses, np.finfo(float).tiny)
        return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])


def weighted_r2(truth: FloatArray, beliefs: FloatArray, weights: FloatArray) -> float:
    """Share of the weighted variance explained; NaN for a constant truth."""
    mean = np.average(truth, weights=weights)
    spread = float((weights * (truth - mean) ** 2).sum())
    if not spread > 0:
        return float("nan")
    return 1 - float((weights * (truth - beliefs) ** 2).sum()) / spread
