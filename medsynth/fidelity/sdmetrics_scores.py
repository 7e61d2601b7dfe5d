"""Scores of SDMetrics, the evaluation library of SDV, for readers who compare with them."""

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.validation import UNREADABLE_DAY, canonical_frame
from medsynth.schema import Schema
from medsynth.score import Edition, Evaluation, Score

ROWS = 10_000
"""So many rows of each table are compared: the scores depend on the number of rows, and so must be stated with it."""
TABLE = "table"
BLIND = (
    "SDMetrics looks at single columns and pairs; it knows no persons, no weights, no rare conditions, no rules, "
    "no leaks and no noise of chance."
)
ABSENT = 'SDMetrics is not installed, so its scores are not shown. Install the extra "sdv", or sdmetrics itself.'
_NUMERICAL = frozenset({"integer", "decimal"})
_NAMES = {
    "quality": "quality score",
    "column_shapes": "score of single columns (Column Shapes)",
    "column_pair_trends": "score of pairs of columns (Column Pair Trends)",
    "diagnostic": "diagnostic score (are values valid, are columns there)",
}


@dataclass(frozen=True, kw_only=True)
class SDMetrics:
    """QualityReport and DiagnosticReport of SDMetrics on rows drawn from each table, beside a second real sample.

    Attributes:
      rows: Rows drawn from each table, by their weights; fewer where the smallest table has fewer.
    """

    names: ClassVar[tuple[str, ...]] = ("fidelity.sdmetrics",)
    rows: int = ROWS

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `fidelity.sdmetrics.*`: INTERNAL, as they compare with real records."""
        try:
            reports = _reports()
        except ImportError:
            return Evaluation(scores=(_score("quality", None, None, ABSENT),))
        size = min(self.rows, *(len(comparison.frame(part)) for part in ("train", "holdout", "synthetic")))
        train, holdout, synthetic = (_drawn(comparison, part, size, rng) for part in ("train", "holdout", "synthetic"))
        metadata = metadata_of(comparison.schema, [str(name) for name in train])
        found, second = (_judged(reports, train, other, metadata) for other in (synthetic, holdout))
        return Evaluation(
            scores=tuple(_score(name, found[name], second[name], _sentence(name, size, found[name])) for name in _NAMES)
        )


def metadata_of(schema: Schema, names: list[str]) -> dict[str, Any]:
    """The columns as SDMetrics describes them."""
    kinds = {name: schema.columns[name].kind for name in names}
    return {"tables": {TABLE: {"columns": {name: {"sdtype": _kind_of(kind)} for name, kind in kinds.items()}}}}


def _kind_of(kind: str) -> str:
    if kind in _NUMERICAL:
        return "numerical"
    return "datetime" if kind == "date" else "categorical"


def _drawn(comparison: Comparison, part: Part, size: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of one part, drawn by weight, with their declared types; what cannot be read is missing."""
    weights = comparison.weights(part)
    even = bool((weights == weights[:1]).all())
    chances = None if even else weights / weights.sum()
    chosen = rng.choice(len(weights), size=size, replace=not even, p=chances)
    frame = canonical_frame(comparison.frame(part).iloc[chosen], comparison.schema).reset_index(drop=True)
    kept = frame[[name for name in comparison.domain.names if name in frame]]
    return kept.mask(kept.isin([np.inf, UNREADABLE_DAY]))


def _reports() -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = import_module("sdmetrics.reports")
    return library.QualityReport, library.DiagnosticReport


def _judged(
    reports: tuple[Any, Any], real: pd.DataFrame, other: pd.DataFrame, metadata: dict[str, Any]
) -> dict[str, float | None]:
    """Their scores, by our names; None where the library gives none."""
    quality, diagnostic = (report() for report in reports)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for report in (quality, diagnostic):
            report.generate({TABLE: real}, {TABLE: other}, metadata, verbose=False)
        properties = dict(quality.get_properties().itertuples(index=False))
        found = {
            "quality": quality.get_score(),
            "column_shapes": properties["Column Shapes"],
            "column_pair_trends": properties["Column Pair Trends"],
            "diagnostic": diagnostic.get_score(),
        }
    return {name: float(value) if np.isfinite(value) else None for name, value in found.items()}


def _sentence(name: str, size: int, value: float | None) -> str:
    told = "could not be computed" if value is None else f"is {value:.3f} of 1"
    return f"SDMetrics' {_NAMES[name]} of {size:,} synthetic rows against as many training rows {told}. {BLIND}"


def _score(name: str, value: float | None, second: float | None, sentence: str) -> Score:
    return Score(
        name=f"fidelity.sdmetrics.{name}",
        value=value,
        ceiling=second,
        better="higher",
        edition=Edition.INTERNAL,
        sentence=sentence,
    )
