"""The one small language: `age >= 65 and sex == 'F' or dx in ICD9('250')`, as frozen nodes.

Precedence, loosest first: implies, or, and, not, comparison. Logic has two values. A comparison, `in` or `not in`
with a missing cell is false, and `not` turns that into true; so is a comparison of two columns where either holds a
value outside its list. `x not in (...)` reads `not x in (...) and x is not missing`.

A side of a comparison may be calculated: `part_a + part_b == total`, `discharge - admission <= 365` (days between
dates). Calculated values are equal where rounding alone tells them apart; with a missing operand the comparison is
false.
"""

import operator
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from medsynth.schema.expression import (
    Arithmetic,
    ColumnReference,
    Expression,
    IfElse,
    Literal,
    Rounded,
)
from medsynth.schema.texts import canonical_text
from medsynth.schema.words import literal_text, name_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from medsynth.schema.view import SchemaView

__all__ = [
    "And",
    "Arithmetic",
    "ColumnReference",
    "Compare",
    "CompareCalculated",
    "CompareColumns",
    "Expression",
    "IfElse",
    "Implies",
    "InGroup",
    "InTable",
    "IsIn",
    "IsMissing",
    "Literal",
    "Not",
    "Or",
    "Predicate",
    "Rounded",
    "Value",
    "leaf_holds",
    "parse_expression",
    "parse_predicate",
    "rename_column",
]

_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
Value = bool | int | float | str
Leaf = TypeVar("Leaf", bound="Predicate")


class Predicate:
    """A condition on one row; `str` gives text that parses to the same node."""

    precedence = 5

    @property
    def children(self) -> tuple["Predicate", ...]:
        """Predicates directly below."""
        return ()

    @property
    def columns(self) -> frozenset[str]:
        """Columns the condition depends on."""
        return frozenset().union(*(child.columns for child in self.children))

    def leaves(self) -> Iterator["Predicate"]:
        """Comparisons and the like, in written order."""
        for child in self.children:
            yield from child.leaves()
        if not self.children:
            yield self

    def comparisons(self) -> Iterator[tuple[str, str, Value]]:
        """(column, operator, value) of every comparison with a constant; `in` counts as `==`."""
        for leaf in self.leaves():
            if isinstance(leaf, Compare):
                yield leaf.column, leaf.op, leaf.value
            elif isinstance(leaf, IsIn):
                yield from ((leaf.column, "==", value) for value in leaf.values)
            elif isinstance(leaf, InTable):
                for column, values in leaf.listed:
                    yield from ((column, "==", value) for value in values if value is not None)

    def evaluate(self, frame: "pd.DataFrame", schema: "SchemaView") -> "npt.NDArray[np.bool_]":
        """Which rows satisfy the condition, (n,) bool.

        Args:
          frame: Rows with the columns named, raw or decoded.
          schema: Says how their cells are written and which are missing.

        Raises:
          DataError: If a column is absent.
        """
        from medsynth.schema.evaluation import evaluate_predicate

        return evaluate_predicate(self, frame, schema)

    def _inside(self, precedence: int) -> str:
        return f"({self})" if self.precedence < precedence else str(self)


@dataclass(frozen=True)
class Compare(Predicate):
    """`column op value`."""

    column: str
    op: str
    value: Value

    @property
    def columns(self) -> frozenset[str]:
        """The one column."""
        return frozenset((self.column,))

    def __str__(self) -> str:
        return f"{name_text(self.column)} {self.op} {literal_text(self.value)}"


@dataclass(frozen=True)
class CompareColumns(Predicate):
    """`left op right`, both columns."""

    left: str
    op: str
    right: str

    @property
    def columns(self) -> frozenset[str]:
        """Both columns."""
        return frozenset((self.left, self.right))

    def __str__(self) -> str:
        return f"{name_text(self.left)} {self.op} {name_text(self.right)}"


@dataclass(frozen=True)
class CompareCalculated(Predicate):
    """`left op right`, at least one of them calculated from columns."""

    left: Expression
    op: str
    right: Expression

    @property
    def columns(self) -> frozenset[str]:
        """Columns of both sides."""
        return self.left.columns | self.right.columns

    def __str__(self) -> str:
        return f"{self.left._inside(2)} {self.op} {self.right._inside(2)}"


@dataclass(frozen=True)
class InTable(Predicate):
    """The columns together hold one of the listed combinations; None stands for a missing cell.

    It comes from `combinations` of the schema; `str` gives text that parses to an equivalent predicate.
    """

    among: tuple[str, ...]
    rows: tuple[tuple[Value | None, ...], ...]
    precedence = 2

    @property
    def columns(self) -> frozenset[str]:
        """All of them."""
        return frozenset(self.among)

    @property
    def listed(self) -> Iterator[tuple[str, tuple[Value | None, ...]]]:
        """Each column with its values in the combinations, each once."""
        for column, values in zip(self.among, zip(*self.rows, strict=True), strict=True):
            yield column, tuple(dict.fromkeys(values))

    def __str__(self) -> str:
        return " or ".join(str(And(tuple(map(_cell, self.among, row)))) for row in self.rows)


