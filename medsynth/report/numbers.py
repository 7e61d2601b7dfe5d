"""How the report writes numbers: three significant digits, proper signs, never a bare NaN."""

import math
from decimal import ROUND_CEILING, Context

NOT_STATED = "not stated"
_MINUS, _TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"
_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: float | None, digits: int = 3) -> str:
    """Writes a stated number (limit, setting, count): three significant digits, no idle zeros.

    >>> [number(x) for x in (0.028941, 71518.0, 1.0, 0.5, 0.0)]
    ['0.0289', '71,518', '1', '0.5', '0']
    """
    if value is None or not math.isfinite(value):
        return NOT_STATED
    return _signed(value, _decimals(abs(value), digits), trim=True)


def number_up(value: float) -> str:
    """The same of a positive number, not below it: a promise is not rounded down.

    >>> number_up(2.71128), number_up(0.04751), number(0.04751)
    ('2.72', '0.0476', '0.0475')
    """
    return number(float(Context(prec=3, rounding=ROUND_CEILING).create_decimal(value)))


def figure(value: float | None) -> str:
    """Writes a measured figure; its zeros say how exactly it is known.

    >>> [figure(x) for x in (0.0190, 0.5, 3.0, 0.0)]
    ['0.0190', '0.500', '3', '0']
    """
    if value is None or not math.isfinite(value):
        return NOT_STATED
    decimals = 0 if value == round(value) else _decimals(abs(value), 3)
    return _signed(value, decimals, trim=False)


def interval(low: float | None, high: float | None) -> str:
    """Writes both ends of an interval with the same decimals: those that the larger end needs.

    >>> interval(0.061, 0.06741), interval(2.0, 17.0), interval(None, 0.02)
    ('0.0610 to 0.0674', '2 to 17', 'up to 0.0200')
    """
    if low is None and high is None:
        return NOT_STATED
    if low is None:
        return f"up to {figure(high)}"
    if high is None:
        return f"at least {figure(low)}"
    whole = low == round(low) and high == round(high)
    decimals = 0 if whole else _decimals(max(abs(low), abs(high)), 3)
    return f"{_signed(low, decimals, trim=False)} to {_signed(high, decimals, trim=False)}"


def percent(share: float | None) -> str:
    """Writes a fraction as percent.

    >>> percent(0.0163), percent(0.3), percent(None)
    ('1.63 %', '30 %', 'not stated')
    """
    return NOT_STATED if share is None else f"{number(100 * share)} %"


def setting(value: bool | int | float | str | None) -> str:
    """Writes a setting of any plain type.

    >>> setting(True), setting(None), setting(71518), setting("log")
    ('yes', 'none', '71,518', 'log')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else number(value)


def _decimals(size: float, digits: int) -> int | None:
    """Decimals that show so many significant digits; None where only a power of ten will do."""
    if size == 0 or size >= 1000:
        return 0
    return None if size < 1e-4 else max(0, digits - 1 - math.floor(math.log10(size)))


def _signed(value: float, decimals: int | None, *, trim: bool) -> str:
    if decimals is None:
        mantissa, _, exponent = f"{abs(value):.2e}".partition("e")
        text = f"{_trim(mantissa)} {_TIMES} 10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if value else "0"
    else:
        text = f"{abs(value):,.{decimals}f}"
        text = _trim(text) if trim else text
    return f"{_MINUS}{text}" if value < 0 and text.strip("0.,") else text


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
