"""Rounded bounds for a number column, so that a draft does not carry the table's extremes."""

import math
from typing import Any

HEAVY_TAIL = 50.0
MOST_PLACES = 6
FEW_NUMBERS = 20
TINY = 1e-9


def number_keys(texts: list[str], *, whole: bool) -> tuple[dict[str, Any], str]:
    """Keys of an integer or decimal column and the reason, from its distinct values."""
    values = sorted(float(text) for text in texts)
    low, high = round_down(values[0]), round_up(values[-1])
    if low == high:
        high += max(1.0, abs(high) / 10)
    keys: dict[str, Any] = {"kind": "integer", "min": int(low), "max": int(high)}
    if not whole:
        keys = {"kind": "decimal", "min": low, "max": high, "places": _places(texts)}
    why = "Holds whole numbers" if whole else "Holds numbers"
    if values[0] >= 0 and values[-1] > HEAVY_TAIL * max(values[len(values) // 2], 1e-9):
        keys["scale"] = "log"
        why += " with a long tail, so bins are logarithmic"
    coded = " If these numbers are codes, write kind: category." if whole and len(texts) <= 20 else ""
    return (
        keys,
        f"{why}; the bounds are rounded outwards. Write bounds that are publicly known.{coded}",
    )


def round_down(value: float) -> float:
    """The nearest number below with two significant digits; zero stays zero.

    >>> round_down(0.0), round_down(1234.0), round_down(-1234.0)
    (0.0, 1200.0, -1300.0)
    """
    return 0.0 if value == 0 else -round_up(-value)


def round_up(value: float) -> float:
    """The nearest number above with two significant digits.

    >>> round_up(1234.0), round_up(0.123)
    (1300.0, 0.13)
    """
    if abs(value) < TINY:
        return TINY if value > 0 else 0.0
    exponent = math.floor(math.log10(abs(value))) - 1
    step = 10.0**exponent
    return round(math.ceil(round(value / step, 9)) * step, max(0, -exponent))


def round_persons(number: int) -> int:
    """A count to one significant digit.

    >>> round_persons(71518), round_persons(96), round_persons(3)
    (70000, 100, 3)
    """
    digits = len(str(number)) - 1
    return max(1, int(round(number, -digits)))


def _places(texts: list[str]) -> int:
    plain = [text for text in texts if "e" not in text.lower()]
    if len(plain) < len(texts):
        return MOST_PLACES
    return min(MOST_PLACES, max(len(text.partition(".")[2]) for text in plain))
