"""From the scores of a run to its report in two editions, and what an output says of its origin."""

import datetime
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import compile_condition
from medsynth.estimand import STANDARD_ERRORS, row_meaning, rows_per_person
from medsynth.models.model_file import ModelFile, load_model
from medsynth.outputs import RunFolder
from medsynth.report.blocks import Appendix, Figure
from medsynth.report.card import Column, TableFile, card_json
from medsynth.report.content import ReportContent, collect
from medsynth.report.selection import selection_page
from medsynth.report.validation import validation_page
from medsynth.report.writer import write_reports
from medsynth.sampling.lineage import lineage_sentences
from medsynth.schema import parse_schema
from medsynth.schema.table import REPLICATE_COLUMN, WEIGHT_COLUMN
from medsynth.score import Edition, Evaluation, Score
from medsynth.version import __version__
from medsynth.writing import make_folder, replace_file

if TYPE_CHECKING:
    from medsynth.schema import Schema

NOT_TESTED = (
    "Attacks that train many models on guessed tables (shadow models) were not run.",
    "Groups with fewer than 200 people in the training data or the holdout were not attacked by themselves.",
    "The most isolated persons were not attacked one by one.",
    "Families and other groups of persons whose records depend on each other have a weaker guarantee than one person.",
    "Timing of the computation, a compromised computer and restored old copies of a budget file "
    "are outside the guarantee.",
    "Whether the table may be released is for people to decide; this report is evidence, not a certificate.",
)


def provenance_of(file: ModelFile) -> dict[str, Any]:
    """What a synthetic table says of itself: schema, model, guarantee, version, licence and terms."""
    schema = parse_schema(file.schema, where="model file")
    dataset = schema.dataset
    return {
        "generator": f"medsynth {__version__}",
        "schema": dataset.name,
        "population": dataset.population,
        "row_meaning": row_meaning(schema),
        "model": file.about.get("model"),
        "fitted_with": f"medsynth {file.about.get('medsynth', '')}".strip(),
        "generation": file.about.get("generation", 1),
        "ancestors": list(file.about.get("ancestors", ())),
        "guarantee": {key: file.guarantee[key] for key in ("epsilon", "delta", "unit", "neighbours")},
        "licence": dataset.licence,
        "terms": dataset.terms,
        "allowed_use": dataset.allowed_use,
    }


def write_card(
    card: Path, table: Path, said: Mapping[str, Any], kinds: Mapping[str, str], rows: int, *, schema: "Schema"
) -> None:
    """Writes the dataset card of a synthetic table, from what the table says of itself and from the schema.

    Raises:
      OutputError: If it cannot be written.
    """
    described = {name: getattr(column, "description", "") or "" for name, column in schema.columns.items()}
    described[REPLICATE_COLUMN] = "0 is the release; other numbers are refits to simulated records, for intervals"
    described[WEIGHT_COLUMN] = "What the row stands for; use it in every estimate"
    with table.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    facts = TableFile(
        address=Path(os.path.relpath(table, card.parent)).as_posix(),
        name=table.name,
        encoding="application/x-parquet" if table.name.endswith(".parquet") else "text/csv",
        sha256=digest,
        size=table.stat().st_size,
        rows=rows,
        columns=tuple(
            Column(name=name, kind=kind, description=described.get(name, "")) for name, kind in kinds.items()
        ),
    )
    make_folder(card.parent)
    replace_file(card, card_json(said, facts, date=Clock.today()))


def card_of(table: Path) -> Path:
    """Where the card of a table lies that `sample` writes."""
    return table.with_name(table.name + ".croissant.json")


def write_report(
    folder: RunFolder, evaluations: Mapping[str, Evaluation], *, edition: str = "both"
) -> tuple[Path, ...]:
    """Writes the report of a run folder from its model, its run record and its scores."""
    record = folder.read_internal("run.json")
    content = _own(folder, record, evaluations) if record["schema"] is None else _foreign(record, evaluations)
    editions = tuple(Edition) if edition == "both" else (Edition(edition),)
    return write_reports(folder.path, content, editions)


def _own(folder: RunFolder, record: Mapping[str, Any], evaluations: Mapping[str, Evaluation]) -> ReportContent:
    file = load_model(folder.model)
    schema = parse_schema(file.schema, where=folder.model.name)
    return collect(
        **_about(schema, record),
        guarantee=_guarantee(file),
        ledger=_ledger(file, record),
        model={"name": str(file.about["model"]), "settings": dict(getattr(file.fitted, "settings", {}))},
        sampling=record["sampling"],
        rare=rare_rows(file, schema, evaluations, record["rare_shares"]),
        evaluations=tuple(evaluations.values()),
        files=[
            {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "description": what}
            for path, what in (
                (folder.model, "Fitted model: noised measurements only"),
                (folder.synthetic, "Synthetic records"),
            )
        ],
        not_tested=NOT_TESTED,
        notices=(
            *lineage_sentences(file.about),
            *schema.notices(),
            *_unseen(file),
            fitted_on(schema, record["tables"]["holdout_share"]),
            *_paid(schema, record),
        ),
        appendices=(
            *_selection(record, evaluations),
            *rows_per_person(file, schema),
            *validation_page(schema, evaluations),
        ),
    )


