"""Runs every metric or every attack on one comparison, and keeps the scores of a run."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.errors import InputError
from medsynth.fidelity import FIDELITY
from medsynth.leakage import ATTACKS
from medsynth.leakage.verdict import verdict
from medsynth.progress import Progress
from medsynth.registry import Registry
from medsynth.score import Chart, Edition, Evaluation, Score

SEED = 20_260
"""Which records are attacked and how metrics are resampled is fixed, so that a table is judged the same way twice."""


def measure(
    comparison: Comparison, progress: Progress, *, only: Collection[str] | None = None
) -> dict[str, Evaluation]:
    """Every fidelity and utility metric, or only some, by name."""
    return _evaluate_all(FIDELITY, comparison, progress, "Measuring", only)


def attack(comparison: Comparison, progress: Progress) -> dict[str, Evaluation]:
    """Every attack, by name, and one verdict over all of them."""
    found = _evaluate_all(ATTACKS, comparison, progress, "Attacking", None)
    return found | {"verdict": verdict(found)}


def _evaluate_all(
    registry: Registry, comparison: Comparison, progress: Progress, verb: str, only: Collection[str] | None
) -> dict[str, Evaluation]:
    found = {}
    for name in registry:
        if only is not None and name not in only:
            continue
        progress.start(f"{verb}: {name.replace('_', ' ')}")
        found[name] = registry[name]().evaluate(comparison, np.random.default_rng([SEED, *name.encode()]))
    progress.finish()
    return found


def to_plain(evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Evaluations as JSON values."""
    return {name: asdict(evaluation) for name, evaluation in evaluations.items()}


def from_plain(values: Mapping[str, Any]) -> dict[str, Evaluation]:
    """Evaluations from the JSON values of `to_plain`.

    Raises:
      InputError: If they are something else.
    """
    try:
        return {
            name: Evaluation(
                scores=tuple(Score(**_edited(score)) for score in entry["scores"]),
                charts=tuple(Chart(**_edited(chart)) for chart in entry["charts"]),
            )
            for name, entry in values.items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InputError(
            "scores.json: not what `medsynth run` writes. Run `medsynth evaluate` and `medsynth audit` again."
        ) from None


def _edited(values: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    plain["edition"] = Edition(plain["edition"])
    if "arrays" in plain:
        plain["arrays"] = {name: tuple(array) for name, array in plain["arrays"].items()}
    return plain


def score_named(evaluations: Iterable[Evaluation], name: str) -> Score | None:
    """The whole table's score of that name, if it was measured."""
    scores = (score for evaluation in evaluations for score in evaluation.scores)
    return next((score for score in scores if score.name == name and not score.columns), None)
