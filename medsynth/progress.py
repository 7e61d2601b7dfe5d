"""Progress with time left: a live line on a terminal, plain lines elsewhere, nothing when nobody listens."""

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO


class Progress(Protocol):
    """Hears of steps; a label names the step and never holds a value or count taken from private rows."""

    def start(self, label: str, total: int = 1) -> None: ...

    def advance(self, steps: int = 1) -> None: ...

    def finish(self) -> None: ...


class Silent:
    """Hears and says nothing."""

    def start(self, label: str, total: int = 1) -> None:
        """Ignores the step."""

    def advance(self, steps: int = 1) -> None:
        """Ignores the advance."""

    def finish(self) -> None:
        """Ignores the end."""


class Lines:
    """One plain line when a step starts and one when it ends, with the seconds it took."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._label = ""
        self._began = 0.0

    def start(self, label: str, total: int = 1) -> None:  # noqa: ARG002 (a live line shows it)
        """Names the step."""
        self.finish()
        self._label, self._began = label, self._clock()
        print(f"{label} ...", file=self._stream, flush=True)

    def advance(self, steps: int = 1) -> None:
        """Says nothing between start and end."""

    def finish(self) -> None:
        """Says how long the step took."""
        if self._label:
            print(f"{self._label}: {self._clock() - self._began:.1f} s", file=self._stream, flush=True)
        self._label = ""


def terminal_progress() -> Progress:
    """A live bar with time left on a terminal, plain lines elsewhere."""
    return LiveBar() if sys.stderr.isatty() else Lines()


class LiveBar:
    """A bar with the time left, on standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("left"),
            TimeRemainingColumn(), console=Console(stderr=True), transient=False,
        )  # fmt: skip
        self._task: int | None = None

    def start(self, label: str, total: int = 1) -> None:
        """Opens a bar of `total` steps."""
        self.finish()
        self._bars.start()
        self._task = self._bars.add_task(label, total=total)

    def advance(self, steps: int = 1) -> None:
        """Moves the bar."""
        if self._task is not None:
            self._bars.advance(self._task, steps)  # type: ignore[arg-type]

    def finish(self) -> None:
        """Fills and closes the bar."""
        if self._task is not None:
            task = self._bars.tasks[-1]
            self._bars.update(task.id, completed=task.total)
            self._bars.stop()
        self._task = None
