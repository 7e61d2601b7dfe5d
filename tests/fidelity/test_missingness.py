import numpy as np
import pytest

from medsynth.fidelity.missingness import Missingness, patterns_of

PRESENT, GONE = (1.0, "a"), (None, "?")


def evaluate(comparison):
    return Missingness().evaluate(comparison, np.random.default_rng(0))


def test_a_case_worked_by_hand(scores, gaps):
    # In the holdout both are missing in half the rows; in the table x in half, y in the other half.
    found = evaluate(gaps([PRESENT, GONE] * 4, [(None, "a"), (2.0, "?")] * 4))
    told = scores(found)
    assert told["fidelity.missing_shares.holdout"].value == 0
    assert told["fidelity.missing_shares.holdout"].baseline == pytest.approx(0.5)
    assert told["fidelity.missing_patterns.holdout"].value == 1
    assert told["fidelity.missing_patterns.holdout"].ceiling == 0
    patterns = next(chart for chart in found.charts if chart.name == "fidelity.missing_patterns")
    assert set(patterns.labels) >= {"nothing missing", "x", "y", "x, y"}


def test_columns_that_differ_most_come_first(scores, gaps):
    found = evaluate(gaps([PRESENT] * 8, [(None, "a")] * 2 + [(1.0, "?")] + [PRESENT] * 5))
    told = scores(found)["fidelity.missing_shares.holdout"]
    assert told.value == pytest.approx((2 / 8 + 1 / 8) / 2)
    assert "most in x, by 25.00%" in told.sentence
    assert next(chart for chart in found.charts if chart.name == "fidelity.missing_shares").labels == ("x", "y")


def test_a_schema_without_missing_cells_has_no_such_figure(gaps):
    assert evaluate(gaps([(1.0, "a")] * 3, [(2.0, "b")] * 3, missing=False)).scores == ()


def test_patterns_of_many_columns_are_told_apart():
    rng = np.random.default_rng(0)
    mask = rng.random((200, 75)) < 0.5
    numbers, examples = patterns_of([mask, mask[::-1]])
    assert len(examples) == 200
    assert (examples[numbers[0]] == mask).all()
    assert (numbers[1][::-1] == numbers[0]).all()
