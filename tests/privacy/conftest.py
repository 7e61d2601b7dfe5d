from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from medsynth.privacy.mechanisms import UNITS_PER_PERSON


@dataclass(frozen=True)
class SizedLevel:
    size: int


class TinyRecords:
    """Counts given by hand, in units; remembers how often it was counted."""

    def __init__(self, tables: Sequence[Any], l2: int = UNITS_PER_PERSON) -> None:
        self.tables = [np.asarray(table, dtype=np.int64) for table in tables]
        self.l2 = l2
        self.counted = 0

    @property
    def cliques(self) -> list[tuple[SizedLevel, ...]]:
        return [tuple(SizedLevel(size) for size in table.shape) for table in self.tables]

    def marginals(self, cliques: Sequence[tuple[Any, ...]]) -> list[npt.NDArray[np.int64]]:
        self.counted += 1
        assert len(cliques) == len(self.tables)
        return self.tables


@pytest.fixture
def two_tables() -> TinyRecords:
    return TinyRecords([[3 * UNITS_PER_PERSON, UNITS_PER_PERSON], np.full((2, 3), UNITS_PER_PERSON // 2)])


@pytest.fixture
def make_records() -> type[TinyRecords]:
    return TinyRecords
