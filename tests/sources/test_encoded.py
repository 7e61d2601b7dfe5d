"""What every source hands to the ledger: bounded rows, and how many of them a person has."""

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import compile_condition
from medsynth.encoding.domain import Level
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.schema import build_schema
from medsynth.sources.encoded import EncodedRecords, encode_batches

KEY = bytes(range(64))


def codec(rule: str = "weight", most: int = 3, **bounding: Any) -> Codec:
    order = {"order": "day"} if rule in {"first", "last"} else {}
    content = {
        "medsynth": 1,
        "dataset": {"name": "stays"},
        "privacy": {"unit": "who", "persons": 10, "bounding": {"rule": rule, "max": most, **order, **bounding}},
        "columns": {
            "ward": {"kind": "category", "values": ["a", "b"]},
            "day": {"kind": "integer", "min": 0, "max": 9, "bins": 10},
        },
    }
    return Codec(schema=build_schema(content))


def stays(who: str) -> pd.DataFrame:
    """One stay for each letter, of that person, in turn in ward a and b; a blank names nobody."""
    n = len(who)
    names = [None if letter == " " else letter for letter in who]
    return pd.DataFrame({"who": names, "ward": ["ab"[k % 2] for k in range(n)], "day": [k % 10 for k in range(n)]})


def table(records: EncodedRecords, *names: str) -> npt.NDArray[np.int64]:
    clique = tuple(Level.finest(records.domain[name]) for name in names)
    return records.marginals([clique])[0]


def test_rows_per_person_by_hand() -> None:
    # a has 1 stay, b 2, c 3, d 5 of which 3 count; the last belongs to nobody.
    records = encode_batches([stays("abbcccddddd ")], codec(), KEY)
    assert table(records, "_rows").tolist() == [
        UNITS_PER_PERSON,
        UNITS_PER_PERSON,
        2 * 3 * (UNITS_PER_PERSON // 3),
    ]


@pytest.mark.parametrize("cuts", [[], [1], [4, 5, 9]])
def test_rows_per_person_are_the_same_in_whatever_batches_a_table_is_read(cuts: list[int]) -> None:
    frame = stays("abbcccddddd ")
    edges = [0, *cuts, len(frame)]
    batches = [frame.iloc[begin:end] for begin, end in itertools.pairwise(edges)]
    records = encode_batches(batches, codec(), KEY)
    whole = encode_batches([frame], codec(), KEY)
    assert (table(records, "_rows", "ward") == table(whole, "_rows", "ward")).all()


def test_a_column_of_that_name_in_the_table_is_not_read() -> None:
    frame = stays("aab")
    assert (
        table(encode_batches([frame.assign(_rows=3)], codec(), KEY), "_rows")
        == table(encode_batches([frame], codec(), KEY), "_rows")
    ).all()


def test_weighted_by_the_rows_per_person_the_table_counts_records() -> None:
    # Nobody has more rows than count, so what comes out is every stay, but for the rounding of 1/m to units.
    frame = stays("abbcccdddaab")
    counts = table(encode_batches([frame], codec(most=5), KEY), "_rows", "ward") / UNITS_PER_PERSON
    by_ward = (np.arange(1, 6)[:, None] * counts).sum(axis=0)
    assert by_ward == pytest.approx(frame["ward"].value_counts()[["a", "b"]].to_numpy(), abs=1e-4)


@pytest.mark.parametrize("rule", ["first", "last", "sample", "weight"])
@pytest.mark.parametrize("stranger", ["z", "zz", "zzzzzzzzzz"])
def test_one_person_moves_a_table_by_at_most_the_sensitivity_of_the_rule(rule: str, stranger: str) -> None:
    bounded = codec(rule, count=True)
    without = stays("abbcccddddd")
    some = pd.concat([stays(stranger), without])
    records = [encode_batches([frame], bounded, KEY) for frame in (some, without)]
    for names in (["ward"], ["_rows"], ["ward", "_rows"], ["ward", "day", "_rows"]):
        moved = table(records[0], *names) - table(records[1], *names)
        kept = min(len(stranger), 3)
        assert moved.min() >= 0
        assert moved.sum() <= records[0].l2
        assert np.linalg.norm(moved.astype(float)) <= records[0].l2
        if rule != "weight":
            assert moved.sum() == kept * UNITS_PER_PERSON
        if names == ["_rows"] and rule != "weight" and kept == 3:  # all rows in one cell: k, not sqrt(k)
            assert np.linalg.norm(moved.astype(float)) == records[0].l2 == 3 * UNITS_PER_PERSON


def test_without_rows_there_are_no_persons_to_count() -> None:
    assert table(encode_batches([], codec(), KEY), "_rows").tolist() == [0, 0, 0]


def test_a_row_belongs_to_the_first_condition_that_it_meets() -> None:
    both = codec(most=9)
    records = encode_batches([stays("abcdef")], both, KEY)  # wards a, b, a, b, a, b on days 0 to 5
    ward, early = (compile_condition(both.schema.predicate(text), both) for text in ("ward == 'a'", "day <= 2"))
    first, second = records.parts([ward, early])
    assert (table(first, "ward") // UNITS_PER_PERSON).tolist() == [3, 0]
    assert (table(second, "day") // UNITS_PER_PERSON).tolist() == [0, 1, *[0] * 8]  # days 0 and 2 are taken
    assert (first.l2, second.l2) == (records.l2, records.l2)
    assert [len(part.weights) for part in records.parts([early, early])] == [3, 0]
