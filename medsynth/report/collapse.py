"""The page of a collapse study: one content, as JSON and as HTML; INTERNAL, there is no other edition."""

from typing import Literal

from medsynth.report.blocks import Block, Drawing, IsoDay, Number, Plain, Text
from medsynth.report.html import environment, panel_of
from medsynth.score import Edition

BANNER = "INTERNAL: figures of real persons that no guarantee and no budget covers. Never share it"


class Criterion(Block):
    """A measure and how much further than generation 1 a safe generation may lie from the real table."""

    name: Text
    title: Text
    tolerance: float
    means: Text


class CourseRow(Block):
    """One generator from generation to generation; the first figure of each measure is the real table's."""

    name: Text
    generator: Text
    fresh: float
    private: bool
    safe: int
    """The last generation before the first that breaks the criterion."""
    reached: bool
    """Whether no generation that was measured breaks it."""
    broken: tuple[Text, ...]
    sentence: Text
    figures: dict[Text, tuple[Number, ...]]
    distances: dict[Text, tuple[Number, ...]]
    parts: dict[Text, dict[Text, tuple[Number, ...]]]
    """By column or condition."""


class Collapse(Block):
    """Everything a study says."""

    medsynth_collapse: Literal[1] = 1
    """Version of this format."""
    edition: Edition = Edition.INTERNAL
    banner: Text = BANNER
    title: Text
    date: IsoDay
    medsynth_version: Text
    table: Text
    row_meaning: Text
    settings: dict[Text, Plain]
    courses: tuple[CourseRow, ...]
    criteria: tuple[Criterion, ...]
    charts: tuple[Drawing, ...]
    notes: tuple[Text, ...]


def collapse_files(content: Collapse) -> tuple[bytes, bytes]:
    """The bytes of `collapse.json` and `collapse.html`, the same for the same content."""
    from medsynth.report import charts
    from medsynth.report.content import report_json

    panels = [panel_of(chart, f"collapse-{number}", charts.draw) for number, chart in enumerate(content.charts, 1)]
    page = environment().get_template("collapse.html.j2").render(content=content, panels=panels)
    return report_json(content), page.encode("utf-8")
