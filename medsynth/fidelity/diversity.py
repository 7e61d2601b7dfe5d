"""How much of the real variety occurs in the synthetic table: common combinations of values, and rare levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.encoding.domain import IntArray
from medsynth.fidelity.resolution import at_levels, pair_level, triple_level
from medsynth.fidelity.tables import FloatArray, cliques_of
from medsynth.score import Edition, Evaluation, Score

RARE_LEVEL = 0.01
"""A level is rare that fewer of the held-out persons have."""


@dataclass(frozen=True, kw_only=True)
class Diversity:
    """Coverage of held-out records, and recall of rare levels, both by occurrence alone.

    The ceiling is a second real sample: as many rows of the training table as the synthetic one has, or all of them.
    A table that collapsed to its modes, or lost its rare levels to rounding, falls below it.

    Attributes:
      most_cliques: Sets of three columns that are looked at; a fixed random choice where there are more.
    """

    most_cliques: int = 300
    names: ClassVar[tuple[str, ...]] = ("coverage", "rare_levels")

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `fidelity.diversity.{coverage,rare_levels}`, INTERNAL."""
        second = np.sort(rng.permutation(len(comparison.train))[: len(comparison.synthetic)])
        if not comparison.weights("holdout").sum() > 0:
            return Evaluation(scores=tuple(_score(name, None, None, rows=0) for name in self.names))
        columns = len(comparison.domain)
        cliques = cliques_of(columns, 3 if columns > 2 else 1, self.most_cliques, rng)
        synthetic, real = comparison.codes("synthetic"), comparison.codes("train")[second]
        coverage = [_coverage(comparison, codes, cliques) for codes in (synthetic, real)]
        recall = [_rare_levels(comparison, codes) for codes in (synthetic, real)]
        return Evaluation(
            scores=(
                _score("coverage", coverage[0], coverage[1], rows=len(second)),
                _score("rare_levels", recall[0], recall[1], rows=len(second)),
            )
        )


def _coverage(comparison: Comparison, codes: IntArray, cliques: Sequence[tuple[int, ...]]) -> float:
    """Part of the held-out weight that lies in cells which some row occupies, averaged over sets of columns."""
    levels = [triple_level(attribute) for attribute in comparison.domain.attributes]
    real, drawn = at_levels(comparison.codes("holdout"), levels), at_levels(codes, levels)
    weights = comparison.weights("holdout")
    shares = [covered(_cells(real, drawn, [levels[k].size for k in clique], clique), weights) for clique in cliques]
    return float(np.mean(shares))


def covered(cells: tuple[IntArray, IntArray], weights: FloatArray) -> float:
    """Weight of the first cells that are among the second.

    >>> covered((np.array([0, 0, 1, 2]), np.array([0, 2])), np.ones(4))
    0.75
    """
    real, drawn = cells
    return float(weights[np.isin(real, drawn)].sum() / weights.sum())


def _cells(real: IntArray, drawn: IntArray, sizes: Sequence[int], clique: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """Row-major cell of each row, in both tables."""
    return tuple(  # type: ignore[return-value]
        np.ravel_multi_index(tuple(codes[:, column] for column in clique), tuple(sizes)) for codes in (real, drawn)
    )


def _rare_levels(comparison: Comparison, codes: IntArray) -> float | None:
    """Part of the rare levels of held-out records that some row has; None where no level is rare."""
    levels = [pair_level(attribute) for attribute in comparison.domain.attributes]
    real, drawn = at_levels(comparison.codes("holdout"), levels), at_levels(codes, levels)
    weights, found = comparison.weights("holdout"), []
    for column, level in enumerate(levels):
        share = np.bincount(real[:, column], weights, level.size) / weights.sum()
        rare = (share > 0) & (share < RARE_LEVEL)
        found.append(np.bincount(drawn[:, column], minlength=level.size)[rare] > 0)
    recalled = np.concatenate([np.zeros(0, dtype=bool), *found])
    return float(recalled.mean()) if len(recalled) else None


def _score(name: str, value: float | None, ceiling: float | None, *, rows: int) -> Score:
    what = {
        "coverage": "of held-out records have a synthetic record with the same values in three columns, on average "
        "over sets of three columns",
        "rare_levels": f"of the levels that fewer than {RARE_LEVEL:.0%} of held-out persons have occur in the table",
    }[name]
    sentence = f"It cannot be told what part {what}." if value is None else f"{value:.1%} {what}."
    if value is not None and ceiling is not None:
        sentence += f" Of {rows:,} real records the figure would be {ceiling:.1%}."
    return Score(
        name=f"fidelity.diversity.{name}",
        value=value,
        ceiling=ceiling,
        better="higher",
        edition=Edition.INTERNAL,
        sentence=sentence,
    )
