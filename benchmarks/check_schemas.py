"""Holds the shipped schemas against the real public tables in `../shared/data`.

For each table: cells outside the schema by column, derived columns that the rows contradict, rows
that break a rule, and rows of each plausible rule and rare condition. The tables are public, so
counts are printed; nothing here reads private data, and no schema is made from what this prints.

Command: python benchmarks/check_schemas.py [NAME ...]
Exit status 1 if some rule or derived column fails on a real row.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medsynth.schema import load_schema
from medsynth.schema.texts import canonical_text

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def read_adult() -> pd.DataFrame:
    """Both parts, fields trimmed, the dot after the labels of the second part removed."""
    names = list(load_schema("adult").columns)
    parts = [
        pd.read_csv(
            DATA / "adult" / f"adult.{part}.gz", header=None, names=names, skiprows=skip, dtype=str,
            keep_default_na=False, skipinitialspace=True,
        )
        for part, skip in (("data", 0), ("test", 1))
    ]  # fmt: skip
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(income=frame["income"].str.rstrip("."))


def read_text(path: str) -> pd.DataFrame:
    """Every cell as written; an empty cell is missing."""
    return pd.read_csv(DATA / path, dtype=str, keep_default_na=False, na_values=[""])


READERS: dict[str, Callable[[], pd.DataFrame]] = {
    "diabetes130": lambda: read_text("diabetes130/diabetic_data.csv.gz"),
    "adult": read_adult,
    "credit_default": lambda: pd.read_parquet(DATA / "credit_default" / "default_credit_card_clients.parquet"),
    "support2": lambda: read_text("support2/support2.csv.gz").iloc[:, 1:],
    "thyroid": lambda: read_text("thyroid/thyroid0387.csv.gz"),
    "nist_acs": lambda: read_text("nist_acs/national2019.csv.gz"),
}


def outside(cells: pd.Series[Any], column: Any) -> pd.Series[bool]:
    """Marks the cells that the column's description does not cover."""
    texts = cells.map(canonical_text, na_action="ignore")
    covered = texts.isin(column.missing_texts) | (texts.isna() & bool(column.missing))
    if column.kind == "code":
        covered |= texts.map(column.code_system.normalise, na_action="ignore").notna()
    elif column.kind in {"category", "boolean"}:
        covered |= texts.isin(set(column.texts))
    else:
        covered |= pd.to_numeric(cells, errors="coerce").between(column.min, column.max)
    return ~covered


def check_cells(frame: pd.DataFrame, schema: Any) -> None:
    """Prints the columns that hold cells outside the schema."""
    absent = set(frame.columns) ^ set(schema.columns)
    print("  columns in one only:", ", ".join(sorted(absent)) or "none")
    for name, column in schema.columns.items():
        if column.kind in {"id", "drop"} or name not in frame:
            continue
        marked = outside(frame[name], column)
        if marked.any():
            examples = frame[name][marked].value_counts(dropna=False).head(6).to_dict()
            print(f"  outside  {name}: {int(marked.sum()):,} cells, such as {examples}")


def check_derived(frame: pd.DataFrame, schema: Any) -> int:
    """Counts the cells of derived columns that the definition does not give."""
    failed = 0
    for name, expression in schema.derived_expressions.items():
        given = expression.evaluate(frame, schema).map(canonical_text)
        differs = int((given != frame[name].map(canonical_text)).sum())
        failed += differs
        print(f"  derived  {name}: {differs:,} of {len(frame):,} cells differ")
    return failed


def check_predicates(frame: pd.DataFrame, schema: Any) -> int:
    """Counts rows that break rules; tells the reach of plausible rules and rare conditions."""
    broken = 0
    for rule in schema.rule_predicates:
        failing = int(np.sum(~rule.evaluate(frame, schema)))
        broken += failing
        if failing:
            print(f"  BROKEN   {failing:,} rows: {rule}")
    print(f"  rules    {len(schema.rules)}, broken by {broken:,} rows")
    for rule in schema.plausible_predicates:
        print(f"  doubtful {int(np.sum(~rule.evaluate(frame, schema))):,} rows: {rule}")
    groups = (("rare", schema.rare_predicates), ("subgroup", schema.subgroup_predicates))
    for kind, conditions in groups:
        for name, condition in conditions.items():
            share = float(np.mean(condition.evaluate(frame, schema)))
            print(f"  {kind:8} {share:8.4%} {round(share * len(frame)):,} rows: {name}")
    return broken


def main(names: list[str]) -> int:
    """Checks the named tables, or all."""
    if not DATA.is_dir():
        raise SystemExit(f"{DATA}: no such folder. Put the benchmark data there.")
    failed = 0
    for name in names or list(READERS):
        schema, frame = load_schema(name), READERS[name]()
        print(f"{name}: {len(frame):,} rows, {len(schema.modelled)} modelled columns")
        check_cells(frame, schema)
        failed += check_derived(frame, schema) + check_predicates(frame, schema)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
