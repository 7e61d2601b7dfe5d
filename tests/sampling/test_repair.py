from dataclasses import replace

import numpy as np
import pytest

from medsynth.encoding.condition import compile_condition
from medsynth.errors import UsageError
from medsynth.sampling.repair import draw_lawful, kept_conditions, lawful


def test_lawful_tells_broken_rows_by_the_rules(codec):
    rng = np.random.default_rng(0)
    rows = np.array([[0, 1, 3], [0, 1, 0], [1, 0, 3], [1, 1, 3]], dtype=np.int32)
    assert lawful(codec.decode(rows, rng), codec).tolist() == [False, True, True, False]


def test_no_row_breaks_a_rule_and_the_repaired_are_counted(table, codec):
    drawn = draw_lawful(table, codec, 4_000, np.random.default_rng(1))
    assert lawful(drawn.frame, codec).all()
    # Broken when first drawn: ill and in ward d, 0.2 * 0.25 of 4,000 = 200, sd 13.8;
    # outside 5 of them once in 1.7 million seeds.
    assert abs(drawn.repaired - 200) < 70


def test_a_repair_keeps_the_shares_of_rare_conditions(table, codec):
    """Drawn again from anybody, ill rows would fall to 0.158: a quarter of them is broken."""
    n = 20_000
    drawn = draw_lawful(table, codec, n, np.random.default_rng(2), keep=kept_conditions(codec)).frame
    for column, share in (("old", 0.3), ("ill", 0.2)):
        error = np.sqrt(share * (1 - share) / n)
        assert abs((drawn[column] == "yes").mean() - share) < 5 * error  # once in 1.7 million seeds
    both = ((drawn["old"] == "yes") & (drawn["ill"] == "yes")).mean()
    assert abs(both - 0.1) < 5 * np.sqrt(0.09 / n)


def test_a_condition_holds_in_repaired_rows_too(table, codec):
    ill = compile_condition(codec.schema.predicate("ill == 'yes'"), codec)
    drawn = draw_lawful(table, codec, 500, np.random.default_rng(3), ill, keep=kept_conditions(codec))
    assert (drawn.frame["ill"] == "yes").all()
    assert (drawn.frame["ward"] != "d").all()


def test_lawful_rows_that_hardly_occur_are_repeated_rather_than_rules_broken(table, codec):
    joint = np.zeros_like(table.joint)
    joint[0, 1, 3], joint[0, 1, 0] = 0.99, 0.01
    drawn = draw_lawful(replace(table, joint=joint), codec, 20_000, np.random.default_rng(4))
    assert lawful(drawn.frame, codec).all()
    assert len(drawn.frame) == 20_000
    assert drawn.repaired > 19_000


def test_a_model_that_knows_only_broken_rows_says_what_to_do(table, codec):
    joint = np.zeros_like(table.joint)
    joint[0, 1, 3] = 1.0
    with pytest.raises(UsageError, match="leave no record possible"):
        draw_lawful(replace(table, joint=joint), codec, 10, np.random.default_rng(5))


def test_no_rows_are_no_rows(table, codec):
    drawn = draw_lawful(table, codec, 0, np.random.default_rng(6))
    assert (len(drawn.frame), drawn.repaired) == (0, 0)
