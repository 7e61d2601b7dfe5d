"""Guesses what kind of column some cells are, each with a sentence that says why."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from medsynth.schema.codes import shipped_code_system
from medsynth.schema.texts import OTHER, canonical_text, listed, shown
from medsynth.schema.values import LARGEST

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 50
LONG_TEXT = 40
LIST_IS_SURELY_WHOLE = 12
MISSING_TEXTS = frozenset(
    {"?", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan", ".", "-", "--", "*", "missing"}
)
NEGATIVE_CODES = frozenset({"-1", "-9", "-99", "-999", "-9999"})
LARGE_CODES = frozenset({"999", "9999", "99999", "999999"})
PAIRS = (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("1", "0"))
_OTHER_DAY = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(?: .*)?", re.ASCII)
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,14})", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,14})?(?:\.\d*)?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ].*)?", re.ASCII)
_N = r"(-?(?:0|[1-9]\d*)(?:\.\d+)?)"
_BAND = re.compile(rf"[\[(]\s*{_N}\s*[,-]\s*{_N}\s*[\])]|([<>])=?\s*{_N}|{_N}\s*-\s*{_N}|{_N}\+", re.ASCII)
_ID_NAME = re.compile(r"(?:^|[_ .-])(?:id|ids|nbr|number|no|key|uuid|guid|mrn|ssn)$|[a-z](?:ID|Id)$", re.ASCII)
_CODED_NAME = re.compile(r"(?:_|\b)(?:id|code|cd|type|class|group|category)$", re.IGNORECASE)
_DIAGNOSIS_NAME = re.compile(r"icd|diag|^dx|_dx", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What a column seems to be.

    Attributes:
      column: Its name.
      keys: What the schema will say of it, `kind` first.
      why: One sentence for the person who confirms.
    """

    column: str
    keys: dict[str, Any]
    why: str

    @property
    def read_from_data(self) -> bool:
        """Whether a person must confirm it: something in it was read from rows."""
        return self.keys["kind"] not in {"id", "drop"}


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Distinct texts of a column, sorted, without those that mean missing."""

    name: str
    texts: list[str]
    rows: int
    blank: bool
    codes: list[str] = field(default_factory=list)
    truth: bool = False

    def common(self) -> dict[str, Any]:
        """Keys every learned kind shares."""
        keys: dict[str, Any] = {"missing": True} if self.blank else {}
        return keys | ({"missing_codes": self.codes} if self.codes else {})


def guess_column(name: str, cells: "pd.Series[Any]") -> Guess:
    """The likeliest kind of a column; the first rule that fits decides."""
    found = _distinct(name, cells)
    rules: tuple[Callable[[_Cells], tuple[dict[str, Any], str] | None], ...] = (
        _empty,
        _boolean,
        _day,
        _foreign_day,
        _diagnosis,
        _identifier,
        _number,
        _category,
        _free_text,
    )
    for rule in rules:
        guess = rule(found)
        if guess is not None:
            keys, why = guess
            learned = keys["kind"] not in {"id", "drop"}
            return Guess(
                column=name,
                keys=keys | (found.common() | {"source": "data"} if learned else {}),
                why=why + (_missing_sentence(found) if learned else ""),
            )
    keys = {"kind": "drop", "reason": "more different texts than a list should hold"}
    return Guess(
        column=name,
        keys=keys,
        why=(
            f"More than {MOST_CATEGORIES} different texts, so no list: if they are public codes, write kind: code "
            "with a values_file; if most are rare, write kind: category with the common ones and other: true."
        ),
    )


def _missing_sentence(found: _Cells) -> str:
    parts = ["Empty cells occur."] if found.blank else []
    if found.codes:
        parts.append(f"{listed(map(shown, found.codes))} seems to mean missing.")
    return " ".join(["", *parts])


def _distinct(name: str, cells: "pd.Series[Any]") -> _Cells:
    from pandas.api.types import is_bool_dtype

    from medsynth.schema.reading import uniques

    codes, values = uniques(cells)
    texts = sorted({canonical_text(value) for value in values})
    blank = bool((codes < 0).any()) or "" in texts
    present = [text for text in texts if text != ""]
    missing = _missing_codes(present)
    return _Cells(
        name=name,
        texts=[text for text in present if text not in missing],
        rows=len(cells),
        blank=blank,
        codes=sorted(missing),
        truth=is_bool_dtype(cells.dtype),
    )


def _missing_codes(texts: list[str]) -> set[str]:
    """Texts that usually mean missing, and numbers that cannot belong to the others."""
    if set(texts) == {"-"} or len(texts) == 1:
        return set()
    found = {text for text in texts if text in MISSING_TEXTS}
    rest = [text for text in texts if text not in found]
    words = [text for text in rest if not _is_number(text)]
    numbers = sorted((float(text), text) for text in rest if _is_number(text))
    if len(numbers) > 20 and 0 < len(words) <= 2:
        found |= set(words)
    if not words or found >= set(words):
        found |= _odd_numbers(numbers)
    return (found | {text for text in rest if text.startswith("9999-12-31")}) - {OTHER}


def _odd_numbers(numbers: list[tuple[float, str]]) -> set[str]:
    odd = [text for value, text in numbers if value < 0]
    if odd and len(odd) < len(numbers) - 1 and set(odd) <= NEGATIVE_CODES:
        return set(odd)
    last = numbers[-1] if len(numbers) > 2 else (0.0, "")
    return {last[1]} if last[1] in LARGE_CODES and last[0] > 3 * abs(numbers[-2][0]) else set()


def _is_number(text: str) -> bool:
    return any(c.isdigit() for c in text) and _DECIMAL.fullmatch(text) is not None


def _empty(found: _Cells) -> tuple[dict[str, Any], str] | None:
    if found.texts:
        return None
    return {"kind": "drop", "reason": "empty"}, "No cell holds a value."


def _boolean(found: _Cells) -> tuple[dict[str, Any], str] | None:
    if found.truth:
        return {"kind": "boolean"}, "Holds truth values."
    lower = {text.lower(): text for text in found.texts}
    for true, false in PAIRS:
        if set(lower) == {true, false} and len(found.texts) == 2:
            written = {"true": _as_number(lower[true]), "false": _as_number(lower[false])}
            return {"kind": "boolean"} | written, "Holds two values that read as yes and no."
    return None


def _as_number(text: str) -> str | int:
    return int(text) if _INTEGER.fullmatch(text) else text


def _day(found: _Cells) -> tuple[dict[str, Any], str] | None:
    if not all(_DAY.fullmatch(text) for text in found.texts):
        return None
    years = sorted(int(text[:4]) for text in found.texts)
    if years[0] < 1:
        return None
    keys = {"kind": "date", "min": date(years[0], 1, 1), "max": date(years[-1], 12, 31)}
    times = any(len(text) > 10 and not text.endswith("00:00:00") for text in found.texts)
    cut = " Times of day are cut off." if times else ""
    return keys, f"Holds dates; the bounds are widened to whole years.{cut}"


def _diagnosis(found: _Cells) -> tuple[dict[str, Any], str] | None:
    """ICD-9-CM: by the column's name, or by V and E codes among numbers."""
    letters = any(re.fullmatch(r"[VE]\d{2,3}(\.\d+)?", text) for text in found.texts)
    long = sum(len(text.partition(".")[0]) >= 3 for text in found.texts) > len(found.texts) / 2
    named = _DIAGNOSIS_NAME.search(found.name) is not None and long
    if len(found.texts) < 10 or not (letters or named):
        return None
    system = shipped_code_system("icd9cm3")
    known = sum(system.normalise(text) is not None for text in found.texts)
    if known < 0.9 * len(found.texts):
        return None
    keys = {"kind": "code", "system": "icd9cm3", "other": True}
    return keys, "Reads as ICD-9-CM; codes are learned at their three-character category."


