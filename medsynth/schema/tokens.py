"""Cuts predicate text into tokens."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from medsynth.errors import UsageError
from medsynth.schema.texts import shown
from medsynth.schema.words import RESERVED

MOST_CHARACTERS = 20_000
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<word>[^\W\d]\w*)
    |(?P<quoted>`(?:[^`]|``)*`)
    |(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<sign>==|!=|<=|>=|[<>()\[\],+\-*/])""",
    re.VERBOSE,
)
_FIXES = {
    "=": "Write == to compare.",
    "'": "Close the text with the quote that opens it.",
    '"': "Close the text with the quote that opens it.",
    "`": "Close the column name with a back quote.",
    "&": "Write and.",
    "|": "Write or.",
    "!": "Write != or not.",
    "~": "Write not.",
}

Kind = Literal["number", "word", "name", "text", "sign", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
      kind: `word` is reserved, `name` is a column or system.
      value: Text, number, name or sign.
      position: Of its first character, from 1.
      quoted: Whether a name was back-quoted.
    """

    kind: Kind
    value: Any
    position: int
    quoted: bool = False


def tokenize(text: str, what: str) -> list[Token]:
    """Tokens of a predicate or expression, closed by an `end` token.

    Raises:
      UsageError: If the text is too long or holds something that is not part of the language.
    """
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"{what}: longer than {MOST_CHARACTERS} characters. Shorten it.")
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at, what)
        if match.lastgroup != "space":
            tokens.append(_token(str(match.lastgroup), match[0], at + 1, what))
        at = match.end()
    return [*tokens, Token("end", "", len(text) + 1)]


def _token(group: str, raw: str, position: int, what: str) -> Token:
    if group == "word":
        return Token("word" if raw in RESERVED else "name", raw, position)
    if group == "quoted":
        return Token("name", raw[1:-1].replace("``", "`"), position, quoted=True)
    if group == "text":
        return Token("text", raw[1:-1].replace(raw[0] * 2, raw[0]), position)
    if group == "number":
        return Token("number", _number(raw, position, what), position)
    return Token("sign", raw, position)


def _number(raw: str, position: int, what: str) -> int | float:
    value = float(raw)
    if len(raw) > 30 or value in {float("inf"), float("-inf")}:
        raise UsageError(f"{what}, position {position}: number {shown(raw, 20)} is too large. Use a smaller one.")
    return int(raw) if raw.isdigit() else value


def _unreadable(text: str, at: int, what: str) -> UsageError:
    found = text[at]
    number = re.match(r"[\d.]+\w+", text[at:])
    if number:
        return UsageError(
            f"{what}, position {at + 1}: {shown(number[0], 30)} is neither a number nor a name. "
            "Back-quote a column name that begins with a digit; quote a date or code."
        )
    fix = _FIXES.get(found, "Back-quote a column name with odd characters; quote a text.")
    return UsageError(f"{what}, position {at + 1}: {shown(found)} is not part of the language. {fix}")
