"""Synthetic tables as files that say what they are."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medsynth.errors import DataError, UsageError
from medsynth.writing import make_folder, replacing

FEW = 1000
MARK = b"medsynth"
"""Parquet metadata key under which a synthetic table says so."""


def write_table(
    frames: pd.DataFrame | Iterable[pd.DataFrame], path: Path, provenance: Mapping[str, Any]
) -> dict[str, str]:
    """Writes synthetic rows as Parquet or CSV, whole or not at all; no more than two frames are held.

    Parquet columns get a fresh schema: no pandas metadata, no dictionary with levels that no row has. Its metadata
    holds `provenance`; a CSV gets it as a side-car `<name>.provenance.json`, in place before the CSV.

    Args:
      frames: Synthetic rows, in one frame or in several with the same columns.
      path: Ends in .parquet, .csv or .csv.gz.
      provenance: Plain values: schema, model, guarantee, version, licence, terms.

    Returns:
      The kind of each column, as `column_kinds` of the first frame says it.

    Raises:
      UsageError: If the ending is another.
      OutputError: If the file cannot be written.
    """
    require_table_name(path)
    text = json.dumps({"synthetic": True, **provenance}, sort_keys=True).encode()
    several = iter([frames] if isinstance(frames, pd.DataFrame) else frames)
    # The first rows come before the file: what cannot be drawn leaves no trace.
    first = next(several)
    kinds, rows = column_kinds(first), chain([first], several)
    del first
    make_folder(path.parent)
    *before, _ = table_files(path)
    with replacing(path, side_car=(before[0], text + b"\n") if before else None) as file:
        if path.name.endswith(".parquet"):
            _write_parquet(rows, file, text)
        elif path.name.endswith(".gz"):
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                _write_csv(rows, packed)
        else:
            _write_csv(rows, file)
    return kinds


def _write_parquet(frames: Iterator[pd.DataFrame], file: IO[bytes], said: bytes) -> None:
    """The first frame sets the types; each frame is a row group. What Arrow would add about types is left out."""
    table = arrow_table(next(frames))
    parquet = pq.ParquetWriter(file, table.schema, compression="zstd", store_schema=False)
    with parquet as writer, _OneAhead() as ahead:
        ahead.run(partial(writer.write_table, table))
        del table
        for frame in frames:
            ahead.run(partial(writer.write_table, arrow_table(frame).cast(writer.schema)))
        ahead.wait()
        writer.add_key_value_metadata({MARK: said})


class _OneAhead:
    """Runs one piece of work at a time in a thread of its own, while the caller prepares the next."""

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._work: Future[None] | None = None
        return self

    def run(self, work: Callable[[], None]) -> None:
        """Starts work once what came before is done; an error of that is raised here."""
        self.wait()
        self._work = self._pool.submit(work)

    def wait(self) -> None:
        """Returns when nothing runs; raises what went wrong."""
        if self._work is not None:
            self._work.result()
            self._work = None

    def __exit__(self, *_: object) -> None:
        # A second interruption must not close the file under the thread's hands.
        interruption: BaseException | None = None
        while self._work is not None and not self._work.done():
            try:
                self._work.exception()
            except (KeyboardInterrupt, SystemExit) as again:
                interruption = again
        self._pool.shutdown()
        if interruption is not None:
            raise interruption


def _write_csv(frames: Iterable[pd.DataFrame], file: IO[bytes] | gzip.GzipFile) -> None:
    for place, frame in enumerate(frames):
        text = frame.to_csv(index=False, header=not place, lineterminator="\n", date_format="%Y-%m-%d")
        file.write(text.encode())


def require_table_name(path: Path) -> None:
    """Refuses a file name whose ending names no format that is written.

    Raises:
      UsageError: Saying which are.
    """
    if not path.name.endswith((".parquet", ".csv", ".csv.gz")):
        raise UsageError(f"{path.name}: tables are written as .parquet, .csv or .csv.gz. Change the ending.")


def table_files(path: Path) -> tuple[Path, ...]:
    """What `write_table` writes, in the order it takes its place: before a CSV, the side-car that says what it is."""
    return (path,) if path.name.endswith(".parquet") else (path.with_name(path.name + ".provenance.json"), path)


def arrow_table(frame: pd.DataFrame) -> pa.Table:
    """A frame as Arrow columns of plain types: dates as days, categories as texts stored once each."""
    columns = {}
    for name in frame.columns:
        values = frame[name]
        categorical = isinstance(values.dtype, pd.CategoricalDtype)
        array = _dictionary(values) if categorical else pa.Array.from_pandas(values)
        if pa.types.is_timestamp(array.type):
            array = array.cast(pa.date32())
        if pa.types.is_null(array.type):
            array = array.cast(pa.string())
        columns[str(name)] = array
    return pa.table(columns)


def column_kinds(frame: pd.DataFrame) -> dict[str, str]:
    """What each column holds, in the words of schema.org: Boolean, Integer, Float, Date or Text.

    >>> column_kinds(pd.DataFrame({"age": [1, 2], "ward": ["a", None]}))
    {'age': 'Integer', 'ward': 'Text'}
    """
    return {field.name: _kind(field.type) for field in arrow_table(frame.head(FEW)).schema}


def _kind(type_: pa.DataType) -> str:
    value = type_.value_type if pa.types.is_dictionary(type_) else type_
    known = (
        (pa.types.is_boolean, "Boolean"),
        (pa.types.is_integer, "Integer"),
        (pa.types.is_floating, "Float"),
        (pa.types.is_date, "Date"),
    )
    return next((kind for fits, kind in known if fits(value)), "Text")


def _dictionary(values: "pd.Series[Any]") -> pa.Array:
    """Categories with positions in a list of those that occur, no others; all that are declared set their type."""
    declared = pa.array(list(values.cat.categories)).type
    codes = values.cat.codes.to_numpy()
    present = codes >= 0
    occurring = np.flatnonzero(np.bincount(codes[present], minlength=len(values.cat.categories)))
    place = np.zeros(len(values.cat.categories) + 1, dtype=np.int32)
    place[occurring] = np.arange(len(occurring))
    kept = list(values.cat.categories[occurring])
    labels = pa.array(kept, type=pa.string() if pa.types.is_null(declared) else declared)
    return pa.DictionaryArray.from_arrays(pa.array(place[codes], mask=~present), labels)


def read_provenance(path: Path) -> Mapping[str, Any] | None:
    """What a table says of its synthetic origin, or None if it says nothing."""
    if path.name.endswith(".parquet"):
        metadata = pq.read_schema(path).metadata or {}
        return _said(metadata[MARK]) if MARK in metadata else None
    side_car = table_files(path)[0]
    return _said(side_car.read_bytes()) if side_car.is_file() else None


def origin_of(path: Path, *, allow_synthetic: bool) -> Mapping[str, Any] | None:
    """What a table says of its synthetic origin, where that is allowed.

    Raises:
      DataError: If it says that it is synthetic and may not be.
    """
    mark = read_provenance(path)
    if mark is not None and not allow_synthetic:
        raise DataError(
            f"{path.name}: says that it is synthetic. Fitting on synthetic records breeds errors: use the original, or "
            "add --allow-synthetic."
        )
    return mark


def _said(content: bytes) -> Mapping[str, Any]:
    """What a mark says; one that cannot be read is a mark all the same."""
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
