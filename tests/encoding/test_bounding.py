"""Contributions per person, worked by hand."""

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.bounding import Bounding, person_digests, row_hashes
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

KEY = bytes(range(32))
PEOPLE = person_digests(pd.Series(["a", "b", "a", None, "a", ""]), KEY)
TIES = np.array([5, 1, 2, 0, 9, 0], dtype=np.uint64)
ORDER = np.array([3.0, 1.0, 2.0, 0.0, 1.0, 0.0])


def units(rule: str, rows: int, order: np.ndarray | None = None) -> list[float]:
    bounding = Bounding(rule=rule, rows=rows)
    return (bounding.contributions(PEOPLE, order, TIES).weights / UNITS_PER_PERSON).round(6).tolist()


def test_rows_without_a_person_are_dropped() -> None:
    assert units("sample", 9) == [1, 1, 1, 0, 1, 0]


def test_weights_of_a_person_share_one_person() -> None:
    third = (UNITS_PER_PERSON // 3) / UNITS_PER_PERSON
    assert units("weight", 9) == [round(third, 6), 1, round(third, 6), 0, round(third, 6), 0]
    assert units("weight", 2) == [0.5, 1, 0.5, 0, 0, 0]


def test_first_and_last_follow_the_declared_order() -> None:
    assert units("first", 1, ORDER) == [0, 1, 0, 0, 1, 0]
    assert units("last", 2, ORDER) == [1, 1, 1, 0, 0, 0]


def test_sensitivity_is_k_not_root_k() -> None:
    assert Bounding(rule="first", rows=4).l2 == 4 * UNITS_PER_PERSON
    assert Bounding(rule="sample", rows=4).l2 == 4 * UNITS_PER_PERSON
    assert Bounding(rule="weight", rows=4).l2 == UNITS_PER_PERSON
    assert Bounding(rule="row").l2 == UNITS_PER_PERSON


@pytest.mark.parametrize("rule", ["first", "last", "sample", "weight"])
def test_a_persons_weights_do_not_depend_on_other_people_or_on_positions(rule: str) -> None:
    rng = np.random.default_rng(3)
    people = pd.Series(rng.integers(0, 40, 300).astype(str))
    ties = rng.integers(0, 2**62, 300).astype(np.uint64)
    order = rng.normal(size=300) if rule in {"first", "last"} else None
    bounding = Bounding(rule=rule, rows=3)
    whole = bounding.contributions(person_digests(people, KEY), order, ties).weights
    some = rng.permutation(np.flatnonzero(people.isin(["1", "2", "3", "17"])))
    few = None if order is None else order[some]
    alone = bounding.contributions(person_digests(people.iloc[some], KEY), few, ties[some]).weights
    np.testing.assert_array_equal(whole[some], alone)
    totals = pd.Series(whole).groupby(people).sum()
    assert totals.max() <= bounding.l2


def test_no_rows_give_no_weights() -> None:
    assert len(Bounding(rule="weight", rows=2).contributions(PEOPLE[:0], None, TIES[:0]).weights) == 0


def test_the_same_person_is_recognised_in_text_and_numbers() -> None:
    numbers, texts = pd.Series([7, 8, 7]), pd.Series(["7", "8 ", "7.0"])
    np.testing.assert_array_equal(person_digests(numbers, KEY)[:2], person_digests(texts, KEY)[:2])
    assert (person_digests(numbers, KEY) != person_digests(numbers, bytes(32))).any()


def test_row_hashes_depend_on_content_and_key_alone() -> None:
    codes = np.array([[1, 2], [2, 1], [1, 2]], dtype=np.int32)
    hashes = row_hashes(codes, KEY)
    assert hashes[0] == hashes[2] != hashes[1]
    assert row_hashes(codes[2:], KEY)[0] == hashes[0]
    assert row_hashes(codes, KEY[::-1])[0] != hashes[0]
