"""A process told to end removes what is half-written."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsynth.writing import exiting_on_signals

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
FIT = ("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "independent")
CODE = "from medsynth.cli import main; main()"
SECONDS = 60


def parts(folder: Path) -> list[Path]:
    return list(folder.glob(".medsynth-*.part"))


@POSIX
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_process_told_to_end_leaves_no_half_table(name: str, clinic: Path, command: Callable[..., Any]) -> None:
    assert command(*FIT).code == 0
    before = sorted(clinic.iterdir())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = ("sample", "m.medsynth", "-o", "long.csv", "-n", "5000000000", "--seed", "1")
    with subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], cwd=clinic, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + SECONDS
        while not parts(clinic) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert parts(clinic), "nothing was begun"
        number = getattr(signal, name)
        process.send_signal(number)
        _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number
    assert "medsynth: interrupted" in said
    assert sorted(clinic.iterdir()) == before


@POSIX
def test_a_signal_that_is_ignored_stays_so_and_others_are_given_back() -> None:
    was = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with exiting_on_signals():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with exiting_on_signals():
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, was)


@POSIX
def test_a_second_signal_of_the_other_kind_does_not_cut_the_removal_short() -> None:
    was = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    removed = []

    def work() -> None:
        with exiting_on_signals():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGHUP)
                removed.append(True)

    try:
        with pytest.raises(SystemExit) as ended:
            work()
        assert (ended.value.code, removed) == (128 + signal.SIGTERM, [True])
    finally:
        for number, handler in was.items():
            signal.signal(number, handler)
