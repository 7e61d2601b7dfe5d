"""The command line: arguments to pipeline to exit code. Nothing heavy is imported before a command runs."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from medsynth.console import emit as _emit
from medsynth.console import progress_of as _progress
from medsynth.ending import ending
from medsynth.options import (
    AllowSynthetic,
    AsJson,
    Budget,
    Card,
    Counts,
    Data,
    Delta,
    Drawing,
    Edition,
    Elsewhere,
    Epsilon,
    Fitting,
    Folder,
    Fresh,
    Generations,
    Given,
    Holdout,
    HoldoutShare,
    ModelName,
    Out,
    Overwrite,
    PaidHoldout,
    Replicated,
    Rows,
    Runs,
    SchemaOption,
    Seed,
    Setting,
    StudySeed,
    Target,
    Workers,
    flat,
    settings,
)
from medsynth.writing import exiting_on_signals

app = typer.Typer(
    name="medsynth",
    help="Differentially private synthetic tables, with the evidence to sign a release.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="--debug anywhere shows a traceback on errors; it may quote private values.",
)
schema_app = typer.Typer(help="Confirm or export a schema; print the JSON Schema.", no_args_is_help=True)
app.add_typer(schema_app, name="schema", rich_help_panel="TOOLS")
ledger_app = typer.Typer(help="Show, verify or raise the budget of a population.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger", rich_help_panel="TOOLS")

PLAIN, FITTING, ELSEWHERE = Drawing(), Fitting(), Elsewhere()
TOLD_TO_END = (129, 130, 143)  # by SIGHUP, SIGINT or SIGTERM


@app.command(rich_help_panel="START")
def demo(out: Out = Path("medsynth-demo"), overwrite: Overwrite = False, as_json: AsJson = False) -> None:
    """Run the main job on 101,766 real hospital stays that ship with medsynth."""
    from medsynth import pipeline

    _emit(pipeline.demo(out, overwrite=overwrite, progress=_progress("RUN")), as_json)


@app.command(rich_help_panel="START")
def init(
    data: Data,
    schema: Annotated[Path, typer.Option("-s", "--schema", metavar="FILE.yaml", help="Schema file to write.")],
    person: Annotated[str | None, typer.Option(metavar="COL", help="Column that identifies a person.")] = None,
    rows_are_persons: Annotated[bool, typer.Option("--rows-are-persons", help="Every row is a person.")] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draft a schema from a table; what was read from data is marked for a person to confirm."""
    from medsynth import pipeline

    _emit(pipeline.init(data, schema, person=person, rows_are_persons=rows_are_persons, overwrite=overwrite), as_json)


@app.command(rich_help_panel="START")
def check(
    data: Data, schema: SchemaOption, counts: Counts = None, overwrite: Overwrite = False, as_json: AsJson = False
) -> None:
    """Tell the steward what in a table breaks its schema (INTERNAL)."""
    from medsynth import pipeline

    _emit(pipeline.check(data, schema, counts=counts, overwrite=overwrite), as_json, otherwise=3)


@app.command(rich_help_panel="START")
def plan(
    schema: SchemaOption,
    epsilon: Epsilon = None,
    delta: Delta = None,
    model: ModelName = "adaptive",
    as_json: AsJson = False,
) -> None:
    """Say what the budget buys; reads no data."""
    from medsynth import pipeline

    _emit(pipeline.plan(schema, epsilon=epsilon, delta=delta, model=model), as_json)


@app.command(rich_help_panel="START")
@flat
def run(
    data: Data,
    schema: SchemaOption,
    out: Out,
    holdout: Holdout = None,
    holdout_share: HoldoutShare = 0.2,
    paid_holdout: PaidHoldout = None,
    fitting: Fitting = FITTING,
    rows: Rows = None,
    seed: Seed = None,
    drawing: Drawing = PLAIN,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Check, fit, sample, evaluate, audit and report, in one go."""
    from medsynth import pipeline

    result = pipeline.run(
        data,
        schema,
        out,
        holdout=holdout,
        holdout_share=holdout_share,
        paid_holdout=paid_holdout,
        **vars(fitting),
        n=rows,
        seed=seed,
        **drawing.how,
        overwrite=overwrite,
        progress=_progress("RUN"),
    )
    _emit(result, as_json)


@app.command(rich_help_panel="STEPS")
@flat
def fit(
    data: Data,
    schema: SchemaOption,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.medsynth", help="Model file to write.")],
    fitting: Fitting = FITTING,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Fit a model under differential privacy and write it as a file that can be shared."""
    from medsynth import pipeline

    options: Any = vars(fitting) | {"overwrite": overwrite, "progress": _progress("FIT")}
    _emit(pipeline.fit(data, schema, out, **options), as_json)


@app.command(rich_help_panel="STEPS")
@flat
def sample(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help=".parquet, .csv or .csv.gz.")],
    rows: Rows = None,
    seed: Seed = None,
    drawing: Drawing = PLAIN,
    card: Card = False,
    given: Given = None,
    setting: Setting = None,
    replicates: Replicated = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw synthetic records from a model file; costs no privacy."""
    from medsynth import pipeline

    asked: Any = {"given": given, "settings": settings(setting), "card": card, "overwrite": overwrite}
    asked |= {"replicates": replicates, "progress": _progress}
    result = pipeline.sample(model, out, n=rows, seed=seed, **drawing.how, **asked)
    _emit(result, as_json)


@app.command(rich_help_panel="STEPS")
@flat
def evaluate(
    folder: Folder = None,
    tables: Elsewhere = ELSEWHERE,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure fidelity and utility of a released table (INTERNAL)."""
    from medsynth import pipeline

    _emit(pipeline.evaluate(folder, **vars(tables), overwrite=overwrite, progress=_progress("MEASURE")), as_json)


