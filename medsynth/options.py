"""Arguments of the command line, each described once."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

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
Reward = Annotated[
    bool, typer.Option("--reward", help="Spend a tenth of the budget on what --oversample then selects by, too.")
]
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
Force = Annotated[bool, typer.Option("--force", help="Draw inside conditions below the noise, too; marked as fiction.")]
Generations = Annotated[int, typer.Option(metavar="G", help="Fits in a row.")]
Fresh = Annotated[float, typer.Option(metavar="F", help="Share of fresh real records in the mixed courses.")]
Draw = Annotated[
    str | None,
    typer.Option(
        metavar="KIND", help="edited (default): near the model, to share; random: independent, for inference."
    ),
]
Given = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Complete these records: empty cells are drawn, others stay.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="COL=VALUE", help="Add a what-if copy of every record with COL set; repeatable."),
]
Oversample = Annotated[
    int | None,
    typer.Option(metavar="K", help="Select from K times as many records; keeps rare levels unless --keep."),
]
Keep = Annotated[
    float | None,
    typer.Option(metavar="F", help="Part of that pool to select from: records of middling probability."),
]
AllowSynthetic = Annotated[
    bool, typer.Option("--allow-synthetic", help="Fit on a table that says it is synthetic; recorded in the model.")
]
Replicated = Annotated[
    int | None,
    typer.Option(
        "--replicates", metavar="M", help="Add M refits to simulated records, for honest intervals; M fits long."
    ),
]
Card = Annotated[bool, typer.Option("--card", help="Write a dataset card (Croissant) beside the table.")]
Clean = Annotated[bool, typer.Option("--clean", help="Hold plausible rules too: pass no doubtful record on.")]
Counts = Annotated[
    Path | None,
    typer.Option(metavar="FILE.json", help="Write how many records break each rule; only its owner can read it."),
]
Holdout = Annotated[Path | None, typer.Option(metavar="DATA", help="Private rows of other persons.")]
HoldoutShare = Annotated[float, typer.Option(metavar="F", help="Share of persons kept out of the fit.")]
PaidHoldout = Annotated[
    float | None,
    typer.Option(
        metavar="E",
        min=0.001,
        max=100,
        help="Buy shareable figures on held-out persons with epsilon E of theirs.",
    ),
]
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


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How records are drawn, as `sample` and `run` take it."""

    where: Where = None
    upsample: Upsample = None
    draw: Draw = None
    force: Force = False
    clean: Clean = False
    oversample: Oversample = None
    keep: Keep = None

    @property
    def how(self) -> dict[str, Any]:
        """The fields of `medsynth.sampling.how.How`."""
        wished = {field.name: getattr(self, field.name) for field in fields(self)}
        kind = wished.pop("draw")
        return wished | {"upsample": shares(self.upsample)} | ({} if kind is None else {"kind": kind})


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """How a model is fitted, as `fit` and `run` take it."""

    epsilon: Epsilon = None
    delta: Delta = None
    model: ModelName = "adaptive"
    ledger: LedgerFile = None
    reward: Reward = False
    allow_synthetic: AllowSynthetic = False


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A table made elsewhere and what it is judged by, as `evaluate` and `audit` take it."""

    synthetic: Synthetic = None
    train: Train = None
    holdout: Holdout = None
    schema: SchemaMaybe = None
    out: OutMaybe = None


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters of a dataclass of options are options of its own."""
    groups = {name: kind for name, kind in command.__annotations__.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        members = fields(groups[parameter.name]) if parameter.name in groups else ()
        parameters += [
            inspect.Parameter(member.name, parameter.KEYWORD_ONLY, default=member.default, annotation=member.type)
            for member in members
        ] or [parameter.replace(kind=parameter.KEYWORD_ONLY)]

    @wraps(command)
    def called(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{member.name: given.pop(member.name) for member in fields(group)})  # type: ignore[operator]
        command(**given)

    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


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


def settings(texts: list[str] | None) -> dict[str, str]:
    """Values by column, as `--set` states them.

    >>> settings(["smoker=no", "note=a=b"])
    {'smoker': 'no', 'note': 'a=b'}
    """
    found: dict[str, str] = {}
    for text in texts or []:
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise UsageError(f"--set {text}: write COL=VALUE, as in smoker=no.")
        if name.strip() in found:
            raise UsageError(f"--set {text}: column '{name.strip()}' is set twice. Give one value for each column.")
        found[name.strip()] = value
    return found
