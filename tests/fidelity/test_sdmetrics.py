"""Where SDMetrics computes the same thing, it finds the same number."""

import warnings

import numpy as np
import pytest

from medsynth.fidelity.association_matrix import association_matrix, columns_of
from medsynth.fidelity.marginals import Marginals
from medsynth.fidelity.missingness import Missingness
from medsynth.fidelity.numbers import Numbers
from medsynth.fidelity.parts import rows_of


@pytest.fixture(scope="module")
def metrics():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        columns = pytest.importorskip("sdmetrics.single_column", reason='sdmetrics comes with ".[sdv]"')
        pairs = pytest.importorskip("sdmetrics.column_pairs")
    return columns, pairs


def test_numbers_and_categories_agree(metrics, compare, world, scores):
    columns, _ = metrics
    real, synthetic = world[1], world[2]
    found = scores(Numbers().evaluate(compare(synthetic), np.random.default_rng(0)))
    theirs = [1 - columns.KSComplement.compute(real[name], synthetic[name]) for name in ("stay", "charge")]
    assert found["fidelity.ks.holdout"].value == pytest.approx(np.mean(theirs))
    listed = [name for name in real if name not in {"person", "stay", "charge"}]
    overlays = {
        chart.title: 0.5 * np.abs(np.subtract(chart.arrays["synthetic"], chart.arrays["holdout"])).sum()
        for chart in Marginals(most_cliques=1).evaluate(compare(synthetic), np.random.default_rng(0)).charts
        if chart.kind == "overlay"
    }
    for name in set(listed) & set(overlays):
        theirs = 1 - columns.TVComplement.compute(real[name].astype(str), synthetic[name].astype(str))
        assert overlays[name] == pytest.approx(theirs)


def test_differences_of_rank_correlations_agree(metrics, compare, world):
    _, pairs = metrics
    comparison = compare(world[2])
    rng = np.random.default_rng(0)
    first, second = comparison.domain.index("stay"), comparison.domain.index("charge")
    real, own = (
        association_matrix(columns_of(comparison, rows_of(comparison, part, rng)))[first, second, 0]
        for part in ("holdout", "synthetic")
    )
    theirs = pairs.CorrelationSimilarity.compute(
        world[1][["stay", "charge"]], world[2][["stay", "charge"]], coefficient="Spearman"
    )
    assert 1 - abs(real - own) / 2 == pytest.approx(theirs)


def test_shares_of_missing_cells_agree(metrics, gaps):
    columns, _ = metrics
    real, synthetic = [(1.0, "a")] * 6 + [(None, "a")] * 2, [(1.0, "a")] * 5 + [(None, "?")] * 3
    comparison = gaps(real, synthetic)
    score = Missingness().evaluate(comparison, np.random.default_rng(0)).scores[0]
    theirs = columns.MissingValueSimilarity.compute(comparison.holdout["x"], comparison.synthetic["x"])
    others = columns.MissingValueSimilarity.compute(
        comparison.holdout["y"].replace("?", None), comparison.synthetic["y"].replace("?", None)
    )
    assert score.value == pytest.approx(1 - (theirs + others) / 2)
