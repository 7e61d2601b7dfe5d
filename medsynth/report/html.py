"""Lays a report's content out as one self-contained HTML page: words and order, no arithmetic."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from medsynth.report import wording
from medsynth.report.blocks import Drawing, Figure, Guarantee, RareCondition, Sampling
from medsynth.report.content import ReportContent
from medsynth.report.numbers import figure, interval, number, number_up, percent, setting
from medsynth.score import Edition

if TYPE_CHECKING:
    from jinja2 import Environment

PRINTED_CELLS = 48
# Together they keep a page of a hundred columns under 1.5 MB; report.json holds everything.
OPEN_PANELS, MOST_PANELS, MOST_PAIRS = 8, 24, 300
MOST_COLUMN_ROWS = 30
Draw = Callable[[Drawing, str], str]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A drawn chart with the table of its arrays.

    Attributes:
      anchor: Unique on the page.
      chart: What was drawn.
      svg: Trusted markup.
      header: Column names of the table.
      rows: One label and its numbers per row.
      printed: Whether the table is small enough to print too.
      remark: What drawing and table leave out, empty where nothing.
    """

    anchor: str
    chart: Drawing
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    printed: bool
    remark: str


@dataclass(frozen=True, kw_only=True)
class ByColumn:
    """One kind of score for every column, worst first."""

    caption: str
    figures: tuple[Figure, ...]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class Section:
    """A topic with what this edition holds of it."""

    topic: wording.Topic
    headlines: tuple[str, ...]
    figures: tuple[Figure, ...]
    by_column: tuple[ByColumn, ...]
    panels: tuple[Panel, ...]
    panels_left_out: int
    remark: str

    @property
    def open_panels(self) -> tuple[Panel, ...]:
        """Charts shown at once."""
        return self.panels[:OPEN_PANELS]

    @property
    def folded_panels(self) -> tuple[Panel, ...]:
        """Charts that the reader unfolds; print shows them all."""
        return self.panels[OPEN_PANELS:]

    @property
    def empty(self) -> bool:
        """Whether there is no figure to show."""
        return not (self.figures or self.by_column or self.panels)


def render(content: ReportContent, *, sha256: str, draw: Draw | None = None) -> str:
    """Writes the page of one edition.

    Args:
      content: An edition, from `editions.edition_of`.
      sha256: Of that edition's `report.json`; printed on every page.
      draw: Turns a chart into inline SVG; `charts.draw` by default.

    Returns:
      HTML without scripts or outside references, the same bytes for the same arguments.
    """
    from medsynth.report import charts

    sections = _sections(content, draw or charts.draw)
    page = environment().get_template("report.html.j2")
    return page.render(
        content=content,
        internal=content.edition is Edition.INTERNAL,
        sha256=sha256,
        sections={section.topic.key: section for section in sections},
        answers=_answers(content.scores),
        promise=_guarantee_rows(content.guarantee, content.sampling),
        upsampled={row.name: row for row in content.sampling.upsampling} if content.sampling else {},
        wording=wording,
    )


def environment() -> "Environment":
    """The templates, with the filters they use."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("medsynth.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": number,
        "figure": figure,
        "percent": percent,
        "setting": setting,
        "figure_name": wording.figure_name,
        "policy_name": wording.policy_name,
    }
    environment.globals |= {"interval": interval}
    return environment


def _sections(content: ReportContent, draw: Draw) -> Iterator[Section]:
    for topic in wording.TOPICS:
        scores = [score for score in content.scores if wording.topic_of(score.name) is topic]
        drawings = [chart for chart in content.charts if wording.topic_of(chart.name) is topic]
        drawings.sort(key=lambda chart: chart.name.startswith(wording.LAST_CHARTS))  # what is about all columns first
        tables = _by_column(scores)
        tabled = {score.name for table in tables for score in table.figures}
        whole = tuple(score for score in scores if not (score.columns and score.name in tabled))
        sentences = tuple(score.sentence for score in _headlines(topic, whole))
        rare = content.rare if topic is wording.RARE else ()
        yield Section(
            topic=topic,
            headlines=sentences or tuple(map(_rare_sentence, rare[:3])),
            figures=whole,
            by_column=tables,
            panels=tuple(
                panel_of(chart, f"{topic.key}-{i}", draw) for i, chart in enumerate(drawings[:MOST_PANELS], 1)
            ),
            panels_left_out=max(0, len(drawings) - MOST_PANELS),
            remark=_remark(topic, content, empty=not (scores or drawings or rare)),
        )


def _answers(scores: Sequence[Figure]) -> list[tuple[str, str, str]]:
    """(question, sentence, anchor) of every question of page one that this edition has a figure for."""
    found = []
    for question, topic, patterns in wording.ANSWERS:
        own = [score for score in scores if not score.columns and score.value is not None]
        named = [score for pattern in patterns for score in own if fnmatchcase(score.name, pattern)]
        if patterns[0].startswith("leak.membership"):
            named = sorted(named, key=lambda score: score.high or score.value or 0.0, reverse=True)
        if named:
            found.append((question, named[0].sentence, topic.key))
    return found


def _by_column(scores: Sequence[Figure]) -> tuple[ByColumn, ...]:
    """A table for every score that was computed for several columns."""
    groups: dict[str, list[Figure]] = {}
    for score in scores:
        if score.columns:
            groups.setdefault(score.name, []).append(score)
    return tuple(_column_table(name, group) for name, group in groups.items() if len(group) > 1)


def _column_table(name: str, scores: list[Figure]) -> ByColumn:
    scores.sort(key=_badness)
    return ByColumn(
        caption=f"{wording.figure_name(name)}, by column: worst first, {scores[0].better} is better",
        figures=tuple(scores[:MOST_COLUMN_ROWS]),
        left_out=max(0, len(scores) - MOST_COLUMN_ROWS),
    )


def _badness(score: Figure) -> tuple[bool, float]:
    """Sorts worst first, untold figures last."""
    value = score.value or 0.0
    return score.value is None, -value if score.better == "lower" else value


def _rare_sentence(row: RareCondition) -> str:
    known = (
        row.count is not None and f"about {number(row.count)} persons by the noised count",
        row.file_share is not None and f"{percent(row.file_share)} of the rows of the file",
        row.verdict and row.verdict[:1].lower() + row.verdict[1:],
    )
    return f"{row.name}: {', '.join(text for text in known if text) or 'declared'}."


def _headlines(topic: wording.Topic, scores: Sequence[Figure], most: int = 3) -> list[Figure]:
    """The first scores that the topic's patterns name; of several attacks the strongest speaks."""
    chosen: list[Figure] = []
    for pattern in topic.headlines:
        found = [score for score in scores if fnmatchcase(score.name, pattern) and score not in chosen]
        if pattern.startswith("leak.membership"):
            found = sorted(found, key=lambda score: score.high or score.value or 0.0, reverse=True)[:1]
        chosen += found
    return (chosen or list(scores))[:most]


