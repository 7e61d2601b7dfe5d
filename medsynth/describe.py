"""What each command says when it is done."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth.declared import Declared
from medsynth.fitting import conflicts_of
from medsynth.judging import score_named
from medsynth.models.model_file import ModelFile
from medsynth.models.reward import REWARD
from medsynth.outputs import Result, RunFolder
from medsynth.publishing import unseen_columns
from medsynth.report.blocks import Figure
from medsynth.report.selection import earned_sentence, findings
from medsynth.sampling.draw import Drawn
from medsynth.sampling.how import CLEANED, FICTION
from medsynth.sampling.lineage import lineage_sentences
from medsynth.sampling.select import Selected
from medsynth.schema import parse_schema
from medsynth.score import Evaluation, Score

if TYPE_CHECKING:
    from medsynth.checking import Finding
    from medsynth.schema import Schema


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


def checked(
    schema: "Schema",
    findings: Sequence["Finding"],
    doubtful: Sequence["Finding"] = (),
    *,
    counts: Path | None = None,
) -> Result:
    """What of a table breaks its schema, and what in it is doubtful: INTERNAL."""
    lines = [f"INTERNAL, for the steward's eyes: table against schema '{schema.dataset.name}'"]
    lines += [f"  {finding.sentence}" for finding in findings]
    if not findings:
        lines.append("  Nothing breaks the schema.")
    lines += [f"  {doubt.sentence}" for doubt in doubtful]
    lines += [f"  Note: {notice}" for notice in (*schema.notices(), *conflicts_of(schema).notices)]
    lines += [f"  How many, for its owner only: {counts}"] if counts else []
    return Result(
        values={
            "edition": "internal",
            "findings": [asdict(finding) for finding in findings],
            "doubtful": [asdict(doubt) for doubt in doubtful],
        },
        lines=tuple(lines),
        ok=not findings,
    )


def fitted(out: Path, file: ModelFile) -> Result:
    """The guarantee and where the model is."""
    return Result(
        values={"model": str(out), "guarantee": dict(file.guarantee), "ledger": [dict(entry) for entry in file.ledger]},
        lines=(
            str(file.guarantee["sentence"]),
            *lineage_sentences(file.about),
            *found_lines(file),
            *reward_lines(file),
            f"Model: {out}",
            f"Next: medsynth sample {out} -o synthetic.parquet",
        ),
    )


def reward_lines(file: ModelFile) -> tuple[str, ...]:
    """What a reward measured, from the ledger; noisy, part of the model."""
    paid = [entry for entry in file.ledger if str(entry["label"]).startswith(REWARD)]
    share = sum(float(entry["mu"]) ** 2 for entry in paid) / max(sum(float(e["mu"]) ** 2 for e in file.ledger), 1e-300)
    if not paid:
        return ()
    return (f"{paid[-1]['label']} for {share:.0%} of the budget; `sample --oversample` selects by them, too.",)


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


def sampled(
    out: Path,
    drawn: Drawn,
    meaning: str,
    said: Mapping[str, Any],
    *,
    card: Path | None = None,
    declared: Sequence[Declared] | None = None,
) -> Result:
    """How many rows, what one stands for, what was upsampled, given, set or estimated with replicates."""
    asked = {key: said[key] for key in (*NOTED, "given", "what_if", "replicates") if key in said}
    asked |= {} if declared is None else {"estimates": [asdict(each) for each in declared]}
    return Result(
        values={"synthetic": str(out), "rows": drawn.rows, "row_meaning": meaning, **_drawn_values(drawn), **asked}
        | ({"card": str(card)} if card else {}),
        lines=(
            f"{drawn.rows:,} {'completed' if 'given' in said else 'synthetic'} records: {out}",
            meaning,
            *(
                f"  {change.name}: {change.natural:.2%} in the model, {change.drawn:.2%} in the file"
                for change in drawn.upsampled
            ),
            *_mended_lines(drawn),
            *selected_lines(drawn.selected),
            *(("  Column _weight restores the population.",) if drawn.upsampled else ()),
            *(f"  {sentence}" for sentence in said.get("fiction", ())),
            *((f"Dataset card: {card}",) if card else ()),
            *(f"  {said[key]}" for key in NOTED if key in said),
            *declared_lines(declared),
        ),
    )


NOTED = ("given_note", "what_if_note", "replicates_note")


def declared_lines(declared: Sequence[Declared] | None) -> tuple[str, ...]:
    """What the schema declares, with honest intervals; a study or outcome at a time."""
    if not declared:
        return () if declared is None else ("The schema declares no study and no outcome to be estimated.",)
    told = sum(each.supported for each in declared)
    lines = [f"Declared estimates: {told} of {len(declared)} with an honest 95 % interval"]
    for place, each in enumerate(declared):
        if not place or declared[place - 1].study != each.study:
            lines.append(f"  {each.study}")
        value = "none" if each.value is None else f"{each.value:.4g}"
        interval = f"{each.low:.4g} to {each.high:.4g}" if each.supported else each.reason
        lines.append(f"    {each.term} ({each.kind}): {value}; {interval}")
    return tuple(lines)


def _mended_lines(drawn: Drawn) -> list[str]:
    """What was done so that every rule holds, where anything was."""
    lines = [f"  {drawn.repaired:.2%} of the rows were repaired to hold every rule."] if drawn.repaired else []
    if drawn.redrawn:
        lines.append(f"  {drawn.redrawn:.2%} had numbers or dates drawn again inside their cells.")
    return [*lines, *([f"  {CLEANED}"] if drawn.clean else [])]


def _drawn_values(drawn: Drawn) -> dict[str, Any]:
    return {
        "upsampled": [asdict(change) for change in drawn.upsampled],
        "repaired": drawn.repaired,
        "redrawn": drawn.redrawn,
        "clean": drawn.clean,
        "where": drawn.where,
        "draw": drawn.kind,
        "unsupported": list(drawn.unsupported),
        "selected": None if drawn.selected is None else _selected_values(drawn.selected),
    }


def _selected_values(selected: Selected) -> dict[str, Any]:
    return asdict(selected) | {"harms": list(selected.effect.harms)}


def selected_lines(selected: Selected | None) -> tuple[str, ...]:
    """What was selected from what, what that did, and whether it harms."""
    if selected is None:
        return ()
    before, after = selected.effect.before, selected.effect.after
    distance = ""
    if before.distance is not None and after.distance is not None:
        distance = f"pair tables {before.distance:.4f} from the model's, then {after.distance:.4f}; "
    if before.reward is not None and after.reward is not None:
        distance += f"the reward's tables {before.reward:.4f} away, then {after.reward:.4f}; "
    harms = selected.effect.harms
    option = "oversample" if selected.selection.keep == 1 else "keep"
    return (
        f"  {selected.selection.sentence} Pool: {selected.pool:,}; refused by a rule: {selected.refused:,}.",
        f"  Without selection, then with it: {distance}{before.levels:,} levels of columns, then "
        f"{after.levels:,}; {before.repeats:.2%} repeats, then {after.repeats:.2%}; {before.spread:.4f} apart, then "
        f"{after.spread:.4f}.",
        *((f"  This selection harms: {'; '.join(harms)}. Leave --{option} out.",) if harms else ()),
    )


def finished(
    folder: RunFolder,
    file: ModelFile,
    drawn: Drawn,
    evaluations: Mapping[str, Evaluation],
    problems: Sequence["Finding"],
    *,
    asked: Collection[str] = (),
    unselected: Sequence[Score] = (),
) -> Result:
    """The end of a run: guarantee, fidelity, utility, rare shares, the strongest attack, the files.

    `asked` names the conditions that were to be raised; `unselected` scores a draw without selection.
    """
    headline = headline_scores(evaluations)
    lines = [str(file.guarantee["sentence"]), *lineage_sentences(file.about), *found_lines(file)]
    lines += [f"INTERNAL: {line}" for line in headline_lines(headline)]
    lines += _raised_lines(drawn, asked)
    lines += [line.strip() for line in _mended_lines(drawn)]
    lines += [line.strip() for line in selected_lines(drawn.selected)]
    earned = _earned(unselected, evaluations)
    lines += [f"INTERNAL: {earned}"] if earned else []
    lines += [f"INTERNAL: {finding.sentence}" for finding in problems]
    lines += [
        f"Files: {path}" for path in (folder.synthetic, folder.model, folder.card, folder.shareable / "report.html")
    ]
    lines += [f"INTERNAL: {folder.internal / 'report.html'} (never share it)"]
    return Result(
        values={
            "edition": "internal",
            "out": str(folder.path),
            "guarantee": dict(file.guarantee),
            "rows": drawn.rows,
            **_drawn_values(drawn),
            "scores": {name: asdict(score) for name, score in headline.items()},
            **({"selection_earned": earned} if earned else {}),
        },
        lines=tuple(lines),
    )


def _earned(unselected: Sequence[Score], evaluations: Mapping[str, Evaluation]) -> str:
    """Whether a selection earned its place; blank where nothing was selected."""
    before = [Figure.of(score) for score in unselected]
    after = [Figure.of(score) for evaluation in evaluations.values() for score in evaluation.scores]
    return earned_sentence(findings(before, after)) if before else ""


def _raised_lines(drawn: Drawn, asked: Collection[str]) -> list[str]:
    """What became of the conditions that were to be raised."""
    lines = [
        f"Rare condition '{u.name}': {u.natural:.2%} before, {u.drawn:.2%} after upsampling (column _weight undoes it)."
        for u in drawn.upsampled
    ]
    lines += [
        f"Rare condition '{name}' is below the noise at this epsilon and was left at its natural share; "
        "`medsynth sample --force` raises it, marked as fiction."
        for name in asked
        if name not in {u.name for u in drawn.upsampled}
    ]
    return lines + [f"  {FICTION.format(name=name)}" for name in drawn.unsupported]


HEADLINES = (
    "fidelity.tv2.train",
    "fidelity.tv2.holdout",
    "utility.auc.synthetic",
    "utility.auc.real",
    "utility.auc.drop",
    "leak.verdict",
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
    verdict = scores.get("leak.verdict")
    lines += [verdict.sentence] if verdict is not None else []
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
    scores.sort(key=lambda score: score.name != "leak.verdict")  # the verdict leads, all else stays in order
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
