"""Small texts shared by the schema: canonical values, and what the writer of an unknown name probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

OTHER = "(other)"
"""How a value outside a column's list is written once it has been decoded."""

_MOST_LISTED = 12
_INTEGRAL_BELOW = 1e15


def canonical_text(value: Any) -> str:
    """The text by which a raw value is compared with a declared one: `5`, `5.0` and `"5 "` agree.

    >>> canonical_text(5.0), canonical_text(" F"), canonical_text(True)
    ('5', 'F', 'true')
    """
    value = value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _INTEGRAL_BELOW:
        return str(int(value))
    return str(value).strip()


def shown(value: Any, limit: int = 60) -> str:
    r"""A name or value as it may stand in a one-line message: quoted, escaped, cut.

    >>> shown("a\nb"), shown(3)
    ("'a\\nb'", '3')
    """
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else text[: limit - 4] + "..." + (text[0] if text[0] in "'\"" else "")


def listed(names: Iterable[Any]) -> str:
    """Names in a row, cut after twelve."""
    texts = [name if isinstance(name, str) else str(name) for name in names]
    return ", ".join(texts[:_MOST_LISTED]) + (", ..." if len(texts) > _MOST_LISTED else "")


def suggestion(found: Any, allowed: Iterable[Any]) -> str:
    """One sentence that points to the nearest allowed name, or lists what is allowed.

    >>> suggestion("sexx", ["age", "sex"])
    "Did you mean 'sex'?"
    >>> suggestion("zzz", ["age", "sex"])
    'Allowed: age, sex.'
    """
    names = [str(name) for name in allowed]
    by_lower = {name.lower(): name for name in reversed(names)}
    near = get_close_matches(str(found).lower(), by_lower, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {shown(by_lower[near[0]])}?"
    return f"Allowed: {listed(names)}." if names else "None is allowed."
