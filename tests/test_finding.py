"""What a schema leaves open is found under the ledger, at a declared cost, and every later step works with it."""

import json
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from medsynth import Ledger, Synthesizer, describe, describe_plan, load_schema
from medsynth.encoding.binning import stands_out
from medsynth.errors import BudgetError, SchemaError, UsageError
from medsynth.finding import DomainPlan, Search, Shares, find_domains
from medsynth.fitting import FitRequest, open_ledger
from medsynth.models import MODELS
from medsynth.models.model_file import load_model
from medsynth.planning import make_plan
from medsynth.privacy import mechanisms
from medsynth.schema import Schema, build_schema, parse_schema
from medsynth.schema.private import private_columns
from medsynth.sources.frame import FrameSource

KEY = bytes(range(64))
WARD = """\
medsynth: 1
dataset: {name: open ward}
privacy: {unit: who, persons: 3000, bounding: {rule: weight, max: 4}, epsilon: 8.0}
columns:
  who: {kind: id}
  age: {kind: integer, source: private, missing: true}
  cost: {kind: decimal, source: private, missing: true}
  day: {kind: date, source: private, missing: true}
  job: {kind: category, source: private, missing: true}
  died: {kind: boolean, "true": "yes", "false": "no"}
rare: [{name: old, where: "age >= 80 and job == 'nurse'"}]
rules: ["died == 'yes' implies age >= 20"]
utility: {target: died, positive: "yes"}
"""


def ward(n: int = 3000, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 90, n)
    return pd.DataFrame(
        {
            "who": np.arange(n),
            "age": age,
            "cost": np.round(rng.lognormal(5, 1, n), 2),
            "day": (pd.Timestamp("2015-03-01") + pd.to_timedelta(rng.integers(0, 1500, n), unit="D")).strftime(
                "%Y-%m-%d"
            ),
            "job": rng.choice(["nurse", "cook", "smith"], n, p=[0.5, 0.3, 0.2]),
            "died": np.where(rng.random(n) < age / 200, "yes", "no"),
        }
    )


def exact(values: npt.NDArray[np.int64], *, sigma: float) -> npt.NDArray[np.float64]:  # noqa: ARG001 (stands in for noise)
    return np.asarray(values / mechanisms.UNITS_PER_PERSON)


def small(columns: str, persons: int = 1000) -> Schema:
    return parse_schema(
        f"{{medsynth: 1, dataset: {{name: t}}, privacy: {{rows_are_persons: true, persons: {persons}, epsilon: 10}}, "
        f"columns: {{{columns}}}}}"
    )


def found_in(schema: Schema, frame: pd.DataFrame, search: Search | None = None) -> Schema:
    ledger = open_ledger(schema).allowance(schema.privacy.epsilon)
    mu2 = schema.privacy.domain_share * ledger.guarantee.mu**2
    return find_domains(FrameSource(frame=frame), schema, ledger, mu2=mu2, key=KEY, search=search).schema


@pytest.fixture
def without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mechanisms, "gaussian", exact)


@pytest.mark.usefixtures("without_noise")
def test_quantiles_of_whole_numbers_by_hand() -> None:
    # 64,000 persons, 1,000 of each age from 0 to 63, in 8 bins: borders at every eighth.
    schema = small("age: {kind: integer, source: private, bins: 8}", 64_000)
    column = found_in(schema, pd.DataFrame({"age": np.repeat(np.arange(64), 1000)})).columns["age"]
    assert (column.source, column.min, column.max, column.bins) == ("found", 0, 63, None)
    assert column.edges == (0, 8, 16, 24, 32, 40, 48, 56)


