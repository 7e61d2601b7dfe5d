"""A first schema for a table, to be read and confirmed by a person: what `medsynth init` writes."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsynth.errors import DataError, UsageError
from medsynth.schema.bounds import round_persons
from medsynth.schema.guesses import Guess, guess_column
from medsynth.schema.table import ADDED
from medsynth.schema.texts import shown, suggestion
from medsynth.schema.yaml_text import quoted
from medsynth.writing import OWNER_ONLY, replace_file

if TYPE_CHECKING:
    import pandas as pd

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_PLAIN = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_WIDTH = 96
_HEAD = """\
# Drafted from a table by `medsynth init`: for its owner's eyes until it is confirmed.
# Whatever says `source: data` was read from rows. For each, write what is known without them (a
# data dictionary, a law, a questionnaire), then say so: `medsynth schema confirm`.
# `fit` waits until nothing says `source: data` any more.
"""
_TAIL = """\
# Then add what matters to you, for example:
# rare:
#   - {name: died, where: "outcome == 'dead'", keep_with: [age, sex], share: 0.3}
# rules:
#   - "outcome == 'dead' implies readmitted == 'no'"
# utility: {target: outcome, positive: dead, task: binary}
"""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A drafted schema.

    Attributes:
      text: YAML with one explanation above each column.
      guesses: What was guessed for each column, and why.
    """

    text: str
    guesses: tuple[Guess, ...]

    def write(self, path: str | Path) -> None:
        """Writes the text to a file that only its owner can read.

        Raises:
          OutputError: If the file cannot be written.
        """
        replace_file(Path(path), self.text.encode(), mode=OWNER_ONLY)


def draft_schema(
    frame: "pd.DataFrame", *, name: str, person: str | None = None, rows_are_persons: bool = False
) -> Draft:
    """Guesses a schema from a table.

    Args:
      frame: The private table.
      name: What the dataset is to be called.
      person: The column that tells persons apart.
      rows_are_persons: Whether every row is a person of its own.

    Raises:
      UsageError: Unless exactly one of `person` (a column of the table) and `rows_are_persons` is given.
      DataError: If the table has no rows, no columns, or two columns of one name.
    """
    columns = _column_names(frame)
    _check_person(person, rows_are_persons, columns)
    guesses = tuple(
        _person_guess(column)
        if column == person
        else _reserved_guess(column)
        if column in ADDED
        else guess_column(column, frame.iloc[:, position])
        for position, column in enumerate(columns)
    )
    persons = len(frame)
    if person is not None:
        persons = int(frame.iloc[:, columns.index(person)].nunique())
    text = "\n".join(
        [
            _HEAD,
            "medsynth: 1",
            *_dataset_lines(name),
            *_privacy_lines(person, round_persons(max(persons, 1))),
            "columns:",
            *(line for guess in guesses for line in _column_lines(guess)),
            "",
            _TAIL,
        ]
    )
    return Draft(text=text, guesses=guesses)


def _column_names(frame: "pd.DataFrame") -> list[str]:
    names = [str(name) for name in frame.columns]
    if not names or not len(frame):
        raise DataError("Table: has no rows or no columns to draft from. Give a table with some.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"Table: two columns are named {shown(twice)}. Rename one.")
    return names


def _check_person(person: str | None, rows_are_persons: bool, columns: list[str]) -> None:
    if (person is not None) == rows_are_persons:
        raise UsageError(
            "Exactly one of --person COLUMN and --rows-are-persons is needed, because whom to protect cannot be "
            "guessed. Give one."
        )
    if person is not None and person not in columns:
        raise UsageError(f"Column {shown(person)} is not in the table. {suggestion(person, columns)}")


def _person_guess(column: str) -> Guess:
    return Guess(
        column=column,
        keys={"kind": "id", "format": "P-########"},
        why="Tells persons apart: the unit of privacy, invented afresh, never learned.",
    )


def _reserved_guess(column: str) -> Guess:
    return Guess(
        column=column,
        keys={"kind": "drop", "reason": f"the name of the {ADDED[column]}"},
        why="Has the name of a column that medsynth adds. To model it, rename it in the table.",
    )


def _dataset_lines(name: str) -> list[str]:
    safe = re.sub(r"[^\w .-]", "_", name).strip(" .-_")[:80] or "table"
    return [
        "dataset:",
        f"  name: {_scalar(safe)}",
        '  population: ""      # who is in the table: place, years, which persons',
        '  licence: ""',
        '  terms: ""',
        '  allowed_use: ""',
    ]


def _privacy_lines(person: str | None, persons: int) -> list[str]:
    if person is None:
        unit = ["  rows_are_persons: true"]
    else:
        unit = [
            f"  unit: {_scalar(person)}",
            "  # A person's rows share one weight; column _rows will say how many they are, at most max.",
            "  bounding: {rule: weight, max: 10}",
        ]
    return [
        "privacy:",
        *unit,
        "  # Read from the table and rounded to one digit. Write what is publicly stated, for example",
        "  # in a yearly report; the exact number is private.",
        f"  persons: {persons}",
        "  persons_source: data",
        "  epsilon: 1.0",
        "  delta: auto",
        "  neighbours: add-remove",
    ]


def _column_lines(guess: Guess) -> list[str]:
    comment = _wrapped(_printable(guess.why), "  # ")
    key = _scalar(guess.column)
    if len(key) > 100:  # YAML wants a long key announced
        return [*comment, f"  ? {key}", f"  : {_mapping(guess.keys)}"]
    flat = f"  {key}: {_mapping(guess.keys)}"
    if len(flat) <= _WIDTH:
        return [*comment, flat]
    items = [line for item, value in guess.keys.items() for line in _item_lines(item, value)]
    return [*comment, f"  {key}:", *items]


def _item_lines(key: str, value: Any) -> list[str]:
    flat = f"    {key}: {_value(value)}"
    if len(flat) <= _WIDTH or not isinstance(value, list):
        return [flat]
    lines = [f"    {key}: ["]
    for item in value:
        entry = f"{_value(item)}, "
        if len(lines[-1]) + len(entry) > _WIDTH:
            lines.append("      ")
        lines[-1] += entry
    return [line.rstrip() for line in [*lines[:-1], lines[-1].removesuffix(", ") + "]"]]


def _mapping(keys: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in keys.items()) + "}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return _scalar(value) if isinstance(value, str) else str(value)


def _scalar(text: str) -> str:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN
    return text if plain else quoted(text)


def _printable(text: str) -> str:
    """One line without control characters: a hostile value cannot end the comment it stands in."""
    return "".join(character if character.isprintable() else " " for character in text)


def _wrapped(text: str, prefix: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(prefix) + len(lines[-1]) + len(word) + 1 > _WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [prefix + line for line in lines]
