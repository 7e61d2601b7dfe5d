"""Weighted measures of association of any two columns, on a whole table and without each fold of persons."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison
from medsynth.encoding.domain import IntArray
from medsynth.fidelity.parts import Rows, category_columns, left_out, number_columns, values_of
from medsynth.fidelity.resolution import pair_level
from medsynth.fidelity.tables import FOLDS, Counter, FloatArray, Sample

TINY = np.finfo(float).tiny


@dataclass(frozen=True, kw_only=True, eq=False)
class Columns:
    """A table prepared for measures of association.

    Attributes:
      ranks: (n, numbers) centred weighted midranks as shares of the known rows, 0 where missing.
      known: (n, numbers) 1.0 where a number is known, else 0.0.
      codes: (n, categories) groups.
      sizes: Groups of each category.
      places: Position in the table of each number, then of each category.
      weights: (n,).
      folds: (n,).
    """

    ranks: FloatArray
    known: FloatArray
    codes: IntArray
    sizes: tuple[int, ...]
    places: tuple[int, ...]
    weights: FloatArray
    folds: npt.NDArray[np.int64]


def columns_of(comparison: Comparison, rows: Rows) -> Columns:
    """Ranks of numbers, groups of categories."""
    numbered, listed = number_columns(comparison), category_columns(comparison)
    ranks, known = np.zeros((2, len(rows.places), len(numbered)), order="F")
    for column, position in enumerate(numbered):
        values = values_of(comparison, rows, position)
        known[:, column] = ~np.isnan(values)
        ranks[:, column] = weighted_ranks(values, rows.weights)
    levels = [pair_level(comparison.domain.attributes[position]) for position in listed]
    codes = np.zeros((len(rows.places), len(listed)), dtype=np.int32, order="F")
    for column, (position, level) in enumerate(zip(listed, levels, strict=True)):
        codes[:, column] = level.groups[comparison.codes(rows.part)[rows.places, position]]
    return Columns(
        ranks=ranks,
        known=known,
        codes=codes,
        sizes=tuple(level.size for level in levels),
        places=numbered + listed,
        weights=rows.weights,
        folds=rows.folds,
    )


def weighted_ranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Shares of the known weight below each value, ties at their middle, less one half; 0 where missing.

    >>> weighted_ranks(np.array([5.0, 7.0, np.nan, 7.0]), np.ones(4)).round(3).tolist()
    [-0.333, 0.167, 0.0, 0.167]
    """
    known = ~np.isnan(values)
    ranks = np.zeros(len(values))
    if known.any():
        distinct, place = np.unique(values[known], return_inverse=True)
        mass = np.bincount(place, weights[known], minlength=len(distinct))
        ranks[known] = ((np.cumsum(mass) - mass / 2) / max(float(mass.sum()), TINY) - 0.5)[place]
    return ranks


def independent(table: Columns, n: int, rng: np.random.Generator) -> Columns:
    """Makes n rows, each column drawn from the table by itself."""
    drawn = rng.choice(len(table.weights), size=n, p=table.weights / table.weights.sum())
    numbers = [rng.permutation(drawn) for _ in range(table.ranks.shape[1])]
    listed = [rng.permutation(drawn) for _ in table.sizes]
    return Columns(
        ranks=_picked(table.ranks, numbers, n),
        known=_picked(table.known, numbers, n),
        codes=_picked(table.codes, listed, n),
        sizes=table.sizes,
        places=table.places,
        weights=np.ones(n),
        folds=np.arange(n) % FOLDS,
    )


def _picked(columns: npt.NDArray[Any], rows: list[npt.NDArray[np.int64]], n: int) -> npt.NDArray[Any]:
    chosen = np.empty((n, len(rows)), dtype=columns.dtype, order="F")
    for column, own in enumerate(rows):
        chosen[:, column] = columns[own, column]
    return chosen


def association_matrix(table: Columns, *, folds: bool = False) -> FloatArray:
    """Associations (d, d, 1) of all pairs of columns in table order, or (d, d, 1 + FOLDS) with each fold left out.

    The diagonal is zero, and so is what a constant column has in common with another.

    Source: Bergsma (2013), doi:10.1016/j.jkss.2012.10.002, for Cramér's V; Kelley (1935), doi:10.1073/pnas.21.9.554,
      for the correlation ratio. Both corrections use Kish's effective number of rows.
    """
    grouped = _Grouped.of(table, folds=folds)
    numbers, width = table.ranks.shape[1], len(table.places)
    found = np.zeros((width, width, 1 + FOLDS if folds else 1))
    if numbers:
        found[:numbers, :numbers] = grouped.spearman()
    for category in range(len(table.sizes)):
        if numbers:
            found[:numbers, numbers + category] = grouped.correlation_ratios(category)
        for other in range(category + 1, len(table.sizes)):  # one first column after another: see Counter
            found[numbers + category, numbers + other] = grouped.cramer(category, other)
    rows, columns = np.triu_indices(width, 1)
    places = np.array(table.places)
    matrix = np.zeros_like(found)
    matrix[places[rows], places[columns]] = matrix[places[columns], places[rows]] = found[rows, columns]
    return matrix


