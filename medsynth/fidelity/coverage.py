"""Whether synthetic records lie where real ones do (density), and leave no real region empty (coverage)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison
from medsynth.encoding.domain import IntArray
from medsynth.fidelity.parts import (
    BoolArray,
    Rows,
    category_columns,
    empty_part,
    judged,
    no_rows,
    number_columns,
    rows_of,
    second_sample,
    thinned,
    untold,
    values_of,
)
from medsynth.fidelity.resolution import pair_level
from medsynth.fidelity.tables import FOLDS, FloatArray
from medsynth.score import Evaluation, Score

COVERAGE, DENSITY = "fidelity.coverage", "fidelity.density"
NEIGHBOURS = 5
FEWEST = 50
BLOCK = 64
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """Records as points: the distance of two is the sum over columns of how far they differ there, 0 to 1.

    Attributes:
      numbers: (n, numbers) shares of real values below, in [0, 1]; -1 where missing, which is 1 from any number.
      codes: (n, categories) groups, 0 or 1 apart.
      folds: (n,).
    """

    numbers: Floats
    codes: IntArray
    folds: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Density and coverage of nearest-neighbour balls around real holdout records (Naeem et al. 2020).

    Around each of `most` random holdout records lies a ball that reaches to its fifth nearest real neighbour.
    Coverage is the share of balls with a synthetic record inside. Density is the number of balls that a synthetic
    record lies in, over the number it would lie in if the tables were alike: about 1 then, less where records are
    implausible.

    These stand in place of alpha-precision and beta-recall (Alaa et al. 2022), which ask how far records lie from one
    centre. Among one-hot coded columns nearly all records lie equally far from it, whichever way their columns are
    combined, and a learned embedding would make the figure depend on how it was trained; balls around real records
    need neither a centre nor a trained embedding. All tables have the same number of rows, since both figures depend
    on it; rows are drawn in proportion to their weights.

    Attributes:
      most: Rows of each table compared; distances of all pairs are taken.

    Source: Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, arXiv:2002.09797.
    """

    most: int = 2000
    names: ClassVar[tuple[str, ...]] = ("coverage", "density")

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `fidelity.coverage` and `fidelity.density`, INTERNAL."""
        if (empty := empty_part(comparison)) is not None:
            return Evaluation(scores=no_rows((COVERAGE, DENSITY), empty, "higher"))
        tables = [
            rows_of(comparison, "holdout", rng),
            rows_of(comparison, "synthetic", rng),
            second_sample(comparison, rng),
        ]
        kept = [thinned(rows.weights, rng, most=self.most) for rows in tables]
        fewest = min(map(len, kept))
        if fewest < FEWEST:
            reason = f"some table has fewer than {FEWEST} records of equal weight."
            return Evaluation(scores=tuple(untold(name, "higher", reason) for name in (COVERAGE, DENSITY)))
        chosen = [rows.at(rng.permutation(places)[:fewest]) for rows, places in zip(tables, kept, strict=True)]
        real, own, second = _points(comparison, chosen)
        radii = ball_radii(real)
        judged_tables = (own, second, _independent(second, rng))
        found = [measures(real, points, radii) for points in judged_tables]
        return Evaluation(scores=_scores(fewest, *found))


def _points(comparison: Comparison, tables: list[Rows]) -> list[Points]:
    numbered, listed = number_columns(comparison), category_columns(comparison)
    levels = [pair_level(comparison.domain.attributes[at]) for at in listed]
    columns = [_ranked([values_of(comparison, rows, at) for rows in tables]) for at in numbered]
    points = []
    for table, rows in enumerate(tables):
        numbers = [column[table] for column in columns]
        codes = [
            level.groups[comparison.codes(rows.part)[rows.places, at]] for at, level in zip(listed, levels, strict=True)
        ]
        shape = (len(rows.places), 0)
        points.append(
            Points(
                numbers=np.asfortranarray(np.column_stack(numbers), dtype=np.float32)
                if numbers
                else np.empty(shape, dtype=np.float32),
                codes=np.asfortranarray(np.column_stack(codes)) if codes else np.empty(shape, dtype=np.int32),
                folds=rows.folds,
            )
        )
    return points


def _ranked(values: list[FloatArray]) -> list[FloatArray]:
    """Share of the first table's known values below each value, ties at their middle; -1 where missing."""
    known = np.sort(values[0][~np.isnan(values[0])])
    ranked = []
    for one in values:
        below, upto = (np.searchsorted(known, one, side=side) for side in ("left", "right"))
        ranked.append(np.where(np.isnan(one), -1.0, (below + upto) / 2 / max(1, len(known))))
    return ranked


