"""Studies replicate on a second sample, and do not where their association is broken."""

import json

import numpy as np
import pytest

from medsynth.encoding.codec import Codec
from medsynth.fidelity.studies import Studies, _findings, _pairs, interval_overlap
from medsynth.fidelity.study_fits import StudyEstimate
from medsynth.judging import from_plain, to_plain
from medsynth.score import Edition
from medsynth.testing import independent_columns, simulated_schema

STUDIES = [
    {"name": "death", "formula": "died == 'yes' ~ age + sex + stay + chronic_1", "family": "logistic"},
    {"name": "length of stay", "formula": "stay ~ age + ward", "family": "linear"},
    {"name": "time to death", "formula": "Surv(stay, died) ~ age + chronic_1", "family": "cox"},
]
GROUPS = [{"name": "women", "where": "sex == 'F'"}]


@pytest.fixture(scope="module")
def studied():
    return Codec(schema=simulated_schema(studies=STUDIES, subgroups=GROUPS))


def evaluate(comparison):
    return Studies().evaluate(comparison, np.random.default_rng(0))


def estimate(value, error):
    return StudyEstimate(study="s", term="t", kind="coefficient", value=value, error=error, n=9, columns=())


def test_overlap_is_the_shared_part_of_both_intervals():
    # Intervals of half widths 1.96 and 3.92 about 0: the whole of one, half of the other. Two apart: nothing.
    tables = {"train": [estimate(0.0, 1.0), estimate(0.0, 1.0), estimate(0.0, 1.0)],
              "synthetic": [estimate(0.0, 2.0), estimate(9.0, 1.0), estimate(1.959964, 1.0)]}  # fmt: skip
    assert interval_overlap(_pairs(tables, "synthetic")) == pytest.approx([0.75, 0.0, 0.5])


def test_findings_are_counted_as_kept_lost_and_new():
    # Kept, reversed (also new), lost, new, untold on the synthetic table.
    figures = {"train": [5.0, 5.0, 5.0, 1.0, 5.0], "synthetic": [2.0, -5.0, 1.9, 5.0, None]}
    tables = {
        part: [estimate(value, None if value is None else 1.0) for value in values] for part, values in figures.items()
    }
    assert _findings(tables, "synthetic") == (4, 1, 2)


def test_training_rows_released_replicate_whole(compare, world, scores, studied):
    found = scores(evaluate(compare(world[0], codec=studied)))
    assert found["study.kept"].value == 1
    assert found["study.death.sign"].value == found["study.death.significance"].value == 1
    assert found["study.time to death.overlap"].value == pytest.approx(1)
    assert found["study.length of stay.difference"].value == found["estimate.shares_and_means.difference"].value == 0


def test_a_second_sample_keeps_what_the_holdout_keeps(compare, world, scores, studied):
    found = evaluate(compare(world[1], codec=studied))
    assert {score.edition for score in found.scores} | {chart.edition for chart in found.charts} == {Edition.INTERNAL}
    told = scores(found)
    for score in told.values():
        assert score.value == score.ceiling
    assert told["study.kept"].value > 0.5
    assert "a second real sample of 1,500 rows keeps" in told["study.kept"].sentence
    assert "too narrow" in told["study.kept"].sentence


def test_broken_associations_do_not_replicate(compare, world, scores, studied):
    # 2.5 % of coefficients without effect are found with the right sign; at most 3 of the 15 or more here.
    synthetic = independent_columns(world[0], 1500, np.random.default_rng(1))
    found = scores(evaluate(compare(synthetic, codec=studied)))
    assert found["study.kept"].value < 0.2 < found["study.kept"].ceiling
    assert found["study.death.difference"].value > 2 * found["study.death.difference"].ceiling


def test_a_reversed_effect_is_not_kept_though_it_is_significant(compare, world, scores, studied):
    synthetic = world[0].assign(died=np.where(world[0]["died"] == "yes", "no", "yes"))
    found = scores(evaluate(compare(synthetic, codec=studied)))
    assert found["study.death.sign"].value == found["study.death.kept"].value == 0
    assert found["study.death.significance"].value == 1


def test_charts_show_both_tables_on_one_scale(compare, world, studied):
    charts = {chart.name: chart for chart in evaluate(compare(world[0], codec=studied)).charts}
    chart = charts["study.death.coefficients"]
    assert chart.kind == "intervals"
    assert "stay" in chart.labels
    assert chart.arrays["value"] == chart.arrays["real"]
    for low, value, high in zip(*(chart.arrays[name] for name in ("low", "value", "high")), strict=True):
        assert low < value < high


def test_a_study_that_cannot_be_run_on_a_table_is_told(compare, world, scores, studied):
    found = scores(evaluate(compare(world[0].assign(died="no"), codec=studied)))
    assert found["study.death.kept"].value == 0
    assert "study.death.overlap" not in found


def test_charts_with_untold_coefficients_are_kept_as_json(compare, world, studied):
    found = {"studies": evaluate(compare(world[0].assign(died="no"), codec=studied))}
    kept = from_plain(json.loads(json.dumps(to_plain(found), allow_nan=False)))
    assert kept == found
    assert kept["studies"].charts[0].arrays["value"][0] is None


def test_a_schema_without_studies_scores_its_shares_alone(compare, world, scores):
    found = evaluate(compare(world[2]))
    assert set(scores(found)) == {"estimate.shares_and_means.overlap", "estimate.shares_and_means.difference"}
    assert found.charts == ()
