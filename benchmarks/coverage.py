"""Whether 95 % intervals of declared estimates cover: population, sampling, noise and refits all simulated.

The population is known: the first stays of all patients of diabetes130, reduced to four columns, of which persons are
drawn with replacement. Each repeat draws persons, fits them at epsilon 1, releases a table with replicates, and
estimates everything that the schema declares on the persons (the oracle), on the release as if it were real (naive) and
with replicates. A repeat is kept as soon as it is done, so that a run may be stopped and taken up again; raw estimates
are kept, so that intervals can be computed anew (`--summary`).

Command: python benchmarks/coverage.py [--repeats N] [--summary] [--kept FILE]
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from check_schemas import READERS
from record import record
from scipy import stats

from medsynth import Synthesizer
from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import MeasuredTable
from medsynth.fidelity.study_fits import estimates
from medsynth.fidelity.support import support
from medsynth.fitting import claim_of
from medsynth.inference import combine
from medsynth.replicating import Replicates
from medsynth.schema import Schema, parse_schema

FloatArray = npt.NDArray[np.float64]
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
    return {
        "repeat": number,
        "oracle": told(schema, persons),
        "tables": [told(schema, table) for table in tables],
        "measured": [
            [list(each.attributes), [groups.tolist() for groups in each.groups], each.sigma]
            for each in claim_of(file).measurements
        ],
    }


def kept_in(path: Path) -> list[dict[str, Any]]:
    """Repeats done so far, each once."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return list({row["repeat"]: row for row in map(json.loads, lines)}.values())


def interval(rule: str, told: FloatArray, errors: FloatArray) -> tuple[float, float]:
    """(middle, half width) of the 95 % interval of an estimate, the release first, by one of `RULES`."""
    m, release, others = len(told) - 1, told[0], told[1:]
    spread, within = others.var(ddof=1), (errors[1:] ** 2).mean()
    if rule == "honest":
        found = combine(told, errors)
        return found.value, found.high - found.value
    if rule == "naive":
        return release, stats.norm.ppf(0.975) * errors[0]
    t = stats.t.ppf(0.975, m - 1)
    if rule == "bias_taken_off":
        return 2 * release - others.mean(), t * np.sqrt((1 + 1 / m) * spread)
    sign = -1 if rule == "fully_synthetic" else 1
    # Where the difference is not positive, what the drawing of m tables leaves: Reiter (2002).
    return others.mean(), t * np.sqrt(max((1 + 1 / m) * spread + sign * within, within / m))


RULES = ("honest", "naive", "bias_taken_off", "fully_synthetic", "multiple_imputation")
"""`combine`; one table as if real; the bias of refits taken off; Raghunathan, Reiter and Rubin (2003), Rubin (1987)
as if refits were draws of a posterior."""


def summary(rows: Sequence[Mapping[str, Any]], whole: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """Coverage and width of every estimate by every rule, in the repeats where it was supported; and all together."""
    supported = np.array([supported_in(row, whole, schema) for row in rows])
    per: dict[str, dict[str, Any]] = {}
    for k, truth in enumerate(estimates(schema, whole, np.ones(len(whole)))):
        tables = np.array([[table[k] for table in row["tables"]] for row in rows], dtype=np.float64)
        oracle = np.array([row["oracle"][k] for row in rows], dtype=np.float64)
        kept = supported[:, k] & np.isfinite(tables).all(axis=(1, 2))
        if kept.any():
            found = judged(tables[kept], oracle[kept], float(truth.value or 0))
            per[f"{truth.study}, {truth.term}"] = {"supported": float(kept.mean()), "truth": truth.value, **found}
    return {
        "repeats": len(rows),
        "persons": PERSONS,
        "epsilon": EPSILON,
        "replicates": REPLICATES,
        "supported": float(supported.mean()),
        "rules": {rule: together(per, rule) for rule in ("oracle", *RULES)},
        "estimates": per,
    }


def judged(tables: FloatArray, oracle: FloatArray, truth: float) -> dict[str, Any]:
    """Coverage of one estimate by every rule, and width beside that of the real sample.

    Args:
      tables: (repeats, 1 + replicates, 2) values and errors.
      oracle: (repeats, 2) the same of the real sample.
      truth: Of the population.
    """
    real = stats.norm.ppf(0.975) * oracle[:, 1]
    found: dict[str, Any] = {"oracle": {"coverage": float((np.abs(oracle[:, 0] - truth) <= real).mean()), "width": 1.0}}
    for rule in RULES:
        ends = np.array([interval(rule, *each.T) for each in tables])
        covered = np.abs(ends[:, 0] - truth) <= ends[:, 1]
        found[rule] = {"coverage": float(covered.mean()), "width": float(ends[:, 1].mean() / real.mean())}
    return found


def together(per: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """A rule over all estimates: coverage of all intervals, least of one estimate, how many below 0.8, median width."""
    covered = np.array([found[rule]["coverage"] for found in per.values()])
    return {
        "coverage": float(np.average(covered, weights=[found["supported"] for found in per.values()])),
        "least": float(covered.min()),
        "below_0.80": int((covered < 0.8).sum()),
        "estimates": len(covered),
        "width": float(np.median([found[rule]["width"] for found in per.values()])),
    }


def supported_in(row: Mapping[str, Any], whole: pd.DataFrame, schema: Schema) -> list[bool]:
    """Which estimates the published tables of a repeat support."""
    tables = [
        MeasuredTable(
            attributes=tuple(names),
            groups=tuple(np.array(each, dtype=np.int32) for each in groups),
            noisy=np.zeros([max(each) + 1 for each in groups]),
            sigma=sigma,
            interactions=True,
        )
        for names, groups, sigma in row["measured"]
    ]
    return [each.supported for each in support(schema, whole.head(PERSONS), tables, PERSONS)]


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
    found = summary(kept_in(asked.kept), whole, schema)
    record("coverage", found, command=f"python benchmarks/coverage.py --repeats {found['repeats']}", seeds=[SEED])
    for rule, values in found["rules"].items():
        print(f"{rule:20}", {key: round(value, 3) for key, value in values.items()})


if __name__ == "__main__":
    main()
