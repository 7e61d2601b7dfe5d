"""What each part of `adaptive` is worth: one part taken out or set otherwise at a time, the rest as it is.

Every variant is the real model with one function or setting replaced. Distances are the bench's, against the fitted
rows: mean total variation over all pairs, over all (at most 500 fixed) triples, over the pairs that the schema's
questions rest on and over one-ways inside its rare conditions; beside them the AUC on held-out persons. Noise has no
seed: the spread over the full model's runs says what a ratio can show. A cell is kept as soon as it is measured.

Command: python benchmarks/ablation.py [--variants ...] [--tasks ...] [--epsilons ...] [--seeds ...] [--force] [--table]
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from bench_measures import cliques_of, conditional_error, distances, prediction
from bench_tasks import Codes, Task, load_task
from peers.contract import zcdp_of
from record import RESULTS, commit, plain, record

from medsynth.encoding.domain import Attribute, Domain
from medsynth.models.adaptive import Adaptive
from medsynth.models.levels import Chain, nested_chain
from medsynth.models.marginals import project_to_simplex
from medsynth.models.pooling import CellCounts
from medsynth.models.rounds import Rounds
from medsynth.models.selection import Choice
from medsynth.models.survey import nodes_of, within_tree
from medsynth.models.workload import pair_weights
from medsynth.privacy import UNITS_PER_PERSON, Ledger
from medsynth.schema import load_schema
from medsynth.sources.encoded import EncodedRecords

FloatArray = npt.NDArray[np.float64]
Values = dict[str, Any]
NAME = "ablation"
FULL = "full"
TASKS = ("adult_discrete", "nist_acs")
EPSILONS = (0.1, 1.0, 10.0)
MODELS = "medsynth.models"
KEYS = ("tv2", "tv3", "declared2", "rare", "auc")
ALL_QUESTIONS = frozenset({"utility", "studies"})
task_of = cache(load_task)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One change of the model.

    Attributes:
      says: What is changed, in words.
      settings: Of `Adaptive`, in place of its defaults.
      replaced: What stands in for a function or method, by its dotted name under `medsynth.models`.
      mu: The budget from (epsilon, delta), in place of the ledger's own conversion.
      declared: How much a pair counts that a declared question rests on.
      questions: Which declared questions count.
    """

    says: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    mu: Callable[[float, float], float] | None = None
    declared: float = 1.0
    questions: frozenset[str] = ALL_QUESTIONS

    @contextmanager
    def applied(self) -> Iterator[None]:
        """While it holds, the model is the variant."""
        with ExitStack() as stack:
            for name, other in self.replaced.items():
                stack.enter_context(patch(f"{MODELS}.{name}", other))
            yield


def _finest_alone(attribute: Attribute, mass: FloatArray) -> Chain:
    """A chain of its working level and the finest: no choice of resolution."""
    chain = nested_chain(attribute, mass)
    return Chain(attribute=chain.attribute, levels=chain.levels[chain.working :])


def _projected(
    attributes: Sequence[Attribute],  # noqa: ARG001 - the signature of what it replaces
    estimates: Sequence[CellCounts],
    *,
    total: float,
) -> tuple[FloatArray, ...]:
    """Each one-way table as the nearest nonnegative one of this total."""
    return tuple(project_to_simplex(estimate.counts, total) for estimate in estimates)


def _unshrunk(expected: FloatArray, noisy: FloatArray, sigma: float) -> FloatArray:  # noqa: ARG001 - as above
    """The residual is believed whole."""
    return np.divide(np.maximum(noisy, 0.0), expected, out=np.ones_like(expected), where=expected > 0)


def _equal_noise(costs: Sequence[float] | FloatArray, budget: float) -> FloatArray:
    return np.full(len(costs), math.sqrt(len(costs) / budget))


def _only_held(rounds: Rounds, turn: int, choices: Sequence[Choice], sigma: float) -> None:
    """Measures those pairs alone that the tree can hold beside what it holds."""
    held = [nodes_of(choice) for choice in rounds.held]
    kept = within_tree(rounds.survey, choices, held, cap=rounds.settings.tree_cells, coarsen=False)
    if kept:
        _measure_as_is(rounds, turn, kept, sigma)
    else:
        rounds.measure_one_ways_again(rounds.phases.tables[turn])


_measure_as_is = Rounds.measure

