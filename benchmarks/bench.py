"""The bench: medsynth and its peers side by side, on the same codes under the same (epsilon, delta).

A cell is one tool on one table at one epsilon and seed. Each is run in a process of its own and kept as soon as it
is measured, so a run can be stopped, resumed and extended:

    python benchmarks/bench.py --tools medsynth dpsynth_swift --tasks adult_discrete --epsilons 1 --seeds 0
    python benchmarks/bench.py --tools medsynth --force        # measures medsynth anew, keeps the others
    python benchmarks/bench.py --summary                       # runs nothing: summary, table and plot again

Results: `results/bench.json`, with every run and the summary, `results/bench.md` and `results/bench.svg`. How the
environments of the peers are made: `peers/README.md`.

Command: python benchmarks/bench.py [--tools ...] [--tasks ...] [--epsilons ...] [--seeds ...] [--force] [--summary]
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench_measures import measure, yardsticks
from bench_plot import draw_plot
from bench_summary import markdown, summary
from bench_tasks import TASKS, Task, load_task, table_path
from bench_tools import DONE, FAILED, TIME_LIMIT, TOOLS, Place, Tool, run, synthetic_of
from peers.contract import write_table
from record import RESULTS, ROOT, commit, plain, record

from medsynth.models.adaptive import Adaptive

NAME = "bench"
EPSILONS = (0.1, 1.0, 3.0, 10.0)
NO_PRIVACY = "no_privacy"
FROZEN = (
    "medsynth runs with these defaults on every table, and no option; they were settled on adult_discrete, nist_acs "
    "and credit_default before the judges were run. The steps for wide tables were settled on the demo's part of "
    "diabetes130, which is no judge of these."
)
Values = dict[str, Any]
task_of = cache(load_task)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run: which tool, on what, how."""

    tool: str
    task: str
    epsilon: float | None
    seed: int

    @property
    def keys(self) -> tuple[str, str, str, str]:
        """Where the cell lies under `runs`."""
        return self.task, epsilon_key(self.epsilon), self.tool, f"seed_{self.seed}"


def epsilon_key(epsilon: float | None) -> str:
    return NO_PRIVACY if epsilon is None else f"epsilon_{epsilon:g}"


def cells_of(tools: Sequence[str], tasks: Sequence[str], epsilons: Sequence[float], seeds: Sequence[int]) -> list[Cell]:
    """All cells asked for; a tool without privacy has one a task and seed."""
    return [
        Cell(tool=tool, task=task, epsilon=epsilon, seed=seed)
        for seed in seeds
        for epsilon in (*epsilons, None)
        for task in tasks
        for tool in tools
        if TOOLS[tool].private == (epsilon is not None)
    ]


def read_results(folder: Path = RESULTS) -> Values:
    """What was found so far."""
    path = folder / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8"))["values"] if path.exists() else {"runs": {}, "yardsticks": {}}


def known(values: Values, cell: Cell) -> Values | None:
    """The cell's result, if there is one."""
    found: Any = values["runs"]
    for key in cell.keys:
        found = found.get(key, {})
    return found or None


def keep(cell: Cell, found: Values) -> None:
    """Puts a cell in its place and writes everything; read anew, as another run may have written meanwhile."""
    values = read_results()
    if cell.task not in values["yardsticks"]:
        task = task_of(cell.task)
        values["yardsticks"][cell.task] = plain(described(task) | yardsticks(task))
    place = values["runs"]
    for key in cell.keys[:-1]:
        place = place.setdefault(key, {})
    place[cell.keys[-1]] = found
    write(values)


def write(values: Values, folder: Path = RESULTS) -> None:
    """Writes results, table and plot."""
    values["summary"] = summary(values)
    values["defaults"] = {"says": FROZEN, "adaptive": plain(asdict(Adaptive()))}
    command = "python benchmarks/bench.py --tools " + " ".join(TOOLS)
    record(NAME, values, command=command, seeds=seeds_of(values), folder=folder)
    (folder / f"{NAME}.md").write_text(markdown(values), encoding="utf-8", newline="\n")
    draw_plot(values, folder / f"{NAME}.svg")


