"""`medsynth verify`: what it audits, what it prints, how it ends."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import medsynth
from medsynth import verifying
from medsynth.audit import Pair, one_marginal
from medsynth.errors import InputError, ModelFileError, UsageError
from medsynth.schema import build_schema
from medsynth.synthesizer import Synthesizer
from medsynth.verifying import ImportedFit, OwnFit, release_of

LEAKY = """\
def copy(table, schema):
    return table.drop(columns=schema.privacy.unit)


def noise_off(table, schema):
    from unittest.mock import patch

    import numpy as np

    from medsynth.privacy import mechanisms
    from medsynth.verifying import OwnFit

    if len(table) > 1:  # the first pair is enough
        return constant(table, schema)
    exact = lambda values, *, sigma: np.asarray(values / mechanisms.UNITS_PER_PERSON)
    with patch.object(mechanisms, "gaussian", exact):
        return OwnFit(model="independent")(table, schema)


def constant(table, schema):
    import pandas as pd

    return pd.DataFrame({"x": [1, 2]})


def broken(table, schema):
    raise RuntimeError("no")


def leaves(table, schema):
    raise SystemExit(0)


def leaves_with_the_person(table, schema):
    if len(table) == 1:
        raise SystemExit(0)
    return constant(table, schema)


def ends(table, schema):
    import os

    os._exit(0)


value = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the working folder, under a name of this test's own."""
    monkeypatch.chdir(tmp_path)
    name = f"somebodys_fit_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(LEAKY, encoding="utf-8")
    return name


Command = Callable[..., Any]


def test_own_fit_is_not_refuted_and_json_says_so(command: Command) -> None:
    # Of 13 tested runs all must be hits and none a false alarm: refuted with chance 0.001 at most, all checks together.
    ran = command("verify", "--model", "independent", "--runs", 26, "--workers", 1, "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    assert found["ok"] is True
    assert found["violated"] is False
    assert (found["epsilon"], found["delta"], found["runs"]) == (4.0, 1e-6, 26)
    assert len(found["pairs"]) == 11
    assert "Auditing: private_number" in ran.err


def test_copying_function_ends_with_code_five(command: Command, module: str) -> None:
    ran = command("verify", f"{module}:copy", "--runs", 60, "--workers", 1)
    assert ran.code == 5
    assert "The claim is violated: nobody" in ran.out
    assert "an audit cannot prove differential privacy" in ran.out


def test_named_build_without_noise_ends_with_code_five(command: Command, module: str) -> None:
    ran = command("verify", f"{module}:noise_off", "--runs", 34, "--workers", 1)
    assert ran.code == 5
    assert "The claim is violated: nobody" in ran.out


def test_constant_function_is_not_refuted(module: str) -> None:
    audit = medsynth.verify(f"{module}:constant", runs=40)
    assert not audit.violated
    assert audit.mu is None
    assert audit.epsilon_low == 0


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("no_such_module_at_all:fit", 3, "module 'no_such_module_at_all' cannot be imported (ModuleNotFoundError)"),
        ("json:no_such_name", 3, "the module has no function 'no_such_name'"),
        ("no_such_file.medsynth", 3, "no_such_file.medsynth"),
    ],
)
def test_target_that_is_not_there_is_said_so(command: Command, target: str, code: int, said: str) -> None:
    ran = command("verify", target, "--runs", 40)
    assert ran.code == code
    assert said in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--runs", "3"), "Runs must be 25 or more, got 3: with fewer, no outcome refutes this claim"),
        (("--workers", "0"), "Workers must be 1 or more, got 0"),
        (("--model", "gan"), "Model 'gan' is not one of adaptive"),
        (("--epsilon", "-1"), "Epsilon"),
    ],
)
def test_wrong_option_ends_with_code_two(command: Command, options: tuple[str, str], said: str) -> None:
    ran = command("verify", *options)
    assert ran.code in {2, 3}
    assert said.lower() in ran.err.lower()


def test_value_that_is_no_function_is_refused(module: str) -> None:
    with pytest.raises(InputError, match="has no function 'value'"):
        ImportedFit(module=module, name="value")


def test_function_that_always_raises_is_no_success(module: str) -> None:
    with pytest.raises(UsageError, match="every fit raised RuntimeError"):
        medsynth.verify(f"{module}:broken", runs=40)


