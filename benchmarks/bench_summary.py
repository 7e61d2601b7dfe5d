"""What the cells of the bench come to: medsynth against the best peer beside it, and tables to read.

A cell that was not run, did not finish or failed is stated as such and enters no mean.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from bench_tasks import TASKS
from bench_tools import DONE, OWN, TOOLS

MEASURES = ("tv2.train", "tv3.train", "tv2.holdout", "tv3.holdout")
Values = Mapping[str, Any]
PEERS = tuple(name for name, tool in TOOLS.items() if tool.private and tool.library != OWN)


def value_of(run: Values, path: str) -> float | None:
    """A figure of a run by its dotted path; None if the run did not finish or has no such figure."""
    found: Any = run if run.get("status") == DONE else {}
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def mean_of(seeds: Values, path: str) -> float | None:
    """Mean of a figure over the seeds that have it."""
    found = [value for run in seeds.values() if (value := value_of(run, path)) is not None]
    return float(np.mean(found)) if found else None


def best_peer(tools: Values, path: str) -> tuple[str, float] | None:
    """The peer with the lowest figure, among those that finished."""
    found = {name: value for name in PEERS if (value := mean_of(tools.get(name, {}), path)) is not None}
    return min(found.items(), key=lambda item: item[1]) if found else None


def versus_best(tools: Values, path: str) -> dict[str, Any] | None:
    """Medsynth's figure over the best peer's; None if either is missing."""
    own, best = mean_of(tools.get(OWN, {}), path), best_peer(tools, path)
    if own is None or best is None:
        return None
    return {"ratio": own / best[1], "own": own, "best": best[1], "peer": best[0]}


def geometric_mean(values: Sequence[float]) -> float | None:
    """Of positive values.

    >>> geometric_mean([0.5, 2.0])
    1.0
    """
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def summary(values: Values) -> dict[str, Any]:
    """Per epsilon and measure: geometric mean over tables, largest cell; time against each peer; what is missing."""
    found: dict[str, Any] = {}
    for epsilon in epsilons_of(values):
        at = {task: tools[epsilon] for task, tools in values["runs"].items() if epsilon in tools}
        found[epsilon] = {path: _over_tasks(at, path) for path in MEASURES}
        for path in ("seconds", "processor_seconds"):
            found[epsilon][path] = {peer: ratios for peer in PEERS if (ratios := _time_ratios(at, peer, path))}
    return found | {"missing": missing(values)}


def tasks_of(values: Values) -> list[str]:
    """Tables that occur, in the bench's order."""
    return [task for task in TASKS if task in values["runs"]]


def epsilons_of(values: Values) -> list[str]:
    """Keys of the epsilons that occur, ascending."""
    keys = {key for tools in values["runs"].values() for key in tools if key.startswith("epsilon_")}
    return sorted(keys, key=_order)


def missing(values: Values) -> list[str]:
    """Private peers' cells that hold no figure though another cell of that table and epsilon does, and why."""
    lines = []
    for task, tools in values["runs"].items():
        for epsilon in epsilons_of(values):
            for name in PEERS:
                seeds = tools.get(epsilon, {}).get(name, {})
                reasons = {_reason(run) for run in seeds.values() if run["status"] != DONE} if seeds else {"not run"}
                lines += [f"{task}, {epsilon}, {name}: {reason}" for reason in sorted(reasons)]
    return lines


def _reason(run: Values) -> str:
    limit = f" in {run['limit_seconds']:.0f} s" if "limit_seconds" in run else ""
    return run["status"] + limit + (f": {run['reason']}" if "reason" in run else "")


def _over_tasks(at: Values, path: str) -> dict[str, Any]:
    cells = {task: cell for task, tools in at.items() if (cell := versus_best(tools, path)) is not None}
    ratios = {task: cell["ratio"] for task, cell in cells.items()}
    largest = max(ratios, key=ratios.__getitem__, default=None)
    return {
        "geometric_mean_ratio": geometric_mean(list(ratios.values())),
        "largest_ratio": None if largest is None else ratios[largest],
        "largest_at": largest,
        "tables": cells,
    }


def _time_ratios(at: Values, peer: str, path: str) -> dict[str, float]:
    """Medsynth's time over the peer's, per table."""
    found = {}
    for task, tools in at.items():
        own, other = mean_of(tools.get(OWN, {}), path), mean_of(tools.get(peer, {}), path)
        if own is not None and other is not None:
            found[task] = own / other
    return found


LEGEND = """\
Distances are total variation, averaged over all pairs of columns or over (at most 500 fixed) triples, to the rows the
tool saw (train) and to other persons (holdout). Worst tenth: of the pairs, train. Rare: one-way tables inside the
schema's rare conditions, train. AUC: boosted trees learned on the synthetic rows, judged on the held-out persons.
Floor: the train columns shuffled independently. Ceiling: a bootstrap of the train rows (against train), the train rows
themselves (against holdout, and for AUC). Tools named `sdv` have no privacy. Seeds and settings of every run, versions
and commits are in `bench.json`; how tools are run is in `../peers/README.md`."""


