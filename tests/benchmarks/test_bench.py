"""The bench measures what it says, asks every tool alike, and fills no gap."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, Level

ROOT = Path(__file__).resolve().parents[2]
FAKE = """\
import sys
sys.path.insert(0, {folder!r})
from contract import serve

def fit(request):
    if request.mechanism == "slow":
        import time
        time.sleep(60)
    if request.mechanism == "broken":
        raise ValueError("no such column")
    short = 1 if request.mechanism == "short" else 0
    return lambda rows: request.codes[: rows - short]

serve(fit, ("numpy",))
"""


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Modules of `benchmarks/`, which is no part of the package."""
    before = list(sys.path)
    sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "benchmarks" / "peers")]
    try:
        import bench
        import bench_measures
        import bench_summary
        import bench_tasks
        import bench_tools
        import contract

        yield SimpleNamespace(
            cells=bench,
            measures=bench_measures,
            summary=bench_summary,
            tasks=bench_tasks,
            tools=bench_tools,
            contract=contract,
        )
    finally:
        sys.path[:] = before


def test_distance_is_half_the_sum_of_differences(bench: Any) -> None:
    real = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    drawn = np.array([[0, 0], [0, 0], [0, 0], [1, 1]])
    # shares 1/4 each against 3/4, 0, 0, 1/4: half of 1/2 + 1/4 + 1/4
    assert bench.measures.distance(real, drawn, [2, 2]) == 0.5
    assert bench.measures.distance(real, real, [2, 2]) == 0.0


def test_distance_counts_real_rows_by_their_weights(bench: Any) -> None:
    real, drawn = np.array([[0], [1]]), np.array([[0], [0], [0], [1]])
    assert bench.measures.distance(real, drawn, [2], np.array([1.5, 0.5])) == 0.0


