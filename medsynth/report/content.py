"""Assembles a report from plain values: the typed summary, written as `report.json`, then drawn."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from pydantic import Field

from medsynth.report.blocks import (
    Appendix,
    Block,
    Dataset,
    Drawing,
    Figure,
    File,
    Guarantee,
    IsoDay,
    LedgerEntry,
    Model,
    Note,
    PolicyLine,
    RareCondition,
    Sampling,
    Text,
    Verdict,
)
from medsynth.report.policy import judge, verdict
from medsynth.score import Edition, Evaluation

SCHEMA_ID = "urn:medsynth:report:1"


class ReportContent(Block):
    """Everything a report says. The internal edition holds all of it, see `editions.edition_of`."""

    medsynth_report: Literal[1] = 1
    """Version of this format."""
    edition: Edition
    banner: Text = ""
    title: Text
    date: IsoDay
    medsynth_version: Text
    dataset: Dataset
    row_meaning: Text
    """What one synthetic row stands for, one sentence."""
    verdict: Verdict
    policy: tuple[PolicyLine, ...] = ()
    guarantee: Guarantee | None = None
    """None: no guarantee is claimed for the table."""
    ledger: tuple[LedgerEntry, ...] = ()
    model: Model | None = None
    sampling: Sampling | None = None
    rare: tuple[RareCondition, ...] = ()
    scores: tuple[Figure, ...] = ()
    charts: tuple[Drawing, ...] = ()
    appendices: tuple[Appendix, ...] = ()
    files: tuple[File, ...] = ()
    not_tested: tuple[Note, ...] = ()
    notices: tuple[Note, ...] = ()
    withheld: tuple[Text, ...] = Field(default=())
    """Kinds of figures left out of this edition; the same list whatever was measured."""


def collect(
    *,
    title: str,
    date: str,
    version: str,
    dataset: Dataset | Mapping[str, object],
    row_meaning: str,
    guarantee: Guarantee | Mapping[str, object] | None,
    ledger: Sequence[LedgerEntry | Mapping[str, object]] = (),
    model: Model | Mapping[str, object] | None = None,
    sampling: Sampling | Mapping[str, object] | None = None,
    rare: Sequence[RareCondition | Mapping[str, object]] = (),
    evaluations: Sequence[Evaluation] = (),
    policy: Mapping[str, float | None] | None = None,
    files: Sequence[File | Mapping[str, object]] = (),
    not_tested: Sequence[Note | str] = (),
    notices: Sequence[Note | str] = (),
    appendices: Sequence[Appendix] = (),
) -> ReportContent:
    """Assembles the internal edition; the shareable one is made from it.

    Everything without an edition of its own (title, dataset, row_meaning, guarantee, ledger,
    model, sampling, policy, plain strings among the notes) goes into the shareable edition too:
    pass nothing there that depends on private records but through noised, booked figures.

    Args:
      title: Heading of page one.
      date: ISO day, such as 2026-03-31.
      version: medsynth's.
      dataset: Keys of `Dataset`, from the schema.
      row_meaning: What one synthetic row stands for, one sentence.
      guarantee: Keys of `Guarantee` (others are kept as details); None where none is claimed.
      ledger: Public extract, keys of `LedgerEntry`; `share` is computed where it is left out.
      model: Keys of `Model`.
      sampling: Keys of `Sampling`.
      rare: Keys of `RareCondition`.
      evaluations: Scores and charts, each with its edition.
      policy: The schema's limits; None or empty where none is declared.
      files: Keys of `File`; mark what stays inside as INTERNAL, and never hash private rows.
      not_tested: Sentences; a plain string is shareable.
      notices: Sentences; a plain string is shareable.
      appendices: Further pages.

    Returns:
      The content, with every policy line judged.
    """
    promise = None if guarantee is None else Guarantee.model_validate(guarantee)
    return ReportContent(
        edition=Edition.INTERNAL,
        banner="INTERNAL: contains statistics of real persons that are not differentially private",
        title=title,
        date=date,
        medsynth_version=version,
        dataset=Dataset.model_validate(dataset),
        row_meaning=row_meaning,
        guarantee=promise,
        ledger=_with_shares([LedgerEntry.model_validate(entry) for entry in ledger]),
        model=None if model is None else Model.model_validate(model),
        sampling=None if sampling is None else Sampling.model_validate(sampling),
        rare=tuple(RareCondition.model_validate(row) for row in rare),
        appendices=tuple(appendices),
        files=tuple(File.model_validate(file) for file in files),
        not_tested=_notes(not_tested),
        notices=_notes(notices),
        **_measured(evaluations, policy or {}, promise),
    )


class _Measured(TypedDict):
    scores: tuple[Figure, ...]
    charts: tuple[Drawing, ...]
    policy: tuple[PolicyLine, ...]
    verdict: Verdict


def _measured(
    evaluations: Sequence[Evaluation], policy: Mapping[str, float | None], promise: Guarantee | None
) -> _Measured:
    """What was evaluated, and the policy judged by it."""
    scores = tuple(Figure.of(score) for evaluation in evaluations for score in evaluation.scores)
    epsilon = promise.epsilon if promise else None
    lines = judge(policy, scores, epsilon=epsilon, edition=Edition.INTERNAL)
    return {
        "scores": scores,
        "charts": tuple(Drawing.of(chart) for evaluation in evaluations for chart in evaluation.charts),
        "policy": lines,
        "verdict": verdict(lines),
    }


def report_json(content: Block) -> bytes:
    """The bytes of `report.json` or another content: UTF-8, two spaces, no NaN, one newline at the end."""
    text = json.dumps(content.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8")


def report_json_schema() -> dict[str, object]:
    """The JSON Schema of `report.json`; a copy is kept beside this file as `report.schema.json`."""
    schema = ReportContent.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def _with_shares(entries: Sequence[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    total = sum((entry.mu or 0.0) ** 2 for entry in entries)
    return tuple(
        entry
        if entry.share is not None or entry.mu is None or total == 0
        else entry.model_copy(update={"share": entry.mu**2 / total})
        for entry in entries
    )


def _notes(notes: Sequence[Note | str]) -> tuple[Note, ...]:
    return tuple(Note(text=note) if isinstance(note, str) else note for note in notes)
