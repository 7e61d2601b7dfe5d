"""Error against epsilon, one panel a table, every tool a line between floor and ceiling."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench_summary import epsilons_of, mean_of, tasks_of
from bench_tools import OWN, TOOLS

Values = Mapping[str, Any]
PATH = "tv2.train"
OWN_STYLES: dict[str, dict[str, Any]] = {
    OWN: {"color": "black", "linewidth": 2},
    "medsynth_persons": {"color": "black", "linestyle": "--"},
    "medsynth_independent": {"color": "grey", "linestyle": "--"},
}


def draw_plot(values: Values, path: Path) -> None:
    """Writes the plot as SVG, the same bytes for the same values."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    tasks = tasks_of(values)
    if not tasks:
        return
    rows = -(-len(tasks) // 3)
    with plt.rc_context({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(rows, min(3, len(tasks)), figsize=(12, 3.6 * rows), squeeze=False)
        for axis, task in zip(axes.flat, tasks, strict=False):
            _panel(axis, task, values)
        for axis in list(axes.flat)[len(tasks) :]:
            axis.set_axis_off()
        shown: dict[str, Any] = {}
        for axis in axes.flat:
            lines, labels = axis.get_legend_handles_labels()
            shown |= dict(zip(labels, lines, strict=True))
        figure.legend(shown.values(), shown.keys(), loc="lower center", ncols=6, frameon=False)
        figure.tight_layout(rect=(0, 0.08, 1, 1))
        figure.savefig(path, format="svg", metadata={"Date": None})
        plt.close(figure)


def _panel(axis: Any, task: str, values: Values) -> None:
    tools, yardstick = values["runs"][task], values["yardsticks"][task]
    for position, (name, tool) in enumerate(TOOLS.items()):
        points = [
            (float(key.removeprefix("epsilon_")), value)
            for key in epsilons_of(values)
            if (value := mean_of(tools.get(key, {}).get(name, {}), PATH)) is not None
        ]
        if points and tool.private:
            style = OWN_STYLES.get(name, {"color": f"C{position % 10}"})
            axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name, **style)
    for name, style in (("floor", ":"), ("ceiling", "-.")):
        axis.axhline(yardstick[name]["tv2"]["train"], color="grey", linestyle=style, linewidth=1, label=name)
    axis.set(title=task + (" (judge)" if yardstick["judge"] else ""), xscale="log", ylim=(0, None))
    axis.set(xlabel="epsilon", ylabel="mean 2-way distance, train", xlim=(0.08, 12.5))
    axis.set_xticks([0.1, 1, 3, 10], ["0.1", "1", "3", "10"])
    axis.minorticks_off()
