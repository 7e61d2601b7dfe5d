"""Bars of one column in the real and the synthetic tables, for the columns that matter most."""

import numpy as np

from medsynth.encoding.comparison import Comparison, Part
from medsynth.encoding.domain import Attribute, Level
from medsynth.fidelity.resolution import group_labels, pair_level, triple_level
from medsynth.fidelity.tables import FloatArray
from medsynth.score import Chart, Edition

SHOWN_COLUMNS = 12
SHOWN_BARS = 30
REST = "all others"
PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")


def column_overlays(comparison: Comparison, distances: FloatArray) -> tuple[Chart, ...]:
    """Bars of the utility target and of the columns with the largest distance, at most 12."""
    utility = comparison.schema.utility
    target = utility.target if utility is not None else None
    key = [comparison.domain.index(target)] if target and target in comparison.domain else []
    ranked = [int(position) for position in np.argsort(-distances, kind="stable")]
    shown = [*key, *[position for position in ranked if position not in key]][:SHOWN_COLUMNS]
    return tuple(_overlay(comparison, position, float(distances[position])) for position in shown)


def _overlay(comparison: Comparison, position: int, distance: float) -> Chart:
    attribute = comparison.domain.attributes[position]
    level = _bars_level(attribute)
    labels = group_labels(comparison, position, level)
    series: dict[str, FloatArray] = {part: _shares(comparison, part, position, level) for part in PARTS}
    if level.size > SHOWN_BARS and not attribute.ordered:
        labels, series = _largest(labels, series)
    return Chart(
        name=f"fidelity.column.{attribute.name}",
        kind="overlay",
        title=attribute.name,
        labels=labels,
        arrays={part: tuple(map(float, shares)) for part, shares in series.items()},
        edition=Edition.INTERNAL,
        sentence=(
            f"Shares of {attribute.name} in train, holdout and synthetic; total variation to train {distance:.3f}."
        ),
    )


def _bars_level(attribute: Attribute) -> Level:
    fine = pair_level(attribute)
    return fine if fine.size <= SHOWN_BARS else triple_level(attribute)


def _shares(comparison: Comparison, part: Part, position: int, level: Level) -> FloatArray:
    codes = comparison.codes(part)[:, position]
    counts = np.bincount(level.groups[codes], comparison.weights(part), minlength=level.size)
    shares: FloatArray = counts / counts.sum()
    return shares


def _largest(labels: tuple[str, ...], series: dict[str, FloatArray]) -> tuple[tuple[str, ...], dict[str, FloatArray]]:
    """The groups with most training rows, the rest together."""
    kept = np.argsort(-series["train"], kind="stable")[: SHOWN_BARS - 1]
    shown = {part: np.append(shares[kept], 1 - shares[kept].sum()) for part, shares in series.items()}
    return (*[labels[group] for group in kept], REST), shown
