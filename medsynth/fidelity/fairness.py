"""Whether training on synthetic rows widens the gaps between a declared subgroup and everyone else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.beliefs import SOURCES, Judged, judged
from medsynth.fidelity.calibration import absolute_error
from medsynth.fidelity.learners import BoolArray, Ranked
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.target import Rows, UnusableError
from medsynth.inference import Estimate, percentiles, person_multiplicities
from medsynth.score import Chart, Edition, Evaluation, Score

Measure = Callable[[FloatArray], float]
FEWEST = 20
"""Cases, and others, that both the group and the rest need in the holdout."""
MARGIN = 0.02
"""A gap counts as widened where its whole interval lies above this, fixed before any table was seen."""
TITLES = {
    "tpr": "share of cases found, where as many are named as there are cases",
    "auc": "AUC",
    "calibration": "mean predicted less observed risk",
    "mae": "mean absolute error in standard deviations of the target",
    "bias": "mean predicted less true value in standard deviations of the target",
}


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """For each subgroup and measure: the gap of a model trained on synthetic, less that of one trained on real.

    A gap is the group's figure less that of everyone else in the holdout; gaps are compared in absolute size. Binary
    targets: share of cases found, AUC, calibration in the large; many classes: AUC; numbers: absolute error and bias.

    Attributes:
      resamples: Bootstrap samples of the holdout's persons.
    """

    resamples: int = 200
    names: ClassVar[tuple[str, ...]] = ("fairness",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `utility.fairness.GROUP.{tpr,auc,calibration,mae,bias}`, how many are widened, and a chart."""
        schema = comparison.schema
        if not schema.subgroups or schema.utility is None or schema.utility.task == "survival":
            return Evaluation()
        try:
            known = judged(comparison)
        except UnusableError:
            return Evaluation()  # `utility` says why
        frame = comparison.holdout.iloc[known.holdout.positions]
        groups = {name: mask.evaluate(frame, schema) for name, mask in schema.subgroup_predicates.items()}
        told = {name: mask for name, mask in groups.items() if enough(known, mask) and enough(known, ~mask)}
        gaps = measure_gaps(known, told, rng, self.resamples)
        scores = [_few(name) for name in groups if name not in told]
        scores += [_score(group, measure, pair) for (group, measure), pair in gaps.items()]
        charts = (_chart(gaps),) if gaps else ()
        return Evaluation(scores=(_widened(gaps), *scores) if gaps else tuple(scores), charts=charts)


def enough(known: Judged, mask: BoolArray) -> bool:
    """Whether a group of holdout rows is large enough to be judged: 20 of every class, or 40 rows of a regression."""
    labels = known.holdout.labels
    if known.target.task == "regression":
        return int(mask.sum()) >= 2 * FEWEST
    if known.target.task == "multiclass":
        return int(np.sort([(labels[mask] == label).sum() for label in np.unique(labels)])[-2]) >= FEWEST
    return all(int((labels[mask] == label).sum()) >= FEWEST for label in (0, 1))


def measure_gaps(
    known: Judged, groups: Mapping[str, BoolArray], rng: np.random.Generator, resamples: int
) -> dict[tuple[str, str], dict[Part, FloatArray]]:
    """The group's figure less that of the rest, by group and measure, then by what the model was trained on.

    Returns:
      Arrays (1 + resamples,): for the rows as they are, then in samples of their persons.
    """
    holdout = known.holdout
    weightings = [holdout.weights]
    weightings += [holdout.weights * person_multiplicities(holdout.persons, rng) for _ in range(resamples)]
    found: dict[tuple[str, str], dict[Part, FloatArray]] = {}
    for group, mask in groups.items():
        for source in SOURCES:
            inside, outside = _measures(known, source, mask), _measures(known, source, ~mask)
            for measure, figure in inside.items():
                gaps = [figure(weights) - outside[measure](weights) for weights in weightings]
                found.setdefault((group, measure), {})[source] = np.array(gaps)
    return found


def _mean_told(values: Sequence[float]) -> float:
    """Mean of the figures that can be told; NaN without any."""
    told = [value for value in values if not np.isnan(value)]
    return float(np.mean(told)) if told else float("nan")


def _measures(known: Judged, source: Part, mask: BoolArray) -> Mapping[str, Measure]:
    """Figures of one group as functions of the weights of all holdout rows."""
    holdout, beliefs = known.holdout, known.beliefs[source]
    labels = holdout.labels[mask]
    if known.target.task == "regression":
        return _number_measures(holdout, beliefs[:, 0], mask)
    if known.target.task == "multiclass":
        ranked = [
            Ranked.of(labels == label, beliefs[mask, int(label)])
            for label in np.unique(labels)
            if (labels == label).sum() >= FEWEST
        ]
        return {"auc": lambda weights: _mean_told([one.auc(weights[mask]) for one in ranked])}
    belief, truth = beliefs[mask, 1], labels == 1
    named = named_cases(beliefs[:, 1], holdout.labels, holdout.weights)[mask]
    one = Ranked.of(truth, belief)
    return {
        "tpr": lambda weights: _mean(named[truth], weights[mask][truth]),
        "auc": lambda weights: one.auc(weights[mask]),
        "calibration": lambda weights: _mean(belief - truth, weights[mask]),
    }


