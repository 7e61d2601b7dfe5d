"""What a selection is held against: a plain draw of the same model, measured and attacked alike, then thrown away."""

from typing import Any

from medsynth.encoding.comparison import Comparison
from medsynth.holdout import compare_another
from medsynth.judging import attack, measure
from medsynth.models.model_file import ModelFile
from medsynth.progress import Progress
from medsynth.releasing import codec_of
from medsynth.report.selection import QUESTIONS
from medsynth.sampling.draw import Drawn, draw
from medsynth.sampling.how import generator
from medsynth.score import Score

MEASURED = ("marginals", "coverage", "extremes")
"""Metrics that a selection is judged by, beside all attacks."""


def without_selection(
    file: ModelFile, drawn: Drawn, comparison: Comparison, *, seed: int | None, progress: Progress, **how: Any
) -> tuple[Score, ...]:
    """Scores of as many rows, drawn from the same model, but not selected: INTERNAL.

    Args:
      file: The model.
      drawn: What was drawn, and whether it was selected.
      comparison: Holds the rows drawn; the others are compared in their place.
      seed: Of the draw.
      progress: Hears of the steps.
      how: Fields of `How` as they were asked for.

    Returns:
      The scores that decide whether the selection earned its place; none where nothing was selected.
    """
    if drawn.selected is None:
        return ()
    progress.start("Drawing without selection")
    raised = {change.name: change.target for change in drawn.upsampled}
    how |= {"oversample": None, "keep": None, "upsample": raised}
    plain = draw(file.fitted, codec_of(file), drawn.rows, generator(seed), **how)
    other = compare_another(comparison, plain.frame)
    evaluations = measure(other, progress, only=MEASURED) | attack(other, progress)
    asked = {question.name for question in QUESTIONS}
    return tuple(
        score
        for evaluation in evaluations.values()
        for score in evaluation.scores
        if score.name in asked and not score.columns
    )
