"""What two further scores give a selection from a pool: a reward paid for by the fit, and agreement between refits.

Per table, epsilon and fit, n records are selected from POOL n and edited (`--oversample`), in these ways:

  plain       the whole budget fitted as always
  reward      the same epsilon, a tenth of mu^2 for the reward (`fit --reward`), selected with it
  unrewarded  the same model as `reward`, selected without it: what is left of the difference is the budget's
  agreed      as plain, but the fifth of the pool is refused on whose probability refits agree least: the tree is
              fitted again to the noisy tables with fresh noise of the same size on top (3 times, warm-started)
  control     as plain, but a random fifth of the pool is refused

  tv2, tv3    mean total variation distance over pairs, and over every third of the bench's triples, against holdout
  recall      share of the levels held by less than 1 % of the train rows that occur
  measured    the same distance over the tables that the reward measured, at its levels

Command: python benchmarks/reward.py [--tasks ...] [--epsilons ...] [--fits 3]
"""

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from bench_measures import Codes, FloatArray, cliques_of, distances
from bench_tasks import Task, load_task
from record import record
from selection import rare_recall

from medsynth.encoding.domain import Domain
from medsynth.models import MODELS
from medsynth.models.base import Part
from medsynth.models.estimation import TableTarget, fit_potentials
from medsynth.models.graphical import GraphicalModel
from medsynth.models.likelihood import log_likelihood
from medsynth.models.reward import REWARD_SHARE, rewarded
from medsynth.models.reward_tables import cells_of
from medsynth.privacy import UNITS_PER_PERSON, Ledger
from medsynth.privacy.interactions import centred, shrinkage
from medsynth.sampling.select import SelectedRows, Selection
from medsynth.sources.encoded import EncodedRecords

ROWS = 5_000
POOL = 10
REFITS = 3
ITERATIONS = 40
REFUSED = 0.2
Score = Callable[[GraphicalModel, Codes], FloatArray]


def fitted(task: Task, epsilon: float, share: float) -> GraphicalModel:
    """One fit, with this part of mu^2 for a reward."""
    codes = np.uint8 if max(task.sizes) <= 256 else np.uint16
    records = EncodedRecords(
        domain=Domain(attributes=task.attributes),
        l2=UNITS_PER_PERSON,
        columns=[column.astype(codes) for column in task.train.T],
        weights=np.full(len(task.train), UNITS_PER_PERSON, dtype=np.int64),
    )
    ledger = Ledger(epsilon, task.delta, population=task.name, persons=len(task.train))
    mu = ledger.guarantee.mu
    model = MODELS["adaptive"]().fit(records, ledger, persons=len(task.train), mu=mu * (1 - share) ** 0.5)
    assert isinstance(model, GraphicalModel)
    return rewarded(model, records, ledger, mu=mu * share**0.5) if share else model


class Refusing(SelectedRows):
    """Refuses the fifth of the pool that a score puts last."""

    score: Score

    def _verified(self, single: Codes, pool: Codes) -> tuple[Codes, Codes]:
        rows = np.concatenate(super()._verified(single, pool))
        score = self.score(self._model, rows)
        fine = score <= np.quantile(score, 1 - REFUSED)
        begin, others = rows[: len(single)].copy(), rows[len(single) :][fine[len(single) :]]
        broken = np.flatnonzero(~fine[: len(single)])
        begin[broken] = others[: len(broken)]
        return begin, others[len(broken) :]


def selected(model: GraphicalModel, task: Task, rng: np.random.Generator, score: Score | None = None) -> Codes:
    """Records as the command selects them, in one chunk."""
    asked: Any = {"population": None, "edited": True, "forbidden": (), "rare": task.conditions}
    selection = Selection(oversample=POOL)
    source = (SelectedRows if score is None else Refusing)(model, [Part()], **asked, selection=selection)
    if isinstance(source, Refusing) and score is not None:
        source.score = score  # type: ignore[method-assign]
    return source.draw([ROWS], rng)[0]


def disagreement(model: GraphicalModel, rng: np.random.Generator) -> Score:
    """How far refits to fresh noise disagree on how probable a record is."""
    refits = [refitted(model, rng) for _ in range(REFITS)]

    def score(_: GraphicalModel, rows: Codes) -> FloatArray:
        logs = np.stack([np.maximum(log_likelihood(each, rows), -1e3) for each in refits])
        return np.asarray(logs.std(axis=0))

    return score


def refitted(model: GraphicalModel, rng: np.random.Generator) -> GraphicalModel:
    """The same tree, fitted to the noisy tables with noise of the same size on top."""
    targets = list(_noisier(model, rng))
    warm = model.calibrated
    found = fit_potentials(
        model.tree, targets, model.total, kappa=0.002, least_ridge=0.5, iterations=ITERATIONS, warm=warm
    )
    return replace(model, calibrated=found)


