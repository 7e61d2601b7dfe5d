"""A broken file, schema or option: a clear error, its exit code, no trace, no private value."""

import errno
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medsynth.models.model_file import load_model

HOSTILE = "<script>alert('x')</script> \"quoted\"\nsecond line"
PRIVATE = ("Quixote", "PERSON-4711", "8675309")
FIT = ("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--model", "independent")
RUN = ("run", "visits.csv", "-s", "clinic.yaml", "-o", "out", "--model", "independent", "-n", "100")
SAMPLE = ("sample", "model.medsynth", "-o", "drawn.parquet", "-n", "50")


def listing(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its bytes; lock files, which mean nothing, left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.suffix != ".lock"
    }


@pytest.fixture
def refused(clinic: Path, command: Callable[..., Any]) -> Callable[..., str]:
    """Runs a command that must fail with a code, say why, quote nobody, and leave no trace."""

    def run(code: int, *arguments: object) -> str:
        before = listing(clinic)
        ran = command(*arguments)
        assert ran.code == code, ran.out + ran.err
        assert listing(clinic) == before
        said = str(ran.out + ran.err)
        assert said.strip().endswith((".", "?")) or "Error" in said
        assert "Traceback" not in said
        assert "internal error" not in said
        for value in PRIVATE:
            assert value not in said
        return said

    return run


@pytest.fixture
def model(clinic: Path, command: Callable[..., Any]) -> Path:
    """`model.medsynth`, fitted under a ledger of its own."""
    path = clinic / "model.medsynth"
    ran = command(*FIT[:5], path, *FIT[6:], "--ledger", "model.jsonl", "--epsilon", "3")
    assert ran.code == 0, ran.err
    return path


