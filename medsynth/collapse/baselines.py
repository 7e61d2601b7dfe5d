"""Two generators without any privacy, to tell what refitting does from what noise does.

Both work on the codes of the schema's cells, as the private models do, so that only the model differs. Never release
what they draw.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import IntArray

FloatArray = npt.NDArray[np.float64]
Generator = Callable[[IntArray, FloatArray, int, np.random.Generator], IntArray]
"""From codes (n, d) and weights (n,) to as many new rows of codes as asked for."""


def resampled(codes: IntArray, weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Rows drawn again with replacement: no model, so that what is lost is lost by sampling alone."""
    return codes[rng.choice(len(codes), size=n, p=weights / weights.sum())]


def chow_liu(codes: IntArray, weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Rows drawn from the tree of pairs that tells most, fitted on exact counts.

    Source: Chow and Liu (1968), doi:10.1109/TIT.1968.1054142.
    """
    drawn = np.empty((n, codes.shape[1]), dtype=np.int32)
    for column, parent in _tree(_informations(codes, weights)):
        if parent is None:
            donors = rng.choice(len(codes), size=n, p=weights / weights.sum())
        else:
            donors = _donors(codes[:, parent], weights, drawn[:, parent], rng)
        drawn[:, column] = codes[donors, column]
    return drawn


BASELINES: dict[str, Generator] = {"chow-liu": chow_liu, "resample": resampled}


@dataclass(frozen=True, kw_only=True)
class _Entropy:
    nats: float
    cells: int


def _entropy(cells: npt.NDArray[np.int64], weights: FloatArray) -> _Entropy:
    counts = np.bincount(np.unique(cells, return_inverse=True)[1], weights)
    shares = counts[counts > 0] / counts.sum()
    return _Entropy(nats=float(-(shares * np.log(shares)).sum()), cells=len(shares))


def _informations(codes: IntArray, weights: FloatArray) -> FloatArray:
    """Mutual information of every pair of columns, less what as many independent cells would show by chance.

    Source of the correction: Miller (1955); without it columns of many values attract each other.
    """
    columns = codes.shape[1]
    worth = weights.sum() ** 2 / (weights**2).sum()
    wide = codes.astype(np.int64)
    alone = [_entropy(wide[:, column], weights) for column in range(columns)]
    found = np.zeros((columns, columns))
    for first in range(columns):
        for second in range(first):
            both = _entropy(wide[:, first] * (wide[:, second].max() + 1) + wide[:, second], weights)
            chance = (both.cells - alone[first].cells - alone[second].cells + 1) / (2 * worth)
            found[first, second] = alone[first].nats + alone[second].nats - both.nats - chance
            found[second, first] = found[first, second]
    return found


def _tree(informations: FloatArray) -> list[tuple[int, int | None]]:
    """(column, parent) of the heaviest spanning tree, parents first (Prim)."""
    order: list[tuple[int, int | None]] = [(0, None)] if len(informations) else []
    best = {column: (informations[0, column], 0) for column in range(1, len(informations))}
    while best:
        column = max(best, key=lambda each: best[each][0])
        order.append((column, best.pop(column)[1]))
        for other, (known, _) in best.items():
            if informations[column, other] > known:
                best[other] = (informations[column, other], column)
    return order


def _donors(own: IntArray, weights: FloatArray, wanted: IntArray, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """For each wanted value a row that has it, drawn by weight; every wanted value occurs among `own`."""
    order = np.argsort(own, kind="stable")
    ends = np.concatenate([[0.0], np.cumsum(weights[order])])
    first, behind = (np.searchsorted(own[order], wanted, side=side) for side in ("left", "right"))
    points = ends[first] + rng.random(len(wanted)) * (ends[behind] - ends[first])
    places = np.clip(np.searchsorted(ends, points, side="right") - 1, first, behind - 1)
    chosen: npt.NDArray[np.intp] = order[places]
    return chosen
