"""pMSE: how far the propensities of a logistic regression on main effects lie from saying nothing."""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medsynth.fidelity.tables import FloatArray

FEWEST_ROWS = 50
"""A level that fewer rows hold joins the reference level: the expectation under chance is one for large samples."""
PENALTY = 1e4
"""Inverse strength: all but none, so that a level of one table alone does not run off to infinity."""


def propensity_score(
    real: npt.NDArray[np.float32], other: npt.NDArray[np.float32], listed: Sequence[int]
) -> tuple[float, float, int]:
    """The pMSE ratio of two tables, its standard error, and the number of main effects.

    With k effects besides the intercept, N records and the share c of the other table, pMSE is about
    c (1 - c) / N times a chi-square variable of k degrees of freedom where both are samples of one population, and of
    a non-central one where they are not. Snoke et al. divide by c (1 - c)^2 k / N, since their synthetic records are
    drawn given the very records they are compared with; holdout records are none of those.

    Args:
      real: (n, d) numbers with NaN where missing, or groups of categories.
      other: (m, d).
      listed: Columns that are categories.

    Returns:
      (ratio, standard error, k); 1 is what chance gives. (1, 0, 0) where no column varies.

    Source: Snoke et al. (2018), doi:10.1111/rssa.12358, section 3.
    """
    effects = main_effects(np.concatenate([real, other]), frozenset(listed))
    terms = int(np.linalg.matrix_rank(effects.T @ effects)) if effects.size else 0
    if not terms:
        return 1.0, 0.0, 0
    labels = np.repeat([0, 1], [len(real), len(other)])
    share = float(labels.mean())
    propensities = _propensities(effects, labels)
    expected = share * (1 - share) * terms / len(labels)
    ratio = float(((propensities - share) ** 2).mean()) / expected
    beyond = terms * max(0.0, ratio - 1)
    return ratio, float(np.sqrt(2 * (terms + 2 * beyond))) / terms, terms


def main_effects(values: npt.NDArray[np.float32], listed: frozenset[int]) -> FloatArray:
    """Standardised columns (n, effects): numbers, whether they are missing, and levels but the most frequent."""
    columns = []
    for position, column in enumerate(values.T):
        if position in listed:
            counts = np.bincount(column.astype(np.intp))
            kept = np.flatnonzero(counts >= FEWEST_ROWS)
            columns += [column == level for level in kept if level != counts.argmax()]
            continue
        missing = np.isnan(column)
        columns.append(np.where(missing, np.nanmean(column) if not missing.all() else 0.0, column))
        if FEWEST_ROWS <= missing.sum() < len(column):
            columns.append(missing)
    table = np.column_stack(columns).astype(np.float64) if columns else np.empty((len(values), 0))
    spread = table.std(axis=0)
    varies = spread > 1e-9
    effects: FloatArray = (table[:, varies] - table[:, varies].mean(axis=0)) / spread[varies]
    return effects


def _propensities(effects: FloatArray, labels: npt.NDArray[np.int64]) -> FloatArray:
    from sklearn.linear_model import LogisticRegression

    learner = LogisticRegression(C=PENALTY, solver="newton-cholesky", max_iter=30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a table that is told apart for sure has no finite maximum
        learner.fit(effects, labels)
    found: FloatArray = learner.predict_proba(effects)[:, 1]
    return found