def _cell(column: str, value: Value | None) -> Predicate:
    return IsMissing(column) if value is None else Compare(column, "==", value)


@dataclass(frozen=True)
class IsIn(Predicate):
    """`column in (value, ...)`."""

    column: str
    values: tuple[Value, ...]

    @property
    def columns(self) -> frozenset[str]:
        """The one column."""
        return frozenset((self.column,))

    def __str__(self) -> str:
        return f"{name_text(self.column)} in ({', '.join(map(literal_text, self.values))})"


@dataclass(frozen=True)
class InGroup(Predicate):
    """`column in SYSTEM('label')`: under a code, block or chapter of the column's public hierarchy."""

    column: str
    system: str
    label: str

    @property
    def columns(self) -> frozenset[str]:
        """The one column."""
        return frozenset((self.column,))

    def __str__(self) -> str:
        return f"{name_text(self.column)} in {self.system}({literal_text(self.label)})"


@dataclass(frozen=True)
class IsMissing(Predicate):
    """`column is missing`: blank, or one of the column's missing codes."""

    column: str

    @property
    def columns(self) -> frozenset[str]:
        """The one column."""
        return frozenset((self.column,))

    def __str__(self) -> str:
        return f"{name_text(self.column)} is missing"


@dataclass(frozen=True)
class And(Predicate):
    """All of at least two parts."""

    parts: tuple[Predicate, ...]
    precedence = 3

    @property
    def children(self) -> tuple[Predicate, ...]:
        """The parts."""
        return self.parts

    def __str__(self) -> str:
        return " and ".join(part._inside(4) for part in self.parts)


@dataclass(frozen=True)
class Or(Predicate):
    """Any of at least two parts."""

    parts: tuple[Predicate, ...]
    precedence = 2

    @property
    def children(self) -> tuple[Predicate, ...]:
        """The parts."""
        return self.parts

    def __str__(self) -> str:
        return " or ".join(part._inside(3) for part in self.parts)


@dataclass(frozen=True)
class Not(Predicate):
    """True where the part is false."""

    part: Predicate
    precedence = 4

    @property
    def children(self) -> tuple[Predicate, ...]:
        """The part."""
        return (self.part,)

    def __str__(self) -> str:
        if isinstance(self.part, IsMissing):
            return f"{name_text(self.part.column)} is not missing"
        return f"not {self.part._inside(4)}"


@dataclass(frozen=True)
class Implies(Predicate):
    """False only where the left holds and the right does not."""

    left: Predicate
    right: Predicate
    precedence = 1

    @property
    def children(self) -> tuple[Predicate, ...]:
        """Premise and conclusion."""
        return (self.left, self.right)

    def __str__(self) -> str:
        return f"{self.left._inside(2)} implies {self.right._inside(1)}"


def rename_column(leaf: Leaf, column: str) -> Leaf:
    """The same comparison of another column."""
    return replace(leaf, column=column)  # type: ignore[type-var]


def leaf_holds(leaf: Predicate, value: Value) -> bool:
    """Whether a comparison of one column holds for a constant; texts compare as texts, numbers as numbers.

    >>> leaf_holds(Compare("stage", ">=", 2), 3), leaf_holds(IsIn("sex", ("F",)), "M")
    (True, False)
    """
    match leaf:
        case Compare(op=op, value=other):
            return _constants_compare(value, op, other)
        case IsIn(values=values):
            return any(_constants_compare(value, "==", other) for other in values)
        case _:
            return False


def _constants_compare(left: Value, op: str, right: Value) -> bool:
    a, b = _number(left), _number(right)
    if op in {"==", "!="}:
        same = a == b if a is not None and b is not None else canonical_text(left) == canonical_text(right)
        return same == (op == "==")
    pair: tuple[Any, Any] = (a, b) if a is not None and b is not None else (str(left), str(right))
    return bool(_ORDERS[op](*pair))


def _number(value: Value) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def parse_predicate(text: str) -> Predicate:
    """Reads a predicate.

    Args:
      text: Such as `age >= 65 and sex == 'F' or dx in ICD9('250')`.

    Returns:
      The frozen syntax tree; columns and values are not checked against any schema (`Schema.predicate` does).

    Raises:
      UsageError: Naming the position and what is expected there.

    >>> parse_predicate("1 <= x <= 3").columns
    frozenset({'x'})
    """
    from medsynth.schema.parser import Parser

    return Parser(text, "Predicate").whole_predicate()


def parse_expression(text: str) -> Expression:
    """Reads the definition of a derived column.

    Args:
      text: Such as `'Yes' if a > 3 else 'No'` or `round(weight / (height * height), 1)`.

    Raises:
      UsageError: Naming the position and what is expected there.

    >>> str(parse_expression("a+b * 2"))
    'a + b * 2'
    """
    from medsynth.schema.parser import Parser

    return Parser(text, "Expression").whole_expression()
