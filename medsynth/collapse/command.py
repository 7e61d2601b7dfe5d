"""`medsynth collapse`: how many generations of synthetic tables a table bears. INTERNAL from beginning to end."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medsynth.collapse.baselines import BASELINES
from medsynth.collapse.course import BaselineRefit, PrivateRefit, Real, Refit, course
from medsynth.collapse.summary import Settings, summarise, told
from medsynth.encoding.codec import Codec, require_columns
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity.decay import Figure, measure_decay
from medsynth.fitting import FitRequest, bounding_key, open_ledger, require_sound
from medsynth.holdout import Tables, compare
from medsynth.outputs import Result, RunFolder, require_apart
from medsynth.progress import Progress, Silent
from medsynth.report.collapse import collapse_files
from medsynth.sampling.how import generator
from medsynth.sampling.provenance import origin_of
from medsynth.schema import load_schema, uncounted
from medsynth.schema.private import require_found
from medsynth.sources.files import FileSource
from medsynth.writing import OWNER_ONLY, replace_file

if TYPE_CHECKING:
    from medsynth.schema import Schema


def collapse(
    data: Path,
    schema_name: str,
    out: Path,
    *,
    holdout: Path | None = None,
    holdout_share: float = 0.2,
    generations: int = 5,
    fresh: float = 0.2,
    epsilon: float | None = None,
    delta: float | None = None,
    model: str = "adaptive",
    seed: int | None = None,
    allow_synthetic: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Refits a model on its own output, generation after generation, and says how many are safe.

    Raises:
      UsageError, SchemaError, DataError, OutputError: Before a row is read, where the request shows what is wrong.
    """
    settings = Settings(generations=generations, fresh=fresh, seed=seed)
    folder = RunFolder(path=out)
    require_apart({"DATA": data, "--holdout": holdout, "-s": schema_name}, (*folder.places, *_files(folder)))
    folder.require_free(overwrite=overwrite)
    schema = uncounted(load_schema(schema_name))
    require_found(schema)
    require_sound(FitRequest(schema=schema, model=model, epsilon=epsilon, delta=delta))
    tables = Tables(train=data, holdout=holdout, holdout_share=None if holdout else holdout_share)
    _require_original(tables, schema, allow_synthetic=allow_synthetic)
    progress = progress or Silent()
    progress.start("Reading the tables")
    real = _real(tables, schema)
    request = FitRequest(schema=real.comparison.schema, model=model, epsilon=epsilon, delta=delta)
    folder.make()
    for earlier in folder.internal.glob("collapse-*.ledger.jsonl*"):
        earlier.unlink()
    courses = _courses(real, request, settings, folder.internal, progress)
    content = summarise(real, request, settings, courses)
    for path, written in zip(_files(folder), collapse_files(content), strict=True):
        replace_file(path, written, mode=OWNER_ONLY)
    progress.finish()
    return told(_files(folder), content)


def _require_original(tables: Tables, schema: "Schema", *, allow_synthetic: bool) -> None:
    """Both tables have the schema's columns, and say of no synthetic origin unless that is allowed."""
    for path in (tables.train, tables.holdout):
        if path is not None:
            require_columns(FileSource(path=path).columns, schema.inputs)
            origin_of(path, allow_synthetic=allow_synthetic)


def _files(folder: RunFolder) -> tuple[Path, Path]:
    return folder.internal / "collapse.json", folder.internal / "collapse.html"


def _real(tables: Tables, schema: "Schema") -> Real:
    """Train and holdout under the study's schema, whose stated persons are those of the training part."""
    ledger = open_ledger(schema)  # in memory: only its keys are used
    train, held = tables.split(tables.read(schema), schema, ledger)
    codec = Codec(schema=schema)
    comparison = compare(train, held, train, codec=codec, key=bounding_key(ledger), claim=None)
    size = Real.of(comparison).size
    privacy = schema.privacy.model_copy(update={"persons": max(1, size)})
    study = Codec(schema=uncounted(schema.model_copy(update={"privacy": privacy})))
    return Real(comparison=replace(comparison, codec=study, _codes={}), size=size)


def _courses(
    real: Real, request: FitRequest, settings: Settings, folder: Path, progress: Progress
) -> dict[tuple[str, float], list[dict[str, Figure]]]:
    """The figures of every course, by generator and share of fresh records; generation by generation."""
    start = measure_decay(_as_synthetic(real.comparison))
    refits: dict[str, Refit] = {
        request.model: PrivateRefit(request=request, comparison=real.comparison, size=real.size, folder=folder)
    } | {
        name: BaselineRefit(generator=baseline, comparison=real.comparison, size=real.size)
        for name, baseline in BASELINES.items()
    }
    wanted = [(name, fresh) for name in refits for fresh in (0.0, settings.fresh)]
    running = {
        (name, fresh): course(refits[name], real, start, fresh=fresh, rng=rng)
        for (name, fresh), rng in zip(wanted, generator(settings.seed).spawn(len(wanted)), strict=True)
    }
    found = {key: [start] for key in running}
    for generation in range(1, settings.generations + 1):
        progress.start(f"Generation {generation}")
        for key, figures in running.items():
            found[key].append(next(figures))
    return found


def _as_synthetic(comparison: Comparison) -> Comparison:
    """The real table in the place of a synthetic one."""
    return replace(comparison, synthetic=comparison.train, synthetic_weights=comparison.train_weights, _codes={})