@pytest.mark.usefixtures("without_noise")
def test_a_heap_keeps_a_bin_of_its_own_and_an_empty_end_is_cut() -> None:
    # 30,000 persons at 40, 1,000 at each of 32 .. 47: in 4 bins a share is 11,500, so 40 stands alone.
    values = np.concatenate([np.full(30_000, 40), np.repeat(np.arange(32, 48), 1000)])
    column = found_in(
        small("x: {kind: integer, source: private, bins: 4}", 46_000), pd.DataFrame({"x": values})
    ).columns["x"]
    assert (column.min, column.max) == (32, 47)
    assert column.edges == (32, 40, 41)


@pytest.mark.usefixtures("without_noise")
def test_even_bins_lie_between_the_bounds_that_were_found() -> None:
    schema = small("age: {kind: integer, source: private}", 64_000)
    column = found_in(schema, pd.DataFrame({"age": np.repeat(np.arange(64), 1000)}), Search(bins="even")).columns["age"]
    assert (column.min, column.max, column.edges, column.bins) == (0, 63, None, 64)


@pytest.mark.usefixtures("without_noise")
def test_decimals_get_places_that_tell_their_width_apart() -> None:
    frame = pd.DataFrame(
        {"x": np.tile(np.linspace(0.5, 0.9999, 500), 100), "y": np.tile(np.linspace(-8e6, 8e6, 500), 100)}
    )
    text = "x: {kind: decimal, source: private}, y: {kind: decimal, source: private, places: 0}"
    schema = found_in(small(text, 50_000), frame)
    x, y = schema.columns["x"], schema.columns["y"]
    assert (x.min, x.max, x.places) == (0.5, pytest.approx(0.99999, abs=2e-5), 5)
    assert y.places == 0
    assert -(2**23) <= y.min <= -8e6 + 40_000
    assert 8e6 - 40_000 <= y.max <= 2**23
    assert y.edges is not None
    assert len(y.edges) >= 60


@pytest.mark.usefixtures("without_noise")
def test_dates_are_found_to_about_a_month() -> None:
    days = pd.date_range("2015-03-10", "2019-11-20").strftime("%Y-%m-%d")
    column = found_in(
        small("d: {kind: date, source: private}", 170_000), pd.DataFrame({"d": np.repeat(days, 100)})
    ).columns["d"]
    assert date(2015, 2, 25) <= column.min <= date(2015, 3, 10)
    assert date(2019, 11, 20) <= column.max <= date(2019, 12, 5)


@pytest.mark.usefixtures("without_noise")
def test_categories_above_the_threshold_are_found_and_the_others_are_not() -> None:
    schema = small("job: {kind: category, source: private, missing_codes: ['?']}")
    plan = make_plan(FitRequest(schema=schema))
    least = plan.smallest_category or 0
    assert 5 < least < 200
    jobs = ["b"] * least + ["a"] * 500 + ["rare"] * (least - 1) + ["?"] * 500 + [""] * 500 + ["x" * 200] * 500
    column = found_in(schema, pd.DataFrame({"job": jobs})).columns["job"]
    assert (column.values, column.other, column.source) == (("a", "b"), True, "found")


@pytest.mark.usefixtures("without_noise")
def test_categories_that_are_numbers_become_numbers_in_their_order() -> None:
    frame = pd.DataFrame({"g": [10, 9, 1] * 300})
    assert found_in(small("g: {kind: category, source: private}"), frame).columns["g"].values == (1, 9, 10)
    mixed = pd.DataFrame({"g": ["10", "9", "01", "b"] * 300})
    assert found_in(small("g: {kind: category, source: private}"), mixed).columns["g"].values == ("9", "10", "01", "b")


def test_what_nobody_holds_gives_a_domain_all_the_same() -> None:
    text = (
        "a: {kind: integer, source: private}, b: {kind: decimal, source: private}, "
        "c: {kind: date, source: private}, d: {kind: category, source: private}"
    )
    schema = found_in(small(text), pd.DataFrame({"a": [], "b": [], "c": [], "d": []}))
    # Noise alone stands out in one grid of 100: so often a bound may differ.
    assert schema.columns["d"].values == ()
    assert all(schema.columns[name].min < schema.columns[name].max for name in "abc")


