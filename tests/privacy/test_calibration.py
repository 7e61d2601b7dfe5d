"""Noise of every mechanism, beside the chi-squared law of the width that is booked for it.

A mechanism is a function of the package that draws: the list is read from the code, so that a new one is tested or
fails here.
"""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy import stats

import medsynth
from medsynth.audit import one_marginal
from medsynth.models import MODELS
from medsynth.privacy import Ledger, mechanisms
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.synthesizer import Synthesizer

CELLS = 4000
SIGMA = 7.0
Residuals = npt.NDArray[np.float64]


def gaussian(make_records: Any) -> Residuals:  # noqa: ARG001
    return mechanisms.gaussian(np.full(CELLS, 5 * UNITS_PER_PERSON), sigma=SIGMA) - 5


def measure(make_records: Any) -> Residuals:
    records = make_records([np.full((40, 100), 5 * UNITS_PER_PERSON)])
    (table,) = Ledger(1.0, 1e-6).measure(records, records.cliques, [SIGMA], label="x")
    return np.asarray(table.noisy.ravel() - 5)


def measure_interactions(make_records: Any) -> Residuals:
    # All cells are equal, so that their interactions are 0.
    records = make_records([np.full((40, 100), 5 * UNITS_PER_PERSON)])
    (table,) = Ledger(1.0, 1e-6).measure(records, records.cliques, [SIGMA], label="x", interactions=True)
    return np.asarray(table.noisy.ravel())


def measure_parts(make_records: Any) -> Residuals:
    # Two parts whose cells are all equal, so that their interactions are 0.
    parts = [make_records([np.full((20, 100), 5 * UNITS_PER_PERSON)]) for _ in range(2)]
    cliques = [part.cliques for part in parts]
    found = Ledger(1.0, 1e-6).measure_parts(parts, cliques, [[SIGMA], [SIGMA]], label="x")
    return np.concatenate([table.noisy.ravel() for (table,) in found])


def distances(make_records: Any) -> Residuals:
    records = make_records([[5 * UNITS_PER_PERSON]] * CELLS)
    found, _ = Ledger(90.0, 1e-6).distances(records, records.cliques, [np.zeros(1)] * CELLS, SIGMA, label="x")
    return found - 5


class Labels:
    """As many labels as cells, each held by so many persons that all pass."""

    l2, most_labels = UNITS_PER_PERSON, 1

    def label_counts(self, column: str) -> tuple[list[str], npt.NDArray[np.int64]]:
        return [f"{column}{place}" for place in range(CELLS)], np.full(CELLS, 1000 * UNITS_PER_PERSON)


def surviving(make_records: Any) -> Residuals:  # noqa: ARG001
    labels, counts = Labels().label_counts("x")
    return np.array([*mechanisms.surviving(labels, counts, sigma=SIGMA, threshold=500.0).values()]) - 1000


def threshold(make_records: Any) -> Residuals:  # noqa: ARG001
    # 1,000 persons lie 130 deviations above the threshold: all labels pass.
    book = Ledger(1.0, 1e-6, thresholds=1e-7)
    return book.threshold(Labels(), "x", sigma=SIGMA, delta=1e-8, label="x").noisy - 1000


DRAWING = {"gaussian", "mechanisms.gaussian", "mechanisms.surviving", "sampler.discrete_gaussian"}
MECHANISMS: dict[str, tuple[Callable[[Any], Residuals], ...]] = {
    "mechanisms.gaussian": (gaussian,),
    "mechanisms.surviving": (surviving,),
    "Releases._noised": (measure, measure_interactions, measure_parts),
    "Releases.distances": (distances,),
    "Releases.threshold": (threshold,),
}
ALL = [draw for draws in MECHANISMS.values() for draw in draws]


@pytest.mark.parametrize("draw", ALL, ids=lambda draw: draw.__name__)
def test_noise_has_the_booked_width(draw: Callable[[Any], Residuals], make_records: Any) -> None:
    # Chi-squared on 4,000 residuals; failure probability 1e-7 each.
    statistic = float(((draw(make_records) / SIGMA) ** 2).sum())
    low, high = stats.chi2.ppf([5e-8, 1 - 5e-8], CELLS)
    assert low < statistic < high


@pytest.mark.parametrize("factor", [0.85, 1.15])
def test_the_same_test_sees_noise_fifteen_per_cent_off(factor: float) -> None:
    # By the chi-squared law: it would pass with probability below 1e-3.
    low, high = stats.chi2.ppf([5e-8, 1 - 5e-8], CELLS) / factor**2
    assert stats.chi2.cdf(high, CELLS) - stats.chi2.cdf(low, CELLS) < 1e-3


def test_every_function_that_draws_is_calibrated() -> None:
    """Whoever calls `mechanisms.gaussian`, or the sampler, stands in the list above."""
    callers = set()
    for path in Path(medsynth.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for scope in ast.walk(tree):
            body = scope.body if isinstance(scope, ast.ClassDef | ast.Module) else []
            owner = scope.name if isinstance(scope, ast.ClassDef) else path.stem
            callers |= {f"{owner}.{f.name}" for f in body if isinstance(f, ast.FunctionDef) and _draws(f)}
    assert callers == MECHANISMS.keys()


def _draws(function: ast.FunctionDef) -> bool:
    calls = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(ast.unparse(call) in DRAWING for call in calls)


@pytest.mark.parametrize("model", sorted(MODELS))
def test_two_fits_of_one_table_never_share_noise(model: str) -> None:
    # Three cells with noise of a person or more on a lattice of 2^-20: chance below 3 * 2^-20 / 2 = 1.5e-6 for the
    # single cells, so that all three together agree with chance below 1e-17.
    pair = one_marginal()
    table = pd.concat([pair.within] * 3, ignore_index=True)
    first, second = (
        np.concatenate(
            [m.noisy.ravel() for m in Synthesizer(pair.schema, model=model).fit(table).model_.fitted.measurements]
        )
        for _ in range(2)
    )
    assert not np.array_equal(first, second)
    assert np.sum(first == second) <= 1
