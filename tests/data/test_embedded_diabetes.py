"""The embedded Diabetes-130 is whole, split by person, unchanged, and true to its schema."""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from medsynth.schema import load_schema

FOLDER = Path(str(files("medsynth"))) / "data" / "diabetes130"
PARTS = ("train", "holdout")


@lru_cache
def part(name: str) -> pd.DataFrame:
    return pd.read_parquet(FOLDER / f"{name}.parquet")


def test_embedded_data_is_the_whole_table() -> None:
    both = pd.concat(map(part, PARTS))
    assert both.shape == (101_766, 50)
    assert both["encounter_id"].is_unique
    assert both["patient_nbr"].nunique() == 71_518


def test_no_patient_is_in_both_parts_and_train_has_seven_tenths() -> None:
    train, holdout = (set(part(name)["patient_nbr"]) for name in PARTS)
    assert not train & holdout
    # Binomial(71518, 0.8) has standard deviation 107; the split is fixed, the bound is 5 times it.
    assert abs(len(train) - 0.8 * 71_518) < 5 * 107


def test_readme_beside_the_data_states_the_parts_as_they_are() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in PARTS:
        rows, persons = len(part(name)), part(name)["patient_nbr"].nunique()
        assert f"| `{name}.parquet` | {rows:,} | {persons:,} |" in readme


def test_licence_names_authors_source_and_changes() -> None:
    text = (FOLDER / "LICENSE.txt").read_text(encoding="utf-8")
    for word in ("Strack", "10.1155/2014/781670", "10.24432/C5230J", "CC BY 4.0", "Changes made"):
        assert word in text


def test_missing_code_and_untested_value_are_kept_as_text() -> None:
    train = part("train")
    assert (train["weight"] == "?").any()
    assert (train["A1Cresult"] == "None").any()
    assert not train.isna().any().any()


@pytest.mark.parametrize("name", PARTS)
def test_parquet_files_are_small_and_carry_no_metadata(name: str) -> None:
    path = FOLDER / f"{name}.parquet"
    assert path.stat().st_size < 1_700_000
    assert pq.read_schema(path).metadata is None


@pytest.mark.parametrize("name", PARTS)
def test_every_rule_of_the_schema_holds_on_every_row(name: str) -> None:
    schema, frame = load_schema("diabetes130"), part(name)
    for rule in schema.rule_predicates:
        assert np.all(rule.evaluate(frame, schema)), str(rule)


@pytest.mark.parametrize("name", PARTS)
def test_derived_column_of_the_schema_equals_the_real_one(name: str) -> None:
    schema, frame = load_schema("diabetes130"), part(name)
    for column, expression in schema.derived_expressions.items():
        assert (expression.evaluate(frame, schema).astype(str) == frame[column]).all()