def test_what_the_schema_names_is_always_part_of_what_is_found() -> None:
    schema = parse_schema(WARD.replace("age >= 80", "age >= 80.5").replace("'nurse'", "'pilot'"))
    found = found_in(schema, ward().iloc[:0])
    assert "pilot" in found.columns["job"].values
    assert found.columns["age"].max >= 81
    assert found.predicate("age >= 80.5 and job == 'pilot'").columns == {"age", "job"}


@pytest.mark.parametrize(
    "change",
    [
        {"job == 'nurse'": "job == '(other)'"},
        {"job == 'nurse'": "job != '(other)'"},
        {"job == 'nurse'": "job in ('(other)', 'cook')"},
        {'target: died, positive: "yes"': 'target: job, positive: "(other)"'},
    ],
)
def test_a_schema_that_names_all_others_is_fitted_and_drawn_from(change: dict[str, str]) -> None:
    text = WARD
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    synthesizer = Synthesizer(parse_schema(text), model="independent").fit(ward(300))
    drawn = synthesizer.sample(200, seed=1)
    assert "(other)" not in parse_schema(synthesizer.model_.schema).columns["job"].values
    assert list(drawn["job"].cat.categories).count("(other)") == 1


def test_a_schema_whose_cells_cannot_be_laid_out_is_refused_before_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = parse_schema(WARD)
    ledger = open_ledger(schema)

    def refusing(_: Schema) -> None:
        raise SchemaError("no cells")

    monkeypatch.setattr("medsynth.encoding.codec.build_cells", refusing)
    with pytest.raises(SchemaError, match="no cells"):
        Synthesizer(schema, ledger=ledger).fit(ward(20))
    assert ledger.entries == ()
    assert ledger.remaining_epsilon == pytest.approx(8.0)


THIN = """\
medsynth: 1
dataset: {name: thin}
privacy: {rows_are_persons: true, persons: 400, noun: patient, epsilon: 8.0}
columns:
  few: {kind: integer, source: private}
  all: {kind: integer, source: private}
"""


def test_persons_that_a_number_needs_to_stand_out_by_hand() -> None:
    schema = parse_schema(THIN)
    plan = make_plan(FitRequest(schema=schema))
    # A tenth of mu^2 for two columns, 0.3 of that for the first grid of 108 ranges; z = 4.43 there.
    sigma = (plan.guarantee.mu**2 * 0.1 / 2 * 0.3) ** -0.5
    assert plan.smallest_number == {name: math.ceil(stands_out(108) * sigma) for name in ("few", "all")}
    assert f"{plan.smallest_number['few']} for few" in "\n".join(describe_plan.planned(plan).lines)
    assert "many patients lie in one range" in "\n".join(describe_plan.planned(plan).lines)


@pytest.mark.usefixtures("without_noise")
@pytest.mark.parametrize(("more", "unseen"), [(0, ("few",)), (1, ())])
def test_a_number_that_does_not_stand_out_is_named(more: int, unseen: tuple[str, ...]) -> None:
    schema = parse_schema(THIN)
    least = make_plan(FitRequest(schema=schema)).smallest_number["few"]
    held = least - 1 + more
    frame = pd.DataFrame({"few": [70] * held + [None] * (400 - held), "all": [70] * 400})
    ledger = open_ledger(schema).allowance(8.0)
    mu2 = 0.1 * ledger.guarantee.mu**2
    found = find_domains(FrameSource(frame=frame), schema, ledger, mu2=mu2, key=KEY)
    assert found.unseen == unseen
    assert (found.schema.columns["few"].max == 1) is bool(unseen)


