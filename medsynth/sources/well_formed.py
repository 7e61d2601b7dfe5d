"""Whether a CSV file cuts into records in one way only, told from its bytes before a record is read.

A quote that opens where none is due swallows the records behind it, and a line break of another kind cuts a record in
two: what one person wrote would move the rows of others, and nothing would bound what one person contributes. So such
a file is no table. In a file that passes, every record ends where its own bytes say, and the reader and this module
agree on where that is.

The first line break, the header's, says how lines end. Where it is a line feed, a carriage return is part of a cell:
Python's `csv` and pandas write it without quotes there. DuckDB would cut at it, so it is read as a vertical tab, which
is blank like it.

Source: RFC 4180, section 2, rules 5 to 7, with any delimiter and any one kind of line break.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

BYTES_PER_BLOCK = 1 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTE, _LF, _CR, _TAB = b'"\n\r\v'
LineBreak = Literal["line feed", "carriage return", "both"]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How a CSV file cuts into records.

    Attributes:
      well_formed: Quotes stand around whole fields, doubled within them, and all line breaks are of one kind.
      bare_returns: Some cell holds a carriage return without quotes, which `without_bare_returns` replaces.
    """

    well_formed: bool
    bare_returns: bool = False


def cut_of(blocks: Iterable[bytes], delimiter: str) -> Cut:
    r"""Reads a file through.

    Args:
      blocks: The file's bytes in order, cut anywhere.
      delimiter: One ASCII character.

    Returns:
      Not well-formed also for a quote still open at the end. How many fields a record has is not looked at.

    >>> cut_of([b'a,b\n1,"x, ""y""', b'\nz"\n'], ",")
    Cut(well_formed=True, bare_returns=False)
    >>> cut_of([b"a,b\n1,x\ry\n"], ",")
    Cut(well_formed=True, bare_returns=True)
    >>> cut_of([b'a,b\n1,"x"y\n'], ",").well_formed, cut_of([b"a,b\r\n1,x\ny\r\n"], ",").well_formed
    (False, False)
    """
    end: LineBreak | None = None
    inside = bare = False
    for window in _windows(blocks):
        quotes, feeds, returns = _marks(window, inside)
        end = end or _first_break(window, feeds, returns)
        edges = _edges(delimiter, end)
        before_opening, behind_closing = window[quotes[inside::2] - 1], window[quotes[1 - inside :: 2] + 1]
        if not (edges[before_opening].all() and edges[behind_closing].all() and _of_kind(end, window, feeds, returns)):
            return Cut(well_formed=False)
        bare |= end == "line feed" and len(returns) > 0
        inside ^= bool(len(quotes) % 2)
    return Cut(well_formed=not inside, bare_returns=bare and not inside)


def without_bare_returns(blocks: Iterable[bytes]) -> Iterator[bytes]:
    r"""The same bytes with a vertical tab for each carriage return that no quotes enclose.

    >>> b"".join(without_bare_returns([b'a,b\n1,"x\r', b'y"\n2,x\ry\n']))
    b'a,b\n1,"x\ry"\n2,x\x0by\n'
    """
    inside = False
    for window in _windows(blocks):
        quotes, _, returns = _marks(window, inside)
        changed = window.copy()
        changed[returns] = _TAB
        yield changed[1:-1].tobytes()
        inside ^= bool(len(quotes) % 2)


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


def _marks(window: npt.NDArray[np.uint8], inside: bool) -> tuple[npt.NDArray[np.intp], ...]:
    """Where the block has quotes, and where line feeds and carriage returns outside them."""
    quotes, feeds, returns = (np.flatnonzero(window[1:-1] == byte) + 1 for byte in (_QUOTE, _LF, _CR))
    return quotes, _outside(feeds, quotes, inside), _outside(returns, quotes, inside)


def _outside(places: npt.NDArray[np.intp], quotes: npt.NDArray[np.intp], inside: bool) -> npt.NDArray[np.intp]:
    """Those of the places that no quotes enclose."""
    if not len(quotes):
        return places[:0] if inside else places
    before: npt.NDArray[np.intp] = np.searchsorted(quotes, places)
    outside: npt.NDArray[np.intp] = places[(before + inside) % 2 == 0]
    return outside


def _first_break(
    window: npt.NDArray[np.uint8], feeds: npt.NDArray[np.intp], returns: npt.NDArray[np.intp]
) -> LineBreak | None:
    """How the first line ends, if it ends in this block."""
    if len(returns) and not (len(feeds) and feeds[0] < returns[0]):
        return "both" if window[returns[0] + 1] == _LF else "carriage return"
    return "line feed" if len(feeds) else None


def _edges(delimiter: str, end: LineBreak | None) -> npt.NDArray[np.bool_]:
    """Bytes between which a quoted field stands; as long as no line has ended, any line break does."""
    edges = np.zeros(256, dtype=bool)
    edges[[ord(delimiter), _QUOTE, _LF]] = True
    edges[_CR] = end != "line feed"
    return edges


def _of_kind(
    end: LineBreak | None,
    window: npt.NDArray[np.uint8],
    feeds: npt.NDArray[np.intp],
    returns: npt.NDArray[np.intp],
) -> bool:
    """True if lines end in one way only; where they end in a line feed, a carriage return ends none."""
    if end == "carriage return":
        return not len(feeds)
    if end == "both":
        return bool((window[feeds - 1] == _CR).all() and (window[returns + 1] == _LF).all())
    return True