def _remark(topic: wording.Topic, content: ReportContent, *, empty: bool) -> str:
    if content.edition is Edition.SHAREABLE and topic.withheld:
        return f"{topic.withheld} {topic.shown if content.guarantee else ''}".rstrip()
    return topic.nothing if empty else ""


def panel_of(chart: Drawing, anchor: str, draw: Draw) -> Panel:
    """A chart, drawn, with the table of its arrays."""
    header, rows = _chart_table(chart)
    return Panel(
        anchor=anchor,
        chart=chart,
        svg=draw(chart, anchor),
        header=header,
        rows=rows,
        printed=len(header) * len(rows) <= PRINTED_CELLS,
        remark=_left_out(chart),
    )


def _left_out(chart: Drawing) -> str:
    from medsynth.report.charts import most_drawn

    most = most_drawn(chart)
    more = len(chart.labels) - most
    if more <= 0 or chart.kind == "curve":
        return ""
    if chart.kind == "heatmap":
        return (
            f"Drawn are the {most} columns with the highest figures; the table holds the {MOST_PAIRS} "
            "highest pairs, report.json all."
        )
    return f"The table below holds {more} more categories than the drawing."


def _chart_table(chart: Drawing) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    if chart.kind == "heatmap":
        return _matrix_table(chart.labels, chart.arrays)
    names = list(chart.arrays)
    if chart.kind == "curve":
        names = ["x", *(name for name in names if name != "x")]
        cells = zip(*(map(figure, chart.arrays[name]) for name in names), strict=True)
        return tuple(names), tuple(cells)
    cells = zip(chart.labels, *(map(figure, chart.arrays[name]) for name in names), strict=True)
    return ("", *(_ARRAY_NAMES.get(name, name) for name in names)), tuple(cells)


_ARRAY_NAMES = {
    "baseline": "floor",
    "matrix": "measured",
    "value": "measured",
    "low": "interval from",
    "high": "interval to",
}


def _matrix_table(
    labels: Sequence[str], arrays: Mapping[str, Sequence[float | None]]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Upper triangle as pairs, highest of the first matrix first."""
    size = len(labels)
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    first = next(iter(arrays.values()), ())
    pairs.sort(key=lambda pair: -(first[pair[0] * size + pair[1]] or 0.0))
    rows = tuple(
        (
            f"{labels[i]} and {labels[j]}",
            *(figure(array[i * size + j]) for array in arrays.values()),
        )
        for i, j in pairs[:MOST_PAIRS]
    )
    return ("Pair of columns", *(_ARRAY_NAMES.get(name, name) for name in arrays)), rows


def _guarantee_rows(promise: Guarantee | None, sampling: Sampling | None) -> tuple[tuple[str, str], ...]:
    """The card: parameters, what they cap, how rows were drawn; what is not stated is left out."""
    if promise is None:
        return ()
    factor, failure = promise.odds_factor, promise.odds_failure
    odds = ""
    if factor and failure:
        odds = f"{number_up(factor)} times, except with probability {number_up(failure)}"
    stated = (
        ("Epsilon and delta", f"{_stated(promise.epsilon)} and {_stated(promise.delta)}"),
        ("Mu, the native unit", _stated(promise.mu)),
        ("Protected unit", promise.unit),
        ("Neighbouring tables", promise.neighbours),
        ("Odds that a unit is in the data move by at most", odds),
        ("Cap on any membership attack, AUC", _stated(promise.membership_auc_cap)),
        (
            "Cap on members found at 1 % false alarms",
            _stated(promise.membership_tpr_cap_at_1pct_fpr),
        ),
        *((wording.detail_name(key), setting(value)) for key, value in promise.details.items()),
        ("How the rows were drawn", f"{sampling.draw}; see Provenance" if sampling and sampling.draw else ""),
    )
    return tuple((label, text) for label, text in stated if text)


def _stated(value: float | None) -> str:
    return "" if value is None else number(value)
