import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from medsynth.fidelity import sdmetrics_scores
from medsynth.fidelity.sdmetrics_scores import ABSENT, TABLE, SDMetrics, metadata_of
from medsynth.fidelity.validation import canonical_frame
from medsynth.score import Edition

installed = pytest.mark.skipif(importlib.util.find_spec("sdmetrics") is None, reason="needs the extra sdv")


@pytest.fixture(scope="module")
def small(simulated_world):
    return [part.reset_index(drop=True) for part in simulated_world(300)]


@installed
def test_scores_are_those_that_the_library_gives(small, comparing, codec, scores, capfd):
    train, holdout, other = small
    found = scores(SDMetrics().evaluate(comparing(small)(other), np.random.default_rng(0)))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    report = sdmetrics_scores._reports()[0]()
    plain = [canonical_frame(part, codec.schema)[list(codec.domain.names)] for part in (train, other, holdout)]
    metadata = metadata_of(codec.schema, list(codec.domain.names))
    report.generate({TABLE: plain[0]}, {TABLE: plain[1]}, metadata, verbose=False)
    assert found["fidelity.sdmetrics.quality"].value == pytest.approx(report.get_score())
    report.generate({TABLE: plain[0]}, {TABLE: plain[2]}, metadata, verbose=False)
    assert found["fidelity.sdmetrics.quality"].ceiling == pytest.approx(report.get_score())
    assert found["fidelity.sdmetrics.diagnostic"].value == pytest.approx(1.0, abs=0.05)
    assert {score.edition for score in found.values()} == {Edition.INTERNAL}


@installed
def test_the_training_table_itself_scores_one_and_constant_columns_less(small, comparing, scores):
    build = comparing(small)
    copied = scores(SDMetrics().evaluate(build(small[0]), np.random.default_rng(0)))
    assert copied["fidelity.sdmetrics.quality"].value == pytest.approx(1.0)
    flat = small[0].assign(**{name: small[0][name].iloc[0] for name in list(small[0])[:4]})
    flattened = scores(SDMetrics().evaluate(build(flat), np.random.default_rng(0)))
    assert flattened["fidelity.sdmetrics.column_shapes"].value < 0.95


@installed
def test_rows_are_drawn_by_their_weights_and_no_more_than_stated(small, comparing, scores):
    train = small[0]
    weights = np.where(np.arange(len(train)) < 30, 1.0, 0.0)
    comparison = comparing(small)(train)
    comparison = replace(comparison, synthetic_weights=weights)
    drawn = sdmetrics_scores._drawn(comparison, "synthetic", 200, np.random.default_rng(0))
    assert len(drawn) == 200
    assert len(drawn.drop_duplicates()) <= 30
    found = scores(SDMetrics(rows=50).evaluate(comparison, np.random.default_rng(0)))
    assert "of 50 synthetic rows" in found["fidelity.sdmetrics.quality"].sentence


def test_without_the_library_one_sentence_says_what_to_install(small, comparing, monkeypatch):
    def absent(_):
        raise ModuleNotFoundError("No module named 'sdmetrics'")

    monkeypatch.setattr(sdmetrics_scores, "import_module", absent)
    found = SDMetrics().evaluate(comparing(small)(small[2]), np.random.default_rng(0))
    assert [(score.value, score.sentence) for score in found.scores] == [(None, ABSENT)]
