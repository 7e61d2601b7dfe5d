"""Encoded rows that can only be counted: what every source hands to the ledger."""

import shutil
import tempfile
import weakref
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.bounding import bounding_of, order_values, person_digests, row_hashes
from medsynth.encoding.codec import Codec
from medsynth.encoding.domain import Clique, Domain
from medsynth.privacy.fingerprint import content_of

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.schema import Schema

MOST_BYTES_IN_MEMORY = 1 << 30
"""Codes beyond this size live in an owner-only temporary file, mapped into memory."""
ROWS_PER_PASS = 1 << 20
MOST_CODE = 1 << 16


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedRecords:
    """Columns of codes and what each row contributes.

    Attributes:
      domain: The public domain.
      l2: Sensitivity of one marginal in units of 2^-20 person.
      columns: Per attribute, (n,) unsigned codes; private.
      weights: (n,) int64 units; private.
      content: Digest of the rows, for the ledger's note of which table was read; private.
      keep: Whatever must live as long as the records (a temporary folder).
    """

    domain: Domain
    l2: int
    columns: Sequence[npt.NDArray[Any]] = field(repr=False)
    weights: npt.NDArray[np.int64] = field(repr=False)
    content: bytes = field(default=b"", repr=False)
    keep: Any = field(default=None, repr=False)

    def marginals(self, cliques: Sequence[Clique]) -> list[npt.NDArray[np.int64]]:
        """Exact counts in units of 2^-20 person, one array per clique; for the ledger alone."""
        return [self._marginal(clique) for clique in cliques]

    def _marginal(self, clique: Clique) -> npt.NDArray[np.int64]:
        shape = tuple(level.size for level in clique)
        counts = np.zeros(int(np.prod(shape)), dtype=np.int64)
        for begin in range(0, max(len(self.weights), 1), ROWS_PER_PASS):
            rows = slice(begin, begin + ROWS_PER_PASS)
            cells = self._flat_cells(clique, rows)
            weights = self.weights[rows]
            if self._one_weight is not None:
                counts += np.bincount(cells, minlength=counts.size) * self._one_weight
            else:
                # Sums of integers below 2^53 are exact in double precision: 8e9 persons.
                counts += np.bincount(cells, weights=weights, minlength=counts.size).astype(np.int64)
        return counts.reshape(shape)

    def _flat_cells(self, clique: Clique, rows: slice) -> npt.NDArray[np.int64]:
        flat = np.zeros(len(self.weights[rows]), dtype=np.int64)
        for level in clique:
            codes = self.columns[self.domain.index(level.attribute)][rows]
            flat *= level.size
            flat += codes if level.is_finest else level.groups[codes]
        return flat

    def parts(self, conditions: "Sequence[Condition]") -> "list[EncodedRecords]":
        """The rows inside each condition; a row belongs to the first that it meets."""
        taken = np.zeros(len(self.weights), dtype=bool)
        found = []
        for condition in conditions:
            rows = np.flatnonzero(self._inside(condition) & ~taken)
            taken[rows] = True
            columns = [column[rows] for column in self.columns]
            found.append(EncodedRecords(domain=self.domain, l2=self.l2, columns=columns, weights=self.weights[rows]))
        return found

    def _inside(self, condition: "Condition") -> npt.NDArray[np.bool_]:
        inside = np.zeros(len(self.weights), dtype=bool)
        for box in condition.boxes:
            met = np.ones(len(self.weights), dtype=bool)
            for position, cells in box.items():
                met &= cells[self.columns[position]]
            inside |= met
        return inside

    @cached_property
    def _one_weight(self) -> int | None:
        """The weight of every row where all rows weigh the same."""
        first = int(self.weights[0]) if len(self.weights) else 0
        return first if bool((self.weights == first).all()) else None


