"""Quality selection: a pool of many times the rows, of which the best together are kept. Post-processing alone.

    verification   rows of the pool that a rule excludes go
    reward         of each kind of row, by the rare conditions it is in, a sample in proportion to what the model's
                   reward gives them, if it was fitted with one
    band           of each kind the least and the most probable may go (`keep`)
    matching       rows are exchanged for those of the pool, within their kind, until pair tables meet the model's;
                   under `edited` single cells are changed after that; no level of a column is lost on the way

The band narrows diversity and is off unless asked for; `effect` says what it did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.base import Fitted, Part, Rows
from medsynth.models.drawing import MOST_WATCHED, shuffled, split, unseen
from medsynth.models.edit import Editor, Limits, PairTarget
from medsynth.models.exchange import exchange
from medsynth.models.given import masses_given
from medsynth.models.graphical import GraphicalModel
from medsynth.models.likelihood import log_likelihood
from medsynth.models.pieces import Piece, pieces_given, targets_together
from medsynth.models.reward_tables import Reward
from medsynth.models.targets import tree_tables
from medsynth.sampling.effect import Effect, Tally
from medsynth.sampling.repair import MOST_KEPT

IntpArray = npt.NDArray[np.intp]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MOST_OVERSAMPLE = 100
MOST_EARNED = float(np.log(3))
"""A record is chosen three times as often as the middle one at most, or a third as often at least."""

SWEEPS = 6
"""Times that selected rows are edited, as those of a small table always are: selection asks for time anyway."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is to be selected from what.

    Attributes:
      oversample: Rows of the pool for each row that is kept.
      keep: Part of the pool that may be chosen from: the rows of middling probability; 1 for all of them.
    """

    oversample: int
    keep: float = 1.0

    @property
    def sentence(self) -> str:
        """What is done, in words."""
        band = "" if self.keep == 1 else f", of which the {self.keep:.0%} of middling probability could be chosen"
        return f"Selected by pair tables from a pool of {self.oversample} records for each one{band}."

    @classmethod
    def of(cls, oversample: int | None, keep: float | None) -> "Selection | None":
        """A user's wish, or None.

        Raises:
          UsageError: If it cannot be met.
        """
        if oversample is None:
            if keep is not None:
                raise UsageError(f"--keep {keep:g}: is a part of a pool. Add --oversample 20.")
            return None
        if not 2 <= oversample <= MOST_OVERSAMPLE:
            raise UsageError(f"--oversample {oversample}: must lie between 2 and {MOST_OVERSAMPLE}. Take 20.")
        kept = 1.0 if keep is None else keep
        if not 0 < kept <= 1:
            raise UsageError(f"--keep {kept:g}: must be above 0 and at most 1. Take 0.5, or leave it out.")
        if kept * oversample < 1:
            raise UsageError(
                f"--keep {kept:g}: of {oversample} records in the pool for each one wanted, less than one would be "
                f"left. Take at least {1 / oversample:.2g}, or a larger --oversample."
            )
        return cls(oversample=oversample, keep=kept)


@dataclass(frozen=True, kw_only=True, eq=False)
class Selected:
    """What was selected.

    Attributes:
      selection: As asked for.
      pool: Rows that were drawn.
      refused: How many of them a rule excluded.
      effect: A draw without selection beside the rows selected.
    """

    selection: Selection
    pool: int
    refused: int
    effect: Effect


class SelectedRows:
    """Rows of a marginal model, selected from a pool; see `Rows`.

    Args:
      fitted: The model.
      parts: The strata; disjoint. Rows are selected within them.
      population: The condition that all strata make up; None for everybody.
      edited: Whether selected rows are edited; if not, each is a row of the tree as it was dealt.
      forbidden: Rules that cells can tell.
      rare: Conditions whose shares an exchange does not change.
      selection: How much is drawn and kept.

    Raises:
      UsageError: If the model has no pair tables to select by, or a stratum has probability 0.
    """

    def __init__(
        self,
        fitted: Fitted,
        parts: Sequence[Part],
        *,
        population: Condition | None,
        edited: bool,
        forbidden: Sequence[Condition],
        rare: Mapping[str, Condition],
        selection: Selection,
    ) -> None:
        model = _with_targets(fitted)
        self._plain = fitted.rows(parts, population=population, edited=edited, forbidden=forbidden)
        self._model, self._parts, self._edited = model, parts, edited
        self._forbidden, self._rare, self._selection = forbidden, rare, selection
        self._unseen = unseen(model, forbidden)
        self._sources = [_sources(model, part) for part in parts]
        every = [source for sources in self._sources for source in sources]
        self._balance = max(every, key=lambda source: source.natural)
        targets = targets_together(pieces_given(model, population))
        if not targets:
            raise UsageError("--oversample: this condition is of too many parts to select by. Use a simpler --where.")
        self._editors = {
            id(source): _editor(source.piece, targets if source is self._balance else targets_together([source.piece]))
            for source in every
        }
        self._usual, self._chosen = (Tally(model.domain, targets, rare, model.reward) for _ in range(2))
        self._pool = self._refused = 0

    def draw(self, counts: Sequence[int], rng: np.random.Generator) -> list[IntArray]:
        """The next rows of each stratum."""
        weights = [part.weight for part in self._parts]
        self._usual.add(self._plain.draw(counts, rng), weights)
        drawn: dict[int, IntArray] = {}
        last: tuple[_Source, int, float] | None = None
        for sources, count, weight in zip(self._sources, counts, weights, strict=True):
            numbers = split([source.share for source in sources], count, rng)
            for source, number in zip(sources, numbers, strict=True):
                if source is self._balance:
                    last = source, number, weight
                else:
                    drawn[id(source)] = self._select(source, number, 1.0, rng)
                    self._editors[id(self._balance)].book(drawn[id(source)], weight)
        assert last is not None  # every source is visited
        drawn[id(last[0])] = self._select(*last, rng)
        chosen = [shuffled([drawn[id(source)] for source in sources], rng) for sources in self._sources]
        self._chosen.add(chosen, weights)
        return chosen

    def _select(self, source: "_Source", count: int, weight: float, rng: np.random.Generator) -> IntArray:
        """Rows of a piece."""
        editor = self._editors[id(source)]
        (single,) = source.rows.draw([count], rng)
        (pool,) = source.rows.draw([count * (self._selection.oversample - 1)], rng)
        self._pool += len(single) + len(pool)
        single, pool = self._verified(single, pool)
        if self._model.reward is not None:
            single, pool = self._rewarded(self._model.reward, single, pool, rng)
        if self._selection.keep < 1:
            single, pool = self._banded(source.piece.model, single, pool, rng)
        kinds = self._kinds(single), self._kinds(pool)
        sizes = self._model.domain.sizes
        rows = exchange(single, pool, editor.gains(single, weight), rng, sizes=sizes, kinds=kinds)
        if self._edited:
            return editor.edit(rows, rng, weight=weight, limits=_limits(source.piece.condition, self._unseen))
        editor.book(rows, weight)
        return rows

    def _verified(self, single: IntArray, pool: IntArray) -> tuple[IntArray, IntArray]:
        """Without what a rule excludes; its places in the single draw go to rows of the pool, if there are any."""
        broken, sound = self._excluded(single), ~self._excluded(pool)
        self._refused += int(broken.sum()) + int((~sound).sum())
        pool, single = pool[sound], single.copy()
        moved = np.flatnonzero(broken)[: len(pool)]
        single[moved] = pool[: len(moved)]
        return single, pool[len(moved) :]

    def _excluded(self, rows: IntArray) -> BoolArray:
        found = np.zeros(len(rows), dtype=bool)
        for condition in self._forbidden:
            found |= condition.mask(rows)
        return found

    def _rewarded(
        self, reward: Reward, single: IntArray, pool: IntArray, rng: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """Of each kind rows in proportion to the reward: of the single draw as many stay as can."""
        own, offered = self._kinds(single), self._kinds(pool)
        earned = [reward.of(rows, self._model.domain) for rows in (single, pool)]
        begin, others = single.copy(), []
        for kind in np.unique(own):
            first, second = np.flatnonzero(own == kind), np.flatnonzero(offered == kind)
            leaving, coming, left = coupled(earned[0][first], earned[1][second], rng)
            begin[first[leaving]] = pool[second[coming]]
            others.append(second[left])
        return begin, pool[np.concatenate([np.zeros(0, dtype=np.intp), *others])]

    def _banded(
        self, model: GraphicalModel, single: IntArray, pool: IntArray, rng: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """Of each kind the rows of middling probability: as many as the single draw has begin, the others may come."""
        rows = np.concatenate([single, pool])
        kinds, likely = self._kinds(rows), log_likelihood(model, rows)
        begin, others = [], []
        for kind in np.unique(kinds[: len(single)]):
            members = np.flatnonzero(kinds == kind)
            wanted = int((kinds[: len(single)] == kind).sum())
            kept = central(likely[members], max(wanted, round(self._selection.keep * len(members))))
            members = rng.permutation(members[kept])
            begin.append(members[:wanted])
            others.append(members[wanted:])
        if not begin:
            return single, pool
        return rows[rng.permutation(np.concatenate(begin))], rows[np.concatenate(others)]

    def _kinds(self, rows: IntArray) -> IntpArray:
        """A number for each combination of rare conditions."""
        kinds = np.zeros(len(rows), dtype=np.intp)
        for condition in list(self._rare.values())[:MOST_KEPT]:
            kinds = 2 * kinds + condition.mask(rows)
        return kinds

    @property
    def rewarded(self) -> bool:
        """Whether the model has a reward to select by."""
        return self._model.reward is not None

    @property
    def selected(self) -> Selected:
        """What was selected so far."""
        effect = Effect(before=self._usual.side, after=self._chosen.side)
        return Selected(selection=self._selection, pool=self._pool, refused=self._refused, effect=effect)


def coupled(first: FloatArray, second: FloatArray, rng: np.random.Generator) -> tuple[IntpArray, IntpArray, IntpArray]:
    """Turns rows of one distribution into rows whose chances go with exp(earned) beside it, changing as few as can be.

    A row of weight w, the mean being 1, stays with chance min(1, w); rows of the pool come in its place with chances
    in proportion to what their weights are above 1.

    Args:
      first: What the rows earn.
      second: What those of a pool of the same distribution earn.
      rng: Source of chance.

    Returns:
      Positions of the rows that leave, those of the pool that come instead, and those of the pool that may come later:
      a part of it in which chances go with the weights.

    Source: maximal coupling, Thorisson (2000), ch. 1; sampling by weights, Efraimidis and Spirakis (2006),
      doi:10.1016/j.ipl.2005.11.003; importance weights, Ghalebikesabi et al. (2022), arXiv:2108.10934.
    """
    earned = np.concatenate([first, second])
    weights = np.exp(np.clip(earned - np.median(earned), -MOST_EARNED, MOST_EARNED))
    own, offered = np.split(weights / weights.mean(), [len(first)])
    leaving = np.flatnonzero(rng.random(len(own)) >= own)
    above = np.flatnonzero(offered > 1)
    coming = above[np.argsort(rng.exponential(size=len(above)) / (offered[above] - 1), kind="stable")]
    leaving, coming = leaving[: len(coming)], coming[: len(leaving)]
    left = np.setdiff1d(np.arange(len(offered)), coming)
    left = left[rng.random(len(left)) < offered[left] / offered.max(initial=1.0)]
    return leaving, coming, left


def central(scores: npt.NDArray[np.float64], count: int) -> IntpArray:
    """Positions of the `count` middle scores.

    >>> central(np.array([5.0, 1.0, 3.0, 2.0, 9.0]), 3).tolist()
    [3, 2, 0]
    """
    order = np.argsort(scores, kind="stable")
    first = (len(order) - count) // 2
    return np.asarray(order[first : first + count])


def _with_targets(fitted: Fitted) -> GraphicalModel:
    """The model with a target for every pair: its own, else what its tree says."""
    if not isinstance(fitted, GraphicalModel) or len(fitted.domain) < 2:
        raise UsageError("--oversample: the model has no pair tables to select by. Leave it out.")
    if fitted.targets:
        return fitted
    levels = [chain.levels[chain.working] for chain in fitted.chains]
    pairs = [(i, j) for j in range(len(levels)) for i in range(j)]
    tables = tree_tables(fitted.calibrated, fitted.one_ways, fitted.total, pairs)
    return replace(
        fitted,
        targets=tuple(
            PairTarget(i=i, j=j, level_i=levels[i], level_j=levels[j], table=table) for (i, j), table in tables.items()
        ),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """A piece of a stratum.

    Attributes:
      piece: Its tree and condition.
      share: Of the stratum.
      natural: Of the population.
      rows: Draws its rows: dealt, each cell its expected number of times.
    """

    piece: Piece
    share: float
    natural: float
    rows: Rows


def _sources(model: GraphicalModel, part: Part) -> list[_Source]:
    pieces = pieces_given(model, part.condition)
    total = sum(piece.share for piece in pieces)
    return [
        _Source(
            piece=piece,
            share=piece.share / total,
            natural=part.natural * piece.share / total,
            # Without targets there is no edit.
            rows=replace(piece.model, targets=()).rows([Part(condition=piece.condition)]),
        )
        for piece in pieces
    ]


def _editor(piece: Piece, targets: Sequence[PairTarget]) -> Editor:
    return Editor(targets, masses=masses_given(piece.model, piece.condition), sweeps=SWEEPS)


def _limits(condition: Condition | None, forbidden: Sequence[Condition]) -> Limits:
    """No edit leaves the stratum or loses a level; of many boxes the columns stay as they are."""
    if condition is None or len(condition.boxes) <= MOST_WATCHED:
        return Limits(within=condition, forbidden=forbidden, spare=True)
    return Limits(frozen=condition.attributes, forbidden=forbidden, spare=True)
