"""The whole story: check, plan, fit, sample, evaluate, audit, report, run.

private table + schema ──check──▶ fit (ledger) ──▶ model file ──▶ sample ──▶ synthetic table
                                                                      │
train and held-out persons ───────────────────────────▶ evaluate, audit ──▶ report, two editions
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from medsynth import describe
from medsynth.checking import check_table, doubts, origin, origins, refuse_unreadable, write_counts
from medsynth.describe_plan import planned
from medsynth.encoding.codec import Codec, require_columns
from medsynth.encoding.comparison import Comparison
from medsynth.errors import InputError, UsageError
from medsynth.estimand import row_meaning
from medsynth.fitting import FitRequest, bounding_key, claim_of, fit_model, open_ledger, require_sound
from medsynth.holdout import FITTED, Tables, compare
from medsynth.judging import attack, from_plain, measure, to_plain
from medsynth.models.model_file import ModelFile, load_model, save_model
from medsynth.outputs import (
    Result,
    RunFolder,
    require_apart,
    require_free_file,
    require_model_name,
    require_schema_name,
)
from medsynth.paying import allowance_for_figures, figures_on_held_out
from medsynth.planning import make_plan
from medsynth.privacy.budget_file import budget_path
from medsynth.privacy.ledger import Ledger
from medsynth.progress import TENTHS, Progress, Silent, in_tenths
from medsynth.publishing import card_of, provenance_of, write_card, write_report
from medsynth.recording import foreign_record, run_record
from medsynth.releasing import codec_of, release
from medsynth.replicating import Replicates, require_replicates, steps_of
from medsynth.sampling.how import How, generator, require_drawable
from medsynth.sampling.provenance import read_provenance, require_table_name, table_files, write_table
from medsynth.sampling.what_if import drawing_of, require_factual
from medsynth.schema import load_schema, uncounted
from medsynth.schema.private import stand_in
from medsynth.schema.table import ROWS_COLUMN
from medsynth.selecting import without_selection
from medsynth.sources.files import FileSource, read_frame
from medsynth.sources.frame import FrameSource

if TYPE_CHECKING:
    from medsynth.checking import Finding
    from medsynth.schema import Schema
    from medsynth.score import Evaluation

DEMO_DATA = Path(__file__).parent / "data" / "diabetes130"
DEMO_UPSAMPLE = {"died": 0.05}


def init(data: Path, out: Path, *, person: str | None, rows_are_persons: bool, overwrite: bool) -> Result:
    """Drafts a schema from a table; the draft is owner-only, and what was read from data is marked."""
    from medsynth.schema.draft import draft_schema

    require_apart({"DATA": data}, [out])
    require_schema_name(out)
    require_free_file(out, overwrite=overwrite)
    drafted = draft_schema(read_frame(data), name=out.stem, person=person, rows_are_persons=rows_are_persons)
    drafted.write(out)
    return describe.drafted(out, load_schema(out).unconfirmed)


def confirm(schema: Path, *, columns: Sequence[str] | None, private: bool) -> Result:
    """Turns `source: data` into public or private, on a person's word."""
    from medsynth.schema.confirm import confirm_schema

    confirmed = confirm_schema(schema, columns=columns, as_="private" if private else "public")
    return describe.confirmed(schema, confirmed, private=private, waiting=load_schema(schema).unconfirmed)


def check(data: Path, schema_name: str, *, counts: Path | None = None, overwrite: bool = False) -> Result:
    """Tells the steward, and nobody else, what in a table breaks its schema; `counts` is a file of the owner's."""
    if counts is not None:
        require_apart({"DATA": data, "-s": schema_name}, [counts])
        require_free_file(counts, overwrite=overwrite)
    schema = load_schema(schema_name)
    frame = read_frame(data)
    require_columns(frame.columns, schema.inputs)
    if counts is not None:
        write_counts(counts, frame, schema)
    return describe.checked(schema, check_table(frame, schema), doubts(frame, schema), counts=counts)


def plan(schema_name: str, *, epsilon: float | None, delta: float | None, model: str) -> Result:
    """Says what the budget buys; reads no data."""
    return planned(make_plan(FitRequest(schema=load_schema(schema_name), model=model, epsilon=epsilon, delta=delta)))


