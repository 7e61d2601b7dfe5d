"""Every figure that README and docs claim is the one that a benchmark measured."""

import importlib.util
import json
import platform
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _benchmark(name: str) -> Any:
    """A module of `benchmarks/`, which is no part of the package."""
    path = ROOT / "benchmarks" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"benchmarks_{name}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


claims, record = _benchmark("claims"), _benchmark("record")


def test_every_claimed_figure_was_measured() -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in claims.pages()}
    assert claims.complaints(pages) == []


def test_every_result_says_how_it_was_found() -> None:
    for path in sorted(claims.RESULTS.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        assert claims.lacking(result) == [], path.name
        assert re.fullmatch(r"[0-9a-f]{40}(\+changes)?", result["commit"]), path.name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    result = {
        "command": "python benchmarks/planted.py",
        "commit": "0" * 40,
        "seeds": [],
        "machine": {"processors": 2},
        "values": {
            "epsilon_1": {"tv2": 0.02914},
            "scores": {"fidelity.tv2.holdout": {"value": 0.1234}},
            "seconds": 143.4,
            "report_bytes": 912_345,
            "drop": -0.00004,
            "rows": 101_766,
            "name": "adult",
        },
    }
    (tmp_path / "planted.json").write_text(json.dumps(result), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "0.0291<!-- claim: planted:epsilon_1.tv2 -->",
        "| **0.03**<!-- claim: planted:epsilon_1.tv2 --> |",
        "2.9 %<!-- claim: planted:epsilon_1.tv2 -->",
        "in `12%`<!-- claim: planted:scores.fidelity.tv2.holdout.value -->",
        "143 s<!-- claim: planted:seconds -->",
        "2.4 min<!-- claim: planted:seconds -->",
        "0.91 MB<!--claim: planted:report_bytes-->",
        "0.000<!-- claim: planted:drop -->",
        "101,766<!-- claim: planted:rows -->",
        "101766<!-- claim: planted:rows -->",
    ],
)
def test_a_figure_rounded_as_printed_passes(text: str, folder: Path) -> None:
    assert claims.complaints({"page": text}, folder) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.0292<!-- claim: planted:epsilon_1.tv2 -->", "page:1: says 0.0292, measured 0.0291."),
        ("2.8 %<!-- claim: planted:epsilon_1.tv2 -->", "page:1: says 2.8%, measured 2.9%."),
        ("a\n142 s<!-- claim: planted:seconds -->", "page:2: says 142s, measured 143s."),
        ("101,767<!-- claim: planted:rows -->", "page:1: says 101,767, measured 101,766."),
        ("1<!-- claim: planted:rows.all -->", "page:1: planted.json has no value 'rows.all'."),
        ("1<!-- claim: planted:name -->", "page:1: 'name' of planted.json is not a figure."),
        (
            "1<!-- claim: absent:rows -->",
            "page:1: benchmarks/results/absent.json is missing. Run its benchmark.",
        ),
        (
            "none<!-- claim: planted:rows -->",
            "page:1: no figure stands before <!-- claim: planted:rows -->.",
        ),
        (
            "1<!-- claim: planted -->",
            "page:1: write <!-- claim: RESULT:PATH -->, not <!-- claim: planted -->.",
        ),
    ],
)
def test_a_wrong_or_unfounded_figure_is_found(text: str, sentence: str, folder: Path) -> None:
    assert claims.complaints({"page": text}, folder) == [sentence]


def test_a_page_can_be_corrected_and_keeps_its_decimals(folder: Path) -> None:
    text = "a **1.23**<!-- claim: planted:epsilon_1.tv2 -->, 9 s<!-- claim: planted:seconds --> b"
    fixed = "a **0.03**<!-- claim: planted:epsilon_1.tv2 -->, 143 s<!-- claim: planted:seconds --> b"
    assert claims.corrected(text, folder) == fixed
    assert claims.complaints({"page": fixed}, folder) == []


@pytest.mark.parametrize("key", claims.REQUIRED)
def test_a_figure_without_its_origin_is_found(key: str, folder: Path) -> None:
    file = folder / "planted.json"
    result = json.loads(file.read_text(encoding="utf-8"))
    del result[key]
    file.write_text(json.dumps(result), encoding="utf-8")
    text = "101,766<!-- claim: planted:rows -->"
    assert claims.complaints({"page": text}, folder) == [f"page:1: planted.json does not state {key}."]


def test_what_is_recorded_can_be_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "commit", lambda: "a" * 40)
    record.record("own", {"tv": {"2": 0.5}}, command="python x.py", seeds=[1], folder=tmp_path)
    assert claims.complaints({"page": "50 %<!-- claim: own:tv.2 -->"}, tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["own.json"]


def test_a_record_names_no_machine_and_no_path() -> None:
    text = json.dumps(record.machine())
    assert record.machine()["processors"] >= 1
    assert not re.search(r"[/\\]", text)
    assert len(platform.node()) < 3 or platform.node() not in text


@pytest.mark.parametrize(
    ("name", "values", "command"),
    [("a/b", {}, "c"), ("a", {}, " "), ("a", {"x": float("nan")}, "c")],
)
def test_a_record_that_cannot_be_claimed_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    values: dict[str, float],
    command: str,
) -> None:
    monkeypatch.setattr(record, "commit", lambda: "a" * 40)
    with pytest.raises(ValueError, match=r"finite|letters|command"):
        record.record(name, values, command=command, seeds=[], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
