"""What upsampling does to fidelity: inside the raised condition, and of the weighted file as a whole.

The raw Adult table (48,842 rows, 15 columns) from `../shared/data`, the shipped schema with more rare
conditions, one fit per epsilon and seed. Every condition in turn is raised to 30 % of as many rows.
All errors are mean total variation distances over pairs of columns.

  inside   pairs of the other columns, among the rows that satisfy the condition: real against drawn,
           once edited (what users get), once as the tree's exact conditional draw
  weighted all pairs, real against the upsampled file with its weights; beside it a plain file
  exact    a condition over three columns, alone in its schema, raised from about 1 to 30 % of 100,000 rows: seconds,
           how far the share is off, error inside and repeated rows beside as many cases of natural drawings

Command: python benchmarks/upsampling.py [--epsilons 1 3] [--seeds 0 1] [--dry]
"""

import argparse
import json
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml
from record import record

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import compile_condition
from medsynth.models.graphical import GraphicalModel
from medsynth.sampling.draw import WEIGHT, draw
from medsynth.sampling.repair import lawful
from medsynth.schema import dump_schema, load_schema, parse_schema
from medsynth.synthesizer import Synthesizer

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "adult"
SHARE = 0.3
CONDITIONS = {
    "women_with_doctorate": "education == 'Doctorate' and sex == 'Female'",
    "private_household": "occupation == 'Priv-house-serv'",
    "high_capital_gain": "`capital-gain` >= 15000",
    "doctorate": "education == 'Doctorate'",
    "born_in_asia": "`native-country` in ('Cambodia', 'India', 'Japan', 'China', 'Iran', 'Philippines', 'Vietnam', "
    "'Laos', 'Taiwan', 'Thailand', 'Hong')",
    "born_in_mexico": "`native-country` == 'Mexico'",
    "federal": "workclass == 'Federal-gov'",
    "widowed": "`marital-status` == 'Widowed'",
    "loss": "`capital-loss` > 0",
}
"""Held by 0.2 to 5 % of the persons."""

EXACT = "sex == 'Female' and (education in ('Doctorate', 'Prof-school') or `capital-gain` >= 10000)"
EXACT_ROWS = 100_000
NATURAL_ROWS = 400_000
"""Rows of one natural drawing."""

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


