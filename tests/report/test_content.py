import json
import math
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from types import ModuleType

import jsonschema
import numpy as np
import pytest

from medsynth.report import edition_of, report_json, report_json_schema
from medsynth.report.blocks import Drawing, Figure, Guarantee, Sampling
from medsynth.report.numbers import figure, interval, number
from medsynth.score import Chart, Edition, Score


def test_committed_schema_is_the_published_one() -> None:
    """Rewrite it with: python -m json.tool over report_json_schema(), indent 2."""
    committed = files("medsynth.report").joinpath("report.schema.json").read_text("utf-8")
    assert json.loads(committed) == report_json_schema()


@pytest.mark.parametrize("edition", list(Edition))
@pytest.mark.parametrize("hostile", [False, True])
def test_report_json_fits_the_published_schema(made: ModuleType, edition: Edition, hostile: bool) -> None:
    text = report_json(edition_of(made.example(hostile=hostile), edition))
    jsonschema.validate(json.loads(text), report_json_schema(), cls=jsonschema.Draft202012Validator)
    assert text.endswith(b"}\n")


def test_json_holds_null_where_a_figure_is_not_finite() -> None:
    score = Score(
        name="a", value=math.nan, low=-math.inf, high=np.float64(2.0), sentence="s",
        better="lower", edition=Edition.INTERNAL,
    )  # fmt: skip
    made = Figure.of(score)
    assert (made.value, made.low, made.high) == (None, None, 2.0)


def test_unprintable_and_misleading_characters_are_replaced() -> None:
    score = Score(
        name="a\x00b", value=0.0, sentence="x\u202ey\ud800z", better="lower",
        edition=Edition.INTERNAL,
    )  # fmt: skip
    made = Figure.of(score)
    assert (made.name, made.sentence) == ("a\ufffdb", "x\ufffdy\ufffdz")


def test_guarantee_keeps_what_else_the_accountant_states() -> None:
    made = Guarantee.model_validate({"epsilon": 1.0, "delta": 1e-6, "rho": 0.02, "persons": 9})
    assert made.details == {"rho": 0.02, "persons": 9}


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="rows"):
        Sampling.model_validate({"n": 1, "rows": 2})


def test_ledger_shares_are_of_the_squared_budget(made: ModuleType) -> None:
    content = made.example()
    assert math.isclose(sum(entry.share for entry in content.ledger), 1.0)
    first, second = content.ledger[:2]
    assert math.isclose(first.share / second.share, (0.091 / 0.046) ** 2)


@pytest.mark.parametrize(
    ("kind", "labels", "arrays"),
    [
        ("overlay", ("a", "b"), {"s": (1.0,)}),
        ("heatmap", ("a", "b"), {"m": (1.0, 2.0)}),
        ("curve", (), {"x": (1.0,), "s": (1.0, 2.0)}),
        ("intervals", ("a",), {"value": (1.0,)}),
    ],
)
def test_a_chart_with_arrays_of_wrong_length_is_refused(
    kind: str, labels: tuple[str, ...], arrays: dict[str, tuple[float, ...]]
) -> None:
    chart = Chart(
        name="fidelity.odd", kind="curve", title="t", labels=labels, arrays=arrays,
        edition=Edition.INTERNAL, sentence="s",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"fidelity\.odd"):
        Drawing.of(replace(chart, kind=kind))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "stated", "measured"),
    [
        (0.5, "0.5", "0.500"), (-0.0289, "\u22120.0289", "\u22120.0289"), (3.0, "3", "3"),
        (71518.4, "71,518", "71,518"), (-0.0, "0", "0"),
        (2.5e-6, "2.5 \u00d7 10\u207b\u2076", "2.5 \u00d7 10\u207b\u2076"),
        (None, "not stated", "not stated"), (math.nan, "not stated", "not stated"),
        (0.9999, "1", "1.000"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_readers(value: float | None, stated: str, measured: str) -> None:
    assert (number(value), figure(value)) == (stated, measured)


def test_both_ends_of_an_interval_have_the_same_decimals() -> None:
    assert interval(-0.011, 0.1) == "\u22120.011 to 0.100"
    assert interval(6.2, 116.6) == "6 to 117"


def test_importing_the_report_loads_nothing_heavy() -> None:
    heavy = "matplotlib|jinja2|pandas|scipy|duckdb|great_expectations"
    code = f"import sys, re, medsynth.report; print([m for m in sys.modules if re.fullmatch('{heavy}', m)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
