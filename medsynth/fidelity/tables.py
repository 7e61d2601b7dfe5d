"""Counts cliques of columns in several samples at once, and how far apart the samples are."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison, Part
from medsynth.encoding.domain import IntArray, Level
from medsynth.fidelity.resolution import at_levels
from medsynth.inference import person_multiplicities, person_numbers

FloatArray = npt.NDArray[np.float64]
FOLDS = 8
RATIO_CLIQUES = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Rows of one table at fixed levels.

    Attributes:
      codes: (n, d) groups, one column after the other in memory.
      weights: (n,) row weights.
      folds: (n,) fold of each row's person, 0 .. FOLDS - 1.
      persons: (n,) number of each row's person.
    """

    codes: IntArray
    weights: FloatArray
    folds: npt.NDArray[np.int64]
    persons: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Distances:
    """Total variation between samples, one entry per clique.

    Attributes:
      train: Synthetic against train.
      holdout: Synthetic against holdout.
      floor_train: Independent columns against train.
      floor_holdout: Independent columns against holdout.
      second: Train against holdout: two real samples.
      peer: The same with no more rows of train than the synthetic table has: the ceiling of `holdout`.
      left_out: (2, FOLDS, cliques), the first two with one fold of persons left out.
      size_ratio: What `second` must be multiplied by to speak of a second sample as large as the synthetic one.
    """

    train: FloatArray
    holdout: FloatArray
    floor_train: FloatArray
    floor_holdout: FloatArray
    second: FloatArray
    peer: FloatArray
    left_out: FloatArray
    size_ratio: float


def sample_of(comparison: Comparison, part: Part, levels: Sequence[Level], rng: np.random.Generator) -> Sample:
    """One part of a comparison at the given levels, its persons dealt at random into folds."""
    persons = persons_of(comparison, part)
    return Sample(
        codes=at_levels(comparison.codes(part), levels),
        weights=comparison.weights(part),
        folds=dealt(persons, rng),
        persons=persons,
    )


def persons_of(comparison: Comparison, part: Part) -> npt.NDArray[np.int64]:
    """Number of each row's person, (n,); every synthetic row is a person of its own."""
    frame = comparison.frame(part)
    unit = comparison.schema.privacy.unit
    known = unit is not None and part != "synthetic" and unit in frame
    return person_numbers(frame[unit].to_numpy() if known else None, len(frame))