def load() -> pd.DataFrame:
    """The raw rows, cleaned as the schema file says."""
    names = list(load_schema("adult").columns)
    parts = [
        pd.read_csv(
            DATA / file, header=None, names=names, skiprows=skipped, skipinitialspace=True, keep_default_na=False
        )
        for file, skipped in (("adult.data.gz", 0), ("adult.test.gz", 1))
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows[names[-1]] = rows[names[-1]].str.rstrip(".")
    return rows


def schema_text(conditions: Mapping[str, str]) -> str:
    """The shipped schema with other conditions."""
    plain = yaml.safe_load(dump_schema(load_schema("adult").self_contained()))
    plain["rare"] = [{"name": name, "where": where} for name, where in conditions.items()]
    return str(yaml.safe_dump(plain, sort_keys=False))


def distance(
    real: Codes, drawn: Codes, weights: Floats, sizes: tuple[int, ...], without: Collection[int] = ()
) -> float:
    """Mean total variation distance over pairs of columns."""
    columns = [column for column in range(len(sizes)) if column not in without]
    found = []
    for i, j in combinations(columns, 2):
        cells = sizes[i] * sizes[j]
        one = np.bincount(real[:, i] * sizes[j] + real[:, j], minlength=cells) / len(real)
        other = np.bincount(drawn[:, i] * sizes[j] + drawn[:, j], weights, cells) / weights.sum()
        found.append(0.5 * float(np.abs(one - other).sum()))
    return float(np.mean(found))


def one_fit(real: pd.DataFrame, epsilon: float, seed: int) -> dict[str, Any]:
    """Every condition, raised in turn."""
    schema = parse_schema(schema_text(CONDITIONS), where="adult")
    codec = Codec(schema=schema)
    codes, sizes, n = codec.encode(real), codec.domain.sizes, len(real)
    fitted = Synthesizer(schema, epsilon=epsilon).fit(real).model_.fitted
    assert isinstance(fitted, GraphicalModel)
    tree = replace(fitted, targets=())
    everywhere = {}
    for kind, model in (("edited", fitted), ("tree", tree)):
        plain = codec.encode(draw(model, codec, n, np.random.default_rng(seed)).frame)
        everywhere[f"plain_{kind}"] = distance(codes, plain, np.ones(n), sizes)
    rows = {name: _raised(name, (fitted, tree), codec, codes, seed) for name in CONDITIONS}
    return {"plain": everywhere, "conditions": rows}


def _raised(
    name: str, models: tuple[GraphicalModel, GraphicalModel], codec: Codec, real: Codes, seed: int
) -> dict[str, float]:
    predicate = codec.schema.rare_predicates[name]
    condition = compile_condition(predicate, codec)
    inside = real[condition.mask(real)]
    found = {"share": len(inside) / len(real)}
    for kind, model in zip(("edited", "tree"), models, strict=True):
        began = time.perf_counter()
        frame = draw(model, codec, len(real), np.random.default_rng(seed), upsample={name: SHARE}, force=True).frame
        found[f"seconds_{kind}"] = time.perf_counter() - began
        assert lawful(frame, codec).all()
        drawn, weights = codec.encode(frame), frame[WEIGHT].to_numpy()
        member = condition.mask(drawn)
        within = drawn[member]
        found[f"inside_{kind}"] = distance(
            inside, within, np.ones(len(within)), codec.domain.sizes, condition.attributes
        )
        found[f"weighted_{kind}"] = distance(real, drawn, weights, codec.domain.sizes)
    rng = np.random.default_rng(seed)
    again = inside[rng.integers(0, len(inside), len(inside))]
    found["inside_bootstrap"] = distance(inside, again, np.ones(len(again)), codec.domain.sizes, condition.attributes)
    return found


def exact(real: pd.DataFrame, epsilon: float, seed: int) -> dict[str, float]:
    """The condition over three columns."""
    schema = parse_schema(schema_text({"learned_or_rich": EXACT}), where="adult")
    codec = Codec(schema=schema)
    codes, sizes = codec.encode(real), codec.domain.sizes
    fitted = Synthesizer(schema, epsilon=epsilon).fit(real).model_.fitted
    condition = compile_condition(schema.rare_predicates["learned_or_rich"], codec)
    began = time.perf_counter()
    raised = draw(
        fitted, codec, EXACT_ROWS, np.random.default_rng(seed), upsample={"learned_or_rich": SHARE}, force=True
    )
    seconds = time.perf_counter() - began
    drawn = codec.encode(raised.frame)
    cases = drawn[condition.mask(drawn)]
    natural: list[Codes] = []
    while sum(map(len, natural)) < len(cases):
        rows = codec.encode(draw(fitted, codec, NATURAL_ROWS, np.random.default_rng(seed + len(natural) + 1)).frame)
        natural.append(rows[condition.mask(rows)])
    others = np.concatenate(natural)[: len(cases)]
    inside = codes[condition.mask(codes)]
    found = {"share": len(inside) / len(codes), "seconds": seconds, "off_by_rows": abs(len(cases) - SHARE * EXACT_ROWS)}
    for kind, rows in (("raised", cases), ("natural", others)):
        found[f"inside_{kind}"] = distance(inside, rows, np.ones(len(rows)), sizes, condition.attributes)
        found[f"repeats_{kind}"] = 1 - len(np.unique(rows, axis=0)) / len(rows)
    return found


def summary(fits: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the fits, and of the conditions together."""
    conditions = {
        name: {
            key: float(np.mean([fit["conditions"][name][key] for fit in fits])) for key in fits[0]["conditions"][name]
        }
        for name in CONDITIONS
    }
    keys = next(iter(conditions.values()))
    together = {key: float(np.mean([row[key] for row in conditions.values()])) for key in keys}
    worst = max(row["inside_edited"] / row["inside_tree"] for row in conditions.values())
    plain = {key: float(np.mean([fit["plain"][key] for fit in fits])) for key in fits[0]["plain"]}
    return {"plain": plain, "mean": together | {"worst_ratio": worst}, "conditions": conditions}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 3.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    options = parser.parse_args()
    real = load()
    values = {}
    for epsilon in options.epsilons:
        values[f"epsilon_{epsilon:g}"] = summary([one_fit(real, epsilon, seed) for seed in options.seeds])
        found = [exact(real, epsilon, seed) for seed in options.seeds]
        values[f"epsilon_{epsilon:g}"]["exact"] = {key: float(np.mean([row[key] for row in found])) for key in found[0]}
        print(f"epsilon {epsilon:g}", json.dumps(values[f"epsilon_{epsilon:g}"], indent=1), flush=True)
    if not options.dry:
        record("upsampling", values, command="python benchmarks/upsampling.py", seeds=options.seeds)


if __name__ == "__main__":
    main()
