"""The whole path on a few hundred rows, as a user walks it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from medsynth import Synthesizer
from medsynth.errors import DataError, InputError, UsageError
from medsynth.privacy import Ledger
from medsynth.schema import load_schema, parse_schema

SCHEMA = ("-s", "clinic.yaml")


def parsed(ran: Any) -> dict[str, Any]:
    """The JSON a command printed: nothing but JSON, and JSON proper."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert ran.code == 0, ran.err
    values = json.loads(ran.out, parse_constant=refuse)
    assert isinstance(values, dict)
    return values


@pytest.fixture
def model(clinic: Path, command: Callable[..., Any]) -> Path:
    ran = command("fit", "visits.csv", *SCHEMA, "-o", "m.medsynth", "--model", "mst")
    assert ran.code == 0, ran.err
    return clinic / "m.medsynth"


def test_the_whole_path_from_a_table_to_a_report(clinic: Path, command: Callable[..., Any]) -> None:
    drafted = parsed(command("init", "visits.csv", "-s", "draft.yaml", "--person", "person", "--json"))
    assert {"age", "privacy.persons"} <= set(drafted["unconfirmed"])
    confirmed = parsed(command("schema", "confirm", "draft.yaml", "--json"))
    assert set(confirmed["confirmed"]) == set(drafted["unconfirmed"])
    assert parsed(command("check", "visits.csv", "-s", "draft.yaml", "--json"))["findings"] == []
    assert parsed(command("check", "visits.csv", *SCHEMA, "--json"))["ok"]

    planned = parsed(command("plan", *SCHEMA, "--json"))
    assert planned["guarantee"]["epsilon"] == pytest.approx(4.0)
    arguments = ("-o", "out", "--seed", 1, "-n", 200, "--upsample", "died:0.4", "--force", "--clean", "--json")
    ran = parsed(command("run", "visits.csv", *SCHEMA, *arguments))
    assert ran["rows"] == 200
    assert ran["upsampled"][0]["drawn"] == pytest.approx(0.4, abs=1 / 200)
    assert {"fidelity.tv2.train", "utility.auc.drop"} <= set(ran["scores"])
    for name in (
        "model.medsynth",
        "synthetic.parquet",
        "internal/run.json",
        "internal/scores.json",
    ):
        assert (clinic / "out" / name).is_file()

    before = json.loads((clinic / "out" / "internal" / "scores.json").read_text(encoding="utf-8"))
    assert parsed(command("evaluate", "out", "--json"))["edition"] == "internal"
    assert parsed(command("audit", "out", "--json"))["scores"]
    after = json.loads((clinic / "out" / "internal" / "scores.json").read_text(encoding="utf-8"))
    assert after == before  # the same persons are held out, the same seeds used
    pages = {edition: (clinic / "out" / edition / "report.html").read_bytes() for edition in ("internal", "shareable")}
    assert len(parsed(command("report", "out", "--json"))["files"]) == 4
    for edition, page in pages.items():
        assert (clinic / "out" / edition / "report.html").read_bytes() == page
        assert b"Records per person" in page
        assert b"weight rows by it to ask about records rather than persons" in page
        written = json.loads((clinic / "out" / edition / "report.json").read_text(encoding="utf-8"))
        assert written["sampling"]["clean_note"].endswith("doubtful records were not passed on.")
        rules = {score["name"]: score["value"] for score in written["scores"] if score["name"].startswith("rule.")}
        assert rules["rule.broken.synthetic"] == 0
        assert ("rule.broken.train" in rules) == (edition == "internal")


def test_a_table_made_elsewhere_is_judged_without_a_claim(
    clinic: Path, command: Callable[..., Any], visits: Callable[..., pd.DataFrame]
) -> None:
    visits(150, 5).drop(columns=["notes"]).to_csv(clinic / "theirs.csv", index=False)
    visits(150, 6).assign(person=lambda held: held["person"] + 900).to_csv("held.csv", index=False)
    files = ("--synthetic", "theirs.csv", "--train", "visits.csv", "--holdout", "held.csv")
    assert parsed(command("audit", *files, *SCHEMA, "-o", "judged", "--json"))["scores"]
    content = json.loads((clinic / "judged/shareable/report.json").read_text(encoding="utf-8"))
    assert content["guarantee"] is None
    assert not list(clinic.glob("*.ledger.jsonl"))


def test_plan_and_doctor_read_no_data(clinic: Path, command: Callable[..., Any]) -> None:
    (clinic / "visits.csv").unlink()
    assert parsed(command("plan", *SCHEMA, "--model", "independent", "--json"))["spending"]
    assert "opendp" in parsed(command("doctor", "--json"))["versions"]
    assert json.loads(command("schema", "json-schema").out)["$id"]
    assert {path.name for path in clinic.iterdir()} == {"clinic.yaml"}