def rewrite(clinic: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    frame = pd.read_csv(clinic / "visits.csv", dtype=str, keep_default_na=False)
    change(frame).to_csv(clinic / "visits.csv", index=False)


@pytest.mark.parametrize("arguments", [FIT, RUN, ("check", "visits.csv", "-s", "clinic.yaml")])
def test_an_absent_column_is_named(arguments: tuple[str, ...], clinic: Path, refused: Callable[..., str]) -> None:
    rewrite(clinic, lambda frame: frame.drop(columns=["age", "outcome"]))
    said = refused(3, *arguments)
    assert "'age', 'outcome'" in said
    assert "absent" in said


@pytest.mark.parametrize("column", ["age", "charge", "admitted", "outcome", "insured"])
def test_a_whole_column_of_another_type_stops_a_run_before_anything_is_spent(
    column: str, clinic: Path, refused: Callable[..., str]
) -> None:
    rewrite(clinic, lambda frame: frame.assign(**{column: "Quixote"}))
    assert f"Column '{column}'" in refused(3, *RUN)
    said = refused(3, "check", "visits.csv", "-s", "clinic.yaml")
    assert f"Column '{column}'" in said
    assert "INTERNAL" in said


def test_values_outside_the_schema_never_stop_a_fit(clinic: Path, command: Callable[..., Any]) -> None:
    rewrite(clinic, lambda frame: frame.assign(age="Quixote", outcome="8675309"))
    ran = command(*FIT)
    assert (ran.code, "Quixote" in ran.out + ran.err) == (0, False)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 Quixote PAR1", None])
@pytest.mark.parametrize("name", ["visits.parquet", "visits.csv.gz"])
def test_a_damaged_file_is_refused_before_a_budget_file_is_made(
    name: str, content: bytes | None, clinic: Path, refused: Callable[..., str]
) -> None:
    if content is None:  # cut in half
        frame = pd.read_csv(clinic / "visits.csv")
        frame.to_parquet(clinic / name) if name.endswith("parquet") else frame.to_csv(clinic / name)
        content = (clinic / name).read_bytes()
        content = content[: len(content) // 2]
    (clinic / name).write_bytes(content)
    for verb in ("fit", "run"):
        assert "cut short" in refused(3, verb, name, *FIT[2:])
    assert "cut short" in refused(3, "check", name, "-s", "clinic.yaml")
    assert "cut short" in refused(3, "init", name, "-s", "new.yaml", "--person", "person")


@pytest.mark.parametrize("lines", [(3,), (3, 90)], ids=["one quote left open", "two"])
def test_a_csv_in_which_one_record_swallows_others_is_refused_before_a_budget_file_is_made(
    lines: tuple[int, ...], clinic: Path, refused: Callable[..., str]
) -> None:
    records = (clinic / "visits.csv").read_text(encoding="utf-8").splitlines()
    for line in lines:
        records[line] = records[line].replace("free text", '"free text')
    (clinic / "visits.csv").write_text("\n".join(records), encoding="utf-8")
    for arguments in (FIT, RUN, ("check", "visits.csv", "-s", "clinic.yaml")):
        assert "not well-formed CSV" in refused(3, *arguments)


def test_a_column_named_twice_is_refused(clinic: Path, refused: Callable[..., str]) -> None:
    text = (clinic / "visits.csv").read_text(encoding="utf-8")
    (clinic / "visits.csv").write_text(text.replace("sex", "age", 1), encoding="utf-8")
    for arguments in (FIT, RUN, ("check", "visits.csv", "-s", "clinic.yaml")):
        assert "'age' occurs more than once" in refused(3, *arguments)
    refused(3, "init", "visits.csv", "-s", "new.yaml", "--person", "person")


def test_a_file_that_is_not_there_or_of_another_kind_is_refused(clinic: Path, refused: Callable[..., str]) -> None:
    assert "no such file" in refused(3, "fit", "none.csv", *FIT[2:])
    (clinic / "visits.xlsx").write_bytes(b"x")
    assert ".parquet" in refused(3, "fit", "visits.xlsx", *FIT[2:])


def test_a_name_with_a_pattern_reads_that_one_file(clinic: Path, command: Callable[..., Any]) -> None:
    frame = pd.read_csv(clinic / "visits.csv")
    (clinic / "study").mkdir()
    frame.to_csv(clinic / "study" / "visits2.csv", index=False)
    frame.rename(columns={"age": "years"}).to_csv(clinic / "study" / "visits[12].csv", index=False)
    ran = command("check", "study/visits[12].csv", "-s", "clinic.yaml")
    assert (ran.code, "'age'" in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("min: 0, max: 99", "min: 99, max: 0"), "age"),
        (("kind: category, values: [F, M]", "kind: categroy, values: [F, M]"), "category"),
        (("sex == 'M' implies", "sexx == 'M' implies"), "sexx"),
        (("epsilon: 4.0", "epsilon: 0"), "epsilon"),
        (("epsilon: 4.0", "epsilon: .nan"), "epsilon"),
        (("outcome == 'dead'", "outcome = = 'dead'"), "died"),
        (("medsynth: 1", "medsynth: 9"), "medsynth"),
        (("columns:", "colums:"), "columns"),
        (("{name: clinic,", "{name: clinic"), "clinic.yaml"),
    ],
)
def test_a_wrong_schema_is_refused_by_every_command(
    change: tuple[str, str], named: str, clinic: Path, refused: Callable[..., str]
) -> None:
    text = (clinic / "clinic.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    (clinic / "clinic.yaml").write_text(text.replace(change[0], change[1], 1), encoding="utf-8")
    for arguments in (
        FIT,
        RUN,
        ("plan", "-s", "clinic.yaml"),
        ("check", "visits.csv", "-s", "clinic.yaml"),
    ):
        said = refused(3, *arguments)
        assert "clinic.yaml" in said
        assert named in said


def test_a_schema_that_is_no_text_or_absent_is_refused(clinic: Path, refused: Callable[..., str]) -> None:
    (clinic / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("bytes.yaml", "none.yaml", "diabetes13", "."):
        refused(3, "fit", "visits.csv", "-s", name, "-o", "m.medsynth")


@pytest.mark.parametrize(
    "option",
    [
        ("--epsilon", "0"),
        ("--epsilon", "-1"),
        ("--epsilon", "inf"),
        ("--epsilon", "nan"),
        ("--epsilon", "x"),
        ("--delta", "0"),
        ("--delta", "1"),
        ("--delta", "nan"),
        ("--delta", "-0.1"),
        ("--model", "gan"),
    ],
)
def test_an_option_out_of_range_is_refused_before_a_budget_exists(
    option: tuple[str, str], refused: Callable[..., str]
) -> None:
    for arguments in (FIT, RUN, ("plan", "-s", "clinic.yaml")):
        refused(2, *arguments, *option)


@pytest.mark.parametrize(
    "option",
    [
        ("--holdout-share", "0"),
        ("--holdout-share", "1"),
        ("--holdout-share", "nan"),
        ("--holdout-share", "-1"),
        ("--upsample", "deid:0.3"),
        ("--upsample", "died:0"),
        ("--upsample", "died:1"),
        ("--upsample", "died:nan"),
        ("--upsample", "died:many"),
        ("--upsample", "died"),
        ("--upsample", "died:-0.2"),
        ("--upsample", "died:200%"),
        ("--where", "age >="),
        ("--where", "agee > 3"),
        ("--where", "age > 'x'"),
        ("--where", "age > 11"),
        ("--where", "__import__('os').system('x')"),
        ("--where", ""),
        ("--where", "sex == 'X'"),
        ("-n", "-1"),
        ("-n", "1000000000000"),
        ("-n", "1.5"),
        ("--seed", "-1"),
        ("--seed", "x"),
    ],
)
def test_a_wrong_choice_of_rows_is_refused_before_a_budget_is_spent(
    option: tuple[str, str], refused: Callable[..., str]
) -> None:
    arguments = RUN if option[0] != "-n" else RUN[:-2]
    refused(2, *arguments, *option)


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    "option",
    [
        ("--upsample", "deid:0.3"),
        ("--upsample", "died:1"),
        ("--upsample", "died:nan"),
        ("--where", "age >="),
        ("--where", "age > 11"),
        ("-n", "-1"),
        ("-n", "1000000000000"),
        ("--seed", "-1"),
    ],
)
def test_a_wrong_choice_of_rows_is_refused_when_drawing(option: tuple[str, str], refused: Callable[..., str]) -> None:
    refused(2, *SAMPLE, *option)


@pytest.mark.usefixtures("model")
def test_a_table_of_unknown_ending_is_refused(refused: Callable[..., str]) -> None:
    assert ".parquet, .csv or .csv.gz" in refused(2, "sample", "model.medsynth", "-o", "drawn.xlsx")


def test_too_much_epsilon_is_refused_with_both_figures(clinic: Path, command: Callable[..., Any]) -> None:
    assert command(*FIT, "--epsilon", "3").code == 0
    before = listing(clinic)
    ran = command(*FIT[:5], "second.medsynth", *FIT[6:], "--epsilon", "3")
    assert ran.code == 4
    assert "of 4.00" in ran.err
    assert listing(clinic) == before


def test_an_unconfirmed_draft_is_refused(clinic: Path, command: Callable[..., Any]) -> None:
    assert command("init", "visits.csv", "-s", "draft.yaml", "--person", "person").code == 0
    before = listing(clinic)
    ran = command("fit", "visits.csv", "-s", "draft.yaml", "-o", "m.medsynth")
    assert ran.code == 3
    assert "medsynth schema confirm" in ran.err
    assert listing(clinic) == before


@pytest.mark.parametrize("person", [(), ("--person", "person", "--rows-are-persons"), ("--person", "x")])
def test_whom_to_protect_is_never_guessed(person: tuple[str, ...], refused: Callable[..., str]) -> None:
    refused(2, "init", "visits.csv", "-s", "new.yaml", *person)


def other_version(content: bytes) -> bytes:
    return content.replace(b'"version":1', b'"version":2')


def bomb(_: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b" " * 30_000_000)
        archive.writestr("tensors.safetensors", b"")
    return stream.getvalue()


def flipped(share: float) -> Callable[[bytes], bytes]:
    def flip(content: bytes) -> bytes:
        at = int(len(content) * share)
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

    return flip


@pytest.mark.parametrize(
    "damage",
    [
        other_version,
        bomb,
        flipped(0.1),
        flipped(0.5),
        flipped(0.8),
        lambda _: b"",
        lambda _: b"no zip",
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b'"epsilon":3', b'"epsilon":1'),
    ],
)
def test_a_model_file_that_was_touched_is_refused(
    damage: Callable[[bytes], bytes], model: Path, refused: Callable[..., str]
) -> None:
    content = model.read_bytes()
    model.write_bytes(damage(content))
    assert model.read_bytes() != content
    assert "model.medsynth" in refused(3, *SAMPLE)


