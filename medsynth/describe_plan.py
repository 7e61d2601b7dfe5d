"""What `plan` tells: how the budget is split, which groups can be seen, what a fit costs."""

from dataclasses import asdict

from medsynth.models.rare_groups import GRADES
from medsynth.models.selection import MEAN_ABSOLUTE_NORMAL
from medsynth.outputs import Result
from medsynth.planning import WITHIN, Forecast, Plan

FEW_SECONDS = 5.0
EXPECTED = {grade: 0.5 * 4 * min(MEAN_ABSOLUTE_NORMAL * limit * (1 - 1 / 4), 1 / 4) for grade, limit in GRADES.items()}
"""0.5 sum min(0.8 s, m q) / m for four groups of one size, at the limit of each grade."""


def planned(plan: Plan) -> Result:
    """The forecast."""
    lines = [
        plan.guarantee.sentence(),
        f"{plan.columns} columns, {plan.cells:,} cells. How the budget is split:",
        *(
            f"  {phase.label:<32} {phase.share:6.1%} of mu^2, at most {phase.tables:,} tables with {phase.cells:,} "
            f"measured cells, noise {phase.sigma:,.1f} {plan.counted} on a cell"
            for phase in plan.spending
        ),
        *_open_columns(plan),
        *_smallest(plan),
        *_rare_outlook(plan),
        _cost(plan.forecast),
    ]
    return Result(
        values={
            "guarantee": plan.guarantee.as_dict(),
            "columns": plan.columns,
            "cells": plan.cells,
            "spending": [asdict(phase) for phase in plan.spending],
            "counted": plan.counted,
            "smallest_group": plan.smallest_group,
            "smallest_group_by_column": dict(plan.seen),
            "smallest_category": plan.smallest_category,
            "smallest_number": dict(plan.smallest_number),
            "private": list(plan.private),
            "rare": [asdict(outlook) for outlook in plan.rare],
            "noise_seconds": plan.noise_seconds,
            "fit_seconds": plan.forecast.seconds,
            "fit_bytes": plan.forecast.bytes,
        },
        lines=tuple(lines),
    )


def _smallest(plan: Plan) -> tuple[str, str]:
    """The smallest groups that can be seen."""
    best = min(plan.seen, key=lambda name: plan.seen[name])
    return (
        f"A group of fewer than about {plan.smallest_group:,} {plan.counted} is below the noise of some column's own "
        f"table at epsilon {plan.guarantee.epsilon:g} ({plan.seen[best]:,} in '{best}'): group it or accept it.",
        "One of that size is told from nobody in nine fits of ten; conditions over several columns need more.",
    )


def _rare_outlook(plan: Plan) -> list[str]:
    """How large a rare condition must be."""
    if not plan.rare:
        return []
    lines = [
        f"Rare conditions ({plan.counted} they need so that records of them are supported / fair / weak; with fewer "
        "they are below the noise and --upsample refuses them):"
    ]
    errors = " / ".join(f"{error:.2f}" for error in EXPECTED.values())
    lines.append(
        "  At these sizes a column of four equally common groups is known inside it to a total variation of about "
        f"{errors}."
    )
    for outlook in plan.rare:
        sizes = " / ".join(f"{size:,}" for size in outlook.smallest.values())
        lines.append(
            f"  {outlook.name:<24} {sizes}; count known within {2 * outlook.count_noise:,.0f}, "
            f"{outlook.columns} columns measured inside it"
        )
    return lines


def _open_columns(plan: Plan) -> list[str]:
    """What is said of columns that are still to be found."""
    if not plan.private:
        return []
    lines = [
        f"Private columns, to be found: {', '.join(plan.private)}. Their cells here are assumed, not found; the part "
        "of the budget for them is domain_share in the schema."
    ]
    noun = plan.guarantee.unit
    if plan.smallest_number:
        needed = ", ".join(f"{number:,} for {name}" for name, number in plan.smallest_number.items())
        lines.append(
            f"A private number or date stands out from the noise where about so many {noun}s lie in one range of its "
            f"public grid (a doubling, a year): {needed}. Where none does, 0 to 1 or the year 2000 is assumed, and the "
            "fit says so."
        )
    if plan.smallest_category is not None:
        lines.append(
            f"A private category held by fewer than about {plan.smallest_category:,} {noun}s is not found but counted "
            f"as (other); one that a single {noun} holds is published with probability at most "
            f"{plan.guarantee.thresholds:.2g} over all columns."
        )
    return lines


def _cost(forecast: Forecast) -> str:
    fastest, slowest = forecast.seconds / WITHIN, forecast.seconds * WITHIN
    time = f"about {_duration(forecast.seconds)} ({_duration(fastest)} to {_duration(slowest)}, nine in ten)"
    if slowest <= FEW_SECONDS:
        time = "a few seconds at most"
    return (
        f"The fit takes {time} on two processors and about {forecast.bytes / 1e6:,.0f} MB of memory, if persons have "
        "few rows."
    )


def _duration(seconds: float) -> str:
    """Seconds below two minutes, then minutes.

    >>> _duration(0.3), _duration(90), _duration(600)
    ('1 s', '90 s', '10 min')
    """
    return f"{max(seconds, 1):.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
