"""Whether 95 % intervals of declared estimates cover: population, sampling, noise and refits all simulated.

The population is known: the first stays of all patients of diabetes130, reduced to four columns, of which persons are
drawn with replacement. Each repeat draws persons, fits them at epsilon 1, releases a table with replicates, and
estimates everything that the schema declares on the persons (the oracle), on the release as if it were real (naive) and
with replicates. A repeat is kept as soon as it is done, so that a run may be stopped and taken up again; raw estimates
are kept, so that intervals can be computed anew (`--summary`).

Command: python benchmarks/coverage.py [--repeats N] [--from R] [--summary] [--kept FILE]
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from check_schemas import READERS

from medsynth import Synthesizer
from medsynth.encoding.codec import Codec
from medsynth.fidelity.study_fits import estimates
from medsynth.fitting import claim_of
from medsynth.replicating import Replicates
from medsynth.schema import Schema, parse_schema

PERSONS, EPSILON, REPLICATES, REPEATS, SEED = 10_000, 1.0, 10, 500, 20_260_901
SCHEMA = f"""
medsynth: 1
dataset: {{name: first stays}}
privacy: {{rows_are_persons: true, noun: patient, persons: {PERSONS}, epsilon: {EPSILON}}}
columns:
  early: {{kind: boolean, description: readmitted within 30 days}}
  a1c: {{kind: category, values: ["None", "Norm", ">7", ">8"]}}
  decade: {{kind: integer, min: 3, max: 9, bins: 7, description: "age in tens of years, from 3 or less"}}
  days: {{kind: integer, min: 1, max: 14, bins: 14, description: length of stay}}
subgroups:
  - {{name: tested, where: "a1c != 'None'"}}
  - {{name: high, where: "a1c == '>8'"}}
  - {{name: under 50, where: "decade < 5"}}
  - {{name: 80 and over, where: "decade >= 8"}}
  - {{name: long stay, where: "days >= 8"}}
utility: {{target: early, positive: true, task: binary}}
studies:
  - {{name: readmission, formula: "early ~ a1c + decade + days", family: logistic}}
  - {{name: stay, formula: "days ~ a1c + decade", family: linear}}
"""


def population() -> pd.DataFrame:
    """The first stay of every patient."""
    frame = READERS["diabetes130"]()
    frame = frame.assign(order=frame["encounter_id"].astype(int)).sort_values("order").drop_duplicates("patient_nbr")
    decade = frame["age"].str.extract(r"(\d+)")[0].astype(int) // 10
    return pd.DataFrame(
        {
            "early": frame["readmitted"] == "<30",
            "a1c": frame["A1Cresult"],
            "decade": decade.clip(3, 9),
            "days": frame["time_in_hospital"].astype(int),
        }
    ).reset_index(drop=True)


def told(schema: Schema, frame: pd.DataFrame) -> list[list[float | None]]:
    """Value and error of every declared estimate."""
    return [[each.value, each.error] for each in estimates(schema, frame, np.ones(len(frame)))]


def repeated(number: int, whole: pd.DataFrame, schema: Schema, codec: Codec) -> dict[str, Any]:
    """One draw of persons, one release, its replicates."""
    rng = np.random.default_rng([SEED, number])
    persons = whole.iloc[rng.integers(0, len(whole), PERSONS)].reset_index(drop=True)
    file = Synthesizer(schema).fit(persons).model_
    tables = list(Replicates(file, codec, PERSONS, rng, number=REPLICATES))
    codes = codec.encode(tables[0])
    return {
        "repeat": number,
        "oracle": told(schema, persons),
        "tables": [told(schema, table) for table in tables],
        "measured": [
            [list(each.attributes), [groups.tolist() for groups in each.groups], each.sigma]
            for each in claim_of(file).measurements
        ],
        "shares": [
            (np.bincount(codes[:, k], minlength=size) / len(codes)).round(6).tolist()
            for k, size in enumerate(codec.domain.sizes)
        ],
    }


def kept_in(path: Path) -> list[dict[str, Any]]:
    """Repeats done so far, each once."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return list({row["repeat"]: row for row in map(json.loads, lines)}.values())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=REPEATS)
    options.add_argument("--kept", type=Path, default=Path(tempfile.gettempdir()) / "medsynth-coverage.jsonl")
    options.add_argument("--summary", action="store_true")
    asked = options.parse_args()
    whole, schema = population(), parse_schema(SCHEMA, where="coverage.py")
    codec = Codec(schema=schema)
    done = {row["repeat"] for row in kept_in(asked.kept)}
    for number in range(0 if asked.summary else asked.repeats):
        if number not in done:
            line = json.dumps(repeated(number, whole, schema, codec))
            with asked.kept.open("a", encoding="utf-8") as file:
                file.write(line + "\n")


if __name__ == "__main__":
    main()
