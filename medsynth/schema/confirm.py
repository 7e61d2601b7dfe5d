"""Records a person's word on what a draft read from data; everything else in the file stays as it is."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from medsynth.errors import SchemaError, UsageError
from medsynth.schema.load import parse_schema
from medsynth.schema.private import FINDABLE
from medsynth.schema.texts import shown, suggestion
from medsynth.schema.yaml_text import read_nodes
from medsynth.writing import replace_file

PERSONS = "privacy.persons"
READ_FROM_ROWS = frozenset(
    (
        "values",
        "ordered",
        "other",
        "min",
        "max",
        "bins",
        "scale",
        "edges",
        "spikes",
        "places",
        "round_to",
        "missing_codes",
    )
)
"""Keys that a draft fills from rows: a private column must not keep them."""

Change = tuple[int, int, str]
"""(start, end, what is written there instead), in characters."""


def confirm_schema(
    path: str | Path,
    columns: Sequence[str] | None = None,
    as_: Literal["public", "private"] = "public",
) -> tuple[str, ...]:
    """Rewrites `source: data` in a schema file; comments and layout are kept.

    A column confirmed as private keeps its kind alone: what a draft read from rows is taken out, and blanks are
    allowed, because whether there are any is private too.

    Args:
      path: The schema file.
      columns: Columns to confirm, `privacy.persons` for the number of persons; None for all that wait.
      as_: `public` if the description holds without these rows; `private` if it must be found under the budget: for
        categories, integers, decimals and dates, because nothing else has something to find.

    Returns:
      What was confirmed.

    Raises:
      SchemaError: If the file is not a valid schema.
      UsageError: If a named column does not wait, or it or the number of persons cannot be private.
      OutputError: If the file cannot be written.
    """
    path = Path(path)
    text = _read(path)
    schema = parse_schema(text.lstrip("\ufeff"), where=str(path), folder=path.parent)
    findable = {name for name in schema.modelled if schema.columns[name].kind in FINDABLE}
    chosen = _chosen(schema.unconfirmed, columns, as_, findable)
    root = read_nodes(text, str(path))
    changes = _public(root, chosen) if as_ == "public" else _private(root, chosen, text)
    for start, end, instead in sorted(set(changes), reverse=True):
        text = text[:start] + instead + text[end:]
    parse_schema(text.lstrip("\ufeff"), where=str(path), folder=path.parent)
    if chosen:
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


def _chosen(
    waiting: tuple[str, ...], columns: Sequence[str] | None, as_: str, findable: Collection[str]
) -> tuple[str, ...]:
    if as_ not in {"public", "private"}:
        raise UsageError(f"Columns can be confirmed as public or private, not {shown(as_)}. Choose one.")
    if columns is None:
        return tuple(name for name in waiting if as_ == "public" or name in findable)
    if as_ == "private" and PERSONS in columns:
        raise UsageError("The number of persons must be stated publicly. Confirm it as public.")
    for name in columns:
        if name not in waiting:
            hint = suggestion(name, waiting) if waiting else "Nothing waits."
            raise UsageError(f"Column {shown(name)} does not wait for a word. {hint}")
        if as_ == "private" and name not in findable:
            raise UsageError(
                f"Column {shown(name)} has nothing to find: only {', '.join(FINDABLE)} columns that are learned can be "
                "private. Confirm it as public, or change its kind."
            )
    return tuple(dict.fromkeys(columns))


def _public(root: Any, chosen: Collection[str]) -> Iterator[Change]:
    """Each `source: data` of the chosen becomes public."""
    for name, column in _items(_child(root, "columns")):
        if name in chosen:
            yield from _mark(_child(column, "source"), "public")
    if PERSONS in chosen:
        yield from _mark(_child(_child(root, "privacy"), "persons_source"), "public")


def _mark(node: Any, instead: str) -> Iterator[Change]:
    if node is not None and node.value == "data":
        yield node.start_mark.index, node.end_mark.index, instead


def _private(root: Any, chosen: Collection[str], text: str) -> Iterator[Change]:
    """Each chosen column is written anew where its mapping stands, without what was read from rows."""
    for name, column in _items(_child(root, "columns")):
        if name not in chosen:
            continue
        if any(key == "<<" for key, _ in _items(column)):
            raise UsageError(f"Column {shown(name)} is merged from another (<<). Write its keys out, then confirm it.")
        kept = [
            text[key.start_mark.index : value.end_mark.index].strip()
            for key, value in column.value
            if str(key.value) not in READ_FROM_ROWS | {"source", "missing"}
        ]
        instead = "{" + ", ".join([*kept, "missing: true", "source: private"]) + "}"
        end = column.end_mark.index
        if not column.flow_style:
            last = max(value.end_mark.index for _, value in column.value)
            end = len(text[:last].rstrip())
        yield column.start_mark.index, end, instead


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
