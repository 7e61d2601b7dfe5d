"""Rare conditions that get tables of their own: error inside them, and what that costs everybody else.

Eight conditions, those of the prototype where its notes name them: `adult_discrete` (48,842 rows, delta 1e-9) by
country, by degree and sex, by capital gain; `diabetes130` (one stay of each of 71,518 patients, ICD-9 codes at their
blocks) by outcome, diagnosis and age. Errors are mean total variation distances over pairs of columns (inside: the
columns that the condition does not name, the real rows against 5,000 drawn).

  alone     one condition gets all of a share of mu^2; the rest of the budget is fitted once per share and seed
  tree      the same fit without the condition's tables: its exact conditional draw
  bootstrap the real rows inside, drawn again
  together  all conditions of a table share the default part: error inside, and of all rows over that of a fit
            without rare conditions at the same epsilon
  grades    error of the measured one-ways inside over that of the tree, by the grade the fit gave

Command: python benchmarks/rare_conditions.py [--epsilons 1 3] [--seeds 0 1] [--shares 0.1 0.15] [--dry]
"""

import argparse
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from bench_tasks import coarse_attribute, coarse_condition, load_task, one_row_each
from check_schemas import READERS
from record import record

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.encoding.domain import Domain
from medsynth.fidelity.resolution import at_levels, pair_level
from medsynth.models.adaptive import Adaptive
from medsynth.models.base import RareTarget
from medsynth.models.graphical import GraphicalModel
from medsynth.models.rare import RareSurvey
from medsynth.privacy import UNITS_PER_PERSON, Ledger, mu_from
from medsynth.schema import load_schema, uncounted
from medsynth.sources.encoded import EncodedRecords

