"""Rows in a file, read by DuckDB in batches: CSV, gzipped CSV and Parquet, larger than memory."""

import csv
import gzip
import re
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from medsynth.errors import DataError, OutputError
from medsynth.sources.frame import require_distinct
from medsynth.sources.well_formed import Cut, blocks_of, cut_of, without_bare_returns

SUFFIXES = (".csv", ".csv.gz", ".parquet")
ROWS_PER_BATCH = 1 << 18
DELIMITERS = ",;\t|"
LONGEST_LINE = 1 << 24
"""Bytes of a CSV line; a longer one cannot be read."""
MOST_HEADER_LINES = 1000
_IN_QUOTES = re.compile('"[^"]*("|$)')


@dataclass(frozen=True, kw_only=True, eq=False)
class FileSource:
    """A CSV, gzipped CSV or Parquet file as a source.

    Cells of a CSV are read as text and an empty cell as missing; the schema says what they mean. A CSV that can be
    cut into records in more than one way is refused as a file, before a row is read (see `well_formed`).

    Attributes:
      path: The file.
      strict: Refuse a CSV with a record of another length or encoding; else such a record is read as far as it goes or
        left out, because `fit` must not stop on a row.
    """

    path: Path
    strict: bool = False
    _connection: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise DataError(
                f"{self.path.name}: there is no such file. Give the path of a .csv, .csv.gz or .parquet file."
            )
        if not self.path.name.lower().endswith(SUFFIXES):
            raise DataError(
                f"{self.path.name}: only {', '.join(SUFFIXES)} files are read. Convert the table to one of them."
            )

    @property
    def is_parquet(self) -> bool:
        """True for Parquet, false for CSV."""
        return self.path.name.lower().endswith(".parquet")

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Column names; a CSV is read through once for them, so that a broken file is known before anything else.

        Raises:
          DataError: If the file is empty, damaged, names a column twice, or is a CSV that is not well-formed.
        """
        try:
            names = self._parquet_columns() if self.is_parquet else self._csv_columns()
        except (OSError, EOFError, UnicodeDecodeError, csv.Error, ValueError, zlib.error):
            raise self._unreadable() from None
        if not names:
            raise self._unreadable()
        require_distinct(names)
        return names

    def _parquet_columns(self) -> tuple[str, ...]:
        schema = pq.read_schema(self.path)
        for column in schema:
            if pa_nested(column.type):
                raise DataError(
                    f"{self.path.name}: column {column.name!r} holds {column.type}, but only text, numbers, dates and "
                    "booleans are read. Flatten it."
                )
        return tuple(schema.names)

    def _csv_columns(self) -> tuple[str, ...]:
        names = tuple(self._header)
        if not self._cut.well_formed:
            raise self._ambiguous()
        return names

    @cached_property
    def _cut(self) -> Cut:
        with self._opened("rb") as file:
            return cut_of(blocks_of(file), self._delimiter)

    @property
    def _on_bad_text(self) -> str:
        """Looking for the header decodes rows behind it too: their bytes must not stop a fit."""
        return "strict" if self.strict else "replace"

    @cached_property
    def _header(self) -> list[str]:
        with self._opened("rt", encoding="utf-8-sig", errors=self._on_bad_text, newline="") as file:
            return next(csv.reader(file, delimiter=self._delimiter), [])

    @cached_property
    def _delimiter(self) -> str:
        header = ""
        with self._opened("rt", encoding="utf-8-sig", errors=self._on_bad_text, newline="") as file:
            for line in islice(file, MOST_HEADER_LINES):
                header += line
                if header.count('"') % 2 == 0:
                    break
        return max(DELIMITERS, key=_IN_QUOTES.sub("", header).count)

    def _opened(self, mode: str, **options: Any) -> Any:
        """The bytes or the text of a CSV, unpacked."""
        packed = self.path.name.lower().endswith(".gz")
        return (gzip.open if packed else open)(self.path, mode, **options)

    @property
    def rows(self) -> int | None:
        """Number of rows of a Parquet file, a guess from the size of a CSV; private, plans memory alone."""
        if self.is_parquet:
            return int(pq.read_metadata(self.path).num_rows)
        return self.path.stat().st_size // max(8, 2 * len(self.columns))

    def batches(self, columns: tuple[str, ...], *, categorical: bool = True) -> Iterator[pd.DataFrame]:
        """The named columns, some rows at a time, in file order.

        Args:
          columns: Names.
          categorical: Text as one code a cell and its distinct values: a batch is encoded by these, four times sooner.

        Raises:
          DataError: If the file is damaged. The reader's own message is not passed on: it may quote a row.
          OutputError: If a copy is needed (see `_readable`) and there is no room for it.
        """
        chosen = ", ".join(_quoted(name) for name in columns)
        try:
            with self._readable() as path, duckdb.connect(config=_OFFLINE) as connection:
                relation = connection.sql(f"SELECT {chosen} FROM {self._scan}", params={"path": _literal(str(path))})
                for batch in relation.to_arrow_reader(ROWS_PER_BATCH):
                    # As floats, long identifiers beside an empty cell would run into each other.
                    # As date objects, a day outside the years 1 to 9999 would stop the reading.
                    yield batch.to_pandas(
                        integer_object_nulls=True, date_as_object=False, strings_to_categorical=categorical
                    )
        except (duckdb.Error, pa.ArrowException, OSError, EOFError):
            raise self._unreadable() from None

    @contextmanager
    def _readable(self) -> Iterator[Path]:
        """What DuckDB reads: the file, or a copy without bare carriage returns, at which it would cut records in two.

        The reader is the same for both: another one for such a file would read other persons' records otherwise.
        """
        if self.is_parquet or not self._cut.bare_returns:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="medsynth-") as folder:  # only its owner may enter
            copy = Path(folder) / "table.csv"
            try:
                with self._opened("rb") as file, copy.open("wb") as changed:
                    changed.writelines(without_bare_returns(blocks_of(file)))
            except OSError as error:
                raise OutputError(
                    f"{folder}: a copy of {self.path.name} cannot be written ({error.strerror}). "
                    "Set TMPDIR to a private folder with room for the unpacked table."
                ) from error
            yield copy

    @property
    def _scan(self) -> str:
        if self.is_parquet:
            return "read_parquet($path, hive_partitioning=false)"
        types = ", ".join(f"{_quoted(name, mark=chr(39))}: 'VARCHAR'" for name in self.columns)
        lenient = "" if self.strict else ", null_padding=true, strict_mode=false, ignore_errors=true"
        return (
            f"read_csv($path, auto_detect=false, header=true, delim={_quoted(self._delimiter, mark=chr(39))}, "
            f"quote='\"', escape='\"', nullstr='', hive_partitioning=false, max_line_size={LONGEST_LINE}{lenient}, "
            f"parallel=false, columns={{{types}}})"
        )

    def _unreadable(self) -> DataError:
        kind = "Parquet" if self.is_parquet else "CSV with a header line in UTF-8"
        return DataError(
            f"{self.path.name}: the file is empty, cut short or not {kind}. "
            "Export it again and compare its size with the original."
        )

    def _ambiguous(self) -> DataError:
        return DataError(
            f"{self.path.name}: the file is cut short or not well-formed CSV: a quote is left open, stands inside a "
            "field or is escaped by a backslash, or line breaks are of two kinds (such as a bare carriage return or "
            "line feed inside a cell), so that one record may swallow or split others. Export it again as Parquet, "
            "or with quotes around such cells and doubled within them."
        )


_OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def _literal(path: str) -> str:
    """A path in which DuckDB sees no pattern: `a*.csv` is one file of that name.

    >>> _literal("study[1]/a*.csv")
    'study[[]1]/a[*].csv'
    """
    return "".join(f"[{character}]" if character in "*?[" else character for character in path)


def _quoted(text: str, mark: str = '"') -> str:
    return mark + text.replace(mark, mark * 2) + mark


def pa_nested(kind: Any) -> bool:
    """True for Arrow types that hold lists, maps, structures or raw bytes."""
    import pyarrow.types as types

    return bool(types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind))


def read_frame(path: Path) -> pd.DataFrame:
    """A whole file as a data frame, CSV cells as text.

    Raises:
      DataError: If the file is missing, damaged or of another kind.
    """
    source = FileSource(path=path, strict=True)
    parts = list(source.batches(source.columns, categorical=False))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(source.columns))
