"""What is left of a budget when its writers are killed: real programs, real fits, SIGKILL."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medsynth.privacy.budget import Entry
from medsynth.privacy.ledger import Ledger

WRITER = Path(__file__).with_name("writer.py")
KILLS = 50
GROWTH = 2_000
"""Bytes that the budget file grows by until a writer is killed, at most; a fit writes about 900."""
LONGEST = 0.01
"""Seconds from there to the kill, at most."""
PATIENCE = 0.15
"""Seconds without growth after which the budget is taken to be empty, as it is in the last rounds."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="writers are forked, which this system cannot")


class Program:
    """The program that starts writers."""

    def __init__(self) -> None:
        command = [sys.executable, str(WRITER)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin
        assert self.process.stdout
        self.into, self.out = self.process.stdin, self.process.stdout
        assert self.out.readline() == "ready\n"

    def start(self, mode: str, ledger: Path, log: Path) -> list[int]:
        """Process numbers of the writers started."""
        self.into.write(json.dumps([mode, str(ledger), str(log)]) + "\n")
        self.into.flush()
        return [int(number) for number in self.out.readline().split()]

    def end(self) -> None:
        """Lets it end by itself."""
        self.into.close()
        assert self.process.wait(timeout=30) == 0
        self.out.close()


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    started = Program()
    yield started
    started.end()


class Writers:
    """Writers of one budget file, and what they drew."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program, self.ledger, self.log = program, folder / "clinic.ledger.jsonl", folder / "drawn.log"
        self.log.touch()

    def start(self, mode: str) -> list[int]:
        """Process numbers of the writers started."""
        return self.program.start(mode, self.ledger, self.log)

    def drawn(self) -> Counter[int]:
        """Cells for which noise was drawn, by fit."""
        found: Counter[int] = Counter()
        for line in self.log.read_text(encoding="utf-8").splitlines():
            run, cells = line.split()
            found[int(run)] += int(cells)
        return found


@pytest.fixture
def writers(program: Program, tmp_path: Path) -> Writers:
    return Writers(program, tmp_path)


def wait_for_end(process: int) -> None:
    """Until a writer is gone; its parent leaves no trace of it."""
    for _ in range(3000):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError("a writer did not end")


def wait_for_growth(file: Path, grown: int) -> None:
    """Until a file has grown by so many bytes, or grows no more."""
    size, deadline = file.stat().st_size, time.monotonic() + PATIENCE
    wanted = size + grown
    while size < wanted and time.monotonic() < deadline:
        time.sleep(0.001)
        if file.stat().st_size > size:
            size, deadline = file.stat().st_size, time.monotonic() + PATIENCE


def booked(entries: tuple[Entry, ...]) -> Counter[int]:
    """Cells that were paid for, by fit."""
    found: Counter[int] = Counter()
    for entry in entries:
        found[entry.run] += entry.cells
    return found


def test_spend_is_never_lowered_and_never_above_the_limit_whenever_writers_are_killed(writers: Writers) -> None:
    # Two writers at a time fit until each is killed by SIGKILL at a moment of its own; the budget runs out on the way.
    rng = np.random.default_rng(5)
    before: tuple[Entry, ...] = ()
    for _ in range(KILLS // 2):
        for process in writers.start("fits"):
            wait_for_growth(writers.ledger, int(rng.integers(0, GROWTH)))
            time.sleep(rng.uniform(0, LONGEST))
            os.kill(process, signal.SIGKILL)
            wait_for_end(process)
            ledger = Ledger.open(writers.ledger)
            now = ledger.entries
            assert now[: len(before)] == before
            assert ledger.spent_mu2 <= ledger.guarantee.mu**2
            before = now
    drawn, paid = writers.drawn(), booked(before)
    assert len(drawn) > 10
    assert all(cells <= paid[run] for run, cells in drawn.items())
    assert [entry.number for entry in before] == list(range(1, len(before) + 1))
    Ledger.open(writers.ledger).verify()


def test_a_writer_killed_between_booking_and_drawing_leaves_the_cost_booked(writers: Writers) -> None:
    (process,) = writers.start("draw")
    wait_for_end(process)
    ledger = Ledger.open(writers.ledger)
    assert len(ledger.entries) == 1
    assert ledger.spent_mu2 > 0
    assert not writers.drawn()


def test_a_writer_killed_in_the_middle_of_a_line_drew_nothing_and_bars_nobody(writers: Writers) -> None:
    (process,) = writers.start("half")
    wait_for_end(process)
    assert not writers.ledger.read_bytes().endswith(b"\n")
    ledger = Ledger.open(writers.ledger)
    assert ledger.entries == ()
    assert not writers.drawn()
    (process,) = writers.start("draw")
    wait_for_end(process)
    assert len(Ledger.open(writers.ledger).entries) == 1