@pytest.mark.parametrize("name", ["s.parquet", "s.csv", "s.csv.gz"])
def test_the_same_seed_gives_the_same_bytes(name: str, model: Path, command: Callable[..., Any]) -> None:
    found = []
    for seed in (7, 7, 8):
        options = ("-n", 120, "--seed", seed, "--upsample", "stroke:0.3", "--force", "--overwrite", "--json")
        parsed(command("sample", model, "-o", name, *options))
        found.append(model.with_name(name).read_bytes())
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_every_row_satisfies_what_was_asked_and_every_rule(model: Path, command: Callable[..., Any]) -> None:
    schema = load_schema("clinic.yaml")
    for text in (
        "age >= 65 and sex == 'F'",
        "diagnosis in codes('heart') or smoker is missing",
        "elderly == 'yes'",
        "outcome != 'dead' and admitted < '2020-04-01'",
        "charge >= 0",
    ):
        ran = command("sample", model, "-o", "w.parquet", "-n", 300, "--where", text, "--overwrite")
        assert ran.code == 0, ran.err
        frame = pd.read_parquet("w.parquet")
        assert len(frame) == 300
        assert schema.predicate(text).evaluate(frame, schema).all(), text
        assert all(rule.evaluate(frame, schema).all() for rule in schema.rule_predicates)
        assert frame["elderly"].eq("yes").equals(frame["age"].ge(65))
        assert frame["person"].is_unique


def test_an_upsampled_share_is_exact_to_rounding(model: Path, command: Callable[..., Any]) -> None:
    options = ("-n", 1_001, "--upsample", "died:0.4", "--upsample", "stroke:25%", "--force", "--seed", 2)
    assert command("sample", model, "-o", "u.parquet", *options).code == 0
    frame = pd.read_parquet("u.parquet")
    # Four strata, each rounded by less than one row; two of them make up a condition.
    assert abs((frame["outcome"] == "dead").sum() - 0.4 * 1_001) < 2
    assert abs((frame["diagnosis"] == "I63").sum() - 0.25 * 1_001) < 2
    assert frame["_weight"].mean() == pytest.approx(1.0)


def test_weights_restore_the_population(model: Path) -> None:
    synthesizer = Synthesizer.load(model)
    plain = synthesizer.sample(20_000, seed=1)
    raised = synthesizer.sample(20_000, seed=2, upsample={"died": 0.5}, force=True)
    weights = raised["_weight"]
    effective = weights.sum() ** 2 / (weights**2).sum()
    for name, value in (
        ("sex", "F"),
        ("outcome", "dead"),
        ("diagnosis", "I21"),
        ("elderly", "yes"),
    ):
        share = (plain[name] == value).mean()
        restored = np.average(raised[name] == value, weights=weights)
        error = np.sqrt(share * (1 - share) * (1 / 20_000 + 1 / effective))
        # Five standard errors: fails once in 1.7 million comparisons. The half per cent is for what
        # the rules cost: broken rows are drawn again among those of the same rare conditions.
        assert abs(restored - share) < 5 * error + 0.005, name


def test_a_sample_opens_no_private_file(model: Path, command: Callable[..., Any]) -> None:
    for path in model.parent.glob("*"):
        if path != model:
            path.unlink()
    assert command("sample", model, "-o", "s.csv", "-n", 30).code == 0
    assert len(pd.read_csv("s.csv")) == 30
    said = json.loads(Path("s.csv.provenance.json").read_text(encoding="utf-8"))
    assert (said["synthetic"], said["guarantee"]["epsilon"]) == (True, pytest.approx(4.0))


def test_without_n_as_many_rows_as_stated_persons_are_drawn(model: Path, command: Callable[..., Any]) -> None:
    assert parsed(command("sample", model, "-o", "s.csv", "--json"))["rows"] == 300
    assert parsed(command("sample", model, "-o", "none.parquet", "-n", 0, "--json"))["rows"] == 0
    assert list(pd.read_parquet("none.parquet")) == list(pd.read_csv("s.csv"))


def test_columns_come_back_as_declared(clinic_schema: str, visits: Callable[..., pd.DataFrame]) -> None:
    frame = Synthesizer(parse_schema(clinic_schema), model="independent").fit(visits(300, 1)).sample(200, seed=1)
    assert list(frame) == [
        "person",
        "age",
        "sex",
        "smoker",
        "insured",
        "charge",
        "admitted",
        "diagnosis",
        "outcome",
        "elderly",
        "_rows",
    ]
    assert frame["_rows"].between(1, 3).all()
    assert frame["age"].dtype.kind == "i"
    assert frame["age"].between(0, 99).all()
    assert list(frame["outcome"].cat.categories) == ["home", "ward", "dead"]
    assert frame["insured"].dtype == bool
    cents = frame.loc[frame["charge"] >= 0, "charge"] * 100
    assert np.allclose(cents, cents.round())
    assert frame["admitted"].dropna().between("2020-01-01", "2020-12-31").all()
    assert frame["person"].iloc[0] == "P-0001"


