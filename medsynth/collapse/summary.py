"""From the figures of a study to what its page, its JSON and its last words say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsynth.collapse.baselines import BASELINES
from medsynth.collapse.course import Real
from medsynth.collapse.criterion import MEASURES, Course, Measure, Verdict, judge_course
from medsynth.errors import UsageError
from medsynth.estimand import row_meaning
from medsynth.fidelity.decay import Figure
from medsynth.fitting import FitRequest
from medsynth.outputs import Result
from medsynth.publishing import Clock
from medsynth.report.blocks import Drawing
from medsynth.report.collapse import Collapse, CourseRow, Criterion
from medsynth.sampling.how import generator
from medsynth.score import Edition
from medsynth.version import __version__

MOST_GENERATIONS = 50
Key = tuple[str, float]
"""A course: its generator, and its share of fresh records."""

SCOPE = (
    "The study is INTERNAL. Its figures compare with raw records, so no budget covers them. Every fit that read real "
    "records is booked in a throwaway ledger of its own beside this page, not in the budget of the population: these "
    "fits are not releases. Share neither what they drew nor this page.",
    "A generation is a model fitted on the table before it and a table drawn from that model, as many records as the "
    "study has persons. Fresh records are all records of a random share of the training persons, drawn anew for each "
    "generation from the second on, mixed with the remaining share of synthetic records.",
    "Two generators have no privacy, so that what refitting does can be told from what noise does: 'resample' draws "
    "rows again with replacement, 'chow-liu' draws from the tree of pairs that tells most, fitted on exact counts.",
    "Each course was run once, and figures move from run to run with the noise and the draw: two studies of one table "
    "may differ by a generation or more, by most where tables are small. Run it several times before you rely on it.",
    "Courses with quality selection are not part of this study.",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Settings:
    """What a study was asked for.

    Attributes:
      generations: How many, at least 2.
      fresh: Share of fresh real records in the mixed courses, in (0, 1).
      seed: Of every draw; privacy noise and the keys that bound persons have none. None for a fresh one.
    """

    generations: int = 5
    fresh: float = 0.2
    seed: int | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.generations <= MOST_GENERATIONS:
            raise UsageError(
                f"--generations {self.generations}: must lie between 2 and {MOST_GENERATIONS}. Take a few, such as 5."
            )
        if not 0 < self.fresh < 1:
            raise UsageError(f"--fresh {self.fresh}: must lie between 0 and 1, as in 0.2.")
        generator(self.seed)


def summarise(real: Real, request: FitRequest, settings: Settings, courses: Mapping[Key, Course]) -> Collapse:
    """The content of `collapse.json`, from which the page is drawn."""
    schema = real.comparison.schema
    named = {_name(*key): (key, figures) for key, figures in courses.items()}
    start = next(iter(courses.values()))[0]
    measures = [measure for measure in MEASURES if measure.name in start]
    return Collapse(
        title=f"Collapse study: {schema.dataset.name}",
        date=Clock.today(),
        medsynth_version=__version__,
        table=schema.dataset.name,
        row_meaning=row_meaning(schema),
        settings=_settings(real, request, settings),
        courses=tuple(_row(name, key, courses, measures) for name, (key, _) in named.items()),
        criteria=tuple(
            Criterion(name=measure.name, title=measure.title, tolerance=measure.tolerance, means=measure.means)
            for measure in measures
        ),
        charts=tuple(_chart(measure, {name: figures for name, (_, figures) in named.items()}) for measure in measures),
        notes=SCOPE,
    )


def _settings(real: Real, request: FitRequest, settings: Settings) -> dict[str, Any]:
    epsilon, delta = request.budget
    return {
        "model": request.model,
        "epsilon": epsilon,
        "delta": delta,
        "generations": settings.generations,
        "fresh": settings.fresh,
        "seed": settings.seed,
        "records": real.size,
    }


def _name(generator_name: str, fresh: float) -> str:
    return f"{generator_name}, {100 * fresh:g} % fresh" if fresh else f"{generator_name}, own output"


def _row(name: str, key: Key, courses: Mapping[Key, Course], measures: Sequence[Measure]) -> CourseRow:
    figures = courses[key]
    verdict = judge_course(figures, [other[1] for (generator, _), other in courses.items() if generator == key[0]])
    return CourseRow(
        name=name,
        generator=key[0],
        fresh=key[1],
        private=key[0] not in BASELINES,
        safe=verdict.safe,
        reached=verdict.reached,
        broken=verdict.broken,
        sentence=f"{name}: {_safe(verdict)}",
        figures={each.name: tuple(_figure(table, each, "value") for table in figures) for each in measures},
        distances={each.name: tuple(_figure(table, each, "distance") for table in figures) for each in measures},
        parts={
            each.name: {
                part: tuple(_figure(table, each, "parts", part) for table in figures)
                for part in figures[0][each.name].parts
            }
            for each in measures
            if figures[0][each.name].parts
        },
    )


def _figure(table: Mapping[str, Figure], measure: Measure, kind: str, part: str | None = None) -> float | None:
    """A figure with six decimals; None where the table no longer shows what is measured."""
    if measure.name not in table:
        return None
    found = getattr(table[measure.name], kind)
    value = found if part is None else found.get(part)
    return None if value is None else round(value, 6)


def _safe(verdict: Verdict) -> str:
    if verdict.reached:
        return f"all {verdict.safe} generations measured are safe."
    kept = "only generation 1 is safe" if verdict.safe == 1 else f"{verdict.safe} generations are safe"
    moved = " and ".join(title[:1].lower() + title[1:] for title in verdict.broken)
    return f"{kept}; generation {verdict.safe + 1} breaks the criterion in {moved}."


def _chart(measure: Measure, named: Mapping[str, Course]) -> Drawing:
    generations = range(len(next(iter(named.values()))))
    series: dict[str, tuple[float | None, ...]] = {"x": tuple(map(float, generations))}
    for name, figures in named.items():
        series[name] = tuple(_figure(table, measure, "value") for table in figures)
    return Drawing(
        name=f"collapse.{measure.name}",
        kind="curve",
        title=f"{measure.title}, by generation",
        labels=(),
        arrays=series,
        edition=Edition.INTERNAL,
        sentence=f"{measure.shows} Generation 0 is the real table.",
    )


def told(files: Sequence[Path], content: Collapse) -> Result:
    """What the command says at its end."""
    return Result(
        values={"edition": "internal", "files": [str(path) for path in files]}
        | {key: value for key, value in content.model_dump(mode="json").items() if key in ("settings", "courses")},
        lines=(
            "INTERNAL: computed on private records and covered by no budget; never share it.",
            *(course.sentence for course in content.courses),
            "Safe: no measure lies further from the real table than at generation 1 by more than its tolerance.",
            *(f"INTERNAL: {path}" for path in files),
        ),
    )
