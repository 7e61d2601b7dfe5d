"""How close synthetic codes are to real ones: marginals, worst pairs, rare conditions, prediction.

All distances are total variation, in [0, 1]. Real rows may carry weights; synthetic rows weigh the same.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from bench_tasks import Codes, Target, Task
from threadpoolctl import threadpool_limits

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute
from medsynth.fidelity.learners import as_integers, boosting, features_of, weighted_auc

FloatArray = npt.NDArray[np.float64]
Cliques = Sequence[tuple[int, ...]]
MOST_TRIPLES = 500
TRIPLES_SEED = 3
MOST_CELLS = 4_000_000
"""Tables beyond this size are compared at the cells that occur."""


def cliques_of(columns: int, ways: int) -> Cliques:
    """All sets of so many columns; of triples a fixed random 500 if there are more."""
    every = list(combinations(range(columns), ways))
    if ways < 3 or len(every) <= MOST_TRIPLES:
        return every
    chosen = np.random.default_rng(TRIPLES_SEED).choice(len(every), MOST_TRIPLES, replace=False)
    return [every[position] for position in np.sort(chosen)]


def distance(real: Codes, synthetic: Codes, sizes: Sequence[int], weights: FloatArray | None = None) -> float:
    """Total variation distance between two tables over all their columns.

    >>> distance(np.array([[0], [0], [1], [1]]), np.array([[0], [2]]), [3])
    0.5
    """
    shape = tuple(sizes)
    cells = int(np.prod(shape, dtype=np.int64))
    own, other = (np.ravel_multi_index(tuple(rows.T), shape) for rows in (real, synthetic))
    if cells > MOST_CELLS:
        occurring, places = np.unique(np.concatenate([own, other]), return_inverse=True)
        own, other, cells = places[: len(own)], places[len(own) :], len(occurring)
    first = np.bincount(own, weights=weights, minlength=cells)
    second = np.bincount(other, minlength=cells)
    return 0.5 * float(np.abs(first / first.sum() - second / second.sum()).sum())


def distances(
    real: Codes, synthetic: Codes, cliques: Cliques, sizes: Sequence[int], weights: FloatArray | None = None
) -> FloatArray:
    """Distance of every marginal."""
    return np.array(
        [
            distance(real[:, list(clique)], synthetic[:, list(clique)], [sizes[column] for column in clique], weights)
            for clique in cliques
        ]
    )


def worst_decile(values: FloatArray) -> float:
    """Mean of the largest tenth, at least one.

    >>> worst_decile(np.arange(20.0))
    18.5
    """
    return float(np.sort(values)[-max(1, len(values) // 10) :].mean())


def conditional_error(
    condition: Condition, real: Codes, synthetic: Codes, sizes: Sequence[int], weights: FloatArray | None = None
) -> float | None:
    """Mean distance of the one-way tables of rows inside a condition, over columns it does not name.

    Returns:
      1 if no synthetic row is inside; None if no real one is.
    """
    inside, drawn = condition.mask(real), condition.mask(synthetic)
    if not inside.any():
        return None
    if not drawn.any():
        return 1.0
    columns = [(column,) for column in range(len(sizes)) if column not in condition.attributes]
    own = None if weights is None else weights[inside]
    return float(distances(real[inside], synthetic[drawn], columns, sizes, own).mean())


def share_error(condition: Condition, real: Codes, synthetic: Codes, weights: FloatArray | None = None) -> float | None:
    """How far off the condition's share is, as a part of its real share; None without real rows."""
    share = float(np.average(condition.mask(real), weights=weights))
    return abs(float(condition.mask(synthetic).mean()) - share) / share if share else None


def prediction(
    learned: Codes, target: Target, attributes: Sequence[Attribute], judged: Codes, weights: FloatArray
) -> float:
    """AUC on real rows of fixed boosted trees learned on others; one half if these show one class only."""
    truth = target.positive[learned[:, target.column]]
    if truth.all() or not truth.any():
        return 0.5
    features = features_of(attributes, target.excluded)
    with threadpool_limits(1):  # threads that wait for each other take ten times as long on a busy machine
        learner = boosting(features).fit(as_integers(learned, features), truth)
        beliefs = learner.predict_proba(as_integers(judged, features))[:, 1]
    return weighted_auc(target.positive[judged[:, target.column]], beliefs, weights)


def measure(task: Task, synthetic: Codes) -> dict[str, Any]:
    """All measures of one synthetic table."""
    pairs, triples = cliques_of(len(task.sizes), 2), cliques_of(len(task.sizes), 3)
    found: dict[str, Any] = {"tv2": {}, "tv3": {}, "worst2": {}, "rare": {}, "rare_share": {}}
    for name, real, weights in (("train", task.train, None), ("holdout", task.holdout, task.holdout_weights)):
        two = distances(real, synthetic, pairs, task.sizes, weights)
        found["tv2"][name] = float(two.mean())
        found["worst2"][name] = worst_decile(two)
        found["tv3"][name] = float(distances(real, synthetic, triples, task.sizes, weights).mean())
        rare = [conditional_error(c, real, synthetic, task.sizes, weights) for c in task.conditions.values()]
        shares = [share_error(c, real, synthetic, weights) for c in task.conditions.values()]
        found["rare"][name] = _mean(rare)
        found["rare_share"][name] = _mean(shares)
    found["auc"] = prediction(synthetic, task.target, task.attributes, task.holdout, task.holdout_weights)
    return found


def yardsticks(task: Task) -> dict[str, Any]:
    """What independent columns (floor) and a second real sample (ceiling) score.

    The ceiling is a bootstrap of the train rows where train is the reference, the train rows themselves where the
    held-out persons are; so is the ceiling of prediction.
    """
    rng = np.random.default_rng(0)
    again = measure(task, task.train[rng.integers(0, len(task.train), len(task.train))])
    itself = measure(task, task.train)
    ceiling = {
        name: {"train": again[name]["train"], "holdout": itself[name]["holdout"]}
        for name in ("tv2", "tv3", "worst2", "rare", "rare_share")
    }
    return {"floor": measure(task, rng.permuted(task.train, axis=0)), "ceiling": ceiling | {"auc": itself["auc"]}}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
