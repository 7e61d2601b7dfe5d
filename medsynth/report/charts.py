"""Draws a chart as SVG: same bytes for same arrays, readable in colour, in grey and aloud."""

import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from medsynth.report.blocks import Drawing
from medsynth.report.svg import embed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure as Canvas

INK, MUTED, RULE = "#1b2733", "#5b6875", "#d5dbe1"
# Each series differs in lightness, and has a hatch, dash and marker of its own.
COLOURS = ("#1f4e79", "#d98324", "#9cc3c9", "#7a5c8e", "#4d7d4a", "#b5b5b5")
HATCHES = ("", "///", "---", "xx", "|||", "++")
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.4)), "dashdot", (0, (7, 2, 1, 2, 1, 2)), (0, (2, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P")
WIDTH, MOST_CATEGORIES, MOST_BESIDE, MOST_SERIES = 6.6, 40, 26, len(COLOURS)
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "medsynth",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
}


def draw(chart: Drawing, prefix: str) -> str:
    """Draws a chart as an inline SVG element.

    Args:
      chart: Kind, arrays and labels; labels may be hostile.
      prefix: Unique on the page; every id inside the SVG begins with it.

    Returns:
      `<svg role="img" ...>` with title and description, without outside references.
    """
    with _plotting() as canvas:
        painter = {
            "overlay": _overlay,
            "heatmap": _heatmap,
            "intervals": _intervals,
            "curve": _curve,
        }[chart.kind]
        painter(canvas, chart)
        buffer = io.StringIO()
        tight = "tight" if chart.kind == "heatmap" else None
        undated = {"Date": None, "Creator": None}
        canvas.savefig(buffer, format="svg", metadata=undated, bbox_inches=tight)
    return embed(buffer.getvalue(), prefix=prefix, title=chart.title, description=chart.sentence)


def short(label: str, most: int = 26) -> str:
    """A label that fits beside an axis; the chart's table keeps it whole.

    >>> short("number of emergency visits in the year before", 20)
    'number of emergency…'
    """
    flat = " ".join(label.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


@contextmanager
def _plotting() -> Iterator["Canvas"]:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context(), warnings.catch_warnings():
        # Layout measures text with the shipped font; a browser draws it with its own, glyphs
        # missing here included.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcParams.update(mpl.rcParamsDefault)
        mpl.rcParams.update(_STYLE)
        canvas = Canvas(layout="constrained")
        FigureCanvasSVG(canvas)
        yield canvas


def _overlay(canvas: "Canvas", chart: Drawing) -> None:
    labels = chart.labels[:MOST_CATEGORIES]
    names = list(chart.arrays)[:MOST_SERIES]
    canvas.set_size_inches(WIDTH, 2.7 if len(labels) <= 12 else 3.2)
    axes = canvas.add_subplot()
    width, roomy = 0.84 / max(1, len(names)), len(labels) * len(names) <= 48
    for i, name in enumerate(names):
        heights = _gaps(chart.arrays[name][: len(labels)])
        places = [place + (i - (len(names) - 1) / 2) * width for place in range(len(labels))]
        axes.bar(
            places,
            heights,
            width * 0.94,
            label=short(name),
            color=COLOURS[i],
            hatch=HATCHES[i] if roomy else "",
            edgecolor="white",
            linewidth=0.3,
            clip_on=False,
        )
    _category_axis(axes, labels)
    axes.grid(axis="y")
    axes.margins(x=0.01)
    _legend(canvas, axes, len(names))


def _category_axis(axes: "Axes", labels: Sequence[str]) -> None:
    steep = len(labels) > 12 or sum(len(short(label, 18)) for label in labels) > 80
    axes.set_xticks(
        range(len(labels)),
        [short(label, 18) for label in labels],
        rotation=45 if steep else 0,
        ha="right" if steep else "center",
        rotation_mode="anchor" if steep else "default",
    )
    axes.tick_params(axis="x", length=0)


def _heatmap(canvas: "Canvas", chart: Drawing) -> None:
    import numpy as np

    kept, names = busiest(chart), list(chart.arrays)[:3]
    size, labels = len(kept), [chart.labels[i] for i in kept]
    beside = 1 if len(names) == 1 else 2
    rows = math.ceil(len(names) / beside)
    panel = max(2.6, min(5.4, 0.19 * size + 1.6)) if beside == 1 else 3.4
    canvas.set_size_inches(WIDTH if beside == 2 else min(WIDTH, panel + 1.6), rows * panel)
    tables = [_square(chart, name)[np.ix_(kept, kept)] for name in names]
    low, high = _colour_limits(tables)
    axes = canvas.subplots(rows, beside, squeeze=False, sharey=True).ravel()
    for i, (table, name) in enumerate(zip(tables, names, strict=True)):
        mesh = axes[i].pcolormesh(table, cmap=_colours(low), vmin=low, vmax=high, edgecolors="white", linewidth=0.3)
        mesh.set_clip_on(False)
        axes[i].set_title(short(name, 40) if len(names) > 1 else "", fontsize=8.5, loc="left")
        _heatmap_axes(axes[i], labels, small=8.5 if size <= 12 else 6.5)
    for spare in axes[len(names) :]:
        spare.set_axis_off()
    bar = canvas.colorbar(mesh, ax=list(axes), shrink=0.75, aspect=24, pad=0.02)
    bar.outline.set_visible(False)


def most_drawn(chart: Drawing) -> int:
    """Categories that a drawing shows; of heatmaps side by side fewer, for the page's sake."""
    return MOST_BESIDE if chart.kind == "heatmap" and len(chart.arrays) > 1 else MOST_CATEGORIES


def busiest(chart: Drawing) -> list[int]:
    """Rows of a heatmap that are drawn: all, or those with the highest figures off the diagonal."""
    import numpy as np

    most = most_drawn(chart)
    if len(chart.labels) <= most:
        return list(range(len(chart.labels)))
    table = np.nan_to_num(np.abs(_square(chart, next(iter(chart.arrays)))))
    np.fill_diagonal(table, 0.0)
    order = np.argsort(-table.max(axis=0), kind="stable")[:most]
    return sorted(int(i) for i in order)


def _square(chart: Drawing, name: str) -> Any:
    import numpy as np

    size = len(chart.labels)
    return np.array(_gaps(chart.arrays[name]), dtype=float).reshape(size, size)


def _heatmap_axes(axes: "Axes", labels: Sequence[str], small: float) -> None:
    middles = [i + 0.5 for i in range(len(labels))]
    names = [short(label, 20) for label in labels]
    axes.set_xticks(middles, names, rotation=90, fontsize=small)
    axes.set_yticks(middles, names, fontsize=small)
    axes.tick_params(length=0)
    axes.set_ylim(max(1, len(labels)), 0)
    axes.set_aspect("equal")
    axes.spines[:].set_visible(False)


def _colour_limits(tables: Sequence[Any]) -> tuple[float, float]:
    """From 0, or symmetric about 0 where figures are negative; one scale for all panels."""
    import numpy as np

    stacked = np.concatenate([table.ravel() for table in tables]) if tables else np.zeros(1)
    known = stacked[np.isfinite(stacked)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low < 0:
        return -max(-low, high), max(-low, high)
    return 0.0, high or 1.0


def _colours(low: float) -> "Colormap":
    """Pale to dark, so that grey print keeps the order; two-sided where figures may be negative."""
    from matplotlib.colors import LinearSegmentedColormap

    ends = ["#f3f5f7", "#7fa3bd", "#12355b"] if low >= 0 else ["#a65a00", "#f7f7f7", "#12355b"]
    # Below 50 steps the colour bar stays vector; above, it would become a bitmap.
    return LinearSegmentedColormap.from_list("medsynth", ends, N=41)


def _intervals(canvas: "Canvas", chart: Drawing) -> None:
    labels, arrays = chart.labels[:MOST_CATEGORIES], chart.arrays
    rows = list(range(len(labels)))
    two = "real" in arrays
    canvas.set_size_inches(WIDTH, 1.0 + (0.34 if two else 0.27) * max(2, len(rows)))
    axes = canvas.add_subplot()
    shift = 0.16 if two else 0.0
    _bars(axes, arrays, ("value", "low", "high"), "synthetic" if two else "measured", 0, [row + shift for row in rows])
    if two:
        axes.axvline(0, color=MUTED, linewidth=0.8)
        _bars(axes, arrays, ("real", "real_low", "real_high"), "real", 1, [row - shift for row in rows])
    marks = (("baseline", "baseline (floor)", "|", MUTED), ("ceiling", "ceiling", "D", COLOURS[1]))
    for key, label, marker, colour in marks:
        if key in arrays:
            axes.plot(
                _gaps(arrays[key][: len(rows)]),
                rows,
                marker,
                color=colour,
                label=label,
                markersize=10 if marker == "|" else 5,
                markeredgewidth=1.6,
                markerfacecolor="white",
            )
    axes.set_yticks(rows, [short(label, 34) for label in labels])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    _legend(canvas, axes, 4)


def _bars(
    axes: "Axes",
    arrays: Mapping[str, Sequence[float | None]],
    names: tuple[str, str, str],
    label: str,
    series: int,
    rows: list[float],
) -> None:
    """One set of values with their intervals."""
    value, low, high = (_gaps(arrays[name][: len(rows)]) for name in names)
    bounds = "95 % interval" if label == "measured" else f"{label}, 95 % interval"
    axes.hlines(rows, low, high, color=COLOURS[series], linewidth=1.8, linestyle=DASHES[series], label=bounds)
    axes.plot(value, rows, MARKERS[series], color=COLOURS[series], markersize=5.5 - series, label=label)


def _curve(canvas: "Canvas", chart: Drawing) -> None:
    names = [name for name in chart.arrays if name != "x"][:MOST_SERIES]
    canvas.set_size_inches(WIDTH * 0.8, 3.2)
    axes = canvas.add_subplot()
    x = _gaps(chart.arrays["x"])
    for i, name in enumerate(names):
        axes.plot(
            x,
            _gaps(chart.arrays[name]),
            color=COLOURS[i],
            linestyle=DASHES[i],
            linewidth=1.7,
            label=short(name, 40),
            marker=MARKERS[i],
            markersize=4.5,
            markerfacecolor="white",
            markevery=max(1, len(x) // 8),
        )
    axes.grid()
    _legend(canvas, axes, 2 if max(map(len, names), default=0) > 24 else 3)


def _legend(canvas: "Canvas", axes: "Axes", columns: int) -> None:
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        canvas.legend(
            loc="outside upper left",
            ncols=max(1, min(4, columns)),
            handlelength=2.2,
            borderaxespad=0.0,
        )


def _gaps(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else value for value in values]
