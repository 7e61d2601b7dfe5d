"""What an evaluator sees: real and synthetic tables, and what the model published. Never the model itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import Domain, IntArray
from medsynth.score import Evaluation

if TYPE_CHECKING:
    from medsynth.schema import Schema

Part = Literal["train", "holdout", "synthetic"]
FloatArray = npt.NDArray[np.float64]
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredTable:
    """A published noisy marginal, as plain values.

    Attributes:
      attributes: Column names, one per axis.
      groups: Per axis, int32 array from the column's cell to the group measured.
      noisy: Noisy counts in persons, one axis per column.
      sigma: Standard deviation of the noise on a cell, in persons.
      interactions: Whether `noisy` is what the table holds beyond its margins.
    """

    attributes: tuple[str, ...]
    groups: tuple[IntArray, ...]
    noisy: FloatArray
    sigma: float
    interactions: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Claim:
    """What a model says of itself.

    Attributes:
      guarantee: Plain values: epsilon, delta, mu, unit, neighbours, membership caps.
      measurements: Published noisy tables.
      persons: Stated number of persons.
    """

    guarantee: Mapping[str, Any]
    measurements: tuple[MeasuredTable, ...]
    persons: int

    @property
    def estimated_persons(self) -> float:
        """Number of persons from the noisy tables, each weighted by its noise; at least 1."""
        tables = [table for table in self.measurements if not (table.interactions and table.attributes)]
        precision = np.array([1 / max(table.noisy.size * table.sigma**2, 1e-12) for table in tables])
        totals = np.array([table.noisy.sum() for table in tables])
        return max(1.0, float((precision * totals).sum() / precision.sum())) if tables else float(self.persons)


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Train, holdout and synthetic rows of one schema.

    Attributes:
      train: Private rows the model was fitted on.
      holdout: Private rows of other persons.
      synthetic: Released rows.
      train_weights: (n,) row weights with mean 1; person-level where persons have many rows.
      holdout_weights: Likewise.
      synthetic_weights: Likewise; the `_weight` column of an upsampled file.
      codec: Encodes all three by the same public cells.
      claim: What the model published, None for a table made elsewhere.
    """

    train: pd.DataFrame
    holdout: pd.DataFrame
    synthetic: pd.DataFrame
    train_weights: FloatArray
    holdout_weights: FloatArray
    synthetic_weights: FloatArray
    codec: Codec
    claim: Claim | None = None
    _codes: dict[Part, IntArray] = field(default_factory=dict, repr=False)
    # Not for `replace`: another table must not find what belongs to this one.
    _found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def schema(self) -> "Schema":
        """The public description of the table."""
        return self.codec.schema

    @property
    def domain(self) -> Domain:
        """The public domain."""
        return self.codec.domain

    def frame(self, part: Part) -> pd.DataFrame:
        """Rows of one part."""
        return {"train": self.train, "holdout": self.holdout, "synthetic": self.synthetic}[part]

    def weights(self, part: Part) -> FloatArray:
        """Row weights of one part."""
        return {
            "train": self.train_weights,
            "holdout": self.holdout_weights,
            "synthetic": self.synthetic_weights,
        }[part]

    def codes(self, part: Part) -> IntArray:
        """Codes (n, d) of one part, encoded once."""
        if part not in self._codes:
            self._codes[part] = self.codec.encode(self.frame(part))
        return self._codes[part]

    def once(self, key: str, find: Callable[[], _T]) -> _T:
        """What several evaluators need of one comparison (a trained model, say), found by the first that asks."""
        if key not in self._found:
            self._found[key] = find()
        found: _T = self._found[key]
        return found

    def restrict(self, masks: Mapping[Part, npt.NDArray[np.bool_]]) -> "Comparison":
        """The same comparison among the rows that the masks keep; parts without a mask are kept whole."""
        codes = dict(self._codes)
        changes: dict[str, Any] = {"_codes": codes}
        for part, mask in masks.items():
            if part in codes:
                codes[part] = codes[part][mask]
            changes[part] = self.frame(part)[mask]
            changes[f"{part}_weights"] = self.weights(part)[mask]
        return replace(self, **changes)


class Evaluator(Protocol):
    """A metric or an attack."""

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores and charts of one comparison."""
        ...
