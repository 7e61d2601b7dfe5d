"""Whether a classifier can tell synthetic from real records, and what gives them away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.learners import HIGH_CARDINALITY, SEED
from medsynth.fidelity.parts import (
    SHOWN,
    Rows,
    category_columns,
    chart_of,
    empty_part,
    no_rows,
    number_columns,
    rows_of,
    second_sample,
    thinned,
    untold,
    values_of,
)
from medsynth.fidelity.propensity import propensity_score
from medsynth.fidelity.resolution import pair_level
from medsynth.fidelity.tables import FloatArray
from medsynth.inference import auc, delong
from medsynth.score import Chart, Edition, Evaluation, Score

AUC, GAP, PMSE = "fidelity.classifier.auc", "fidelity.classifier.gap", "fidelity.pmse.ratio"
NAMES = (AUC, GAP, PMSE)
FEWEST = 100
SPLITS = 2
PRIOR = 20.0
MOST_SHUFFLED = 1000
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Records:
    """Rows of one table as a classifier sees them.

    Attributes:
      values: (n, d) numbers as they are, NaN where missing; groups of categories.
      folds: (n,) of persons.
    """

    values: Floats
    folds: npt.NDArray[np.int64]

    def independent(self, rng: np.random.Generator) -> "Records":
        """The same columns, each shuffled by itself."""
        return Records(values=rng.permuted(self.values, axis=0), folds=self.folds)


@dataclass(frozen=True, kw_only=True)
class TellingApart:
    """Classifier two-sample test and pMSE of synthetic against holdout records.

    The classifier is gradient boosting with fixed settings, trained on one half of the persons and judged on the
    other, both ways. It sees numbers value by value, so that rounding and heaping count. An AUC of 0.5 means that
    nothing tells the tables apart; the ceiling is what the same classifier finds between training and holdout
    records. A table that holds the very records of the holdout falls below 0.5. Every table has the same number of
    rows, drawn in proportion to their weights.

    Attributes:
      most: Rows of each table.

    Source: Lopez-Paz and Oquab (2017), Revisiting classifier two-sample tests, arXiv:1610.06545.
    """

    most: int = 4000
    names: ClassVar[tuple[str, ...]] = ("classifier", "pmse")

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `fidelity.classifier.{auc,gap}`, `fidelity.pmse.ratio` and what gives it away, all INTERNAL."""
        if (empty := empty_part(comparison)) is not None:
            return Evaluation(scores=no_rows(NAMES, empty))
        tables = [
            rows_of(comparison, "holdout", rng),
            rows_of(comparison, "synthetic", rng),
            second_sample(comparison, rng),
        ]
        kept = [thinned(rows.weights, rng, most=self.most) for rows in tables]
        fewest = min(map(len, kept))
        if fewest < FEWEST:
            reason = f"some table has fewer than {FEWEST} records of equal weight."
            return Evaluation(scores=tuple(untold(name, "lower", reason) for name in NAMES))
        real, own, second = (
            _records(comparison, rows.at(rng.permutation(places)[:fewest]))
            for rows, places in zip(tables, kept, strict=True)
        )
        others = (own, second, second.independent(rng))
        listed = category_columns(comparison)
        # On a busy machine the learners' threads wait for each other.
        with threadpool_limits(limits=1):
            found = [tell_apart(real, other, listed) for other in others]
            lost = lost_without(found[0], rng)
        propensities = [propensity_score(real.values, other.values, listed) for other in others]
        names = comparison.domain.names
        scores = (*_classifier_scores(fewest, names, lost, found), _pmse(fewest, propensities))
        return Evaluation(scores=scores, charts=(_giveaways(names, lost),))


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """How well two tables were told apart.

    Attributes:
      area: Mean AUC over the halves.
      error: Its standard error.
      beliefs: What the last learner believes of values (n, d); 0 real, 1 the other table.
      held: Real and other records it has not seen.
    """

    area: float
    error: float
    beliefs: Callable[[Floats], FloatArray]
    held: tuple[Floats, Floats]


def tell_apart(real: Records, other: Records, listed: Sequence[int]) -> Told:
    """Trains on one half of the persons and judges on the other, both ways.

    Args:
      real: Labelled 0.
      other: Labelled 1.
      listed: Columns that are categories.
    """
    areas, variances = [], []
    for half in range(SPLITS):
        (own, held), (other_own, other_held) = (_halves(table, half) for table in (real, other))
        beliefs = _learned(own, other_own, listed)
        told = beliefs(other_held), beliefs(held)
        areas.append(auc(*told))
        variances.append(delong(*told) ** 2)
    error = float(np.sqrt(sum(variances))) / SPLITS
    return Told(area=float(np.mean(areas)), error=error, beliefs=beliefs, held=(held, other_held))


def _halves(table: Records, half: int) -> tuple[Floats, Floats]:
    held = table.folds % SPLITS == half
    return table.values[~held], table.values[held]


