"""What a model is, and what fitting one gives: the seam between noisy counts and everything after them."""

from collections.abc import Sequence
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


class Fitted(Protocol):
    """A distribution over the public domain, made of noisy counts; all it does is post-processing."""

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

    def share(self, condition: "Condition") -> tuple[float, float | None]:
        """(probability of a condition, standard error from the measurement noise where it is known)."""
        ...

    def sample(
        self, n: int, rng: np.random.Generator, given: "Condition | None" = None
    ) -> IntArray:
        """Draws n rows of finest cells, shape (n, attributes) int32; with a condition, exactly given it.

        Raises:
          UsageError: If the condition has probability 0 in the model.
        """
        ...


class Model(Protocol):
    """Public settings, as fields of a frozen dataclass; private data come in as arguments of `fit` alone."""

    def fit(
        self,
        records: Records,
        ledger: "Ledger",
        *,
        persons: int,
        mu: float,
        progress: Progress | None = None,
    ) -> Fitted:
        """Fits the model; total: no content of a table raises, warns or changes a message.

        Args:
          records: The private rows; handed to the ledger and nothing else.
          ledger: Adds the noise and books it.
          persons: Stated number of persons, public.
          mu: Gaussian privacy budget this fit may spend.
          progress: Hears of steps whose names and numbers follow from public facts and noisy values.
        """
        ...
