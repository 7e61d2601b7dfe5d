"""Whether a CSV file cuts into records in one way only, told from its bytes before a record is read.

A quote that opens where none is due swallows the records behind it, and a line break of another kind cuts a record in
two: what one person wrote would move the rows of others, and nothing would bound what one person contributes. So such
a file is no table. In a file that passes, every record ends where its own bytes say, and the reader and this module
agree on where that is.

Source: RFC 4180, section 2, rules 5 to 7, with any delimiter and any one kind of line break.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

BYTES_PER_BLOCK = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTE, _LF, _CR = b'"\n\r'


def is_well_formed(blocks: Iterable[bytes], delimiter: str) -> bool:
    r"""True if quotes stand around whole fields, doubled within them, and all line breaks are of one kind.

    Args:
      blocks: The file's bytes in order, cut anywhere.
      delimiter: One ASCII character.

    Returns:
      False also for a quote still open at the end. How many fields a record has is not looked at.

    >>> is_well_formed([b'a,b\n1,"x, ""y""', b'\nz"\n'], ",")
    True
    >>> is_well_formed([b'a,b\n1,"x"y\n'], ","), is_well_formed([b'a,b\n1,"x\n2,y"z"\n'], ",")
    (False, False)
    """
    edges = np.zeros(256, dtype=bool)
    edges[[ord(delimiter), _QUOTE, _LF, _CR]] = True
    inside, kinds = False, set[str]()
    for window in _windows(blocks):
        quotes = np.flatnonzero(window[1:-1] == _QUOTE) + 1
        before_opening, behind_closing = window[quotes[inside::2] - 1], window[quotes[1 - inside :: 2] + 1]
        if not (edges[before_opening].all() and edges[behind_closing].all()):
            return False
        kinds |= _line_breaks(window, quotes, inside)
        if len(kinds) > 1:
            return False
        inside ^= bool(len(quotes) % 2)
    return not inside


def blocks_of(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file, a block at a time, without a byte order mark."""
    first = file.read(BYTES_PER_BLOCK)
    yield first.removeprefix(BYTE_ORDER_MARK)
    yield from iter(lambda: file.read(BYTES_PER_BLOCK), b"")


def _windows(blocks: Iterable[bytes]) -> Iterator[npt.NDArray[np.uint8]]:
    """Each block with the byte before and the byte behind it; a quote, which is an edge, at both ends of the file."""
    before = b'"'
    filled = (block for block in blocks if block)
    for block, following in pairwise(chain(filled, (b'"',))):
        yield np.frombuffer(before + block + following[:1], dtype=np.uint8)
        before = block[-1:]


def _line_breaks(window: npt.NDArray[np.uint8], quotes: npt.NDArray[np.intp], inside: bool) -> set[str]:
    """Kinds of line break outside quotes."""
    feeds = _outside(np.flatnonzero(window[1:-1] == _LF) + 1, quotes, inside)
    returns = _outside(np.flatnonzero(window[1:-1] == _CR) + 1, quotes, inside)
    paired = window[returns + 1] == _LF
    found = {
        "line feed": bool((window[feeds - 1] != _CR).any()),
        "both": bool(paired.any()),
        "carriage return": not paired.all(),
    }
    return {kind for kind, present in found.items() if present}


def _outside(places: npt.NDArray[np.intp], quotes: npt.NDArray[np.intp], inside: bool) -> npt.NDArray[np.intp]:
    """Those of the places that no quotes enclose."""
    if not len(quotes):
        return places[:0] if inside else places
    before: npt.NDArray[np.intp] = np.searchsorted(quotes, places)
    outside: npt.NDArray[np.intp] = places[(before + inside) % 2 == 0]
    return outside
