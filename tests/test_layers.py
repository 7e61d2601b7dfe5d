"""Imports point down, and nothing heavy or optional is imported before it is needed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import medsynth

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("pandas", "numpy", "scipy", "duckdb", "matplotlib", "sklearn", "great_expectations")
OPTIONAL = ("torch", "opacus", "sdv", "sdmetrics", "lifelines")


def _run(code: str, *, folder: Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that finds the same medsynth as these tests."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(medsynth.__file__).parents[1])},
        timeout=300,
        check=False,
    )


def _imported_by(statement: str, among: tuple[str, ...]) -> list[str]:
    printing = f"import sys\n{statement}\nprint(*sorted(set({among!r}) & sys.modules.keys()))"
    done = _run(printing, folder=Path(sys.executable).parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_linter_keeps_every_contract() -> None:
    if importlib.util.find_spec("importlinter") is None:
        pytest.skip('import-linter is not installed: it comes with ".[dev]"')
    linting = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = _run(linting, folder=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("statement", ["import medsynth", "import medsynth.cli"])
def test_nothing_heavy_is_imported_before_a_command_runs(statement: str) -> None:
    assert _imported_by(statement, HEAVY + OPTIONAL) == []


def test_no_optional_library_is_imported_by_the_base() -> None:
    """Every module and every registered name; an extra's library is imported when it is used."""
    statement = (
        "import importlib, pkgutil, medsynth\n"
        "for module in pkgutil.walk_packages(medsynth.__path__, 'medsynth.'):\n"
        "    importlib.import_module(module.name)\n"
        "from medsynth.fidelity import FIDELITY\n"
        "from medsynth.leakage import ATTACKS\n"
        "from medsynth.models import MODELS\n"
        "from medsynth.sources import SOURCES\n"
        "for registry in (FIDELITY, ATTACKS, MODELS, SOURCES):\n"
        "    assert all(callable(registry[name]) for name in registry)"
    )
    assert _imported_by(statement, OPTIONAL) == []
