"""Settings outside their public bounds, and a file given for another: refused before anything is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

FIT = ("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "independent")
PLAN = ("plan", "-s", "clinic.yaml", "--model", "independent")
RUN = ("run", "visits.csv", "-s", "clinic.yaml", "-o", "out", "--model", "independent")


@pytest.mark.parametrize("epsilon", ["500", "1000", "1e9", "1e-9", "1e-300"])
@pytest.mark.parametrize("command_line", [FIT, PLAN, RUN], ids=["fit", "plan", "run"])
def test_an_epsilon_outside_the_bounds_of_a_schema_makes_no_budget_file(
    epsilon: str, command_line: tuple[str, ...], clinic: Path, command: Callable[..., Any]
) -> None:
    before = sorted(clinic.iterdir())
    ran = command(*command_line, "--epsilon", epsilon)
    assert ran.code == 2, ran.out + ran.err
    assert "Epsilon must be a number from 0.001 to 100" in ran.err
    assert sorted(clinic.iterdir()) == before


@pytest.mark.parametrize("delta", ["0.9", "0.01", "1.1e-6"])
@pytest.mark.parametrize("place", ["--delta", "schema"])
@pytest.mark.parametrize("command_line", [FIT, PLAN, RUN], ids=["fit", "plan", "run"])
def test_a_delta_above_the_public_bound_makes_no_budget_file(
    command_line: tuple[str, ...], place: str, delta: str, clinic: Path, command: Callable[..., Any]
) -> None:
    if place == "schema":
        schema = clinic / "clinic.yaml"
        text = schema.read_text(encoding="utf-8")
        schema.write_text(text.replace("epsilon: 4.0", f"epsilon: 4.0, delta: {delta}"), encoding="utf-8")
    before = sorted(clinic.iterdir())
    ran = command(*command_line, *(("--delta", delta) if place == "--delta" else ()))
    assert ran.code == 2, ran.out + ran.err
    assert "Delta must be a number above 0 and at most 1e-06, got" in ran.err
    assert sorted(clinic.iterdir()) == before


@pytest.mark.usefixtures("clinic")
def test_a_negative_number_of_rows_is_told_from_a_great_one(command: Callable[..., Any]) -> None:
    ran = command(*RUN, "-n", "-5")
    assert (ran.code, "must not be negative" in ran.err, "writes more" in ran.err) == (2, True, False)


def test_a_table_given_as_ledger_is_called_no_budget_file(clinic: Path, command: Callable[..., Any]) -> None:
    table = (clinic / "visits.csv").read_bytes()
    (clinic / "last_year.csv").write_bytes(table)
    ran = command(*FIT, "--ledger", "last_year.csv")
    assert (ran.code, "is no budget file" in ran.err) == (3, True), ran.err
    assert (clinic / "last_year.csv").read_bytes() == table


@pytest.mark.parametrize("cell", ["F\rx", "F\r", "\r"])
def test_a_carriage_return_that_pandas_wrote_stops_no_fit(cell: str, clinic: Path, command: Callable[..., Any]) -> None:
    frame = pd.read_csv(clinic / "visits.csv", dtype=str, keep_default_na=False)
    frame.loc[3, "sex"] = cell
    frame.to_csv(clinic / "visits.csv", index=False)
    ran = command(*FIT)
    assert ran.code == 0, ran.err
    assert "\r" not in ran.out + ran.err
