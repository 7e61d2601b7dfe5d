"""How far the distributions of numbers and days lie from the real ones: Kolmogorov-Smirnov and Wasserstein."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.parts import (
    Rows,
    empty_part,
    judged,
    left_out,
    no_rows,
    number_columns,
    rows_of,
    second_sample,
    values_of,
    worst_chart,
)
from medsynth.fidelity.tables import FloatArray
from medsynth.score import Evaluation, Score

KS, WASSERSTEIN = "fidelity.ks.holdout", "fidelity.wasserstein.holdout"


@dataclass(frozen=True, kw_only=True, eq=False)
class Gaps:
    """Distances of one column to the holdout; of the table on the whole and without each fold.

    Attributes:
      own: (2, 1 + FOLDS) KS and Wasserstein of the synthetic table.
      floor: (2,) the same of a table that holds the real median in every row.
      ceiling: (2,) of the second real sample.
    """

    own: FloatArray
    floor: FloatArray
    ceiling: FloatArray


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Mean weighted KS and Wasserstein distance to the holdout over the numbers and days of a table.

    Known values inside the public bounds are compared, value by value and not by cell. KS is the largest difference
    of the two cumulative shares. Wasserstein is the mean distance that values would have to be moved, divided by the
    real values' mean distance from their median: the public range would make every column with a generous bound look
    good, and the interquartile range of a count that is mostly zero is zero. The floor holds the real median in every
    row, and so scores 1 in Wasserstein by its definition.
    """

    names: ClassVar[tuple[str, ...]] = ("ks", "wasserstein")

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `fidelity.ks.holdout`, `fidelity.wasserstein.holdout` and the worst columns, all INTERNAL."""
        positions = number_columns(comparison)
        if not positions:
            return Evaluation()
        if (empty := empty_part(comparison)) is not None:
            return Evaluation(scores=no_rows((KS, WASSERSTEIN), empty))
        tables = (
            rows_of(comparison, "holdout", rng),
            rows_of(comparison, "synthetic", rng),
            second_sample(comparison, rng),
        )
        found = {comparison.domain.names[at]: _gaps(comparison, at, *tables) for at in positions}
        told = {name: gaps for name, gaps in found.items() if gaps is not None}
        if not told:
            return Evaluation()
        gaps = [np.array([getattr(one, kind) for one in told.values()]) for kind in ("own", "floor", "ceiling")]
        return Evaluation(
            scores=_scores(len(told), *gaps),
            charts=tuple(
                worst_chart(
                    f"fidelity.{name}",
                    title,
                    tuple(told),
                    gaps[0][:, row],
                    baseline=gaps[1][:, row],
                    ceiling=gaps[2][:, row],
                    sentence=f"{what} to the holdout of the numbers and days that lie furthest beyond a second real "
                    "sample; marks show a table of medians (baseline) and that sample (ceiling).",
                )
                for row, (name, title, what) in enumerate(
                    (
                        ("ks", "Worst numbers by their cumulative shares", "Largest difference of cumulative shares"),
                        ("wasserstein", "Worst numbers by how far values moved", "Scaled Wasserstein distance"),
                    )
                )
            ),
        )


def _scores(columns: int, own: FloatArray, floor: FloatArray, ceiling: FloatArray) -> tuple[Score, ...]:
    tellers = (
        "Over {columns} numbers and days, the largest difference between synthetic and real cumulative shares "
        "(Kolmogorov-Smirnov, real holdout) averages {value:.2%}, 95 % interval {low:.2%} to {high:.2%}; a second real "
        "sample would show {ceiling:.2%}, a table of medians {floor:.2%}.",
        "Over {columns} numbers and days, values would have to be moved by {value:.2%} of the real spread (mean "
        "distance from the median) to agree with the holdout (Wasserstein; 95 % interval {low:.2%} to {high:.2%}); "
        "for a second real sample it is {ceiling:.2%}, for a table of medians {floor:.0%}.",
    )
    return tuple(
        judged(
            name,
            own[:, row].mean(axis=0),
            baseline=float(floor[:, row].mean()),
            ceiling=float(ceiling[:, row].mean()),
            better="lower",
            highest=1.0 if row == 0 else None,
            sentence=tellers[row],
            words={"columns": columns},
        )
        for row, name in enumerate((KS, WASSERSTEIN))
    )


def _gaps(comparison: Comparison, position: int, holdout: Rows, synthetic: Rows, second: Rows) -> Gaps | None:
    """None where the holdout knows no value."""
    tables = (holdout, synthetic, second)
    values = [values_of(comparison, rows, position) for rows in tables]
    grid = np.unique(np.concatenate([one[~np.isnan(one)] for one in values]))
    counts = [
        rows.by_fold(np.where(np.isnan(one), -1, np.searchsorted(grid, one)), len(grid))
        for rows, one in zip(tables, values, strict=True)
    ]
    real = cumulative(left_out(counts[0]))
    if not real[-1:, 0].sum() > 0:
        return None
    whole = real[:, :1]
    median = np.zeros((len(grid), 1))
    median[int(np.searchsorted(whole[:, 0], 0.5)) :] = 1.0
    floor = distances(grid, median, whole)[:, 0]
    own = distances(grid, cumulative(left_out(counts[1])), real)
    ceiling = distances(grid, cumulative(counts[2].sum(axis=1, keepdims=True)), whole)[:, 0]
    spread = np.array([1.0, floor[1] or (grid[-1] - grid[0]) or 1.0])
    return Gaps(own=own / spread[:, None], floor=floor / spread, ceiling=ceiling / spread)


def cumulative(counts: FloatArray) -> FloatArray:
    """Cumulative shares down the first axis; all zero where there is no mass."""
    passed: FloatArray = np.cumsum(counts, axis=0)
    passed /= np.maximum(passed[-1:], np.finfo(float).tiny)
    return passed


def distances(grid: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """KS and Wasserstein distance, (2, k), of k pairs of cumulative shares (grid, k) on ascending values.

    >>> distances(np.array([0.0, 2.0]), np.array([[0.5], [1.0]]), np.array([[1.0], [1.0]])).ravel().tolist()
    [0.5, 1.0]
    """
    apart = np.abs(first - second)
    return np.stack([apart.max(axis=0), np.diff(grid) @ apart[:-1]])
