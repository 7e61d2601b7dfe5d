"""Train on synthetic, test on real: what a model built on the released table is worth on people nobody trained on."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.learners import (
    BoolArray, Feature, Ranked, as_indicators, as_integers, boosting, features_of, linear, weighted_r2,
)
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.utility_charts import calibration_chart, roc_chart
from medsynth.inference import Estimate, percentiles, person_multiplicities, person_numbers
from medsynth.schema.predicate import Compare, IsMissing
from medsynth.score import Chart, Edition, Evaluation, Score

Source = Literal["synthetic", "train"]
Figures = Mapping[str, Callable[[FloatArray], float]]
TITLES = {"auc": "area under the ROC curve", "auprc": "average precision", "r2": "R squared"}
FEW_ROWS = 20_000
LEARNERS = {"": "a gradient-boosted model", "linear.": "a linear model"}


@dataclass(frozen=True, kw_only=True)
class Utility:
    """Models of the schema's utility target, trained on synthetic and on train, tested on the holdout.

    Two learners with settings fixed in advance; gradient-boosted trees give the headline. Features are the modelled columns
    except the target and `exclude`. Row weights are used in training and testing, so that an upsampled table is
    judged as the population it stands for. Intervals draw the holdout's persons with replacement.

    Attributes:
      resamples: Bootstrap samples of the holdout's persons.
    """

    resamples: int = 200
    names: ClassVar[tuple[str, ...]] = ("utility",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `utility.[linear.]{auc,auprc,r2}.{synthetic,real,drop}` and ROC and calibration charts, INTERNAL."""
        utility = comparison.schema.utility
        if utility is None:
            return Evaluation()
        if utility.task == "survival":
            return Evaluation(scores=(_untold("survival targets are not judged yet; they come with the `survival` extra."),))
        try:
            parts = {part: _known_rows(comparison, part) for part in ("train", "holdout", "synthetic")}
        except _Unusable as problem:
            return Evaluation(scores=(_untold(str(problem)),))
        scores: list[Score] = []
        charts: tuple[Chart, ...] = ()
        for prefix in LEARNERS:
            beliefs = {source: _predict(comparison, parts, source, prefix) for source in ("synthetic", "train")}
            scores += self._scores(prefix, utility.task, parts["holdout"], beliefs, rng)
            if prefix == "" and utility.task == "binary":
                charts = (roc_chart(*_told(parts["holdout"], beliefs)), calibration_chart(*_told(parts["holdout"], beliefs)))
        return Evaluation(scores=tuple(scores), charts=charts)

    def _scores(
        self, prefix: str, task: str, holdout: "Rows", beliefs: Mapping[str, FloatArray], rng: np.random.Generator
    ) -> list[Score]:
        figures = {source: _figures(task, holdout, belief) for source, belief in beliefs.items()}
        drawn: dict[tuple[str, str], list[float]] = {
            (source, figure): [] for source in figures for figure in figures[source]
        }
        for _ in range(self.resamples):
            weights = holdout.weights * person_multiplicities(holdout.persons, rng)
            for source, figure in drawn:
                drawn[source, figure].append(figures[source][figure](weights))
        scores = []
        for figure in figures["train"]:
            pair = [
                (figures[source][figure](holdout.weights), np.array(drawn[source, figure]))
                for source in ("synthetic", "train")
            ]
            scores += _three(prefix, figure, pair, _chance(figure, holdout))
        return scores


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


class _Unusable(Exception):
    """The target cannot be judged; the text says why."""


def _known_rows(comparison: Comparison, part: Part) -> Rows:
    schema, frame, weights = comparison.schema, comparison.frame(part), comparison.weights(part)
    target, task = schema.utility.target, schema.utility.task
    if target not in frame:
        raise _Unusable(f"the {part} table has no column '{target}'.")
    known = ~IsMissing(column=target).evaluate(frame, schema) & (weights > 0)
    labels = _labels(comparison, part, task)
    known &= ~np.isnan(labels)
    if not known.any() or (part == "holdout" and len(np.unique(labels[known])) < 2):
        raise _Unusable(f"the {part} table does not hold two different values of '{target}'.")
    unit = schema.privacy.unit
    named = frame[unit].to_numpy()[known] if unit is not None and unit in frame else None
    return Rows(
        codes=comparison.codes(part)[known], labels=labels[known], weights=weights[known],
        persons=person_numbers(named, int(known.sum())),
    )


