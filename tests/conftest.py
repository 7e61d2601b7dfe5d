"""A small clinic that has every kind of column, the command line in this process, and a simulated world to judge."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.score import Evaluation, Score
from medsynth.testing import simulated_patients, simulated_schema

CLINIC = """\
medsynth: 1
dataset: {name: clinic, population: invented, licence: CC0, terms: none, allowed_use: tests}
privacy: {unit: person, persons: 300, bounding: {rule: weight, max: 3}, epsilon: 4.0}
columns:
  person: {kind: id, format: "P-####"}
  age: {kind: integer, min: 0, max: 99, edges: [10, 18, 30, 40, 50, 65, 80]}
  sex: {kind: category, values: [F, M], other: true}
  smoker: {kind: boolean, "true": "yes", "false": "no", missing: true}
  insured: {kind: boolean}
  charge: {kind: decimal, min: 0, max: 20000, scale: log, bins: 8, missing_codes: [-1]}
  admitted: {kind: date, min: 2020-01-01, max: 2020-12-31, unit: month, missing: true}
  diagnosis:
    kind: code
    other: true
    codes:
      - {code: I21, block: heart, chapter: circulation}
      - {code: I50, block: heart, chapter: circulation}
      - {code: I63, block: brain, chapter: circulation}
      - {code: O80, block: birth, chapter: pregnancy}
  outcome: {kind: category, values: [home, ward, dead]}
  notes: {kind: drop, reason: free text}
derived: {elderly: "'yes' if age >= 65 else 'no'"}
rare:
  - {name: died, where: "outcome == 'dead'", keep_with: [age, sex]}
  - {name: stroke, where: "diagnosis == 'I63'"}
rules: ["sex == 'M' implies diagnosis != 'O80'", "outcome == 'dead' implies age >= 18"]
utility: {target: outcome, positive: dead, task: binary, exclude: [admitted]}
policy: {epsilon_max: 5, exact_match_excess_max: 0.2, tv_2way_max: 0.9}
"""


OPEN = {
    "age": "{kind: integer, source: private, missing: true}",
    "sex": "{kind: category, source: private, missing: true}",
    "charge": "{kind: decimal, source: private, missing_codes: [-1]}",
    "admitted": "{kind: date, source: private, missing: true}",
}
"""Columns of the clinic whose values or bounds are to be found under the budget."""


def opened(text: str) -> str:
    """The clinic's schema with one private column of each kind that can be."""
    lines = text.splitlines(keepends=True)
    named = {line.split(":")[0].strip(): place for place, line in enumerate(lines) if line.startswith("  ")}
    for name, description in OPEN.items():
        lines[named[name]] = f"  {name}: {description}\n"
    return "".join(lines)


def clinic_rows(n: int, seed: int, *, persons: int | None = None) -> pd.DataFrame:
    """Visits of invented patients that obey the schema."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], n)
    age = rng.integers(0, 100, n)
    code = rng.choice(["I21", "I50", "I63", "O80"], n, p=[0.4, 0.3, 0.1, 0.2])
    sick = rng.random(n) < 0.1 + 0.3 * (age > 60)
    outcome = np.where((age >= 18) & sick, "dead", rng.choice(["home", "ward"], n))
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 366, n), unit="D")
    return pd.DataFrame(
        {
            "person": rng.integers(0, persons or max(n // 2, 1), n),
            "age": age,
            "sex": sex,
            "smoker": rng.choice(np.array(["yes", "no", None], dtype=object), n),
            "insured": rng.random(n) < 0.7,
            "charge": np.round(np.clip(rng.lognormal(6, 1, n), 0, 20_000), 2),
            "admitted": days.strftime("%Y-%m-%d"),
            "diagnosis": np.where((sex == "M") & (code == "O80"), "I21", code),
            "outcome": outcome,
            "notes": "free text",
        }
    )


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the real `main` in this process; plain progress lines without seconds."""
    from medsynth import progress
    from medsynth.cli import main

    monkeypatch.setattr(progress, "terminal_progress", lambda steps: progress.Lines(steps, clock=lambda: 0.0))

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["medsynth", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        code = ended.value.code
        return Ran(code=code if isinstance(code, int) else 0, out=said.out, err=said.err)

    return run


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: `clinic.yaml` and `visits.csv`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    (tmp_path / "clinic.yaml").write_text(CLINIC, encoding="utf-8")
    clinic_rows(300, 1).to_csv(tmp_path / "visits.csv", index=False)
    return tmp_path


@pytest.fixture
def clinic_schema() -> str:
    """The text of `clinic.yaml`."""
    return CLINIC


@pytest.fixture
def open_schema() -> str:
    """The text of `clinic.yaml` with private columns."""
    return opened(CLINIC)


@pytest.fixture
def visits() -> Callable[..., pd.DataFrame]:
    """Makes visits: `visits(n, seed)`."""
    return clinic_rows


@pytest.fixture(scope="session")
def codec() -> Codec:
    """Of the simulated patients."""
    return Codec(schema=simulated_schema())


World = list[pd.DataFrame]


@pytest.fixture(scope="session")
def simulated_world() -> Callable[[int], World]:
    """Makes train, holdout and a disjoint third sample of the same people, so many persons each."""

    def make(persons: int) -> World:
        rows = simulated_patients(3 * persons, np.random.default_rng(7))
        return [rows.iloc[part * persons : (part + 1) * persons] for part in range(3)]

    return make


@pytest.fixture(scope="session")
def comparing(codec: Codec) -> Callable[[World], Callable[..., Comparison]]:
    """For a world: builds its comparison with a synthetic table."""

    def within(world: World) -> Callable[..., Comparison]:
        train, holdout, _ = world

        def build(synthetic: pd.DataFrame, **changes: Any) -> Comparison:
            parts = {"train": train, "holdout": holdout, "synthetic": synthetic} | {
                key: changes.pop(key) for key in ("train", "holdout") if key in changes
            }
            weights = {f"{part}_weights": np.ones(len(frame)) for part, frame in parts.items()}
            return Comparison(codec=changes.pop("codec", codec), **(parts | weights | changes))

        return build

    return within


@pytest.fixture
def scores() -> Callable[[Evaluation], dict[str, Score]]:
    """Scores of an evaluation by name."""
    return lambda evaluation: {score.name: score for score in evaluation.scores}
