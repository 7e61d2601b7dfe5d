"""What is missing, column by column and together, beside the real table."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.parts import (
    SHOWN,
    BoolArray,
    Rows,
    chart_of,
    empty_part,
    judged,
    left_out,
    missing_of,
    no_rows,
    rows_of,
    second_sample,
)
from medsynth.fidelity.tables import FloatArray, total_variation
from medsynth.score import Chart, Evaluation

SHARES, PATTERNS = "fidelity.missing_shares.holdout", "fidelity.missing_patterns.holdout"
Pattern = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Missingness:
    """Shares of missing cells by column, and total variation of which columns are missing together.

    A cell is missing if it is blank or holds a declared missing code; columns that the schema lets be missing are
    compared, and there is no figure where there is none. The floor of patterns is independent columns of train, that
    of shares a table without a missing cell.
    """

    names: ClassVar[tuple[str, ...]] = ("missing_shares", "missing_patterns")

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores of shares and patterns with a chart of each, worst first, all INTERNAL."""
        positions = [at for at, cells in enumerate(comparison.codec.cells) if cells.tail.missing().any()]
        if not positions:
            return Evaluation()
        if (empty := empty_part(comparison)) is not None:
            return Evaluation(scores=no_rows((SHARES, PATTERNS), empty))
        tables = (
            rows_of(comparison, "holdout", rng),
            rows_of(comparison, "synthetic", rng),
            second_sample(comparison, rng),
        )
        masks = [np.column_stack([missing_of(comparison, rows, at) for at in positions]) for rows in tables]
        masks.append(_independent(masks[2], tables[2].weights, len(masks[1]), rng))
        names = tuple(comparison.domain.names[at] for at in positions)
        evaluations = (_shares(names, tables, masks), _patterns(names, tables, masks))
        return Evaluation(
            scores=tuple(score for one in evaluations for score in one.scores),
            charts=tuple(chart for one in evaluations for chart in one.charts),
        )


def _independent(mask: BoolArray, weights: FloatArray, n: int, rng: np.random.Generator) -> BoolArray:
    """Makes n rows whose columns are missing each by itself, as often as in the mask."""
    chances = np.average(mask, axis=0, weights=weights)
    drawn: BoolArray = rng.random((n, mask.shape[1])) < chances
    return drawn


def _shares(names: tuple[str, ...], tables: tuple[Rows, ...], masks: list[BoolArray]) -> Evaluation:
    shares = [
        np.stack([_missing_share(rows, mask[:, at]) for at in range(len(names))])
        for rows, mask in zip(tables, masks, strict=False)
    ]
    apart = np.abs(shares[1] - shares[0])
    second = np.abs(shares[2] - shares[0])[:, 0]
    worst = int(np.argmax(apart[:, 0]))
    score = judged(
        SHARES,
        apart.mean(axis=0),
        baseline=float(shares[0][:, 0].mean()),
        ceiling=float(second.mean()),
        better="lower",
        sentence="Over {columns} columns that may be missing, the share of missing cells differs from the real "
        "holdout's by {value:.2%} on average (95 % interval {low:.2%} to {high:.2%}; a second real sample "
        "{ceiling:.2%}, a table without gaps {floor:.2%}), most in {worst}, by {most:.2%}.",
        words={"columns": len(names), "worst": names[worst], "most": apart[worst, 0]},
    )
    order = np.argsort(-apart[:, 0], kind="stable")[:SHOWN]
    return Evaluation(scores=(score,), charts=(_bars("shares", [names[at] for at in order], shares, order),))


def _missing_share(rows: Rows, mask: BoolArray) -> FloatArray:
    """Weighted share missing on the whole and without each fold, (1 + FOLDS,)."""
    counts = left_out(rows.by_fold(mask, 2))
    share: FloatArray = counts[1] / np.maximum(counts.sum(axis=0), np.finfo(float).tiny)
    return share


def _patterns(names: tuple[str, ...], tables: tuple[Rows, ...], masks: list[BoolArray]) -> Evaluation:
    numbers, examples = patterns_of(masks)
    counts = [rows.by_fold(number, len(examples)) for rows, number in zip(tables, numbers, strict=False)]
    shares = [_normalised(left_out(count)) for count in counts]
    floor = np.bincount(numbers[3], minlength=len(examples)) / max(1, len(numbers[3]))
    real = shares[0][:, 0]
    score = judged(
        PATTERNS,
        total_variation(shares[1], shares[0]),
        baseline=float(total_variation(floor, real)),
        ceiling=float(total_variation(shares[2][:, 0], real)),
        better="lower",
        sentence="{value:.2%} of rows would have to change for the same columns to be missing together as in the real "
        "holdout (total variation of missingness patterns; 95 % interval {low:.2%} to {high:.2%}). Gaps independent of "
        "each other would score {floor:.2%}, a second real sample {ceiling:.2%}.",
    )
    order = np.argsort(-np.abs(shares[1][:, 0] - real), kind="stable")[:SHOWN]
    labels = [", ".join(np.array(names)[examples[at]]) or "nothing missing" for at in order]
    return Evaluation(scores=(score,), charts=(_bars("patterns", labels, shares, order),))


def patterns_of(masks: list[BoolArray]) -> tuple[list[Pattern], BoolArray]:
    """Number of each row's pattern in each table, and one example (patterns, columns) of each.

    >>> numbers, examples = patterns_of([np.array([[True, False], [False, False], [True, False]])])
    >>> numbers[0].tolist(), examples.tolist()
    ([1, 0, 1], [[False, False], [True, False]])
    """
    stacked = np.concatenate(masks)
    number = np.zeros(len(stacked), dtype=np.int64)
    for start in range(0, stacked.shape[1], 30):  # 30 columns more at a time keep the number inside 64 bits
        block = stacked[:, start : start + 30]
        number = (number << block.shape[1]) | (block @ (1 << np.arange(block.shape[1])[::-1]))
        _, first, number = np.unique(number, return_index=True, return_inverse=True)
    ends = np.cumsum([len(mask) for mask in masks])[:-1]
    return np.split(number, ends), stacked[first]


def _normalised(counts: FloatArray) -> FloatArray:
    shares: FloatArray = counts / np.maximum(counts.sum(axis=0), np.finfo(float).tiny)
    return shares


def _bars(which: str, labels: list[str], shares: list[FloatArray], order: npt.NDArray[np.intp]) -> Chart:
    told = {
        "shares": ("Missing cells by column", "Share of cells missing, the columns that differ most first."),
        "patterns": (
            "Columns missing together",
            "Share of rows by which columns are missing, largest difference first.",
        ),
    }
    title, sentence = told[which]
    series = {"holdout": shares[0], "synthetic": shares[1], "second real sample": shares[2]}
    arrays = {name: share[order, 0] for name, share in series.items()}
    return chart_of(f"fidelity.missing_{which}", "overlay", title, tuple(labels), arrays, sentence)
