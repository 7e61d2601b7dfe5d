"""Rows seen only in what their schema leaves open: numbers and dates on public grids, categories by their text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.bounding import Bounding, bounding_of, hash_texts, person_digests, row_hashes
from medsynth.encoding.domain import Attribute, Clique, Domain, IntArray
from medsynth.encoding.grids import label_of
from medsynth.encoding.raw import factorized
from medsynth.privacy.fingerprint import content_of
from medsynth.sources.encoded import EncodedRecords, order_of

if TYPE_CHECKING:
    from medsynth.schema import Schema


class Grid(Protocol):
    """Cells of a number or date whose bounds are looked for."""

    @property
    def attribute(self) -> Attribute: ...

    def encode(self, values: "pd.Series[Any]") -> IntArray: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenRecords:
    """What may be counted to find a domain; for the ledger alone.

    The kept rows of a person weigh together at most one person, whatever the bounding rule.

    Attributes:
      grids: Codes on the grids, and the weight of each row; private.
      labels: Per category: distinct labels and their counts in units; private.
      most_labels: Most labels of a column that one person can hold.
      content: Digest of the rows as read here, for the ledger's note of which table was read; private.
    """

    grids: EncodedRecords
    labels: Mapping[str, tuple[Sequence[str], npt.NDArray[np.int64]]] = field(repr=False)
    most_labels: int
    content: bytes = field(default=b"", repr=False)

    @property
    def l2(self) -> int:
        """L1 and L2 sensitivity of any one table or list of labels, in units of 2^-20 person."""
        return self.grids.l2

    def marginals(self, cliques: Sequence[Clique]) -> list[npt.NDArray[np.int64]]:
        """Exact counts on the grids in units of 2^-20 person."""
        return self.grids.marginals(cliques)

    def label_counts(self, column: str) -> tuple[Sequence[str], npt.NDArray[np.int64]]:
        """Labels that some kept row holds, and their counts in units of 2^-20 person."""
        return self.labels[column]


def shared_bounding(schema: "Schema") -> Bounding:
    """The rows that the schema's rule keeps, with one person's weight shared among them."""
    return replace(bounding_of(schema.privacy), shared=True)


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What one person can add to the counts of labels; public.

    Attributes:
      l2: In units of 2^-20 person.
      most_labels: Most labels of a column that one person can hold.
    """

    l2: int
    most_labels: int


def sensitivity_of(schema: "Schema") -> Sensitivity:
    """What one person can add to the counts of labels under a schema's bounding rule."""
    bounding = shared_bounding(schema)
    return Sensitivity(l2=bounding.l2, most_labels=1 if bounding.rule == "row" else bounding.rows)


def encode_open(
    batches: Iterable[pd.DataFrame], schema: "Schema", *, grids: Sequence[Grid], categories: Sequence[str], key: bytes
) -> OpenRecords:
    """Reads the open columns batch by batch and bounds each person's contribution.

    Args:
      batches: Raw rows with these columns and those of person and order.
      schema: Says who a person is and which rows count.
      grids: Of the numbers and dates, each of at most 2^16 cells.
      categories: Columns whose labels are looked for.
      key: 64 secret bytes: which rows of a person are kept, and how persons are told apart.
    """
    bounding = shared_bounding(schema)
    texts = [_Texts(schema.columns[name].missing_texts) for name in categories]  # type: ignore[union-attr]
    codes, persons, orders, ties = [], [], [], []
    for frame in batches:
        on_grid = [grid.encode(frame[grid.attribute.name]).astype(np.uint16) for grid in grids]
        hashes = [text.add(frame[name], key) for text, name in zip(texts, categories, strict=True)]
        codes.append(on_grid)
        ties.append(row_hashes(_matrix([*on_grid, *hashes], len(frame)), key[:32]))
        if schema.privacy.unit is not None:
            persons.append(person_digests(frame[schema.privacy.unit], key[32:]))
        if schema.privacy.order is not None:
            orders.append(order_of(frame, schema))
    tie = np.concatenate([np.empty(0, dtype=np.uint64), *ties])
    person = np.concatenate([np.empty((0, 2), dtype=np.uint64), *persons])
    weights = bounding.contributions(person, np.concatenate(orders) if orders else None, tie).weights
    columns = [
        np.concatenate([np.empty(0, dtype=np.uint16), *(batch[k] for batch in codes)]) for k in range(len(grids))
    ]
    domain = Domain(attributes=tuple(grid.attribute for grid in grids))
    return OpenRecords(
        grids=EncodedRecords(domain=domain, l2=bounding.l2, columns=columns, weights=weights),
        labels={name: text.counts(weights) for name, text in zip(categories, texts, strict=True)},
        most_labels=sensitivity_of(schema).most_labels,
        content=content_of(tie, person),
    )


def _matrix(columns: Sequence[npt.NDArray[Any]], rows: int) -> npt.NDArray[np.uint64]:
    return np.column_stack([np.empty((rows, 0), dtype=np.uint64), *(column.astype(np.uint64) for column in columns)])


class _Texts:
    """The labels of one column, numbered as they come; the numbers are private and leave no trace."""

    def __init__(self, missing: frozenset[str]) -> None:
        self._missing = missing
        self._numbers: dict[str, int] = {}
        self._rows: list[npt.NDArray[np.int32]] = []

    def add(self, values: "pd.Series[Any]", key: bytes) -> npt.NDArray[np.uint64]:
        """Takes up some rows; returns keyed hashes (n,) of their labels, 0 for none."""
        positions, distinct = factorized(values)
        labels = [label_of(value) for value in distinct]
        labels = [None if label in self._missing else label for label in labels]
        numbers = [-1 if label is None else self._numbers.setdefault(label, len(self._numbers)) for label in labels]
        self._rows.append(np.array([*numbers, -1], dtype=np.int32)[positions])
        hashes = hash_texts(np.array([label or "" for label in labels], dtype=object), key[16:32])
        hashes[[label is None for label in labels]] = 0
        return np.append(hashes, np.uint64(0))[positions]

    def counts(self, weights: npt.NDArray[np.int64]) -> tuple[list[str], npt.NDArray[np.int64]]:
        """(labels, counts in units) of what rows with a weight hold."""
        rows = np.concatenate([np.empty(0, dtype=np.int32), *self._rows])
        held = rows >= 0
        # Sums of integers below 2^53 are exact in double precision: 8e9 persons.
        sums = np.bincount(rows[held], weights[held], minlength=len(self._numbers)).astype(np.int64)
        kept = np.flatnonzero(sums)
        names = list(self._numbers)
        return [names[place] for place in kept.tolist()], sums[kept]
