"""`medsynth verify`: the empirical epsilon of medsynth's own fit, of a model file's, or of any `module:function`."""

import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from medsynth.audit import Audit, Fit, Pair, Release, audit_fit, pairs_of
from medsynth.audit.attack import Curve, pairs_for
from medsynth.errors import InputError
from medsynth.models import MODELS
from medsynth.models.model_file import ModelFile, load_model
from medsynth.outputs import Result
from medsynth.progress import Progress, Silent
from medsynth.schema import parse_schema
from medsynth.synthesizer import Synthesizer

if TYPE_CHECKING:
    from medsynth.privacy import Measurement
    from medsynth.schema import Schema

ROWS = 16
"""Synthetic rows that a refit draws."""


@dataclass(frozen=True, kw_only=True)
class OwnFit:
    """medsynth's public `fit` and `sample`, with all they give away.

    Attributes:
      model: A name of `medsynth.models.MODELS`.
      rows: Synthetic rows to draw.
    """

    model: str = "adaptive"
    rows: int = ROWS

    def __call__(self, table: pd.DataFrame, schema: "Schema") -> Release:
        """Fits and draws once, under a ledger of its own."""
        synthesizer = Synthesizer(schema, model=self.model).fit(table)
        return release_of(synthesizer.model_, synthesizer.sample(self.rows))


def release_of(file: ModelFile, rows: pd.DataFrame) -> Release:
    """What a model file and a table drawn from it publish."""
    numbers: dict[str, Any] = {}
    for measurement in file.fitted.measurements:
        name = _name(measurement)
        again = sum(known.partition(", time ")[0] == name for known in numbers)
        numbers[f"{name}, time {again + 1}"] = measurement.noisy
    facts = {f"measures {name.partition(', time ')[0]}" for name in numbers}
    facts |= {f"books {entry['label']}: {entry['tables']} tables, {entry['cells']} cells" for entry in file.ledger}
    facts |= {f"states {key}: {value}" for key, value in (*file.guarantee.items(), *file.about.items())}
    found, said = _found(file)
    numbers, facts = numbers | found, facts | said
    facts.add(f"schema text {hashlib.sha256(file.schema.encode()).hexdigest()[:12]}")
    return Release(rows=rows, numbers=numbers, facts=frozenset(facts))


def _found(file: ModelFile) -> tuple[dict[str, Any], set[str]]:
    """(found bounds and numbers of bins, found values) of the private columns of a fit."""
    numbers: dict[str, Any] = {}
    facts: set[str] = set()
    if not file.domains:
        return numbers, facts
    for name, column in parse_schema(file.schema, where="model file").columns.items():
        if column.source != "found":
            continue
        facts |= {f"found {name}: {value}" for value in getattr(column, "values", ())}
        bounds = {end: getattr(column, end, None) for end in ("min", "max")}
        numbers |= {f"found {end} of {name}": _number(value) for end, value in bounds.items() if value is not None}
        numbers |= {f"found bins of {name}": len(edges) for edges in [getattr(column, "edges", None)] if edges}
    return numbers, facts


def _number(value: Any) -> float:
    """A bound as a number; of a date its day."""
    return float(value.toordinal() if hasattr(value, "toordinal") else value)


def _name(measurement: "Measurement") -> str:
    """Attributes and levels; groups that were merged otherwise are another table."""
    levels = (
        level.attribute if level.is_finest else f"{level.attribute}/{hashlib.sha256(level.groups).hexdigest()[:6]}"
        for level in measurement.clique
    )
    return "table of " + (", ".join(levels) or "persons")


