"""What a model is and what fitting one gives: the seam between noisy counts and all after them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Clique, Domain, IntArray
from medsynth.encoding.records import Records
from medsynth.progress import Progress

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.privacy import Ledger, Measurement

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A stratum to draw rows of.

    Attributes:
      condition: What its rows satisfy; None for everybody.
      natural: Its share of the population.
      weight: What each of its rows stands for, beside rows of other strata; above 0.
    """

    condition: "Condition | None" = None
    natural: float = 1.0
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class RareTarget:
    """A declared rare condition to be measured on its own.

    Attributes:
      name: Of the schema.
      condition: Its boxes.
      columns: Positions of the attributes to be measured inside it.
    """

    name: str
    condition: "Condition"
    columns: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RareKnowledge:
    """How well a fitted model knows a rare condition.

    Attributes:
      grade: supported, fair, weak or below the noise.
      expected_error: Mean total variation that noise leaves in the columns measured inside; None without any.
      columns: How many columns were measured inside.
    """

    grade: str
    expected_error: float | None
    columns: int


class Rows(Protocol):
    """Rows of several strata, chunk after chunk: each chunk makes up for what those before it miss."""

    def draw(self, counts: Sequence[int], rng: np.random.Generator) -> Sequence[IntArray]:
        """The next rows of each stratum, in random order; each (rows, attributes) int32."""
        ...


class Fitted(Protocol):
    """A distribution over the public domain, made of noisy counts; the rest is post-processing."""

    @property
    def domain(self) -> Domain:
        """The attributes, in the order of the columns of codes."""
        ...

    @property
    def measurements(self) -> "Sequence[Measurement]":
        """Every noisy table the model was fitted to, with its noise and ledger entry."""
        ...

    def marginal(self, clique: Clique) -> FloatArray:
        """Probabilities over a clique, shaped by its level sizes."""
        ...

    def share(self, condition: "Condition") -> float:
        """Probability of a condition."""
        ...

    def count(self, condition: "Condition") -> tuple[float, float | None]:
        """(noised number of persons in a condition, its standard error from the noise where that is known)."""
        ...

    def knowledge(self, name: str) -> "RareKnowledge | None":
        """What was measured of a declared rare condition; None if the model measures none."""
        ...

    def sample(
        self, n: int, rng: np.random.Generator, given: "Condition | None" = None, *, edited: bool = True
    ) -> IntArray:
        """Draws n rows of finest cells, shape (n, attributes) int32; with a condition, exactly
        given it.

        Args:
          n: Number of rows.
          rng: Source of randomness.
          given: Every row satisfies it.
          edited: Rows lie as close to the model as it can bring them; if False, they are
            independent draws.

        Raises:
          UsageError: If the condition has probability 0 in the model.
        """
        ...

    def rows(
        self,
        parts: Sequence[Part],
        *,
        population: "Condition | None" = None,
        edited: bool = True,
        forbidden: "Sequence[Condition]" = (),
    ) -> Rows:
        """Prepares to draw rows of several strata.

        Args:
          parts: Disjoint strata.
          population: What they make up together; None for everybody.
          edited: As `sample`; the weighted rows of all strata together then are close to the
            population.
          forbidden: Rules over several columns, which no edit may break.

        Raises:
          UsageError: If a stratum has probability 0 in the model.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Spending:
    """One phase of a fit, forecast from public facts.

    Attributes:
      label: What is released.
      share: Part of mu^2.
      tables: Number of tables or scores.
      cells: Noisy numbers to draw.
      sigma: Noise on a cell in persons, where one person counts as one: the largest over the
        phase's tables.
    """

    label: str
    share: float
    tables: int
    cells: int
    sigma: float


class Model(Protocol):
    """Public settings, as fields of a frozen dataclass; private data only as arguments of `fit`."""

    def fit(
        self,
        records: Records,
        ledger: "Ledger",
        *,
        persons: int,
        mu: float,
        progress: Progress | None = None,
        impossible: "Sequence[Condition]" = (),
        weights: FloatArray | None = None,
        rare: Sequence[RareTarget] = (),
    ) -> Fitted:
        """Fits the model; total: no content of a table raises, warns or changes a message.

        Args:
          records: The private rows; handed to the ledger and nothing else.
          ledger: Adds the noise and books it.
          persons: Stated number of persons, public.
          mu: Gaussian privacy budget this fit may spend.
          progress: Hears of steps whose names and numbers follow from public facts and noisy
            values.
          impossible: What no row may satisfy, from the schema's rules; a model may hold some of it
            or none, and drawn rows are checked in any case.
          weights: (attributes, attributes), how much every pair counts, from public facts
            (`workload`); None if all count alike. A model may ignore it.
          rare: Declared rare conditions, to be measured on their own. A model may ignore them.
        """
        ...

    def spending(
        self, domain: Domain, *, persons: int, mu: float, rare: Sequence[RareTarget] = ()
    ) -> tuple[Spending, ...]:
        """Forecasts how a fit splits its budget, the one-way tables first; reads no data."""
        ...