Codes = npt.NDArray[np.int32]
DRAWN = 5_000
SHARE = Adaptive().rare_share
OF_DIABETES = ("died", "pregnancy", "hospice", "children")


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Rows, and conditions of them."""

    domain: Domain
    codes: Codes
    delta: float
    conditions: Mapping[str, Condition]

    @property
    def records(self) -> EncodedRecords:
        """As a fit gets them; every row is a person."""
        units = np.full(len(self.codes), UNITS_PER_PERSON)
        columns = [self.codes[:, k].astype(np.uint16) for k in range(len(self.domain))]
        return EncodedRecords(domain=self.domain, l2=UNITS_PER_PERSON, columns=columns, weights=units)

    def target(self, name: str) -> RareTarget:
        """A condition with all columns that it does not name."""
        condition = self.conditions[name]
        varied = {k for k, size in enumerate(self.domain.sizes) if size > 1}
        return RareTarget(name=name, condition=condition, columns=tuple(sorted(varied - condition.attributes)))


def adult() -> Table:
    """The discretised table, both parts."""
    task = load_task("adult_discrete")
    domain = Domain(attributes=task.attributes)

    def box(**cells: Sequence[int]) -> Condition:
        names = {name.replace("_", "-"): members for name, members in cells.items()}
        masks = {domain.index(name): np.isin(np.arange(domain[name].size), list(m)) for name, m in names.items()}
        return Condition(boxes=(masks,))

    conditions = {
        "philippines": box(native_country=[15]),
        "mexico": box(native_country=[20]),
        "women_with_doctorate": box(education_num=[15], sex=[0]),
        "high_capital_gain": box(capital_gain=range(15, 100)),
    }
    codes = np.concatenate([task.train, task.holdout])
    return Table(domain=domain, codes=codes, delta=task.delta, conditions=conditions)


def diabetes() -> Table:
    """One random stay of every patient."""
    schema, frame = uncounted(load_schema("diabetes130")), READERS["diabetes130"]()
    codec = Codec(schema=schema)
    levels = [pair_level(attribute) for attribute in codec.domain.attributes]
    codes = at_levels(codec.encode(frame), levels)[one_row_each(frame[schema.privacy.unit].to_numpy().astype(str))]
    conditions = {}
    for name in OF_DIABETES:
        condition = coarse_condition(compile_condition(schema.rare_predicates[name], codec), levels)
        assert condition is not None
        conditions[name] = condition
    attributes = tuple(map(coarse_attribute, codec.domain.attributes, levels))
    delta = schema.privacy.delta_value
    return Table(
        domain=Domain(attributes=attributes), codes=np.ascontiguousarray(codes), delta=delta, conditions=conditions
    )


TABLES = {"adult_discrete": adult, "diabetes130": diabetes}


def distance(real: Codes, drawn: Codes, sizes: Sequence[int], columns: Sequence[int], ways: int = 2) -> float:
    """Mean total variation distance over sets of columns."""
    found = []
    for chosen in combinations(columns, ways):
        shape = [sizes[k] for k in chosen]
        tables = [
            np.bincount(np.ravel_multi_index(tuple(rows[:, list(chosen)].T), shape), minlength=math.prod(shape))
            / len(rows)
            for rows in (real, drawn)
        ]
        found.append(0.5 * float(np.abs(tables[0] - tables[1]).sum()))
    return float(np.mean(found))


def one_fit(table: Table, epsilon: float, share: float, seed: int) -> dict[str, dict[str, Any]]:
    """Every condition alone, at one share of the budget."""
    mu, rng = mu_from(epsilon, table.delta), np.random.default_rng(seed)
    base = _fitted(table, math.sqrt(1 - share) * mu)
    found = {}
    for name in table.conditions:
        began = time.perf_counter()
        survey = RareSurvey(table.records, Ledger(90.0, table.delta), base, [table.target(name)], share * mu**2)
        model = replace(base, rare=survey.measured(base))
        seconds = time.perf_counter() - began
        found[name] = _inside(table, base, model, name, rng) | {"seconds": seconds}
    return found


def together(table: Table, epsilon: float, seed: int) -> dict[str, Any]:
    """All conditions at the default share, against a fit without any."""
    mu, rng, n = mu_from(epsilon, table.delta), np.random.default_rng(seed), len(table.codes)
    plain, every = _fitted(table, mu), range(len(table.domain))
    model = _fitted(table, mu, [table.target(name) for name in table.conditions])
    sizes = table.domain.sizes
    return {
        "overall_without": distance(table.codes, plain.sample(n, rng), sizes, every),
        "overall": distance(table.codes, model.sample(n, rng), sizes, every),
        "conditions": {name: _inside(table, plain, model, name, rng) for name in table.conditions},
    }


def _fitted(table: Table, mu: float, rare: Sequence[RareTarget] = ()) -> GraphicalModel:
    ledger = Ledger(90.0, table.delta)
    return Adaptive().fit(table.records, ledger, persons=len(table.codes), mu=mu, rare=rare)


def _inside(
    table: Table, without: GraphicalModel, model: GraphicalModel, name: str, rng: np.random.Generator
) -> dict[str, Any]:
    condition, sizes = table.conditions[name], table.domain.sizes
    real = table.codes[condition.mask(table.codes)]
    columns = [k for k in range(len(sizes)) if k not in condition.attributes]
    (group,) = (group for group in model.rare if group.name == name)
    by_tree = replace(without, targets=()).sample(DRAWN, rng, condition)
    drawn = model.sample(DRAWN, rng, condition)
    again = real[rng.integers(0, len(real), len(real))]
    return {
        "cases": len(real),
        "counted": group.persons,
        "counted_error": group.error,
        "grade": group.grade,
        "columns": len(group.columns),
        "expected_error": group.expected_error,
        "measured_one_way": distance(real, drawn, sizes, group.columns, 1) if group.columns else None,
        "one_way": distance(real, drawn, sizes, columns, 1),
        "one_way_tree": distance(real, by_tree, sizes, columns, 1),
        "inside": distance(real, drawn, sizes, columns),
        "tree": distance(real, by_tree, sizes, columns),
        "bootstrap": distance(real, again, sizes, columns),
    }


def mean_over(rows: Sequence[Mapping[str, Any]], key: str) -> float:
    """Mean of a figure over conditions and seeds."""
    return float(np.mean([row[key] for row in rows]))


def summary(alone: Mapping[str, Any], both: Mapping[str, Any]) -> dict[str, Any]:
    """What the targets ask for."""
    found: dict[str, Any] = {"alone": {}, "together": {}}
    for epsilon, shares in alone.items():
        found["alone"][epsilon] = {
            share: {key: mean_over(rows, key) for key in ("inside", "tree", "bootstrap", "one_way", "one_way_tree")}
            for share, rows in shares.items()
        }
    for epsilon, fits in both.items():
        rows = [row for fit in fits for row in fit["conditions"].values()]
        ratios = [fit["overall"] / fit["overall_without"] for fit in fits]
        found["together"][epsilon] = {
            "inside": mean_over(rows, "inside"),
            "tree": mean_over(rows, "tree"),
            "overall_ratio": float(np.exp(np.mean(np.log(ratios)))),
        }
    return found | {"grades": _grades([row for shares in alone.values() for rows in shares.values() for row in rows])}


def _grades(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found = {}
    for grade in ("supported", "fair", "weak", "below the noise"):
        own = [row for row in rows if row["grade"] == grade]
        if own:
            ratio = np.exp(np.mean([math.log(row["one_way"] / row["one_way_tree"]) for row in own]))
            known = [(row["expected_error"], row["measured_one_way"]) for row in own if row["columns"]]
            found[grade.replace(" ", "_")] = {
                "fits": len(own),
                "one_way_over_tree": float(ratio),
                "inside": mean_over(own, "inside"),
                "measured_over_expected": float(np.mean([b / a for a, b in known])) if known else None,
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 3.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.15])
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    options = parser.parse_args()
    tables = {name: load() for name, load in TABLES.items()}
    alone: dict[str, dict[str, list[Any]]] = {}
    both: dict[str, list[Any]] = {}
    for epsilon in options.epsilons:
        key = f"epsilon_{epsilon:g}"
        for name, table in tables.items():
            for seed in options.seeds:
                both.setdefault(key, []).append({"table": name, "seed": seed} | together(table, epsilon, seed))
                for share in options.shares:
                    rows = alone.setdefault(key, {}).setdefault(f"share_{round(100 * share)}_percent", [])
                    found = one_fit(table, epsilon, share, seed)
                    rows += [{"table": name, "condition": c, "seed": seed} | row for c, row in found.items()]
            print(key, name, json.dumps(summary(alone, both)), flush=True)
    if not options.dry:
        values = {"summary": summary(alone, both), "alone": alone, "together": both}
        record("rare_conditions", values, command="python benchmarks/rare_conditions.py", seeds=options.seeds)


if __name__ == "__main__":
    main()