def _labels(comparison: Comparison, part: Part, task: str) -> FloatArray:
    utility, frame = comparison.schema.utility, comparison.frame(part)
    if task == "binary":
        positive = Compare(column=utility.target, op="==", value=utility.positive)
        return positive.evaluate(frame, comparison.schema).astype(np.float64)
    if task == "regression":
        numbers = pd.to_numeric(frame[utility.target], errors="coerce").astype("Float64")
        return numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    if utility.target not in comparison.domain:
        raise _Unusable(f"'{utility.target}' is not a modelled column.")
    return comparison.codes(part)[:, comparison.domain.index(utility.target)].astype(np.float64)


def _predict(comparison: Comparison, parts: Mapping[Part, Rows], source: Source, prefix: str) -> FloatArray:
    """Beliefs about the holdout: (n, classes) probabilities, or (n, 1) numbers."""
    utility = comparison.schema.utility
    excluded = frozenset({utility.target, *utility.exclude, *comparison.schema.derived_expressions})
    features = features_of(comparison.domain.attributes, excluded)
    if not features:
        raise _Unusable("no column is left to predict it from.")
    learner = _fitted(parts[source], features, prefix, regression=utility.task == "regression")
    table = _encoder(prefix)(parts["holdout"].codes, features)
    if utility.task == "regression":
        numbers: FloatArray = np.asarray(learner.predict(table), dtype=np.float64)[:, None]
        return numbers
    classes = np.unique(np.concatenate([rows.labels for rows in parts.values()]))
    beliefs = np.zeros((len(parts["holdout"].labels), int(classes.max()) + 1))
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
    threads = 1 if len(rows.labels) < FEW_ROWS else None  # threads that wait for each other cost more than they save
    with warnings.catch_warnings(), threadpool_limits(limits=threads):
        warnings.simplefilter("ignore")  # scikit-learn warns of slow convergence; iterations are fixed in advance
        learner.fit(_encoder(prefix)(rows.codes, features), rows.labels, sample_weight=rows.weights)
    return learner


def _figures(task: str, holdout: Rows, beliefs: FloatArray) -> Figures:
    """Each figure as a function of row weights; one class against the rest, averaged, where there are many."""
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
    guessing = f"; guessing: {chance:.3f}"
    told = {
        "synthetic": (f"Trained on the synthetic table, {learner} reaches", "on real people of the holdout", guessing),
        "real": (f"Trained on the real training table, {learner} reaches", "on the same people", guessing),
        "drop": (f"{learner.capitalize()} trained on the synthetic table loses", "on real people", "; negative is a gain"),
    }
    return [
        Score(
            name=f"{name}.{which}", value=value, low=low, high=high,
            baseline=real - chance if which == "drop" else chance,
            ceiling={"synthetic": real, "real": None, "drop": 0.0}[which],
            better="lower" if which == "drop" else "higher", edition=Edition.INTERNAL,
            sentence=f"{told[which][0]} {value:.3f} {title} {told[which][1]} (95 % interval {low:.3f} to {high:.3f}{told[which][2]}).",
        )
        for which, (value, low, high) in estimates.items()
    ]


def _estimate(value: float, drawn: FloatArray) -> Estimate:
    usable = drawn[~np.isnan(drawn)]
    return Estimate(value, *(percentiles(usable) if len(usable) else (value, value)))


def _told(holdout: Rows, beliefs: Mapping[str, FloatArray]) -> tuple[BoolArray, dict[str, FloatArray], FloatArray]:
    named = {"synthetic": beliefs["synthetic"][:, 1], "real": beliefs["train"][:, 1]}
    return holdout.labels == 1, named, holdout.weights


def _untold(reason: str) -> Score:
    return Score(
        name="utility.auc.drop", value=None, better="lower", edition=Edition.INTERNAL,
        sentence=f"The utility target was not judged: {reason}",
    )
