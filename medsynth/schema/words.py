"""Spelling of the predicate language: reserved words, names and literals."""

import re
from typing import Any

RESERVED = frozenset(
    {
        "and",
        "or",
        "not",
        "in",
        "is",
        "implies",
        "true",
        "false",
        "if",
        "else",
        "all",
        "any",
        "missing",
        "round",
    }
)
OPERATORS = ("==", "!=", "<=", ">=", "<", ">")
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_PLAIN = re.compile(r"[^\W\d]\w*")


def name_text(name: str) -> str:
    """A column name as the language writes it; back-quoted unless it is a plain word.

    >>> name_text("age"), name_text("capital-gain"), name_text("in")
    ('age', '`capital-gain`', '`in`')
    """
    if _PLAIN.fullmatch(name) and name not in RESERVED:
        return name
    return "`" + name.replace("`", "``") + "`"


def literal_text(value: Any) -> str:
    """A constant as the language writes it; a quote inside a text is doubled.

    >>> literal_text("it's"), literal_text(True), literal_text(1.5)
    ("'it''s'", 'true', '1.5')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