def encode_batches(
    batches: Iterable[pd.DataFrame],
    codec: Codec,
    key: bytes,
    *,
    rows: int | None = None,
    unnoted: Collection[str] = (),
) -> EncodedRecords:
    """Encodes rows batch by batch and bounds each person's contribution.

    Args:
      batches: Raw rows with the modelled, person and order columns.
      codec: Encodes them.
      key: 64 secret bytes: which rows of a person are kept, and how persons are told apart.
      rows: Expected number of rows, where known, to decide whether codes are kept in memory.
      unnoted: Columns whose cells differ from fit to fit, so that the digest of the table leaves them out.
    """
    schema = codec.schema
    bounding = bounding_of(schema.privacy)
    store = _Store(codec.domain, rows or 0)
    noted = [position for position, name in enumerate(codec.domain.names) if name not in unnoted]
    persons, orders, ties, notes = [], [], [], []
    for frame in batches:
        codes = codec.encode_rows(frame)
        store.append(codes)
        ties.append(row_hashes(codes, key[:32]))
        notes.append(row_hashes(codes[:, noted], key[:32]) if unnoted else ties[-1])
        if schema.privacy.unit is not None:
            persons.append(person_digests(frame[schema.privacy.unit], key[32:]))
        if schema.privacy.order is not None:
            orders.append(order_of(frame, schema))
    tie, note = (np.concatenate([np.empty(0, dtype=np.uint64), *hashes]) for hashes in (ties, notes))
    person = np.concatenate(persons) if persons else np.empty((0, 2), dtype=np.uint64)
    order = np.concatenate(orders) if orders else None
    contributed = bounding.contributions(person, order, tie)
    columns = store.columns()
    counted = codec.rows_per_person(contributed.rows)
    if counted is not None:
        position, numbers = counted
        columns[position] = numbers.astype(columns[position].dtype)
    return EncodedRecords(
        domain=codec.domain,
        l2=bounding.l2,
        columns=columns,
        weights=contributed.weights,
        content=content_of(note, person),
        keep=store,
    )


def order_of(frame: pd.DataFrame, schema: "Schema") -> npt.NDArray[np.float64]:
    """Sort keys (n,) of the rows by the declared order."""
    column = schema.columns.get(schema.privacy.order or "")
    return order_values(frame[schema.privacy.order], "number" if column is None else column.kind)


class _Store:
    """Columns of codes, in memory or mapped from an owner-only temporary file."""

    def __init__(self, domain: Domain, rows: int) -> None:
        self._types = [
            np.uint8 if size <= 256 else np.uint16 if size <= MOST_CODE else np.uint32 for size in domain.sizes
        ]
        self._batches: list[list[npt.NDArray[Any]]] = []
        bytes_per_row = sum(np.dtype(kind).itemsize for kind in self._types)
        self._folder: Path | None = None
        if rows * bytes_per_row > MOST_BYTES_IN_MEMORY:
            self._folder = Path(tempfile.mkdtemp(prefix="medsynth-"))  # mkdtemp: only its owner may enter
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            self._files = [(self._folder / f"{position}.codes").open("wb") for position in range(len(self._types))]

    def append(self, codes: npt.NDArray[np.int32]) -> None:
        """Adds rows of codes (n, d)."""
        columns = [codes[:, position].astype(kind) for position, kind in enumerate(self._types)]
        if self._folder is None:
            self._batches.append(columns)
            return
        for file, column in zip(self._files, columns, strict=True):
            column.tofile(file)

    def columns(self) -> list[npt.NDArray[Any]]:
        """Each attribute's codes, (n,)."""
        if self._folder is None:
            by_column = zip(*self._batches, strict=True) if self._batches else [[] for _ in self._types]
            return [
                np.concatenate([np.empty(0, dtype=kind), *parts])
                for kind, parts in zip(self._types, by_column, strict=True)
            ]
        for file in self._files:
            file.close()
        return [
            np.memmap(file.name, dtype=kind, mode="r") if Path(file.name).stat().st_size else np.empty(0, dtype=kind)
            for file, kind in zip(self._files, self._types, strict=True)
        ]