def test_what_did_not_stand_out_is_said_by_fit_and_report(
    tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An empty grid shows something with probability 0.001 at each of two steps; 400 persons miss with less than 1e-9.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(THIN, encoding="utf-8")
    pd.DataFrame({"few": [None] * 400, "all": [70] * 400}).to_parquet("t.parquet")
    sentence = "nothing stood out from the noise; 0 to 1 is assumed"
    fitted = command("fit", "t.parquet", "-s", "t.yaml", "-o", "m.medsynth", "--epsilon", 4, "--model", "independent")
    assert f"  few: {sentence}" in fitted.out
    assert f"  all: {sentence}" not in fitted.out
    ran = command("run", "t.parquet", "-s", "t.yaml", "-o", "out", "--epsilon", 4, "--model", "independent", "-n", 50)
    assert f"  few: {sentence}" in ran.out
    shared = (tmp_path / "out" / "shareable" / "report.json").read_text(encoding="utf-8")
    assert f"Schema: 'few': {sentence}." in shared
    assert f"'all': {sentence}" not in shared


def test_search_books_every_column_and_spends_its_share_and_no_more() -> None:
    schema = parse_schema(WARD)
    ledger = open_ledger(schema).allowance(8.0, thresholds=True)
    mu2 = 0.1 * ledger.guarantee.mu**2
    find_domains(FrameSource(frame=ward()), schema, ledger, mu2=mu2, key=KEY)
    assert [entry.label for entry in ledger.entries] == [
        "Domain of 'job': categories",
        *(f"Domain of '{name}': range" for name in ("age", "cost", "day")),
        *(f"Domain of '{name}': cells" for name in ("age", "cost", "day")),
    ]
    assert ledger.spent_mu2 == pytest.approx(mu2, rel=1e-12)
    assert 0 < ledger.spent_delta <= ledger.guarantee.thresholds == pytest.approx(1e-7)
    by_column = [
        sum(e.mu**2 for e in ledger.entries if f"'{name}'" in e.label) for name in ("job", "age", "cost", "day")
    ]
    assert by_column == pytest.approx([mu2 / 4] * 4)


@pytest.mark.parametrize("rule", ["weight, max: 4", "sample, max: 4", "last, max: 4, order: day"])
def test_every_bounding_rule_books_the_sensitivity_of_one_person(rule: str) -> None:
    schema = parse_schema(WARD.replace("weight, max: 4", rule))
    ledger = open_ledger(schema).allowance(8.0, thresholds=True)
    find_domains(FrameSource(frame=ward(200)), schema, ledger, mu2=0.4, key=KEY)
    assert {entry.sensitivity for entry in ledger.entries} == {1.0}
    assert ledger.spent_mu2 == pytest.approx(0.4)


def test_a_category_of_one_person_with_many_rows_is_all_but_never_found() -> None:
    # Each of 12 fits publishes it with probability below 1e-7.
    frame = pd.concat([ward(50), ward(4).assign(who=7, job="only one has this")])
    for _ in range(12):
        assert "only one has this" not in found_in(parse_schema(WARD), frame).columns["job"].values


def test_found_bounds_hold_most_of_a_table_with_noise() -> None:
    # A stray range is taken for full (0.001 a grid) and confirmed (0.07) with probability below 1e-4; noise is 4 to 10
    # persons of 3,000, so that what a category or a full range holds is missed with probability below 1e-9.
    found = found_in(parse_schema(WARD), ward())
    age, cost, job = (found.columns[name] for name in ("age", "cost", "job"))
    assert 16 <= age.min <= 24
    assert 85 <= age.max <= 127
    assert ward()["cost"].between(cost.min, cost.max).mean() > 0.9
    assert set(job.values) == {"cook", "nurse", "smith"}


@pytest.mark.parametrize("model", MODELS)
def test_a_fit_with_private_columns_spends_its_budget_and_samples_what_was_found(model: str) -> None:
    synthesizer = Synthesizer(parse_schema(WARD), model=model).fit(ward())
    guarantee = synthesizer.guarantee_
    spent = sum(entry["mu"] ** 2 for entry in synthesizer.model_.ledger)
    assert 0.95 * guarantee.mu**2 < spent <= guarantee.mu**2 * (1 + 1e-9)
    assert sum(entry["delta"] for entry in synthesizer.model_.ledger) <= guarantee.thresholds == pytest.approx(1e-7)
    assert synthesizer.model_.domains == (1, 2, 3, 4, 5, 6, 7)
    drawn = synthesizer.sample(500, where="job == 'nurse'", upsample={"old": 0.5}, seed=1)
    assert set(drawn["job"].dropna()) == {"nurse"}
    assert (drawn["age"] >= 80).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "bounding",
    [
        "sample, max: 3, count: true",
        "last, max: 2, order: day, count: true",
        "last, max: 3, order: age",
        "weight, max: 3",
    ],
)
def test_private_columns_are_found_and_drawn_where_persons_have_several_rows(bounding: str) -> None:
    # A stray range of ages or a lost category: probability below 1e-4, as for the bounds above.
    schema = parse_schema(WARD.replace("weight, max: 4", bounding))
    frame = pd.concat([ward(1500), ward(1500, seed=2)])  # the same persons twice
    synthesizer = Synthesizer(schema, model="independent").fit(frame)
    drawn = synthesizer.sample(300, seed=1)
    spent = sum(entry["mu"] ** 2 for entry in synthesizer.model_.ledger)
    assert spent <= synthesizer.guarantee_.mu**2 * (1 + 1e-9)
    assert ("_rows" in drawn) is ("count: true" in bounding or "weight" in bounding)
    assert {"cook", "nurse", "smith"} <= set(drawn["job"].dropna())
    assert drawn["age"].dropna().between(0, 127).all()
    assert len(drawn) == 300


