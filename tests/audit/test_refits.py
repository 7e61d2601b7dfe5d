"""Every way a fit can end is part of what it releases, in one process or several."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from medsynth.audit import Release, one_marginal
from medsynth.audit.refits import Refits
from medsynth.errors import UsageError
from medsynth.schema import Schema
from medsynth.verifying import ImportedFit

PAIR = one_marginal()


def test_both_worlds_get_their_own_table_and_all_their_runs() -> None:
    def fit(table: pd.DataFrame, schema: Schema) -> Release:
        return Release(numbers={"rows": np.array(len(table))}, facts=frozenset({schema.dataset.name}))

    without, within = Refits(fit).traces(PAIR, 70)
    assert [trace.numbers["rows ()[0]"] for trace in without] == [0] * 70
    assert [trace.numbers["rows ()[0]"] for trace in within] == [1] * 70
    assert "canaries" in within[0].facts


def test_error_and_warning_are_kept_as_facts() -> None:
    def fit(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:  # noqa: ARG001
        warnings.warn("strange", stacklevel=1)
        raise RuntimeError("stop")

    without, _ = Refits(fit).traces(PAIR, 1)
    assert without[0].facts == {"raises RuntimeError: stop", "warns: strange"}
    assert without[0].error == "RuntimeError"


def test_exit_is_kept_as_a_fact() -> None:
    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        if len(table):
            sys.exit(0)
        return Release()

    without, within = Refits(fit).traces(PAIR, 2)
    assert [trace.error for trace in (*without, *within)] == ["", "", "SystemExit", "SystemExit"]
    assert within[0].facts == {"raises SystemExit: 0"}


def test_interrupt_is_no_fact() -> None:
    def fit(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:  # noqa: ARG001
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Refits(fit).traces(PAIR, 1)


def test_a_fit_cannot_change_the_table_of_the_next() -> None:
    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        found = list(table["ward"])
        table["ward"] = "changed"
        return Release(facts=frozenset(found))

    _, within = Refits(fit).traces(PAIR, 2)
    assert [sorted(trace.facts) for trace in within] == [["a"], ["a"]]


def test_several_processes_fit_and_end() -> None:
    with Refits(ImportedFit(module="os", name="getpid"), workers=2).running() as refits:
        without, within = refits.traces(PAIR, 3)
    # `os.getpid` takes no table: the error came from another process and is a fact.
    assert len(without) == len(within) == 3
    assert {trace.error for trace in (*without, *within)} == {"TypeError"}


@pytest.mark.parametrize("workers", [0, -1])
def test_no_worker_is_refused(workers: int) -> None:
    with pytest.raises(UsageError, match="Workers must be 1 or more"):
        Refits(ImportedFit(module="os", name="getpid"), workers)