def _noisier(model: GraphicalModel, rng: np.random.Generator) -> Iterator[TableTarget]:
    """One-ways at the tree's levels, and every measured pair that the tree holds, with fresh noise."""
    masses = [model.total * share for share in model.one_ways]
    sigmas = {m.clique[0].attribute: m.sigma for m in model.measurements if len(m.clique) == 1}
    for a, position in enumerate(model.tree.finest):
        level = model.chains[a].levels[position]
        mass = np.bincount(level.groups, masses[a], level.size)
        # What denoising would take of the noise is taken: no group's own noise is larger than its mass.
        noise = np.minimum(sigmas[level.attribute] * np.sqrt(np.bincount(level.groups, minlength=level.size)), mass + 1)
        noisy = np.maximum(mass + noise * rng.normal(size=level.size), 0)
        yield TableTarget(nodes=((a, position),), noisy=noisy, variance=noise**2)
    for measured in model.measurements:
        if len(measured.clique) == 2 and (nodes := _held(model, measured.clique)) is not None:
            g, h = measured.noisy.shape
            rows, columns = (
                np.bincount(level.groups, masses[a], level.size)
                for (a, _), level in zip(nodes, measured.clique, strict=True)
            )
            noisy = centred(measured.noisy + measured.sigma * rng.normal(size=(g, h)))
            noisy += rows[:, None] / h + columns / g - model.total / (g * h)
            yield TableTarget(nodes=nodes, noisy=noisy, variance=(measured.sigma * shrinkage((g, h))) ** 2)


def _held(model: GraphicalModel, clique: Any) -> tuple[tuple[int, int], ...] | None:
    """The nodes of a pair, if a clique of the tree has them."""
    nodes = []
    for level in clique:
        a = model.domain.index(level.attribute)
        same = [k for k, other in enumerate(model.chains[a].levels) if np.array_equal(other.groups, level.groups)]
        nodes.append((a, same[0])) if same else None
    return tuple(nodes) if len(nodes) == 2 and model.tree.home(nodes) is not None else None


def measures(task: Task, rows: Codes, tables: Any) -> dict[str, float]:
    """All measures of one table."""
    domain = Domain(attributes=task.attributes)
    apart = []
    for table in tables:
        size, clique = table.share.size, table.measurement.clique
        real = np.bincount(cells_of(clique, task.holdout, domain), task.holdout_weights, size)
        have = np.bincount(cells_of(clique, rows, domain), minlength=size)
        apart.append(0.5 * float(np.abs(real / real.sum() - have / have.sum()).sum()))
    held: Any = (task.sizes, task.holdout_weights)
    columns = len(task.sizes)
    return {
        "tv2": float(distances(task.holdout, rows, cliques_of(columns, 2), *held).mean()),
        "tv3": float(distances(task.holdout, rows, cliques_of(columns, 3)[::3], *held).mean()),
        "recall": rare_recall(task, rows),
        **({"measured": float(np.mean(apart))} if apart else {}),
    }


def one_fit(task: Task, epsilon: float, seed: int, *, reward: bool, agreement: bool) -> dict[str, dict[str, float]]:
    """Every way of one fit."""
    found, tables = {}, ()
    plain = fitted(task, epsilon, 0.0)
    if reward:
        paid = fitted(task, epsilon, REWARD_SHARE)
        tables = paid.reward.tables if paid.reward else ()
        for name, model in (("reward", paid), ("unrewarded", replace(paid, reward=None))):
            found[name] = measures(task, selected(model, task, np.random.default_rng(seed)), tables)
    found["plain"] = measures(task, selected(plain, task, np.random.default_rng(seed)), tables)
    if agreement:
        coin = np.random.default_rng([seed, 2])
        scores: Mapping[str, Score] = {
            "agreed": disagreement(plain, np.random.default_rng([seed, 1])),
            "control": lambda _, rows: coin.random(len(rows)),
        }
        for name, score in scores.items():
            found[name] = measures(task, selected(plain, task, np.random.default_rng(seed), score), tables)
    return found


def means(runs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Means over fits, and each way beside plain."""
    found: dict[str, Any] = {"fits": len(runs)}
    for way in runs[0]:
        found[way] = {key: float(np.mean([run[way][key] for run in runs])) for key in runs[0][way]}
    for way in set(runs[0]) - {"plain"}:
        found[way] |= {f"{key}_beside_plain": found[way][key] / found["plain"][key] - 1 for key in ("tv2", "tv3")}
    return found


def keep(runs: Mapping[tuple[str, float], list[Any]], *, seeds: list[int]) -> None:
    """Records what was measured so far."""
    values: dict[str, Any] = {}
    for (name, epsilon), own in runs.items():
        values.setdefault(name, {})[f"epsilon_{epsilon:g}"] = means(own)
    record("reward", values, command=f"python benchmarks/reward.py --fits {len(seeds)}", seeds=seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["adult_discrete", "nist_acs", "credit_default"])
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 10.0, 3.0])
    parser.add_argument("--fits", type=int, default=3)
    options = parser.parse_args()
    tasks = {name: load_task(name) for name in options.tasks}
    runs: dict[tuple[str, float], list[Any]] = {}
    for seed in range(options.fits):
        for name, epsilon in product(tasks, options.epsilons):
            asked = {"reward": name != "credit_default", "agreement": epsilon != 3}
            if not any(asked.values()):
                continue
            runs.setdefault((name, epsilon), []).append(one_fit(tasks[name], epsilon, seed, **asked))
            print(name, epsilon, seed, runs[name, epsilon][-1], flush=True)
            # After every fit: what is done is kept.
            keep(runs, seeds=list(range(seed + 1)))


if __name__ == "__main__":
    main()
