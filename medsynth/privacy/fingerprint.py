"""Notes in the budget which fits read the same table, by a keyed fingerprint that stays in the budget file.

It serves the steward alone: a second fit of the same table spends budget on what is known already, and a fit of
another table than was meant is seen. Without the budget's key a fingerprint says nothing, and it is part of no model
file, report, log or ledger extract.
"""

import hashlib
import hmac
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from medsynth.privacy.budget import today
from medsynth.privacy.budget_file import MemoryBook

UnsignedArray = npt.NDArray[np.uint64]

_ROWS_AT_ONCE = 1 << 18
_STEPS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


class TableNotes:
    """The part of a ledger that notes which table a fit has read."""

    _book: MemoryBook
    _run: int

    def note_table(self, content: bytes) -> None:
        """Notes the table of this fit.

        Args:
          content: Digest of the table, `content_of` its records. Private.
        """
        key = bytes.fromhex(self._book.lines()[0]["key"])
        digest = hmac.new(key, b"fingerprint of a table\0" + content, hashlib.sha256).hexdigest()
        self._book.append(lambda _: {"kind": "table", "run": self._run, "fingerprint": digest, "date": today()})

    @property
    def same_table(self) -> Mapping[int, int]:
        """For each fit whose table an earlier fit has read: the first one that did. For the steward's eyes."""
        first: dict[str, int] = {}
        found = {}
        for line in self._book.lines():
            if line["kind"] == "table":
                earlier = first.setdefault(line["fingerprint"], line["run"])
                if earlier != line["run"]:
                    found[line["run"]] = earlier
        return found


def content_of(ties: UnsignedArray, persons: UnsignedArray) -> bytes:
    """Digest of a table as a schema reads it: the same for the same records in any order.

    Args:
      ties: (n,) keyed hashes of the encoded rows.
      persons: (n, 2) keyed digests of their persons; (0, 2) where rows are persons.

    Returns:
      24 bytes, private: two sums of mixed hashes modulo 2^64, and the number of rows.
    """
    # Sums of well mixed words: the order of rows does not matter, how often a row occurs does.
    sums = np.zeros(2, dtype=np.uint64)
    for begin in range(0, len(ties), _ROWS_AT_ONCE):
        part = slice(begin, begin + _ROWS_AT_ONCE)
        rows = mixed(mixed(ties[part]) ^ persons[part, 0]) if len(persons) else mixed(ties[part])
        sums += np.array([rows.sum(dtype=np.uint64), mixed(rows ^ np.uint64(1)).sum(dtype=np.uint64)])
    return b"".join(int(word).to_bytes(8, "big") for word in [*sums, len(ties)])


def mixed(words: UnsignedArray) -> UnsignedArray:
    """Words (n,) in which every bit depends on every bit of the given ones, one to one.

    Source: Steele, Lea and Flood (2014), doi:10.1145/2660193.2660195 (SplitMix).
    """
    for shift, factor in _STEPS:
        words = (words ^ (words >> shift)) * factor
    return words ^ (words >> np.uint64(31))
