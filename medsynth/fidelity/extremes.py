"""What lies at the edges: levels that few real rows hold, and the tails of numbers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.parts import (
    SHOWN,
    BoolArray,
    Rows,
    category_columns,
    chart_of,
    empty_part,
    judged,
    left_out,
    no_rows,
    number_columns,
    rows_of,
    second_sample,
    untold,
    values_of,
)
from medsynth.fidelity.tables import FloatArray
from medsynth.score import Evaluation, Score

RARE = 0.01
"""A level is rare, and a tail begins, at this share of the real rows."""
RECALL, STRANGE, TAILS = "fidelity.rare_levels.found", "fidelity.rare_levels.strange", "fidelity.tails.kept"
NONE_RARE = f"no level of a category is held by fewer than {RARE:.0%} of real holdout rows."
SOURCES = ("holdout", "synthetic", "second real sample")


@dataclass(frozen=True, kw_only=True)
class Extremes:
    """Rare levels found and invented, and how much of the tails of numbers is kept, beside the holdout.

    A level is one value of a category or one code, missing left out; it is rare where at least one, but less than
    1 % of the holdout's weight holds it. Tails are what lies below the holdout's 1st and above its 99th percentile,
    each compared with the holdout's own share there, which ties can make smaller than 1 %. The floor of what is
    found is a table of common levels alone, that of what is strange a table with every level of the schema, that of
    tails a table without them.
    """

    names: ClassVar[tuple[str, ...]] = ("rare_levels", "tails")

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `fidelity.rare_levels.{found,strange}`, `fidelity.tails.kept` and a chart of each, all INTERNAL."""
        listed, numbered = category_columns(comparison), number_columns(comparison)
        if (empty := empty_part(comparison)) is not None:
            names = ((RECALL, STRANGE) if listed else ()) + ((TAILS,) if numbered else ())
            return Evaluation(scores=no_rows(names, empty))
        tables = (
            rows_of(comparison, "holdout", rng),
            rows_of(comparison, "synthetic", rng),
            second_sample(comparison, rng),
        )
        found = []
        if listed:
            found.append(_rare_levels(comparison, listed, tables))
        if numbered:
            found.append(_tails(comparison, numbered, tables))
        return Evaluation(
            scores=tuple(score for one in found for score in one.scores),
            charts=tuple(chart for one in found for chart in one.charts),
        )


def _rare_levels(comparison: Comparison, listed: tuple[int, ...], tables: tuple[Rows, ...]) -> Evaluation:
    """Both figures of levels, all columns together."""
    shares = [[_level_shares(comparison, rows, at) for at in listed] for rows in tables]
    real, own, second = (np.concatenate(columns) for columns in shares)
    rare = (real[:, 0] > 0) & (real[:, 0] < RARE)
    if not rare.any():
        return Evaluation(scores=(untold(RECALL, "higher", NONE_RARE), untold(STRANGE, "lower", NONE_RARE)))
    starts = np.cumsum([0, *(len(column) for column in shares[0])])
    owner = np.repeat(np.arange(len(listed)), np.diff(starts))
    counts = {
        source: np.bincount(owner[rare & (levels[:, 0] > 0)], minlength=len(listed)).astype(np.float64)
        for source, levels in zip(SOURCES, (real, own, second), strict=True)
    }
    order = np.argsort(counts["synthetic"] - counts["holdout"], kind="stable")
    order = order[counts["holdout"][order] > 0][:SHOWN]
    chart = chart_of(
        "fidelity.rare_levels",
        "overlay",
        "Rare levels by column",
        tuple(comparison.domain.names[listed[at]] for at in order),
        {source: count[order] for source, count in counts.items()},
        "Levels held by fewer than 1 % of holdout rows: how many there are, how many the synthetic table and a second "
        "real sample hold; columns that lack most first.",
    )
    return Evaluation(scores=(_recall(rare, own, second), _strange(real, own, second)), charts=(chart,))


def _level_shares(comparison: Comparison, rows: Rows, position: int) -> FloatArray:
    """Shares (levels, 1 + FOLDS) of the levels of a column that do not mean missing."""
    cells = comparison.codec.cells[position]
    counts = rows.by_fold(comparison.codes(rows.part)[rows.places, position], cells.attribute.size)
    totals = left_out(counts)
    shares: FloatArray = np.round(totals, 9) / np.maximum(totals.sum(axis=0), np.finfo(float).tiny)
    return shares[~cells.tail.missing()]


