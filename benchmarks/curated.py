"""Small curated against large: how few records teach as much as the whole synthetic table does.

One fit of `adaptive` per table. Trees are learned on tables of several sizes and tested on held-out persons:

  random     independent rows of the tree
  edited     what `medsynth sample` gives
  selected   `--oversample 20`
  real       as many training rows

`smallest_that_matches` is the smallest size whose AUC is within AS_GOOD of the whole edited table's.

Command: python benchmarks/curated.py [--tasks adult_discrete diabetes130] [--epsilon 1] [--draws 1]
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from bench_measures import Codes, prediction
from bench_tasks import Task, load_task
from record import record
from selection import AS_GOOD, POOL, fitted, select

from medsynth.models.graphical import GraphicalModel

SIZES = (500, 2_000, 10_000)


def ways(model: GraphicalModel, task: Task) -> Mapping[str, Callable[[int, int], Codes]]:
    """Each draws so many rows with a seed."""
    return {
        "random": lambda n, seed: model.sample(n, np.random.default_rng(seed), edited=False),
        "edited": lambda n, seed: model.sample(n, np.random.default_rng(seed)),
        "selected": lambda n, seed: select(model, task, n, np.random.default_rng(seed), pool=POOL, edited=True),
        "real": lambda n, seed: task.train[np.random.default_rng(seed).permutation(len(task.train))[:n]],
    }


def curve(task: Task, epsilon: float, draws: int) -> dict[str, Any]:
    """AUC by size and way; of the whole size selection is left out, which has nothing to choose."""
    model, whole = fitted(task, epsilon), len(task.train)
    found: dict[str, Any] = {"rows": whole, "epsilon": epsilon, "draws": draws}
    for n in (*SIZES, whole):
        name = "n_whole" if n == whole else f"n_{n}"
        found[name] = {}
        for way, draw in ways(model, task).items():
            if n == whole and way == "selected":
                continue
            learned = [
                prediction(draw(n, seed), task.target, task.attributes, task.holdout, task.holdout_weights)
                for seed in range(draws)
            ]
            found[name][way] = {"auc": float(np.mean(learned)), "spread": float(np.ptp(learned))}
            print(task.name, n, way, found[name][way], flush=True)
    best = found["n_whole"]["edited"]["auc"]
    found["smallest_that_matches"] = {
        way: min([n for n in SIZES if found[f"n_{n}"][way]["auc"] >= best - AS_GOOD], default=whole)
        for way in ("random", "edited", "selected")
    }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["adult_discrete", "diabetes130"])
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--draws", type=int, default=1)
    options = parser.parse_args()
    values: dict[str, Any] = {}
    for name in options.tasks:
        values[name] = curve(load_task(name), options.epsilon, options.draws)
        record("curated", values, command="python benchmarks/curated.py", seeds=list(range(options.draws)))


if __name__ == "__main__":
    main()
