"""Arguments of the command line, each described once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from medsynth.errors import UsageError


class Edition(StrEnum):
    """Which edition of the report."""

    INTERNAL = "internal"
    SHAREABLE = "shareable"
    BOTH = "both"


Data = Annotated[Path, typer.Argument(metavar="DATA", help="Private table: .csv, .csv.gz or .parquet.")]
SchemaOption = Annotated[
    str, typer.Option("-s", "--schema", metavar="SCHEMA", help="A schema file, or the name of a shipped one.")
]
Out = Annotated[Path, typer.Option("-o", "--out", metavar="OUT", help="Folder for the results.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands in OUT.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Epsilon = Annotated[float | None, typer.Option(metavar="E", help="Privacy loss of this fit; default: the schema's.")]
Delta = Annotated[float | None, typer.Option(metavar="D", help="Default: the schema's.")]
ModelName = Annotated[str, typer.Option("--model", metavar="M", help="adaptive, mst or independent.")]
LedgerFile = Annotated[
    Path | None, typer.Option("--ledger", metavar="FILE", help="Budget file; default: beside the data.")
]
Rows = Annotated[int | None, typer.Option("-n", "--rows", metavar="N", help="Rows; default: the stated persons.")]
Seed = Annotated[int | None, typer.Option(metavar="S", help="Same seed and model, same bytes.")]
StudySeed = Annotated[
    int | None, typer.Option("--seed", metavar="S", help="Of draws; privacy noise and keys have no seed.")
]
Where = Annotated[str | None, typer.Option(metavar="P", help="Only records that satisfy the predicate.")]
Upsample = Annotated[
    list[str] | None, typer.Option(metavar="NAME:SHARE", help="Raise a rare condition to a share; repeatable.")
]
Generations = Annotated[int, typer.Option(metavar="G", help="Fits in a row.")]
Fresh = Annotated[float, typer.Option(metavar="F", help="Share of fresh real records in the mixed courses.")]
Draw = Annotated[
    str, typer.Option(metavar="KIND", help="edited: near the model, to share; random: independent, for inference.")
]
AllowSynthetic = Annotated[
    bool, typer.Option("--allow-synthetic", help="Fit on a table that says it is synthetic; recorded in the model.")
]
Card = Annotated[bool, typer.Option("--card", help="Write a dataset card (Croissant) beside the table.")]
Holdout = Annotated[Path | None, typer.Option(metavar="DATA", help="Private rows of other persons.")]
HoldoutShare = Annotated[float, typer.Option(metavar="F", help="Share of persons kept out of the fit.")]
Folder = Annotated[Path | None, typer.Argument(metavar="[OUT]", help="Folder of a run.")]
Synthetic = Annotated[Path | None, typer.Option(metavar="FILE", help="Synthetic table, from any tool.")]
Train = Annotated[Path | None, typer.Option(metavar="DATA", help="Private rows it was made from.")]
SchemaMaybe = Annotated[str | None, typer.Option("-s", "--schema", metavar="SCHEMA", help="Its schema.")]
OutMaybe = Annotated[Path | None, typer.Option("-o", "--out", metavar="OUT", help="Folder for the scores.")]
Budget = Annotated[Path, typer.Argument(metavar="LEDGER", help="Budget file of a population.")]
Target = Annotated[
    str | None,
    typer.Argument(metavar="[MODEL | module:fit]", help="A model file or a function; default: medsynth's own fit."),
]
Runs = Annotated[int, typer.Option(metavar="N", help="Fits of each tiny table; half of them test.")]
Workers = Annotated[int | None, typer.Option(metavar="W", help="Processes; default: as many as processors.")]


def shares(texts: list[str] | None) -> dict[str, float]:
    """Shares by name, as `--upsample` states them.

    >>> shares(["died:30%", "b:0.2"])
    {'died': 0.3, 'b': 0.2}
    """
    found = {}
    for text in texts or []:
        name, separator, share = text.rpartition(":")
        try:
            found[name] = float(share.rstrip("%")) / (100 if share.endswith("%") else 1)
        except ValueError:
            separator = ""
        if not separator or not name:
            raise UsageError(f"--upsample {text}: write NAME:SHARE, as in died:0.3 or died:30%.")
    return found
