"""What each command says when it is done, and what a run notes for later steps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth.judging import score_named
from medsynth.models.model_file import ModelFile
from medsynth.outputs import Result, RunFolder
from medsynth.planning import WITHIN, Forecast, Plan
from medsynth.publishing import Clock, unseen_columns
from medsynth.sampling.draw import KINDS, Drawn
from medsynth.schema import dump_schema, parse_schema
from medsynth.score import Evaluation, Score

if TYPE_CHECKING:
    from medsynth.checking import Finding
    from medsynth.schema import Schema

FEW_SECONDS = 5.0


def drafted(out: Path, pending: Sequence[str]) -> Result:
    """What `init` wrote and what a person must confirm."""
    return Result(
        values={"schema": str(out), "unconfirmed": list(pending)},
        lines=(
            f"Drafted {out} from the table; only its owner can read it.",
            f"{len(pending)} entries were read from data and need your word: is each public knowledge?",
            "Every guess is explained in the file. Correct it, add rules and rare conditions, then:",
            f"Next: medsynth schema confirm {out}",
        ),
    )


def confirmed(path: Path, names: Sequence[str], *, private: bool = False, waiting: Sequence[str] = ()) -> Result:
    """What was confirmed, and what still waits."""
    lines = [f"Confirmed in {path}: {', '.join(names) or 'nothing was left to confirm'}."]
    if private and names:
        lines.append("Private: `fit` finds their values and bounds under the budget; what was read was taken out.")
    if waiting:
        lines.append(f"Still waiting for your word: {', '.join(waiting)}.")
    return Result(
        values={"schema": str(path), "confirmed": list(names), "unconfirmed": list(waiting)}, lines=tuple(lines)
    )


def checked(schema: "Schema", findings: Sequence["Finding"]) -> Result:
    """What of a table breaks its schema: INTERNAL."""
    lines = [f"INTERNAL, for the steward's eyes: table against schema '{schema.dataset.name}'"]
    lines += [f"  {finding.sentence}" for finding in findings]
    if not findings:
        lines.append("  Nothing breaks the schema.")
    lines += [f"  Note: {notice}" for notice in schema.notices()]
    return Result(
        values={"edition": "internal", "findings": [asdict(finding) for finding in findings]},
        lines=tuple(lines),
        ok=not findings,
    )


def planned(plan: Plan) -> Result:
    """The forecast."""
    lines = [
        plan.guarantee.sentence(),
        f"{plan.columns} columns, {plan.cells:,} cells. How the budget is split:",
        *(
            f"  {phase.label:<24} {phase.share:6.1%} of mu^2, at most {phase.tables:,} tables with {phase.cells:,} "
            f"measured cells, noise {phase.sigma:,.1f} {plan.counted} on a cell"
            for phase in plan.spending
        ),
        *_open_columns(plan),
        *_smallest(plan),
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


def fitted(out: Path, file: ModelFile) -> Result:
    """The guarantee and where the model is."""
    return Result(
        values={"model": str(out), "guarantee": dict(file.guarantee), "ledger": [dict(entry) for entry in file.ledger]},
        lines=(
            str(file.guarantee["sentence"]),
            *found_lines(file),
            f"Model: {out}",
            f"Next: medsynth sample {out} -o synthetic.parquet",
        ),
    )


def found_lines(file: ModelFile) -> tuple[str, ...]:
    """What was found of private columns: noisy, part of the model."""
    if not file.domains:
        return ()
    columns = parse_schema(file.schema, where="model file").columns
    found = {name: column for name, column in columns.items() if column.source == "found"}
    unseen = unseen_columns(file)
    return (
        "Found under the budget:",
        *(f"  {name}: {unseen.get(name) or _found(column)}" for name, column in found.items()),
    )


def _found(column: Any) -> str:
    if column.kind == "category":
        return f"{len(column.values)} values, the rest as (other)"
    bins = f" in {len(column.edges)} bins" if getattr(column, "edges", None) else ""
    return f"{column.min} to {column.max}{bins}"


def sampled(out: Path, drawn: Drawn, meaning: str, said: Mapping[str, Any]) -> Result:
    """How many rows, what one stands for, what was upsampled, given or set."""
    asked = {key: said[key] for key in ("given", "given_note", "what_if", "what_if_note") if key in said}
    return Result(
        values={"synthetic": str(out), "rows": drawn.rows, "row_meaning": meaning, **_drawn_values(drawn), **asked},
        lines=(
            f"{drawn.rows:,} synthetic records: {out}",
            meaning,
            *(
                f"  {change.name}: {change.natural:.2%} in the model, {change.drawn:.2%} in the file"
                for change in drawn.upsampled
            ),
            *(("  Column _weight restores the population.",) if drawn.upsampled else ()),
            *(f"  {said[key]}" for key in ("given_note", "what_if_note") if key in said),
        ),
    )


def _drawn_values(drawn: Drawn) -> dict[str, Any]:
    return {
        "upsampled": [asdict(change) for change in drawn.upsampled],
        "repaired": drawn.repaired,
        "where": drawn.where,
        "draw": drawn.kind,
    }


def run_record(tables: Any, drawn: Drawn, *, seed: int | None, problems: Sequence["Finding"]) -> dict[str, Any]:
    """What later steps need of a run: INTERNAL."""
    plain = {key: str(value.resolve()) if isinstance(value, Path) else value for key, value in asdict(tables).items()}
    return {
        "date": Clock.today(),
        "schema": None,
        "tables": plain,
        "findings": [finding.sentence for finding in problems],
        "rare_shares": dict(drawn.rare_shares),
        "sampling": {
            "n": drawn.rows,
            "seed": seed,
            "where": drawn.where,
            "draw": drawn.kind,
            "draw_note": KINDS[drawn.kind],
            "repaired_share": drawn.repaired,
            "upsampling": [
                {"name": u.name, "before": u.natural, "target": u.target, "after": u.drawn} for u in drawn.upsampled
            ],
            "weights_note": "Column _weight restores the population; use it in every estimate."
            if drawn.upsampled
            else "",
        },
    }


def foreign_record(synthetic: Path, schema: "Schema") -> dict[str, Any]:
    """The run record of a table made elsewhere."""
    return {
        "date": Clock.today(),
        "schema": dump_schema(schema.self_contained()),
        "tables": None,
        "synthetic": synthetic.name,
    }


def finished(
    folder: RunFolder,
    file: ModelFile,
    drawn: Drawn,
    evaluations: Mapping[str, Evaluation],
    problems: Sequence["Finding"],
) -> Result:
    """The end of a run: guarantee, fidelity, utility, rare shares, the strongest attack, the files."""
    headline = headline_scores(evaluations)
    lines = [str(file.guarantee["sentence"]), *found_lines(file)]
    lines += [f"INTERNAL: {line}" for line in headline_lines(headline)]
    lines += [
        f"Rare condition '{u.name}': {u.natural:.2%} before, {u.drawn:.2%} after upsampling (column _weight undoes it)."
        for u in drawn.upsampled
    ]
    lines += [f"INTERNAL: {finding.sentence}" for finding in problems]
    lines += [f"Files: {path}" for path in (folder.synthetic, folder.model, folder.shareable / "report.html")]
    lines += [f"INTERNAL: {folder.internal / 'report.html'} (never share it)"]
    return Result(
        values={
            "edition": "internal",
            "out": str(folder.path),
            "guarantee": dict(file.guarantee),
            "rows": drawn.rows,
            **_drawn_values(drawn),
            "scores": {name: asdict(score) for name, score in headline.items()},
        },
        lines=tuple(lines),
    )


HEADLINES = (
    "fidelity.tv2.train",
    "fidelity.tv2.holdout",
    "utility.auc.synthetic",
    "utility.auc.real",
    "utility.auc.drop",
    "leak.copies.exact_excess",
    "leak.membership.strongest.auc",
    "leak.membership.strongest.tpr_at_1pct_fpr",
)


def headline_scores(evaluations: Mapping[str, Evaluation]) -> dict[str, Score]:
    """The figures a reader asks for first."""
    found = {name: score_named(evaluations.values(), name) for name in HEADLINES}
    return {name: score for name, score in found.items() if score is not None}


def headline_lines(scores: Mapping[str, Score]) -> list[str]:
    """One line per question."""
    lines = []
    pairs = scores.get("fidelity.tv2.holdout")
    if pairs is not None and pairs.value is not None:
        lines.append(
            f"Pairs of columns: error {pairs.value:.4f} on held-out persons; floor (independent columns) "
            f"{_number(pairs.baseline)}, ceiling (a second real sample) {_number(pairs.ceiling)}."
        )
    synthetic, real = scores.get("utility.auc.synthetic"), scores.get("utility.auc.real")
    if synthetic is not None and real is not None and synthetic.value is not None and real.value is not None:
        lines.append(
            f"AUC on real held-out persons: {synthetic.value:.3f} trained on synthetic, "
            f"{real.value:.3f} trained on real."
        )
    return lines + [
        f"Strongest membership attack: {what} {score.value:.3f} ({_number(score.low)} to {_number(score.high)}); "
        f"cap from the guarantee {_number(score.ceiling)}; chance {_number(score.baseline)}."
        for what, name in (("AUC", "auc"), ("found at 1 % false alarms", "tpr_at_1pct_fpr"))
        if (score := scores.get(f"leak.membership.strongest.{name}")) is not None and score.value is not None
    ]


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"


def judged(folder: RunFolder, evaluations: Mapping[str, Evaluation]) -> Result:
    """Every score's sentence."""
    scores = [score for evaluation in evaluations.values() for score in evaluation.scores if not score.columns]
    return Result(
        values={"edition": "internal", "scores": [asdict(score) for score in scores]},
        lines=(
            "INTERNAL: computed on private records.",
            *(score.sentence for score in scores),
            f"Report: {folder.internal / 'report.html'}",
        ),
    )


def reported(paths: Sequence[Path]) -> Result:
    """Which files were written."""
    return Result(values={"files": [str(path) for path in paths]}, lines=tuple(f"Written: {path}" for path in paths))


def with_next_step(result: Result) -> Result:
    """The demo's last line."""
    step = "Next: medsynth init YOURFILE -s schema.yaml --person COLUMN"
    return Result(values=result.values, lines=(*result.lines, step), ok=result.ok)
