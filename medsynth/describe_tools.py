"""What the commands under TOOLS say: the budget of a population, and this machine."""

import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from medsynth.outputs import Result
from medsynth.version import __version__

if TYPE_CHECKING:
    from medsynth.exports import Export
    from medsynth.privacy.ledger import Ledger

EXTRAS = ("torch", "opacus", "sdv", "sdmetrics", "lifelines")
ENGINES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "duckdb",
    "scikit-learn",
    "great-expectations",
    "opendp",
    "safetensors",
)


def budget(path: Path, ledger: "Ledger") -> Result:
    """What is booked and what is left."""
    limit = ledger.guarantee
    lines = [
        f"{path}: population '{ledger.population}', limit epsilon {limit.epsilon:g} at delta {limit.delta:.3g}",
        f"left for one further fit: epsilon {ledger.remaining_epsilon:.4g}",
        *_kept(ledger),
        *(
            f"  {entry.number:>4}  fit {entry.run}  {entry.label:<32} mu {entry.mu:.5f}"
            + (f"  delta {entry.delta:.2g}" if entry.delta else "")
            + (f"  persons {entry.part.partition('/')[2]} alone" if entry.part else "")
            for entry in ledger.entries
        ),
        *(f"  fit {run} read the same table as fit {first}" for run, first in ledger.same_table.items()),
    ]
    return Result(
        values={
            "population": ledger.population,
            "limit": {"epsilon": limit.epsilon, "delta": limit.delta, "thresholds": limit.thresholds},
            "spent_delta": ledger.spent_delta,
            "remaining_epsilon": ledger.remaining_epsilon,
            "entries": [entry.as_dict() for entry in ledger.entries],
            "same_table": {str(run): first for run, first in ledger.same_table.items()},
        },
        lines=tuple(lines),
    )


def _kept(ledger: "Ledger") -> list[str]:
    kept = ledger.guarantee.thresholds
    if not kept:
        return []
    return [f"kept for thresholds: delta {kept:.3g} of the limit's, {ledger.spent_delta:.3g} of it spent"]


def verified(path: Path, head: str) -> Result:
    """The chain's head."""
    return Result(
        values={"head": head},
        lines=(
            f"{path}: every line follows from the one before it.",
            f"Head: {head}",
            "Keep it elsewhere: a restored old copy shows only against it.",
        ),
    )


def machine() -> Result:
    """Versions, extras and the machine."""
    versions = {name: importlib.metadata.version(name) for name in ENGINES}
    extras = {name: _installed(name) for name in EXTRAS}
    facts = {
        "medsynth": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "memory": _memory(),
        "noise": "exact discrete Gaussian (OpenDP), operating system's entropy",
    }
    lines = [f"{name:<20} {value}" for name, value in (facts | versions).items()]
    lines += [f"{name:<20} {value or 'not installed (optional)'}" for name, value in extras.items()]
    return Result(values={**facts, "versions": versions, "extras": extras}, lines=tuple(lines))


def _memory() -> str:
    """Physical memory, where the system tells."""
    names = getattr(os, "sysconf_names", {})
    if not {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(names):
        return "not known"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"


def _installed(name: str) -> str | None:
    return importlib.metadata.version(name) if importlib.util.find_spec(name) else None


def exported(out: Path, export: "Export") -> Result:
    """What was written for another tool, and what that tool cannot say."""
    left_out = [f"  Not exported: {name}: {reason}." for name, reason in export.left_out.items()]
    return Result(
        values={"export": str(out), "not_exported": dict(export.left_out)},
        lines=(export.summary, *left_out, f"  {export.hint}", f"Written: {out}"),
    )
