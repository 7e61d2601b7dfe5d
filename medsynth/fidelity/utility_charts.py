"""ROC, precision and calibration curves of models trained on synthetic and on real rows."""

from collections.abc import Mapping

import numpy as np

from medsynth.fidelity.calibration import TENTHS, tenths_of
from medsynth.fidelity.learners import BoolArray, Ranked
from medsynth.fidelity.tables import FloatArray
from medsynth.score import Chart, Edition

GRID = np.linspace(0, 1, 51)


def roc_chart(truth: BoolArray, beliefs: Mapping[str, FloatArray], weights: FloatArray) -> Chart:
    """True against false positive rates of each model on the holdout."""
    arrays: dict[str, FloatArray] = {"x": GRID, "guessing": GRID}
    for source, belief in beliefs.items():
        hits, misses = Ranked.of(truth, belief).passed(weights)
        arrays[source] = np.interp(GRID, np.append(0, misses / misses[-1]), np.append(0, hits / hits[-1]))
    return curve_chart(
        "utility.roc",
        "ROC curve on real people",
        tuple(f"{rate:.0%}" for rate in GRID),
        arrays,
        "Share of real cases found (y) against share of the others wrongly named (x), by models "
        "trained on synthetic and real rows.",
    )


def precision_chart(truth: BoolArray, beliefs: Mapping[str, FloatArray], weights: FloatArray) -> Chart:
    """Precision of each model on the holdout where it first finds so large a share of the cases."""
    arrays = {"x": GRID, "guessing": np.full(len(GRID), np.average(truth, weights=weights))}
    for source, belief in beliefs.items():
        hits, misses = Ranked.of(truth, belief).passed(weights)
        first = np.minimum(np.searchsorted(hits / hits[-1], GRID - 1e-12), len(hits) - 1)
        # Before the first case is found there is no precision; the first threshold that finds one stands for 0.
        first = np.maximum(first, np.flatnonzero(hits > 0)[0])
        arrays[source] = (hits / np.maximum(hits + misses, np.finfo(float).tiny))[first]
    return curve_chart(
        "utility.precision",
        "Precision and recall on real people",
        tuple(f"{share:.0%}" for share in GRID),
        arrays,
        "Share of cases among those named (y) when so large a share of real cases is found (x), by models trained on "
        "synthetic and real rows.",
    )


def calibration_chart(
    truth: FloatArray, beliefs: Mapping[str, FloatArray], weights: FloatArray, *, numbers: bool = False
) -> Chart:
    """Predicted and observed risk (or number) of the model trained on synthetic rows, by tenth of it."""
    belief = beliefs["synthetic"]
    tenth = tenths_of(belief, weights)
    mass = np.maximum(np.bincount(tenth, weights, TENTHS), np.finfo(float).tiny)
    arrays = {
        "x": np.arange(1.0, TENTHS + 1),
        "predicted": np.bincount(tenth, weights * belief, TENTHS) / mass,
        "observed": np.bincount(tenth, weights * truth, TENTHS) / mass,
    }
    what = "value" if numbers else "risk"
    return curve_chart(
        "utility.calibration",
        "Calibration on real people",
        tuple(str(rank) for rank in range(1, TENTHS + 1)),
        arrays,
        f"Mean predicted and observed {what} in each tenth of the holdout by predicted {what}, for the model trained "
        "on synthetic rows.",
    )


def curve_chart(
    name: str, title: str, labels: tuple[str, ...], arrays: Mapping[str, FloatArray], sentence: str
) -> Chart:
    """An INTERNAL chart of curves over one axis."""
    return Chart(
        name=name,
        kind="curve",
        title=title,
        labels=labels,
        arrays={key: tuple(map(float, series)) for key, series in arrays.items()},
        edition=Edition.INTERNAL,
        sentence=sentence,
    )