def test_the_class_has_the_manners_of_scikit_learn(
    clinic_schema: str, visits: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    ledger = Ledger(4.0, 1e-6, population="clinic", persons=300)
    synthesizer = Synthesizer(parse_schema(clinic_schema), epsilon=1.5, model="independent", ledger=ledger)
    assert synthesizer.get_params()["epsilon"] == 1.5
    assert synthesizer.set_params(epsilon=1.0).epsilon == 1.0
    for call in (
        lambda: synthesizer.sample(3),
        lambda: synthesizer.guarantee_,
        lambda: synthesizer.save("x"),
    ):
        with pytest.raises(NotFittedError):
            call()
    assert synthesizer.fit(visits(200, 2)) is synthesizer
    assert synthesizer.guarantee_.epsilon == pytest.approx(1.0)

    copied = clone(synthesizer)
    assert copied.ledger is ledger  # a copied budget would be a second one
    with pytest.raises(NotFittedError):
        copied.sample(3)

    synthesizer.save(tmp_path / "m.medsynth")
    loaded = Synthesizer.load(tmp_path / "m.medsynth")
    loaded.save(tmp_path / "again.medsynth")
    assert (tmp_path / "again.medsynth").read_bytes() == (tmp_path / "m.medsynth").read_bytes()
    first = synthesizer.sample(50, seed=3, where="age >= 18")
    for other in (synthesizer, loaded):
        pd.testing.assert_frame_equal(first, other.sample(50, seed=3, where="age >= 18"))
    assert not first.equals(synthesizer.sample(50, seed=4, where="age >= 18"))


def test_a_guarantee_speaks_of_the_schema_it_was_fitted_with(
    clinic_schema: str, visits: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    text = clinic_schema.replace("unit: person, persons: 300", "unit: person, noun: patient, persons: 280")
    for ledger in (None, tmp_path / "clinic.jsonl", Ledger(4.0, 1e-6, population="clinic", persons=9)):
        if isinstance(ledger, Path):  # made by a schema with other words
            Synthesizer(parse_schema(clinic_schema), epsilon=1, model="independent", ledger=ledger).fit(visits(50, 1))
        fitted = Synthesizer(parse_schema(text), epsilon=1, model="independent", ledger=ledger).fit(visits(50, 1))
        assert (fitted.guarantee_.unit, fitted.guarantee_.persons) == ("patient", 280)


def test_a_ledger_shared_in_memory_keeps_one_privacy_unit(
    clinic_schema: str, visits: Callable[..., pd.DataFrame]
) -> None:
    ledger = Ledger(4.0, 1e-6, population="clinic")
    by_person = "unit: person, persons: 300, bounding: {rule: weight, max: 3}"
    by_row = clinic_schema.replace(by_person, "rows_are_persons: true, persons: 300")
    Synthesizer(parse_schema(clinic_schema), epsilon=1, model="independent", ledger=ledger).fit(visits(50, 1))
    with pytest.raises(InputError, match="privacy unit is column 'person', not rows"):
        Synthesizer(parse_schema(by_row), epsilon=1, model="independent", ledger=ledger).fit(visits(50, 1))


def test_the_class_refuses_what_the_command_line_refuses(
    clinic_schema: str, visits: Callable[..., pd.DataFrame]
) -> None:
    schema = parse_schema(clinic_schema)
    with pytest.raises(DataError, match="'age'"):
        Synthesizer(schema).fit(visits(20, 1).drop(columns="age"))
    with pytest.raises(DataError, match="DataFrame"):
        Synthesizer(schema).fit(np.zeros((3, 3)))
    with pytest.raises(UsageError, match="gan"):
        Synthesizer(schema, model="gan").fit(visits(20, 1))
    with pytest.raises(UsageError, match="Epsilon"):
        Synthesizer(schema, epsilon=0).fit(visits(20, 1))
    fitted = Synthesizer(schema, model="independent").fit(visits(20, 1))
    for options in ({"n": -1}, {"seed": -1}, {"where": "age >"}, {"upsample": {"died": 2.0}}):
        with pytest.raises(UsageError):
            fitted.sample(**options)


def test_records_that_are_completed_are_not_called_synthetic(
    model: Path, command: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "begun.csv").write_text("sex\nF\nM\n", encoding="utf-8")
    ran = command("sample", model, "-o", tmp_path / "done.csv", "--given", tmp_path / "begun.csv", "--seed", 1)
    assert ran.code == 0, ran.err
    assert "2 completed records" in ran.out
    assert "synthetic records" not in ran.out
    assert pd.read_csv(tmp_path / "done.csv")["sex"].tolist() == ["F", "M"]
