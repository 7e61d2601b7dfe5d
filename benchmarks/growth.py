"""How time and memory of a fit grow: with rows, with columns, with epsilon.

  rows      Adult, its rows over and over in a Parquet file of 1e5, 1e6 and 1e7 rows, read, encoded, counted and fitted
            by `adaptive` at epsilon 1; beside it DuckDB's GROUP BY over the columns of every table that the fit
            counted, on the same codes held in DuckDB's memory, nothing read from a file
  columns   100,000 rows of 10, 25, 50 and 100 columns, drawn with repetition from four tables set side by side
            (diabetes130, adult_discrete, nist_acs, credit_default; as codes): fitted at epsilon 1, as many rows drawn
  epsilon   Adult of 1e5 rows at 0.1, 1, 3 and 10

Each case is a process of its own, whose peak memory is noted, with a ledger in memory.

Command: python benchmarks/growth.py [--rows 100000 1000000 10000000] [--columns 10 25 50 100] [--dry]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from adult_discrete import peak_bytes
from bench_tasks import load_task
from check_schemas import READERS
from record import record

from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import Clique, Domain
from medsynth.fitting import FitRequest, fit_model, privacy_unit
from medsynth.models.adaptive import Adaptive
from medsynth.privacy import UNITS_PER_PERSON, Ledger
from medsynth.progress import Silent
from medsynth.schema import load_schema
from medsynth.sources.encoded import EncodedRecords
from medsynth.sources.files import FileSource

SEED = 0
DELTA = 1e-9
WIDE = ("diabetes130", "adult_discrete", "nist_acs", "credit_default")
WIDE_ROWS = 100_000
EPSILONS = (0.1, 1.0, 3.0, 10.0)


class Counted:
    """Notes the tables that a fit counts, and how long that takes."""

    def __init__(self) -> None:
        self.cliques: list[Clique] = []
        self.seconds = self.processor_seconds = 0.0
        self._count = EncodedRecords.marginals

    def install(self) -> None:
        """From here on, every count of this process is noted."""

        def marginals(records: EncodedRecords, cliques: Sequence[Clique]) -> Any:
            began, began_cpu = time.perf_counter(), time.process_time()
            tables = self._count(records, cliques)
            self.seconds += time.perf_counter() - began
            self.processor_seconds += time.process_time() - began_cpu
            self.cliques += cliques
            return tables

        EncodedRecords.marginals = marginals  # type: ignore[method-assign]


def fit_of_file(file: Path, rows: int, epsilon: float) -> dict[str, Any]:
    """Reads, encodes, counts and fits in this process; beside it GROUP BY over what was counted."""
    schema = load_schema("adult")
    schema = schema.model_copy(update={"privacy": schema.privacy.model_copy(update={"persons": rows})})
    request = FitRequest(schema=schema, model="adaptive", epsilon=epsilon)
    ledger = Ledger(
        *request.budget,
        population="adult",
        unit=schema.privacy.noun,
        persons=rows,
        privacy_unit=privacy_unit(schema),
    )
    counted = Counted()
    counted.install()
    began, began_cpu = time.perf_counter(), time.process_time()
    fit_model(FileSource(path=file), request, ledger, Silent())
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - began_cpu,
        "counting_seconds": counted.seconds,
        "counting_processor_seconds": counted.processor_seconds,
        "tables": len(counted.cliques),
        "peak_bytes": peak_bytes(),
        "counted": [[level.attribute for level in clique] for clique in counted.cliques],
    }


def group_by(file: Path, columns: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Seconds of one GROUP BY per table, on codes in memory."""
    codec = Codec(schema=load_schema("adult"))
    names = codec.domain.names
    with duckdb.connect() as connection:
        for position, batch in enumerate(pq.ParquetFile(file).iter_batches(batch_size=1 << 18)):
            codes = codec.encode(batch.to_pandas()).astype(np.uint16)
            part = pa.table(dict(zip(names, codes.T, strict=True)))
            connection.execute(
                "CREATE TABLE codes AS SELECT * FROM part" if not position else "INSERT INTO codes SELECT * FROM part"
            )
            del part
        began, began_cpu = time.perf_counter(), time.process_time()
        for each in columns:
            chosen = ", ".join(f'"{name}"' for name in each)
            grouped = (
                f"SELECT {chosen}, count(*) FROM codes GROUP BY {chosen}" if each else "SELECT count(*) FROM codes"
            )
            connection.execute(grouped).fetchall()
        return {
            "group_by_seconds": time.perf_counter() - began,
            "group_by_processor_seconds": time.process_time() - began_cpu,
        }