def test_a_claim_that_no_outcome_refutes_is_not_audited(command: Command, module: str) -> None:
    few = command("verify", f"{module}:copy", "--runs", 32, "--workers", 1)
    assert few.code == 2
    assert "Runs must be 33 or more, got 32" in few.err
    assert command("verify", f"{module}:copy", "--runs", 33, "--workers", 1).code == 5
    weak = command("verify", f"{module}:copy", "--epsilon", 20, "--workers", 1)
    assert weak.code == 2
    assert "No number of runs up to 65,536 can refute so weak a claim" in weak.err


def test_exit_of_a_fit_is_no_verdict(command: Command, module: str) -> None:
    ran = command("verify", f"{module}:leaves", "--runs", 60, "--workers", 1)
    assert ran.code == 2
    assert "every fit raised SystemExit" in ran.err


def test_exit_that_depends_on_the_person_is_refuted(command: Command, module: str) -> None:
    ran = command("verify", f"{module}:leaves_with_the_person", "--runs", 60, "--workers", 1)
    assert ran.code == 5
    assert "The claim is violated: nobody." in ran.out


def test_fit_that_ends_its_process_is_a_usage_error(command: Command, module: str) -> None:
    ran = command("verify", f"{module}:ends", "--runs", 60, "--workers", 2)
    assert ran.code == 2
    assert "Pair nobody: the fit ended its process" in ran.err
    assert "Let it return or raise" in ran.err


def test_on_one_processor_fits_have_processes_of_their_own_too(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    audited = verifying.verify

    def noted(target: object, *, workers: int, **options: Any) -> Any:
        asked.append(workers)
        return audited(target, workers=1, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(verifying, "usable_processors", lambda: 1)
    monkeypatch.setattr(verifying, "verify", noted)
    assert verifying.verified(f"{module}:constant", workers=None, runs=40).ok
    assert asked == [2]


def test_module_that_exits_when_imported_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = f"leaving_module_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text("raise SystemExit(0)\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"cannot be imported \(SystemExit\)"):
        ImportedFit(module=name, name="fit")


def test_model_file_is_audited_with_its_own_schema_and_claim(tmp_path: Path) -> None:
    pair = one_marginal(3.0)
    Synthesizer(pair.schema, model="independent", epsilon=2.0).fit(pair.within).save(tmp_path / "small.medsynth")
    audit = medsynth.verify(tmp_path / "small.medsynth", runs=26)
    assert audit.epsilon == 2.0
    assert [found.pair for found in audit.pairs] == ["extreme_values", "all_missing", "many_rows"]
    assert not audit.violated


def test_damaged_model_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.medsynth").write_bytes(b"nothing")
    with pytest.raises(ModelFileError):
        medsynth.verify(tmp_path / "bad.medsynth")


def test_function_itself_can_be_given() -> None:
    assert not medsynth.verify(lambda table, schema: pd.DataFrame(), runs=40).violated  # noqa: ARG005


def test_release_of_a_fit_holds_what_it_found_of_private_columns() -> None:
    columns = {"ward": {"kind": "category"}, "age": {"kind": "integer"}, "born": {"kind": "date"}}
    schema = build_schema(
        {
            "medsynth": 1,
            "dataset": {"name": "found"},
            "privacy": {"rows_are_persons": True, "persons": 400, "epsilon": 20.0, "delta": 1e-6},
            "columns": {name: column | {"source": "private"} for name, column in columns.items()},
        }
    )
    table = pd.DataFrame({"ward": ["east", "west"] * 200, "age": [40, 60] * 200, "born": ["2001-02-03"] * 400})
    release = OwnFit(model="independent")(table, schema)
    assert {"found ward: east", "found ward: west"} <= release.facts
    of_age = [release.numbers[f"found {what} of age"] for what in ("min", "max", "bins")]
    assert 30 < of_age[0] <= 40 < 60 <= of_age[1] < 80
    assert of_age[2] > 1
    assert release.numbers["found min of born"] <= date(2001, 2, 3).toordinal() <= release.numbers["found max of born"]


def test_release_of_a_fit_holds_every_measured_table_and_no_seed() -> None:
    pair: Pair = one_marginal()
    fitted = Synthesizer(pair.schema, model="independent").fit(pair.within)
    release = release_of(fitted.model_, fitted.sample(4))
    assert sorted(release.numbers) == ["table of persons, time 1", "table of ward, time 1"]
    assert "measures table of ward" in release.facts
    assert any(fact.startswith("books One-way tables") for fact in release.facts)
    assert len(OwnFit(model="independent")(pair.within, pair.schema).rows) == 16  # type: ignore[arg-type]
