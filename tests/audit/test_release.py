"""What is taken from a release."""

import numpy as np
import pandas as pd
import pytest

from medsynth.audit import Release
from medsynth.audit.release import trace_of, trace_of_error, with_warnings
from medsynth.errors import UsageError

ROWS = pd.DataFrame(
    {
        "age": pd.array([3, 250, None], dtype="Int64"),
        "ward": pd.Categorical(["a", "a", None], categories=["a", "b"]),
        "died": [True, False, False],
    }
)


def test_rows_are_counted_by_hand() -> None:
    shares = trace_of(ROWS).shares
    assert shares["rows"] == 3
    assert (shares["age least"], shares["age most"], shares["age mean"]) == (3, 250, 126.5)
    assert shares["ward holds a"] == pytest.approx(2 / 3)
    assert [shares[f"{name} holds missing"] for name in ("ward", "age")] == pytest.approx([1 / 3, 1 / 3])
    assert shares["died mean"] == pytest.approx(1 / 3)


def test_categories_that_no_row_has_are_a_fact() -> None:
    facts = trace_of(ROWS).row_facts
    assert "column ward declares a, b" in facts
    assert "ward holds b" not in facts


def test_magnitudes_of_numbers_are_facts_and_their_values_are_not() -> None:
    facts = trace_of(ROWS).row_facts
    assert {"age least is about 1e+0", "age most is about 1e+2"} <= facts
    assert not any("250" in fact for fact in facts)


def test_table_without_rows_is_a_release() -> None:
    assert trace_of(ROWS.iloc[:0]).shares == {"rows": 0.0}


def test_numbers_are_named_by_their_shape() -> None:
    trace = trace_of(Release(numbers={"table": np.array([[1, 2]])}, facts=frozenset({"said"})))
    assert trace.numbers == {"table (1, 2)[0]": 1.0, "table (1, 2)[1]": 2.0}
    assert trace.facts == {"said", "publishes table of shape (1, 2)"}


def test_error_and_warnings_are_part_of_a_release() -> None:
    assert trace_of_error(ValueError("bad")).facts == {"raises ValueError: bad"}
    assert with_warnings(trace_of(Release()), ["odd"]).facts == {"warns: odd"}


def test_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="must return a data frame or a medsynth"):
        trace_of(3)  # type: ignore[arg-type]