def _recall(rare: BoolArray, own: FloatArray, second: FloatArray) -> Score:
    return judged(
        RECALL,
        (own[rare] > 0).mean(axis=0),
        baseline=0.0,
        ceiling=float((second[rare, 0] > 0).mean()),
        better="higher",
        sentence="Of {levels:,} levels that fewer than 1 % of real holdout rows hold, the synthetic table holds "
        "{value:.1%} (95 % interval {low:.1%} to {high:.1%}); a second real sample would hold {ceiling:.1%}.",
        words={"levels": int(rare.sum())},
    )


def _strange(real: FloatArray, own: FloatArray, second: FloatArray) -> Score:
    """Rare levels of the table that the holdout lacks; the same of every level declared is the floor."""
    absent = ~(real > 0)
    seldom = real[:, 0] < RARE
    value = np.array([_among(absent[:, at], own[:, at]) for at in range(own.shape[1])])
    return judged(
        STRANGE,
        value,
        baseline=float(absent[seldom, 0].mean()),
        ceiling=_among(absent[:, 0], second[:, 0]),
        better="lower",
        sentence="Of the levels that fewer than 1 % of synthetic rows hold, {value:.1%} do not occur in the real "
        "holdout (95 % interval {low:.1%} to {high:.1%}); of a second real sample's it is {ceiling:.1%}, of all levels "
        "the schema declares {floor:.1%}.",
    )


def _among(absent: BoolArray, shares: FloatArray) -> float:
    held = (shares > 0) & (shares < RARE)
    return float(absent[held].mean()) if held.any() else 0.0


def _tails(comparison: Comparison, numbered: tuple[int, ...], tables: tuple[Rows, ...]) -> Evaluation:
    """Mass beyond the real percentiles, every tail that the holdout has."""
    beyond: dict[str, list[FloatArray]] = {}
    for position in numbered:
        values = [values_of(comparison, rows, position) for rows in tables]
        name = comparison.domain.names[position]
        for side, turned in (("low", -1.0), ("high", 1.0)):
            sided = [turned * one for one in values]
            cut = weighted_quantile(sided[0], tables[0].weights, 1 - RARE)
            shares = [_share_beyond(rows, one, cut) for rows, one in zip(tables, sided, strict=True)]
            if shares[0][0] > 0:
                beyond[f"{name}, {side}"] = shares
    if not beyond:
        return Evaluation(scores=(untold(TAILS, "higher", "no number has a tail: its extremes are common values."),))
    real, own, second = (np.array([shares[at] for shares in beyond.values()]) for at in range(3))
    score = judged(
        TAILS,
        _agreement(own, real).mean(axis=0),
        baseline=0.0,
        ceiling=float(_agreement(second, real)[:, 0].mean()),
        better="higher",
        sentence="Over {tails} tails of numbers (beyond the real 1st and 99th percentiles), synthetic and real shares "
        "agree to {value:.1%}, the smaller over the larger (95 % interval {low:.1%} to {high:.1%}); those of a second "
        "real sample to {ceiling:.1%}, of a table without tails to 0 %.",
        words={"tails": len(beyond)},
    )
    order = np.argsort(_agreement(own, real)[:, 0], kind="stable")[:SHOWN]
    series = dict(zip(SOURCES, (share[order, 0] for share in (real, own, second)), strict=True))
    chart = chart_of(
        "fidelity.tails",
        "overlay",
        "Tails of numbers",
        tuple(list(beyond)[at] for at in order),
        series,
        "Share of rows below the real 1st (low) or above the real 99th percentile (high), furthest from real first.",
    )
    return Evaluation(scores=(score,), charts=(chart,))


def _share_beyond(rows: Rows, values: FloatArray, cut: float) -> FloatArray:
    """Share of the known weight above the cut, on the whole and without each fold, (1 + FOLDS,)."""
    counts = left_out(rows.by_fold(np.where(np.isnan(values), -1, values > cut), 2))
    shares: FloatArray = np.round(counts[1], 9) / np.maximum(counts.sum(axis=0), np.finfo(float).tiny)
    return shares


def _agreement(first: FloatArray, second: FloatArray) -> FloatArray:
    larger = np.maximum(first, second)
    return np.where(larger > 0, np.minimum(first, second) / np.maximum(larger, np.finfo(float).tiny), 1.0)


def weighted_quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    """The smallest known value at or below which at least `share` of the known weight lies; NaN without any.

    >>> weighted_quantile(np.array([1.0, 2.0, 3.0, np.nan]), np.array([1.0, 1.0, 2.0, 9.0]), 0.5)
    2.0
    """
    known = ~np.isnan(values)
    if not weights[known].sum() > 0:
        return float("nan")
    order = np.argsort(values[known], kind="stable")
    passed = np.cumsum(weights[known][order])
    at = int(np.searchsorted(passed, share * passed[-1] * (1 - 1e-12)))
    return float(values[known][order][min(at, len(order) - 1)])
