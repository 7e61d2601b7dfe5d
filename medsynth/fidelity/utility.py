"""Train on synthetic, test on real: what a model built on the released table is worth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.beliefs import LEARNERS, SOURCES, Judged, judged
from medsynth.fidelity.calibration import (
    Recalibration,
    absolute_error,
    brier,
    calibration_error,
    tenths_of,
    weighted_median,
)
from medsynth.fidelity.learners import Ranked, weighted_r2
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.target import Rows, UnusableError
from medsynth.fidelity.utility_charts import calibration_chart, precision_chart, roc_chart
from medsynth.fidelity.utility_scores import Drawn, no_score, scores_of, slope_scores
from medsynth.inference import person_multiplicities
from medsynth.score import Chart, Evaluation, Score

Figures = Mapping[str, Callable[[FloatArray], float]]


@dataclass(frozen=True, kw_only=True)
class Utility:
    """Models of the utility target, trained on synthetic and on train, tested on the holdout.

    Three learners with settings fixed in advance; gradient-boosted trees give the headline, the charts and the
    calibration. Features are the modelled columns except outcomes and `exclude`. Row weights are used in training and
    testing, so that an upsampled table is judged as the population it stands for. At most 100,000 rows of each table
    are used. Intervals draw the holdout's persons with replacement.

    Attributes:
      resamples: Bootstrap samples of the holdout's persons.
    """

    resamples: int = 200
    names: ClassVar[tuple[str, ...]] = ("utility",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `utility.[linear.|forest.]{auc,auprc,brier,ece,r2,mae}.{synthetic,real,drop,gap}`, three charts."""
        if comparison.schema.utility is None or comparison.schema.utility.task == "survival":
            return Evaluation()
        scores: list[Score] = []
        people = f"{comparison.schema.privacy.noun}s"
        for prefix in LEARNERS:
            try:
                known = judged(comparison, prefix)
            except UnusableError as problem:
                return Evaluation(scores=(no_score(str(problem)),))
            scores += self._scores(prefix, known, people, rng)
        return Evaluation(scores=tuple(scores), charts=_charts(judged(comparison)))

    def _scores(self, prefix: str, known: Judged, people: str, rng: np.random.Generator) -> list[Score]:
        holdout = known.holdout
        figures = {source: _figures(known, source, calibrated=not prefix) for source in SOURCES}
        drawn: dict[tuple[Part, str], list[float]] = {
            (source, figure): [] for source in figures for figure in figures[source]
        }
        for _ in range(self.resamples):
            weights = holdout.weights * person_multiplicities(holdout.persons, rng)
            for source, figure in drawn:
                drawn[source, figure].append(figures[source][figure](weights))
        scores: list[Score] = []
        for figure in figures["train"]:
            pair = {
                source: Drawn(figures[source][figure](holdout.weights), np.array(drawn[source, figure]))
                for source in SOURCES
            }
            if figure == "slope":
                scores += slope_scores(pair, people)
            else:
                chance, learner = _chance(figure, holdout), LEARNERS[prefix]
                name = f"utility.{prefix}{figure}"
                scores += scores_of(name, figure, pair, learner=learner, chance=chance, people=people)
        return scores


def holdout_figure(comparison: Comparison, source: Part) -> float | None:
    """What boosted trees trained on one part score on the holdout: the AUC, or R squared of a regression.

    Args:
      comparison: Holds both.
      source: What they are trained on.

    Returns:
      The figure; None where the schema declares no prediction that can be judged.
    """
    if comparison.schema.utility is None or comparison.schema.utility.task == "survival":
        return None
    try:
        known = judged(comparison, "", (source,))
    except UnusableError:
        return None
    name = "r2" if known.target.task == "regression" else "auc"
    return _figures(known, source, calibrated=False)[name](known.holdout.weights)


def _figures(known: Judged, source: Part, *, calibrated: bool) -> Figures:
    """Each figure as a function of row weights; many classes: one against the rest, averaged."""
    labels, beliefs = known.holdout.labels, known.beliefs[source]
    if known.target.task == "regression":
        return {
            "r2": lambda weights: weighted_r2(labels, beliefs[:, 0], weights),
            "mae": lambda weights: absolute_error(labels, beliefs[:, 0], weights),
        }
    classes = [1] if known.target.task == "binary" else [int(label) for label in np.unique(labels)]
    truths = [(labels == label).astype(np.float64) for label in classes]
    pairs = [(truth, beliefs[:, label]) for truth, label in zip(truths, classes, strict=True)]
    ranked = [Ranked.of(truth == 1, belief) for truth, belief in pairs]
    found: Figures = {
        "auc": lambda weights: float(np.mean([one.auc(weights) for one in ranked])),
        "auprc": lambda weights: float(np.mean([one.auprc(weights) for one in ranked])),
        "brier": lambda weights: float(np.mean([brier(truth, belief, weights) for truth, belief in pairs])),
    }
    return {**found, **(_calibration(known.holdout, pairs) if calibrated else {})}


def _calibration(holdout: Rows, pairs: list[tuple[FloatArray, FloatArray]]) -> Figures:
    """Error over tenths, fixed by the whole holdout; the slope where there are two classes."""
    tenths = [tenths_of(belief, holdout.weights) for _, belief in pairs]
    found: dict[str, Callable[[FloatArray], float]] = {
        "ece": lambda weights: float(
            np.mean([calibration_error(own, *pair, weights) for own, pair in zip(tenths, pairs, strict=True)])
        )
    }
    return found | ({"slope": Recalibration.of(*pairs[0]).slope} if len(pairs) == 1 else {})


def _chance(figure: str, holdout: Rows) -> float | None:
    """What guessing scores; guessing the shares of the classes is perfectly calibrated, so that has none."""
    if figure in {"auc", "ece"}:
        return 0.5 if figure == "auc" else None
    if figure in {"r2", "mae"}:
        middle = np.full(len(holdout.labels), weighted_median(holdout.labels, holdout.weights))
        return 0.0 if figure == "r2" else absolute_error(holdout.labels, middle, holdout.weights)
    labels = np.unique(holdout.labels)
    shares = np.array([np.average(holdout.labels == label, weights=holdout.weights) for label in labels])
    kept = shares[-1:] if set(labels) <= {0.0, 1.0} else shares
    return float(np.mean(kept if figure == "auprc" else kept * (1 - kept)))


def _charts(known: Judged) -> tuple[Chart, ...]:
    if known.target.task == "multiclass":
        return ()
    column = 1 if known.target.task == "binary" else 0
    named = {"synthetic": known.beliefs["synthetic"][:, column], "real": known.beliefs["train"][:, column]}
    weights = known.holdout.weights
    calibration = calibration_chart(known.holdout.labels, named, weights, numbers=column == 0)
    if column == 0:
        return (calibration,)
    return roc_chart(known.truth, named, weights), precision_chart(known.truth, named, weights), calibration