def _identifier(found: _Cells) -> tuple[dict[str, Any], str] | None:
    distinct = len(found.texts)
    whole = all(_INTEGER.fullmatch(text) for text in found.texts)
    named = _ID_NAME.search(found.name) is not None and distinct > MOST_CATEGORIES
    short = max(map(len, found.texts)) <= LONG_TEXT and not any(" " in text for text in found.texts)
    alone = distinct == found.rows and distinct >= 20 and short and (_running(found) if whole else True)
    numeric = not whole and all(map(_is_number, found.texts))
    if numeric or not (named or alone):
        return None
    reason = "its name and its many values" if named else "no two rows share a value"
    why = f"Seems an identifier ({reason}): invented afresh, never learned."
    return {"kind": "id", "format": "#" * 8}, why


def _running(found: _Cells) -> bool:
    """Whether whole numbers count the rows, from 0 or 1 on."""
    values = sorted(int(text) for text in found.texts)
    return values[0] in {0, 1} and values[-1] - values[0] == len(values) - 1


def _number(found: _Cells) -> tuple[dict[str, Any], str] | None:
    if not all(map(_is_number, found.texts)):
        return None
    from medsynth.schema.bounds import number_keys

    whole = all(_INTEGER.fullmatch(text) for text in found.texts)
    if any(abs(float(text)) > LARGEST / 2 for text in found.texts):
        reason = "numbers beyond exact arithmetic"
        return {
            "kind": "drop",
            "reason": reason,
        }, "Holds numbers too large to compute with exactly."
    coded = _CODED_NAME.search(found.name) is not None and len(found.texts) <= MOST_CATEGORIES
    if whole and coded:
        return _category(found)
    return number_keys(found.texts, whole=whole)