@app.command(rich_help_panel="STEPS")
@flat
def audit(
    folder: Folder = None,
    tables: Elsewhere = ELSEWHERE,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Attack a released table (INTERNAL)."""
    from medsynth import pipeline

    _emit(pipeline.audit(folder, **vars(tables), overwrite=overwrite, progress=_progress("ATTACK")), as_json)


@app.command(rich_help_panel="STEPS")
def report(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of a run.")],
    edition: Annotated[Edition, typer.Option(help="Which edition to write.")] = Edition.BOTH,
    as_json: AsJson = False,
) -> None:
    """Write the report of a run again, from its scores."""
    from medsynth import pipeline

    _emit(pipeline.report(folder, edition=edition.value), as_json)


@app.command(rich_help_panel="EVIDENCE")
def verify(
    target: Target = None,
    model: ModelName = "adaptive",
    epsilon: Epsilon = None,
    runs: Runs = 1000,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Audit a fit on tiny worst-case tables; bounds epsilon from below, needs no private data."""
    from medsynth import verifying

    options: dict[str, Any] = {"model": model, "epsilon": epsilon, "runs": runs, "workers": workers}
    _emit(verifying.verified(target, **options, progress=_progress), as_json, otherwise=5)


@app.command(rich_help_panel="EVIDENCE")
def collapse(
    data: Data,
    schema: SchemaOption,
    out: Out,
    holdout: Holdout = None,
    holdout_share: HoldoutShare = 0.2,
    generations: Generations = 5,
    fresh: Fresh = 0.2,
    epsilon: Epsilon = None,
    delta: Delta = None,
    model: ModelName = "adaptive",
    seed: StudySeed = None,
    allow_synthetic: AllowSynthetic = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Refit a model on its own output and say how many generations are safe (INTERNAL)."""
    from medsynth.collapse import command

    tables: Any = {"holdout": holdout, "holdout_share": holdout_share, "allow_synthetic": allow_synthetic}
    fitting: Any = {"epsilon": epsilon, "delta": delta, "model": model, "seed": seed, "overwrite": overwrite}
    settings: Any = {"generations": generations, "fresh": fresh, "progress": _progress("COLLAPSE")}
    _emit(command.collapse(data, schema, out, **tables, **fitting, **settings), as_json)


@schema_app.command("confirm")
def schema_confirm(
    schema: Annotated[Path, typer.Argument(metavar="SCHEMA", help="A drafted schema file.")],
    column: Annotated[list[str] | None, typer.Option(metavar="COL", help="Only these columns; repeatable.")] = None,
    private: Annotated[bool, typer.Option("--private", help="As private: to be found under the ledger.")] = False,
    as_json: AsJson = False,
) -> None:
    """Confirm that what `init` read from the table is public knowledge (or private)."""
    from medsynth import pipeline

    _emit(pipeline.confirm(schema, columns=column, private=private), as_json)


@schema_app.command("json-schema")
def schema_json() -> None:
    """Print the JSON Schema of schema files, for editors."""
    from medsynth.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@schema_app.command("export")
def schema_export(
    schema: Annotated[str, typer.Argument(metavar="SCHEMA", help="A schema file, or the name of a shipped one.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.json", help="File to write.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="gx: a great-expectations suite.")] = "gx",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the schema and its rules for another tool, and say what that tool cannot express."""
    from medsynth import tools

    _emit(tools.export(schema, out, to=to, overwrite=overwrite), as_json)


@ledger_app.command("show")
def ledger_show(ledger: Budget, as_json: AsJson = False) -> None:
    """Show what was booked and what is left."""
    from medsynth import tools

    _emit(tools.ledger_show(ledger), as_json)


@ledger_app.command("verify")
def ledger_verify(ledger: Budget, as_json: AsJson = False) -> None:
    """Verify the hash chain; print its head, to be kept elsewhere."""
    from medsynth import tools

    _emit(tools.ledger_verify(ledger), as_json)


@ledger_app.command("set-limit")
def ledger_set_limit(
    ledger: Budget,
    epsilon: Annotated[float, typer.Argument(metavar="EPSILON", help="The population's new limit.")],
    thresholds: Annotated[
        bool, typer.Option("--thresholds", help="Keep a tenth of delta for thresholds: for private categories.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Change a population's limit; the change stays visible in the file."""
    from medsynth import tools

    _emit(tools.ledger_set_limit(ledger, epsilon, thresholds=thresholds), as_json)


@app.command(rich_help_panel="TOOLS")
def doctor(as_json: AsJson = False) -> None:
    """Show versions, extras, processors, memory and noise source of this machine."""
    from medsynth import tools

    _emit(tools.doctor(), as_json)


@exiting_on_signals()
def main() -> None:
    """Runs the command line and exits with the code of what happened."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app(arguments)
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code not in TOLD_TO_END:
            raise
        if len(arguments) < len(sys.argv) - 1 and isinstance(error, Exception):
            raise
        code, message = ending(error)
        typer.echo(f"medsynth: {message}", err=True)
        sys.exit(code)
