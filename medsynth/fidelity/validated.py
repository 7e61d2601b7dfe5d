"""Whether the released table meets the great-expectations suite of its schema, part by part."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.validation import Verdict, validate
from medsynth.schema import Schema
from medsynth.score import Edition, Evaluation, Score

HELD = "validation.held"


@dataclass(frozen=True, kw_only=True)
class Validated:
    """Share of expectations that hold in the synthetic table, and each column or rule where one does not."""

    names: ClassVar[tuple[str, ...]] = ("validation",)

    def evaluate(
        self,
        comparison: Comparison,
        rng: np.random.Generator,  # noqa: ARG002 - part of the protocol, nothing is drawn here
    ) -> Evaluation:
        """Scores `validation.held` and `validation.failed N`."""
        verdicts = validate(comparison.frame("synthetic"), comparison.schema)
        failed = dict.fromkeys(verdict.part for verdict in verdicts if not verdict.success)
        doubtful = {verdict.part for verdict in verdicts if verdict.plausible}
        scores = [_held(verdicts, doubtful & failed.keys())]
        for number, part in enumerate(failed, 1):
            scores.append(_failed(number, part, comparison.schema, plausible=part in doubtful))
        return Evaluation(scores=tuple(scores))


def _held(verdicts: list[Verdict], doubtful: set[str]) -> Score:
    strict = [verdict.success for verdict in verdicts if not verdict.plausible]
    more = f" Some row breaks {len(doubtful)} plausible rules, as real ones may." if doubtful else ""
    return Score(
        name=HELD,
        value=sum(strict) / len(strict),
        ceiling=1.0,
        better="higher",
        edition=Edition.SHAREABLE,
        sentence=(
            f"{sum(strict)} of {len(strict)} expectations of the schema's great-expectations suite hold in every "
            f"synthetic row.{more}"
        ),
    )


def _failed(number: int, part: str, schema: Schema, *, plausible: bool) -> Score:
    name = f"Column '{part}'" if part in schema.columns else part
    return Score(
        name=f"validation.failed {number}",
        value=0.0,
        better="higher",
        edition=Edition.SHAREABLE,
        columns=(part,) if part in schema.columns else (),
        sentence=f"{name}: {'some synthetic row is doubtful' if plausible else 'some synthetic row breaks it'}.",
    )