def _category(found: _Cells) -> tuple[dict[str, Any], str] | None:
    texts = [text for text in found.texts if text != OTHER]
    if not texts or len(texts) > MOST_CATEGORIES or sum(map(len, texts)) > LONG_TEXT * len(texts):
        return None
    keys: dict[str, Any] = {"kind": "category", "values": sorted(texts, key=_natural)}
    why = "Holds few different texts, sorted by spelling. Add the public ones that no row holds"
    starts = {text: start for text in texts if (start := _band_start(text)) is not None}
    if len(starts) == len(texts) > 1:
        keys |= {"values": sorted(texts, key=lambda text: (starts[text], text)), "ordered": True}
        why = "Holds bands, in ascending order. Add the public ones that no row holds"
    if len(texts) > LIST_IS_SURELY_WHOLE or len(texts) < len(found.texts):
        keys["other"] = True
    return keys, f"{why}, remove those that are not publicly known."


def _natural(text: str) -> tuple[bool, float, str]:
    """Numbers in their order, then the rest by spelling."""
    return (False, float(text), text) if _is_number(text) else (True, 0.0, text)


def _band_start(text: str) -> float | None:
    """Where a band such as `[10-20)`, `<18`, `65+` or `18-24` begins, None if it is none."""
    match = _BAND.fullmatch(text)
    if match is None:
        return None
    low, high = match[1] or match[5], match[2] or match[6]
    if low is not None:
        return float(low) if float(low) < float(high) else None
    step = {"<": -0.5, ">": 0.5}.get(match[3] or "", 0.25)
    return float(match[4] or match[7]) + step


def _foreign_day(found: _Cells) -> tuple[dict[str, Any], str] | None:
    if not all(_OTHER_DAY.fullmatch(text) for text in found.texts):
        return None
    why = "Seems to hold dates. Rewrite them as 2020-01-31 in the table, then describe a date."
    return {"kind": "drop", "reason": "dates in another form than 2020-01-31"}, why


def _free_text(found: _Cells) -> tuple[dict[str, Any], str] | None:
    if sum(map(len, found.texts)) > LONG_TEXT * len(found.texts) or _sentences(found.texts):
        why = "Holds free text, which is never learned or released."
        return {"kind": "drop", "reason": "free text"}, why
    return None


def _sentences(texts: list[str]) -> bool:
    return sum(text.count(" ") >= 3 for text in texts) > len(texts) / 2