VARIANTS: dict[str, Variant] = {
    FULL: Variant(says="the model as it is"),
    "no_levels": Variant(
        says="every pair at the finest level that may enter one", replaced={"adaptive.nested_chain": _finest_alone}
    ),
    "only_tree_pairs": Variant(
        says="round 2 measures only pairs that the tree can hold", replaced={"rounds.Rounds.measure": _only_held}
    ),
    "no_edit": Variant(says="rows dealt from the tree, not edited", settings={"sweeps": 0}),
    "one_sweep": Variant(says="one sweep of the edit in place of two", settings={"sweeps": 1}),
    "no_denoising": Variant(
        says="one-way tables projected in place of denoised", replaced={"one_ways.denoise_one_ways": _projected}
    ),
    "no_residual_shrinkage": Variant(
        says="residuals of pairs believed whole", replaced={"targets.shrunk_ratio": _unshrunk}
    ),
    "no_raking": Variant(
        says="targets not brought back to the one-ways",
        replaced={"rounds.raked_targets": lambda targets, _: targets},
    ),
    "no_score_shrinkage": Variant(
        says="scores not pulled towards what tables of their shape show",
        replaced={"survey.shrink_scores": lambda scores, _, __, ceiling: np.clip(scores, 0.0, ceiling)},
    ),
    "no_chance_removed": Variant(
        says="scores keep what chance alone would show",
        replaced={"survey.without_chance": lambda scores, _: np.maximum(scores, 0.0)},
    ),
    "equal_noise": Variant(
        says="the same budget for every table of a phase",
        replaced={"one_ways.split_noise": _equal_noise, "pair_tables.split_noise": _equal_noise},
    ),
    "no_guard": Variant(
        says="pairs are measured even where one-ways promise more",
        replaced={"rounds.Rounds.better_on_one_ways": lambda *_: False},
    ),
    "zcdp": Variant(
        says="converted from zero-concentrated privacy in place of mu-GDP",
        mu=lambda epsilon, delta: math.sqrt(2 * zcdp_of(epsilon, delta)),
    ),
    "kappa_tenth": Variant(says="kappa a tenth", settings={"kappa": 0.0002}),
    "kappa_tenfold": Variant(says="kappa tenfold", settings={"kappa": 0.02}),
    "no_least_ridge": Variant(says="no least ridge", settings={"least_ridge": 0.0}),
    "half_one_ways": Variant(
        says="half the budget for one-ways",
        settings={"one_way_share": 0.135, "one_way_least": 0.05, "one_way_most": 0.35},
    ),
    "half_scores": Variant(says="half the budget for scores", settings={"score_share": 0.02}),
    "twice_scores": Variant(says="twice the budget for scores", settings={"score_share": 0.08}),
    "declared_twice": Variant(says="pairs of declared questions count twice", declared=2.0),
    "declared_fourfold": Variant(says="pairs of declared questions count fourfold, as in `medsynth fit`", declared=4.0),
    "declared_eightfold": Variant(says="pairs of declared questions count eightfold", declared=8.0),
    "prediction_fourfold": Variant(
        says="of these, those of the prediction alone, fourfold", declared=4.0, questions=frozenset({"utility"})
    ),
    "studies_fourfold": Variant(
        says="those of the studies alone, fourfold", declared=4.0, questions=frozenset({"studies"})
    ),
    "small_tree": Variant(says="a tree of a tenth of the cells", settings={"tree_cells": 20_000}),
    "large_tree": Variant(says="a tree of five times the cells", settings={"tree_cells": 1_000_000}),
}
"""A row each; the first is what the others are held against."""


def fit_and_draw(task: Task, variant: Variant, epsilon: float, seed: int) -> Codes:
    """Rows of a variant, as many as were fitted."""
    rows = len(task.train)
    records = EncodedRecords(
        domain=Domain(attributes=task.attributes),
        l2=UNITS_PER_PERSON,
        columns=[column.astype(np.uint16) for column in task.train.T],
        weights=np.full(rows, UNITS_PER_PERSON, dtype=np.int64),
    )
    ledger = Ledger(epsilon, task.delta, population=NAME, persons=rows)
    mu = ledger.guarantee.mu if variant.mu is None else variant.mu(epsilon, task.delta)
    with variant.applied():
        weights = _weights(task, variant)
        fitted = Adaptive(**variant.settings).fit(records, ledger, persons=rows, mu=mu, weights=weights)
        return fitted.sample(rows, np.random.default_rng(seed))


def _weights(task: Task, variant: Variant) -> FloatArray:
    return np.where(_declared(task, variant.questions), variant.declared, 1.0)


def _declared(task: Task, questions: frozenset[str]) -> npt.NDArray[np.bool_]:
    """Pairs that the schema's questions rest on; the columns of `adult_discrete` are not those of a schema."""
    if task.name == "adult_discrete":
        asked = [k for k, attribute in enumerate(task.attributes) if attribute.name not in task.target.excluded]
        found = np.zeros((len(task.sizes),) * 2, dtype=bool)
        found[task.target.column, asked] = found[asked, task.target.column] = "utility" in questions
        return found
    left_out = {key: None if key == "utility" else () for key in ALL_QUESTIONS - questions}
    schema = load_schema(task.name).model_copy(update=left_out)
    return pair_weights(schema, Domain(attributes=task.attributes)) > 1