def verify(
    target: "str | Path | Fit | None" = None,
    *,
    model: str = "adaptive",
    epsilon: float | None = None,
    runs: int = 1000,
    workers: int = 1,
    progress: Progress | None = None,
) -> Audit:
    """Audits a fit on tiny worst-case tables; needs no private data.

    Args:
      target: None for medsynth's own fit; a model file, for fits of its model, schema, epsilon and delta;
        `module:function`, or the function itself, for any other fit (see `medsynth.audit.Fit`).
      model: Which of medsynth's models, where there is no target.
      epsilon: Of the claim; None takes the model file's; else 4 for medsynth's own fit, which claims mu-GDP, and 1 for
        another, which claims (epsilon, delta) alone.
      runs: Fits of each table.
      workers: Processes; a function must then be importable.
      progress: Hears of the pairs.

    Raises:
      UsageError: If the target is not found or a number is outside its range.
      ModelFileError: If the model file cannot be read.

    >>> import medsynth
    >>> medsynth.verify(model="independent", runs=26).violated
    False
    """
    fit, pairs, curve = _resolve(target, model=model, epsilon=epsilon)
    return audit_fit(fit, pairs, curve=curve, runs=runs, workers=workers, progress=progress)


def verified(
    target: str | None, *, workers: int | None, progress: Callable[[str], Progress] = lambda _: Silent(), **options: Any
) -> Result:
    """What `medsynth verify` prints; without a number of workers it takes all processors, and two processes at least.

    In a process of its own a fit cannot end the audit without a verdict.

    `progress` is asked for the steps by name once it is known what is audited.
    """
    workers = max(2, usable_processors()) if workers is None else workers
    steps = progress("VERIFY_MODEL" if target is not None and _function_named(target) is None else "VERIFY")
    audit = verify(target, workers=workers, progress=steps, **options)
    return Result(values=audit.as_dict(), lines=audit.lines(), ok=not audit.violated)


def usable_processors() -> int:
    """Processors that this program may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _resolve(
    target: "str | Path | Fit | None", *, model: str, epsilon: float | None
) -> tuple["Fit", tuple[Pair, ...], Curve]:
    """(what is fitted, on which pairs, held to which curve)."""
    if target is None:
        _ = MODELS[model]
        return OwnFit(model=model), pairs_for("gaussian", epsilon), "gaussian"
    if callable(target):
        return target, pairs_for("approximate", epsilon), "approximate"
    named = _function_named(target)
    if named is not None:
        return ImportedFit(module=named[0], name=named[1]), pairs_for("approximate", epsilon), "approximate"
    file = load_model(target)
    kind, schema = str(file.about.get("model", "adaptive")), _schema_of(file, epsilon)
    _ = MODELS[kind]
    return OwnFit(model=kind), pairs_of(schema), "gaussian"


def _function_named(target: str | Path) -> tuple[str, str] | None:
    """(module, function) of `module:function`; None for a file."""
    module, separator, name = str(target).rpartition(":")
    return (module, name) if separator and module and not Path(target).exists() else None


def _schema_of(file: ModelFile, epsilon: float | None) -> "Schema":
    """The schema of a model file, with the epsilon and delta of its fit."""
    schema = parse_schema(file.schema, where="model file")
    stated = file.guarantee["epsilon"] if epsilon is None else epsilon
    claim = {"epsilon": stated, "delta": file.guarantee["delta"]}
    return schema.model_copy(update={"privacy": schema.privacy.model_copy(update=claim)})


@dataclass(frozen=True, kw_only=True)
class ImportedFit:
    """A fit named as `module:function`; importable by every worker, from the folder of the command too.

    Raises:
      InputError: When it is called, if there is no such module or function.
    """

    module: str
    name: str

    def __post_init__(self) -> None:
        self._function()

    def __call__(self, table: pd.DataFrame, schema: "Schema") -> "Release | pd.DataFrame":
        """Calls the function."""
        found: Release | pd.DataFrame = self._function()(table, schema)
        return found

    def _function(self) -> Callable[..., Any]:
        if "" not in sys.path:
            sys.path.append("")
        try:
            found: Any = import_module(self.module)
        except (Exception, SystemExit) as error:  # whatever a module of somebody else's does
            raise InputError(
                f"{self.module}:{self.name}: module {self.module!r} cannot be imported ({type(error).__name__}). "
                "Install what it needs, and call from its folder."
            ) from error
        function = getattr(found, self.name, None)
        if not callable(function):
            raise InputError(f"{self.module}:{self.name}: the module has no function {self.name!r}. Name one it has.")
        return function  # type: ignore[no-any-return]
