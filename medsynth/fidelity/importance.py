"""Whether a model trained on synthetic rows relies on the same columns as one trained on real rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.beliefs import Judged, Learned, calm, judged, learned
from medsynth.fidelity.learners import Ranked, weighted_r2
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.target import Rows, UnusableError, some_of
from medsynth.inference import percentiles, person_multiplicities
from medsynth.score import Chart, Edition, Evaluation, Score

SHUFFLES = 30
TOP = 5
SHOWN = 10
FEWEST_COLUMNS = 3
Models = Mapping[str, Learned]


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Permutation importance on the holdout: what the AUC (or R squared) loses when one column is shuffled.

    The same shuffles serve every model. The ceiling is how well two models agree that were each trained on one half of
    the real training persons, so with half the rows each. Intervals draw the holdout's persons with replacement.

    Attributes:
      rows: Holdout rows used at most.
      resamples: Bootstrap samples of their persons.

    Source: Breiman (2001), doi:10.1023/A:1010933404324.
    """

    rows: int = 2000
    resamples: int = 100
    names: ClassVar[tuple[str, ...]] = ("importance",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `utility.importance.{rank,top}` and a chart of the columns; nothing without a usable target."""
        utility = comparison.schema.utility
        if utility is None or utility.task == "survival":
            return Evaluation()
        try:
            known = judged(comparison)
        except UnusableError:
            return Evaluation()  # `utility` says why
        features = known.models["train"].features
        if len(features) < FEWEST_COLUMNS:
            return Evaluation()
        names = [comparison.domain.names[feature.position] for feature in features]
        models = {"synthetic": known.models["synthetic"], "real": known.models["train"]}
        rows = known.holdout.take(some_of(len(known.holdout.labels), self.rows))
        with calm():
            losses = permutation_losses(models, rows, task=known.target.task, resamples=self.resamples, rng=rng)
            halves = permutation_losses(_halves(known, rng), rows, task=known.target.task, resamples=0, rng=rng)
        return Evaluation(scores=_scores(losses | halves), charts=(_chart(names, losses),))


def _halves(known: Judged, rng: np.random.Generator) -> Models:
    """Models of each half of the training persons."""
    train = known.parts["train"]
    first = (rng.permutation(int(train.persons.max()) + 1) % 2 == 0)[train.persons]
    model = known.models["train"]
    return {
        name: learned(train.take(np.flatnonzero(half)), model.features, "", classes=model.classes)
        for name, half in (("first", first), ("second", ~first))
        if half.any()
    }


def permutation_losses(
    models: Models, rows: Rows, *, task: str, resamples: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """What each model loses when a column is shuffled, for the rows as they are and in bootstrap samples.

    Args:
      models: By name; all read the same features.
      rows: Real rows of other persons.
      task: binary, multiclass or regression.
      resamples: Bootstrap samples of the persons.
      rng: Source of shuffles and samples.

    Returns:
      By model (1 + resamples, features); the mean over shuffles, one to five of them.
    """
    features = next(iter(models.values())).features
    drawn = [rows.weights * person_multiplicities(rows.persons, rng) for _ in range(resamples)]
    weightings = np.stack([rows.weights, *drawn])
    losses = {name: np.zeros((len(weightings), len(features))) for name in models}
    whole = {name: _measured(rows, model.believe(rows.codes), weightings, task) for name, model in models.items()}
    times = max(1, min(5, SHUFFLES // len(features)))
    for column, feature in enumerate(features):
        for _ in range(times):
            codes = rows.codes.copy()
            codes[:, feature.position] = codes[rng.permutation(len(codes)), feature.position]
            for name, model in models.items():
                left = _measured(rows, model.believe(codes), weightings, task)
                losses[name][:, column] += (whole[name] - left) / times
    return losses


def _measured(rows: Rows, beliefs: FloatArray, weightings: FloatArray, task: str) -> FloatArray:
    """AUC (one against the rest, averaged) or R squared under each weighting; classes not drawn do not count."""
    if task == "regression":
        return np.array([weighted_r2(rows.labels, beliefs[:, 0], weights) for weights in weightings])
    classes = [1] if task == "binary" else [int(label) for label in np.unique(rows.labels)]
    ranked = [Ranked.of(rows.labels == label, beliefs[:, label]) for label in classes]
    areas = np.stack([one.aucs(weightings) for one in ranked])
    known = ~np.isnan(areas)
    mean: FloatArray = np.where(known, areas, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return mean


def rank_agreement(first: FloatArray, second: FloatArray) -> float:
    """Spearman's correlation; 0 where one of them does not tell the columns apart.

    >>> rank_agreement(np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 15.0]))
    0.5
    """
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(stats.spearmanr(first, second).statistic)


def top_agreement(first: FloatArray, second: FloatArray) -> float:
    """Share of the second's most important columns that are among the first's; five, or half of them if fewer.

    >>> top_agreement(np.array([3.0, 2.0, 1.0, 0.0]), np.array([3.0, 0.0, 2.0, 1.0]))
    0.5
    """
    size = top_size(len(first))
    leading = [set(np.argsort(-values, kind="stable")[:size].tolist()) for values in (first, second)]
    return len(leading[0] & leading[1]) / size


def top_size(columns: int) -> int:
    """How many columns count as the most important."""
    return max(1, min(TOP, columns // 2))


def _scores(losses: Mapping[str, FloatArray]) -> tuple[Score, ...]:
    columns = losses["real"].shape[1]
    size = top_size(columns)
    told = (
        ("rank", rank_agreement, 0.0, "order the columns by importance alike to {value:.2f} (rank correlation"),
        ("top", top_agreement, size / columns, f"share {{value:.0%}} of their {size} most important columns ("),
    )
    scores = []
    for name, agreement, chance, sentence in told:
        pairs = zip(losses["synthetic"], losses["real"], strict=True)
        value, *drawn = [agreement(own, real) for own, real in pairs]
        low, high = percentiles(np.array(drawn)) if drawn else (value, value)
        low, high = min(low, value), max(high, value)
        ceiling = agreement(losses["first"][0], losses["second"][0]) if "second" in losses else None
        separator = "; " if name == "rank" else ""
        halves = "" if ceiling is None else f"; two halves of the real training table: {ceiling:.2f}"
        scores.append(
            Score(
                name=f"utility.importance.{name}",
                value=value,
                low=low,
                high=high,
                baseline=chance,
                ceiling=ceiling,
                better="higher",
                edition=Edition.INTERNAL,
                sentence=(
                    "On real people, models trained on this table and on the real training table "
                    f"{sentence.format(value=value)}{separator}95 % interval {low:.2f} to {high:.2f}; chance: "
                    f"{chance:.2f}{halves})."
                ),
            )
        )
    return tuple(scores)


def _chart(names: Sequence[str], losses: Mapping[str, FloatArray]) -> Chart:
    """The columns that matter most to the model trained on real rows, each as both models see it."""
    order = np.argsort(-losses["real"][0], kind="stable")[:SHOWN]
    labels, value, low, high = [], [], [], []
    for column in order:
        for source in ("real", "synthetic"):
            drawn: npt.NDArray[np.float64] = losses[source][:, column]
            ends = percentiles(drawn[1:]) if len(drawn) > 1 else (drawn[0], drawn[0])
            labels.append(f"{names[column]}, {source}")
            value.append(float(drawn[0]))
            low.append(float(min(ends[0], drawn[0])))
            high.append(float(max(ends[1], drawn[0])))
    return Chart(
        name="utility.importance",
        kind="intervals",
        title="What the models rely on",
        labels=tuple(labels),
        arrays={"value": tuple(value), "low": tuple(low), "high": tuple(high)},
        edition=Edition.INTERNAL,
        sentence=(
            "Loss on real people (AUC, or R squared of a regression) when a column is shuffled, for models trained on "
            f"real and on synthetic rows; the {len(order)} columns that matter most to the former."
        ),
    )
