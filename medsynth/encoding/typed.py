"""Raw cells read by their declared kind, so that predicates and evaluations see numbers, dates and texts."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from medsynth.encoding.raw import WRITTEN_TRUTHS, factorized, moments, numbers
from medsynth.schema.texts import canonical_text

if TYPE_CHECKING:
    from medsynth.schema import Schema


def typed_frame(frame: pd.DataFrame, schema: "Schema") -> pd.DataFrame:
    """Columns of the schema with their declared types; what cannot be read becomes missing.

    Values outside the declared domain stay as they are, so that `check` and the evaluations see them.

    Args:
      frame: Raw rows, for instance all text from a CSV.
      schema: Says what each column is.
    """
    typed = {}
    for name in frame.columns:
        column = schema.columns.get(str(name))
        typed[str(name)] = frame[name] if column is None else typed_column(frame[name], column)
    return pd.DataFrame(typed, index=frame.index)


def typed_column(values: pd.Series, column: Any) -> pd.Series:
    """One column by its kind; missing codes become missing."""
    codes = {canonical_text(code) for code in getattr(column, "missing_codes", ())}
    match column.kind:
        case "integer" | "decimal":
            read = pd.Series(numbers(values), index=values.index, name=values.name)
            texts = {float(code) for code in codes if _is_number(code)}
            return read.mask(read.isin(texts)) if texts else read
        case "date":
            return _timestamps(values)
        case "category" | "code":
            return _texts(values, codes, declared=getattr(column, "values", None))
        case "boolean" if column.true is not True:
            return _texts(values, codes, declared=[column.false, column.true])
        case "boolean":
            return _texts(values, codes).map(_truth)
        case _:
            return values


def _truth(text: object) -> bool | None:
    written = WRITTEN_TRUTHS.get(str(text))
    return None if written is None else written == "true"


def _timestamps(values: pd.Series) -> pd.Series:
    read = moments(values)
    known = np.nan_to_num(read).astype(np.int64).astype("datetime64[us]")
    known[np.isnan(read)] = np.datetime64("NaT")
    return pd.Series(known, index=values.index, name=values.name)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _texts(values: pd.Series, codes: set[str], declared: Any = None) -> pd.Series:
    """Distinct values by their canonical text, in their declared type where declared."""
    by_text = {canonical_text(value): value for value in declared or ()}
    positions, uniques = factorized(values)
    texts = [canonical_text(value) for value in uniques]
    read = [None if text in codes or text == "" else by_text.get(text, text) for text in texts]
    array = pd.array([*read, None], dtype="object")
    return pd.Series(array[positions], index=values.index, name=values.name)
