from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from medsynth.encoding.domain import Level
from medsynth.encoding.grids import GridCells, coarse_edges
from medsynth.privacy.ledger import Ledger
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.schema import Schema, parse_schema
from medsynth.sources.open import OpenRecords, encode_open, sensitivity_of

KEY = bytes(range(64))
RULES = {
    "weight, max: 3": 3,
    "sample, max: 3": 3,
    "first, max: 3, order: day": 3,
    "last, max: 2, order: day": 2,
}
GRID = GridCells(name="age", edges=coarse_edges("integer"))


def schema_of(rule: str | None) -> Schema:
    privacy = "rows_are_persons: true" if rule is None else f"unit: who, bounding: {{rule: {rule}}}"
    return parse_schema(
        f"{{medsynth: 1, dataset: {{name: t}}, privacy: {{{privacy}, persons: 100}}, columns: {{"
        "who: {kind: id}, age: {kind: integer, source: private}, day: {kind: date, source: private},"
        'job: {kind: category, source: private, missing_codes: ["?"]}}}'
    )


def rows(**columns: list[Any]) -> pd.DataFrame:
    length = len(next(iter(columns.values())))
    plain: dict[str, list[Any]] = {"who": list(range(length)), "age": [40] * length, "day": ["2020-01-01"] * length}
    return pd.DataFrame(plain | {"job": ["cook"] * length} | columns, dtype=object)


def read(frame: pd.DataFrame, rule: str | None = "weight, max: 3", pieces: int = 1) -> OpenRecords:
    batches = [frame.iloc[part] for part in np.array_split(np.arange(len(frame)), pieces)]
    return encode_open(batches, schema_of(rule), grids=[GRID], categories=["job"], key=KEY)


def persons(records: OpenRecords) -> dict[str, float]:
    labels, counts = records.label_counts("job")
    return dict(zip(labels, (counts / UNITS_PER_PERSON).tolist(), strict=True))


@pytest.mark.parametrize("rule", RULES)
def test_a_person_with_many_labels_weighs_one_person_in_sum(rule: str) -> None:
    """The sensitivity by hand: 5 rows of one person, one label each, of which the rule keeps some."""
    many = rows(who=[7] * 5, job=list("abcde"), age=[1, 2, 4, 8, 16], day=[f"2020-01-0{k}" for k in range(1, 6)])
    records = read(many, rule)
    kept = persons(records)
    assert len(kept) == RULES[rule] == records.most_labels == sensitivity_of(schema_of(rule)).most_labels
    assert all(count == UNITS_PER_PERSON // RULES[rule] / UNITS_PER_PERSON for count in kept.values())
    assert records.l2 == sensitivity_of(schema_of(rule)).l2 == UNITS_PER_PERSON
    (table,) = records.marginals([(Level.finest(GRID.attribute),)])
    assert UNITS_PER_PERSON - 3 < table.sum() <= UNITS_PER_PERSON
    if rule.startswith("last"):
        assert sorted(kept) == ["d", "e"]


@pytest.mark.parametrize("rule", RULES)
def test_one_person_changes_the_counts_by_at_most_one_person(rule: str) -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        others = rows(who=rng.integers(0, 5, 12).tolist(), job=rng.choice(list("abc"), 12).tolist())
        more = int(rng.integers(1, 9))
        person = rows(who=[99] * more, job=rng.choice(list("abxyz"), more).tolist(), day=["2021-01-01"] * more)
        before, after = persons(read(others, rule)), persons(read(pd.concat([person, others]), rule))
        moved = {label: after.get(label, 0) - before.get(label, 0) for label in {*before, *after}}
        assert min(moved.values()) >= 0
        assert sum(moved.values()) <= 1
        assert sum(label not in before and count > 0 for label, count in moved.items()) <= RULES[rule]


def test_where_rows_are_persons_each_row_is_one_label_of_one_person() -> None:
    records = read(rows(job=["a", "a", "b"]), None)
    assert persons(records) == {"a": 2.0, "b": 1.0}
    assert records.most_labels == 1


def test_rows_that_name_nobody_and_cells_that_are_no_label_count_nowhere() -> None:
    frame = rows(who=[1, 2, 3, 4, None, ""], job=["a", "?", None, "x" * 200, "b", "b"])
    assert persons(read(frame)) == {"a": 1.0}


def test_one_label_however_it_is_written() -> None:
    assert persons(read(rows(job=[1, "1", 1.0, " 1 "]))) == {"1": 4.0}


@pytest.mark.parametrize("pieces", [2, 5])
def test_batches_change_nothing(pieces: int) -> None:
    rng = np.random.default_rng(9)
    frame = rows(who=rng.integers(0, 9, 60).tolist(), job=rng.choice(list("abcdef"), 60).tolist())
    assert persons(read(frame, pieces=pieces)) == persons(read(frame))


def test_the_order_of_rows_changes_nothing() -> None:
    frame = rows(who=[1, 1, 1, 1, 2], job=list("abcda"))
    turned = frame.iloc[::-1].reset_index(drop=True)
    assert persons(read(frame)) == persons(read(turned))


def test_an_empty_table_has_no_labels_and_an_empty_grid() -> None:
    records = read(rows(job=["a"]).iloc[:0])
    assert persons(records) == {}
    assert not records.marginals([(Level.finest(GRID.attribute),)])[0].any()


@pytest.mark.parametrize("rule", ["weight, max: 3", "last, max: 2, order: day"])
@pytest.mark.parametrize("many", [1, 3])
def test_labels_of_one_person_with_one_or_many_rows_survive_at_most_as_often_as_delta_says(
    rule: str, many: int
) -> None:
    # 1,000 thresholds at delta 1e-2; more than the upper end of the binomial interval with probability 1e-6.
    person = rows(who=[7] * many, job=list("abc")[:many], day=[f"2020-01-0{k}" for k in range(1, many + 1)])
    records, survived = read(person, rule), 0
    for _ in range(1000):
        ledger = Ledger(8.0, 0.1, thresholds=0.05)
        survived += bool(ledger.threshold(records, "job", sigma=5.0, delta=1e-2, label="Jobs").labels)
    assert survived <= stats.binom.ppf(1 - 1e-6, 1000, 1e-2)
