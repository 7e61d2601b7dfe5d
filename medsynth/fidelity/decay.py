"""What refitting on synthetic records wears away, each figure with its distance from the real table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medsynth.encoding.comparison import Comparison, Part
from medsynth.encoding.domain import Attribute
from medsynth.fidelity.resolution import at_levels, pair_level
from medsynth.fidelity.tables import FloatArray, Sample, cliques_of, shares_of, total_variation
from medsynth.fidelity.utility import holdout_figure

OUTER = 0.01
"""The share of the real mass that counts as a column's tail."""
MOST_PAIRS = 400
NUMBERS = ("integer", "decimal")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measure of one table.

    Attributes:
      value: As it is drawn.
      distance: How far that is from the real table, at least 0.
      parts: The same by column or condition, where there are several.
    """

    value: float
    distance: float
    parts: Mapping[str, float] = field(default_factory=dict)


def measure_decay(comparison: Comparison, real: Mapping[str, Figure] | None = None) -> dict[str, Figure]:
    """Measures the synthetic table of a comparison; what the schema has nothing for is left out.

    Args:
      comparison: Its train part is the real table, its holdout other persons.
      real: The figures of the real table itself, for the gap in prediction; None when that is what is measured.

    Returns:
      Figures by name: variance, entropy, tails, rare, pairs, prediction.
    """
    found = {
        "variance": _variance(comparison),
        "entropy": _entropy(comparison),
        "tails": _tails(comparison),
        "rare": _rare(comparison),
        "pairs": _pairs(comparison),
        "prediction": _prediction(comparison, real),
    }
    return {name: figure for name, figure in found.items() if figure is not None}


def _variance(comparison: Comparison) -> Figure | None:
    """Ratios of the variances of numbers inside their public bounds; distance: mean of their absolute logarithms."""
    ratios: dict[str, float] = {}
    columns: Mapping[str, Any] = comparison.schema.columns
    for name in comparison.domain.names:
        if columns[name].kind in NUMBERS:
            low, high = columns[name].min, columns[name].max
            real, own = (_spread(comparison, part, name, low, high) for part in ("train", "synthetic"))
            if real > 0:
                ratios[name] = own / real
    return _ratios(ratios, smallest=1e-6)


def _spread(comparison: Comparison, part: Part, name: str, low: float | None, high: float | None) -> float:
    values = np.asarray(comparison.frame(part)[name], dtype=np.float64)
    known = ~np.isnan(values)
    ends = (-np.inf if low is None else low, np.inf if high is None else high)
    inside, weights = np.clip(values[known], *ends), comparison.weights(part)[known]
    if not weights.sum() > 0:
        return 0.0
    mean = np.average(inside, weights=weights)
    return float(np.average((inside - mean) ** 2, weights=weights))


def _ratios(ratios: Mapping[str, float], *, smallest: float) -> Figure | None:
    """Geometric mean of ratios to the real table, and the mean of their absolute logarithms."""
    if not ratios:
        return None
    logs = [math.log(max(ratio, smallest)) for ratio in ratios.values()]
    return Figure(value=math.exp(sum(logs) / len(logs)), distance=sum(map(abs, logs)) / len(logs), parts=dict(ratios))


def _entropy(comparison: Comparison) -> Figure | None:
    """Entropy of the columns, summed, over that of the real table; distance: what the ratio differs from one."""
    real, own = (_entropies(comparison, part) for part in ("train", "synthetic"))
    total = sum(real.values())
    if not total > 0:
        return None
    ratio = sum(own.values()) / total
    parts = {name: own[name] / bits for name, bits in real.items() if bits > 0}
    return Figure(value=ratio, distance=abs(ratio - 1), parts=parts)


def _entropies(comparison: Comparison, part: Part) -> dict[str, float]:
    attributes = comparison.domain.attributes
    sample = _sample(comparison, part)
    sizes = [pair_level(attribute).size for attribute in attributes]
    found = {}
    for position, attribute in enumerate(attributes):
        shares = shares_of(sample, (position,), sizes)
        shares = shares[shares > 0]
        found[attribute.name] = float(-(shares * np.log2(shares)).sum())
    return found


def _tails(comparison: Comparison) -> Figure | None:
    """Of the real mass in the outer 1 % of each column, how much lies in cells that a synthetic row still has."""
    codes = {part: comparison.codes(part) for part in ("train", "synthetic")}
    covered = {}
    for position, attribute in enumerate(comparison.domain.attributes):
        mass = np.bincount(codes["train"][:, position], comparison.train_weights, minlength=attribute.size)
        outer = _outer_cells(mass / mass.sum(), attribute)
        held = np.bincount(codes["synthetic"][:, position], minlength=attribute.size) > 0
        if mass[outer].sum() > 0:
            covered[attribute.name] = float(mass[outer][held[outer]].sum() / mass[outer].sum())
    if not covered:
        return None
    mean = sum(covered.values()) / len(covered)
    return Figure(value=mean, distance=1 - mean, parts=covered)


def _outer_cells(shares: FloatArray, attribute: Attribute) -> Sequence[int]:
    """Cells that together hold at most `OUTER`: from both ends of an order, else the rarest."""
    if attribute.ordered > 2:
        cells = np.arange(attribute.ordered)
        return [*_while_within(shares, cells, OUTER / 2), *_while_within(shares, cells[::-1], OUTER / 2)]
    return _while_within(shares, np.argsort(shares, kind="stable"), OUTER)


def _while_within(shares: FloatArray, cells: "np.typing.NDArray[np.intp]", most: float) -> list[int]:
    within = np.cumsum(shares[cells]) <= most
    return [int(cell) for cell in cells[within]]


def _rare(comparison: Comparison) -> Figure | None:
    """Shares of the rare conditions over the real ones; half a record more in each keeps an empty one finite."""
    ratios = {}
    for name, predicate in comparison.schema.rare_predicates.items():
        shares = []
        for part in ("train", "synthetic"):
            mask, weights = predicate.evaluate(comparison.frame(part), comparison.schema), comparison.weights(part)
            shares.append((float(weights[mask].sum()) + 0.5) / (float(weights.sum()) + 0.5))
        ratios[name] = shares[1] / shares[0]
    return _ratios(ratios, smallest=1e-12)


def _pairs(comparison: Comparison) -> Figure | None:
    """Mean total variation distance to the holdout over pairs of columns."""
    if len(comparison.domain) < 2:
        return None
    sizes = [pair_level(attribute).size for attribute in comparison.domain.attributes]
    cliques = cliques_of(len(sizes), 2, MOST_PAIRS, np.random.default_rng(0))
    own, real = (_sample(comparison, part) for part in ("synthetic", "holdout"))
    distances = [total_variation(shares_of(own, pair, sizes), shares_of(real, pair, sizes)) for pair in cliques]
    mean = float(np.mean(distances))
    return Figure(value=mean, distance=mean)


def _sample(comparison: Comparison, part: Part) -> Sample:
    levels = [pair_level(attribute) for attribute in comparison.domain.attributes]
    codes = at_levels(comparison.codes(part), levels)
    nobody = np.zeros(len(codes), dtype=np.int64)
    return Sample(codes=codes, weights=comparison.weights(part), folds=nobody, persons=nobody)


def _prediction(comparison: Comparison, real: Mapping[str, Figure] | None) -> Figure | None:
    """What a learner trained on the table scores on the holdout; distance: how much less than one trained on real."""
    value = holdout_figure(comparison, "synthetic")
    if value is None:
        return None
    known = value if real is None or "prediction" not in real else real["prediction"].value
    return Figure(value=value, distance=max(0.0, known - value))