def fit(
    data: Path,
    schema_name: str,
    out: Path,
    *,
    epsilon: float | None = None,
    delta: float | None = None,
    model: str = "adaptive",
    ledger: Path | None = None,
    reward: bool = False,
    allow_synthetic: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Fits a model and writes it as one file that can be shared."""
    require_model_name(out)
    require_apart({"DATA": data, "-s": schema_name}, [out], ledger=ledger)
    require_free_file(out, overwrite=overwrite)
    schema = load_schema(schema_name)
    source = FileSource(path=data)
    mark = origin(data, source, schema, allow_synthetic=allow_synthetic)
    request = _sound_request(schema, model=model, epsilon=epsilon, delta=delta, reward=reward)
    fitted = fit_model(source, replace(request, mark=mark), _ledger_for(data, schema, ledger), progress or Silent())
    out.parent.mkdir(parents=True, exist_ok=True)
    save_model(out, fitted)
    return describe.fitted(out, fitted)


def sample(
    model: Path,
    out: Path,
    *,
    n: int | None = None,
    seed: int | None = None,
    given: Path | None = None,
    settings: Mapping[str, str] | None = None,
    card: bool = False,
    replicates: int | None = None,
    overwrite: bool = False,
    progress: Callable[[str | Mapping[str, float]], Progress] = lambda _: Silent(),
    **how: Any,
) -> Result:
    """Draws synthetic records, chunk by chunk into the file; opens none of the fit's data, costs no privacy.

    With `oversample` they are selected from a pool of so many times as many, with `keep` from that part of it; with
    `replicates` so many refits to simulated records follow the release.
    `progress` is asked for the steps by name once it is known how many rows there will be.
    """
    require_table_name(out)
    files = (*table_files(out), *([card_of(out)] if card else []))
    require_apart({"MODEL": model, "--given": given}, files)
    for written in files:
        require_free_file(written, overwrite=overwrite)
    How(**how)  # refuses an impossible wish before the model is read
    require_replicates(replicates, {**how, "given": given, "settings": settings})
    file = load_model(model)
    codec = codec_of(file)
    drawing: Any
    if replicates is not None:
        steps = progress(steps_of(replicates))
        drawing = Replicates(file, codec, n, generator(seed), number=replicates, progress=steps, **how)
    else:
        begun = None if given is None else read_frame(given)
        drawing = drawing_of(file.fitted, codec, generator(seed), n=n, given=begun, settings=settings, **how)
        steps = progress("SAMPLE_LARGE" if drawing.chunks > TENTHS else "SAMPLE")
    said = provenance_of(file) | drawing.said
    frames = in_tenths(drawing, drawing.chunks, steps) if replicates is None else drawing
    kinds = write_table(frames, out, said)
    summary, written_card = drawing.summary, card_of(out) if card else None
    if written_card:
        write_card(written_card, out, said, kinds, summary.rows, schema=codec.schema)
    declared = drawing.declared if isinstance(drawing, Replicates) else None
    return describe.sampled(out, summary, row_meaning(codec.schema), drawing.said, card=written_card, declared=declared)


def run(
    data: Path,
    schema_name: str,
    out: Path,
    *,
    holdout: Path | None = None,
    holdout_share: float = 0.2,
    paid_holdout: float | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    model: str = "adaptive",
    ledger: Path | None = None,
    reward: bool = False,
    n: int | None = None,
    seed: int | None = None,
    allow_synthetic: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **how: Any,
) -> Result:
    """Check, fit, sample, evaluate, audit, report; `how` rows are drawn: the fields of `How`.

    With `paid_holdout` that epsilon of the held-out persons' budget buys figures for the shareable edition.
    """
    progress = progress or Silent()
    folder = RunFolder.new(out, {"DATA": data, "--holdout": holdout, "-s": schema_name}, ledger, overwrite=overwrite)
    schema = load_schema(schema_name)
    request = _sound_request(schema, model=model, epsilon=epsilon, delta=delta, reward=reward)
    require_drawable(Codec(schema=stand_in(schema, how.get("where"))), n or 0, seed=seed, **how)
    tables = Tables(train=data, holdout=holdout, holdout_share=None if holdout else holdout_share, ledger=ledger)

    mark, frame, problems = _checked(tables, schema, progress, allow_synthetic=allow_synthetic)
    budget = _ledger_for(data, schema, ledger)
    paying, train, held = _split(tables, frame, request, budget, paid_holdout)
    folder.recover()
    request = replace(request, mark=mark, part=tables.side(FITTED))
    file = fit_model(FrameSource(frame=train), request, budget, progress)
    with folder.renewed() as new:
        drawn = release(file, new, n=n, seed=seed, progress=progress, **how)
        comparison = _compared(train, held, drawn.frame, file, budget)
        evaluations = _evaluated(comparison, held, paying, progress)
        plain = without_selection(file, drawn, comparison, seed=seed, progress=progress, **how)
        noted: Any = {"problems": problems, "unselected": plain}
        _keep(new, evaluations, progress, run_record(tables, drawn, seed=seed, paid=paying, **noted))
    return describe.finished(folder, file, drawn, evaluations, asked=how.get("upsample") or {}, **noted)


def _split(
    tables: Tables, frame: pd.DataFrame, request: FitRequest, budget: Ledger, paid_holdout: float | None
) -> tuple[Ledger | None, pd.DataFrame, pd.DataFrame]:
    """What figures on the held-out persons may spend, the rows to fit and those held out."""
    paying = None if paid_holdout is None else allowance_for_figures(paid_holdout, request, tables, budget)
    return paying, *tables.split(frame, request.schema, budget)


def _evaluated(
    comparison: Comparison, held: pd.DataFrame, paying: Ledger | None, progress: Progress
) -> "dict[str, Evaluation]":
    """What was paid for, then every metric and attack."""
    paid = {} if paying is None else {"paid": figures_on_held_out(comparison, held, paying)}
    return paid | measure(comparison, progress) | attack(comparison, progress)


def evaluate(folder: Path | None, **options: Any) -> Result:
    """Measures fidelity and utility of the table of a run, or of one made elsewhere."""
    return _judge(folder, measure, **options)


def audit(folder: Path | None, **options: Any) -> Result:
    """Attacks the table of a run, or one made elsewhere."""
    return _judge(folder, attack, **options)


def _judge(
    folder: Path | None,
    evaluators: Any,
    *,
    synthetic: Path | None = None,
    train: Path | None = None,
    holdout: Path | None = None,
    schema: str | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Result:
    if folder is not None:
        target = RunFolder(path=folder)
        comparison = _comparison_of_run(target)
        earlier, record = from_plain(target.read_internal("scores.json")), None
    else:
        if synthetic is None or train is None or holdout is None or schema is None or out is None:
            raise UsageError("Give the OUT folder of a run, or all of --synthetic, --train, --holdout, -s and -o.")
        target = RunFolder(path=out)
        read = {"--synthetic": synthetic, "--train": train, "--holdout": holdout, "-s": Path(schema)}
        require_apart(read, target.places)
        target.require_free(overwrite=overwrite)
        target.require_no_run()
        comparison = _comparison_of_files(synthetic, Tables(train=train, holdout=holdout), schema)
        earlier, record = {}, foreign_record(synthetic, comparison.schema)
    found = evaluators(comparison, progress or Silent())
    with nullcontext(target) if record is None else target.renewed() as new:
        _keep(new, earlier | found, Silent(), record)
    return describe.judged(target, found)


def _comparison_of_run(folder: RunFolder) -> Comparison:
    record = folder.read_internal("run.json")
    if record.get("tables") is None:
        raise InputError(
            f"{folder.path}: holds scores of a table made elsewhere. "
            "Give --synthetic, --train, --holdout, -s and -o again."
        )
    tables = Tables.of(record["tables"])
    _require_apart_from_tables(folder, record)
    file = load_model(folder.model)
    codec = codec_of(file)
    # Opened, never made: a new budget file has other keys, so other persons would be held out.
    ledger = Ledger.open(_ledger_path(tables.train, codec.schema, tables.ledger))
    train, holdout = tables.split(tables.read(codec.schema), codec.schema, ledger)
    return _compared(train, holdout, _released(folder.synthetic), file, ledger)


def _compared(
    train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, file: ModelFile, ledger: Ledger
) -> Comparison:
    return compare(train, holdout, synthetic, codec=codec_of(file), key=bounding_key(ledger), claim=claim_of(file))


def _require_apart_from_tables(folder: RunFolder, record: Mapping[str, Any]) -> None:
    """Refuses to write a report where a table or the budget of its run lies."""
    tables = record.get("tables") or {}
    require_apart({f"{part} of the run:": tables.get(part) for part in ("train", "holdout", "ledger")}, folder.places)


def _released(synthetic: Path) -> pd.DataFrame:
    """The rows of a synthetic table; what-if copies are refused, which no population holds."""
    frame = read_frame(synthetic)
    require_factual(frame, read_provenance(synthetic), synthetic.name)
    return frame


def _comparison_of_files(synthetic: Path, tables: Tables, schema_name: str) -> Comparison:
    released, schema = _released(synthetic), load_schema(schema_name)
    codec = Codec(schema=schema if ROWS_COLUMN in released.columns else uncounted(schema))
    ledger = open_ledger(codec.schema)  # in memory: only its keys are used, nothing is released
    train, holdout = tables.split(tables.read(codec.schema), codec.schema, ledger)
    require_columns(released.columns, codec.domain.names)
    return compare(train, holdout, released, codec=codec, key=bounding_key(ledger), claim=None)


def report(folder: Path, *, edition: str = "both") -> Result:
    """Writes the report of a run again, from its scores."""
    target = RunFolder(path=folder)
    _require_apart_from_tables(target, target.read_internal("run.json"))
    written = write_report(target, from_plain(target.read_internal("scores.json")), edition=edition)
    return describe.reported(written)


def demo(out: Path, *, overwrite: bool = False, progress: Progress | None = None) -> Result:
    """The main job on real hospital stays that ship with medsynth."""
    folder = RunFolder(path=out)
    folder.require_free(overwrite=overwrite)
    folder.make()
    # A fresh one: the ledger of an earlier demo belongs to its run, which stays until this one is whole.
    ledger = folder.internal / f"demo-{secrets.token_hex(4)}.ledger.jsonl"
    result = run(
        DEMO_DATA / "train.parquet",
        "diabetes130",
        out,
        holdout=DEMO_DATA / "holdout.parquet",
        ledger=ledger,
        seed=1,
        upsample=DEMO_UPSAMPLE,
        overwrite=True,
        progress=progress,
    )
    return describe.with_next_step(result)


def _sound_request(schema: "Schema", **asked: Any) -> FitRequest:
    request = FitRequest(schema=schema, **asked)
    require_sound(request)
    return request


def _checked(
    tables: Tables, schema: "Schema", progress: Progress, *, allow_synthetic: bool
) -> "tuple[Mapping[str, Any] | None, pd.DataFrame, tuple[Finding, ...]]":
    """The mark of a synthetic table, all rows, and what in them breaks the schema, before a budget is opened."""
    mark = origins(tables, schema, allow_synthetic=allow_synthetic)
    progress.start("Checking the table")
    frame = tables.read(schema)
    problems = check_table(frame, schema)
    refuse_unreadable(problems)
    return mark, frame, problems


def _keep(
    folder: RunFolder, evaluations: "Mapping[str, Evaluation]", progress: Progress, record: Mapping[str, Any] | None
) -> None:
    """Keeps the scores, then the record of a new run, and writes the report made of them."""
    progress.start("Writing the report")
    folder.write_internal("scores.json", to_plain(evaluations))
    if record is not None:
        folder.write_internal("run.json", record)
    write_report(folder, evaluations)
    progress.finish()


def _ledger_for(data: Path, schema: "Schema", ledger: Path | None) -> Ledger:
    """The population's budget file, by default beside the data."""
    return open_ledger(schema, _ledger_path(data, schema, ledger))


def _ledger_path(data: Path, schema: "Schema", ledger: Path | None) -> Path:
    return ledger or budget_path(data, schema.dataset.name)
