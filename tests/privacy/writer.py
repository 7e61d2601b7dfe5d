"""A program of its own that forks writers on request: each fits one small table after the other until it is killed.

Reads lines "mode ledger log", made by `json.dumps`, and answers with the process numbers of the writers it started. The
log gets a line "run cells" before noise is drawn for so many cells of that fit.

    fits   two writers that fit until the budget is empty, then wait
    draw   one writer that dies by SIGKILL when it is about to draw
    half   one writer that dies by SIGKILL when half of a line is written
"""

import json
import os
import signal
import sys
import time
from typing import Any

import pandas as pd

from medsynth.errors import BudgetError
from medsynth.fitting import FitRequest, fit_model, open_ledger
from medsynth.privacy import budget_file, mechanisms
from medsynth.privacy.ledger import Ledger
from medsynth.progress import Silent
from medsynth.schema import parse_schema
from medsynth.sources.frame import FrameSource

SCHEMA = """\
medsynth: 1
dataset: {name: clinic}
privacy: {unit: who, persons: 1000, bounding: {rule: weight, max: 2}, epsilon: 1.0}
columns:
  sex: {kind: category, values: [F, M]}
  died: {kind: boolean}
"""
EPSILON = 0.1

schema = parse_schema(SCHEMA)
frame = pd.DataFrame({"who": range(40), "sex": ["F", "M"] * 20, "died": [True, False, False, False] * 10})
run, log = 0, ""
allow, draw, write = Ledger.allowance, mechanisms.gaussian, budget_file._write


def remembering(self: Ledger, *arguments: Any, **options: Any) -> Ledger:
    """Notes which fit has begun."""
    global run
    fit = allow(self, *arguments, **options)
    run = fit._run
    return fit


def telling(values: Any, **options: Any) -> Any:
    """Writes down what is about to be drawn, then draws."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, f"{run} {values.size}\n".encode())
    os.close(handle)
    return draw(values, **options)


def dying(*_: Any, **__: Any) -> Any:
    """Ends as if the power had gone."""
    os.kill(os.getpid(), signal.SIGKILL)


def halving(path: Any, data: bytes, how: int) -> None:
    """Writes half of an entry and dies."""
    if b'"kind":"entry"' not in data:
        write(path, data, how)
        return
    write(path, data[: len(data) // 2], how)
    dying()


def fit(path: str | None) -> None:
    """One small fit."""
    fit_model(
        FrameSource(frame=frame),
        FitRequest(schema=schema, model="independent", epsilon=EPSILON),
        open_ledger(schema, path),
        Silent(),
    )


def writer(mode: str, ledger: str) -> None:
    """Fits until killed."""
    Ledger.allowance = remembering  # type: ignore[method-assign]
    mechanisms.gaussian = dying if mode == "draw" else telling
    if mode == "half":
        budget_file._write = halving
    while True:
        try:
            fit(ledger)
        except BudgetError:
            time.sleep(60)


fit(None)  # whatever is imported late is imported before the first fork
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for line in sys.stdin:
    mode, ledger, log = json.loads(line)
    open_ledger(schema, ledger)
    started = []
    for _ in range(2 if mode == "fits" else 1):
        process = os.fork()
        if not process:
            writer(mode, ledger)
        started.append(process)
    print(*started, flush=True)
