"""Bounds what one person contributes, looking at that person's rows alone.

Source: DESIGN section 5; proofs of the sensitivities in docs/mathematics.md.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.domain import IntArray
from medsynth.encoding.raw import factorized, moments, numbers
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.schema.texts import canonical_text

HashArray = npt.NDArray[np.uint64]
Rule = Literal["first", "last", "sample", "weight", "row"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Contributions:
    """What each row contributes to the counts.

    Attributes:
      weights: (n,) int64 units; 0 for a row that is not kept.
      rows: (n,) int64, how many rows of the row's person are kept; 1 for a row without a person.
    """

    weights: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Bounding:
    """How many rows of a person count, which ones, and how much each.

    Attributes:
      rule: `first` or `last` rows by a declared order, a keyed `sample`, `weight` (a keyed sample whose rows share one
        person's weight), or `row` where every row is a person.
      rows: Most rows kept per person, at least 1.
      shared: Whether the kept rows of a person share one person's weight whatever the rule, as under `weight`.

    Formal guarantee:
      Adding or removing one person changes a marginal by at most `l2` units in L1 and in L2 norm.
    """

    rule: Rule
    rows: int = 1
    shared: bool = False

    @property
    def l2(self) -> int:
        """Sensitivity of one marginal, in units of 2^-20 person.

        Under `first`, `last`, `sample` all k kept rows may fall into one cell: k, not sqrt(k). Under `weight` the
        entries of a person are nonnegative and sum to at most one person, so the L2 norm is at most 1.
        """
        return UNITS_PER_PERSON * (1 if self._shares else self.rows)

    @property
    def _shares(self) -> bool:
        """Whether the kept rows of a person weigh together at most one person."""
        return self.shared or self.rule in {"weight", "row"}

    def contributions(self, persons: HashArray, order: npt.NDArray[Any] | None, tie: HashArray) -> Contributions:
        """Units each row contributes, and how many rows of its person are kept.

        Args:
          persons: (n, 2) keyed 128-bit digests of person identifiers; (0, 0) for a row without one, which is dropped,
            because nothing bounds how many people such rows belong to.
          order: (n,) values of the declared order, or None.
          tie: (n,) keyed hashes of the rows' contents; equal rows are interchangeable.
        """
        if self.rule == "row":
            weights = np.full(len(tie), UNITS_PER_PERSON, dtype=np.int64)
            return Contributions(weights=weights, rows=np.broadcast_to(np.int64(1), len(tie)))
        keys = [tie] if order is None else [tie, -order if self.rule == "last" else order]
        sorting = np.lexsort((*keys, persons[:, 1], persons[:, 0]))
        ordered = persons[sorting]
        starts = np.flatnonzero(np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1)))[: len(ordered)]
        counts = np.diff(np.append(starts, len(ordered)))
        rank = np.arange(len(ordered)) - np.repeat(starts, counts)
        kept = np.repeat(np.minimum(counts, self.rows), counts)
        unit = UNITS_PER_PERSON // kept if self._shares else np.full(len(kept), UNITS_PER_PERSON)
        named = ordered.any(axis=1)
        weights, rows = np.empty((2, len(ordered)), dtype=np.int64)
        weights[sorting] = np.where((rank < self.rows) & named, unit, 0)
        rows[sorting] = np.where(named, kept, 1)
        return Contributions(weights=weights, rows=rows)


def bounding_of(privacy: Any) -> Bounding:
    """The bounding a schema's privacy block declares."""
    if privacy.rows_are_persons:
        return Bounding(rule="row")
    return Bounding(rule=privacy.bounding.rule, rows=privacy.bounding.max)


def person_digests(identifiers: pd.Series, key: bytes) -> HashArray:
    """Keyed 128-bit digests (n, 2) uint64 of person identifiers; (0, 0) where there is none.

    Two persons share a digest with probability about persons^2 / 2^129.
    """
    codes, uniques = factorized(identifiers)
    texts = np.array([canonical_text(value) for value in uniques], dtype=object)
    halves = [hash_texts(texts, key[offset : offset + 16]) for offset in (0, 16)]
    digests = np.column_stack([np.append(half, np.uint64(0)) for half in halves])
    digests[:-1][texts == ""] = 0
    return digests[codes]


def hash_texts(texts: npt.NDArray[Any], key: bytes) -> HashArray:
    """Keyed hashes (n,) of texts, whatever they hold."""
    if not len(texts):
        return np.empty(0, dtype=np.uint64)
    # A text that is no valid Unicode cannot be hashed as it is.
    safe = [text.encode("utf-8", "backslashreplace").decode("utf-8") for text in texts]
    return pd.util.hash_array(np.array(safe, dtype=object), hash_key=_printable(key), categorize=False)


def _printable(key: bytes) -> str:
    """Pandas wants a 16-character ASCII key: 8 bytes of key material as hexadecimal text."""
    return key[:8].hex()


def row_hashes(codes: "IntArray | HashArray", key: bytes) -> HashArray:
    """Keyed hashes (n,) of encoded rows: which of a person's rows are kept depends on content and a secret key."""
    multipliers = np.frombuffer(key, dtype=np.uint64)
    mixed = np.full(len(codes), multipliers[0], dtype=np.uint64)
    for column in range(codes.shape[1]):
        mixed = (mixed ^ (codes[:, column].astype(np.uint64) + multipliers[1])) * (multipliers[2] | np.uint64(1))
        mixed ^= mixed >> np.uint64(29)
    return mixed


def order_values(values: pd.Series, kind: str) -> npt.NDArray[np.float64]:
    """Sort keys of the declared order column: its rank by date or number; unreadable cells come first."""
    read = moments(values) if kind == "date" else numbers(values)
    return np.where(np.isnan(read), -np.inf, read)