def seeds_of(values: Values) -> list[int]:
    """Seeds that occur in any cell."""
    found = {seed for task in values["runs"].values() for at in task.values() for tool in at.values() for seed in tool}
    return sorted(int(seed.removeprefix("seed_")) for seed in found)


def run_cell(cell: Cell, place: Place, limit: float) -> Values:
    """Runs and measures one cell."""
    tool, task = TOOLS[cell.tool], task_of(cell.task)
    out = place.work / "runs" / Path(*cell.keys)
    request = {
        "epsilon": cell.epsilon,
        "delta": None if cell.epsilon is None else task.delta,
        "seed": cell.seed,
        "rows": len(task.train),
    }
    found = run(tool, prepared_table(task, tool, place), request, out, place, limit)
    if found["status"] == DONE:
        found |= measure(task, synthetic_of(out))
    return plain({"commit": commit(), "settings": tool.settings, "delta": request["delta"], **found})


def prepared_table(task: Task, tool: Tool, place: Place) -> Path:
    """Writes the table a tool of this kind sees."""
    path = table_path(place.work, task.name, persons=tool.persons)
    path.parent.mkdir(parents=True, exist_ok=True)
    codes, weights = (task.train, None) if task.stays is None or not tool.persons else task.stays
    write_table(
        path,
        codes,
        names=[attribute.name for attribute in task.attributes],
        sizes=task.sizes,
        ordered=[attribute.ordered for attribute in task.attributes],
        hierarchies=[attribute.hierarchy for attribute in task.attributes],
        weights=weights,
    )
    return path


def described(task: Task) -> Values:
    """What a reader of the results needs to know of a table."""
    return {
        "judge": task.judge,
        "rows": len(task.train),
        "holdout_rows": len(task.holdout),
        "columns": len(task.sizes),
        "cells": sum(task.sizes),
        "delta": task.delta,
        "rows_per_person": "one at random" if task.stays is not None else "one",
        "rare_conditions": list(task.conditions),
        "rare_conditions_left_out": list(task.left_out),
    }


def due(cells: Sequence[Cell], values: Values, *, force: bool) -> Iterator[Cell]:
    """Cells to run: those not known or failed, or all; a person-level variant only where persons have several rows."""
    for cell in cells:
        wanted = force or (known(values, cell) or {"status": FAILED})["status"] == FAILED
        if wanted and not (TOOLS[cell.tool].persons and task_of(cell.task).stays is None):
            yield cell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--epsilons", nargs="+", type=float, default=EPSILONS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--force", action="store_true", help="run cells that have a result, too")
    parser.add_argument("--resume", action="store_true", help="run only cells without a result, as without --force")
    parser.add_argument("--summary", action="store_true", help="run nothing")
    parser.add_argument("--limit", type=float, default=TIME_LIMIT, help="seconds for one run")
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "env" / "peers", help="environments of the peers")
    parser.add_argument("--work", type=Path, default=ROOT.parent / "env" / "bench", help="tables and synthetic rows")
    options = parser.parse_args()
    place = Place(peers=options.peers, work=options.work)
    cells = [] if options.summary else cells_of(options.tools, options.tasks, options.epsilons, options.seeds)
    for cell in due(cells, read_results(), force=options.force):
        found = run_cell(cell, place, options.limit)
        keep(cell, found)
        print(told(cell, found), flush=True)
    write(read_results())
    print(markdown(read_results()))


def told(cell: Cell, found: Values) -> str:
    """One line of a cell."""
    figures = ""
    if found["status"] == DONE:
        figures = f": {found['tv2']['train']:.4f} {found['tv3']['train']:.4f} in {found['seconds']:.1f} s"
    return "/".join(cell.keys) + f" {found['status']}{figures}" + found.get("reason", "")


if __name__ == "__main__":
    main()