def test_a_loaded_model_is_fitted_again_at_no_cost_for_domains(tmp_path: Path) -> None:
    Synthesizer(parse_schema(WARD), model="independent").fit(ward()).save(tmp_path / "m.medsynth")
    loaded = Synthesizer.load(tmp_path / "m.medsynth")
    found = load_model(tmp_path / "m.medsynth").schema
    loaded.fit(ward(seed=2))
    assert loaded.model_.schema == found
    assert (loaded.model_.domains, loaded.guarantee_.thresholds) == ((), 0)
    assert len(loaded.sample(40, seed=1, where="job == 'nurse' or job == '(other)'")) == 40


def test_a_date_that_does_not_stand_out_is_taken_to_lie_in_2000(tmp_path: Path) -> None:
    # An empty grid shows something with probability 0.001 at each of two steps.
    text = THIN.split("  few")[0] + "  seen: {kind: date, source: private}\n"
    Synthesizer(parse_schema(text), model="independent").fit(pd.DataFrame({"seen": [None] * 400})).save(
        tmp_path / "m.medsynth"
    )
    said = describe.found_lines(load_model(tmp_path / "m.medsynth"))
    assert said[1:] == ("  seen: nothing stood out from the noise; 2000-01-01 to 2000-12-31 is assumed",)


def test_a_saved_model_keeps_what_was_found_and_who_paid(tmp_path: Path) -> None:
    synthesizer = Synthesizer(parse_schema(WARD), model="independent").fit(ward())
    synthesizer.save(tmp_path / "m.medsynth")
    loaded = Synthesizer.load(tmp_path / "m.medsynth")
    assert loaded.guarantee_ == synthesizer.guarantee_
    pd.testing.assert_frame_equal(loaded.sample(50, seed=2), synthesizer.sample(50, seed=2))
    file = load_model(tmp_path / "m.medsynth")
    assert file.domains == (1, 2, 3, 4, 5, 6, 7)
    assert private_columns(parse_schema(file.schema)) == ()


def test_a_schema_that_was_found_can_be_fitted_again_at_no_cost_for_domains() -> None:
    first = Synthesizer(parse_schema(WARD), model="independent").fit(ward())
    again = Synthesizer(parse_schema(first.model_.schema), model="independent").fit(ward())
    assert again.model_.domains == ()
    assert again.guarantee_.thresholds == 0


