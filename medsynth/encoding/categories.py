"""Cells of columns whose values are a public list: categories, booleans and codes with a hierarchy."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from medsynth.encoding.cells import BoolArray, Tail, codes_of_uniques, groups_with_tail
from medsynth.encoding.domain import Attribute, IntArray
from medsynth.encoding.raw import factorized
from medsynth.schema.texts import OTHER, canonical_text


@dataclass(frozen=True, kw_only=True, eq=False)
class CategoryCells:
    """One cell per declared value.

    Attributes:
      name: The column's name.
      values: Declared values, in declared order.
      tail: Missing and other cells.
      ordered: Whether the declared order means something.
      dtype: pandas type to decode to: category, boolean or text.
      normalise: Maps raw text to a declared value's text, or None (codes: `250.83` to `250`).
      levels: Public partitions of the values, finest first, each the group of every value.
      members: Maps a code, block or chapter to a mask over the values.
    """

    name: str
    values: tuple[Any, ...]
    tail: Tail
    ordered: bool = False
    dtype: str = "category"
    normalise: Callable[[str], str | None] | None = None
    levels: tuple[IntArray, ...] = ()
    members: Callable[[str], BoolArray] | None = None

    @cached_property
    def attribute(self) -> Attribute:
        """The column as the models see it."""
        return Attribute(
            name=self.name,
            size=len(self.values) + self.tail.size,
            ordered=len(self.values) if self.ordered else 0,
            hierarchy=tuple(groups_with_tail(groups, self.tail) for groups in self.levels),
        )

    @cached_property
    def _cell_of_text(self) -> dict[str, int]:
        return {canonical_text(value): cell for cell, value in enumerate(self.values)}

    def _cell(self, value: Any) -> int:
        if value is None:
            blank = self.tail.blank_cell
            return self._stray() if blank is None else blank
        text = canonical_text(value)
        if text in self.tail.code_cells:
            return self.tail.code_cells[text]
        known = self.normalise(text) if self.normalise and text not in self._cell_of_text else text
        cell = None if known is None else self._cell_of_text.get(known)
        if cell is None and text == "":
            return self._cell(None)
        return self._stray() if cell is None else cell

    def _stray(self) -> int:
        return 0 if self.tail.stray_cell is None else self.tail.stray_cell

    def encode(self, values: pd.Series) -> IntArray:
        """Codes of raw values, (n,) int32; total."""
        return codes_of_uniques(values, self._cell)

    def knows(self, values: pd.Series) -> BoolArray:
        """Which raw values are listed, codes of a hierarchy in any spelling it reads, (n,) bool."""
        positions, uniques = factorized(values)
        return np.array([*(self._known(canonical_text(value)) for value in uniques), False], dtype=bool)[positions]

    def _known(self, text: str) -> bool:
        return text in self.tail.code_cells or bool(self.select("==", text).any())

    def decode(self, codes: IntArray, rng: np.random.Generator) -> pd.Series:  # noqa: ARG002 (numbers draw)
        """Declared values, missing codes or `(other)`; an empty cell is NA."""
        tail = self.tail.values(None)
        if self.dtype == "boolean":
            values = np.array([*self.values, *tail], dtype=object)[codes]
            return pd.Series(values, dtype="boolean" if self.tail.size else "bool", name=self.name)
        if self.dtype == "text":
            values = np.array([*self.values, *tail], dtype=object)[codes]
            return pd.Series(values, dtype="str" if pd.__version__ >= "3" else "object", name=self.name)
        return pd.Series(self._categorical(codes, tail), name=self.name)

    def _categorical(self, codes: IntArray, tail: list[Any]) -> pd.Categorical:
        labels = [*self.values, *tail]
        kept = [cell for cell, label in enumerate(labels) if label is not None]
        position = np.full(len(labels), -1, dtype=np.int32)
        position[kept] = np.arange(len(kept))
        categories = [labels[cell] for cell in kept]
        if len({type(label) for label in categories}) > 1:
            categories = [canonical_text(label) for label in categories]
        dtype = pd.CategoricalDtype(categories=categories, ordered=self.ordered)
        return pd.Categorical.from_codes(position[codes], dtype=dtype)

    def select(self, operator: str, value: Any) -> BoolArray:
        """Cells for which `column operator value` holds; order comparisons follow the declared order."""
        mask = np.zeros(self.attribute.size, dtype=bool)
        own = len(self.values)
        text = canonical_text(value)
        cell = self._cell_of_text.get(text)
        if cell is None and self.normalise:
            known = self.normalise(text)
            cell = None if known is None else self._cell_of_text.get(known)
        if operator in {"==", "!="}:
            if cell is not None:
                mask[cell] = True
            elif text == OTHER and self.tail.other:
                mask[-1] = True
            return mask if operator == "==" else ~mask & ~self.tail.missing()
        if cell is not None:
            cells = np.arange(own)
            mask[:own] = {
                "<": cells < cell,
                "<=": cells <= cell,
                ">": cells > cell,
                ">=": cells >= cell,
            }[operator]
        return mask

    def select_group(self, label: str) -> BoolArray:
        """Cells of one code, block or chapter of the column's public hierarchy."""
        mask = np.zeros(self.attribute.size, dtype=bool)
        if self.members is not None:
            mask[: len(self.values)] = self.members(label)
        return mask