def _independent(table: Points, rng: np.random.Generator) -> Points:
    return Points(
        numbers=rng.permuted(table.numbers, axis=0), codes=rng.permuted(table.codes, axis=0), folds=table.folds
    )


def distances(first: Points, second: Points) -> Floats:
    """Distances (n, m) of all records of two tables."""
    apart = np.zeros((len(first.folds), len(second.folds)), dtype=np.float32)
    for start in range(0, len(apart), BLOCK):  # a block fits in a processor's cache
        block = slice(start, start + BLOCK)
        _add_distances(apart[block], first.numbers[block], first.codes[block], second)
    return apart


def _add_distances(apart: Floats, numbers: Floats, codes: IntArray, second: Points) -> None:
    differs, gap = np.empty(apart.shape, dtype=bool), np.empty_like(apart)
    count = np.zeros(apart.shape, dtype=np.int16)
    for own, other in zip(codes.T, second.codes.T, strict=True):
        count += np.not_equal(own[:, None], other, out=differs).view(np.int8)
    apart += count
    for own, other in zip(numbers.T, second.numbers.T, strict=True):
        np.abs(np.subtract(own[:, None], other, out=gap), out=gap)
        if own.min() < 0 or other.min() < 0:
            gap[(own < 0)[:, None] != (other < 0)] = 1.0
        apart += gap


def ball_radii(real: Points, neighbours: int = NEIGHBOURS) -> Floats:
    """Distance (n,) of each record to its so manieth nearest other record."""
    apart = distances(real, real)
    np.fill_diagonal(apart, np.inf)
    radii: Floats = np.partition(apart, neighbours - 1, axis=1)[:, neighbours - 1]
    return radii


def measures(real: Points, other: Points, radii: Floats, neighbours: int = NEIGHBOURS) -> FloatArray:
    """Coverage and density, (2, 1 + FOLDS): on the whole, and without each fold of both tables."""
    inside: BoolArray = distances(real, other) <= radii[:, None] + np.float32(1e-6)
    by_fold = inside.astype(np.float32) @ np.eye(FOLDS, dtype=np.float32)[other.folds]
    found = np.empty((2, 1 + FOLDS))
    for fold in range(-1, FOLDS):
        held = by_fold[real.folds != fold].sum(axis=1) - (by_fold[real.folds != fold, fold] if fold >= 0 else 0.0)
        records = max(1, int((other.folds != fold).sum()))
        found[:, fold + 1] = (held > 0).mean(), held.sum() / (neighbours * records)
    return found


def _scores(rows: int, own: FloatArray, second: FloatArray, floor: FloatArray) -> tuple[Score, ...]:
    tellers = (
        "Around each of {rows:,} real holdout records, up to its fifth nearest real neighbour, {value:.1%} of regions "
        "hold one of as many synthetic records (coverage; 95 % interval {low:.1%} to {high:.1%}). A second real sample "
        "reaches {ceiling:.1%}, independent columns {floor:.1%}.",
        "Synthetic records lie in {value:.2f} times as many such regions around real holdout records as they would if "
        "the tables were alike (density; 95 % interval {low:.2f} to {high:.2f}). A second real sample scores "
        "{ceiling:.2f}, independent columns {floor:.2f}.",
    )
    return tuple(
        judged(
            name,
            own[row],
            baseline=float(floor[row, 0]),
            ceiling=float(second[row, 0]),
            better="higher",
            highest=1.0 if name == COVERAGE else None,
            sentence=tellers[row],
            words={"rows": rows},
        )
        for row, name in enumerate((COVERAGE, DENSITY))
    )
