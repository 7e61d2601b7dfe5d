import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from medsynth.privacy.fingerprint import content_of, mixed
from medsynth.privacy.ledger import Ledger


def words(*values: int) -> Any:
    return np.array(values, dtype=np.uint64)


def two(*values: int) -> Any:
    return np.column_stack([words(*values), words(*values)])


NOBODY = np.empty((0, 2), dtype=np.uint64)


def test_the_same_rows_in_any_order_are_the_same_table() -> None:
    assert content_of(words(3, 7, 7), two(1, 2, 1)) == content_of(words(7, 3, 7), two(1, 1, 2))
    assert content_of(words(3, 7), NOBODY) == content_of(words(7, 3), NOBODY)


@pytest.mark.parametrize(
    ("ties", "persons"),
    [
        ((3, 7), (1, 2)),  # a row fewer
        ((3, 3, 7), (1, 2, 1)),  # another row twice
        ((3, 7, 7), (1, 2, 3)),  # another person
        ((3, 7, 7), (2, 1, 1)),  # rows exchanged between persons
        ((), ()),
    ],
)
def test_another_row_or_person_is_another_table(ties: tuple[int, ...], persons: tuple[int, ...]) -> None:
    assert content_of(words(*ties), two(*persons)) != content_of(words(3, 7, 7), two(1, 2, 1))


def test_mixing_tells_neighbouring_words_apart_in_half_of_their_bits() -> None:
    # Of 64 bits 32 flip on average; over 1,000 words the mean lies within 32 +- 1 but for a chance below 1e-14.
    before = np.arange(1000, dtype=np.uint64)
    flipped = mixed(before) ^ mixed(before ^ np.uint64(1))
    bits = np.unpackbits(flipped.view(np.uint8)).sum() / 1000
    assert abs(bits - 32) < 1
    assert len(np.unique(mixed(before))) == 1000


def test_first_fit_of_the_same_table_is_named() -> None:
    ledger = Ledger(1.0, 1e-6)
    for content in (b"a", b"b", b"a", b"c", b"a"):
        ledger.allowance(0.1).note_table(content)
    assert ledger.same_table == {3: 1, 5: 1}
    assert ledger.spent_mu2 == 0


def test_fingerprint_depends_on_the_key_of_the_budget() -> None:
    def noted(content: bytes, key: str) -> str:
        ledger = Ledger(1.0, 1e-6)
        ledger._book._lines[0] = {**ledger._book._lines[0], "key": key}  # type: ignore[index]
        ledger.note_table(content)
        return str(ledger._book.lines()[-1]["fingerprint"])

    same, other = "ab" * 32, "cd" * 32
    assert noted(b"a", same) == noted(b"a", same)
    assert len({noted(b"a", same), noted(b"a", other), noted(b"b", same)}) == 3


def fingerprints(ledger: Path) -> list[str]:
    lines = [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
    return [line["fingerprint"] for line in lines if line["kind"] == "table"]


def test_a_second_fit_of_a_table_is_seen_by_the_steward_alone(
    clinic: Path, command: Callable[..., Any], visits: Callable[..., pd.DataFrame]
) -> None:
    arguments = ("-s", "clinic.yaml", "--model", "independent", "--epsilon", 1)
    said = [command("fit", "visits.csv", *arguments, "-o", "first.medsynth")]
    pd.read_csv("visits.csv").sample(frac=1, random_state=3).to_parquet("shuffled.parquet")
    said.append(command("fit", "shuffled.parquet", *arguments, "-o", "second.medsynth"))
    visits(300, 2).to_csv("others.csv", index=False)
    said.append(command("fit", "others.csv", *arguments, "-o", "third.medsynth"))
    assert [ran.code for ran in said] == [0, 0, 0]
    assert len({ran.out.replace(name, "") for ran, name in zip(said, ("first", "second", "third"), strict=True)}) == 1
    first, second, third = fingerprints(clinic / "clinic.ledger.jsonl")
    assert first == second != third
    shown = command("ledger", "show", "clinic.ledger.jsonl")
    assert "fit 2 read the same table as fit 1" in shown.out
    assert "fit 3 read" not in shown.out
    assert json.loads(command("ledger", "show", "clinic.ledger.jsonl", "--json").out)["same_table"] == {"2": 1}


def test_a_second_fit_of_a_table_with_private_columns_is_seen(
    clinic: Path, open_schema: str, command: Callable[..., Any]
) -> None:
    (clinic / "clinic.yaml").write_text(open_schema, encoding="utf-8")
    table = pd.read_csv("visits.csv")
    assert table["sex"].nunique() > 1
    table.sample(frac=1, random_state=3).to_parquet("shuffled.parquet")
    for column, value in (("age", 7.0), ("sex", "another"), ("outcome", "dead"), ("charge", 3.5)):
        other = table["outcome"].ne("dead") if column == "outcome" else table[column].notna()
        table.assign(**{column: table[column].where(table.index != other.idxmax(), value)}).to_csv(
            f"{column}.csv", index=False
        )
    arguments = ("-s", "clinic.yaml", "--model", "independent", "--epsilon", 0.5)
    for name in ("visits.csv", "shuffled.parquet", "age.csv", "sex.csv", "outcome.csv", "charge.csv"):
        fitted = command("fit", name, *arguments, "-o", f"{name}.medsynth")
        assert fitted.code == 0, fitted.err
    first, second, *others = fingerprints(clinic / "clinic.ledger.jsonl")
    assert first == second
    assert len({first, *others}) == 5
    assert "fit 2 read the same table as fit 1" in command("ledger", "show", "clinic.ledger.jsonl").out


@pytest.mark.parametrize("private", [False, True])
def test_no_output_holds_the_fingerprint(
    private: bool, clinic: Path, open_schema: str, command: Callable[..., Any]
) -> None:
    if private:
        (clinic / "clinic.yaml").write_text(open_schema, encoding="utf-8")
    ran = command("run", "visits.csv", "-s", "clinic.yaml", "-o", "out", "--model", "independent", "-n", 50)
    shown = command("ledger", "show", "clinic.ledger.jsonl", "--json")
    (noted,) = fingerprints(clinic / "clinic.ledger.jsonl")
    files = [path for path in (clinic / "out").rglob("*") if path.is_file()]
    assert len(files) > 5
    texts = [ran.out, ran.err, shown.out, *(path.read_bytes().decode("latin-1") for path in files)]
    for text in texts:
        assert noted not in text
        assert bytes.fromhex(noted).decode("latin-1") not in text


def test_a_long_table_is_the_same_in_any_order() -> None:
    rng = np.random.default_rng(2)
    ties, persons = (rng.integers(0, 2**63, shape).astype(np.uint64) for shape in (600_000, (600_000, 2)))
    order = rng.permutation(len(ties))
    assert content_of(ties, persons) == content_of(ties[order], persons[order])
    assert content_of(ties, persons) != content_of(ties[:-1], persons[:-1])
