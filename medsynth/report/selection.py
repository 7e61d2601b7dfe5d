"""Whether a selection earned its place: a plain draw of the same model beside the records selected. INTERNAL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medsynth.report.blocks import Appendix, Figure
from medsynth.score import Edition

ROUNDING = 1e-9
"""Differences of floats by less than this are none."""
TITLE = "Did the selection earn its place?"
HEADER = ("Measure", "Plain draw", "Selected", "Better is", "Finding")
WHAT = (
    "A table of as many records was drawn from the same model without selection; it was measured "
    "and attacked in the same way and then thrown away. A change counts beyond what is let pass, which was fixed "
    "beforehand: of errors 2 % and 0.001, of coverage one point, of rare levels two points, of attacks half of "
    "their 95 % interval.",
    "A selection earned its place if fidelity or diversity got better and nothing got worse.",
)


@dataclass(frozen=True, kw_only=True)
class Question:
    """A measure that is compared.

    Attributes:
      name: Of the score.
      label: In words.
      part: Change let pass, as a part of the plain draw's figure.
      least: And at least so much.
      higher: Whether higher is better.
      gains: Whether getting better counts; attacks do not get credit.
    """

    name: str
    label: str
    part: float = 0.0
    least: float = 0.0
    higher: bool = False
    gains: bool = True

    def finding(self, before: Figure, after: Figure) -> str:
        """better, worse, equal, or not measured."""
        if before.value is None or after.value is None:
            return "not measured"
        passed = self.part * before.value + self.least
        if not self.gains or self.higher:  # shares of few levels or records are known to their interval only
            passed = max(passed, _half_width(before), _half_width(after))
        change = (after.value - before.value) * (1 if self.higher else -1)
        if change < -passed - ROUNDING:
            return "worse"
        return "better" if change > passed + ROUNDING and self.gains else "equal"


_COUNTED = {1: "single columns", 2: "pairs of columns", 3: "triples of columns"}

QUESTIONS = (
    *(
        Question(name=f"fidelity.tv{ways}.holdout", label=f"Error over {what}, held out", part=0.02, least=0.001)
        for ways, what in _COUNTED.items()
    ),
    Question(name="fidelity.coverage", label="Held-out records covered", least=0.01, higher=True),
    Question(name="fidelity.rare_levels.found", label="Rare levels that occur", least=0.02, higher=True),
    Question(name="leak.membership.strongest.auc", label="Strongest membership attack, AUC", gains=False),
    Question(name="leak.copies.exact_excess", label="Excess of exact copies", gains=False),
)
"""What decides, and what is let pass."""

Figures = Iterable[Figure]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A measure before and after a selection."""

    question: Question
    before: Figure
    after: Figure

    @property
    def word(self) -> str:
        """better, worse, equal, or not measured."""
        return self.question.finding(self.before, self.after)

    @property
    def named(self) -> str:
        """In words, with both figures."""
        label = self.question.label
        return f"{label[0].lower()}{label[1:]} ({_number(self.before)} to {_number(self.after)})"


def findings(before: Figures, after: Figures) -> tuple[Finding, ...]:
    """Every question that both sides answer."""
    first, second = ({figure.name: figure for figure in figures if not figure.columns} for figures in (before, after))
    return tuple(
        Finding(question=question, before=first[question.name], after=second[question.name])
        for question in QUESTIONS
        if question.name in first and question.name in second
    )


def earned_sentence(found: Sequence[Finding]) -> str:
    """Whether the selection earned its place."""
    better, worse = ("; ".join(f.named for f in found if f.word == which) for which in ("better", "worse"))
    if worse:
        gained = f" Better: {better}." if better else ""
        return f"This selection harms: it did not earn its place. Worse: {worse}.{gained} Draw without it."
    if better:
        return f"The selection earned its place. Better: {better}; nothing got worse."
    return "The selection did not earn its place: nothing got better beyond what is let pass, nothing worse."


def selection_page(before: Figures, after: Figures) -> Appendix:
    """The table, with the sentence above it: INTERNAL, as every figure in it was computed on private records."""
    found = findings(before, after)
    return Appendix(
        title=TITLE,
        paragraphs=(earned_sentence(found), *WHAT),
        header=HEADER,
        rows=tuple(
            (
                each.question.label,
                _number(each.before),
                _number(each.after),
                "higher" if each.question.higher else "lower",
                each.word,
            )
            for each in found
        ),
        edition=Edition.INTERNAL,
    )


def _number(figure: Figure) -> str:
    return "not known" if figure.value is None else f"{figure.value:.4f}"


def _half_width(figure: Figure) -> float:
    return 0.0 if figure.low is None or figure.high is None else 0.5 * (figure.high - figure.low)
