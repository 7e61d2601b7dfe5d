"""What a run notes for later steps: INTERNAL, since it names private tables."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth.describe import selected_lines
from medsynth.publishing import Clock
from medsynth.sampling.draw import Drawn
from medsynth.sampling.how import CLEANED, FICTION, draw_note
from medsynth.schema import dump_schema
from medsynth.score import Score

if TYPE_CHECKING:
    from medsynth.checking import Finding
    from medsynth.privacy.ledger import Ledger
    from medsynth.schema import Schema


def run_record(
    tables: Any,
    drawn: Drawn,
    *,
    seed: int | None,
    problems: Sequence["Finding"],
    paid: "Ledger | None" = None,
    unselected: Sequence[Score] = (),
) -> dict[str, Any]:
    """What later steps need of a run: INTERNAL.

    `paid` is the allowance of the figures on held-out persons, `unselected` are the scores of a draw without selection.
    """
    plain = {key: str(value.resolve()) if isinstance(value, Path) else value for key, value in asdict(tables).items()}
    return {
        "date": Clock.today(),
        "schema": None,
        "tables": plain,
        "findings": [finding.sentence for finding in problems],
        "rare_shares": dict(drawn.rare_shares),
        "paid": None if paid is None else _paid(paid),
        "unselected": [asdict(score) for score in unselected],
        "sampling": {
            "n": drawn.rows,
            "seed": seed,
            "where": drawn.where,
            "draw": drawn.kind,
            "draw_note": draw_note(drawn.kind, drawn.selected.selection if drawn.selected else None),
            "selection": " ".join(line.strip() for line in selected_lines(drawn.selected)),
            "repaired_share": drawn.repaired,
            "redrawn_share": drawn.redrawn,
            "clean_note": CLEANED if drawn.clean else "",
            "upsampling": [
                {"name": u.name, "before": u.natural, "target": u.target, "after": u.drawn} for u in drawn.upsampled
            ],
            "weights_note": " ".join(
                [
                    *(["Column _weight restores the population; use it in every estimate."] if drawn.upsampled else []),
                    *(FICTION.format(name=name) for name in drawn.unsupported),
                ]
            ),
        },
    }


def _paid(allowance: "Ledger") -> dict[str, Any]:
    spent = allowance.spent_mu2
    entries = [
        {"label": entry.label, "kind": entry.kind, "mu": entry.mu, "share": entry.mu**2 / spent}
        for entry in allowance.entries
    ]
    return {"epsilon": allowance.guarantee.epsilon, "delta": allowance.guarantee.delta, "entries": entries}


def foreign_record(synthetic: Path, schema: "Schema") -> dict[str, Any]:
    """The run record of a table made elsewhere."""
    return {
        "date": Clock.today(),
        "schema": dump_schema(schema.self_contained()),
        "tables": None,
        "synthetic": synthetic.name,
    }
