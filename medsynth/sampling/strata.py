"""Upsampling as a choice of strata: how many rows to draw from each part of the population, and what they weigh.

Everything here is post-processing of the fitted model: no private row is read, no budget is spent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from medsynth.encoding.condition import EVERYTHING, Condition
from medsynth.errors import UsageError
from medsynth.models.base import Fitted

FloatArray = npt.NDArray[np.float64]
RAKING_ROUNDS = 500


@dataclass(frozen=True, kw_only=True, eq=False)
class Stratum:
    """A part of the population that is drawn on its own.

    Attributes:
      condition: Its codes.
      natural: Its share of the model's population (within the `where` condition, if any).
      drawn: Its share of the rows to draw.
    """

    condition: Condition
    natural: float
    drawn: float

    @property
    def weight(self) -> float:
        """What one drawn row stands for, so that weighted rows have the natural shares."""
        return self.natural / self.drawn if self.drawn else 0.0


def natural_shares(fitted: Fitted, conditions: Mapping[str, Condition], where: Condition | None) -> dict[str, float]:
    """Each condition's share of the model's population inside `where`."""
    base = EVERYTHING if where is None else where
    total = fitted.share(base)
    return {
        name: fitted.share(base.intersect(condition)) / total if total > 0 else 0.0
        for name, condition in conditions.items()
    }


def upsampling_strata(
    fitted: Fitted,
    conditions: Mapping[str, Condition],
    targets: Mapping[str, float],
    where: Condition | None = None,
) -> tuple[Stratum, ...]:
    """Splits the population by every combination of the conditions and rakes the parts to the target shares.

    Overlapping conditions share one partition, so several targets are met at once; among all drawings that meet them,
    raking gives the one nearest to the natural population (iterative proportional fitting).

    Args:
      fitted: The model.
      conditions: Name to codes.
      targets: Name to wanted share in (0, 1).
      where: Only this part of the population.

    Raises:
      UsageError: If a condition never occurs in the model, or the targets contradict each other.

    Source: Deming and Stephan (1940), doi:10.1214/aoms/1177731829.
    """
    names = tuple(targets)
    base = EVERYTHING if where is None else where
    members = np.array(list(product([True, False], repeat=len(names))))
    parts = [_combination(base, [conditions[name] for name in names], row) for row in members]
    natural = np.array([fitted.share(part) if part.boxes else 0.0 for part in parts])
    natural = np.clip(natural, 0.0, None)
    if natural.sum() <= 0:
        raise UsageError("--where: the model's population holds no such record. Use a wider condition.")
    natural /= natural.sum()
    for position, name in enumerate(names):
        if natural[members[:, position]].sum() <= 0:
            raise UsageError(f"--upsample {name}: the model's population holds no such record. Leave it out.")
    drawn = _rake(natural, members, np.array([targets[name] for name in names]))
    return tuple(
        Stratum(condition=part, natural=float(p), drawn=float(q))
        for part, p, q in zip(parts, natural, drawn, strict=True)
        if q > 0
    )


def _combination(base: Condition, conditions: list[Condition], row: npt.NDArray[np.bool_]) -> Condition:
    for condition, inside in zip(conditions, row, strict=True):
        base = base.intersect(condition) if inside else base.minus(condition)
    return base


def _rake(natural: FloatArray, members: npt.NDArray[np.bool_], targets: FloatArray) -> FloatArray:
    drawn: FloatArray = natural.copy()
    for _ in range(RAKING_ROUNDS):
        for position, target in enumerate(targets):
            inside = members[:, position]
            have = drawn[inside].sum()
            if have <= 0 or have >= 1:
                break
            drawn[inside] *= target / have
            drawn[~inside] *= (1 - target) / (1 - have)
        shares = members.T @ drawn
        if np.allclose(shares, targets, rtol=0, atol=1e-9):
            return np.asarray(drawn / drawn.sum())
    raise UsageError(
        "--upsample: the target shares cannot be met together: the conditions exclude or contain each other. "
        "Lower a share, or leave a condition out."
    )


def row_weights(strata: tuple[Stratum, ...], rows: npt.NDArray[np.int64]) -> FloatArray:
    """What a row of each stratum stands for, with mean 1 over all rows.

    A stratum too small for a row of its own leaves its share to the others; without any row, weights are those of
    shares drawn exactly.
    """
    if not rows.sum():
        return np.array([stratum.weight for stratum in strata])
    natural = np.array([stratum.natural for stratum in strata])
    weights = np.divide(natural, rows, out=np.zeros_like(natural), where=rows > 0)
    return np.asarray(weights * (rows.sum() / (weights * rows).sum()))


def allocate(n: int, shares: FloatArray) -> npt.NDArray[np.int64]:
    """Whole rows per stratum, by largest remainder.

    >>> allocate(10, np.array([0.26, 0.74])).tolist()
    [3, 7]
    """
    exact = n * shares / shares.sum()
    rows: npt.NDArray[np.int64] = np.floor(exact).astype(np.int64)
    rows[np.argsort(rows - exact, kind="stable")[: n - int(rows.sum())]] += 1
    return rows