def test_without_private_columns_nothing_is_kept_for_thresholds() -> None:
    schema = build_schema(
        {
            "medsynth": 1,
            "dataset": {"name": "x"},
            "privacy": {"rows_are_persons": True, "persons": 100},
            "columns": {"a": {"kind": "boolean"}, "b": {"kind": "integer", "source": "private"}},
        }
    )
    assert open_ledger(schema).guarantee.thresholds == 0
    assert make_plan(FitRequest(schema=schema)).smallest_category is None


def test_a_budget_made_without_thresholds_refuses_a_private_category_until_it_keeps_some(
    tmp_path: Path, command: Callable[..., Any]
) -> None:
    schema = parse_schema(WARD)
    path = tmp_path / "b.jsonl"
    Ledger(8.0, schema.delta_value, population="open ward", privacy_unit="column 'who'", path=path)
    synthesizer = Synthesizer(schema, epsilon=4.0, model="independent", ledger=path)
    with pytest.raises(BudgetError, match=r"keeps no part of delta for thresholds, which private categories need"):
        synthesizer.fit(ward(100))
    assert Ledger.open(path).entries == ()
    raised = command("ledger", "set-limit", path, 8.0, "--thresholds")
    assert "kept for thresholds: delta 1e-07 of the limit's, 0 of it spent" in raised.out
    synthesizer.fit(ward(100))
    assert 0 < Ledger.open(path).spent_delta < 1e-7


def test_a_plan_splits_the_budget_before_any_row_is_read() -> None:
    schema = parse_schema(WARD)
    plan = make_plan(FitRequest(schema=schema))
    assert plan.private == ("age", "cost", "day", "job")
    assert (plan.spending[0].label, plan.spending[0].share) == ("Private domains", 0.1)
    assert sum(phase.share for phase in plan.spending) == pytest.approx(1)
    more = make_plan(FitRequest(schema=parse_schema(WARD.replace("epsilon: 8.0", "epsilon: 8.0, domain_share: 0.2"))))
    assert more.spending[0].share == 0.2
    assert (more.smallest_category or 0) < (plan.smallest_category or 0)


def test_the_plan_of_the_domains_is_what_a_fit_books() -> None:
    schema = parse_schema(WARD)
    ledger = open_ledger(schema).allowance(8.0, thresholds=True)
    mu2 = 0.1 * ledger.guarantee.mu**2
    planned = DomainPlan.of(schema, mu2=mu2, delta=ledger.threshold_delta)
    find_domains(FrameSource(frame=ward()), schema, ledger, mu2=mu2, key=KEY)
    assert planned.tables == sum(entry.tables for entry in ledger.entries)
    assert planned.cells >= sum(entry.cells for entry in ledger.entries)
    assert planned.sigma == pytest.approx(max(entry.sigma_high or 0 for entry in ledger.entries))
    assert Shares.of(schema, mu2=mu2, delta=1e-7).sigma == pytest.approx(2 / math.sqrt(mu2))


