"""How far synthetic rows lie from the published noisy tables: the fidelity that may be shared."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison, MeasuredTable
from medsynth.fidelity.tables import FloatArray, total_variation
from medsynth.privacy.interactions import centred, shrinkage
from medsynth.score import Chart, Edition, Evaluation, Score

SHOWN_TABLES = 12
WORDS = {1: "single columns", 2: "pairs of columns"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Mean total variation distance to the noisy 1- and 2-way tables of the claim.

    A function of the synthetic rows and the claim only, so it costs no privacy and is SHAREABLE. The ceiling is the
    distance that the known noise alone would show if the synthetic table were exactly right. The floor of the 2-way
    figure is what the product of the synthetic table's own columns would score.
    """

    names: ClassVar[tuple[str, ...]] = ("measured",)

    def evaluate(
        self,
        comparison: Comparison,
        rng: np.random.Generator,  # noqa: ARG002 - part of the protocol, nothing is drawn here
    ) -> Evaluation:
        """Scores `fidelity.tv{1,2}.measured` and the chart of the worst tables."""
        claim = comparison.claim
        if claim is None or not claim.measurements or not comparison.synthetic_weights.sum() > 0:
            return Evaluation(scores=tuple(_untold(ways) for ways in (1, 2)))
        persons = claim.estimated_persons
        scores, charts = [], []
        for ways in (1, 2):
            tables = [table for table in claim.measurements if len(table.attributes) == ways]
            if not tables:
                scores.append(_untold(ways))
                continue
            rows = [_distances(comparison, table, persons) for table in tables]
            scores.append(_score(ways, tables, np.array(rows), persons))
            charts.append(_worst(ways, tables, np.array(rows), persons))
        return Evaluation(scores=tuple(scores), charts=tuple(charts))


def synthetic_shares(comparison: Comparison, table: MeasuredTable) -> FloatArray:
    """Weighted shares of the synthetic rows in the cells of a measured table, in its shape."""
    codes = comparison.codes("synthetic")
    cell = np.zeros(len(codes), dtype=np.intp)
    for name, groups, size in zip(table.attributes, table.groups, table.noisy.shape, strict=True):
        cell = cell * size + groups[codes[:, comparison.domain.index(name)]]
    counts = np.bincount(cell, comparison.synthetic_weights, minlength=table.noisy.size)
    shares: FloatArray = (counts / counts.sum()).reshape(table.noisy.shape)
    return shares


def noise_distance(table: MeasuredTable, persons: float) -> tuple[float, float]:
    """Mean and deviation of the distance noise alone causes: half a sum of |N(0, sigma)|.

    Centring interactions leaves each cell `shrinkage` of the noise, and ties cells together.
    """
    cells = table.noisy.size
    sigma = table.sigma * (shrinkage(table.noisy.shape) if table.interactions else 1.0)
    variance = cells * (_tie(1.0) + (_ties(table.noisy.shape) if table.interactions else 0.0))
    mean = 0.5 * cells * sigma * math.sqrt(2 / math.pi) / persons
    deviation = 0.5 * math.sqrt(variance) * sigma / persons
    return mean, deviation


def _tie(correlation: float) -> float:
    """Covariance of |X| and |Y| for standard normal X and Y of this correlation."""
    rest = math.sqrt(1 - correlation**2)
    return 2 / math.pi * (rest + correlation * math.asin(correlation) - 1)


def _ties(shape: tuple[int, ...]) -> float:
    """Sum of `_tie` over the other cells of a centred table: of the same row, column, and neither."""
    others = [size - 1 for size in shape]
    groups = [math.prod(chosen) for order in range(1, len(others) + 1) for chosen in combinations(others, order)]
    return sum(many * _tie(1 / many) for many in groups)


def _distances(comparison: Comparison, table: MeasuredTable, persons: float) -> tuple[float, float]:
    """Distance of the synthetic table, and of the product of its own columns."""
    shares, noisy = synthetic_shares(comparison, table), table.noisy / persons
    product = np.outer(shares.sum(axis=1), shares.sum(axis=0)) if shares.ndim == 2 else shares
    if table.interactions:
        shares, noisy, product = centred(shares), centred(noisy), centred(product)
    own, floor = (float(total_variation(table_of.ravel(), noisy.ravel())) for table_of in (shares, product))
    return own, floor


def _score(ways: int, tables: Sequence[MeasuredTable], rows: FloatArray, persons: float) -> Score:
    noise = np.array([noise_distance(table, persons) for table in tables])
    value, expected = float(rows[:, 0].mean()), float(noise[:, 0].mean())
    half = 1.96 * float(np.sqrt((noise[:, 1] ** 2).sum()) / len(tables))
    baseline = float(rows[:, 1].mean()) if ways == 2 else None
    against = f" The product of its single columns would score {baseline:.2%}." if baseline is not None else ""
    beyond = " beyond their margins" if ways > 1 and all(table.interactions for table in tables) else ""
    return Score(
        name=f"fidelity.tv{ways}.measured",
        value=value,
        low=max(0.0, value - half),
        high=value + half,
        baseline=baseline,
        ceiling=expected,
        better="lower",
        edition=Edition.SHAREABLE,
        sentence=(
            f"Averaged over the {len(tables):,} published noisy tables of {WORDS[ways]}{beyond}, the synthetic "
            f"table lies {value:.2%} from them (total variation; the noise moves this by about {half:.2%} either way). "
            f"The published noise alone would show {expected:.2%}.{against}"
        ),
    )


def _untold(ways: int) -> Score:
    return Score(
        name=f"fidelity.tv{ways}.measured",
        value=None,
        better="lower",
        edition=Edition.SHAREABLE,
        sentence=f"No noisy tables of {WORDS[ways]} were published with it: nothing was compared.",
    )


def _worst(ways: int, tables: Sequence[MeasuredTable], rows: FloatArray, persons: float) -> Chart:
    noise = np.array([noise_distance(table, persons) for table in tables])
    worst = np.argsort(noise[:, 0] - rows[:, 0], kind="stable")[:SHOWN_TABLES]
    value, half = rows[worst, 0], 1.96 * noise[worst, 1]
    arrays = {
        "value": value,
        "low": np.maximum(0, value - half),
        "high": value + half,
        "ceiling": noise[worst, 0],
    }
    if ways == 2:
        arrays["baseline"] = rows[worst, 1]
    return Chart(
        name=f"fidelity.measured.worst{ways}",
        kind="intervals",
        title=f"Noisy tables of {WORDS[ways]} met worst",
        labels=tuple(", ".join(tables[table].attributes) for table in worst),
        arrays={key: tuple(map(float, series)) for key, series in arrays.items()},
        edition=Edition.SHAREABLE,
        sentence="Distance to each published noisy table; its noise alone would show the ceiling.",
    )
