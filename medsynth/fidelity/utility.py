"""Train on synthetic, test on real: what a model built on the released table is worth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.learners import (
    BoolArray,
    Feature,
    Ranked,
    as_indicators,
    as_integers,
    boosting,
    calm,
    features_of,
    linear,
    weighted_r2,
)
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.target import Rows, UnusableError, rows_of, target_of
from medsynth.fidelity.utility_charts import calibration_chart, roc_chart
from medsynth.inference import Estimate, percentiles, person_multiplicities
from medsynth.score import Chart, Edition, Evaluation, Score

Figures = Mapping[str, Callable[[FloatArray], float]]
PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")
SOURCES: tuple[Part, ...] = ("synthetic", "train")
TITLES = {"auc": "area under the ROC curve", "auprc": "average precision", "r2": "R squared"}
LEARNERS = {"": "a gradient-boosted model", "linear.": "a linear model"}


@dataclass(frozen=True, kw_only=True)
class Utility:
    """Models of the utility target, trained on synthetic and on train, tested on the holdout.

    Two learners with settings fixed in advance; gradient-boosted trees give the headline. Features are the modelled
    columns except the target and `exclude`. Row weights are used in training and testing, so that an upsampled table
    is judged as the population it stands for. Intervals draw the holdout's persons with replacement.

    Attributes:
      resamples: Bootstrap samples of the holdout's persons.
    """

    resamples: int = 200
    names: ClassVar[tuple[str, ...]] = ("utility",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `utility.[linear.]{auc,auprc,r2}.{synthetic,real,drop}`, two charts."""
        if comparison.schema.utility is None:
            return Evaluation()
        try:
            target = target_of(comparison)
            parts = {part: rows_of(comparison, part, target) for part in PARTS}
            features = features_of(comparison.domain.attributes, target.excluded)
        except UnusableError as problem:
            return Evaluation(scores=(_untold(str(problem)),))
        if not features:
            return Evaluation(scores=(_untold("no column is left to predict it from."),))
        regression = target.task == "regression"
        scores: list[Score] = []
        charts: tuple[Chart, ...] = ()
        for prefix in LEARNERS:
            with calm():
                beliefs = {
                    source: _predict(parts, source, features, prefix, regression=regression) for source in SOURCES
                }
            scores += self._scores(prefix, target.task, parts["holdout"], beliefs, rng)
            if prefix == "" and target.task == "binary":
                charts = (
                    roc_chart(*_told(parts["holdout"], beliefs)),
                    calibration_chart(*_told(parts["holdout"], beliefs)),
                )
        return Evaluation(scores=tuple(scores), charts=charts)

    def _scores(
        self,
        prefix: str,
        task: str,
        holdout: Rows,
        beliefs: Mapping[Part, FloatArray],
        rng: np.random.Generator,
    ) -> list[Score]:
        figures = {source: _figures(task, holdout, belief) for source, belief in beliefs.items()}
        drawn: dict[tuple[Part, str], list[float]] = {
            (source, figure): [] for source in figures for figure in figures[source]
        }
        for _ in range(self.resamples):
            weights = holdout.weights * person_multiplicities(holdout.persons, rng)
            for source, figure in drawn:
                drawn[source, figure].append(figures[source][figure](weights))
        scores = []
        for figure in figures["train"]:
            pair = [(figures[source][figure](holdout.weights), np.array(drawn[source, figure])) for source in SOURCES]
            scores += _three(prefix, figure, pair, _chance(figure, holdout))
        return scores


def holdout_figure(comparison: Comparison, source: Part) -> float | None:
    """What boosted trees trained on one part score on the holdout: the AUC, or R squared of a regression.

    Args:
      comparison: Holds both.
      source: What they are trained on.

    Returns:
      The figure; None where the schema declares no prediction that can be judged.
    """
    if comparison.schema.utility is None:
        return None
    try:
        target = target_of(comparison)
        parts = {part: rows_of(comparison, part, target) for part in {source, "holdout"}}
    except UnusableError:
        return None
    features = features_of(comparison.domain.attributes, target.excluded)
    if not features:
        return None
    regression = target.task == "regression"
    with calm():
        beliefs = _predict(parts, source, features, "", regression=regression)
    figure = _figures(target.task, parts["holdout"], beliefs)["r2" if regression else "auc"]
    return figure(parts["holdout"].weights)