def _ledger(file: ModelFile, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was booked for the fit, then for figures on held-out persons; shares are of each part's own budget."""
    spent = sum(entry["mu"] ** 2 for entry in file.ledger)
    fit = [
        {key: entry[key] for key in ("label", "kind", "mu")}
        | {"delta": entry.get("delta") or None, "share": entry["mu"] ** 2 / spent if spent else None}
        for entry in file.ledger
    ]
    return fit + list((record.get("paid") or {}).get("entries", ()))


def _paid(schema: "Schema", record: Mapping[str, Any]) -> tuple[str, ...]:
    paid = record.get("paid")
    if not paid:
        return ()
    persons = f"{schema.privacy.noun}s"
    return (
        f"Figures on held-out {persons} cost epsilon {paid['epsilon']:g} at delta {paid['delta']:.3g} of their budget "
        f"and nothing of the fitted {persons}': nobody is counted in both, so the whole release keeps the guarantee "
        "above.",
    )


def _selection(record: Mapping[str, Any], evaluations: Mapping[str, Evaluation]) -> tuple[Appendix, ...]:
    """The page on whether a selection earned its place, INTERNAL; none where nothing was selected."""
    before = [Figure.model_validate(score) for score in record.get("unselected") or ()]
    after = [Figure.of(score) for evaluation in evaluations.values() for score in evaluation.scores]
    return (selection_page(before, after),) if before else ()


def unseen_columns(file: ModelFile) -> dict[str, str]:
    """Private numbers and dates that did not stand out, and what is assumed instead; a function of noisy counts."""
    columns: Mapping[str, Any] = parse_schema(file.schema, where="model file").columns
    return {
        name: f"nothing stood out from the noise; {columns[name].min} to {columns[name].max} is assumed"
        for name in file.about.get("unseen", ())
    }


def _unseen(file: ModelFile) -> tuple[str, ...]:
    return tuple(f"Schema: '{name}': {what}." for name, what in unseen_columns(file).items())


def fitted_on(schema: "Schema", held_out: float | None) -> str:
    """Whose records the counts are about."""
    persons = f"{schema.privacy.noun}s"
    if held_out is None:
        return f"The model was fitted on all {persons} of its table; the holdout is another table."
    return (
        f"{held_out:.0%} of the {persons} were held out for evaluation and not fitted: "
        f"noised counts are of the other {1 - held_out:.0%}."
    )


def _foreign(record: Mapping[str, Any], evaluations: Mapping[str, Evaluation]) -> ReportContent:
    """The report of a table made elsewhere: nothing is claimed for it."""
    schema = parse_schema(record["schema"])
    return collect(
        **_about(schema, record),
        guarantee=None,
        evaluations=tuple(evaluations.values()),
        not_tested=NOT_TESTED,
        appendices=validation_page(schema, evaluations),
    )


def _about(schema: "Schema", record: Mapping[str, Any]) -> dict[str, Any]:
    dataset = schema.dataset
    return {
        "title": f"Synthetic table: {dataset.name}",
        "date": record["date"],
        "version": __version__,
        "dataset": {
            "name": dataset.name,
            "population": dataset.population or "",
            "licence": dataset.licence or "",
            "terms": dataset.terms or "",
            "allowed_use": dataset.allowed_use or "",
        },
        "row_meaning": row_meaning(schema),
        "policy": schema.policy.model_dump() if schema.policy else None,
    }


def _guarantee(file: ModelFile) -> dict[str, Any]:
    plain = dict(file.guarantee)
    kept = plain.pop("thresholds", 0.0)
    if kept:
        plain["delta_kept_for_thresholds"] = kept
    plain["membership_tpr_cap"] = plain.pop("membership_tpr_cap_at_1pct_fpr")
    return plain


def rare_rows(
    file: ModelFile, schema: "Schema", evaluations: Mapping[str, Evaluation], file_shares: Mapping[str, float]
) -> list[dict[str, Any]]:
    """One row per declared rare condition: noised count with interval, share in model and file, real share.

    INTERNAL.
    """
    codec = Codec(schema=schema)
    rows = []
    for rare in schema.rare:
        condition = compile_condition(schema.rare_predicates[rare.name], codec)
        count, error = file.fitted.count(condition)
        half = None if error is None else STANDARD_ERRORS * error
        known = file.fitted.knowledge(rare.name)
        rows.append(
            {
                "name": rare.name,
                "where": rare.where,
                "count": count,
                "low": None if half is None else max(0.0, count - half),
                "high": None if half is None else count + half,
                "model_share": file.fitted.share(condition),
                "file_share": file_shares.get(rare.name),
                "real_share": _real_share(evaluations, rare.name),
                "verdict": "not measured on its own" if known is None else known.grade,
                "expected_error": None if known is None else known.expected_error,
            }
        )
    return rows


def _real_share(evaluations: Mapping[str, Evaluation], name: str) -> float | None:
    """The share among the training persons, as the rare-conditions metric found it."""
    scores: Iterable[Score] = evaluations["rare_conditions"].scores if "rare_conditions" in evaluations else ()
    return next((score.value for score in scores if score.name == f"rare.{name}.share.train"), None)


@dataclass(frozen=True)
class Clock:
    """Today, or the day that SOURCE_DATE_EPOCH names, so that a report can be rebuilt byte for byte."""

    @staticmethod
    def today() -> str:
        """ISO day."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch:
            return datetime.datetime.fromtimestamp(int(epoch), tz=datetime.UTC).date().isoformat()
        return datetime.datetime.now(tz=datetime.UTC).date().isoformat()
