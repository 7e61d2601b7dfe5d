"""Thousands of refits on tiny tables, through the callable that is audited and nothing else."""

import multiprocessing
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from medsynth.audit.release import Release, Trace, trace_of, trace_of_error, with_warnings
from medsynth.errors import UsageError

if TYPE_CHECKING:
    from medsynth.audit.canaries import Pair
    from medsynth.schema import Schema

CHUNK = 50
"""Fits of one world before it is the other's turn: what drifts in a process reaches both."""


class Fit(Protocol):
    """What is audited: a private table and its public description in, everything that is released out."""

    def __call__(self, table: pd.DataFrame, schema: "Schema", /) -> Release | pd.DataFrame: ...


class Refits:
    """Repeats a fit, in this process or in several.

    Args:
      fit: The callable; with several workers it must be picklable.
      workers: Processes; 1 stays in this one.
    """

    def __init__(self, fit: Fit, workers: int = 1) -> None:
        if workers < 1:
            raise UsageError(f"Workers must be 1 or more, got {workers}.")
        self._fit = fit
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    @contextmanager
    def running(self) -> Iterator["Refits"]:
        """Starts the processes and ends them."""
        if self._workers == 1:
            yield self
            return
        # Spawned everywhere: a fork would share state of the noise library, and does not exist on every system.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self._workers, mp_context=context, initializer=_end_with_parent) as pool:
            self._pool = pool
            try:
                yield self
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                self._pool = None

    def traces(self, pair: "Pair", runs: int) -> tuple[list[Trace], list[Trace]]:
        """Releases of `runs` fits without and `runs` fits with the person, in random order of arrival.

        Raises:
          UsageError: If a fit ends a process of the pool.
        """
        sizes = [min(CHUNK, runs - done) for done in range(0, runs, CHUNK)]
        tasks = [(self._fit, table, pair.schema, size) for size in sizes for table in (pair.without, pair.within)]
        try:
            found = list(map(_repeat, tasks) if self._pool is None else self._pool.map(_repeat, tasks))
        except BrokenProcessPool as error:
            raise UsageError(
                f"Pair {pair.name}: the fit ended its process (os._exit, a crash, too little memory, or a script "
                "without `if __name__ == '__main__':`); nothing was audited. Let it return or raise."
            ) from error
        return _joined(found[0::2]), _joined(found[1::2])


def _end_with_parent() -> None:
    """Lets no worker outlive the audit, however that ends: a worker alone would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _joined(parts: Sequence[list[Trace]]) -> list[Trace]:
    return [trace for part in parts for trace in part]


def _repeat(task: tuple[Fit, pd.DataFrame, "Schema", int]) -> list[Trace]:
    fit, table, schema, times = task
    return [_once(fit, table, schema) for _ in range(times)]


def _once(fit: Fit, table: pd.DataFrame, schema: "Schema") -> Trace:
    """One fit; what it raises or warns of is part of what it releases."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            released: Any = fit(table.copy(), schema)
        except (Exception, SystemExit) as error:  # an audit looks at every way a fit can end
            return with_warnings(trace_of_error(error), [str(warning.message) for warning in heard])
    return with_warnings(trace_of(released), [str(warning.message) for warning in heard])
