"""Scores and sentences of the utility figures: trained on synthetic, trained on real, and what lies between."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from medsynth.encoding.comparison import Part
from medsynth.fidelity.tables import FloatArray
from medsynth.inference import Estimate, percentiles
from medsynth.score import Edition, Score

TITLES = {
    "auc": "AUC",
    "auprc": "average precision",
    "r2": "R squared",
    "brier": "Brier score",
    "ece": "calibration error by tenths of the prediction",
    "mae": "mean absolute error",
    "concordance": "concordance",
}
ERRORS = frozenset({"brier", "ece", "mae"})
"""Figures of which less is better."""
SPREAD = frozenset({"ece"})
"""Figures that a bootstrap shifts upwards: their interval is as wide as its spread, about the figure itself."""


class Drawn(NamedTuple):
    """A figure and what it is in bootstrap samples."""

    value: float
    drawn: FloatArray

    def estimate(self, *, spread: bool = False) -> Estimate:
        """The figure with its interval; percentiles, or 1.96 deviations to either side."""
        usable = self.drawn[~np.isnan(self.drawn)]
        if not len(usable):
            return Estimate(self.value, self.value, self.value)
        if spread:
            half = 1.96 * float(usable.std(ddof=1)) if len(usable) > 1 else 0.0
            return Estimate(self.value, self.value - half, self.value + half)
        return Estimate(self.value, *percentiles(usable))

    def minus(self, other: "Drawn") -> "Drawn":
        """The difference, sample by sample."""
        return Drawn(self.value - other.value, self.drawn - other.drawn)


def scores_of(
    name: str, figure: str, pair: Mapping[Part, Drawn], *, learner: str, chance: float | None, people: str
) -> list[Score]:
    """Synthetic, real, and the drop (of what should be high) or gap (of errors) of one figure."""
    worse: Literal["gap", "drop"] = "gap" if figure in ERRORS else "drop"
    synthetic, real = pair["synthetic"], pair["train"]
    lost = synthetic.minus(real) if worse == "gap" else real.minus(synthetic)
    told = _sentences(learner, figure, chance, people)
    scores = []
    for which, drawn in (("synthetic", synthetic), ("real", real), (worse, lost)):
        value, low, high = drawn.estimate(spread=figure in SPREAD)
        if figure in ERRORS and which != worse:
            low = max(0.0, low)
        interval = f"95 % interval {_digits(low)} to {_digits(high)}"
        scores.append(
            Score(
                name=f"{name}.{which}",
                value=value,
                low=low,
                high=high,
                baseline=_baseline(chance, real.value, error=worse == "gap", difference=which == worse),
                ceiling={"synthetic": real.value, "real": None}.get(which, 0.0),
                better="higher" if worse == "drop" and which != "drop" else "lower",
                edition=Edition.INTERNAL,
                sentence=told[which].format(figure=_digits(value), interval=interval),
            )
        )
    return scores


def _baseline(chance: float | None, real: float, *, error: bool, difference: bool) -> float | None:
    if chance is None or not difference:
        return chance
    return chance - real if error else real - chance


def _digits(value: float) -> str:
    """Three decimals, four significant digits of what is larger; no minus before nothing.

    >>> _digits(-0.0001), _digits(0.0123), _digits(1234.5678)
    ('0.000', '0.012', '1,235')
    """
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{round(value, 3) + 0.0:.3f}"


def _sentences(learner: str, figure: str, chance: float | None, people: str) -> Mapping[str, str]:
    """Sentences with gaps for the figure and its interval."""
    title = TITLES[figure]
    trained = f"{learner[:1].upper()}{learner[1:]} trained on this table"
    guessing = "({interval})." if chance is None else f"({{interval}}; guessing: {_digits(chance)})."
    reached = f"has a {title} of {{figure}}" if figure in ERRORS else f"reaches {{figure}} {title}"
    return {
        "synthetic": f"Trained on this table, {learner} {reached} on real {people} {guessing}",
        "real": f"Trained on the real training table, {learner} {reached} on the same {people} {guessing}",
        "drop": f"{trained} loses {{figure}} {title} on real {people}, {{interval}}, beside one trained on the real "
        "training table. Negative is a gain.",
        "gap": f"{trained} has a {title} on real {people} that is {{figure}} higher, {{interval}}, than that of one "
        "trained on the real training table. Negative is an improvement.",
    }


def slope_scores(pair: Mapping[Part, Drawn], people: str) -> list[Score]:
    """The calibration slope of both models; left out where it has none."""
    scores = []
    sources: tuple[tuple[Part, str, str], ...] = (
        ("synthetic", "synthetic", "on this table"),
        ("train", "real", "on the real training table"),
    )
    for source, which, where in sources:
        value, low, high = pair[source].estimate()
        if np.isnan(value):
            continue
        scores.append(
            Score(
                name=f"utility.slope.{which}",
                value=value,
                low=low,
                high=high,
                ceiling=1.0,
                better="higher",
                edition=Edition.INTERNAL,
                sentence=(
                    f"Trained {where}, a model's predicted risks have a calibration slope of {value:.2f} on real "
                    f"{people} (95 % interval {low:.2f} to {high:.2f}): 1 is right, below 1 they are too extreme, "
                    "above 1 too timid."
                ),
            )
        )
    return scores


def no_score(reason: str) -> Score:
    """What is said where the target cannot be judged."""
    return Score(
        name="utility.auc.drop",
        value=None,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"The utility target was not judged: {reason}",
    )