def _learned(real: Floats, other: Floats, listed: Sequence[int]) -> Callable[[Floats], FloatArray]:
    """Boosted trees, smaller than those of the utility figures: they are trained six times.

    A category enters as the share of other records among those that hold it, drawn towards one half where few do:
    splits of a sorted list are the best there are for two classes (Breiman et al. 1984, section 4.2.2).
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    values, labels = np.concatenate([real, other]), np.repeat([0, 1], [len(real), len(other)])
    shares = {column: _shares(values[:, column].astype(np.intp), labels) for column in listed}

    def encoded(rows: Floats) -> Floats:
        changed = rows.copy()
        for column, share in shares.items():
            groups = rows[:, column].astype(np.intp)
            changed[:, column] = np.where(groups < len(share), share[np.minimum(groups, len(share) - 1)], 0.5)
        return changed

    learner = HistGradientBoostingClassifier(
        max_iter=40,
        learning_rate=0.15,
        max_leaf_nodes=15,
        min_samples_leaf=20,
        early_stopping=False,
        random_state=SEED,
    ).fit(encoded(values), labels)
    return lambda rows: np.asarray(learner.predict_proba(encoded(rows))[:, 1], dtype=np.float64)


def _shares(groups: npt.NDArray[np.intp], labels: npt.NDArray[np.int64]) -> FloatArray:
    shares: FloatArray = (np.bincount(groups, labels) + PRIOR / 2) / (np.bincount(groups) + PRIOR)
    return shares


def _records(comparison: Comparison, rows: Rows) -> Records:
    values = np.empty((len(rows.places), len(comparison.domain)), dtype=np.float32, order="F")
    for at in number_columns(comparison):
        values[:, at] = values_of(comparison, rows, at)
    for at in category_columns(comparison):
        attribute = comparison.domain.attributes[at]
        groups = pair_level(attribute).groups
        if attribute.size > HIGH_CARDINALITY and attribute.hierarchy:
            groups = attribute.hierarchy[-1]
        values[:, at] = groups[comparison.codes(rows.part)[rows.places, at]]
    return Records(values=values, folds=rows.folds)


def lost_without(told: Told, rng: np.random.Generator) -> FloatArray:
    """How much AUC each column is worth: what is lost when its values are shuffled among all held records, (d,)."""
    real, other = (part[:MOST_SHUFFLED] for part in told.held)
    together = np.concatenate([other, real])

    def area(values: Floats) -> float:
        beliefs = told.beliefs(values)
        return auc(beliefs[: len(other)], beliefs[len(other) :])

    whole, lost = area(together), np.zeros(together.shape[1])
    for column in range(together.shape[1]):
        shuffled = together.copy()
        shuffled[:, column] = rng.permutation(together[:, column])
        lost[column] = whole - area(shuffled)
    return lost


def _classifier_scores(rows: int, names: tuple[str, ...], lost: FloatArray, found: list[Told]) -> tuple[Score, ...]:
    own, second, floor = found
    half = 1.96 * own.error
    low, high = max(0.0, own.area - half), min(1.0, own.area + half)
    first = Score(
        name=AUC,
        value=own.area,
        low=low,
        high=high,
        baseline=floor.area,
        ceiling=second.area,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"A classifier tells synthetic from real holdout records with an AUC of {own.area:.3f} (95 % interval "
        f"{low:.3f} to {high:.3f}; 0.5 is guessing; {rows:,} records each); training from holdout records with "
        f"{second.area:.3f}, independent columns with {floor.area:.3f}.{_told_by(names, lost, own.area)}",
    )
    gap = own.area - second.area
    half = 1.96 * float(np.hypot(own.error, second.error))
    beyond = Score(
        name=GAP,
        value=gap,
        low=gap - half,
        high=gap + half,
        baseline=floor.area - second.area,
        ceiling=0.0,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"The classifier's AUC for synthetic records lies {gap:.3f} above that for a second real sample (95 % "
        f"interval {gap - half:.3f} to {gap + half:.3f}; independent columns {floor.area - second.area:.3f}).",
    )
    return first, beyond


def _told_by(names: tuple[str, ...], lost: FloatArray, area: float) -> str:
    order = [at for at in np.argsort(-lost, kind="stable")[:3] if lost[at] > 0.005]
    if area < 0.55 or not order:
        return ""
    return f" What gives it away most: {', '.join(names[at] for at in order)}."


def _giveaways(names: tuple[str, ...], lost: FloatArray) -> Chart:
    order = np.argsort(-lost, kind="stable")[:SHOWN]
    return chart_of(
        "fidelity.giveaways",
        "overlay",
        "What gives synthetic records away",
        tuple(names[at] for at in order),
        {"AUC lost when shuffled": np.maximum(lost[order], 0.0)},
        "How much of its AUC the classifier that tells synthetic from real records loses when one column is shuffled; "
        "the columns that matter most.",
    )


def _pmse(rows: int, propensities: list[tuple[float, float, int]]) -> Score:
    (ratio, error, terms), (second, _, _), (floor, _, _) = propensities
    low, high = max(0.0, ratio - 1.96 * error), ratio + 1.96 * error
    return Score(
        name=PMSE,
        value=ratio,
        low=low,
        high=high,
        baseline=floor,
        ceiling=second,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"A logistic regression on {terms} main effects tells {rows:,} synthetic from as many holdout records "
        f"{ratio:.2f} times as well as chance would let it (pMSE ratio; 95 % interval {low:.2f} to {high:.2f}); a "
        f"second real sample scores {second:.2f}, independent columns {floor:.2f}.",
    )
