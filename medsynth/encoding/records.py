"""Private rows behind a seam that only counts: what a source hands to the ledger."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Clique, Domain

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition


class Records(Protocol):
    """Encoded rows of one table, contributions already bounded per person.

    Attributes:
      domain: The public domain of the rows.
      l2: L2 (and L1) sensitivity of one marginal in units of 2^-20 person when one person joins or leaves;
        it follows from the bounding rule alone.
    """

    @property
    def domain(self) -> Domain: ...

    @property
    def l2(self) -> int: ...

    def marginals(self, cliques: Sequence[Clique]) -> list[npt.NDArray[np.int64]]:
        """Exact counts in units of 2^-20 person, one array per clique, shaped by its level sizes.

        The result is private: only the ledger may call this.
        """
        ...

    def parts(self, conditions: "Sequence[Condition]") -> "Sequence[Records]":
        """The rows inside each condition, as records of their own: same domain, same sensitivity.

        A row belongs to the first condition that it meets and to no other, so parts are disjoint whatever the
        conditions are, and one call of `Ledger.measure_parts` may count all of them at the cost of one.
        """
        ...