def replicated(folder: Path, rows: int) -> Path:
    """A Parquet file of Adult's rows over and over."""
    path = folder / f"adult_{rows}.parquet"
    if not path.exists():
        table = pa.Table.from_pandas(READERS["adult"](), preserve_index=False)
        with pq.ParquetWriter(path, table.schema) as writer:
            for begin in range(0, rows, len(table)):
                writer.write_table(table.slice(0, rows - begin))
    return path


def wide_fit(columns: int) -> dict[str, Any]:
    """Fits a wide table of codes and draws as many rows, in this process."""
    rng, attributes, codes = np.random.default_rng(SEED), [], []
    for name in WIDE:
        task = load_task(name)
        rows = rng.integers(0, len(task.train), WIDE_ROWS)
        attributes += [replace(attribute, name=f"{name}.{attribute.name}") for attribute in task.attributes]
        codes += [column[rows].astype(np.uint16) for column in task.train.T]
    kept = np.round(np.linspace(0, len(codes) - 1, columns)).astype(int)
    records = EncodedRecords(
        domain=Domain(attributes=tuple(attributes[k] for k in kept)),
        l2=UNITS_PER_PERSON,
        columns=[codes[k] for k in kept],
        weights=np.full(WIDE_ROWS, UNITS_PER_PERSON, dtype=np.int64),
    )
    ledger = Ledger(1.0, DELTA, population="wide", persons=WIDE_ROWS)
    before = peak_bytes()
    began, began_cpu = time.perf_counter(), time.process_time()
    fitted = Adaptive().fit(records, ledger, persons=WIDE_ROWS, mu=ledger.guarantee.mu)
    fit_seconds = time.perf_counter() - began
    fitted.sample(WIDE_ROWS, np.random.default_rng(SEED))
    return {
        "seconds": time.perf_counter() - began,
        "fit_seconds": fit_seconds,
        "processor_seconds": time.process_time() - began_cpu,
        "cells": sum(records.domain.sizes),
        "peak_bytes": peak_bytes(),
        "peak_bytes_before": before,
    }


def in_own_process(*arguments: object) -> dict[str, Any]:
    """One case, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", *map(str, arguments)], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def one(kind: str, *arguments: str) -> dict[str, Any]:
    """The case of a child process."""
    if kind == "fit":
        file, rows, epsilon = arguments
        return fit_of_file(Path(file), int(rows), float(epsilon))
    if kind == "group_by":
        file, columns = arguments
        return group_by(Path(file), json.loads(columns))
    return wide_fit(int(arguments[0]))


def of_rows(file: Path, rows: int) -> dict[str, Any]:
    """A fit and its GROUP BY, and their ratio."""
    found = in_own_process("fit", file, rows, 1.0)
    found |= in_own_process("group_by", file, json.dumps(found.pop("counted")))
    return found | {"times_group_by": found["seconds"] / found["group_by_seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--columns", type=int, nargs="*", default=[10, 25, 50, 100])
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one)))
        return
    values: dict[str, Any] = {"rows": {}, "columns": {}, "epsilon": {}}
    with tempfile.TemporaryDirectory() as folder:
        for rows in options.rows:
            values["rows"][f"rows_{rows}"] = of_rows(replicated(Path(folder), rows), rows)
            print("rows", rows, json.dumps(values["rows"][f"rows_{rows}"]), flush=True)
        for epsilon in EPSILONS:
            found = in_own_process("fit", replicated(Path(folder), 100_000), 100_000, epsilon)
            values["epsilon"][f"epsilon_{epsilon:g}"] = {key: found[key] for key in found if key != "counted"}
            print("epsilon", epsilon, json.dumps(values["epsilon"][f"epsilon_{epsilon:g}"]), flush=True)
    for columns in options.columns:
        values["columns"][f"columns_{columns}"] = in_own_process("wide", columns)
        print("columns", columns, json.dumps(values["columns"][f"columns_{columns}"]), flush=True)
    if not options.dry:
        record("growth", values, command="python benchmarks/growth.py", seeds=[SEED])


if __name__ == "__main__":
    main()