def _number_measures(holdout: Rows, belief: FloatArray, mask: BoolArray) -> Mapping[str, Measure]:
    mean = np.average(holdout.labels, weights=holdout.weights)
    spread = float(np.sqrt(np.average((holdout.labels - mean) ** 2, weights=holdout.weights)))
    truth, own = holdout.labels[mask] / spread, belief[mask] / spread
    return {
        "mae": lambda weights: absolute_error(truth, own, weights[mask]) if weights[mask].sum() else float("nan"),
        "bias": lambda weights: _mean(own - truth, weights[mask]),
    }


def named_cases(belief: FloatArray, truth: FloatArray, weights: FloatArray) -> FloatArray:
    """Share of each row that is named a case when the highest beliefs are, as many by weight as there are cases.

    Rows that tie at the threshold are named in part, all alike.

    >>> named_cases(np.array([0.9, 0.5, 0.5, 0.1]), np.array([1.0, 0, 1, 0]), np.ones(4)).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    values, place = np.unique(belief, return_inverse=True)
    mass = np.bincount(place, weights, len(values))
    above = mass[::-1].cumsum()[::-1] - mass
    left = (weights * truth).sum() - above
    named: FloatArray = np.clip(left / mass, 0.0, 1.0)[place]
    return named


def _mean(values: FloatArray, weights: FloatArray) -> float:
    total = float(weights.sum())
    return float((values * weights).sum() / total) if total > 0 else float("nan")


def _widening(pair: Mapping[Part, FloatArray]) -> Estimate:
    drawn = np.abs(pair["synthetic"]) - np.abs(pair["train"])
    usable = drawn[1:][~np.isnan(drawn[1:])]
    low, high = percentiles(usable) if len(usable) else (drawn[0], drawn[0])
    return Estimate(float(drawn[0]), float(min(low, drawn[0])), float(max(high, drawn[0])))


def _score(group: str, measure: str, pair: Mapping[Part, FloatArray]) -> Score:
    value, low, high = _widening(pair)
    turn = "widens" if value >= 0 else "narrows"
    return Score(
        name=f"utility.fairness.{group}.{measure}",
        value=value,
        low=low,
        high=high,
        ceiling=0.0,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=(
            f"'{group}' against everyone else, {TITLES[measure]}: a gap of {pair['train'][0]:+.3f} when trained on "
            f"real rows, {pair['synthetic'][0]:+.3f} when trained on this table, which {turn} it by {abs(value):.3f} "
            f"(95 % interval of the widening {low:.3f} to {high:.3f})."
        ),
    )


def _widened(gaps: Mapping[tuple[str, str], Mapping[Part, FloatArray]]) -> Score:
    worse = [(group, measure) for (group, measure), pair in gaps.items() if _widening(pair).low > MARGIN]
    if worse:
        named = "; ".join(f"'{group}', {TITLES[measure]}" for group, measure in worse)
        sentence = f"WARNING: training on this table widens {len(worse)} of {len(gaps)} gaps between groups: {named}."
    else:
        sentence = (
            f"Training on this table widens none of {len(gaps)} gaps between a declared group and everyone else by "
            f"surely more than {MARGIN}."
        )
    return Score(
        name="utility.fairness.widened",
        value=float(len(worse)),
        ceiling=0.0,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=sentence,
    )


def _few(group: str) -> Score:
    return Score(
        name=f"utility.fairness.{group}",
        value=None,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"'{group}': too few people to tell whether training on this table widens a gap.",
    )


def _chart(gaps: Mapping[tuple[str, str], Mapping[Part, FloatArray]]) -> Chart:
    """The first measure of each group, for both models."""
    first = next(iter(gaps))[1]
    labels, value, low, high = [], [], [], []
    for (group, measure), pair in gaps.items():
        if measure != first:
            continue
        for source, name in (("train", "real"), ("synthetic", "synthetic")):
            drawn = pair["train" if source == "train" else "synthetic"]
            usable = drawn[1:][~np.isnan(drawn[1:])]
            ends = percentiles(usable) if len(usable) else (drawn[0], drawn[0])
            labels.append(f"{group}, {name}")
            value.append(float(drawn[0]))
            low.append(float(ends[0]))
            high.append(float(ends[1]))
    return Chart(
        name="utility.fairness",
        kind="intervals",
        title="Gaps between groups",
        labels=tuple(labels),
        arrays={"value": tuple(value), "low": tuple(low), "high": tuple(high), "baseline": (0.0,) * len(labels)},
        edition=Edition.INTERNAL,
        sentence=(
            f"The group's figure less that of everyone else on real people ({TITLES[first]}), for models trained on "
            "real and on synthetic rows; 0 is no gap."
        ),
    )
