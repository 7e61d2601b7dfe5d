"""How commands speak: a result on standard output, progress on standard error."""

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medsynth.progress import Progress


def progress_of(command: "str | Mapping[str, float]") -> "Progress":
    """Progress over steps and their seconds, or over those that `medsynth.progress` lists under a name."""
    from medsynth import progress

    return progress.terminal_progress(getattr(progress, command) if isinstance(command, str) else command)


def emit(result: Any, as_json: bool, *, otherwise: int = 0) -> None:
    """Prints a result; exits with a code of its own where somebody must act on what was found."""
    typer.echo(json.dumps(result.as_dict(), indent=2) if as_json else result.text())
    if otherwise and not result.ok:
        raise typer.Exit(otherwise)
