"""What each part of `adaptive` is worth: one part taken out or set otherwise at a time, the rest as it is.

Every variant is the real model with one function or setting replaced. Distances are the bench's, against the fitted
rows: mean total variation over all pairs, over all (at most 500 fixed) triples and over the pairs of the column that
the task predicts; beside them the AUC on held-out persons. A finished cell is kept as soon as it is measured.

Command: python benchmarks/ablation.py [--variants ...] [--tasks ...] [--epsilons ...] [--seeds ...] [--force]
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from bench_measures import cliques_of, distances, prediction
from bench_tasks import Codes, Task, load_task
from peers.contract import zcdp_of
from record import RESULTS, plain, record

from medsynth.encoding.domain import Attribute, Domain
from medsynth.models.adaptive import Adaptive
from medsynth.models.levels import Chain, nested_chain
from medsynth.models.marginals import project_to_simplex
from medsynth.models.pooling import CellCounts
from medsynth.models.rounds import Rounds
from medsynth.models.selection import Choice
from medsynth.models.survey import nodes_of, within_tree
from medsynth.privacy import UNITS_PER_PERSON, Ledger
from medsynth.sources.encoded import EncodedRecords

FloatArray = npt.NDArray[np.float64]
Values = dict[str, Any]
NAME = "ablation"
FULL = "full"
TASKS = ("adult_discrete", "nist_acs")
EPSILONS = (0.1, 1.0, 10.0)
MODELS = "medsynth.models"
KEYS = ("tv2", "tv3", "target2", "auc")
task_of = cache(load_task)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One change of the model.

    Attributes:
      says: What is changed, in words.
      settings: Of `Adaptive`, in place of its defaults.
      replaced: What stands in for a function or method, by its dotted name under `medsynth.models`.
      mu: The budget from (epsilon, delta), in place of the ledger's own conversion.
      target: How much a pair of the predicted column counts.
    """

    says: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    mu: Callable[[float, float], float] | None = None
    target: float = 1.0

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
    kept = within_tree(rounds.survey, choices, held, cap=rounds.settings.tree_cells, coarsen=bool(turn)) or choices[:1]
    _measure_as_is(rounds, turn, kept, sigma)


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
        says="the same noise on every table of a phase",
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
    "target_twice": Variant(says="pairs of the predicted column count twice", target=2.0),
    "target_fourfold": Variant(says="pairs of the predicted column count fourfold, as `fit` has it", target=4.0),
    "target_eightfold": Variant(says="pairs of the predicted column count eightfold", target=8.0),
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
        weights = _weights(task, variant.target)
        fitted = Adaptive(**variant.settings).fit(records, ledger, persons=rows, mu=mu, weights=weights)
        return fitted.sample(rows, np.random.default_rng(seed))


def _weights(task: Task, target: float) -> FloatArray:
    weights = np.ones((len(task.sizes),) * 2)
    weights[task.target.column] = weights[:, task.target.column] = target
    return weights


def measured(task: Task, drawn: Codes) -> dict[str, float]:
    """Mean distance over pairs, over triples and over pairs of the predicted column; AUC on held-out persons."""
    pairs, triples = (cliques_of(len(task.sizes), ways) for ways in (2, 3))
    two, three = (distances(task.train, drawn, cliques, task.sizes) for cliques in (pairs, triples))
    predicted = [task.target.column in pair for pair in pairs]
    auc = prediction(drawn, task.target, task.attributes, task.holdout, task.holdout_weights)
    return {"tv2": float(two.mean()), "tv3": float(three.mean()), "target2": float(two[predicted].mean()), "auc": auc}


def read_runs() -> Values:
    """What was found so far."""
    path = RESULTS / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8"))["values"]["runs"] if path.exists() else {}


def keep(runs: Values) -> None:
    """Writes all runs and what they come to."""
    found = {seed for task in runs.values() for at in task.values() for seeds in at.values() for seed in seeds}
    seeds = sorted(int(seed.removeprefix("seed_")) for seed in found)
    values = {"says": {name: variant.says for name, variant in VARIANTS.items()}, "runs": runs, "ratios": ratios(runs)}
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


def _ratio(own: Values, full: Values, seeds: Sequence[str], key: str) -> float:
    return float(np.mean([own[seed][key] for seed in seeds]) / np.mean([full[seed][key] for seed in seeds]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--epsilons", nargs="+", type=float, default=EPSILONS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--force", action="store_true", help="measure cells that have a result, too")
    options = parser.parse_args()
    runs = {} if options.force else read_runs()
    for seed in options.seeds:
        for task in options.tasks:
            for epsilon in options.epsilons:
                for name in options.variants:
                    place = runs.setdefault(task, {}).setdefault(f"epsilon_{epsilon:g}", {}).setdefault(name, {})
                    if f"seed_{seed}" not in place:
                        drawn = fit_and_draw(task_of(task), VARIANTS[name], epsilon, seed)
                        place[f"seed_{seed}"] = measured(task_of(task), drawn)
                        print(task, epsilon, name, seed, place[f"seed_{seed}"], flush=True)
                        keep(runs)


if __name__ == "__main__":
    main()
