import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medsynth.errors import InputError, OutputError
from medsynth.privacy import budget_file
from medsynth.privacy.accountant import GaussianEvent
from medsynth.privacy.budget import header
from medsynth.privacy.budget_file import FileBook, budget_path
from medsynth.privacy.guarantee import Guarantee
from medsynth.privacy.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clinic.ledger.jsonl"


def opened(path: Path, epsilon: float = 1.0) -> Ledger:
    return Ledger(epsilon, 1e-6, population="clinic", unit="patient", persons=1000, path=path)


def booked(path: Path, releases: int = 3) -> Ledger:
    ledger = opened(path)
    for number in range(releases):
        ledger.book(GaussianEvent(0.05), label=f"Release {number}")
    return ledger


def test_budget_survives_the_process_that_made_it(path: Path) -> None:
    first = booked(path)
    again = Ledger.open(path)
    assert again.entries == first.entries
    assert again.guarantee == first.guarantee
    assert again.key("holdout") == first.key("holdout")
    assert again.verify() == first.verify()


def test_limit_of_the_file_stands(path: Path) -> None:
    booked(path)
    assert opened(path, epsilon=5.0).guarantee.epsilon == 1.0


def test_raised_limit_is_kept_in_the_file(path: Path) -> None:
    booked(path).set_limit(2.0)
    assert Ledger.open(path).guarantee.epsilon == 2.0
    kinds = [json.loads(line)["kind"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert kinds == ["header", "entry", "entry", "entry", "limit"]


def test_file_of_another_population_is_refused(path: Path) -> None:
    booked(path)
    with pytest.raises(InputError, match="belongs to population 'clinic', not 'ward'"):
        Ledger(1.0, 1e-6, population="ward", path=path)


@pytest.mark.parametrize("other", ["rows", "column 'visit'", "column 'rows'"])
def test_file_of_another_privacy_unit_is_refused_and_untouched(path: Path, other: str) -> None:
    Ledger(1.0, 1e-6, population="clinic", privacy_unit="column 'pid'", path=path)
    before = path.read_bytes()
    with pytest.raises(InputError) as refusal:
        Ledger(1.0, 1e-6, population="clinic", privacy_unit=other, path=path)
    assert str(refusal.value) == (
        f"{path}: the budget's privacy unit is column 'pid', not {other}. Declare the budget's unit in the schema."
    )
    with pytest.raises(InputError, match=r"clinic\.ledger\.jsonl: the budget's privacy unit"):
        Ledger.open(path).allowance(0.1, privacy_unit=other)
    assert path.read_bytes() == before


def test_privacy_unit_stands_in_the_header(path: Path) -> None:
    Ledger(1.0, 1e-6, population="clinic", privacy_unit="rows", path=path)
    assert json.loads(path.read_text(encoding="utf-8"))["privacy_unit"] == "rows"
    assert Ledger(1.0, 1e-6, population="clinic", privacy_unit="rows", path=path).entries == ()


def test_file_without_a_privacy_unit_takes_that_of_its_first_fit(path: Path) -> None:
    opened(path).allowance(0.1, privacy_unit="rows")
    with pytest.raises(InputError, match="privacy unit is rows, not column 'pid'"):
        Ledger(1.0, 1e-6, population="clinic", privacy_unit="column 'pid'", path=path)


def test_header_from_before_privacy_units_is_read(path: Path) -> None:
    old = {**header(Guarantee.of(1.0, 1e-6), "clinic")}
    del old["privacy_unit"]
    FileBook(path, lambda: old)
    assert Ledger(1.0, 1e-6, population="clinic", privacy_unit="rows", path=path).allowance(0.1).entries == ()


def test_runs_are_counted_not_dated(path: Path) -> None:
    opened(path).allowance(0.1)
    second = Ledger.open(path).allowance(0.1)
    second.book(GaussianEvent(0.01), label="x")
    assert second.entries[0].run == 2


def _edit(lines: list[str], how: str) -> list[str]:
    match how:
        case "changed mu":
            lines[2] = lines[2].replace('"mu":0.05', '"mu":0.01')
        case "changed last line":
            lines[-1] = lines[-1].replace('"mu":0.05', '"mu":0.01')
        case "raised limit":
            lines[0] = lines[0].replace('"epsilon":1.0', '"epsilon":9.0')
        case "removed line":
            del lines[2]
        case "swapped lines":
            lines[1], lines[2] = lines[2], lines[1]
        case "inserted line":
            lines.insert(2, lines[1])
        case "not JSON":
            lines[2] = "spent nothing"
        case "not an object":
            lines[2] = "[1]"
    return lines


@pytest.mark.parametrize(
    "how",
    [
        "changed mu",
        "changed last line",
        "raised limit",
        "removed line",
        "swapped lines",
        "inserted line",
        "not JSON",
        "not an object",
    ],
)
def test_edited_file_is_refused(path: Path, how: str) -> None:
    ledger = booked(path)
    before = path.read_text(encoding="utf-8").splitlines()
    after = _edit(list(before), how)
    assert after != before
    path.write_text("\n".join(after) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"can no longer be trusted\. Restore the file"):
        Ledger.open(path)
    with pytest.raises(InputError, match="can no longer be trusted"):
        ledger.verify()


@pytest.mark.parametrize(
    "content",
    [
        b"person,age\nQuixote,44\n",
        b"person,age\r\nQuixote,44\r\n",
        b"person;age",
        b"PAR1\x15\x04\xffQuixotePAR1",
        b"PAR1\n\xff\nPAR1",
        b'{"medsynth": 1}\n',
        b"[" * 100_000,
        b"1\n2\n",
    ],
)
def test_another_file_is_called_no_budget_file_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    for use in (Ledger.open, opened):
        with pytest.raises(InputError, match="is no budget file: its first line is not") as caught:
            use(path)
        assert path.read_bytes() == content
        assert "Quixote" not in str(caught.value)
        assert "trusted" not in str(caught.value)


@pytest.mark.parametrize("how", ["raised limit", "removed line"])
def test_a_budget_file_with_another_first_line_was_changed(path: Path, how: str) -> None:
    booked(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines = _edit(lines, how) if how == "raised limit" else lines[1:]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match="the budget file was changed at line 1; what was spent"):
        Ledger.open(path)


def test_file_emptied_or_cut_while_open_is_refused(path: Path) -> None:
    ledger = booked(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="has become shorter"):
        ledger.book(GaussianEvent(0.01), label="x")
    with pytest.raises(InputError, match="has no first line"):
        Ledger.open(path)


def test_head_shows_that_an_old_copy_was_restored(path: Path) -> None:
    ledger = booked(path)
    old = path.read_bytes()
    ledger.book(GaussianEvent(0.05), label="Fourth")
    head = ledger.verify()
    path.write_bytes(old)
    assert Ledger.open(path).verify() != head


def test_foreign_version_is_refused(path: Path) -> None:
    FileBook(path, lambda: {"kind": "header", "medsynth_ledger": 99})
    with pytest.raises(InputError, match="not a budget file of version 1"):
        Ledger.open(path)


def test_line_that_lost_only_its_end_stays_booked(path: Path) -> None:
    booked(path)
    path.write_bytes(path.read_bytes()[:-1])
    ledger = Ledger.open(path)
    assert len(ledger.entries) == 3
    ledger.book(GaussianEvent(0.05), label="Fourth")
    assert len(Ledger.open(path).entries) == 4


@pytest.mark.parametrize("kept", [1, 40, 200])
def test_half_written_line_is_cut_off_and_booking_goes_on(path: Path, kept: int) -> None:
    booked(path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:kept])
    ledger = Ledger.open(path)
    assert len(ledger.entries) == 3
    assert path.read_bytes() == whole
    ledger.book(GaussianEvent(0.05), label="Fourth")
    assert len(Ledger.open(path).entries) == 4


def test_release_that_cannot_be_stored_is_not_made(
    path: Path, monkeypatch: pytest.MonkeyPatch, two_tables: Any
) -> None:
    ledger = booked(path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(budget_file, "_write", full)
    with pytest.raises(OutputError, match="No space left on device"):
        ledger.measure(two_tables, two_tables.cliques, [20.0, 20.0], label="One-ways")
    assert two_tables.counted == 0


def test_booking_is_on_disk_before_the_count(path: Path) -> None:
    class Looking:
        l2 = 2**20
        seen = 0

        def marginals(self, _cliques: Any) -> Any:
            self.seen = path.read_text(encoding="utf-8").count('"kind":"marginals"')
            raise KeyboardInterrupt

    records = Looking()
    with pytest.raises(KeyboardInterrupt):
        opened(path).measure(records, [()], [10.0], label="Total")
    assert records.seen == 1
    assert Ledger.open(path).spent_mu2 == pytest.approx(1 / 100)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits for others")
def test_file_is_for_its_owner_alone(path: Path) -> None:
    booked(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_missing_folder_is_an_error_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder does not exist"):
        opened(tmp_path / "none" / "x.ledger.jsonl")
    assert not (tmp_path / "none").exists()


def test_held_file_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    ledger = booked(path)
    monkeypatch.setattr(budget_file, "LOCK_SECONDS", 0.05)
    with FileLock(f"{path}.lock"), pytest.raises(OutputError, match="another program has held"):
        ledger.book(GaussianEvent(0.01), label="x")


@pytest.mark.parametrize(
    "population", ["../../etc", "Ward 3/4", "con", "é", "", ".", "a\nb", "x" * 300, "A", "NUL.txt"]
)
def test_file_name_is_safe_for_any_population(tmp_path: Path, population: str) -> None:
    path = budget_path(tmp_path / "data.csv", population)
    assert path.parent == tmp_path
    assert len(path.name) < 120
    opened_here = Ledger(1.0, 1e-6, population=population, path=path)
    assert opened_here.population == population
    assert Ledger.open(path).population == population


def test_different_populations_get_different_files() -> None:
    names = {budget_path("x.csv", name).name for name in ("a b", "a-b", "a/b", "é", "è")}
    assert len(names) == 5


SPEND_ALL = """
import os, sys
from medsynth.errors import BudgetError
from medsynth.privacy import GaussianEvent, Ledger

ledger, admitted = Ledger.open(sys.argv[1]), 0
for number in range(40):
    try:
        ledger.book(GaussianEvent(float(sys.argv[2])), label=f"{os.getpid()}-{number}")
        admitted += 1
    except BudgetError:
        continue
print(admitted)
"""


def test_two_processes_cannot_overspend(path: Path) -> None:
    # 40 releases fit; two writers ask for 80.
    ledger = opened(path)
    mu = ledger.guarantee.mu / (40.5**0.5)
    command = [sys.executable, "-W", "error", "-c", SPEND_ALL, str(path), repr(mu)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    admitted = [int(writer.communicate(timeout=120)[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sum(admitted) == 40
    assert [entry.number for entry in ledger.entries] == list(range(1, 41))
    assert ledger.spent_mu2 <= ledger.guarantee.mu**2
    ledger.verify()


def test_making_a_budget_touches_no_other_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = path.with_name(f"{path.name}.new")
    mine.write_bytes(b"mine")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(budget_file.os, "fsync", full)
        with pytest.raises(OutputError, match="No space left on device"):
            opened(path)
    assert mine.read_bytes() == b"mine"
    assert not list(path.parent.glob("*.part"))
    booked(path)
    assert mine.read_bytes() == b"mine"
