"""Writes the demo's data into the package: the real Diabetes-130, split by person.

Reads `../shared/data/diabetes130/diabetic_data.csv.gz` (UCI Machine Learning Repository, data set
296), changes no value, and writes two Parquet files beside their licence in
`medsynth/data/diabetes130/`. A patient's stays go together: the keyed hash of `patient_nbr`, with
the public key below, sends 80 of 100 patients to `train` and the others to `holdout`.

Command: python benchmarks/build_demo_data.py
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT.parent / "shared" / "data" / "diabetes130" / "diabetic_data.csv.gz"
TARGET = ROOT / "medsynth" / "data" / "diabetes130"
KEY = b"medsynth demo split 1"
TRAIN_SHARE = 0.8
UNIT = "patient_nbr"
INTEGERS = (
    "encounter_id", UNIT, "admission_type_id", "discharge_disposition_id", "admission_source_id",
    "time_in_hospital", "num_lab_procedures", "num_procedures", "num_medications",
    "number_outpatient", "number_emergency", "number_inpatient", "number_diagnoses",
)  # fmt: skip


def keyed_share(person: str, key: bytes = KEY) -> float:
    """Maps a person to [0, 1), evenly and independently of every other person.

    >>> keyed_share("8222157") == keyed_share("8222157")
    True
    """
    digest = hashlib.blake2b(person.encode(), key=key, digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def read_source(path: Path) -> pd.DataFrame:
    """Reads the upstream file with every cell as written: '?' and 'None' stay text."""
    if not path.exists():
        raise SystemExit(
            f"{path}: no such file. Get diabetic_data.csv from UCI data set 296 "
            "(doi:10.24432/C5230J), gzip it, and put it there."
        )
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
    return frame.astype(dict.fromkeys(INTEGERS, np.int64))


def in_train(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Marks the rows of training persons."""
    return frame[UNIT].astype(str).map(keyed_share).to_numpy() < TRAIN_SHARE


def write(frame: pd.DataFrame, path: Path) -> None:
    """Writes one part: a plain schema, no pandas metadata, zstd."""
    types = [pa.field(c, pa.int64() if c in INTEGERS else pa.string()) for c in frame.columns]
    table = pa.Table.from_pandas(frame, schema=pa.schema(types), preserve_index=False)
    part = path.with_suffix(".part")
    pq.write_table(
        table.replace_schema_metadata(None), part,
        compression="zstd", compression_level=19, row_group_size=len(frame), store_schema=False,
    )  # fmt: skip
    part.replace(path)


def main() -> None:
    """Writes both parts and prints what they hold (public data)."""
    frame = read_source(SOURCE)
    train = in_train(frame)
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train", frame[train]), ("holdout", frame[~train])):
        path = TARGET / f"{name}.parquet"
        write(rows, path)
        size = path.stat().st_size / 1e6
        print(f"{name}: {len(rows):,} stays, {rows[UNIT].nunique():,} patients, {size:.2f} MB")


if __name__ == "__main__":
    main()
