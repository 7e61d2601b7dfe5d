"""What one synthetic row stands for under the schema's bounding rule, and how many records persons have."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import compile_condition
from medsynth.encoding.domain import Level
from medsynth.models.model_file import ModelFile
from medsynth.report.blocks import Appendix
from medsynth.schema.table import ROWS_COLUMN
from medsynth.score import Edition

if TYPE_CHECKING:
    from medsynth.schema import Schema

STANDARD_ERRORS = 1.959964
"""Half width of a 95 % interval, in standard errors."""


def row_meaning(schema: "Schema") -> str:
    """What one synthetic row stands for, in words.

    Args:
      schema: The table's description.
    """
    privacy = schema.privacy
    if privacy.unit is None:
        return f"One row stands for one {privacy.noun}."
    rows, rule, noun = privacy.bounding.max, privacy.bounding.rule, privacy.noun
    no_trajectory = f"Rows are not linked: there are no trajectories of one {noun}."
    counted = f" {_counted(schema)}" if privacy.counts_rows else ""
    if rule == "weight":
        return (
            f"One row stands for one record of a randomly chosen {noun}: "
            f"of each {noun} at most {rows} records count, and together they weigh as much as "
            f"one {noun}.{counted} {no_trajectory}"
        )
    which = {"first": f"the first {rows}", "last": f"the last {rows}", "sample": f"at most {rows} randomly chosen"}[
        rule
    ]
    many = f", so a {noun} with many counts up to {rows} times" if rows > 1 else ""
    return f"One row stands for one record, where {which} records of each {noun} count{many}.{counted} {no_trajectory}"


def _counted(schema: "Schema") -> str:
    """How the column of rows per person turns one kind of question into the other."""
    noun, most = schema.privacy.noun, schema.privacy.bounding.max
    counted, other = _kinds(schema)
    by = "it" if other == "records" else f"1/{ROWS_COLUMN}"
    return (
        f"Column {ROWS_COLUMN} says how many records of the row's {noun} count, {most} where there are more: "
        f"weight rows by {by} to ask about {other} rather than {counted}."
    )


def rows_per_person(file: ModelFile, schema: "Schema") -> tuple[Appendix, ...]:
    """A page on records per person, from the noised counts of their column; none where there is no such column."""
    if not schema.privacy.counts_rows:
        return ()
    counted, other = _kinds(schema)
    return (
        Appendix(
            title=f"Records per {schema.privacy.noun}",
            paragraphs=_paragraphs(schema),
            header=("Records", f"Share of {counted}", "Noise (95 %)", f"Share of {other}"),
            rows=_histogram(file, Codec(schema=schema)),
            edition=Edition.SHAREABLE,
        ),
    )


def _kinds(schema: "Schema") -> tuple[str, str]:
    """(what a row as it is counts, what it counts when weighted)."""
    persons = f"{schema.privacy.noun}s"
    return (persons, "records") if schema.privacy.bounding.rule == "weight" else ("records", persons)


def _paragraphs(schema: "Schema") -> tuple[str, ...]:
    noun, most = schema.privacy.noun, schema.privacy.bounding.max
    counted, other = _kinds(schema)
    by = ROWS_COLUMN if other == "records" else f"1/{ROWS_COLUMN}"
    return (
        f"Rows as they are answer questions about {counted}; weighted by {by} they answer questions about {other}. "
        "Where rare conditions were raised, multiply by _weight too.",
        f"Of each {noun} at most {most} records were read, so those beyond are missing from both kinds of answers.",
        "The shares come from noised counts, booked in the ledger. They are all that the table says of how many "
        f"records a {noun} has: rows of one {noun} are not linked, and their order is not known.",
    )


def _histogram(file: ModelFile, codec: Codec) -> tuple[tuple[str, ...], ...]:
    """Per cell of the column: its numbers of records, share as counted, noise of that share, share when weighted."""
    attribute = codec.domain[ROWS_COLUMN]
    cells: Any = codec.cells[codec.domain.index(ROWS_COLUMN)]
    bounds = [(int(low), int(high)) for low, high in map(cells.bounds, range(attribute.size))]
    shares = file.fitted.marginal((Level.finest(attribute),))
    middle = np.array([(low + high) / 2 for low, high in bounds])
    weighted = shares * middle if codec.schema.privacy.bounding.rule == "weight" else shares / middle
    names = [str(low) if low == high else f"{low} to {high}" for low, high in bounds]
    names[-1] += " or more"
    noise = _noise(file, codec, bounds)
    return tuple(
        (name, f"{share:.1%}", "not known" if half is None else f"± {half:.1%}", f"{other:.1%}")
        for name, share, half, other in zip(names, shares, noise, weighted / weighted.sum(), strict=True)
    )


def _noise(file: ModelFile, codec: Codec, bounds: Sequence[tuple[int, int]]) -> list[float | None]:
    """Half the 95 % interval of each cell's noised count, as a share of all; None where its noise is not known."""
    texts = [f"{low} <= {ROWS_COLUMN} <= {high}" for low, high in bounds]
    counts = [file.fitted.count(compile_condition(codec.schema.predicate(text), codec)) for text in texts]
    total = max(1.0, sum(count for count, _ in counts))
    return [None if error is None else STANDARD_ERRORS * error / total for _, error in counts]
