"""Where private rows live. A source names its columns, streams raw rows, and hands the ledger records it can count.

frame     a pandas data frame
files     CSV, gzipped CSV and Parquet, read by DuckDB in batches, larger than memory
encoded   codes and bounded weights: what both hand over
open      the same of columns whose values or bounds are still to be found
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from medsynth.registry import Registry

if TYPE_CHECKING:
    import pandas as pd


class Source(Protocol):
    """Private rows, not yet encoded."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names, distinct."""
        ...

    @property
    def rows(self) -> int | None:
        """How many rows, where that is known without reading them; private, used to plan memory alone."""
        ...

    def batches(self, columns: tuple[str, ...]) -> "Iterator[pd.DataFrame]":
        """The named columns, some rows at a time, always in the same order."""
        ...


SOURCES = Registry(
    "source",
    __name__,
    {".csv": "files:FileSource", ".csv.gz": "files:FileSource", ".parquet": "files:FileSource"},
)
