"""Attribute inference: can a secret of a known person be guessed better because they are in the training data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.inference import fisher_exact
from medsynth.leakage.distance import Distance, FloatArray, Neighbours
from medsynth.leakage.game import Game, untold
from medsynth.leakage.targets import Targets, choose_targets, some_rows
from medsynth.leakage.values import MISSING, BoolArray, Values, values_of
from medsynth.schema.table import ROWS_COLUMN
from medsynth.score import Evaluation, Score

TOLERANCE = 0.05
"""Of the distance from the first to the last tenth of the real values: how near a guessed number counts as right."""
NEARNESS = 0.01
"""Added to a distance before votes are weighed: an equal row outvotes many near ones."""
TREES, LEAF = 30, 3


@dataclass(frozen=True, kw_only=True)
class AttributeInference:
    """Secret cells guessed from the nearest released rows by known columns, for members and for strangers.

    Where strangers are guessed as well as members, the table tells of the population, which is its purpose; the leak is
    the excess. Beside it stand the commonest value and a random forest trained on yet other people. A number counts as
    right within a width of the whole column, so that values below zero and zeros are judged like others.

    Attributes:
      most_targets: Members attacked, and as many strangers; the forest sees as many others.
      most_released: Released rows searched.
      neighbours: Nearest rows that vote.

    Source: correct attribution, Elliot (2014); excess over people not in the data, Giomi et al. (2023),
      doi:10.56553/popets-2023-0055.
    """

    most_targets: int = 2000
    most_released: int = 20_000
    neighbours: int = 5
    names: ClassVar[tuple[str, ...]] = ("attribute_inference",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `leak.attribute_inference.COLUMN.{excess,p}`."""
        targets = choose_targets(comparison, self.most_targets, rng)
        secrets = secrets_of(comparison)
        if not targets.enough or not len(comparison.synthetic) or not secrets:
            why = "Too few persons, no released rows or no secret column: no secret was guessed."
            return Evaluation(scores=untold("attribute_inference", why))
        scores: list[Score] = []
        for secret in secrets:
            scores += self._game(comparison, targets, secret, rng).scores
        return Evaluation(scores=tuple(scores))

    def _game(self, comparison: Comparison, targets: Targets, secret: int, rng: np.random.Generator) -> Game:
        known, values = known_of(comparison, secret), values_of(comparison)
        rows = np.concatenate(
            [comparison.codes("train")[targets.members], comparison.codes("holdout")[targets.strangers]]
        )
        truth = np.concatenate(
            [values.tables["train"][targets.members, secret], values.tables["holdout"][targets.strangers, secret]]
        )
        chosen = some_rows(len(comparison.synthetic), self.most_released, rng)
        near = Distance(attributes=[comparison.domain.attributes[place] for place in known]).neighbours(
            rows[:, known], comparison.codes("synthetic")[chosen][:, known], self.neighbours, rng
        )
        elsewhere = values.tables["holdout"][targets.reference, secret]
        judge = Judge(numeric=bool(values.numeric[secret]), width=width_of(elsewhere))
        right = judge.right(judge.vote(values.tables["synthetic"][chosen, secret], near), truth)
        size = len(targets.members)
        own, other = int(right[:size].sum()), int(right[size:].sum())
        name, forest = comparison.domain.names[secret], _forest(values, comparison, targets, secret, judge)
        common = judge.right(np.full(size, judge.common(elsewhere)), truth[:size]).mean()
        return Game(
            name=f"attribute_inference.{name}",
            members=own,
            strangers=other,
            trials=size,
            chance=float(common),
            p=fisher_exact(own, size, other, size),
            knew=f"the released rows and {_named(comparison, known)} of a person",
            did=f"guesses '{name}' from the {self.neighbours} nearest released rows",
            got="are right",
            beside=f"A forest trained on other people is right for {forest:.2%}.",
        )


