"""How strongly every two columns go together, in the synthetic and the real table side by side."""

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.association_matrix import association_matrix, columns_of, independent
from medsynth.fidelity.parts import chart_of, empty_part, judged, no_rows, rows_of, second_sample, worst_chart
from medsynth.fidelity.tables import FloatArray
from medsynth.score import Chart, Evaluation

NAME = "fidelity.association.holdout"


@dataclass(frozen=True, kw_only=True)
class Associations:
    """Mean absolute difference of the association of all pairs of columns to the holdout, and both matrices.

    Two categories: Cramér's V, bias-corrected. A number and a category: correlation ratio of the number's ranks,
    bias-corrected. Two numbers: Spearman's correlation, with its sign. Categories are taken at the level at which
    pairs of columns are compared elsewhere (`fidelity.resolution`), where missing is a category; rows without the
    number are left out of its associations. The floor is independent columns, the ceiling a second real sample.
    """

    names: ClassVar[tuple[str, ...]] = ("association",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Score `fidelity.association.holdout`, the matrices and the worst pairs, all INTERNAL."""
        if len(comparison.domain) < 2:
            return Evaluation()
        if (empty := empty_part(comparison)) is not None:
            return Evaluation(scores=no_rows((NAME,), empty))
        holdout, synthetic = (
            columns_of(comparison, rows_of(comparison, part, rng)) for part in ("holdout", "synthetic")
        )
        second = columns_of(comparison, second_sample(comparison, rng))
        floor = independent(second, len(synthetic.weights), rng)
        real, own = (association_matrix(table, folds=True) for table in (holdout, synthetic))
        others = [association_matrix(table)[..., 0] for table in (floor, second)]
        return _evaluation(comparison.domain.names, real, own, *others)


def _evaluation(
    names: tuple[str, ...], real: FloatArray, own: FloatArray, floor: FloatArray, second: FloatArray
) -> Evaluation:
    pairs = list(combinations(range(len(names)), 2))
    rows, columns = np.array(pairs).T
    apart = np.abs(own - real)[rows, columns]
    floors, seconds = (np.abs(other - real[..., 0])[rows, columns] for other in (floor, second))
    labels = tuple(f"{names[first]}, {names[other]}" for first, other in pairs)
    worst = int(np.argmax(apart[:, 0] - seconds))
    score = judged(
        NAME,
        apart.mean(axis=0),
        baseline=float(floors.mean()),
        ceiling=float(seconds.mean()),
        better="lower",
        sentence="Over {pairs:,} pairs of columns, the strength of association (0 none, 1 full) differs from the real "
        "holdout's by {value:.3f} on average (95 % interval {low:.3f} to {high:.3f}); independent columns would differ "
        "by {floor:.3f}, a second real sample by {ceiling:.3f}. Worst: {worst} ({own:.2f} in place of {real:.2f}).",
        words={
            "pairs": len(pairs),
            "worst": labels[worst],
            "own": own[rows[worst], columns[worst], 0],
            "real": real[rows[worst], columns[worst], 0],
        },
    )
    chart = worst_chart(
        "fidelity.worst_associations",
        "Worst associations",
        labels,
        apart,
        baseline=floors,
        ceiling=seconds,
        sentence="Difference in association to the holdout of the pairs that lie furthest beyond a second real sample; "
        "marks show independent columns (baseline) and that sample (ceiling).",
    )
    return Evaluation(scores=(score,), charts=(_matrices(names, real[..., 0], own[..., 0]), chart))


def _matrices(names: tuple[str, ...], real: FloatArray, own: FloatArray) -> Chart:
    off = ~np.eye(len(names), dtype=bool)
    return chart_of(
        "fidelity.associations",
        "heatmap",
        "Associations, real and synthetic",
        names,
        # The diagonal says nothing, and would take the darkest colour.
        {"real holdout": np.where(off, real, 0.0), "synthetic": np.where(off, own, 0.0)},
        "Association of every pair of columns in the real holdout and in the synthetic table, on one scale: Cramér's V "
        "of two categories, correlation ratio of a number and a category, Spearman's correlation of two numbers.",
    )
