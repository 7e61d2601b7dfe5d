"""What in a table breaks its schema: for the steward's eyes, before a fit.

Says that some record does, never which or how many.
"""

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medsynth.encoding.bounding import bounding_of, person_digests
from medsynth.encoding.codec import require_columns
from medsynth.encoding.typed import typed_frame
from medsynth.errors import DataError
from medsynth.fidelity.validation import UNREADABLE_DAY, canonical_frame, validate
from medsynth.fitting import conflicts_of
from medsynth.sampling.provenance import origin_of
from medsynth.schema.table import ROWS_COLUMN
from medsynth.sources.files import FileSource
from medsynth.writing import OWNER_ONLY, replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from medsynth.holdout import Tables
    from medsynth.schema import Predicate, Schema


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that breaks the schema.

    Attributes:
      column: The column, or the text of the rule.
      sentence: What is wrong and what to do.
      whole_column: True where no value of the column is what the schema says.
    """

    column: str
    sentence: str
    whole_column: bool = False


def check_table(frame: pd.DataFrame, schema: "Schema") -> tuple[Finding, ...]:
    """Checks a table by great-expectations, and its rules by the schema's own language too, which expresses them all.

    Args:
      frame: Private rows.
      schema: Their description.

    Returns:
      INTERNAL findings; none where nothing breaks the schema.
    """
    frame = _counted(frame, schema)
    broken = [verdict for verdict in validate(frame, schema) if not verdict.success]
    plain = canonical_frame(frame, schema)
    parts = {verdict.part for verdict in broken if not verdict.plausible}
    columns = [
        _finding(verdict.part, verdict.expectation, schema, plain)
        for verdict in broken
        if verdict.part in schema.columns
    ]
    person = _person_findings(frame, schema)
    typed = typed_frame(frame, schema)
    texts = (*schema.rules, *(combination.name for combination in schema.combinations))
    rules = [
        Finding(
            column=text,
            sentence=f"{name}: some record breaks it. Correct the table or the rule, or move it to `plausible`.",
        )
        for text, name, rule in zip(texts, schema.rule_names, schema.rule_predicates, strict=True)
        if name in parts or not rule.evaluate(typed, schema).all()
    ]
    contradictions = [
        Finding(column=problem.rules, sentence=problem.sentence)
        for problem in conflicts_of(schema, notices=False).problems
    ]
    return (*columns, *person, *contradictions, *rules)


def doubts(frame: pd.DataFrame, schema: "Schema") -> tuple[Finding, ...]:
    """Plausible rules that some record breaks: INTERNAL, and no reason to correct the schema."""
    counts = _broken(frame, schema, schema.plausible_predicates)
    return tuple(
        Finding(
            column=text,
            sentence=f"Plausible rule '{text}': some record breaks it and is doubtful. Synthesis passes such records "
            "on unless --clean is given.",
        )
        for text, count in zip(schema.plausible, counts, strict=True)
        if count
    )


def write_counts(path: "Path", frame: pd.DataFrame, schema: "Schema") -> None:
    """Writes how many records break each rule into a file that only its owner can read: INTERNAL.

    Raises:
      OutputError: If it cannot be written.
    """
    impossible = _broken(frame, schema, schema.rule_predicates)
    doubtful = _broken(frame, schema, schema.plausible_predicates)
    content = {
        "edition": "internal",
        "records": len(frame),
        "impossible": dict(zip(schema.rule_names, impossible, strict=True)),
        "doubtful": dict(zip(schema.plausible, doubtful, strict=True)),
    }
    replace_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode(), mode=OWNER_ONLY)


def _broken(frame: pd.DataFrame, schema: "Schema", rules: "Sequence[Predicate]") -> list[int]:
    """How many records break each rule."""
    typed = typed_frame(_counted(frame, schema), schema) if rules else frame
    return [int((~rule.evaluate(typed, schema)).sum()) for rule in rules]


def _counted(frame: pd.DataFrame, schema: "Schema") -> pd.DataFrame:
    """The rows with the column of rows per person, where the schema has one: rules may speak of it."""
    if not schema.privacy.counts_rows:
        return frame
    persons = person_digests(frame[schema.privacy.unit], secrets.token_bytes(32))
    ties = np.zeros(len(frame), dtype=np.uint64)
    rows = bounding_of(schema.privacy).contributions(persons, None, ties).rows
    return frame.assign(**{ROWS_COLUMN: rows})


def refuse_unreadable(findings: tuple[Finding, ...]) -> None:
    """Stops before any budget is spent where a whole column is not what the schema says.

    Raises:
      DataError: Naming the column.
    """
    for finding in findings:
        if finding.whole_column:
            raise DataError(finding.sentence)


def _finding(name: str, expectation: str, schema: "Schema", plain: pd.DataFrame) -> Finding:
    column: Any = schema.columns[name]
    kind = column.kind
    if expectation == "expect_column_values_to_not_be_null":
        return Finding(
            column=name,
            sentence=f"Column '{name}': some record is blank, but the schema does not allow it. Set `missing: true`.",
        )
    if kind in {"integer", "decimal", "date"}:
        if _none_readable(plain[name]):
            return Finding(
                column=name,
                sentence=f"Column '{name}': the schema says {kind}, but no value can be read as one. "
                "Correct its kind, or the table.",
                whole_column=True,
            )
        if column.is_open:
            return Finding(
                column=name,
                sentence=f"Column '{name}': some record cannot be read as {kind}; it is treated as missing. "
                "Correct the table, or declare a missing code.",
            )
        return Finding(
            column=name,
            sentence=(
                f"Column '{name}': some record lies outside {column.min} to {column.max} or cannot be read as {kind}. "
                "Widen the bounds by what is documented, or declare a missing code."
            ),
        )
    return _outside_list(name, column, plain[name])


def _outside_list(name: str, column: Any, values: "pd.Series[Any]") -> Finding:
    known = column.code_system.codes if column.kind == "code" else column.texts
    present = values.dropna()
    if len(present) and not present.isin(list(known)).any():
        return Finding(
            column=name,
            sentence=f"Column '{name}': no value is one that the schema lists. Correct the list, or the table.",
            whole_column=True,
        )
    return Finding(
        column=name,
        sentence=f"Column '{name}': some record has a category outside the schema. "
        "Extend the list, or set `other: true`.",
    )


def _none_readable(values: "pd.Series[Any]") -> bool:
    present = values.dropna()
    if not len(present):
        return False
    if pd.api.types.is_numeric_dtype(present.dtype):
        return bool(np.isinf(present.to_numpy(dtype=float)).all())
    return bool((present == UNREADABLE_DAY).all())


def _person_findings(frame: pd.DataFrame, schema: "Schema") -> list[Finding]:
    unit = schema.privacy.unit
    if unit is None or not frame[unit].isna().any():
        return []
    return [
        Finding(
            column=unit,
            sentence=f"Column '{unit}': some record names no person. Such records are not used: complete the column.",
        )
    ]


def origins(tables: "Tables", schema: "Schema", *, allow_synthetic: bool) -> "Mapping[str, Any] | None":
    """What the training table says of a synthetic origin; the holdout may not have one either, unless allowed."""
    marks = [
        origin(path, FileSource(path=path), schema, allow_synthetic=allow_synthetic)
        for path in (tables.train, tables.holdout)
        if path is not None
    ]
    return marks[0]


def origin(data: "Path", source: FileSource, schema: "Schema", *, allow_synthetic: bool) -> "Mapping[str, Any] | None":
    """What a table says of a synthetic origin, once it has the schema's columns."""
    require_columns(source.columns, schema.inputs)
    return origin_of(data, allow_synthetic=allow_synthetic)
