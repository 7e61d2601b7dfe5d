"""Controls of every figure that compares distributions: what a second real sample and independent columns score."""

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity import FIDELITY
from medsynth.schema import build_schema
from medsynth.score import Edition
from medsynth.testing import independent_columns, second_sample, simulated_patients, simulated_schema

NAMES = ("numbers", "missingness", "associations", "extremes", "coverage", "telling_apart")
PERSONS = 1200
SITES = [f"site {number}" for number in range(60)]
GAPS = ("ward", "stay", "charge", "sex")


def with_gaps(rows, seed):
    """Wards, stays and charges are missing together more often than apart; dates follow the stay."""
    rng = np.random.default_rng(seed)
    severe = rng.random(len(rows)) < 0.15
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(
        rows["stay"].to_numpy() * 7 + rng.integers(0, 60, len(rows)), "D"
    )
    sites = rng.choice(SITES, size=len(rows), p=1 / np.arange(1, 61) ** 1.5 / (1 / np.arange(1, 61) ** 1.5).sum())
    changed = rows.drop(columns="person").assign(admitted=days, site=sites)
    for name in GAPS:
        gone = severe & (rng.random(len(rows)) < 0.8) | (rng.random(len(rows)) < 0.02)
        changed[name] = changed[name].astype("float64" if name in {"stay", "charge"} else object).mask(gone)
    return changed.reset_index(drop=True)


@pytest.fixture(scope="module")
def gappy():
    """Train, holdout and a third sample with gaps and dates."""
    rows = simulated_patients(3 * PERSONS, np.random.default_rng(11))
    return [with_gaps(rows.iloc[part * PERSONS : (part + 1) * PERSONS], part) for part in range(3)]


@pytest.fixture(scope="module")
def gappy_codec():
    content = simulated_schema().model_dump(exclude_unset=True)
    columns = content["columns"]
    for name in GAPS:
        columns[name]["missing"] = True
    columns["admitted"] = {"kind": "date", "min": "2020-01-01", "max": "2020-12-31", "unit": "week"}
    columns["site"] = {"kind": "category", "values": SITES}
    content |= {"privacy": {"persons": 10_000, "rows_are_persons": True}, "columns": columns, "rare": []}
    return Codec(schema=build_schema(content))


@pytest.fixture(scope="module")
def judge(gappy, gappy_codec):
    """Scores of every evaluator on a table released as synthetic, by name."""

    def scores(synthetic, weights=None, names=NAMES):
        comparison = Comparison(
            train=gappy[0],
            holdout=gappy[1],
            synthetic=synthetic,
            train_weights=np.ones(PERSONS),
            holdout_weights=np.ones(PERSONS),
            synthetic_weights=np.ones(len(synthetic)) if weights is None else weights,
            codec=gappy_codec,
        )
        evaluations = [FIDELITY[name]().evaluate(comparison, np.random.default_rng(5)) for name in names]
        return {score.name: score for one in evaluations for score in one.scores}, [
            chart for one in evaluations for chart in one.charts
        ]

    return scores


@pytest.fixture(scope="module")
def second(judge, gappy):
    return judge(second_sample(gappy[2], PERSONS, np.random.default_rng(0)))


@pytest.fixture(scope="module")
def copied(judge, gappy):
    return judge(gappy[1])[0]


@pytest.fixture(scope="module")
def independent(judge, gappy):
    return judge(independent_columns(gappy[0], PERSONS, np.random.default_rng(0)))[0]


def beyond(score, reference):
    """How much worse a score is than a reference."""
    return (score.value - reference) * (1 if score.better == "lower" else -1)


def test_second_real_sample_scores_within_noise_of_every_ceiling(second):
    # The ceiling is a draw as noisy as the value, so their difference has sqrt(2) times its deviation; a width of
    # the 95 % interval is 2.8 such deviations: some of 13 scores fail in 6 draws of 100; the draw is fixed.
    scores, _ = second
    assert len(scores) == 13
    for score in scores.values():
        assert abs(score.value - score.ceiling) <= score.high - score.low + 1e-9, score.name


def test_holdout_released_as_synthetic_is_nowhere_worse_than_its_ceiling(copied):
    for score in copied.values():
        assert beyond(score, score.ceiling) <= 0.25 * (score.high - score.low), score.name


def test_independent_columns_lie_at_the_floor_of_everything_that_joins_columns(independent):
    for name in (
        "fidelity.association.holdout",
        "fidelity.missing_patterns.holdout",
        "fidelity.coverage",
        "fidelity.density",
        "fidelity.classifier.auc",
        "fidelity.classifier.gap",
    ):
        score = independent[name]
        width = score.high - score.low
        assert abs(score.value - score.baseline) <= width, name
        assert beyond(score, score.ceiling) > width, name


def test_independent_columns_keep_what_single_columns_say(independent):
    for name in ("fidelity.ks.holdout", "fidelity.missing_shares.holdout", "fidelity.pmse.ratio"):
        score = independent[name]
        assert abs(score.value - score.ceiling) <= score.high - score.low, name


def test_every_score_lies_in_its_interval_and_is_internal(second):
    scores, charts = second
    assert all(score.low <= score.value <= score.high for score in scores.values())
    assert {entry.edition for entry in (*scores.values(), *charts)} == {Edition.INTERNAL}


def test_sentences_are_filled_in(second):
    scores, charts = second
    for entry in (*scores.values(), *charts):
        assert "{" not in entry.sentence
        assert "nan" not in entry.sentence


def test_charts_hold_as_many_figures_as_labels(second):
    _, charts = second
    assert {chart.name for chart in charts} == {
        "fidelity.ks",
        "fidelity.wasserstein",
        "fidelity.missing_shares",
        "fidelity.missing_patterns",
        "fidelity.associations",
        "fidelity.worst_associations",
        "fidelity.rare_levels",
        "fidelity.tails",
        "fidelity.giveaways",
    }
    for chart in charts:
        wanted = len(chart.labels) ** (2 if chart.kind == "heatmap" else 1)
        assert all(len(series) == wanted for series in chart.arrays.values()), chart.name


@pytest.mark.parametrize("name", NAMES)
def test_table_without_rows_is_told_and_not_scored(gappy, gappy_codec, name):
    comparison = Comparison(
        train=gappy[0],
        holdout=gappy[1],
        synthetic=gappy[2].iloc[:0],
        train_weights=np.ones(PERSONS),
        holdout_weights=np.ones(PERSONS),
        synthetic_weights=np.ones(0),
        codec=gappy_codec,
    )
    found = FIDELITY[name]().evaluate(comparison, np.random.default_rng(0)).scores
    assert found
    assert all(score.value is None and "synthetic" in score.sentence for score in found)


def test_weights_restore_an_upsampled_table(judge, gappy):
    third = gappy[2]
    died = (third["died"] == "yes").to_numpy()
    rows = np.concatenate([np.arange(PERSONS), np.flatnonzero(died), np.flatnonzero(died)])
    weights = np.where(died, 1 / 3, 1.0)[rows]
    names = ("numbers", "associations", "telling_apart")
    plain, _ = judge(third.iloc[rows].reset_index(drop=True), names=names)
    weighted, _ = judge(third.iloc[rows].reset_index(drop=True), weights / weights.mean(), names)
    for name in ("fidelity.ks.holdout", "fidelity.wasserstein.holdout", "fidelity.association.holdout"):
        assert weighted[name].value < plain[name].value, name
    assert weighted["fidelity.pmse.ratio"].value < 0.7 * plain["fidelity.pmse.ratio"].value
