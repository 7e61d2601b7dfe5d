"""Declared estimates with honest intervals, or the reason why there is none."""

from typing import Any

import pytest

from medsynth.declared import combined
from medsynth.fidelity.study_fits import StudyEstimate
from medsynth.fidelity.support import Support
from medsynth.inference import combine


def told(*values: float | None, kind: Any = "coefficient", error: float = 0.01) -> list[list[StudyEstimate]]:
    about: Any = {"study": "s", "term": "t", "kind": kind, "n": 9, "columns": ("a",)}
    return [
        [StudyEstimate(value=v, error=None if v is None else error, reason="" if v else "too few rows", **about)]
        for v in values
    ]


def support(**changes: Any) -> list[Support]:
    return [Support(study="s", term="t", **changes)]


def test_a_supported_estimate_has_the_combined_interval():
    (found,) = combined(told(1.0, 2.0, 0.5, 1.5), support())
    plain = combine([1.0, 2.0, 0.5, 1.5])
    assert (found.value, found.error) == (1.0, plain.error)
    assert (found.low, found.high) == pytest.approx(plain.interval)


def test_an_unsupported_estimate_has_its_value_and_a_reason_and_no_interval():
    (found,) = combined(told(1.0, 2.0, 0.5), support(reason="not measured"))
    assert (found.value, found.low, found.high, found.error, found.reason) == (1.0, None, None, None, "not measured")


def test_what_cells_hide_of_a_coefficient_widens_it_as_a_deviation_of_its_own():
    (found,) = combined(told(3.0, 3.4, 2.6), support(hidden=0.25))  # a quarter hidden: 3 could be 4
    assert found.error == pytest.approx((0.4**2 + 1.0**2) ** 0.5)


def test_what_some_tables_cannot_tell_has_no_interval():
    (found,) = combined(told(1.0, None, 0.5), support())
    assert not found.supported
    assert found.reason == "1 of 3 tables cannot tell it (too few rows)"


def test_shares_stay_within_their_range():
    (found,) = combined(told(0.02, 0.1, 0.05, kind="share"), support())
    assert found.low == 0.0
