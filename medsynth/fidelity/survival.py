"""Time to event: whether a study of survival on the synthetic table would have found what it finds on real people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.beliefs import SOURCES
from medsynth.fidelity.cox import (
    Covariate,
    Hazards,
    covariates_of,
    design,
    fit_hazards,
    overlapping,
    same_signs,
)
from medsynth.fidelity.followup import (
    Followed,
    SurvivalCurve,
    concordances,
    curve_distance,
    followed,
    moments_until,
)
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.target import UnusableError, some_of
from medsynth.fidelity.utility_charts import curve_chart
from medsynth.fidelity.utility_scores import Drawn, scores_of
from medsynth.inference import person_multiplicities
from medsynth.score import Chart, Edition, Evaluation, Score

PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")
SHOWN = 10
MOMENTS = 51
JUDGED_ROWS = 3_000


@dataclass(frozen=True, kw_only=True)
class Survival:
    """The declared `time` and `event`, whatever the task: survival curves, and Cox models on the holdout.

    Curves are compared from 0 to the last time to which a twentieth of the holdout is followed. The floor is times and
    events drawn independently, the ceiling the training table against the holdout. Cox models have the features of the
    utility figures; concordance is judged on at most 3,000 holdout people. Intervals draw these with replacement.

    Attributes:
      resamples: Bootstrap samples of the holdout's persons.
    """

    resamples: int = 200
    names: ClassVar[tuple[str, ...]] = ("survival",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `utility.survival.{distance,concordance.*,hazards.*}` and two charts."""
        utility = comparison.schema.utility
        if utility is None or utility.time is None or utility.event is None:
            return Evaluation()
        try:
            people = {part: followed(comparison, part) for part in PARTS}
        except UnusableError as problem:
            return Evaluation(scores=(_untold("distance", f"Survival was not judged: {problem}"),))
        curves = {part: SurvivalCurve.of(one.times, one.events) for part, one in people.items()}
        end = curves["holdout"].still_followed(people["holdout"].weights)
        scores = [self._distance(people, curves, end, rng)]
        charts = [_curves_chart(people, curves, end)]
        try:
            covariates = covariates_of(comparison, people["train"])
            models = {part: fit_hazards(comparison, part, people[part], covariates) for part in SOURCES}
        except UnusableError as problem:
            told = f"Concordance and hazard ratios were not judged: {problem}"
            return Evaluation(scores=(*scores, _untold("concordance.drop", told)), charts=tuple(charts))
        scores += self._concordance(comparison, people["holdout"], models, covariates, rng)
        scores += _agreement(models, _holdout_model(comparison, people["holdout"], covariates))
        return Evaluation(scores=tuple(scores), charts=(*charts, _hazards_chart(models, covariates)))

    def _distance(
        self,
        people: Mapping[Part, Followed],
        curves: Mapping[Part, SurvivalCurve],
        end: float,
        rng: np.random.Generator,
    ) -> Score:
        train, holdout = people["train"], people["holdout"]
        loose = SurvivalCurve.of(train.times, rng.permutation(train.events))
        moments = moments_until(end, *curves.values())

        def to_holdout(curve: SurvivalCurve, weights: FloatArray, of_holdout: FloatArray = holdout.weights) -> float:
            real = curves["holdout"].at(moments, of_holdout)
            return curve_distance(curve.at(moments, weights), real, moments, end)

        own, weights = curves["synthetic"], people["synthetic"].weights
        drawn = [
            to_holdout(own, weights, holdout.weights * person_multiplicities(holdout.persons, rng))
            for _ in range(self.resamples)
        ]
        return _distance_score(
            Drawn(to_holdout(own, weights), np.array(drawn)),
            floor=to_holdout(loose, train.weights),
            ceiling=to_holdout(curves["train"], train.weights),
        )

    def _concordance(
        self,
        comparison: Comparison,
        holdout: Followed,
        models: Mapping[Part, Hazards],
        covariates: Sequence[Covariate],
        rng: np.random.Generator,
    ) -> list[Score]:
        some = holdout.take(some_of(len(holdout.times), JUDGED_ROWS))
        table = design(covariates, comparison.codes("holdout")[some.positions])
        drawn = [some.weights * person_multiplicities(some.persons, rng) for _ in range(self.resamples)]
        weightings = np.stack([some.weights, *drawn])
        pair: dict[Part, Drawn] = {}
        for part, model in models.items():
            found = concordances(some, table @ model.value, weightings)
            if np.isnan(found[0]):
                told = "Concordance was not judged: no two holdout people can be compared."
                return [_untold("concordance.drop", told)]
            pair[part] = Drawn(float(found[0]), found[1:])
        people = f"{comparison.schema.privacy.noun}s"
        name = "utility.survival.concordance"
        return scores_of(name, "concordance", pair, learner="a Cox model", chance=0.5, people=people)


