"""What `medsynth plan` says of time and memory, from public facts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medsynth import describe
from medsynth.fitting import FitRequest
from medsynth.models import MODELS
from medsynth.planning import WITHIN, Forecast, make_plan
from medsynth.schema import load_schema

RESULT = Path(__file__).resolve().parents[1] / "benchmarks" / "results" / "plan_forecast.json"
FACTS = {"persons": 10_000, "columns": 20, "tables": 100, "cells": 5_000}


def test_a_forecast_is_the_line_worked_by_hand() -> None:
    forecast = Forecast.of(**FACTS)
    assert forecast.seconds == pytest.approx(200_000 * 3.7e-7 + 100 * 6e-4 + 5_000 * 32e-6)
    assert forecast.bytes == (210 << 20) + 200_000 * 38 + 200_000 * 2 + 10_000 * 40


def test_the_pairs_that_a_model_keeps_take_memory_once_the_rows_are_read() -> None:
    rows = 200_000 * 38
    few, many = (Forecast.of(**FACTS, pair_cells=cells).bytes for cells in (rows // 130, 2 * rows // 130 + 1))
    assert few == Forecast.of(**FACTS).bytes
    assert rows < many - few < rows + 2 * 130


def test_only_a_model_that_measures_pairs_is_foretold_to_keep_them() -> None:
    schema = load_schema("credit_default")
    forecasts = {model: make_plan(FitRequest(schema=schema, model=model)).forecast for model in MODELS}
    assert forecasts["independent"].bytes < forecasts["adaptive"].bytes


@pytest.mark.parametrize("fact", FACTS)
def test_more_of_anything_takes_no_less(fact: str) -> None:
    little, much = Forecast.of(**FACTS), Forecast.of(**FACTS | {fact: 10 * FACTS[fact]})
    assert much.seconds > little.seconds
    assert much.bytes >= little.bytes


def test_memory_grows_little_beyond_one_reading_of_rows() -> None:
    million, two = (Forecast.of(**FACTS | {"persons": persons}).bytes for persons in (1_000_000, 2_000_000))
    assert two - million < 1_000_000 * 20 * 38 / 4


def test_plan_states_time_memory_and_how_far_they_may_be_off(clinic: Path, command: Callable[..., Any]) -> None:
    (clinic / "visits.csv").unlink()  # no row is read
    ran = command("plan", "-s", "clinic.yaml")
    assert ran.code == 0
    assert "The fit takes a few seconds at most" in ran.out
    assert "MB of memory" in ran.out
    values = json.loads(command("plan", "-s", "clinic.yaml", "--json").out)
    assert values["fit_seconds"] > 0
    assert values["fit_bytes"] > 200e6


def test_a_long_fit_is_told_in_minutes() -> None:
    plan = make_plan(FitRequest(schema=load_schema("adult")))
    said = describe.planned(replace(plan, forecast=Forecast(seconds=720.0, bytes=3 * 10**9))).lines[-1]
    assert said.startswith("The fit takes about 12 min (3 min to 48 min")
    assert "3,000 MB" in said


def test_the_stated_factors_held_where_they_were_measured() -> None:
    if not RESULT.is_file():
        pytest.skip("benchmarks/plan_forecast.py was not run yet: its result is missing")
    values = json.loads(RESULT.read_text(encoding="utf-8"))["values"]
    assert values["factor_seconds"]["nine_in_ten"] <= WITHIN
    assert values["factor_bytes"]["largest"] <= 4 / 3
