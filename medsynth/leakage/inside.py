"""Every attack again among the people of each rare condition and subgroup that the schema declares."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison, Part
from medsynth.leakage.targets import one_row_each
from medsynth.leakage.values import BoolArray
from medsynth.leakage.verdict import is_test
from medsynth.score import Edition, Evaluation, Score

FEWEST = 200
"""With fewer people of a group in train or in the holdout, nothing is told of it."""
PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")


@dataclass(frozen=True, kw_only=True)
class Inside:
    """Each attack on one group at a time, with a control from the same group.

    An attack's tests become one, by Bonferroni's method, so that the verdict judges one per attack and group.

    Attributes:
      most_targets: People of a group attacked, and as many strangers.
      most_released: Released rows of the group searched.
    """

    most_targets: int = 1000
    most_released: int = 10_000
    names: ClassVar[tuple[str, ...]] = ("inside",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `leak.inside.GROUP.ATTACK.p`, or `leak.inside.GROUP` where there are too few."""
        scores: list[Score] = []
        for name, masks in groups_of(comparison):
            group = comparison.restrict(masks)
            if min(len(one_row_each(group, part, rng)) for part in ("train", "holdout")) < FEWEST:
                scores.append(_few(name))
            else:
                scores += self._attacked(name, group, rng)
        return Evaluation(scores=tuple(scores))

    def _attacked(self, name: str, group: Comparison, rng: np.random.Generator) -> Iterator[Score]:
        from medsynth.leakage import ATTACKS

        for attack in ATTACKS:
            kind = ATTACKS[attack]
            if kind is Inside:
                continue
            lighter = replace(kind(), most_targets=self.most_targets, most_released=self.most_released)
            yield _joined(name, attack, lighter.evaluate(group, rng).scores)


def groups_of(comparison: Comparison) -> Iterator[tuple[str, dict[Part, BoolArray]]]:
    """Name and rows of every declared group."""
    schema = comparison.schema
    for name, predicate in {**schema.rare_predicates, **schema.subgroup_predicates}.items():
        yield name, {part: predicate.evaluate(comparison.frame(part), schema) for part in PARTS}


def _joined(group: str, attack: str, scores: tuple[Score, ...]) -> Score:
    """One test of all of an attack's, with the sentence of the strongest."""
    tests = [(position, score) for position, score in enumerate(scores) if is_test(score.name)]
    told = [(position, score) for position, score in tests if score.value is not None]
    if not told:
        return _score(f"{group}.{attack}.p", None, f"Among '{group}': {scores[0].sentence}")
    position, strongest = min(told, key=lambda one: float(one[1].value or 0.0))
    p = min(1.0, len(told) * float(strongest.value or 0.0))
    # The figure stands before its test; a membership attack opens with its strongest figures.
    figure = scores[0] if attack == "membership" else scores[position - 1]
    return _score(f"{group}.{attack}.p", p, f"Among '{group}': {figure.sentence}")


def _few(group: str) -> Score:
    return _score(group, None, f"'{group}': too few to tell (fewer than {FEWEST} people in a real table).")


def _score(name: str, value: float | None, sentence: str) -> Score:
    return Score(name=f"leak.inside.{name}", value=value, better="higher", edition=Edition.INTERNAL, sentence=sentence)