def _distance_score(distance: Drawn, *, floor: float, ceiling: float) -> Score:
    value, low, high = distance.estimate(spread=True)
    low = max(0.0, low)
    return Score(
        name="utility.survival.distance",
        value=value,
        low=low,
        high=high,
        baseline=floor,
        ceiling=ceiling,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=(
            f"On average over the time of follow-up, the share without the event differs by {value:.2%} between the "
            f"synthetic table and real holdout people (Kaplan-Meier; 95 % interval {low:.2%} to {high:.2%}). Times "
            f"and events drawn independently would score {floor:.2%}, a second real sample {ceiling:.2%}."
        ),
    )


def _holdout_model(comparison: Comparison, holdout: Followed, covariates: Sequence[Covariate]) -> Hazards | None:
    """For the ceiling; None where the holdout alone is too small for a model."""
    try:
        return fit_hazards(comparison, "holdout", holdout, covariates)
    except UnusableError:
        return None


def _agreement(models: Mapping[Part, Hazards], second: Hazards | None) -> list[Score]:
    """Same side of 1, and overlapping intervals, between the models of synthetic and real rows."""
    own, real = models["synthetic"], models["train"]
    clear, ratios = int(real.clear.sum()), len(real.value)
    signs = same_signs(own, real)
    told = "No hazard ratio is clearly apart from 1 in the real training table, so their direction is not compared."
    if signs is not None:
        told = (
            f"Of {clear} hazard ratios clearly apart from 1 in the real training table, {signs:.0%} lie on the same "
            "side of 1 in the synthetic table."
        )
    limit = None if second is None else same_signs(second, real)
    overlap = overlapping(own, real)
    return [
        _share("hazards.sign", signs, 0.5, limit, told),
        _share(
            "hazards.overlap",
            overlap,
            None,
            None if second is None else overlapping(second, real),
            f"For {overlap:.0%} of {ratios} hazard ratios the 95 % intervals from the synthetic and the real training "
            "table overlap.",
        ),
    ]


def _share(which: str, value: float | None, chance: float | None, ceiling: float | None, sentence: str) -> Score:
    second = "" if ceiling is None or value is None else f" A second real sample would score {ceiling:.0%}."
    return Score(
        name=f"utility.survival.{which}",
        value=value,
        baseline=chance,
        ceiling=ceiling,
        better="higher",
        edition=Edition.INTERNAL,
        sentence=sentence + second,
    )


def _untold(which: str, sentence: str) -> Score:
    return Score(
        name=f"utility.survival.{which}", value=None, better="lower", edition=Edition.INTERNAL, sentence=sentence
    )


def _curves_chart(people: Mapping[Part, Followed], curves: Mapping[Part, SurvivalCurve], end: float) -> Chart:
    moments = np.linspace(0, end, MOMENTS)
    arrays: dict[str, FloatArray] = {"x": moments}
    arrays |= {part: curves[part].at(moments, people[part].weights) for part in PARTS}
    return curve_chart(
        "utility.survival",
        "Survival curves",
        tuple(f"{moment:g}" for moment in moments),
        arrays,
        "Share still without the event (y) by time of follow-up (x) in train, holdout and synthetic (Kaplan-Meier).",
    )


def _hazards_chart(models: Mapping[Part, Hazards], covariates: Sequence[Covariate]) -> Chart:
    """The hazard ratios that are clearest in the real table, each as both tables see it."""
    real = models["train"]
    clearest = np.argsort(-np.abs(real.value) / np.maximum(real.high - real.low, 1e-12), kind="stable")[:SHOWN]
    rows = [(int(place), part) for place in clearest for part in ("train", "synthetic")]
    arrays = {
        end: tuple(
            float(getattr(models["train" if part == "train" else "synthetic"], end)[place]) for place, part in rows
        )
        for end in ("value", "low", "high")
    }
    names = {"train": "real", "synthetic": "synthetic"}
    return Chart(
        name="utility.survival.hazards",
        kind="intervals",
        title="Hazard ratios",
        labels=tuple(f"{covariates[place].name}, {names[part]}" for place, part in rows),
        arrays=arrays | {"baseline": (0.0,) * len(rows)},
        edition=Edition.INTERNAL,
        sentence=(
            "Logarithms of hazard ratios with their 95 % intervals, from the real training table and from the "
            f"synthetic one; 0 is no association. A number's is that of its highest against its lowest cell. The "
            f"{len(clearest)} clearest in the real table."
        ),
    )
