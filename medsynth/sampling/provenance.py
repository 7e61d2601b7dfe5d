"""Synthetic tables as files that say what they are."""

import gzip
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medsynth.errors import OutputError, UsageError

MARK = b"medsynth"
"""Parquet metadata key under which a synthetic table says so."""


def write_table(frame: pd.DataFrame, path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes synthetic rows as Parquet or CSV, whole or not at all.

    Parquet columns get a fresh schema: no pandas metadata, no dictionary with levels that no row has. Its metadata
    holds `provenance`; a CSV gets it as a side-car `<name>.provenance.json`.

    Args:
      frame: Synthetic rows.
      path: Ends in .parquet, .csv or .csv.gz.
      provenance: Plain values: schema, model, guarantee, version, licence, terms.

    Raises:
      UsageError: If the ending is another.
      OutputError: If the file cannot be written.
    """
    require_table_name(path)
    text = json.dumps({"synthetic": True, **provenance}, sort_keys=True)
    if path.name.endswith(".parquet"):
        table = arrow_table(frame).replace_schema_metadata({MARK: text.encode()})
        replace_file(path, lambda target: pq.write_table(table, target, compression="zstd"))
    else:
        text_bytes = frame.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d").encode()
        # Compressed here: pandas would write the name of the temporary file into the header.
        content = gzip.compress(text_bytes, mtime=0) if path.name.endswith(".gz") else text_bytes
        replace_file(path, lambda target: target.write_bytes(content))
        replace_file(
            path.with_name(path.name + ".provenance.json"),
            lambda target: target.write_text(text + "\n", encoding="utf-8", newline="\n"),
        )


def require_table_name(path: Path) -> None:
    """Refuses a file name whose ending names no format that is written.

    Raises:
      UsageError: Saying which are.
    """
    if not path.name.endswith((".parquet", ".csv", ".csv.gz")):
        raise UsageError(f"{path.name}: tables are written as .parquet, .csv or .csv.gz. Change the ending.")


def arrow_table(frame: pd.DataFrame) -> pa.Table:
    """A frame as Arrow columns of plain types: categories and texts as strings, dates as days."""
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.astype(object)
        array = pa.Array.from_pandas(values)
        if pa.types.is_timestamp(array.type):
            array = array.cast(pa.date32())
        if pa.types.is_null(array.type):
            array = array.cast(pa.string())
        columns[str(name)] = array
    return pa.table(columns)


def read_provenance(path: Path) -> Mapping[str, Any] | None:
    """What a table says of its synthetic origin, or None if it says nothing."""
    if path.name.endswith(".parquet"):
        metadata = pq.read_schema(path).metadata or {}
        return _said(metadata[MARK]) if MARK in metadata else None
    side_car = path.with_name(path.name + ".provenance.json")
    return _said(side_car.read_bytes()) if side_car.is_file() else None


def _said(content: bytes) -> Mapping[str, Any]:
    """What a mark says; one that cannot be read is a mark all the same."""
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def replace_file(path: Path, write: Callable[[Path], Any], *, mode: int | None = None) -> None:
    """Writes beside `path`, then renames: readers see the old file or the whole new one.

    Args:
      path: Where the file shall stand; its folder is made.
      write: Writes to the path it is given.
      mode: Permissions, for instance 0o600, where the platform has them.

    Raises:
      OutputError: If the folder or file cannot be written, or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix="".join(path.suffixes[-2:]))
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        temporary.chmod(0o644 if mode is None else mode)
        temporary.replace(path)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise OutputError(
            f"{path}: cannot be written ({reason}). Choose a folder you may write to, with room on its disk."
        ) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
