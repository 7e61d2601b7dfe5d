"""What `medsynth ledger`, `medsynth doctor` and `medsynth schema export` do, none of which opens a table."""

import json
from pathlib import Path

from medsynth import describe_tools
from medsynth.errors import UsageError
from medsynth.exports import EXPORTERS, Export
from medsynth.finding import THRESHOLD_SHARE
from medsynth.fitting import require_confirmed
from medsynth.outputs import Result, require_apart, require_free_file
from medsynth.privacy.ledger import Ledger
from medsynth.schema import load_schema
from medsynth.writing import make_folder, replace_file


def ledger_show(path: Path) -> Result:
    """What was booked for a population, and what is left."""
    return describe_tools.budget(path, Ledger.open(path))


def ledger_verify(path: Path) -> Result:
    """Verifies a budget file."""
    ledger = Ledger.open(path)
    return describe_tools.verified(path, ledger.verify())


def ledger_set_limit(path: Path, epsilon: float, *, thresholds: bool = False) -> Result:
    """Changes a population's limit; on request keeps the usual part of delta for thresholds."""
    ledger = Ledger.open(path)
    ledger.set_limit(epsilon, thresholds=THRESHOLD_SHARE * ledger.guarantee.delta if thresholds else None)
    return describe_tools.budget(path, ledger)


def doctor() -> Result:
    """Versions, extras and the machine."""
    return describe_tools.machine()


def export(schema_name: str, out: Path, *, to: str, overwrite: bool = False) -> Result:
    """Writes a schema and its rules in the words of another tool."""
    exporter = EXPORTERS[to]
    if not out.name.endswith(".json"):
        raise UsageError(f"{out.name}: exports are written as .json. Change the ending.")
    require_apart({"SCHEMA": schema_name}, [out])
    require_free_file(out, overwrite=overwrite)
    schema = load_schema(schema_name)
    require_confirmed(schema)  # a draft holds values that `init` read from the table
    exported: Export = exporter(schema)
    make_folder(out.parent)
    replace_file(out, (json.dumps(exported.content, indent=2, ensure_ascii=False) + "\n").encode())
    return describe_tools.exported(out, exported)
