"""What selecting records from a pool gives, against draws of the same model, and what it cannot give.

One fit of `adaptive` per table and epsilon. From it, at several sizes n, tables drawn in these ways:

  random    independent rows of the tree
  dealt     a single low-discrepancy draw of the tree: each cell its expected rows
  edited    dealt rows, edited towards the pair targets: what `medsynth sample` gives
  whole5    whole rows selected from a pool of 5 n by pair tables (`--draw random --oversample 5`)
  whole20   the same from 20 n
  spared    no pool: dealt rows, edited in six sweeps that keep the last row of a level
  selected  20 n, whole rows selected and then edited so (`--oversample 20`)
  band      the tenth of the pool of middling likelihood, then as whole20 (`--keep 0.1 --draw random`)
  band_edited   the same, then edited (`--keep 0.1`)
  likely    the n rows of the pool that are most probable
  diverse   dealt rows, of which the tenth was left out that is nearest to another (mixed-type distance)

  tv2       mean total variation distance over pairs, against train and holdout
  recall    share of the levels held by less than 1 % of the train rows that occur
  auc       on the holdout, of boosted trees learned on the table

`limits` holds what no draw changes: the error of the targets and of the tree's pairs themselves, spread over cells
by the one-ways; that of the train rows; and of the best table of n rows for each pair alone (`rounding`).

Command: python benchmarks/selection.py [--tasks ...] [--epsilons 1 10] [--dry]
"""

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from bench_measures import Codes, FloatArray, cliques_of, distances, prediction
from bench_tasks import Task, load_task
from record import record

from medsynth.encoding.domain import Domain, Level
from medsynth.models import MODELS
from medsynth.models.base import Part
from medsynth.models.edit import Editor, Limits, edit_rows
from medsynth.models.graphical import GraphicalModel
from medsynth.models.likelihood import log_likelihood
from medsynth.models.targets import tree_tables
from medsynth.privacy import UNITS_PER_PERSON, Ledger
from medsynth.sampling.draw import CHUNK
from medsynth.sampling.effect import nearest
from medsynth.sampling.select import SWEEPS, SelectedRows, Selection
from medsynth.sources.encoded import EncodedRecords

SIZES = (500, 2_000, 10_000)
RARE_LEVEL = 0.01
POOL = 20
LEARNED = ("random", "dealt", "edited", "whole20", "selected", "band", "likely")
"""Ways whose tables are also learned from."""
WHOLE_TABLE = ("random", "dealt", "edited", "selected")
"""Ways measured at as many rows as there are, and at 5,000."""
AS_GOOD = 0.005
"""A smaller table matches the whole one if its AUC is no more than this below."""


def fitted(task: Task, epsilon: float) -> GraphicalModel:
    """One fit."""
    codes = np.uint8 if max(task.sizes) <= 256 else np.uint16
    records = EncodedRecords(
        domain=Domain(attributes=task.attributes),
        l2=UNITS_PER_PERSON,
        columns=[column.astype(codes) for column in task.train.T],
        weights=np.full(len(task.train), UNITS_PER_PERSON, dtype=np.int64),
    )
    ledger = Ledger(epsilon, task.delta, population=task.name, persons=len(task.train))
    model = MODELS["adaptive"]().fit(records, ledger, persons=len(task.train), mu=ledger.guarantee.mu)
    assert isinstance(model, GraphicalModel)
    return model


def select(
    model: GraphicalModel, task: Task, n: int, rng: np.random.Generator, *, pool: int, edited: bool, keep: float = 1.0
) -> Codes:
    """Rows as the command selects them, chunk by chunk."""
    source = SelectedRows(
        model,
        [Part()],
        population=None,
        edited=edited,
        forbidden=(),
        rare=task.conditions,
        selection=Selection(oversample=pool, keep=keep),
    )
    size = CHUNK // pool
    chunks = [source.draw([min(size, n - begun)], rng)[0] for begun in range(0, n, size)]
    return np.concatenate(chunks)


def edited(model: GraphicalModel, _: Task, n: int, rng: np.random.Generator) -> Codes:
    """What users get without selection."""
    return edit_rows(model.draw_from_tree(n, rng), model.targets, rng, masses=model.one_ways, sweeps=model.sweeps)


