import re
import xml.etree.ElementTree as ET

import pytest

from medsynth.errors import MedsynthError
from medsynth.report.blocks import Drawing
from medsynth.report.charts import draw, short
from medsynth.report.svg import embed
from medsynth.score import Edition

SERIES: dict[str, dict[str, tuple[float | None, ...]]] = {
    "overlay": {"real": (0.2, 0.8), "synthetic": (0.3, None)},
    "heatmap": {"real": (1.0, 0.2, 0.2, 1.0), "difference": (0.0, -0.1, None, 0.0)},
    "intervals": {"value": (0.5, None), "low": (0.4, None), "high": (0.6, None),
                  "ceiling": (0.7, 0.7)},
    "curve": {"x": (0.0, 1.0), "real": (0.0, 1.0), "synthetic": (0.0, 0.9)},
}  # fmt: skip
HOSTILE = ("<script>\"'&", "$\\frac{1$\n\u4e2d\u6587")


def chart(kind: str, **more: object) -> Drawing:
    given = {
        "name": "n", "kind": kind, "title": "A & B", "labels": HOSTILE, "arrays": SERIES[kind],
        "edition": Edition.INTERNAL, "sentence": "Look <here>.", **more,
    }  # fmt: skip
    return Drawing.model_validate(given)


@pytest.mark.parametrize("kind", list(SERIES))
def test_drawing_is_deterministic_self_contained_and_described(kind: str) -> None:
    svg = draw(chart(kind), "c1")
    assert svg == draw(chart(kind), "c1")
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert (root.findtext("title"), root.findtext("desc")) == ("A & B", "Look <here>.")
    assert "http" not in svg
    assert not re.search(r"<(script|style|image|metadata|foreignObject)\b", svg)
    ids = [element.get("id", "") for element in root.iter() if element.get("id")]
    assert all(name.startswith("c1-") for name in ids)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("kind", ["overlay", "heatmap", "intervals"])
def test_hostile_labels_are_drawn_as_they_are_written(kind: str) -> None:
    root = ET.fromstring(draw(chart(kind), "c1"))
    texts = ["".join(element.itertext()) for element in root.iter("text")]
    assert "<script>\"'&" in texts
    assert any(text.startswith("$\\frac{1$") for text in texts)


def test_series_differ_by_more_than_colour() -> None:
    bars, lines = draw(chart("overlay"), "c"), draw(chart("curve"), "c")
    assert "<pattern" in bars
    assert "stroke-dasharray" in lines


def test_intervals_of_two_tables_are_told_apart_by_colour_dash_and_name() -> None:
    second = {"real": (0.4, 0.2), "real_low": (0.3, 0.1), "real_high": (0.5, None)}
    svg = draw(chart("intervals", arrays=SERIES["intervals"] | second), "c")
    texts = {element.text for element in ET.fromstring(svg).iter("text")}
    assert {"synthetic", "real", "real, 95 % interval"} <= texts
    assert "stroke-dasharray" in svg
    with pytest.raises(ValueError, match="real needs real_low and real_high"):
        chart("intervals", arrays=SERIES["intervals"] | {"real": (0.4, 0.2)})


@pytest.mark.parametrize("kind", list(SERIES))
def test_empty_charts_are_drawn(kind: str) -> None:
    empty = {name: () for name in SERIES[kind]}
    assert draw(chart(kind, labels=(), arrays=empty), "c").startswith("<svg")


def test_more_categories_than_fit_are_left_to_the_table() -> None:
    many = chart("overlay", labels=tuple(map(str, range(90))), arrays={"a": (0.5,) * 90})
    texts = {element.text for element in ET.fromstring(draw(many, "c")).iter("text")}
    assert "39" in texts
    assert "40" not in texts


def test_long_labels_are_shortened() -> None:
    assert short("a  b\nc") == "a b c"
    assert len(short("x" * 80)) == 26


def test_a_bitmap_is_refused() -> None:
    bitmap = '<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/png,"/></svg>'
    with pytest.raises(MedsynthError, match="bitmap"):
        embed(bitmap, prefix="c", title="t", description="d")