def _predict(
    parts: Mapping[Part, Rows],
    source: Part,
    features: tuple[Feature, ...],
    prefix: str,
    *,
    regression: bool,
) -> FloatArray:
    """Beliefs about the holdout: (n, classes) probabilities, or (n, 1) numbers."""
    learner = _fitted(parts[source], features, prefix, regression=regression)
    table = _encoder(prefix)(parts["holdout"].codes, features)
    if regression:
        numbers: FloatArray = np.asarray(learner.predict(table), dtype=np.float64)[:, None]
        return numbers
    highest = max(int(rows.labels.max()) for rows in parts.values())
    beliefs = np.zeros((len(parts["holdout"].labels), highest + 1))
    if isinstance(learner, float):
        beliefs[:, int(learner)] = 1.0
    else:
        beliefs[:, learner.classes_.astype(int)] = learner.predict_proba(table)
    return beliefs


def _encoder(prefix: str) -> Callable[..., Any]:
    return as_indicators if prefix else as_integers


def _fitted(rows: Rows, features: tuple[Feature, ...], prefix: str, *, regression: bool) -> Any:
    """A fitted learner, or the only class there is."""
    if not regression and len(np.unique(rows.labels)) == 1:
        return float(rows.labels[0])
    learner = linear(regression=regression) if prefix else boosting(features, regression=regression)
    learner.fit(_encoder(prefix)(rows.codes, features), rows.labels, sample_weight=rows.weights)
    return learner


def _figures(task: str, holdout: Rows, beliefs: FloatArray) -> Figures:
    """Each figure as a function of row weights; many classes: one against the rest, averaged."""
    if task == "regression":
        return {"r2": lambda weights: weighted_r2(holdout.labels, beliefs[:, 0], weights)}
    classes = [1] if task == "binary" else [int(label) for label in np.unique(holdout.labels)]
    ranked = [Ranked.of(holdout.labels == label, beliefs[:, label]) for label in classes]
    return {
        "auc": lambda weights: float(np.mean([one.auc(weights) for one in ranked])),
        "auprc": lambda weights: float(np.mean([one.auprc(weights) for one in ranked])),
    }


def _chance(figure: str, holdout: Rows) -> float:
    """What guessing scores: 0.5, the positives' share, or nothing explained."""
    if figure == "auprc":
        labels = np.unique(holdout.labels)
        shares = [np.average(holdout.labels == label, weights=holdout.weights) for label in labels]
        return float(shares[-1]) if set(labels) <= {0.0, 1.0} else float(np.mean(shares))
    return 0.5 if figure == "auc" else 0.0


def _three(prefix: str, figure: str, pair: list[tuple[float, FloatArray]], chance: float) -> list[Score]:
    """Synthetic, real and drop of one figure."""
    (synthetic, drawn_synthetic), (real, drawn_real) = pair
    name, title, learner = f"utility.{prefix}{figure}", TITLES[figure], LEARNERS[prefix]
    estimates = {
        "synthetic": _estimate(synthetic, drawn_synthetic),
        "real": _estimate(real, drawn_real),
        "drop": _estimate(real - synthetic, drawn_real - drawn_synthetic),
    }
    told = _told_as(learner, chance)
    return [
        Score(
            name=f"{name}.{which}",
            value=value,
            low=low,
            high=high,
            baseline=real - chance if which == "drop" else chance,
            ceiling={"synthetic": real, "real": None, "drop": 0.0}[which],
            better="lower" if which == "drop" else "higher",
            edition=Edition.INTERNAL,
            sentence=told[which].format(
                figure=f"{value:.3f} {title}", interval=f"95 % interval {low:.3f} to {high:.3f}"
            ),
        )
        for which, (value, low, high) in estimates.items()
    ]


def _told_as(learner: str, chance: float) -> Mapping[str, str]:
    """Sentences with gaps for the figure and its interval."""
    guessing = f"({{interval}}; guessing: {chance:.3f})."
    return {
        "synthetic": f"Trained on the synthetic table, {learner} reaches {{figure}} "
        f"on real people of the holdout {guessing}",
        "real": f"Trained on the real training table, {learner} reaches {{figure}} on the same people {guessing}",
        "drop": f"{learner.capitalize()} trained on the synthetic table loses {{figure}} "
        "on real people ({interval}; negative is a gain).",
    }


def _estimate(value: float, drawn: FloatArray) -> Estimate:
    usable = drawn[~np.isnan(drawn)]
    return Estimate(value, *(percentiles(usable) if len(usable) else (value, value)))


def _told(holdout: Rows, beliefs: Mapping[Part, FloatArray]) -> tuple[BoolArray, dict[str, FloatArray], FloatArray]:
    named = {"synthetic": beliefs["synthetic"][:, 1], "real": beliefs["train"][:, 1]}
    return holdout.labels == 1, named, holdout.weights


def _untold(reason: str) -> Score:
    return Score(
        name="utility.auc.drop",
        value=None,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"The utility target was not judged: {reason}",
    )
