"""The page on what great-expectations says of the released table: every column and rule with its expectations."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from medsynth.fidelity.expectations import Expected, expectations_of, named_rules
from medsynth.report.blocks import Appendix
from medsynth.score import Edition, Evaluation

if TYPE_CHECKING:
    from medsynth.schema import Schema

TITLE = "Validation by great-expectations"
PARAGRAPHS = (
    "The schema and its rules as a suite of great-expectations, on every row of the synthetic table. "
    "`medsynth schema export` writes the same suite for your own pipelines.",
    "A plausible rule may be broken by real records, too: in the suite it is a warning.",
    "A rule that no expectation expresses is executed by medsynth when rows are drawn; section Rules says whether it "
    "holds.",
)


def validation_page(schema: "Schema", evaluations: Mapping[str, Evaluation]) -> tuple[Appendix, ...]:
    """One row per column and rule; no page where the table was not validated.

    Args:
      schema: The table's description.
      evaluations: With that of `validation`, whose sentences begin with the name of what failed.
    """
    if "validation" not in evaluations:
        return ()
    failed = [
        score.sentence for score in evaluations["validation"].scores if score.name.startswith("validation.failed")
    ]
    wanted = expectations_of(schema)
    rows = []
    for part, name, plausible in _parts(schema):
        reason = wanted.left_out.get(name)
        broken = any(sentence.startswith(f"{name}: ") for sentence in failed)
        outcome = ("some row is doubtful" if plausible else "some row breaks it") if broken else "every row meets it"
        expected = _words(wanted.parts.get(part, []), reason)
        rows.append((name, expected, "not judged" if reason and part not in wanted.parts else outcome))
    page = Appendix(
        title=TITLE,
        paragraphs=PARAGRAPHS,
        header=("Part of the schema", "Expected", "Synthetic table"),
        rows=tuple(rows),
        edition=Edition.SHAREABLE,
    )
    return (page,)


def _parts(schema: "Schema") -> list[tuple[str, str, bool]]:
    """(part, its name, whether real records may break it): columns, rules, definitions."""
    known = expectations_of(schema).parts
    columns = [(name, f"Column '{name}'", False) for name in schema.columns if name in known]
    rules = [(name, name, plausible) for name, _, plausible in named_rules(schema)]
    derived = [(name, f"Derived column '{name}'", False) for name in schema.derived if name not in schema.columns]
    return [*columns, *rules, *derived]


def _words(expected: list[Expected], reason: str | None) -> str:
    """The expectations in words, each once."""
    kinds = (
        one.name.removeprefix("expect_").removeprefix("column_values_to_").replace("_", " ")
        + (" (where)" if one.given else "")
        for one in expected
    )
    said = "; ".join(dict.fromkeys(kinds))
    return "; ".join(filter(None, (said, reason and f"not in the suite: {reason}"))) or "can never be broken"