def test_a_private_schema_judges_no_foreign_table(
    tmp_path: Path, command: Callable[..., Any], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.yaml").write_text(WARD, encoding="utf-8")
    ward(60).to_csv("a.csv", index=False)
    ward(60).assign(who=range(100, 160)).to_csv("b.csv", index=False)
    judged = command(
        "evaluate", "--synthetic", "a.csv", "--train", "a.csv", "--holdout", "b.csv", "-s", "w.yaml", "-o", "o"
    )
    assert judged.code == 3
    assert "says source: private, and only `fit` and `run` find what that leaves open" in judged.err


def test_from_a_draft_to_a_released_table_on_the_command_line(
    tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ward().to_csv("ward.csv", index=False)
    assert command("init", "ward.csv", "-s", "ward.yaml", "--person", "who").code == 0
    waiting = command("fit", "ward.csv", "-s", "ward.yaml", "-o", "m.medsynth")
    assert (waiting.code, "are not confirmed" in waiting.err) == (3, True)
    private = command("schema", "confirm", "ward.yaml", "--private")
    assert "age, cost, day, job" in private.out
    drafted = load_schema(tmp_path / "ward.yaml")
    assert private_columns(drafted) == ("age", "cost", "day", "job")
    assert command("schema", "confirm", "ward.yaml").code == 0
    planned = command("plan", "-s", "ward.yaml")
    assert "Private columns, to be found: age, cost, day, job." in planned.out
    assert "is not found but counted as (other)" in planned.out
    assert command("check", "ward.csv", "-s", "ward.yaml").code == 0
    options = ("--epsilon", "1", "--seed", 3, "-n", 200, "--model", "independent", "--where", "died == 'yes'")
    ran = command("run", "ward.csv", "-s", "ward.yaml", "-o", "out", *options)
    assert ran.code == 0, ran.err
    shown = command("ledger", "show", "ward.ledger.jsonl")
    assert "kept for thresholds: delta 1e-07" in shown.out
    assert "Domain of 'job': categories" in shown.out
    assert json.loads(command("ledger", "show", "ward.ledger.jsonl", "--json").out)["spent_delta"] <= 1e-7
    shared = (tmp_path / "out" / "shareable" / "report.json").read_text(encoding="utf-8")
    assert "were found under a budget, with noise" in shared
    content = json.loads(shared)
    assert [entry["label"] for entry in content["ledger"] if entry["delta"]] == ["Domain of 'job': categories"]
    assert content["guarantee"]["details"]["delta_kept_for_thresholds"] == pytest.approx(1e-7)
    page = (tmp_path / "out" / "shareable" / "report.html").read_text(encoding="utf-8")
    assert "Of delta, kept for thresholds" in page
    assert "delta 1e-07" in page


def test_a_fit_says_what_it_found(tmp_path: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.yaml").write_text(WARD, encoding="utf-8")
    ward().to_csv("w.csv", index=False)
    fitted = command("fit", "w.csv", "-s", "w.yaml", "-o", "m.medsynth", "--model", "independent")
    assert fitted.code == 0, fitted.err
    assert "Found under the budget:" in fitted.out
    assert "  job: 3 values, the rest as (other)" in fitted.out


@pytest.mark.parametrize("where", ["age > 'x'", "nothing == 1", "age >= 65", "job == 'value 1'", "day < '2010-01-01'"])
def test_a_wrong_condition_is_refused_before_the_budget(
    where: str, tmp_path: Path, command: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.yaml").write_text(WARD, encoding="utf-8")
    ward(50).to_csv("w.csv", index=False)
    ran = command("run", "w.csv", "-s", "w.yaml", "-o", "out", "--where", where)
    assert ran.code == 2
    assert "to 1048575" not in ran.err
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_condition_on_a_cut_that_the_schema_names_is_drawn(tmp_path: Path, command: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.yaml").write_text(WARD, encoding="utf-8")
    ward(300).to_csv("w.csv", index=False)
    options = ("--where", "age < 80 and job != 'nurse'", "--model", "independent", "-n", 50, "--seed", 1)
    ran = command("run", "w.csv", "-s", "w.yaml", "-o", "out", *options)
    assert ran.code == 0, ran.err
    drawn = pd.read_parquet(tmp_path / "out" / "synthetic.parquet")
    assert (drawn["age"].fillna(0) < 80).all()


def test_errors_name_the_fix() -> None:
    with pytest.raises(SchemaError, match=r"domain_share: must be at most 0.5"):
        parse_schema(WARD.replace("epsilon: 8.0", "epsilon: 8.0, domain_share: 0.9"))
    with pytest.raises(UsageError, match=r"Delta must be a number above 0 and at most 1e-06"):
        FitRequest(schema=parse_schema(WARD), delta=1e-3)
