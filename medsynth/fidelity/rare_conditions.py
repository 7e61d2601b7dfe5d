"""Whether people with a declared rare condition are there, and look like the real ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.resolution import at_levels, pair_level
from medsynth.fidelity.tables import FloatArray, Sample, cliques_of, shares_of, total_variation
from medsynth.inference import wilson_interval
from medsynth.schema import Rare
from medsynth.score import Edition, Evaluation, Score

BoolArray = npt.NDArray[np.bool_]
PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")
FEWEST = 20
"""Fewer rows than this with the condition, real or synthetic, and its tables are not compared."""


@dataclass(frozen=True, kw_only=True)
class RareConditions:
    """Shares of every declared rare condition, and the error of its tables among rows that have it.

    Within the condition the synthetic rows are compared with the training rows: all columns by themselves, and pairs
    of the condition's `keep_with` columns. The floor is synthetic rows taken without regard to the condition; the
    ceiling is the holdout's rows with the condition, fewer than train's, so a good table may score below it.
    """

    names: ClassVar[tuple[str, ...]] = ("rare",)

    def evaluate(
        self,
        comparison: Comparison,
        rng: np.random.Generator,  # noqa: ARG002 - part of the protocol, nothing is drawn here
    ) -> Evaluation:
        """Scores `rare.NAME.share.*` and `rare.NAME.tv{1,2}.train`."""
        scores: list[Score] = []
        for rare in comparison.schema.rare:
            predicate = comparison.schema.rare_predicates[rare.name]
            masks = {part: predicate.evaluate(comparison.frame(part), comparison.schema) for part in PARTS}
            scores += _shares(comparison, rare.name, tuple(sorted(predicate.columns)), masks)
            scores += [
                _error(comparison, rare, masks, ways) for ways in ((1, 2) if len(_kept(comparison, rare)) > 1 else (1,))
            ]
        return Evaluation(scores=tuple(scores))


def _shares(
    comparison: Comparison, name: str, columns: tuple[str, ...], masks: Mapping[Part, BoolArray]
) -> list[Score]:
    """What each table shows: the released one as it is and with its weights, the real ones."""
    mask, weights = masks["synthetic"], comparison.synthetic_weights
    raw, restored = weighted_share(mask, np.ones(len(mask))), weighted_share(mask, weights)
    upsampled = " before weighting; the rows were upsampled on purpose"
    note = "" if np.allclose(weights, weights[:1]) else upsampled
    told = {
        "synthetic": (raw, f"{raw[0]:.3%} of the synthetic rows have '{name}'{note}."),
        "synthetic_weighted": (
            restored,
            f"With their weights, {restored[0]:.3%} of the synthetic rows have '{name}'.",
        ),
    }
    real: tuple[Part, ...] = ("train", "holdout")
    for part in real:
        share = weighted_share(masks[part], comparison.weights(part))
        sentence = f"{share[0]:.3%} of the {part} table has '{name}' (weighted by person)."
        told[part] = (share, sentence)
    return [_share_score(name, which, columns, share, sentence) for which, (share, sentence) in told.items()]


def _share_score(
    name: str,
    which: str,
    columns: tuple[str, ...],
    share: tuple[float, float, float],
    sentence: str,
) -> Score:
    value, low, high = share
    return Score(
        name=f"rare.{name}.share.{which}",
        value=value,
        low=low,
        high=high,
        better="higher",
        edition=Edition.SHAREABLE if which.startswith("synthetic") else Edition.INTERNAL,
        columns=columns,
        sentence=sentence,
    )


def weighted_share(mask: BoolArray, weights: FloatArray) -> tuple[float, float, float]:
    """A weighted share; Wilson interval of as many rows as the weights are worth (Kish 1965)."""
    total = float(weights.sum())
    if not total > 0:
        return 0.0, 0.0, 1.0
    share = float(weights[mask].sum() / total)
    worth = max(1, round(total**2 / float((weights**2).sum())))
    low, high = wilson_interval(min(worth, round(share * worth)), worth)
    return share, min(low, share), max(high, share)


def _kept(comparison: Comparison, rare: Rare) -> list[int]:
    return [comparison.domain.index(name) for name in rare.keep_with if name in comparison.domain]


def _error(comparison: Comparison, rare: Rare, masks: Mapping[Part, BoolArray], ways: int) -> Score:
    """Mean distance within the condition over all columns (1) or `keep_with` pairs (2)."""
    rows = {part: int((mask & (comparison.weights(part) > 0)).sum()) for part, mask in masks.items()}
    if min(rows["train"], rows["synthetic"]) < FEWEST:
        return _too_few(rare.name, ways)
    positions = list(range(len(comparison.domain))) if ways == 1 else _kept(comparison, rare)
    pick = cliques_of(len(positions), 1 if ways == 1 else 2, len(positions) ** 2, np.random.default_rng(0))
    cliques = [tuple(positions[column] for column in clique) for clique in pick]
    everyone = np.ones(len(comparison.synthetic), dtype=bool)
    value = _mean_distance(comparison, cliques, "synthetic", masks["synthetic"], masks["train"])
    floor = _mean_distance(comparison, cliques, "synthetic", everyone, masks["train"])
    ceiling = (
        _mean_distance(comparison, cliques, "holdout", masks["holdout"], masks["train"])
        if rows["holdout"] >= FEWEST
        else None
    )
    return _error_score(rare.name, ways, value, floor, ceiling)


def _error_score(name: str, ways: int, value: float, floor: float, ceiling: float | None) -> Score:
    what = "single columns" if ways == 1 else "pairs of its declared companion columns"
    second = "" if ceiling is None else f", the holdout's own rows with it {ceiling:.2%}"
    return Score(
        name=f"rare.{name}.tv{ways}.train",
        value=value,
        baseline=floor,
        ceiling=ceiling,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=(
            f"Among rows with '{name}', {what} of the synthetic table differ from train by {value:.2%} on average "
            "(total variation); synthetic rows taken without regard to the condition would score "
            f"{floor:.2%}{second}."
        ),
    )


def _too_few(name: str, ways: int) -> Score:
    return Score(
        name=f"rare.{name}.tv{ways}.train",
        value=None,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=(f"Too few rows have '{name}' to compare their tables (fewer than {FEWEST} in train or synthetic)."),
    )


def _mean_distance(
    comparison: Comparison,
    cliques: Sequence[tuple[int, ...]],
    part: Part,
    mask: BoolArray,
    train: BoolArray,
) -> float:
    levels = [pair_level(attribute) for attribute in comparison.domain.attributes]
    sizes = [level.size for level in levels]
    compared: tuple[tuple[Part, BoolArray], ...] = ((part, mask), ("train", train))
    samples = [
        _rows(at_levels(comparison.codes(which)[kept], levels), comparison.weights(which)[kept])
        for which, kept in compared
    ]
    distances = [total_variation(*(shares_of(sample, clique, sizes) for sample in samples)) for clique in cliques]
    return float(np.mean(distances))


def _rows(codes: npt.NDArray[np.int32], weights: FloatArray) -> Sample:
    nobody = np.zeros(len(codes), dtype=np.int64)
    return Sample(codes=codes, weights=weights, folds=nobody, persons=nobody)