@dataclass(frozen=True, kw_only=True)
class Judge:
    """What counts as a right guess of one column, and how the nearest rows vote.

    Attributes:
      numeric: Whether values are numbers or days.
      width: How far a number may lie off.
    """

    numeric: bool
    width: float

    def right(self, guesses: FloatArray, truth: FloatArray) -> BoolArray:
        """Equal, or near enough; a missing value is guessed by "missing" alone."""
        if not self.numeric:
            same: BoolArray = guesses == truth
            return same
        known = (guesses > MISSING) & (truth > MISSING)
        off = np.abs(np.where(known, guesses, 0.0) - np.where(known, truth, 0.0))
        right: BoolArray = np.where(known, off <= self.width, guesses == truth)
        return right

    def vote(self, released: FloatArray, near: Neighbours) -> FloatArray:
        """The value with most weight among the neighbours; of numbers the value that most weight lies close to."""
        told = released[near.rows]  # (n, k)
        weights = 1 / (NEARNESS + near.distances)
        alike = np.stack([self.right(told, told[:, [one]]) for one in range(told.shape[1])], axis=1)  # (n, k, k)
        backing = (alike * weights[:, None, :]).sum(axis=2)
        best: FloatArray = told[np.arange(len(told)), backing.argmax(axis=1)]
        return best

    def common(self, values: FloatArray) -> float:
        """The commonest value; of numbers the one that most lie close to."""
        several, counts = np.unique(values, return_counts=True)
        if not self.numeric:
            return float(several[counts.argmax()])
        known = np.sort(values[values > MISSING])
        if not len(known):
            return MISSING
        inside = np.searchsorted(known, known + self.width, "right") - np.searchsorted(known, known - self.width)
        best = float(known[inside.argmax()])
        return best if inside.max() >= len(values) - len(known) else MISSING


def width_of(values: FloatArray) -> float:
    """How near a guessed number must be: a part of the middle eight tenths of the real values, zero where all agree.

    >>> round(width_of(np.linspace(-100, 100, 101)), 6)
    8.0
    """
    known = values[values > MISSING]
    return float(TOLERANCE * np.subtract(*np.quantile(known, [0.9, 0.1]))) if len(known) else 0.0


def secrets_of(comparison: Comparison) -> list[int]:
    """The schema's secret columns; without any, the outcome and the columns of the rare conditions."""
    schema, domain = comparison.schema, comparison.domain
    names = list(schema.with_attacker("secret"))
    if not names:
        target = getattr(schema.utility, "target", None)
        rare = sorted({name for predicate in schema.rare_predicates.values() for name in predicate.columns})
        names = list(dict.fromkeys([*([target] if target else []), *rare]))
    return [domain.index(name) for name in names if name in domain.names and len(domain) > 1]


def known_of(comparison: Comparison, secret: int) -> list[int]:
    """The schema's known columns; without any, all but the secret one."""
    domain = comparison.domain
    names: Sequence[str] = comparison.schema.with_attacker("known")
    places = [domain.index(name) for name in names if name in domain.names]
    every = [place for place, name in enumerate(domain.names) if name != ROWS_COLUMN]
    return [place for place in places or every if place != secret]


def _forest(values: Values, comparison: Comparison, targets: Targets, secret: int, judge: Judge) -> float:
    """How often a forest that was trained on the reference persons is right on members."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    known = known_of(comparison, secret)
    rows = targets.reference[: len(targets.members)]
    learned = values.tables["holdout"][rows, secret]
    seen = learned > MISSING
    settings: dict[str, Any] = {"n_estimators": TREES, "min_samples_leaf": LEAF, "random_state": 0, "n_jobs": 1}
    numeric = judge.numeric and bool(seen.any())
    usable = seen if numeric else np.ones(len(rows), dtype=bool)
    forest: Any = RandomForestRegressor(**settings) if numeric else RandomForestClassifier(**settings)
    forest.fit(comparison.codes("holdout")[rows][usable][:, known], learned[usable] if numeric else _labels(learned))
    guesses = forest.predict(comparison.codes("train")[targets.members][:, known])
    guesses = guesses if numeric else np.unique(learned)[guesses]
    return float(judge.right(guesses, values.tables["train"][targets.members, secret]).mean())


def _labels(values: FloatArray) -> Any:
    return np.unique(values, return_inverse=True)[1]


def _named(comparison: Comparison, known: Sequence[int]) -> str:
    names = [comparison.domain.names[place] for place in known]
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more columns"
