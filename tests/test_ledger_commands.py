"""`medsynth ledger`, and what a refused fit says, as a user meets them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medsynth.privacy.accountant import mu_from
from medsynth.privacy.ledger import Ledger

FIT = ("fit", "visits.csv", "-s", "clinic.yaml", "--model", "independent")
LEDGER = "clinic.ledger.jsonl"


def test_show_lists_what_was_booked_and_what_is_left(clinic: Path, command: Callable[..., Any]) -> None:
    assert command(*FIT, "-o", "m.medsynth", "--epsilon", 1).code == 0
    ran = command("ledger", "show", LEDGER)
    assert ran.code == 0
    assert "population 'clinic', limit epsilon 4 at delta 1e-06" in ran.out
    assert re.search(r"1 +fit 1 +One-way tables +mu 0\.23670", ran.out)
    values = json.loads(command("ledger", "show", LEDGER, "--json").out)
    assert values["remaining_epsilon"] == pytest.approx(Ledger.open(clinic / LEDGER).remaining_epsilon)
    assert [entry["mu"] for entry in values["entries"]] == [pytest.approx(mu_from(1, 1e-6))]
    key = json.loads((clinic / LEDGER).read_text(encoding="utf-8").splitlines()[0])["key"]
    assert key not in ran.out + json.dumps(values)


def test_verify_prints_the_head_and_refuses_an_edited_file(clinic: Path, command: Callable[..., Any]) -> None:
    command(*FIT, "-o", "m.medsynth", "--epsilon", 1)
    head = json.loads(command("ledger", "verify", LEDGER, "--json").out)["head"]
    lines = (clinic / LEDGER).read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["chain"] == head
    edited = [line.replace('"mu":0.2', '"mu":0.1') for line in lines]
    (clinic / LEDGER).write_text("\n".join(edited) + "\n", encoding="utf-8")
    ran = command("ledger", "verify", LEDGER)
    assert ran.code == 3
    assert "can no longer be trusted" in ran.err


def test_set_limit_allows_what_was_refused_and_never_less_than_is_spent(
    clinic: Path, command: Callable[..., Any]
) -> None:
    command(*FIT, "-o", "first.medsynth", "--epsilon", 3.9)
    assert command(*FIT, "-o", "second.medsynth", "--epsilon", 3).code == 4
    assert command("ledger", "set-limit", LEDGER, 6).code == 0
    assert command(*FIT, "-o", "second.medsynth", "--epsilon", 3).code == 0
    ran = command("ledger", "set-limit", LEDGER, 4)
    assert ran.code == 4
    assert "Set a limit above the spend" in ran.err
    assert Ledger.open(clinic / LEDGER).guarantee.epsilon == 6


def test_a_refused_fit_says_how_much_is_left_and_that_much_is_admitted(
    clinic: Path, command: Callable[..., Any]
) -> None:
    command(*FIT, "-o", "first.medsynth", "--epsilon", 3)
    ran = command(*FIT, "-o", "second.medsynth", "--epsilon", 3.5)
    assert ran.code == 4
    left = re.search(r"\(3\.00 spent in 1 release, (\d\.\d) left for one more\)", ran.err)
    assert left
    assert command(*FIT, "-o", "second.medsynth", "--epsilon", left[1]).code == 0
    assert Ledger.open(clinic / LEDGER).spent_mu2 <= mu_from(4, 1e-6) ** 2


@pytest.mark.usefixtures("clinic")
def test_an_empty_budget_says_that_nothing_is_left(command: Callable[..., Any]) -> None:
    command(*FIT, "-o", "first.medsynth")
    ran = command(*FIT, "-o", "second.medsynth", "--epsilon", 0.5)
    assert ran.code == 4
    assert "(4.00 spent in 1 release, nothing left)" in ran.err


def test_two_fits_at_the_same_time_cannot_overspend(clinic: Path) -> None:
    code = "import sys; from medsynth.cli import main; sys.argv[0] = 'medsynth'; main()"
    fits = [
        subprocess.Popen(
            [sys.executable, "-c", code, *FIT, "-o", f"{name}.medsynth", "--epsilon", "3.5"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    said = [fit.communicate(timeout=120) for fit in fits]
    assert sorted(fit.returncode for fit in fits) == [0, 4], said
    assert Ledger.open(clinic / LEDGER).spent_mu2 <= mu_from(4, 1e-6) ** 2
    assert len(list(clinic.glob("*.medsynth"))) == 1
