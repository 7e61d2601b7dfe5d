"""How far synthetic 1-, 2- and 3-way tables lie from the real ones, between floor and ceiling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.encoding.domain import Level
from medsynth.fidelity.overlays import column_overlays
from medsynth.fidelity.resolution import pair_level, triple_level
from medsynth.fidelity.tables import Distances, FloatArray, cliques_of, measure_distances, sample_of
from medsynth.inference import jackknife_error
from medsynth.score import Chart, Edition, Evaluation, Score

Ways = Literal[1, 2, 3]
Cliques = Sequence[tuple[int, ...]]
WORDS: Mapping[int, str] = {1: "single columns", 2: "pairs of columns", 3: "triples of columns"}
SHOWN_PAIRS = 12


@dataclass(frozen=True, kw_only=True)
class Marginals:
    """Mean total variation distance of weighted 1-, 2- and 3-way tables, against train and holdout.

    The levels at which columns are compared are fixed by the schema (`fidelity.resolution`). The floor is independent
    columns drawn from train, as many rows as the synthetic table has. The ceiling is a second real sample: against
    the holdout, the training table itself, or persons of it with as many rows as the synthetic table has where that
    is fewer; against train, the holdout, its distance corrected for its size by a person bootstrap. Intervals leave
    out one eighth of the persons of every table at a time.

    Attributes:
      most_cliques: Sets of columns compared per number of columns; a fixed random choice where there are more. Pairs
        are never left out.
    """

    most_cliques: int = 500
    names: ClassVar[tuple[str, ...]] = ("tv1", "tv2", "tv3")

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `fidelity.tv{1,2,3}.{train,holdout}` and their charts, all INTERNAL."""
        empty = [part for part in ("train", "holdout", "synthetic") if not comparison.weights(part).sum() > 0]
        if empty:
            return Evaluation(
                scores=tuple(_untold(ways, against, empty[0]) for ways in (1, 2, 3) for against in ("train", "holdout"))
            )
        scores: list[Score] = []
        found: dict[int, tuple[Cliques, Distances]] = {}
        for ways in (1, 2, 3):
            if ways > len(comparison.domain):
                break
            found[ways] = self._distances(comparison, ways, rng)
            scores += [_score(ways, against, *found[ways]) for against in ("train", "holdout")]
        charts = column_overlays(comparison, found[1][1].train)
        if 2 in found:
            names = comparison.domain.names
            charts = (_worst_pairs(names, *found[2]), _pair_heatmap(names, *found[2]), *charts)
        return Evaluation(scores=tuple(scores), charts=charts)

    def _distances(self, comparison: Comparison, ways: Ways, rng: np.random.Generator) -> tuple[Cliques, Distances]:
        level_of = triple_level if ways == 3 else pair_level
        levels: list[Level] = [level_of(attribute) for attribute in comparison.domain.attributes]
        train, holdout, synthetic = (
            sample_of(comparison, part, levels, rng) for part in ("train", "holdout", "synthetic")
        )
        most = self.most_cliques if ways == 3 else len(levels) ** 2
        cliques = cliques_of(len(levels), ways, most, rng)
        sizes = [level.size for level in levels]
        return cliques, measure_distances(train, holdout, synthetic, cliques=cliques, sizes=sizes, rng=rng)


def _score(ways: int, against: str, cliques: Cliques, distances: Distances) -> Score:
    on_train = against == "train"
    own, floors = (distances.train, distances.floor_train) if on_train else (distances.holdout, distances.floor_holdout)
    value, floor = float(own.mean()), float(floors.mean())
    ceiling = float(distances.second.mean()) * distances.size_ratio if on_train else float(distances.peer.mean())
    half = 1.96 * jackknife_error(distances.left_out[0 if on_train else 1].mean(axis=1))
    low, high = max(0.0, value - half), min(1.0, value + half)
    return Score(
        name=f"fidelity.tv{ways}.{against}",
        value=value,
        low=low,
        high=high,
        baseline=floor,
        ceiling=ceiling,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=_sentence(f"{len(cliques):,} {WORDS[ways]}", against, value, (low, high), floor, ceiling),
    )


def _sentence(
    what: str,
    against: str,
    value: float,
    interval: tuple[float, float],
    floor: float,
    ceiling: float,
) -> str:
    table = "the training table" if against == "train" else "a real holdout of other persons"
    sentence = (
        f"Averaged over {what}, {value:.2%} of rows would have to change for the synthetic table to agree with "
        f"{table} (total variation; 95 % interval {interval[0]:.2%} to {interval[1]:.2%}). Independent columns "
        f"would score {floor:.2%}, a second real sample {ceiling:.2%}."
    )
    if against == "train" and value < ceiling:
        sentence += (
            " Below the second real sample, the table repeats this sample and not only the "
            "population: judge by the holdout."
        )
    return sentence


def _untold(ways: int, against: str, part: str) -> Score:
    return Score(
        name=f"fidelity.tv{ways}.{against}",
        value=None,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"The distance cannot be told: the {part} table has no rows.",
    )


def _worst_pairs(names: tuple[str, ...], cliques: Cliques, distances: Distances) -> Chart:
    """The pairs that lie furthest beyond what a second real sample shows."""
    worst = np.argsort(distances.peer - distances.holdout, kind="stable")[:SHOWN_PAIRS]
    errors = np.array([jackknife_error(distances.left_out[1, :, pair]) for pair in worst])
    value = distances.holdout[worst]
    arrays: dict[str, FloatArray] = {
        "value": value,
        "low": np.clip(value - 1.96 * errors, 0, 1),
        "high": np.clip(value + 1.96 * errors, 0, 1),
        "baseline": distances.floor_holdout[worst],
        "ceiling": distances.peer[worst],
    }
    return Chart(
        name="fidelity.worst_pairs",
        kind="intervals",
        title="Worst pairs of columns",
        labels=tuple(f"{names[cliques[pair][0]]}, {names[cliques[pair][1]]}" for pair in worst),
        arrays={key: tuple(map(float, series)) for key, series in arrays.items()},
        edition=Edition.INTERNAL,
        sentence=(
            "Total variation distance to the holdout of the pairs that lie furthest beyond a second real sample; "
            "marks show independent columns (baseline) and the training table (ceiling)."
        ),
    )


def _pair_heatmap(names: tuple[str, ...], cliques: Cliques, distances: Distances) -> Chart:
    matrix = np.zeros((len(names), len(names)))
    for (first, second), distance in zip(cliques, distances.train, strict=True):
        matrix[first, second] = matrix[second, first] = distance
    return Chart(
        name="fidelity.pairs",
        kind="heatmap",
        title="Distance of every pair of columns",
        labels=names,
        arrays={"matrix": tuple(map(float, matrix.ravel()))},
        edition=Edition.INTERNAL,
        sentence=(
            "Total variation distance between synthetic and training table for every pair of columns; the largest "
            f"is {distances.train.max():.3f}, the middle one {np.median(distances.train):.3f}."
        ),
    )
