"""Fidelity and utility on persons who were held out, from noisy counts of them: figures that may be shared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.encoding.domain import Level
from medsynth.fidelity.deviation import mean_size
from medsynth.fidelity.held_out_tables import Asked, Predictor
from medsynth.fidelity.tables import FloatArray
from medsynth.inference import Estimate, percentiles
from medsynth.score import Chart, Edition, Evaluation, Score

WORDS: Mapping[int, str] = {1: "single columns", 2: "pairs of columns"}
TITLES = {"auc": "area under the ROC curve", "brier": "Brier score"}
DRAWS = 1000
KNOWN = 20.0
"""Standard errors of noise that the number of held-out persons must have, before shares of it are told."""
Better = Literal["higher", "lower"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """Counts of held-out persons, in persons.

    Attributes:
      columns: One table per level of `Asked`.
      pairs: One table per pair.
      outcome: (classes, 3) belief by outcome, None without a predictor.
      noise: Standard deviation of the noise on a cell of `columns`, `pairs`, `outcome`; 0 for raw counts.
      rows_each: How many rows of one person may count in full; they may fall together.
    """

    columns: tuple[FloatArray, ...]
    pairs: tuple[FloatArray, ...]
    outcome: FloatArray | None
    noise: tuple[float, float, float]
    rows_each: float = 1.0

    @property
    def persons(self) -> float | None:
        """Their number by the noisy tables, each weighted by its noise; None where the noise leaves it open.

        Known within a twentieth, it takes no part in the error of shares.
        """
        found = [
            (table.sum(), 1 / max(table.size * noise**2, 1e-12))
            for tables, noise in ((self.columns, self.noise[0]), (self.pairs, self.noise[1]))
            for table in tables
        ]
        totals, precision = np.array(found).reshape(-1, 2).T
        if not len(found):
            return None
        count, error = float((totals * precision).sum() / precision.sum()), float(precision.sum() ** -0.5)
        return count if count > KNOWN * error and count >= 1 else None


def paid_figures(
    comparison: Comparison, asked: Asked, counted: Counted, raw: Counted, *, paid: str, rng: np.random.Generator
) -> Evaluation:
    """Scores `fidelity.tv{1,2}.paid`, `utility.{auc,brier}.paid`, SHAREABLE; beside each its raw figure, INTERNAL.

    Args:
      comparison: Of which the synthetic rows are read.
      asked: What was counted.
      counted: With noise.
      raw: The same without; only INTERNAL scores are made of it.
      paid: What it cost, in words.
      rng: Of the intervals.
    """
    who = f"{comparison.schema.privacy.noun}s"
    scores: list[Score] = []
    charts: tuple[Chart, ...] = ()
    for cliques in ([(position,) for position in range(len(asked.levels))], list(asked.pairs)):
        if cliques:
            told = f"{who} who were held out ({paid})"
            scores += _distances(comparison, asked.levels, cliques, counted, raw, told)
    if asked.predictor is not None and counted.outcome is not None and raw.outcome is not None:
        who_told = f"{who} who were held out ({paid}"
        scores += _prediction(asked.predictor, counted, raw.outcome, who_told, rng)
        charts = (_calibration(asked.predictor, counted, who),)
    return Evaluation(scores=tuple(scores), charts=charts)


def _distances(
    comparison: Comparison,
    levels: Sequence[Level],
    cliques: Sequence[tuple[int, ...]],
    counted: Counted,
    raw: Counted,
    who: str,
) -> list[Score]:
    ways, name = len(cliques[0]), f"fidelity.tv{len(cliques[0])}"
    own = [synthetic_table(comparison, tuple(levels[position] for position in clique)) for clique in cliques]
    tables, exact = (counted.columns, raw.columns) if ways == 1 else (counted.pairs, raw.pairs)
    persons = counted.persons
    if persons is None:
        lost = f"How far {WORDS[ways]} lie from {who} cannot be told from the noise."
        return [_untold(f"{name}.paid", "lower", lost)]
    noise = counted.noise[ways - 1] / persons
    seen = np.concatenate([(share - table / persons).ravel() for share, table in zip(own, tables, strict=True)])
    value, low, high = (min(1.0, 0.5 * len(seen) / len(cliques) * size) for size in mean_size(seen, noise))
    apart = persons / counted.rows_each  # rows of one person that count in full may fall together
    second = 0.5 * float(np.mean([np.sqrt(2 / np.pi * share * (1 - share) / apart).sum() for share in own]))
    total = max(float(exact[0].sum()), np.finfo(float).tiny)
    truth = 0.5 * float(np.mean([np.abs(s - t / total).sum() for s, t in zip(own, exact, strict=True)]))
    what = f"{len(cliques):,} {WORDS[ways]} at about {_groups(levels)} groups a column"
    return [
        Score(
            name=f"{name}.paid",
            value=value,
            low=low,
            high=high,
            ceiling=second,
            better="lower",
            edition=Edition.SHAREABLE,
            sentence=(
                f"Averaged over {what}, {value:.2%} of rows would have to change for the synthetic table to agree with "
                f"{who}; the noise allows {low:.2%} to {high:.2%}. As many drawn from the synthetic "
                f"table itself would show about {second:.2%}."
            ),
        ),
        _raw(f"{name}.paid_raw", truth, f"{truth:.2%}", f"{abs(truth - value):.2%}", "lower"),
    ]


def _groups(levels: Sequence[Level]) -> int:
    return max(level.size for level in levels)


def synthetic_table(comparison: Comparison, clique: Sequence[Level]) -> FloatArray:
    """Weighted shares of the synthetic rows, one axis per level."""
    codes, shape = comparison.codes("synthetic"), tuple(level.size for level in clique)
    cell = np.zeros(len(codes), dtype=np.intp)
    for level in clique:
        cell = cell * level.size + level.groups[codes[:, comparison.domain.index(level.attribute)]]
    counts = np.bincount(cell, comparison.weights("synthetic"), int(np.prod(shape)))
    shares: FloatArray = (counts / counts.sum()).reshape(shape)
    return shares


def _prediction(
    predictor: Predictor, all_counted: Counted, raw: FloatArray, who: str, rng: np.random.Generator
) -> list[Score]:
    """AUC and Brier score of the predictor, with what chance and noise allow."""
    counted = np.asarray(all_counted.outcome)
    drawn = _redrawn(counted, all_counted.noise[2], all_counted.rows_each, rng)
    share = _share_of_cases(counted)
    auc = _bounded(binned_auc(counted), np.array([binned_auc(table) for table in drawn]))
    beliefs = predictor.beliefs
    brier = _bounded(binned_brier(counted, beliefs), np.array([binned_brier(table, beliefs) for table in drawn]))
    return [
        *_told("auc", "higher", auc, binned_auc(raw), 0.5, who),
        *_told("brier", "lower", brier, binned_brier(raw, beliefs), share * (1 - share), who),
    ]


def _told(
    name: str, better: Better, estimate: Estimate | None, truth: float, chance: float, who: str
) -> tuple[Score, ...]:
    own = f"utility.{name}.paid"
    if estimate is None:
        return (_untold(own, better, f"The {TITLES[name]} on {who}) cannot be told from the noise."),)
    value, low, high = estimate
    told = Score(
        name=own,
        value=value,
        low=low,
        high=high,
        baseline=chance,
        better=better,
        edition=Edition.SHAREABLE,
        sentence=(
            f"Trained on the synthetic table, a gradient-boosted model reaches {value:.3f} {TITLES[name]} on {who}; "
            f"95 % interval {low:.3f} to {high:.3f}, of chance and noise; guessing: {chance:.3f})."
        ),
    )
    return (told, _raw(f"{own}_raw", truth, f"{truth:.3f}", f"{abs(truth - value):.3f}", better))


def _untold(name: str, better: Better, sentence: str) -> Score:
    return Score(name=name, value=None, better=better, edition=Edition.SHAREABLE, sentence=sentence)


def _raw(name: str, truth: float, told: str, gap: str, better: Better) -> Score:
    known = bool(np.isfinite(truth))
    return Score(
        name=name,
        value=truth if known else None,
        better=better,
        edition=Edition.INTERNAL,
        sentence=f"Counted without noise, the same figure is {told}: the paid one lies {gap} from it."
        if known
        else "Without noise the same figure cannot be told: nobody, or no case, was held out.",
    )


def binned_auc(table: FloatArray) -> float:
    """AUC of classes of belief in ascending order; ties count half. NaN without cases or without others.

    Args:
      table: (classes, 2 or more): others, cases.

    >>> binned_auc(np.array([[3.0, 1.0], [1.0, 3.0]]))
    0.75
    """
    others, cases = table[:, 0], table[:, 1]
    below = np.cumsum(others) - others / 2
    total = others.sum() * cases.sum()
    return float((cases * below).sum() / total) if others.sum() > 0 and cases.sum() > 0 else float("nan")


def binned_brier(table: FloatArray, beliefs: FloatArray) -> float:
    """Mean squared difference of belief and outcome; NaN without persons.

    >>> binned_brier(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.0, 0.5]))
    0.125
    """
    others, cases = table[:, 0], table[:, 1]
    total = others.sum() + cases.sum()
    squared = (others * beliefs**2 + cases * (1 - beliefs) ** 2).sum()
    return float(squared / total) if total > 0 else float("nan")


def _share_of_cases(table: FloatArray) -> float:
    known = table[:, :2].sum(axis=0)
    return float(np.clip(known[1] / max(known.sum(), 1.0), 0.0, 1.0))


def _redrawn(counted: FloatArray, noise: float, rows_each: float, rng: np.random.Generator) -> FloatArray:
    """Tables (DRAWS, ...) as other held-out persons and other noise would have shown them."""
    persons = rows_each * rng.poisson(np.maximum(counted, 0.0) / rows_each, (DRAWS, *counted.shape))
    # What the floor at zero added on average is taken off again.
    return persons + (counted - np.maximum(counted, 0.0)) + rng.normal(0.0, noise, (DRAWS, *counted.shape))


def _bounded(value: float, drawn: FloatArray) -> Estimate | None:
    """The figure with its interval; None where one in forty tables redrawn has none."""
    usable = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(usable) < 0.975 * len(drawn):
        return None
    low, high = percentiles(usable)
    middle = float(np.clip(value, 0.0, 1.0))
    return Estimate(middle, float(np.clip(min(low, middle), 0.0, 1.0)), float(np.clip(max(high, middle), 0.0, 1.0)))


def _calibration(predictor: Predictor, all_counted: Counted, who: str) -> Chart:
    """Predicted and observed risk by fifth of belief; fewer classes carry less noise."""
    counted, noise = np.asarray(all_counted.outcome), all_counted.noise[2]
    parts = np.array_split(np.arange(len(predictor.beliefs)), min(5, len(predictor.beliefs)))
    known = counted[:, :2]
    cases = np.array([known[part, 1].sum() for part in parts])
    all_ = np.maximum(1.0, np.array([known[part].sum() for part in parts]))
    observed = np.clip(cases / all_, 0.0, 1.0)
    sizes = np.array([len(part) for part in parts])
    half = 1.96 * np.sqrt(observed * (1 - observed) * all_counted.rows_each / all_ + sizes * (noise / all_) ** 2)
    predicted = np.array([predictor.beliefs[part].mean() for part in parts])
    arrays = {
        "value": observed,
        "low": np.clip(observed - half, 0, 1),
        "high": np.clip(observed + half, 0, 1),
        "baseline": predicted,
    }
    return Chart(
        name="utility.paid_calibration",
        kind="intervals",
        title=f"Calibration on held-out {who}, from noised counts",
        labels=tuple(f"{_ORDER[len(parts)][i]} risk" for i in range(len(parts))),
        arrays={key: tuple(map(float, series)) for key, series in arrays.items()},
        edition=Edition.SHAREABLE,
        sentence=(
            f"Share of cases among held-out {who} in classes of predicted risk, with chance and noise; the mark shows "
            "what the model trained on synthetic rows predicts."
        ),
    )


_ORDER: Mapping[int, tuple[str, ...]] = {
    1: ("Any",),
    2: ("Lower", "higher"),
    3: ("Lowest", "middle", "highest"),
    4: ("Lowest", "second", "third", "highest"),
    5: ("Lowest", "second", "third", "fourth", "highest"),
}