def test_a_model_file_that_is_not_there_is_refused(refused: Callable[..., str]) -> None:
    assert "no such model file" in refused(3, *SAMPLE)


def test_a_budget_file_that_was_touched_stops_every_fit(model: Path, refused: Callable[..., str]) -> None:
    ledger = model.with_name("model.jsonl")
    ledger.write_bytes(ledger.read_bytes().replace(b'"epsilon":4.0', b'"epsilon":9.0'))
    assert "was changed" in refused(3, *FIT, "--ledger", "model.jsonl")


def test_a_population_keeps_one_privacy_unit(
    clinic: Path, command: Callable[..., Any], refused: Callable[..., str]
) -> None:
    assert command(*FIT, "--epsilon", "1").code == 0
    schema = clinic / "clinic.yaml"
    by_person = "unit: person, persons: 300, bounding: {rule: weight, max: 3}"
    text = schema.read_text(encoding="utf-8")
    assert by_person in text
    schema.write_text(text.replace(by_person, "rows_are_persons: true, persons: 300"), encoding="utf-8")
    said = refused(3, "fit", "visits.csv", "-s", "clinic.yaml", "-o", "second.medsynth", "--epsilon", "1")
    assert "clinic.ledger.jsonl: the budget's privacy unit is column 'person', not rows." in said
    assert "Declare the budget's unit in the schema." in said
    refused(3, *RUN, "--epsilon", "1")


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("place", ["os.replace", "os.open"])
def test_a_full_disk_leaves_no_half_model(
    place: str, clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(*FIT, "--epsilon", "1").code == 0  # the ledger exists
    before = set(listing(clinic))
    name = f"medsynth.writing.{place}"
    whole = os.replace if place == "os.replace" else os.open
    # The budget file may be written: only the model meets the full disk.
    fails = lambda path, *more: full_disk() if str(path).endswith(".part") else whole(path, *more)  # noqa: E731
    monkeypatch.setattr(name, fails)
    ran = command(*FIT[:5], "second.medsynth", *FIT[6:], "--epsilon", "1")
    assert ran.code == 6
    assert "No space left" in ran.err
    assert set(listing(clinic)) == before


def test_a_full_disk_at_the_budget_file_stops_the_fit_before_any_noise(
    clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command(*FIT, "--epsilon", "1").code == 0
    monkeypatch.setattr("medsynth.privacy.budget_file.os.fsync", full_disk)
    monkeypatch.setattr("medsynth.privacy.mechanisms.gaussian", pytest.fail)
    ran = command(*FIT[:5], "second.medsynth", *FIT[6:], "--epsilon", "1")
    assert ran.code == 6
    assert "No space left" in ran.err
    assert not (clinic / "second.medsynth").exists()


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("name", ["drawn.parquet", "drawn.csv", "drawn.csv.gz"])
def test_a_full_disk_leaves_no_half_table(
    name: str, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medsynth.sampling.provenance.pq.ParquetWriter.write_table", full_disk)
    monkeypatch.setattr(pd.DataFrame, "to_csv", full_disk)
    assert "No space left" in refused(6, "sample", "model.medsynth", "-o", name, "-n", 10)


def test_a_full_disk_leaves_no_half_report(
    clinic: Path, command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medsynth.report.writer.replace_file", full_disk)
    ran = command(*RUN)
    assert (ran.code, "No space left" in ran.err) == (6, True)
    left = set(listing(clinic / "out"))
    assert left <= {
        "model.medsynth",
        "synthetic.parquet",
        "internal",
        "internal/run.json",
        "internal/scores.json",
        "shareable",
        "shareable/croissant.json",
    }
    load_model(clinic / "out" / "model.medsynth")
    monkeypatch.undo()
    monkeypatch.chdir(clinic)
    assert command("report", "out").code == 0


@pytest.mark.usefixtures("model")
def test_a_file_in_place_of_a_folder_is_refused_before_anything_is_spent(
    refused: Callable[..., str],
) -> None:
    refused(6, *RUN[:5], "visits.csv", *RUN[6:])
    refused(6, *RUN[:5], "visits.csv/out", *RUN[6:])
    refused(6, *FIT[:5], "visits.csv/m.medsynth", *FIT[6:])
    refused(6, "sample", "model.medsynth", "-o", "visits.csv/drawn.csv")
    refused(6, "init", "visits.csv", "-s", "visits.csv/new.yaml", "--person", "person")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such device files")
@pytest.mark.usefixtures("model")
def test_what_is_no_plain_file_is_not_replaced_and_nothing_is_spent(clinic: Path, refused: Callable[..., str]) -> None:
    for name in ("pipe.medsynth", "pipe.csv", "pipe.yaml"):
        os.mkfifo(clinic / name)
    fifo = "is not a plain file. Name another."
    assert fifo in refused(6, *FIT[:5], "pipe.medsynth", *FIT[6:], "--overwrite")
    assert fifo in refused(6, "sample", "model.medsynth", "-o", "pipe.csv", "--overwrite")
    assert fifo in refused(6, "init", "visits.csv", "-s", "pipe.yaml", "--person", "person", "--overwrite")


@pytest.mark.skipif(
    os.name == "nt" or getattr(os, "geteuid", lambda: 0)() == 0,
    reason="this user ignores permissions",
)
def test_an_unwritable_folder_is_refused_before_anything_is_spent(clinic: Path, refused: Callable[..., str]) -> None:
    (clinic / "locked").mkdir(mode=0o500)
    refused(6, *FIT[:5], "locked/m.medsynth", *FIT[6:])
    refused(6, *RUN[:5], "locked/out", *RUN[6:])


def test_what_stands_there_is_kept_unless_told_otherwise(
    model: Path, refused: Callable[..., str], command: Callable[..., Any]
) -> None:
    for name in ("out", "drawn.parquet", "m.medsynth", "clinic.yaml"):
        path = model.with_name(name)
        if name == "out":
            path.mkdir()
            path = path / "mine.txt"
        if not path.exists():
            path.write_text("mine", encoding="utf-8")
    assert "--overwrite" in refused(6, *FIT)
    assert "--overwrite" in refused(6, *RUN)
    assert "--overwrite" in refused(6, *SAMPLE)
    assert "--overwrite" in refused(6, "init", "visits.csv", "-s", "clinic.yaml", "--person", "person")
    assert command(*SAMPLE, "--overwrite").code == 0


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("place", "spent"),
    [
        ("medsynth.pipeline.check_table", False),
        ("medsynth.fitting.encode_batches", False),
        ("medsynth.models.independent.calibrate", True),
        ("medsynth.pipeline.write_table", True),
        ("medsynth.sampling.provenance.pq.ParquetWriter.write_table", True),
        ("medsynth.pipeline.measure", True),
    ],
)
def test_an_interrupt_leaves_whole_files_and_what_was_booked(
    place: str,
    spent: bool,
    clinic: Path,
    command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = set(listing(clinic))
    monkeypatch.setattr(place, interrupt)
    ran = command(*RUN)
    assert ran.code == 130
    assert "interrupted" in ran.err
    left = set(listing(clinic)) - before
    whole = {
        "out",
        "out/internal",
        "out/model.medsynth",
        "out/synthetic.parquet",
        "out/shareable",
        "out/shareable/croissant.json",
    }
    assert left <= whole | {"clinic.ledger.jsonl"}
    lines = (clinic / "clinic.ledger.jsonl").read_text(encoding="utf-8") if spent else ""
    assert ('"kind":"entry"' in lines) == spent
    if "out/model.medsynth" in left:
        load_model(clinic / "out" / "model.medsynth")


def test_a_damaged_run_folder_is_refused(clinic: Path, command: Callable[..., Any]) -> None:
    assert command(*RUN).code == 0
    scores = clinic / "out" / "internal" / "scores.json"
    for content in (b"", b"{", b"[]"):
        scores.write_bytes(content)
        ran = command("report", "out")
        assert ran.code == 3, ran.err
        assert "scores.json" in ran.err
    ran = command("evaluate", "nowhere")
    assert (ran.code, (clinic / "nowhere").exists()) == (3, False)


def test_another_budget_file_never_stands_in_for_the_one_of_a_run(clinic: Path, command: Callable[..., Any]) -> None:
    assert command(*RUN).code == 0
    (clinic / "clinic.ledger.jsonl").unlink()
    ran = command("audit", "out")
    assert (ran.code, (clinic / "clinic.ledger.jsonl").exists()) == (3, False)


def test_a_synthetic_table_is_not_fitted_by_mistake(model: Path, command: Callable[..., Any]) -> None:
    assert command(*SAMPLE[:2], "-o", "drawn.csv", "-n", 50).code == 0
    fit = ("fit", "drawn.csv", *FIT[2:])
    ran = command(*fit)
    assert (ran.code, "--allow-synthetic" in ran.err) == (3, True)
    model.with_name("drawn.csv.provenance.json").write_bytes(b"\x00 damaged")
    assert command(*fit).code == 3
    assert command(*fit, "--allow-synthetic").code == 0


def hostile_schema() -> str:
    quoted = json.dumps(HOSTILE)
    return f"""
medsynth: 1
dataset: {{name: hostile}}
privacy: {{rows_are_persons: true, persons: 200, epsilon: 4.0}}
columns:
  {quoted}: {{kind: category, values: ["<b>bold</b>", "it's", 'a"b', "x,y;z"], missing: true}}
  age: {{kind: integer, min: 0, max: 99, bins: 4}}
rare: [{{name: rare, where: "age >= 75"}}]
utility: {{target: {quoted}, positive: "it's"}}
"""


def test_a_hostile_name_passes_through_every_step_and_is_never_markup(
    clinic: Path, command: Callable[..., Any]
) -> None:
    values = ["<b>bold</b>", "it's", 'a"b', "x,y;z"] * 50
    table = pd.DataFrame({HOSTILE: values, "age": [10, 30, 60, 80] * 50})
    table.to_csv(clinic / "hostile.csv", index=False)
    table.to_parquet(clinic / "hostile.parquet")
    assert command("init", "hostile.csv", "-s", "draft.yaml", "--rows-are-persons").code == 0
    assert command("schema", "confirm", "draft.yaml").code == 0
    assert command("check", "hostile.parquet", "-s", "draft.yaml").code == 0
    (clinic / "hostile.yaml").write_text(hostile_schema(), encoding="utf-8")
    arguments = ("-s", "hostile.yaml", "-o", "out", "--model", "mst", "-n", 80, "--seed", 1)
    ran = command("run", "hostile.csv", *arguments, "--upsample", "rare:0.5")
    assert ran.code == 0, ran.err
    for edition in ("internal", "shareable"):
        page = (clinic / "out" / edition / "report.html").read_text(encoding="utf-8")
        assert "<script" not in page.lower().replace("<script>/*", "")
        assert "<b>bold</b>" not in page
        assert "alert(" not in page or "&lt;script&gt;" in page
    assert command("sample", "out/model.medsynth", "-o", "s.csv", "-n", 20).code == 0
    assert HOSTILE in pd.read_csv(clinic / "s.csv").columns


def in_a_process(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    code = "from medsynth.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (2, ("fit", "visits.csv", "-s", "clinic.yaml", "-o", "m.medsynth", "--epsilon", "nan")),
        (3, ("fit", "none.csv", "-s", "clinic.yaml", "-o", "m.medsynth")),
        (6, ("fit", "visits.csv", "-s", "clinic.yaml", "-o", "taken.medsynth")),
    ],
)
def test_a_process_ends_with_the_same_code(code: int, arguments: tuple[str, ...], clinic: Path) -> None:
    (clinic / "taken.medsynth").touch()
    before = listing(clinic)
    ran = in_a_process(clinic, *arguments)
    assert ran.returncode == code
    assert ran.stderr.startswith("medsynth: ")
    assert ran.stdout == ""
    assert listing(clinic) == before
