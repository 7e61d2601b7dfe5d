"""Public code lists with their hierarchy: code > block > chapter."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from medsynth.schema.texts import shown, suggestion

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TITLE = "title"
MOST_BYTES = 50_000_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ICD9 = re.compile(r"(?:(E\d{3})\d?|(V\d{2})\d{0,2}|(\d{1,3})|(\d{3})\d{1,2})(?:\.\d*)?", re.ASCII)
_DIGIT = re.compile(r"\d")


class CodeLevel(NamedTuple):
    """A public partition of the codes.

    Attributes:
      name: Such as `block`.
      labels: Names of the groups.
      groups: int32 array (codes,), the group of each code.
    """

    name: str
    labels: tuple[str, ...]
    groups: "npt.NDArray[np.int32]"


@dataclass(frozen=True, kw_only=True, eq=False)
class CodeSystem:
    """Codes of one public system, with coarser levels.

    Attributes:
      name: Such as `icd9cm3`.
      codes: Every code, used or not.
      levels: Coarser partitions, fine to coarse.
      titles: Meaning of each code, where the list gives it.
    """

    name: str
    codes: tuple[str, ...]
    levels: tuple[CodeLevel, ...] = ()
    titles: tuple[str, ...] = ()

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Index of each code."""
        return {code: index for index, code in enumerate(self.codes)}

    def normalise(self, text: Any) -> str | None:
        """The code a raw value stands for, or None if it stands for none of the system."""
        raw = str(text).strip()
        if raw in self.position:
            return raw
        code = _NORMALISERS.get(self.name, _as_written)(raw)
        return code if code in self.position else None

    def resolve(self, label: str) -> str | None:
        """The full label that a code, a label, or the code range in a label stands for; finest level first.

        `630-679` stands for `11 Complications of pregnancy (630-679)` if no finer label bears that range.
        """
        if label in self.position:
            return label
        for level in self.levels:
            if label in level.labels:
                return label
        for level in self.levels:
            named = [name for name in level.labels if label in _short_names(name)]
            if len(named) == 1:
                return named[0]
        return None

    def members(self, label: str) -> "npt.NDArray[np.bool_]":
        """Mask over the codes: those under a code, block or chapter label (as `resolve` reads it)."""
        import numpy as np

        full = self.resolve(label)
        mask = np.zeros(len(self.codes), dtype=bool)
        if full is not None and full in self.position:
            mask[self.position[full]] = True
            return mask
        for level in self.levels:
            if full in level.labels:
                return np.asarray(level.groups == level.labels.index(full))
        return mask


def _short_names(label: str) -> set[str]:
    """Code ranges by which a long label may be called: its first word and what stands in brackets at its end."""
    first = label.split(" ", 1)[0]
    bracket = re.search(r"\(([^()]*)\)$", label)
    return {name for name in (first, bracket[1] if bracket else "") if _DIGIT.search(name)}


def _as_written(text: str) -> str | None:
    return text


def icd9_category(text: str) -> str | None:
    """The three-character category of an ICD-9-CM code, E codes four, with or without the point.

    >>> [icd9_category(code) for code in ("250.83", "E909.1", "v57.1", "8.45", "V3001")]
    ['250', 'E909', 'V57', '008', 'V30']
    >>> icd9_category("chest pain") is None
    True
    """
    match = _ICD9.fullmatch(text.strip().upper())
    if match is None:
        return None
    external, supplementary, number, undotted = match.groups()
    return external or supplementary or (number or undotted).zfill(3)


_NORMALISERS: dict[str, Callable[[str], str | None]] = {"icd9cm3": icd9_category}


def code_system_from_rows(name: str, rows: Sequence[Mapping[str, str]]) -> CodeSystem:
    """Builds a system from rows {code, finer level, ..., coarser level, title}.

    Raises:
      ValueError: If a code or label is blank, a code occurs twice, or the levels are not nested.
    """
    columns = list(rows[0]) if rows else []
    if "code" not in columns:
        raise ValueError(f"Code list {shown(name)}: column 'code' is absent. Name the column of codes 'code'.")
    _check_rows(name, rows, columns)
    codes = tuple(row["code"] for row in rows)
    names = [column for column in columns if column not in {"code", TITLE}]
    levels = tuple(_level(level, [row[level] for row in rows]) for level in names)
    _check_nesting(name, levels)
    titles = tuple(row[TITLE] for row in rows) if TITLE in columns else ()
    return CodeSystem(name=name, codes=codes, levels=levels, titles=titles)


def _check_rows(name: str, rows: Sequence[Mapping[str, str]], columns: list[str]) -> None:
    seen: set[str] = set()
    for row in rows:
        blank = [key for key in columns if key != TITLE and not str(row.get(key) or "").strip()]
        if blank or set(row) != set(columns):
            raise ValueError(f"Code list {shown(name)}: a row lacks {shown((blank or columns)[0])}. Fill every cell.")
        if row["code"] in seen:
            raise ValueError(f"Code list {shown(name)}: code {shown(row['code'])} occurs twice. Remove one.")
        seen.add(row["code"])


def _level(name: str, labels: list[str]) -> CodeLevel:
    import numpy as np

    positions = {label: index for index, label in enumerate(dict.fromkeys(labels))}
    groups = np.array([positions[label] for label in labels], dtype=np.int32)
    groups.flags.writeable = False
    return CodeLevel(name, tuple(positions), groups)


def _check_nesting(name: str, levels: tuple[CodeLevel, ...]) -> None:
    for fine, coarse in pairwise(levels):
        if len(set(zip(fine.groups.tolist(), coarse.groups.tolist(), strict=True))) != len(fine.labels):
            raise ValueError(
                f"Code list {shown(name)}: a {fine.name} lies in two of {coarse.name}. "
                "Order the columns from fine to coarse, each inside the next."
            )


@lru_cache(maxsize=32)
def _read(path: Path, _stamp: tuple[int, int]) -> CodeSystem:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows: list[Any] = list(csv.DictReader(lines))
    return code_system_from_rows(path.stem, rows)


def load_code_system(path: Path) -> CodeSystem:
    """Reads a CSV: `code`, then levels from fine to coarse, and optionally `title`; read once per
    version of the file.

    Raises:
      ValueError: If the file is absent, too large, or not such a list.
    """
    try:
        status = path.stat()
        if status.st_size > MOST_BYTES:
            raise ValueError(f"Code list {shown(path.name)}: larger than 50 MB. Shorten it.")
        return _read(path.resolve(), (status.st_mtime_ns, status.st_size))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise ValueError(f"Code list {shown(path.name)}: cannot be read ({reason}). Check the path.") from None


def shipped_code_system(name: str) -> CodeSystem:
    """The code system of a shipped CSV.

    Raises:
      ValueError: If none has that name.
    """
    path = _codes_folder() / f"{name}.csv"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise ValueError(f"system {shown(name)} is not a shipped code list. {suggestion(name, shipped_code_systems())}")
    return load_code_system(path)


def shipped_code_systems() -> tuple[str, ...]:
    """Names of the shipped code lists."""
    return tuple(sorted(path.stem for path in _codes_folder().glob("*.csv")))


def _codes_folder() -> Path:
    from medsynth.schema.shipped import schemas_folder

    return schemas_folder() / "codes"