def markdown(values: Values) -> str:
    """Tables for a page: ratios per epsilon, then every cell beside floor and ceiling."""
    lines = ["# The bench", "", LEGEND, "", *_ratio_table(values["summary"]), "", *_time_table(values["summary"])]
    for task in tasks_of(values):
        lines += ["", *_task_table(task, values["runs"][task], values["yardsticks"][task])]
    absent = [line for line in values["summary"]["missing"] if not line.endswith(": not run")]
    not_run = len(values["summary"]["missing"]) - len(absent)
    lines += ["", "## Missing", "", *(f"- {line}" for line in absent), f"- {not_run} peer cells were not run."]
    return "\n".join(lines) + "\n"


def _ratio_table(found: Values) -> list[str]:
    lines = [
        "medsynth over the best peer beside it (below 1: medsynth errs less); geometric mean over the tables of the",
        "cells that have both, and the largest single one.",
        "",
        "| epsilon | tables | 2-way, train | 3-way, train | 2-way, holdout | 3-way, holdout | largest 2-way, train |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key, at in found.items():
        if key == "missing":
            continue
        means = [_number(at[path]["geometric_mean_ratio"], 2) for path in MEASURES]
        two = at["tv2.train"]
        largest = f"{_number(two['largest_ratio'], 2)} ({two['largest_at']})" if two["tables"] else "missing"
        lines.append("| " + " | ".join([_epsilon(key), str(len(two["tables"])), *means, largest]) + " |")
    return lines


def _time_table(found: Values) -> list[str]:
    """How many times as long a peer takes, wall and processor."""
    epsilons = [key for key in found if key != "missing"]
    lines = [
        "Times as long as medsynth on the same tables, geometric mean, wall / processor seconds. Wall seconds suffer",
        "from whatever else the machine does, processor seconds hardly.",
        "",
        "| peer | " + " | ".join(f"epsilon {_epsilon(key)}" for key in epsilons) + " |",
        "|" + " --- |" * (len(epsilons) + 1),
    ]
    for peer in PEERS:
        if any(peer in found[key]["seconds"] for key in epsilons):
            cells = [_times(found[key], peer) for key in epsilons]
            lines.append(f"| {peer} | " + " | ".join(cells) + " |")
    return lines


def _times(at: Values, peer: str) -> str:
    ratios = [geometric_mean(list(at[path].get(peer, {}).values())) for path in ("seconds", "processor_seconds")]
    return " / ".join("missing" if ratio is None else f"{1 / ratio:.0f}" for ratio in ratios)


COLUMNS = {
    "2-way, train": "tv2.train",
    "3-way, train": "tv3.train",
    "2-way, holdout": "tv2.holdout",
    "3-way, holdout": "tv3.holdout",
    "worst tenth": "worst2.train",
    "rare": "rare.train",
    "AUC": "auc",
}


def _task_table(task: str, tools: Values, yardstick: Values) -> list[str]:
    lines = [
        f"## {task}: {yardstick['rows']:,} rows, {yardstick['columns']} columns, delta {yardstick['delta']:.2g}"
        + (", a judge" if yardstick["judge"] else ""),
        "",
        "| epsilon | tool | seeds | " + " | ".join(COLUMNS) + " | wall s | CPU s | MB |",
        "|" + " --- |" * (len(COLUMNS) + 6),
    ]
    for name in ("floor", "ceiling"):
        figures = [_number(value_of({"status": DONE, **yardstick[name]}, path)) for path in COLUMNS.values()]
        lines.append(f"| | {name} | | " + " | ".join(figures) + " | | | |")
    for epsilon in sorted(tools, key=_order):
        for name in TOOLS:
            if name in tools[epsilon]:
                lines.append(_row(_epsilon(epsilon), name, tools[epsilon][name]))
    return lines


def _row(epsilon: str, name: str, seeds: Values) -> str:
    done = sum(run["status"] == DONE for run in seeds.values())
    if not done:
        reason = _reason(next(iter(seeds.values())))
        return f"| {epsilon} | {name} | {len(seeds)} | {reason} |" + " |" * (len(COLUMNS) + 2)
    figures = [_number(mean_of(seeds, path)) for path in COLUMNS.values()]
    costs = [_number(mean_of(seeds, path), 1) for path in ("seconds", "processor_seconds")]
    peak = mean_of(seeds, "peak_bytes")
    memory = "" if peak is None else f"{peak / 1e6:.0f}"
    return "| " + " | ".join([epsilon, name, str(done), *figures, *costs, memory]) + " |"


def _order(key: str) -> float:
    """Ascending epsilon, then what has none."""
    return float(key.removeprefix("epsilon_")) if key.startswith("epsilon_") else math.inf


def _epsilon(key: str) -> str:
    return key.removeprefix("epsilon_") if key.startswith("epsilon_") else "none"


def _number(value: float | None, places: int = 4) -> str:
    return "missing" if value is None else f"{value:.{places}f}"
