"""Records a person's word on what a draft read from data; everything else in the file stays as it is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from medsynth.errors import SchemaError, UsageError
from medsynth.schema.load import parse_schema
from medsynth.schema.texts import shown, suggestion
from medsynth.schema.yaml_text import read_nodes
from medsynth.writing import replace_file

PERSONS = "privacy.persons"


def confirm_schema(
    path: str | Path,
    columns: Sequence[str] | None = None,
    as_: Literal["public", "private"] = "public",
) -> tuple[str, ...]:
    """Rewrites `source: data` in a schema file; comments and layout are kept.

    Args:
      path: The schema file.
      columns: Columns to confirm, `privacy.persons` for the number of persons; None for all that wait.
      as_: `public` if the description holds without these rows; `private` if it must be found under the budget.

    Returns:
      What was confirmed.

    Raises:
      SchemaError: If the file is not a valid schema.
      UsageError: If a named column does not wait, or persons are to be private.
      OutputError: If the file cannot be written.
    """
    path = Path(path)
    text = _read(path)
    waiting = parse_schema(text.lstrip("\ufeff"), where=str(path), folder=path.parent).unconfirmed
    chosen = _chosen(waiting, columns, as_)
    places = {name: place for name, place in _places(text, str(path)) if name in chosen}
    for start, end in sorted(set(places.values()), reverse=True):
        text = text[:start] + as_ + text[end:]
    parse_schema(text.lstrip("\ufeff"), where=str(path), folder=path.parent)
    if places:
        replace_file(path, text.encode(), mode=path.stat().st_mode & 0o777)
    return chosen


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError:
        raise SchemaError(f"{path}: is not UTF-8 text. Save it as UTF-8.") from None
    except OSError as problem:
        raise SchemaError(f"{path}: cannot be read ({problem.strerror}). Check the path.") from None


def _chosen(waiting: tuple[str, ...], columns: Sequence[str] | None, as_: str) -> tuple[str, ...]:
    if as_ not in {"public", "private"}:
        raise UsageError(f"Columns can be confirmed as public or private, not {shown(as_)}. Choose one.")
    if columns is None:
        return tuple(name for name in waiting if as_ == "public" or name != PERSONS)
    if as_ == "private" and PERSONS in columns:
        raise UsageError("The number of persons must be stated publicly. Confirm it as public.")
    for name in columns:
        if name not in waiting:
            hint = suggestion(name, waiting) if waiting else "Nothing waits."
            raise UsageError(f"Column {shown(name)} does not wait for a word. {hint}")
    return tuple(dict.fromkeys(columns))


def _places(text: str, where: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Where each `source: data` stands, as (name, characters)."""
    root = read_nodes(text, where)
    for name, column in _items(_child(root, "columns")):
        yield from _place(name, _child(column, "source"))
    yield from _place(PERSONS, _child(_child(root, "privacy"), "persons_source"))


def _place(name: str, node: Any) -> Iterator[tuple[str, tuple[int, int]]]:
    if node is not None and node.value == "data":
        yield name, (node.start_mark.index, node.end_mark.index)


def _child(node: Any, key: str) -> Any:
    """The value of a key, also where a merge key (`<<`) brings it."""
    items = list(_items(node))
    direct = next((value for name, value in items if name == key), None)
    if direct is not None:
        return direct
    merged = [value for name, value in items if name == "<<"]
    sources = [part for value in merged for part in (value.value if _is_list(value) else [value])]
    return next((found for part in sources if (found := _child(part, key)) is not None), None)


def _is_list(node: Any) -> bool:
    return bool(node.id == "sequence")


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    if node is not None and node.id == "mapping":
        for key, value in node.value:
            yield str(key.value), value
