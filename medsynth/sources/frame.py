"""Rows in a pandas data frame."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from medsynth.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameSource:
    """A data frame as a source.

    Attributes:
      frame: Private rows.
    """

    frame: pd.DataFrame = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.frame, pd.DataFrame):
            raise DataError(
                f"Table: got a {type(self.frame).__name__}, but a pandas DataFrame is needed. "
                "Convert it, or give a file to the command line."
            )
        require_distinct(tuple(str(name) for name in self.frame.columns))

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(str(name) for name in self.frame.columns)

    @property
    def rows(self) -> int:
        """Number of rows; private."""
        return len(self.frame)

    def batches(self, columns: tuple[str, ...]) -> Iterator[pd.DataFrame]:
        """The whole frame in one batch."""
        positions = [self.columns.index(name) for name in columns]
        yield self.frame.iloc[:, positions].set_axis(list(columns), axis=1)


def require_distinct(columns: tuple[str, ...]) -> None:
    """Refuses a table with two columns of one name.

    Raises:
      DataError: Naming the first such column.
    """
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"Table: column {twice!r} occurs more than once. Give every column a name of its own.")