def dealt(persons: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Fold of each row, (n,): persons are dealt at random, all rows of one into the same."""
    deal: npt.NDArray[np.int64] = rng.permutation(int(persons.max(initial=-1)) + 1) % FOLDS
    return deal[persons]


def independent_columns(real: Sample, n: int, rng: np.random.Generator) -> Sample:
    """The floor: n rows whose columns are drawn from the real ones, each by itself."""
    codes = np.empty((n, real.codes.shape[1]), dtype=np.int32, order="F")
    for column in range(codes.shape[1]):
        shares = _shares(np.bincount(real.codes[:, column], real.weights))
        drawn = rng.multinomial(n, shares / shares.sum())
        codes[:, column] = rng.permutation(np.repeat(np.arange(len(shares), dtype=np.int32), drawn))
    nobody = np.zeros(n, dtype=np.int64)
    return Sample(codes=codes, weights=np.ones(n), folds=nobody, persons=nobody)


def cliques_of(columns: int, ways: Literal[1, 2, 3], most: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """All sets of so many columns, or a random `most` of them."""
    cliques = list(combinations(range(columns), ways))
    if len(cliques) <= most:
        return cliques
    return [cliques[chosen] for chosen in sorted(rng.choice(len(cliques), size=most, replace=False))]


def measure_distances(
    train: Sample,
    holdout: Sample,
    synthetic: Sample,
    *,
    cliques: Sequence[tuple[int, ...]],
    sizes: Sequence[int],
    rng: np.random.Generator,
) -> Distances:
    """Distances of every clique between the samples, their floor and their ceiling.

    Args:
      train: Real rows the table was made from.
      holdout: Real rows of other persons.
      synthetic: The table judged.
      cliques: Positions of the columns of each marginal.
      sizes: Groups per column.
      rng: Draws the independent columns and the bootstrap.

    Returns:
      One entry per clique.
    """
    floor = Counter(independent_columns(train, len(synthetic.codes), rng), sizes, folds=1)
    counters = [Counter(sample, sizes, folds=FOLDS) for sample in (train, holdout, synthetic)]
    fewer = _fewer(train, len(synthetic.codes), rng)
    peer = None if fewer is None else Counter(fewer, sizes, folds=1)
    plain = np.empty((6, len(cliques)))
    left_out = np.empty((2, FOLDS, len(cliques)))
    for position, clique in enumerate(cliques):
        counts = [counter.counts(clique) for counter in counters]
        plain[:, position] = _whole_distances(
            counts, _shares(floor.counts(clique)[:, 0]), None if peer is None else _shares(peer.counts(clique)[:, 0])
        )
        left_out[:, :, position] = _left_out_distances(counts)
    ratio = _size_ratio(train, len(holdout.codes), len(synthetic.codes), cliques=cliques, sizes=sizes, rng=rng)
    return Distances(
        train=plain[0],
        holdout=plain[1],
        floor_train=plain[2],
        floor_holdout=plain[3],
        second=plain[4],
        peer=plain[5],
        left_out=left_out,
        size_ratio=ratio,
    )


def _fewer(sample: Sample, n: int, rng: np.random.Generator) -> Sample | None:
    """About n rows of a sample's random persons; None where it has no more than that."""
    if len(sample.codes) <= n:
        return None
    people = int(sample.persons.max()) + 1
    kept = (rng.permutation(people) < max(1, round(people * n / len(sample.codes))))[sample.persons]
    return Sample(
        codes=sample.codes[kept],
        weights=sample.weights[kept],
        folds=sample.folds[kept],
        persons=sample.persons[kept],
    )


def _whole_distances(counts: Sequence[FloatArray], floor: FloatArray, peer: FloatArray | None) -> list[float]:
    """Synthetic and floor against train and holdout, then train and as many of its rows against holdout."""
    train, holdout, synthetic = (_shares(_whole(folds)) for folds in counts)
    pairs = ((synthetic, train), (synthetic, holdout), (floor, train), (floor, holdout), (train, holdout))
    distances = [float(total_variation(first, second)) for first, second in pairs]
    return [*distances, distances[-1] if peer is None else float(total_variation(peer, holdout))]


def _left_out_distances(counts: Sequence[FloatArray]) -> FloatArray:
    """Synthetic against train and holdout with each fold left out, (2, folds)."""
    train, holdout, synthetic = (_shares(_whole(folds)[:, None] - folds) for folds in counts)
    half = np.full(len(train), 0.5)
    return np.stack([half @ np.abs(synthetic - real) for real in (train, holdout)])


def _whole(folds: FloatArray) -> FloatArray:
    """Sums over folds; a product is several times faster than a sum along a short axis."""
    whole: FloatArray = folds @ np.ones(folds.shape[1])
    return whole


def total_variation(first: FloatArray, second: FloatArray) -> FloatArray:
    """Half the summed absolute difference of shares over the first axis.

    >>> float(total_variation(np.array([0.5, 0.5]), np.array([0.75, 0.25])))
    0.25
    """
    result: FloatArray = 0.5 * np.abs(first - second).sum(axis=0)
    return result


def shares_of(sample: Sample, clique: tuple[int, ...], sizes: Sequence[int]) -> FloatArray:
    """Weighted shares (cells,) of one clique."""
    cells = int(np.prod([sizes[column] for column in clique]))
    return _shares(np.bincount(_cells(sample.codes, clique, sizes), sample.weights, minlength=cells))


def fold_distances(
    first: Sample, second: Sample, cliques: Sequence[tuple[int, ...]], sizes: Sequence[int]
) -> FloatArray:
    """Mean distance of cliques between two samples, (1 + FOLDS,): whole, then with each fold of both left out."""
    counters = [Counter(sample, sizes, folds=FOLDS) for sample in (first, second)]
    total = np.zeros(1 + FOLDS)
    for clique in cliques:
        counts = [counter.counts(clique) for counter in counters]
        wholes = [_whole(folds)[:, None] for folds in counts]
        shares = [_shares(np.hstack([whole, whole - folds])) for whole, folds in zip(wholes, counts, strict=True)]
        total += total_variation(*shares)
    return total / len(cliques)


def _cells(codes: IntArray, clique: tuple[int, ...], sizes: Sequence[int]) -> npt.NDArray[np.intp]:
    """Row-major cell of each row, (n,)."""
    cell = codes[:, clique[0]].astype(np.intp)
    for column in clique[1:]:
        cell *= sizes[column]
        cell += codes[:, column]
    return cell


class Counter:
    """Weighted counts by fold of one clique after another, in the fewest passes over the rows.

    Columns are kept as counting takes them, a copy of each already joined with the fold; neighbouring cliques that
    begin with the same columns share the cells of these.
    """

    def __init__(self, sample: Sample, sizes: Sequence[int], *, folds: int) -> None:
        self._sizes, self._folds = sizes, folds
        self._columns = np.ascontiguousarray(sample.codes.T, dtype=np.intp)
        self._last = self._columns * folds + sample.folds if folds > 1 else self._columns
        equal = len(sample.weights) and sample.weights.min() == sample.weights.max()
        self._weight = float(sample.weights[0]) if equal else 1.0
        self._weights = None if equal else sample.weights
        self._prefix: tuple[tuple[int, ...], npt.NDArray[np.intp] | None] = ((), None)

    def counts(self, clique: tuple[int, ...]) -> FloatArray:
        """Counts (cells, folds)."""
        cell, width = self._last[clique[-1]], self._sizes[clique[-1]] * self._folds
        if clique[:-1]:
            cell = self._cells(clique[:-1]) * width
            cell += self._last[clique[-1]]
        cells = int(np.prod([self._sizes[column] for column in clique]))
        counts: FloatArray = np.bincount(cell, self._weights, minlength=cells * self._folds).astype(np.float64)
        counts *= self._weight
        return counts.reshape(cells, self._folds)

    def _cells(self, clique: tuple[int, ...]) -> npt.NDArray[np.intp]:
        """Cell of each row among the leading columns of a clique."""
        known, cells = self._prefix
        if cells is None or known != clique:
            cells = self._columns[clique[0]]
            for column in clique[1:]:
                cells = cells * self._sizes[column] + self._columns[column]
            self._prefix = clique, cells
        return cells


def _shares(counts: npt.NDArray[np.float64] | npt.NDArray[np.intp]) -> FloatArray:
    shares: FloatArray = counts / np.maximum(np.ones(len(counts)) @ counts, np.finfo(float).tiny)
    return shares


def _size_ratio(
    train: Sample,
    holdout_rows: int,
    synthetic_rows: int,
    *,
    cliques: Sequence[tuple[int, ...]],
    sizes: Sequence[int],
    rng: np.random.Generator,
) -> float:
    """Distance to a bootstrap sample of the synthetic size, over that to one of the holdout's size.

    Whole persons are drawn. Multiplying the distance of train and holdout by the ratio corrects it for the size of
    the holdout; where both have the same size it is one, up to the draw, and is then set to one.
    """
    if holdout_rows == synthetic_rows or not len(train.codes):
        return 1.0
    people = int(train.persons.max()) + 1
    draws = [
        max(1, round(people * rows / len(train.codes))) for rows in (len(train.codes), synthetic_rows, holdout_rows)
    ]
    own, large, small = (train.weights * person_multiplicities(train.persons, rng, draws=drawn) for drawn in draws)
    some = [cliques[i] for i in rng.permutation(len(cliques))[:RATIO_CLIQUES]]
    sums = np.zeros(2)
    for clique in some:
        count = int(np.prod([sizes[column] for column in clique]))
        cell = _cells(train.codes, clique, sizes)
        base, *others = (_shares(np.bincount(cell, weights, minlength=count)) for weights in (own, large, small))
        sums += [total_variation(base, other) for other in others]
    return float(sums[0] / sums[1]) if sums[1] else 1.0
