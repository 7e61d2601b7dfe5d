"""ROC and calibration curves of models trained on synthetic and on real rows."""

from collections.abc import Mapping

import numpy as np

from medsynth.fidelity.learners import BoolArray
from medsynth.fidelity.tables import FloatArray
from medsynth.score import Chart, Edition

GRID = np.linspace(0, 1, 51)
TENTHS = 10


def roc_chart(truth: BoolArray, beliefs: Mapping[str, FloatArray], weights: FloatArray) -> Chart:
    """True against false positive rates of each model on the holdout."""
    arrays: dict[str, FloatArray] = {"x": GRID, "guessing": GRID}
    for source, belief in beliefs.items():
        order = np.argsort(-belief, kind="stable")
        last = np.append(np.diff(belief[order]) != 0, True)
        hits = np.cumsum((weights * truth)[order])[last]
        misses = np.cumsum((weights * ~truth)[order])[last]
        arrays[source] = np.interp(GRID, np.append(0, misses / misses[-1]), np.append(0, hits / hits[-1]))
    return _curve(
        "utility.roc",
        "ROC curve on real people",
        tuple(f"{rate:.0%}" for rate in GRID),
        arrays,
        "Share of real cases found (y) against share of the others wrongly named (x), by models "
        "trained on synthetic and real rows.",
    )


def calibration_chart(truth: BoolArray, beliefs: Mapping[str, FloatArray], weights: FloatArray) -> Chart:
    """Predicted and observed risk of the model trained on synthetic rows, by tenth of it."""
    belief = beliefs["synthetic"]
    order = np.argsort(belief, kind="stable")
    passed = np.cumsum(weights[order])
    tenth = np.empty(len(belief), dtype=np.int64)
    tenth[order] = np.minimum(TENTHS - 1, (TENTHS * (passed - weights[order] / 2) / passed[-1]).astype(np.int64))
    mass = np.maximum(np.bincount(tenth, weights, TENTHS), np.finfo(float).tiny)
    arrays = {
        "x": np.arange(1.0, TENTHS + 1),
        "predicted": np.bincount(tenth, weights * belief, TENTHS) / mass,
        "observed": np.bincount(tenth, weights * truth, TENTHS) / mass,
    }
    return _curve(
        "utility.calibration",
        "Calibration on real people",
        tuple(str(rank) for rank in range(1, TENTHS + 1)),
        arrays,
        "Mean predicted and observed risk in each tenth of the holdout by predicted risk, for the model trained on "
        "synthetic rows.",
    )


def _curve(name: str, title: str, labels: tuple[str, ...], arrays: Mapping[str, FloatArray], sentence: str) -> Chart:
    return Chart(
        name=name,
        kind="curve",
        title=title,
        labels=labels,
        arrays={key: tuple(map(float, series)) for key, series in arrays.items()},
        edition=Edition.INTERNAL,
        sentence=sentence,
    )
