"""What a selection did to rows, told from the rows and the model alone: no private data.

All of it is measured twice, on as many rows drawn without selection and on those selected: how far their pair
tables lie from the model's, how many levels of the columns they hold, how often a row repeats another, how far
apart rows lie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Domain, IntArray
from medsynth.models.edit import PairTarget
from medsynth.models.moves import Layout
from medsynth.models.reward_tables import Reward, cells_of

FloatArray = npt.NDArray[np.float64]

SPREAD_ROWS = 400
"""Rows of each chunk whose distances are looked at."""

DISTANCE_GAINED = 0.1
LEVELS_LOST = 0.05
SPREAD_LOST = 0.05
RARE_LOST = 0.2
ERRORS = 3.0
"""A selection harms that adds more than these parts to the distance from the model, or loses more: of the levels, of
the distance between rows, of the rows in a rare condition; what is lost also by three standard errors, roughly. Fixed
beforehand."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """What rows are like.

    Attributes:
      rows: How many.
      distance: Mean total variation distance of their weighted pair tables from the model's; None without pairs.
      levels: Levels that occur, summed over columns.
      singles: Of these, how many a single row holds: by chance they might be fewer or more.
      repeats: Share of rows equal to another of the same chunk in every cell.
      spread: Mean mixed-type distance, in [0, 1], of a row from the nearest of up to 400.
      spread_error: Its standard error.
      rare: Rows in each rare condition.
      reward: Mean total variation distance of weighted tables of three columns from those of the model's reward; None
        without one.
    """

    rows: int
    distance: float | None
    levels: int
    singles: int
    repeats: float
    spread: float
    spread_error: float = 0.0
    rare: Mapping[str, int] = field(default_factory=dict)
    reward: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Effect:
    """A draw without selection beside the rows selected.

    Attributes:
      before: As many rows, drawn as they are without selection.
      after: The rows selected, before rules that cells cannot tell are held at decoding.
    """

    before: Side
    after: Side

    @property
    def harms(self) -> tuple[str, ...]:
        """A sentence per harm."""
        before, after = self.before, self.after
        told = []
        if self._further:
            told.append(
                f"pair tables lie {after.distance:.4f} from the model's, without selection {before.distance:.4f}"
            )
        if before.reward is not None and after.reward is not None and self._grew(before.reward, after.reward):
            told.append(f"the reward's tables lie {after.reward:.4f} away, without selection {before.reward:.4f}")
        if after.levels < min((1 - LEVELS_LOST) * before.levels, before.levels - ERRORS * np.sqrt(before.singles + 1)):
            told.append(f"{after.levels} levels of the columns are left of {before.levels}")
        error = float(np.hypot(before.spread_error, after.spread_error))
        if after.spread < min((1 - SPREAD_LOST) * before.spread, before.spread - ERRORS * error):
            told.append(f"records lie {after.spread:.4f} apart, without selection {before.spread:.4f}")
        for name, rows in before.rare.items():
            if after.rare[name] < min((1 - RARE_LOST) * rows, rows - ERRORS * np.sqrt(rows)):
                told.append(f"rare condition '{name}' has {after.rare[name]} records left of {rows}")
        return tuple(told)

    @property
    def _further(self) -> bool:
        """Whether the distance from the model grew by more than is let pass, one row at least."""
        before, after = self.before.distance, self.after.distance
        return before is not None and after is not None and self._grew(before, after)

    def _grew(self, before: float, after: float) -> bool:
        return after > (1 + DISTANCE_GAINED) * before + 1 / self.after.rows


class Tally:
    """Adds up what rows are like, chunk after chunk; its memory does not grow with them.

    Args:
      domain: Of the codes.
      targets: Pair tables of the population that the rows stand for.
      rare: Rare conditions to count.
      reward: Of the model, if it has one.
    """

    def __init__(
        self,
        domain: Domain,
        targets: Sequence[PairTarget],
        rare: Mapping[str, Condition],
        reward: Reward | None = None,
    ) -> None:
        self._domain, self._layout, self._rare = domain, Layout.of(targets), rare
        self._have = np.zeros_like(self._layout.share)
        self._levels = [np.zeros(size, dtype=np.int64) for size in domain.sizes]
        self._counts = dict.fromkeys(rare, 0)
        self._tables = () if reward is None else reward.tables
        self._triples = [np.zeros(table.share.size) for table in self._tables]
        self._rows, self._repeats = 0, 0
        self._apart = np.zeros(3)

    def add(self, parts: Sequence[IntArray], weights: Sequence[float]) -> None:
        """Counts a chunk: the rows of each stratum and what each of them stands for."""
        for rows, weight in zip(parts, weights, strict=True):
            counts, _ = self._layout.count(self._layout.places(rows), np.zeros_like(self._have, dtype=np.float32))
            self._have += weight * counts
            for table, occupied in zip(self._tables, self._triples, strict=True):
                cells = cells_of(table.measurement.clique, rows, self._domain)
                occupied += weight * np.bincount(cells, minlength=occupied.size)
        rows = np.concatenate(parts)
        if not len(rows):
            return
        for column, held in enumerate(self._levels):
            held += np.bincount(rows[:, column], minlength=len(held))
        for name, condition in self._rare.items():
            self._counts[name] += int(condition.mask(rows).sum())
        self._rows += len(rows)
        self._repeats += len(rows) - len(np.unique(rows, axis=0))
        apart = nearest(rows[:: -(-len(rows) // SPREAD_ROWS)], self._domain)
        self._apart += (len(apart), apart.sum(), (apart**2).sum())

    @property
    def side(self) -> Side:
        """What the rows so far are like."""
        looked_at, total, squares = self._apart / max(self._apart[0], 1.0)
        variance = max(float(squares - total**2), 0.0)
        return Side(
            rows=self._rows,
            distance=self._distance(),
            levels=int(sum((held > 0).sum() for held in self._levels)),
            singles=int(sum((held == 1).sum() for held in self._levels)),
            repeats=self._repeats / max(self._rows, 1),
            spread=float(total),
            spread_error=float(np.sqrt(variance / max(self._apart[0], 1.0))) if looked_at else 0.0,
            rare=dict(self._counts),
            reward=self._reward(),
        )

    def _reward(self) -> float | None:
        if not self._tables or not self._rows:
            return None
        apart = [
            0.5 * np.abs(occupied / occupied.sum() - table.share.ravel()).sum()
            for table, occupied in zip(self._tables, self._triples, strict=True)
        ]
        return float(np.mean(apart))

    def _distance(self) -> float | None:
        layout, found = self._layout, []
        for a, b in layout.pairs:
            rows, columns = (slice(layout.starts[k], layout.starts[k] + layout.sizes[k]) for k in (a, b))
            have, share = self._have[rows, columns], layout.share[rows, columns]
            found.append(0.5 * float(np.abs(have / max(float(have.sum()), 1e-300) - share).sum()))
        return float(np.mean(found)) if found and self._rows else None


def nearest(rows: IntArray, domain: Domain) -> FloatArray:
    """Distance of each row from the nearest other: per column 0 to 1, by how far apart ordered cells lie.

    Args:
      rows: Finest cells, shape (n, d).
      domain: Says which cells are ordered; all others are equal or not.

    Source: Gower (1971), doi:10.2307/2528823.
    """
    if len(rows) < 2:
        return np.zeros(len(rows))
    total = np.zeros((len(rows), len(rows)))
    for column, attribute in zip(rows.T.astype(np.float64), domain.attributes, strict=True):
        apart = np.abs(column[:, None] - column)
        ordered = (column < attribute.ordered)[:, None] & (column < attribute.ordered)
        total += np.where(ordered, apart / max(attribute.ordered - 1, 1), apart > 0)
    np.fill_diagonal(total, np.inf)
    return np.asarray(total.min(axis=1) / max(len(domain), 1))