def spared(model: GraphicalModel, _: Task, n: int, rng: np.random.Generator) -> Codes:
    """As many sweeps as a selection has, and no pool."""
    editor = Editor(model.targets, masses=model.one_ways, sweeps=SWEEPS)
    return editor.edit(model.draw_from_tree(n, rng), rng, limits=Limits(spare=True))


def likely(model: GraphicalModel, _: Task, n: int, rng: np.random.Generator) -> Codes:
    """The most probable rows of the pool."""
    rows = model.draw_from_tree(POOL * n, rng)
    return rows[np.argsort(log_likelihood(model, rows))[-n:]]


def diverse(model: GraphicalModel, _: Task, n: int, rng: np.random.Generator) -> Codes:
    """Dealt rows, of which the tenth goes that is nearest to another of the same 400."""
    rows, kept = model.draw_from_tree(-(-10 * n // 9) + 1, rng), []
    for start in range(0, len(rows), 400):
        block = rows[start : start + 400]
        kept.append(block[np.argsort(nearest(block, model.domain), kind="stable")[len(block) // 10 :]])
    return rng.permutation(np.concatenate(kept))[:n]


WAYS: Mapping[str, Callable[..., Codes]] = {
    "random": lambda model, _, n, rng: model.draw_from_tree(n, rng, systematic=False),
    "dealt": lambda model, _, n, rng: model.draw_from_tree(n, rng),
    "edited": edited,
    "whole5": partial(select, pool=5, edited=False),
    "whole20": partial(select, pool=POOL, edited=False),
    "spared": spared,
    "selected": partial(select, pool=POOL, edited=True),
    "band": partial(select, pool=POOL, edited=False, keep=0.1),
    "band_edited": partial(select, pool=POOL, edited=True, keep=0.1),
    "likely": likely,
    "diverse": diverse,
}


def rare_recall(task: Task, rows: Codes) -> float:
    """Share of rare levels of the train rows that occur."""
    found = held = 0
    for column, size in enumerate(task.sizes):
        share = np.bincount(task.train[:, column], minlength=size) / len(task.train)
        rare = (share > 0) & (share < RARE_LEVEL)
        held += int(rare.sum())
        found += int((np.bincount(rows[:, column], minlength=size)[rare] > 0).sum())
    return found / max(held, 1)


def measured(task: Task, rows: Codes, *, learn: bool) -> dict[str, float]:
    """All measures of one table."""
    pairs = cliques_of(len(task.sizes), 2)
    found = {
        "tv2_train": float(distances(task.train, rows, pairs, task.sizes).mean()),
        "tv2_holdout": float(distances(task.holdout, rows, pairs, task.sizes, task.holdout_weights).mean()),
        "recall": rare_recall(task, rows),
        "repeats": 1 - len(np.unique(rows, axis=0)) / len(rows),
    }
    if learn:
        found["auc"] = prediction(rows, task.target, task.attributes, task.holdout, task.holdout_weights)
    return found


def at_size(task: Task, model: GraphicalModel, n: int, ways: tuple[str, ...]) -> dict[str, Any]:
    """Means over draws, more of them where tables are small."""
    seeds = 2 if n <= 2_000 else 1
    found: dict[str, Any] = {}
    for way in ways:
        runs = [
            measured(task, WAYS[way](model, task, n, np.random.default_rng(seed)), learn=way in LEARNED)
            for seed in range(seeds)
        ]
        found[way] = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
    rows = task.train[np.random.default_rng(0).permutation(len(task.train))[:n]]
    found["real"] = measured(task, rows, learn=True)
    found["selected_below_dealt"] = 1 - found["selected"]["tv2_holdout"] / found["dealt"]["tv2_holdout"]
    found["selected_below_edited"] = 1 - found["selected"]["tv2_holdout"] / found["edited"]["tv2_holdout"]
    if "whole20" in found:
        found["whole20_below_dealt"] = 1 - found["whole20"]["tv2_holdout"] / found["dealt"]["tv2_holdout"]
    return found


def _table(rows: Codes, i: int, j: int, task: Task, weights: FloatArray | None) -> FloatArray:
    shape = (task.sizes[i], task.sizes[j])
    flat = np.bincount(rows[:, i] * shape[1] + rows[:, j], weights, shape[0] * shape[1])
    return (flat / flat.sum()).reshape(shape)


def _spread(table: FloatArray, levels: tuple[Level, Level], masses: tuple[FloatArray, FloatArray]) -> FloatArray:
    """A table over groups, over cells by the one-ways."""
    spread = table / table.sum()
    for axis, (level, mass) in enumerate(zip(levels, masses, strict=True)):
        mass = mass + 1e-15
        share = mass / np.bincount(level.groups, mass, level.size)[level.groups]
        spread = np.take(spread, level.groups, axis=axis) * np.expand_dims(share, 1 - axis)
    return spread


def rounding(share: FloatArray, n: int) -> float:
    """Distance of a table from the nearest of n whole rows.

    >>> rounding(np.array([0.5, 0.25, 0.25]), 2)
    0.25
    """
    exact = share.ravel() * n
    left = np.sort(exact - np.floor(exact))[::-1]
    up = round(float(n - np.floor(exact).sum()))
    return float(0.5 * ((1 - left[:up]).sum() + left[up:].sum()) / n)


def limits(task: Task, model: GraphicalModel) -> dict[str, Any]:
    """Errors that no draw of this model, or no draw of n rows, goes below."""
    targets = {(target.i, target.j): target for target in model.targets}
    pairs = list(combinations(range(len(task.sizes)), 2))
    tree = tree_tables(model.calibrated, model.one_ways, 1.0, pairs)
    found: dict[str, Any] = {}
    for name, rows, weights in (("train", task.train, None), ("holdout", task.holdout, task.holdout_weights)):
        errors: dict[str, list[float]] = {"targets": [], "tree": [], **{f"rounding_{n}": [] for n in SIZES}}
        for i, j in pairs:
            real, target = _table(rows, i, j, task, weights), targets[i, j]
            how = (target.level_i, target.level_j), (model.one_ways[i], model.one_ways[j])
            errors["targets"].append(0.5 * float(np.abs(real - _spread(target.table, *how)).sum()))
            errors["tree"].append(0.5 * float(np.abs(real - _spread(tree[i, j], *how)).sum()))
            for n in SIZES:
                errors[f"rounding_{n}"].append(rounding(real, n))
        found[name] = {key: float(np.mean(values)) for key, values in errors.items()}
    own = distances(task.holdout, task.train, pairs, task.sizes, task.holdout_weights)
    return found | {"train_to_holdout": float(own.mean())}


def smallest(sizes: Mapping[int, Any], way: str) -> int:
    """The smallest table whose AUC is that of the whole edited one, or near."""
    whole = sizes[max(sizes)]["edited"]["auc"]
    return min(n for n, ways in sizes.items() if ways[way]["auc"] >= whole - AS_GOOD or n == max(sizes))


def one_model(task: Task, epsilon: float) -> dict[str, Any]:
    """Every size of one fit."""
    model, whole = fitted(task, epsilon), len(task.train)
    sizes = {n: at_size(task, model, n, tuple(WAYS)) for n in SIZES}
    sizes |= {n: at_size(task, model, n, WHOLE_TABLE) for n in (5_000, whole)}
    names = {n: f"n_{n}" if n != whole else "n_whole" for n in sizes}
    matching = {way: smallest(sizes, way) for way in WHOLE_TABLE}
    return {
        "rows": whole,
        "limits": limits(task, model),
        **{names[n]: found for n, found in sizes.items()},
        "smallest_that_matches": matching,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["adult_discrete", "nist_acs"])
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 10.0])
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    options = parser.parse_args()
    values: dict[str, Any] = {}
    for name in options.tasks:
        task = load_task(name)
        for epsilon in options.epsilons:
            found = one_model(task, epsilon)
            values.setdefault(name, {})[f"epsilon_{epsilon:g}"] = found
            print(name, epsilon, json.dumps(found, indent=1), flush=True)
    if not options.dry:
        record("selection", values, command="python benchmarks/selection.py", seeds=[0, 1])


if __name__ == "__main__":
    main()
