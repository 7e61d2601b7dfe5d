"""The schema and its rules as a suite of great-expectations, to be loaded where medsynth is not installed."""

from typing import TYPE_CHECKING, Any

from medsynth.exports import Export
from medsynth.fidelity.expectations import expectations_of
from medsynth.fidelity.validation import CANONICAL, expectation_suite

if TYPE_CHECKING:
    from medsynth.schema import Schema


def suite(schema: "Schema") -> Export:
    """Every expectation of the schema but those about the column of rows per person, which medsynth adds.

    Args:
      schema: The public description.
    """
    wanted = expectations_of(schema, counted=False)
    content: dict[str, Any] = expectation_suite(schema, counted=False).to_json_dict()
    parts = wanted.parts
    doubtful = [name for name, found in parts.items() if found[0].plausible]
    rules = [name for name in parts if name not in schema.columns and name not in doubtful]
    return Export(
        content=content,
        summary=(
            f"great-expectations suite '{schema.dataset.name}': {len(wanted.expected)} expectations, of "
            f"{len(parts) - len(rules) - len(doubtful)} columns, {len(rules)} rules and {len(doubtful)} plausible "
            "rules, which are warnings."
        ),
        left_out=wanted.left_out,
        hint=CANONICAL,
    )
