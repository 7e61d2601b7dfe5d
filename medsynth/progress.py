"""Progress with time left: a live line on a terminal, plain lines elsewhere, nothing when nobody listens.

The time left follows from how long each step typically takes beside the others and from how fast the steps so far went,
so it needs no count taken from private rows.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol, TextIO

TENTHS: Final = 10
"""Of a large table, each with its own step."""

FIT: Final = {
    "Reading and encoding the table": 0.6,
    "One-way tables": 1.2,
    "Pairs, round 1": 2.0,
    "Pairs, round 2": 4.4,
}
SAMPLE: Final = {"Drawing records": 4.7}
SAMPLE_LARGE: Final = {f"Drawing records, part {tenth} of 10": 10.0 for tenth in range(1, 11)}
MEASURE: Final = {
    "Measuring: marginals": 4.6,
    "Measuring: measured": 0.7,
    "Measuring: numbers": 0.2,
    "Measuring: missingness": 0.1,
    "Measuring: associations": 1.8,
    "Measuring: extremes": 0.2,
    "Measuring: coverage": 0.5,
    "Measuring: telling apart": 1.5,
    "Measuring: subgroups": 10.0,
    "Measuring: rare conditions": 0.7,
    "Measuring: rules": 1.5,
    "Measuring: validation": 4.0,
    "Measuring: utility": 7.5,
    "Measuring: importance": 8.0,
    "Measuring: fairness": 3.0,
    "Measuring: survival": 0.1,
    "Measuring: studies": 1.5,
    "Measuring: sdmetrics": 8.0,
}
VERIFY: Final = {
    f"Auditing: {pair}": 10.0
    for pair in (
        *("nobody", "unseen_category", "extreme_number", "all_missing", "rare_condition"),
        *("many_rows", "many_rows_kept", "flipped_selection"),
    )
} | {f"Auditing: {pair}": 25.0 for pair in ("private_labels", "private_threshold", "private_number")}
VERIFY_MODEL: Final = {f"Auditing: {pair}": 10.0 for pair in ("extreme_values", "all_missing", "many_rows")}
COLLAPSE: Final = {"Reading the tables": 5.0} | {f"Generation {number}": 20.0 for number in range(1, 6)}
ATTACK: Final = {
    "Attacking: copies": 4.1,
    "Attacking: membership": 1.9,
    "Attacking: singling out": 4.0,
    "Attacking: linkability": 2.0,
    "Attacking: attribute inference": 3.0,
    "Attacking: inside": 9.0,
}
RUN: Final = {"Checking the table": 6.4, **FIT, **SAMPLE, **MEASURE, **ATTACK, "Writing the report": 2.5}
"""Steps and their seconds on the demo's table (2 cores, 2026); what counts is their proportion."""


class Progress(Protocol):
    """Hears of steps; a label names the step and never holds a value or count taken from private rows."""

    def start(self, label: str) -> None: ...

    def finish(self) -> None: ...


def in_tenths(frames: Iterable[Any], number: int, progress: Progress) -> Iterator[Any]:
    """Chunks as they are drawn, with a word before each tenth of many."""
    tenths = [k * number // TENTHS for k in range(TENTHS)] if number > TENTHS else [0]
    chunks = iter(frames)
    for place in range(number):
        if place in tenths:
            tenth = f", part {tenths.index(place) + 1} of {TENTHS}" if len(tenths) > 1 else ""
            progress.start(f"Drawing records{tenth}")
        yield next(chunks)
    progress.finish()


class Silent:
    """Hears and says nothing."""

    def start(self, label: str) -> None:
        """Ignores the step."""

    def finish(self) -> None:
        """Ignores the end."""


class Forecast:
    """Seconds left, from the proportions of the steps and the pace so far."""

    def __init__(self, steps: Mapping[str, float], clock: Callable[[], float]) -> None:
        self._ahead = dict(steps)
        self._clock = clock
        self._began = clock()
        self._typical = 0.0

    def passed(self, label: str) -> None:
        """Notes that a step is done."""
        self._typical += self._ahead.pop(label, 0.0)

    @property
    def left(self) -> str:
        """Such as `about 12 s left`; blank where nothing is known."""
        ahead = sum(self._ahead.values())
        if not ahead:
            return ""
        pace = (self._clock() - self._began) / self._typical if self._typical else 1.0
        return f"about {ahead * pace:.0f} s left"


class Lines:
    """One plain line when a step starts, with the time left, and one when it ends, with the seconds it took."""

    def __init__(
        self,
        steps: Mapping[str, float],
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._forecast = Forecast(steps, clock)
        self._label = ""
        self._began = 0.0

    def start(self, label: str) -> None:
        """Names the step and says how long the rest may take."""
        self.finish()
        self._label, self._began = label, self._clock()
        left = self._forecast.left
        print(f"{label} ...{f' ({left})' if left else ''}", file=self._stream, flush=True)

    def finish(self) -> None:
        """Says how long the step took."""
        if self._label:
            print(f"{self._label}: {self._clock() - self._began:.1f} s", file=self._stream, flush=True)
            self._forecast.passed(self._label)
        self._label = ""


class LiveLine:
    """A spinner with the step, the time since the start and the time left, on standard error."""

    def __init__(self, steps: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bars
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        label, left = TextColumn("{task.description}"), TextColumn("{task.fields[left]}")
        columns = SpinnerColumn(), label, TimeElapsedColumn(), left
        self._bars = Bars(*columns, console=Console(stderr=True), transient=True)
        self._forecast = Forecast(steps, clock)
        self._task = self._bars.add_task("", total=None, left="")
        self._label = ""

    def start(self, label: str) -> None:
        """Shows the step and the time left."""
        self.finish()
        self._label = label
        self._bars.update(self._task, description=label, left=self._forecast.left)
        self._bars.start()

    def finish(self) -> None:
        """Takes the line away until the next step."""
        if self._label:
            self._forecast.passed(self._label)
            self._bars.stop()
        self._label = ""


def terminal_progress(steps: Mapping[str, float]) -> Progress:
    """A live line on a terminal, plain lines elsewhere."""
    return LiveLine(steps) if sys.stderr.isatty() else Lines(steps)
