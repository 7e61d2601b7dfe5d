"""How `adaptive` splits its budget before the first look at the rows, and what that will buy."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod, sqrt

from medsynth.encoding.domain import Domain
from medsynth.models.base import Spending
from medsynth.models.levels import LARGE
from medsynth.models.one_ways import one_way_spending
from medsynth.models.selection import MEAN_ABSOLUTE_NORMAL


@dataclass(frozen=True, kw_only=True)
class Phases:
    """How mu^2 is split, fixed from public facts.

    Attributes:
      one_ways: For the one-way tables.
      scores: For the scores of the pairs, per round; 0 in the first for a round that is left out.
      tables: For the pair tables, per round.
    """

    one_ways: float
    scores: tuple[float, float]
    tables: tuple[float, float]

    @property
    def mu2(self) -> float:
        """All of it."""
        return self.one_ways + sum(self.scores) + sum(self.tables)

    @property
    def unscored(self) -> float:
        """What is left after the first scores."""
        return self.scores[1] + sum(self.tables)

    def spending(self, domain: Domain, *, persons: int, tree_pairs: float, readable: float) -> tuple[Spending, ...]:
        """Forecasts every phase; the number of pair tables is an upper limit, with equal noise.

        Args:
          domain: The public attributes.
          persons: Stated number of persons.
          tree_pairs: Pairs of round 1 per column.
          readable: Share of the persons that a table's noise may reach.
        """
        varied = [size for size in domain.sizes if size > 1]
        pairs = len(varied) * (len(varied) - 1) // 2
        phases = [one_way_spending(domain, share=self.one_ways / self.mu2, mu=sqrt(self.mu2))]
        for turn, most in enumerate((ceil(tree_pairs * len(domain)), pairs)):
            if self.scores[turn]:
                phases.append(self._scores(turn, pairs))
            if self.tables[turn]:
                tables = min(most, pairs)
                cells = _cells(varied, persons, sqrt(tables / self.tables[turn]), readable)
                phases.append(self._tables(turn, tables, cells))
        return tuple(phases)

    def _scores(self, turn: int, pairs: int) -> Spending:
        return Spending(
            label=f"Pair scores, round {turn + 1}",
            share=self.scores[turn] / self.mu2,
            tables=pairs,
            cells=pairs,
            sigma=sqrt(pairs / self.scores[turn]),
        )

    def _tables(self, turn: int, tables: int, cells: int) -> Spending:
        return Spending(
            label=f"Pair tables, round {turn + 1}",
            share=self.tables[turn] / self.mu2,
            tables=tables,
            cells=tables * cells,
            sigma=sqrt(tables / self.tables[turn]),
        )


def _cells(sizes: Sequence[int], persons: int, sigma: float, readable: float) -> int:
    """Most cells of a pair table that can be read at this noise."""
    largest = prod(min(size, LARGE) for size in sorted(sizes)[-2:])
    return max(1, int(min(largest, readable * persons / (MEAN_ABSOLUTE_NORMAL * sigma))))
