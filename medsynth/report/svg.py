"""Makes a plotting library's SVG file fit to stand inside a page beside others."""

import re
import xml.etree.ElementTree as ET

from medsynth.errors import MedsynthError

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
_SCALE = 1.45  # CSS pixels per point of the drawing: its 8.5 point text reads like the captions
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_GEOMETRY = ("d", "x", "y", "width", "height", "transform", "points", "viewBox")
_FONT = re.compile(r"'DejaVu Sans'(?:, *[^;\"]*)?")


def embed(drawing: str, *, prefix: str, title: str, description: str) -> str:
    """Turns an SVG document into an element that can stand in HTML.

    Args:
      drawing: The SVG document, as text.
      prefix: Put before every id, so that two charts on a page do not share one.
      title: Accessible name.
      description: Text alternative, a sentence.

    Returns:
      One `<svg>` element: no prolog, metadata, style sheet, namespace or outside reference.

    Raises:
      MedsynthError: If the drawing holds a bitmap, which a reader could neither scale nor search.
    """
    root = ET.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", drawing, count=1))
    if root.find(f".//{_SVG}image") is not None:
        raise MedsynthError(f"Chart {title!r}: drawn as a bitmap.")
    _drop_foreign_parts(root)
    for element in root.iter():
        _round_geometry(element)
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = _local_attributes(element.attrib, prefix)
        element.tail = (element.tail or "").strip() or None
        element.text = element.text if (element.text or "").strip() else None
    _drop_unused_ids(root)
    _describe(root, prefix, title, description)
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _drop_foreign_parts(root: ET.Element) -> None:
    """Metadata name outside addresses; a style sheet would apply to the whole page."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)


def _round_geometry(element: ET.Element) -> None:
    """A hundredth of a point is finer than any printer; the rest is half of the page's bytes."""
    for key in _GEOMETRY:
        if key in element.attrib:
            rounded = _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", element.attrib[key])
            element.set(key, " ".join(rounded.split()))
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]


def _local_attributes(attributes: dict[str, str], prefix: str) -> dict[str, str]:
    local = {}
    for key, value in attributes.items():
        if key == "id":
            value = f"{prefix}-{value}"
        elif key in (_XLINK_HREF, "href"):
            key, value = "href", f"#{prefix}-{value.removeprefix('#')}"
        else:
            value = _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
            value = _FONT.sub("sans-serif", value)
        if key == "style":
            value = value.replace("; ", ";").replace(": ", ":")
        local[key] = value
    return local


def _drop_unused_ids(root: ET.Element) -> None:
    used = set()
    for element in root.iter():
        used.add(element.get("href", "").removeprefix("#"))
        for value in element.attrib.values():
            used.update(_REFERENCE.findall(value))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)


def _describe(root: ET.Element, prefix: str, title: str, description: str) -> None:
    width = float(root.get("viewBox", "0 0 480 0").split()[2])
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("style", f"max-width: {width * _SCALE / 16:.1f}rem")
    root.attrib |= {"role": "img", "aria-labelledby": f"{prefix}-title {prefix}-desc"}
    for tag, text in (("desc", description), ("title", title)):
        element = ET.Element(tag, {"id": f"{prefix}-{tag}"})
        element.text = text
        root.insert(0, element)
