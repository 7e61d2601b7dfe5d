import numpy as np
import pytest

from medsynth.encoding.domain import Attribute
from medsynth.leakage import distance
from medsynth.leakage.distance import Distance

ATTRIBUTES = (
    Attribute(name="listed", size=4),
    Attribute(name="ranked", size=5, ordered=5),
    Attribute(name="tailed", size=6, ordered=4),
    Attribute(name="pair", size=2, ordered=2),
)


def by_hand(query, target):
    """Gower's distance as the textbook has it."""
    total = 0.0
    for attribute, own, other in zip(ATTRIBUTES, query, target, strict=True):
        if attribute.ordered > 2 and max(own, other) < attribute.ordered:
            total += abs(own - other) / (attribute.ordered - 1)
        else:
            total += own != other
    return total / len(ATTRIBUTES)


def codes(n, rng):
    columns = [rng.integers(0, attribute.size, n) for attribute in ATTRIBUTES]
    return np.column_stack(columns).astype(np.int32)


def test_nearest_agrees_with_every_pair_by_hand():
    rng = np.random.default_rng(0)
    queries, targets = codes(40, rng), codes(30, rng)
    expected = [min(by_hand(query, target) for target in targets) for query in queries]
    found = Distance(attributes=ATTRIBUTES).nearest(queries, targets)
    assert found == pytest.approx(expected, abs=0.5 / distance.STEPS)


def test_blocks_do_not_change_the_answer(monkeypatch):
    rng = np.random.default_rng(1)
    queries, targets = codes(50, rng), codes(70, rng)
    whole = Distance(attributes=ATTRIBUTES).nearest(queries, targets)
    monkeypatch.setattr(distance, "QUERY_BLOCK", 7)
    monkeypatch.setattr(distance, "TARGET_BLOCK", 11)
    monkeypatch.setattr(distance, "NARROW", 2)
    assert Distance(attributes=ATTRIBUTES).nearest(queries, targets).tolist() == whole.tolist()


def test_neighbours_are_the_nearest_in_order_and_ties_go_by_one_order(monkeypatch):
    rng = np.random.default_rng(3)
    queries, targets = codes(40, rng), codes(60, rng)
    expected = np.array([sorted(by_hand(query, target) for target in targets)[:5] for query in queries])
    monkeypatch.setattr(distance, "QUERY_BLOCK", 7)
    monkeypatch.setattr(distance, "TARGET_BLOCK", 11)
    found = Distance(attributes=ATTRIBUTES).neighbours(queries, targets, 5, np.random.default_rng(4))
    assert found.distances == pytest.approx(expected, abs=0.5 / distance.STEPS)
    own = [[by_hand(query, targets[row]) for row in rows] for query, rows in zip(queries, found.rows, strict=True)]
    assert np.array(own) == pytest.approx(expected, abs=0.5 / distance.STEPS)
    tied = Distance(attributes=ATTRIBUTES).neighbours(queries[[0, 0]], targets, 5, np.random.default_rng(4))
    assert tied.rows[0].tolist() == tied.rows[1].tolist() == found.rows[0].tolist()


def test_fewer_targets_than_neighbours_are_all_found():
    rows = codes(3, np.random.default_rng(5))
    found = Distance(attributes=ATTRIBUTES).neighbours(rows, rows, 10, np.random.default_rng(0))
    assert sorted(found.rows[0]) == [0, 1, 2]


def test_equal_rows_lie_at_zero_and_no_targets_at_one():
    rows = codes(5, np.random.default_rng(2))
    assert Distance(attributes=ATTRIBUTES).nearest(rows, rows).tolist() == [0.0] * 5
    assert Distance(attributes=ATTRIBUTES).nearest(rows, rows[:0]).tolist() == [1.0] * 5


def test_many_columns_do_not_overflow():
    wide = tuple(Attribute(name=f"n{position}", size=3, ordered=3) for position in range(450))
    low, high = np.zeros((1, 450), dtype=np.int32), np.full((1, 450), 2, dtype=np.int32)
    assert Distance(attributes=wide).nearest(low, high).tolist() == [1.0]
