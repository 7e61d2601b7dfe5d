"""The command on a small clinic: what it writes, books, refuses, and never lets out."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medsynth.privacy.ledger import Ledger

Command = Callable[..., Any]
STUDY = ("collapse", "visits.csv", "-s", "clinic.yaml", "-o", "study", "--model", "independent", "--generations", 2)


@pytest.fixture
def quick(clinic: Path) -> Path:
    """The clinic without a prediction, which would take most of the time."""
    schema = clinic / "clinic.yaml"
    lines = schema.read_text(encoding="utf-8").splitlines(keepends=True)
    schema.write_text("".join(line for line in lines if "utility:" not in line), encoding="utf-8")
    return clinic


def test_study_is_internal_and_books_each_fit_on_real_records_by_itself(quick: Path, command: Command) -> None:
    old = quick / "study" / "internal" / "collapse-0000.ledger.jsonl"
    old.parent.mkdir(parents=True)
    old.write_text("of an earlier study", encoding="utf-8")
    ran = command(*STUDY)
    assert (ran.code, "--overwrite" in ran.err) == (6, True)
    ran = command(*STUDY, "--seed", 1, "--overwrite")
    assert ran.code == 0, ran.err
    assert not old.exists()
    assert ran.out.startswith("INTERNAL: computed on private records and covered by no budget")
    internal = quick / "study" / "internal"
    page, content = internal / "collapse.html", json.loads((internal / "collapse.json").read_text(encoding="utf-8"))
    for path in internal.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert sorted(path.name for path in (quick / "study").iterdir()) == ["internal"]
    text = page.read_text(encoding="utf-8")
    assert '<p class="banner" role="note">INTERNAL' in text
    assert text.count("<svg") == len(content["charts"]) >= 4
    assert "http://" not in text.replace('xmlns="http://www.w3.org', "")
    # Generation 1 of both courses and the fresh course's generation 2 read real records.
    ledgers = [Ledger.open(path) for path in sorted(internal.glob("*.ledger.jsonl"))]
    assert [ledger.guarantee.epsilon for ledger in ledgers] == [pytest.approx(4.0)] * 3
    assert all("INTERNAL" in ledger.population and ledger.entries for ledger in ledgers)
    assert not (quick / "clinic.ledger.jsonl").exists()
    assert {course["name"]: course["private"] for course in content["courses"]} == {
        "independent, own output": True,
        "independent, 20 % fresh": True,
        "chow-liu, own output": False,
        "chow-liu, 20 % fresh": False,
        "resample, own output": False,
        "resample, 20 % fresh": False,
    }
    for course in content["courses"]:
        assert 1 <= course["safe"] <= 2
        assert all(len(series) == 3 for series in course["figures"].values())
    # Every course begins with the real table, and no generator gives it back.
    pairs = [course["figures"]["pairs"] for course in content["courses"]]
    assert len({series[0] for series in pairs}) == 1
    assert len({series[1] for series in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--generations", 1), 2, "--generations 1: must lie between 2 and 50"),
        (("--fresh", 1.5), 2, "--fresh 1.5: must lie between 0 and 1"),
        (("--fresh", "nan"), 2, "--fresh nan"),
        (("--model", "gan"), 2, "gan"),
        (("--epsilon", -1), 2, "psilon"),
        (("--seed", -1), 2, "--seed -1"),
        (("--holdout-share", 2), 2, "--holdout-share 2"),
        (("--holdout", "absent.csv"), 3, "absent.csv"),
        (("--holdout", "study/internal/collapse.json"), 2, "which this command writes"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    quick: Path, command: Command, options: tuple[Any, ...], code: int, said: str
) -> None:
    ran = command(*STUDY, *options)
    assert (ran.code, said in ran.err) == (code, True), ran.err
    assert not (quick / "study").exists()


def test_open_columns_and_synthetic_tables_are_refused(quick: Path, command: Command, open_schema: str) -> None:
    (quick / "open.yaml").write_text(open_schema, encoding="utf-8")
    ran = command("collapse", "visits.csv", "-s", "open.yaml", "-o", "study")
    assert (ran.code, "source: private" in ran.err) == (3, True), ran.err
    (quick / "visits.csv.provenance.json").write_text("{}", encoding="utf-8")
    ran = command(*STUDY)
    assert (ran.code, "says that it is synthetic" in ran.err) == (3, True), ran.err


def test_fresh_records_are_whole_persons_and_weigh_as_much_as_their_share() -> None:
    from medsynth.collapse.course import Real
    from medsynth.encoding.codec import Codec
    from medsynth.encoding.comparison import Comparison
    from medsynth.schema import parse_schema

    text = """
medsynth: 1
dataset: {name: worked}
privacy: {unit: who, persons: 50, bounding: {rule: weight, max: 4, count: false}}
columns:
  who: {kind: id}
  number: {kind: integer, min: 0, max: 9}
"""
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(50), 1 + np.arange(50) % 4)
    frame = pd.DataFrame({"who": rows, "number": rng.integers(0, 10, len(rows)).astype(float)})
    weights = 1 / np.bincount(rows)[rows]
    weights *= len(rows) / weights.sum()
    ones = {"holdout": frame, "synthetic": frame, "holdout_weights": weights, "synthetic_weights": weights}
    codec = Codec(schema=parse_schema(text))
    real = Real.of(Comparison(train=frame, train_weights=weights, codec=codec, **ones))
    fresh = real.fresh(0.2, rng)
    assert real.size == 50
    assert real.whole.weights.sum() == pytest.approx(50)
    assert fresh.frame["who"].nunique() == 10
    assert fresh.weights.sum() == pytest.approx(10)
    assert fresh.touches_real
    assert set(fresh.frame["who"].str.split().str[0]) == {"real"}