@dataclass(frozen=True, kw_only=True, eq=False)
class _Grouped:
    """A table whose sums are taken on the whole, and without each of its folds if there are several."""

    table: Columns
    group: npt.NDArray[np.int64]
    parts: int
    size: FloatArray
    """Effective number of rows, (1,) or (1 + FOLDS,)."""

    @classmethod
    def of(cls, table: Columns, *, folds: bool) -> "_Grouped":
        group = table.folds if folds else np.zeros(len(table.folds), dtype=np.int64)
        parts = FOLDS if folds else 1
        sums = [np.bincount(group, mass, minlength=parts) for mass in (table.weights, table.weights**2)]
        mass, squares = (_totals(one.astype(np.float64)) for one in sums)
        return cls(table=table, group=group, parts=parts, size=mass**2 / np.maximum(squares, TINY))

    def spearman(self) -> FloatArray:
        """Correlations (numbers, numbers, ...) of ranks over the rows in which both numbers are known."""
        ranks, known, weights = self.table.ranks, self.table.known, self.table.weights
        count = ranks.shape[1]
        sums = np.zeros((4, count, count, self.parts))
        for part in range(self.parts):
            inside = self.group == part
            own, seen, mass = ranks[inside], known[inside], weights[inside, None]
            for row, (left, right) in enumerate(((seen, seen), (own, seen), (own**2, seen), (own, own))):
                sums[row, :, :, part] = (left * mass).T @ right
        n, first, squares, products = _totals(sums)
        second, others = first.transpose(1, 0, 2), squares.transpose(1, 0, 2)
        spread = (n * squares - first**2) * (n * others - second**2)
        shared = (n * products - first * second) / np.sqrt(np.maximum(spread, TINY))
        correlations: FloatArray = np.where(spread > 1e-12 * n**4, np.clip(shared, -1, 1), 0.0)
        return correlations

    @cached_property
    def _numbers(self) -> tuple[tuple[FloatArray, FloatArray, FloatArray, FloatArray], ...]:
        """Of each number: mass and mass times rank by row; sum of squared ranks and effective number of known rows."""
        table, found = self.table, []
        everyone = self._totals_of(table.weights)
        for number in range(table.ranks.shape[1]):
            mass, ranks = table.weights * table.known[:, number], table.ranks[:, number]
            known = self.size * self._totals_of(mass) / np.maximum(everyone, TINY)
            found.append((mass, mass * ranks, self._totals_of(mass * ranks**2), known))
        return tuple(found)

    def _totals_of(self, mass: FloatArray) -> FloatArray:
        return _totals(np.bincount(self.group, mass, minlength=self.parts).astype(np.float64))

    def correlation_ratios(self, category: int) -> FloatArray:
        """Of each number (numbers, ...): the root of the share of its rank variance between groups, corrected."""
        size = self.table.sizes[category]
        index = self.table.codes[:, category].astype(np.intp) * self.parts + self.group
        ratios = np.zeros((len(self._numbers), len(self.size)))
        for number, (mass, ranks, squares, known) in enumerate(self._numbers):
            counts, sums = (
                _totals(np.bincount(index, one, minlength=size * self.parts).astype(np.float64).reshape(size, -1))
                for one in (mass, ranks)
            )
            n, total = counts.sum(axis=0), sums.sum(axis=0)
            level = total**2 / np.maximum(n, TINY)
            between = (sums**2 / np.maximum(counts, TINY)).sum(axis=0) - level
            spread = squares - level
            share = between / np.maximum(spread, TINY)
            corrected = 1 - (1 - share) * (known - 1) / np.maximum(known - (counts > 0).sum(axis=0), 1.0)
            ratios[number] = np.where(spread > 1e-12 * n, np.sqrt(np.clip(corrected, 0.0, 1.0)), 0.0)
        return ratios

    def cramer(self, first: int, second: int) -> FloatArray:
        """Bias-corrected Cramér's V, (...)."""
        sizes = self.table.sizes[first], self.table.sizes[second]
        counts = _totals(self._counter.counts((first, second)))
        return cramers_v(counts.reshape(*sizes, -1), self.size)

    @cached_property
    def _counter(self) -> Counter:
        table = self.table
        nobody = np.zeros(0, dtype=np.int64)
        sample = Sample(codes=table.codes, weights=table.weights, folds=self.group, persons=nobody)
        return Counter(sample, table.sizes, folds=self.parts)


def cramers_v(counts: FloatArray, size: FloatArray) -> FloatArray:
    """Bias-corrected Cramér's V of cross tables (rows, columns, k), (k,).

    Args:
      counts: Weighted counts.
      size: (k,) numbers of rows.

    >>> cramers_v(np.array([[30.0, 10.0], [10.0, 30.0]])[..., None], np.array([80.0])).round(3).tolist()
    [0.49]
    """
    shares = counts / np.maximum(counts.sum(axis=(0, 1)), TINY)
    rows, columns = shares.sum(axis=1, keepdims=True), shares.sum(axis=0, keepdims=True)
    mean_square = (shares**2 / np.maximum(rows * columns, TINY)).sum(axis=(0, 1)) - 1
    kinds = [(margin > 0).sum(axis=(0, 1)).astype(np.float64) for margin in (rows, columns)]
    less = np.maximum(size - 1, 1.0)
    square = np.maximum(0.0, mean_square - (kinds[0] - 1) * (kinds[1] - 1) / less)
    narrowed = np.minimum(*(kind - 1 - (kind - 1) ** 2 / less for kind in kinds))
    return np.where(narrowed > 1e-9, np.sqrt(np.minimum(square / np.maximum(narrowed, 1e-9), 1.0)), 0.0)


def _totals(folds: FloatArray) -> FloatArray:
    """The last axis of folds as the whole, followed by what is left without each if there are several."""
    return left_out(folds) if folds.shape[-1] > 1 else folds
