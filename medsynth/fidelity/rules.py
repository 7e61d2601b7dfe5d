"""Whether rules hold in the released table, and whether it passes doubtful records on."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.rare_conditions import weighted_share
from medsynth.schema import Predicate
from medsynth.score import Edition, Evaluation, Score

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Shares of rows that break some rule, and each `plausible` rule, released beside real.

    `plausible` rules are what real records may break too: the real share says how many are doubtful, the synthetic
    one whether the table passes them on.
    """

    names: ClassVar[tuple[str, ...]] = ("rule",)

    def evaluate(
        self,
        comparison: Comparison,
        rng: np.random.Generator,  # noqa: ARG002 - part of the protocol, nothing is drawn here
    ) -> Evaluation:
        """Scores `rule.broken.*` and `rule.plausible N.*`."""
        schema = comparison.schema
        found: list[Score] = []
        if schema.rule_predicates:
            found += _scores(comparison, "broken", "some rule", schema.rule_predicates)
        for number, (text, rule) in enumerate(zip(schema.plausible, schema.plausible_predicates, strict=True), 1):
            found += _scores(comparison, f"plausible {number}", f"the plausible rule '{text}'", (rule,))
        return Evaluation(scores=tuple(found))


def _scores(comparison: Comparison, name: str, what: str, rules: tuple[Predicate, ...]) -> list[Score]:
    """The released rows for everybody, the real ones for the internal edition."""
    parts: tuple[Part, ...] = ("synthetic", "train")
    return [_score(comparison, name, what, rules, part) for part in parts]


def _score(comparison: Comparison, name: str, what: str, rules: tuple[Predicate, ...], part: Part) -> Score:
    frame = comparison.frame(part)
    broken: BoolArray = ~np.all([rule.evaluate(frame, comparison.schema) for rule in rules], axis=0)
    share, low, high = weighted_share(broken, comparison.weights(part))
    return Score(
        name=f"rule.{name}.{part}",
        value=share,
        low=low,
        high=high,
        better="lower",
        edition=Edition.SHAREABLE if part == "synthetic" else Edition.INTERNAL,
        sentence=_sentence(part, what, int(broken.sum()), share),
    )


def _sentence(part: Part, what: str, rows: int, share: float) -> str:
    weighted = "weighted" if part == "synthetic" else "weighted by person"
    table = "synthetic" if part == "synthetic" else "real training"
    return f"{rows:,} {table} rows ({share:.3%}, {weighted}) break {what}."