def test_distance_of_a_huge_table_is_that_of_its_occurring_cells(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    real, drawn = rng.integers(0, 9, (50, 3)), rng.integers(0, 9, (60, 3))
    whole = bench.measures.distance(real, drawn, [9, 9, 9])
    monkeypatch.setattr(bench.measures, "MOST_CELLS", 10)
    assert bench.measures.distance(real, drawn, [9, 9, 9]) == pytest.approx(whole)


def test_worst_decile_of_few_is_the_worst(bench: Any) -> None:
    assert bench.measures.worst_decile(np.array([0.1, 0.4, 0.2])) == 0.4


def test_triples_beyond_five_hundred_are_a_fixed_sample(bench: Any) -> None:
    assert len(bench.measures.cliques_of(14, 3)) == 364
    first, again = bench.measures.cliques_of(24, 3), bench.measures.cliques_of(24, 3)
    assert first == again
    assert len(set(first)) == 500


def test_rows_inside_a_condition_are_compared_with_each_other(bench: Any) -> None:
    inside = Condition(boxes=({0: np.array([False, True])},))
    real = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
    drawn = np.array([[1, 0], [1, 1], [0, 0], [0, 0]])
    # inside: column 1 is 0, 0 in the real rows and 0, 1 in the drawn ones; column 0 is the condition's own
    assert bench.measures.conditional_error(inside, real, drawn, [2, 2]) == 0.5
    assert bench.measures.conditional_error(inside, real, drawn[2:], [2, 2]) == 1.0
    assert bench.measures.conditional_error(inside, real[2:], drawn, [2, 2]) is None
    assert bench.measures.share_error(inside, real, drawn[1:]) == pytest.approx(1 / 3)


def test_prediction_learned_on_one_class_is_chance(bench: Any) -> None:
    target = bench.tasks.Target(column=0, positive=np.array([False, True]), excluded=frozenset({"a"}))
    attributes = (Attribute(name="a", size=2), Attribute(name="b", size=2, ordered=2))
    rows = np.tile(np.array([[0, 0], [1, 1]], dtype=np.int32), (40, 1))
    weights = np.ones(len(rows))
    assert bench.measures.prediction(rows[::2], target, attributes, rows, weights) == 0.5
    assert bench.measures.prediction(rows, target, attributes, rows, weights) == 1.0


def test_no_person_is_on_both_sides(bench: Any) -> None:
    persons = np.repeat(np.arange(100), 3)
    out = bench.tasks.split(persons)
    assert set(persons[out]).isdisjoint(persons[~out])
    assert len(set(persons[out])) == 20


def test_every_person_gives_one_row(bench: Any) -> None:
    persons = np.array(["a", "b", "b", "c", "c", "c"])
    rows = bench.tasks.one_row_each(persons)
    assert sorted(persons[rows]) == ["a", "b", "c"]


def test_kept_rows_of_a_person_share_one_persons_weight(bench: Any) -> None:
    persons = np.array([7] * 25 + [8] * 2)
    kept, units = bench.tasks.kept_shares(persons)
    assert [int((persons[kept] == person).sum()) for person in (7, 8)] == [10, 2]
    assert units[persons[kept] == 7].sum() <= 2**20
    assert units[persons[kept] == 8].tolist() == [2**19, 2**19]


def test_a_condition_that_cuts_through_a_group_is_left_out(bench: Any) -> None:
    level = Level(attribute="a", groups=np.array([0, 0, 1], dtype=np.int32), size=2)
    whole = Condition(boxes=({0: np.array([True, True, False])},))
    cut = Condition(boxes=({0: np.array([True, False, False])},))
    assert bench.tasks.coarse_condition(whole, [level]).boxes[0][0].tolist() == [True, False]
    assert bench.tasks.coarse_condition(cut, [level]) is None


@pytest.fixture
def place(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A place whose only tool copies the data."""
    (tmp_path / "with_fake.py").write_text(FAKE.format(folder=str(bench.tools.PEERS)), encoding="utf-8")
    place = bench.tools.Place(peers=tmp_path, work=tmp_path, adapters=tmp_path)
    python = Path(sys.executable)
    monkeypatch.setattr(bench.tools.Place, "python", lambda *_: python)
    codes = np.array([[0, 2], [1, 1], [1, 0]], dtype=np.int32)
    level = np.array([0, 0, 1], dtype=np.int32)
    bench.contract.write_table(
        tmp_path / "table", codes, names=["a", "b"], sizes=[2, 3], ordered=[0, 3], hierarchies=[(), (level,)]
    )
    return place


def _run(bench: Any, place: Any, mechanism: str, rows: int = 3, limit: float = 30.0) -> dict[str, Any]:
    tool = bench.tools.Tool(library="fake", mechanism=mechanism)
    request = {"epsilon": 1.0, "delta": 1e-9, "seed": 0, "rows": rows}
    return dict(bench.tools.run(tool, place.work / "table", request, place.work / "out", place, limit))


def test_a_tool_answers_with_codes_time_and_memory(bench: Any, place: Any) -> None:
    found = _run(bench, place, "copy")
    assert found["status"] == bench.tools.DONE
    assert bench.tools.synthetic_of(place.work / "out").tolist() == [[0, 2], [1, 1], [1, 0]]
    assert found["seconds"] == pytest.approx(found["fit_seconds"] + found["sample_seconds"])
    assert found["versions"] == {"numpy": np.__version__}


def test_a_table_is_read_as_it_was_written(bench: Any, place: Any) -> None:
    _run(bench, place, "copy")
    request = bench.contract.read_request(place.work / "table", place.work / "out" / "request.json")
    assert (request.names, request.sizes, request.ordered) == (("a", "b"), (2, 3), (0, 3))
    assert [[h.tolist() for h in levels] for levels in request.hierarchies] == [[], [[0, 0, 1]]]
    assert request.weights is None


def test_a_tool_that_gives_fewer_rows_has_failed(bench: Any, place: Any) -> None:
    found = _run(bench, place, "short")
    assert found["status"] == bench.tools.FAILED
    assert "(3, 2) codes are wanted, got (2, 2)" in found["reason"]


def test_a_tool_that_breaks_leaves_its_last_words_without_paths(bench: Any, place: Any) -> None:
    found = _run(bench, place, "broken")
    assert found["status"] == bench.tools.FAILED
    assert found["reason"] == "ValueError: no such column"


def test_a_tool_past_its_limit_is_ended_and_recorded(bench: Any, place: Any) -> None:
    assert _run(bench, place, "slow", limit=1.0) == {"status": bench.tools.LATE, "limit_seconds": 1.0}


def test_an_absent_environment_is_recorded(bench: Any, tmp_path: Path) -> None:
    place = bench.tools.Place(peers=tmp_path, work=tmp_path)
    tool = bench.tools.TOOLS["dpmm_mst"]
    found = bench.tools.run(tool, tmp_path / "table", {}, tmp_path / "out", place, 1.0)
    assert found["reason"].startswith("no environment for dpmm")


@pytest.mark.parametrize(
    ("epsilon", "delta", "rho"), [(0.1, 1e-9, 0.000177), (1.0, 1e-9, 0.01497), (10.0, 1e-9, 1.091)]
)
def test_zero_concentrated_budget_matches_published_conversion(
    bench: Any, epsilon: float, delta: float, rho: float
) -> None:
    assert bench.contract.zcdp_of(epsilon, delta) == pytest.approx(rho, rel=5e-3)


def _finished(two: float, seconds: float = 1.0) -> dict[str, Any]:
    both = {"train": two, "holdout": two}
    return {"seed_0": {"status": "finished", "tv2": both, "tv3": both, "seconds": seconds}}


def test_summary_compares_with_the_best_peer_that_finished(bench: Any) -> None:
    late = {"seed_0": {"status": "did not finish", "limit_seconds": 1800.0}}
    runs = {
        "one": {
            "epsilon_1": {"medsynth": _finished(0.1), "dpmm_mst": _finished(0.2, 4.0), "opendp_mst": _finished(0.4)}
        },
        "two": {"epsilon_1": {"medsynth": _finished(0.2), "dpmm_mst": _finished(0.1), "dpsynth_aim": late}},
        "three": {"epsilon_1": {"medsynth": _finished(0.2)}},
    }
    found = bench.summary.summary({"runs": runs})
    two = found["epsilon_1"]["tv2.train"]
    assert two["geometric_mean_ratio"] == pytest.approx(1.0)  # of 1/2 and 2; the third has no peer
    assert (two["largest_at"], two["largest_ratio"]) == ("two", pytest.approx(2.0))
    assert two["tables"]["one"]["peer"] == "dpmm_mst"
    assert found["epsilon_1"]["seconds"]["dpmm_mst"]["one"] == 0.25
    assert "two, epsilon_1, dpsynth_aim: did not finish in 1800 s" in found["missing"]
    assert "three, epsilon_1, dpmm_mst: not run" in found["missing"]


def test_the_page_states_what_is_missing(bench: Any) -> None:
    failed = {"seed_0": {"status": "failed", "reason": "no memory"}}
    runs = {"thyroid": {"epsilon_1": {"medsynth": _finished(0.1), "dpmm_mst": failed}}}
    yardstick = {"tv2": {"train": 0.3}, "rows": 9, "columns": 2, "delta": 1e-6, "judge": True}
    values = {"runs": runs, "yardsticks": {"thyroid": {"floor": yardstick, "ceiling": yardstick} | yardstick}}
    page = bench.summary.markdown(values | {"summary": bench.summary.summary(values)})
    assert "| 1 | dpmm_mst | 1 | failed: no memory |" in page
    assert "| 1 | 0 | missing | missing | missing | missing | missing |" in page


def test_a_resumed_run_takes_what_has_no_result_or_failed(bench: Any) -> None:
    cells = bench.cells.cells_of(["medsynth", "dpmm_mst", "sdv_copula"], ["thyroid"], [1.0], [0])
    assert [(cell.tool, cell.epsilon) for cell in cells] == [("medsynth", 1.0), ("dpmm_mst", 1.0), ("sdv_copula", None)]
    runs = {"thyroid": {"epsilon_1": {"medsynth": _finished(0.1), "dpmm_mst": {"seed_0": {"status": "failed"}}}}}
    due = [cell.tool for cell in bench.cells.due(cells, {"runs": runs}, force=False)]
    assert due == ["dpmm_mst", "sdv_copula"]
    assert list(bench.cells.due(cells, {"runs": runs}, force=True)) == cells


def test_a_yardstick_without_privacy_is_no_peer(bench: Any) -> None:
    assert not {"sdv_copula", "sdv_ctgan", "medsynth", "medsynth_persons"} & set(bench.summary.PEERS)


def test_kept_results_state_every_cell() -> None:
    path = ROOT / "benchmarks" / "results" / "bench.json"
    values = json.loads(path.read_text(encoding="utf-8"))["values"]
    cells = [
        run for task in values["runs"].values() for at in task.values() for tool in at.values() for run in tool.values()
    ]
    assert cells
    assert all({"commit", "settings", "status"} <= set(run) for run in cells)
