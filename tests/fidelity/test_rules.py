from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.rules import Rules
from medsynth.schema import parse_schema
from medsynth.score import Edition

CODEC = Codec(
    schema=parse_schema("""
medsynth: 1
dataset: {name: t}
privacy: {rows_are_persons: true, persons: 100}
columns: {a: {kind: integer, min: 0, max: 9}, b: {kind: integer, min: 0, max: 9}}
rules: ["a <= b"]
plausible: ["a + b <= 10"]
""")
)


def compared(train: list[list[int]], synthetic: list[list[int]]) -> Comparison:
    parts = {
        part: pd.DataFrame(rows, columns=["a", "b"]) for part, rows in (("train", train), ("synthetic", synthetic))
    }
    return Comparison(
        **parts, holdout=parts["train"], codec=CODEC,
        train_weights=np.array([0.5, 0.5, 2.0]), holdout_weights=np.ones(3), synthetic_weights=np.ones(4),
    )  # fmt: skip


def test_rows_that_break_a_rule_are_counted_beside_the_real_share(scores):
    comparison = compared([[1, 2], [6, 6], [0, 0]], [[1, 2], [6, 6], [7, 7], [3, 2]])
    found = scores(Rules().evaluate(comparison, np.random.default_rng(0)))
    values = {name: score.value for name, score in found.items()}
    assert values == {
        "rule.broken.synthetic": 0.25,
        "rule.broken.train": 0.0,
        "rule.plausible 1.synthetic": 0.5,
        "rule.plausible 1.train": pytest.approx(0.5 / 3),  # weighted by person
    }
    assert found["rule.plausible 1.synthetic"].sentence.startswith("2 synthetic rows (50.000%")
    assert found["rule.plausible 1.train"].sentence.endswith("break the plausible rule 'a + b <= 10'.")


def test_what_is_shareable_does_not_depend_on_real_rows(scores):
    synthetic = [[1, 2], [6, 6], [7, 7], [3, 2]]
    kept = []
    for train in ([[1, 2], [6, 6], [0, 0]], [[9, 2], [9, 9], [9, 0]]):
        found = scores(Rules().evaluate(compared(train, synthetic), np.random.default_rng(0)))
        kept.append({name: score for name, score in found.items() if score.edition is Edition.SHAREABLE})
    assert kept[0] == kept[1]
    assert set(kept[0]) == {"rule.broken.synthetic", "rule.plausible 1.synthetic"}


def test_no_rule_no_score():
    bare = Codec(schema=CODEC.schema.model_copy(update={"rules": (), "plausible": ()}))
    comparison = replace(compared([[1, 2]] * 3, [[1, 2]] * 4), codec=bare)
    assert Rules().evaluate(comparison, np.random.default_rng(0)).scores == ()
