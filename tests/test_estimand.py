"""What one row stands for, and what the report says of records per person."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.estimand import row_meaning, rows_per_person
from medsynth.holdout import compare
from medsynth.privacy import mechanisms
from medsynth.schema import Schema, parse_schema
from medsynth.synthesizer import Synthesizer

TEXT = """\
medsynth: 1
dataset: {name: ward}
privacy: {noun: patient, unit: who, persons: 300, bounding: {BOUNDING}, epsilon: 4.0}
columns:
  ward: {kind: category, values: [a, b]}
  died: {kind: boolean}
  day: {kind: integer, min: 0, max: 9, bins: 10}
utility: {target: died, positive: true}
"""


def schema(bounding: str = "rule: weight, max: 4") -> Schema:
    return parse_schema(TEXT.replace("BOUNDING", bounding))


def stays(persons: int = 300) -> pd.DataFrame:
    """A third of the patients have one stay, a third two, a third six."""
    who = [person for person in range(persons) for _ in range((1, 2, 6)[person % 3])]
    n = range(len(who))
    return pd.DataFrame(
        {"who": who, "ward": ["ab"[k % 2] for k in n], "died": [k % 5 == 0 for k in n], "day": [k % 10 for k in n]}
    )


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise off, so that what is published can be worked by hand."""
    monkeypatch.setattr(mechanisms, "gaussian", lambda values, **_: values / mechanisms.UNITS_PER_PERSON)


MEANINGS = {
    "rule: weight, max: 4": "together they weigh as much as one patient. Column _rows says how many records of the "
    "row's patient count, 4 where there are more: weight rows by it to ask about records rather than patients.",
    "rule: weight, max: 4, count: false": "together they weigh as much as one patient. Rows are not linked",
    "rule: sample, max: 4": "at most 4 randomly chosen records of each patient count, so a patient with many counts up "
    "to 4 times. Rows are not linked",
    "rule: last, max: 1, order: day": "where the last 1 records of each patient count. Rows are not linked",
    "rule: sample, max: 4, count: true": "weight rows by 1/_rows to ask about patients rather than records",
}


@pytest.mark.parametrize("bounding", MEANINGS)
def test_row_meaning_tells_what_is_estimated_under_each_rule(bounding: str) -> None:
    said = row_meaning(schema(bounding))
    assert MEANINGS[bounding] in said
    assert said.endswith("there are no trajectories of one patient.")


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize(
    ("bounding", "plain", "weighted"),
    [
        # Patients 1/3 each for 1, 2 and 4 records; of records 1/7, 2/7, 4/7.
        ("rule: weight, max: 4", ["33.3%", "33.3%", "0.0%", "33.3%"], ["14.3%", "28.6%", "0.0%", "57.1%"]),
        ("rule: sample, max: 4, count: true", ["14.3%", "28.6%", "0.0%", "57.1%"], ["33.3%", "33.3%", "0.0%", "33.3%"]),
    ],
)
def test_records_per_person_are_told_by_hand(bounding: str, plain: list[str], weighted: list[str]) -> None:
    file = Synthesizer(schema(bounding), model="independent").fit(stays()).model_
    (page,) = rows_per_person(file, schema(bounding))
    assert [row[0] for row in page.rows] == ["1", "2", "3", "4 or more"]
    told = [[float(row[k].rstrip("%")) for row in page.rows] for k in (1, 3)]
    for shares, expected in zip(told, (plain, weighted), strict=True):
        assert shares == pytest.approx([float(share.rstrip("%")) for share in expected], abs=1.0)
    assert all(row[2].startswith("± ") for row in page.rows)


def test_a_table_without_that_column_has_no_such_page() -> None:
    bounding = "rule: weight, max: 4, count: false"
    file = Synthesizer(schema(bounding), model="independent").fit(stays()).model_
    assert rows_per_person(file, schema(bounding)) == ()


@pytest.mark.usefixtures("exact")
def test_synthetic_rows_answer_for_persons_and_weighted_for_records() -> None:
    # Mean number of records: (1 + 2 + 4) / 3 per patient; per record (1 + 4 + 16) / 7.
    drawn = Synthesizer(schema(), model="independent").fit(stays()).sample(3000, seed=1)["_rows"]
    assert drawn.mean() == pytest.approx(7 / 3, abs=0.05)
    assert (drawn * drawn).sum() / drawn.sum() == pytest.approx(3, abs=0.06)


def test_real_rows_are_compared_with_the_same_column() -> None:
    codec = Codec(schema=schema())
    frame = stays()
    synthetic = frame.drop(columns="who").assign(_rows=1)
    seen = compare(frame, frame, synthetic, codec=codec, key=bytes(64), claim=None)
    persons = pd.Series(seen.train_weights).groupby(seen.train["_rows"]).sum()
    assert (persons / persons.sum()).to_dict() == pytest.approx({1: 1 / 3, 2: 1 / 3, 4: 1 / 3}, abs=1e-5)


def test_no_predictor_knows_how_many_records_a_person_has() -> None:
    from medsynth.fidelity.target import target_of

    frame = stays()
    synthetic = frame.drop(columns="who").assign(_rows=1)
    seen = compare(frame, frame, synthetic, codec=Codec(schema=schema()), key=bytes(64), claim=None)
    assert "_rows" in target_of(seen).excluded


def test_check_sees_rules_about_the_rows_per_person(clinic: Path, command: Callable[..., Any]) -> None:
    text = (clinic / "clinic.yaml").read_text(encoding="utf-8")
    rules = 'rules: ["_rows <= 3", "_rows == 1", '
    (clinic / "clinic.yaml").write_text(text.replace("rules: [", rules), encoding="utf-8")
    said = command("check", "visits.csv", "-s", "clinic.yaml").out
    assert "Rule '_rows == 1': some record breaks it" in said
    assert "Rule '_rows <= 3'" not in said


def test_a_synthetic_table_says_of_itself_what_a_row_stands_for(clinic: Path, command: Callable[..., Any]) -> None:
    command("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "independent")
    command("sample", "m.medsynth", "-o", "s.csv", "-n", 50)
    beside = next(path for path in clinic.iterdir() if path.name.startswith("s.csv") and path.name != "s.csv")
    assert "Column _rows says how many records" in beside.read_text(encoding="utf-8")