def measured(task: Task, drawn: Codes) -> Values:
    """Distances over pairs, triples, declared pairs, inside rare conditions; AUC on held-out persons."""
    pairs, triples = (cliques_of(len(task.sizes), ways) for ways in (2, 3))
    two, three = (distances(task.train, drawn, cliques, task.sizes) for cliques in (pairs, triples))
    asked = _declared(task, ALL_QUESTIONS)[tuple(np.array(pairs).T)]
    auc = prediction(drawn, task.target, task.attributes, task.holdout, task.holdout_weights)
    rare = [conditional_error(c, task.train, drawn, task.sizes) for c in task.conditions.values()]
    return {
        "commit": commit(),
        "tv2": float(two.mean()),
        "tv3": float(three.mean()),
        "declared2": float(two[asked].mean()),
        "rare": float(np.mean([error for error in rare if error is not None])),
        "auc": auc,
    }


def read_runs() -> Values:
    """What was found so far."""
    path = RESULTS / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8"))["values"]["runs"] if path.exists() else {}


def known(runs: Values, keys: Sequence[str]) -> bool:
    """Whether there is a result of a cell."""
    for key in keys:
        runs = runs.get(key, {})
    return bool(runs)


def keep(place: tuple[str, str, str, str], cell: Values) -> None:
    """Puts a cell in its place and writes everything; read anew, as another run may have written meanwhile."""
    task, epsilon, name, seed = place
    runs = read_runs()
    runs.setdefault(task, {}).setdefault(epsilon, {}).setdefault(name, {})[seed] = cell
    found = {seed for task in runs.values() for at in task.values() for seeds in at.values() for seed in seeds}
    seeds = sorted(int(seed.removeprefix("seed_")) for seed in found)
    values = {"says": {name: variant.says for name, variant in VARIANTS.items()}, "runs": runs}
    values |= {"ratios": ratios(runs), "spread": spread(runs)}
    record(NAME, plain(values), command=f"python benchmarks/{NAME}.py", seeds=seeds)


def ratios(runs: Values) -> Values:
    """Mean error of every variant over that of the full model on the same seeds."""
    found: Values = {}
    for task, epsilons in runs.items():
        for epsilon, variants in epsilons.items():
            for name, seeds in variants.items():
                shared = [seed for seed in seeds if seed in variants.get(FULL, {})]
                place = found.setdefault(task, {}).setdefault(epsilon, {})
                if shared:
                    place[name] = {key: _ratio(seeds, variants[FULL], shared, key) for key in KEYS}
    return found


def spread(runs: Values) -> Values:
    """Standard deviation of the full model's figures over its seeds, over their mean."""
    return {
        task: {
            epsilon: {key: _deviation([run[key] for run in variants[FULL].values()]) for key in KEYS}
            for epsilon, variants in epsilons.items()
            if len(variants.get(FULL, {})) > 1
        }
        for task, epsilons in runs.items()
    }


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1) / np.mean(values))


def _ratio(own: Values, full: Values, seeds: Sequence[str], key: str) -> float:
    return float(np.mean([own[seed][key] for seed in seeds]) / np.mean([full[seed][key] for seed in seeds]))


def table(found: Values) -> list[str]:
    """The page's table: 2-way / 3-way error over that of the full model, with claims."""
    places = [(task, epsilon) for task in TASKS for epsilon in (f"epsilon_{value:g}" for value in EPSILONS)]
    heads = [f"{task}, {epsilon.removeprefix('epsilon_')}" for task, epsilon in places]
    lines = ["| change | " + " | ".join(heads) + " |", "|" + " --- |" * (len(heads) + 1)]
    for name, variant in VARIANTS.items():
        if name != FULL:
            cells = [_claimed(found, task, epsilon, name) for task, epsilon in places]
            lines.append(f"| {variant.says} | " + " | ".join(cells) + " |")
    return lines


def _claimed(found: Values, task: str, epsilon: str, name: str) -> str:
    ratio = found.get(task, {}).get(epsilon, {}).get(name)
    if ratio is None:
        return ""
    place = f"{NAME}:ratios.{task}.{epsilon}.{name}"
    return " / ".join(f"{ratio[key]:.2f}<!-- claim: {place}.{key} -->" for key in ("tv2", "tv3"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--epsilons", nargs="+", type=float, default=EPSILONS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--force", action="store_true", help="measure cells that have a result, too")
    parser.add_argument("--table", action="store_true", help="run nothing: print the table for docs/mathematics.md")
    options = parser.parse_args()
    if options.table:
        print("\n".join(table(ratios(read_runs()))))
        return
    for place in product(options.tasks, options.epsilons, options.variants, options.seeds):
        task, epsilon, name, seed = place
        keys = (task, f"epsilon_{epsilon:g}", name, f"seed_{seed}")
        if options.force or not known(read_runs(), keys):
            cell = measured(task_of(task), fit_and_draw(task_of(task), VARIANTS[name], epsilon, seed))
            keep(keys, cell)
            print(*keys, {key: round(cell[key], 4) for key in KEYS}, flush=True)


if __name__ == "__main__":
    main()
