import numpy as np
import pytest

from medsynth.fidelity.validated import Validated
from medsynth.report.validation import validation_page
from medsynth.score import Edition


@pytest.fixture(scope="module")
def small(simulated_world):
    return [part.reset_index(drop=True) for part in simulated_world(60)]


def test_a_table_that_meets_its_schema_holds_every_expectation(small, comparing, codec, scores):
    found = Validated().evaluate(comparing(small)(small[2]), np.random.default_rng(0))
    assert list(scores(found)) == ["validation.held"]
    assert found.scores[0].value == 1.0
    (page,) = validation_page(codec.schema, {"validation": found})
    assert page.edition is Edition.SHAREABLE
    assert {row[2] for row in page.rows} <= {"every row meets it", "not judged"}
    assert len(page.rows) >= len(codec.schema.columns)


def test_the_column_that_some_row_breaks_is_named_on_the_page(small, comparing, codec):
    synthetic = small[2].assign(stay=[99, *small[2]["stay"][1:]])
    found = Validated().evaluate(comparing(small)(synthetic), np.random.default_rng(0))
    assert found.scores[0].value < 1.0
    assert [(score.columns, score.value) for score in found.scores[1:]] == [(("stay",), 0.0)]
    (page,) = validation_page(codec.schema, {"validation": found})
    assert [row[0] for row in page.rows if row[2] == "some row breaks it"] == ["Column 'stay'"]


def test_a_run_without_validation_has_no_page(codec):
    assert validation_page(codec.schema, {}) == ()
