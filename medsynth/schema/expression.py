"""What a derived column is computed by: literals, columns, arithmetic, rounding and `X if PREDICATE else Y`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medsynth.schema.words import literal_text, name_text

if TYPE_CHECKING:
    import pandas as pd

    from medsynth.schema.predicate import Predicate
    from medsynth.schema.view import SchemaView


class Expression:
    """A node of a derived column's definition; `str` gives text that parses to the same node."""

    precedence = 9

    @property
    def columns(self) -> frozenset[str]:
        """Columns the value depends on."""
        return frozenset().union(*(child.columns for child in self.children))

    @property
    def children(self) -> tuple[Any, ...]:
        """Nodes directly below, expressions and predicates."""
        return ()

    def evaluate(self, frame: "pd.DataFrame", schema: "SchemaView") -> "pd.Series[Any]":
        """Computes the value for each row; missing where an operand is.

        Args:
          frame: Rows with the columns named.
          schema: Says how their cells are written.
        """
        from medsynth.schema.evaluation import evaluate_expression

        return evaluate_expression(self, frame, schema)

    def _inside(self, precedence: int) -> str:
        return f"({self})" if self.precedence < precedence else str(self)


@dataclass(frozen=True)
class Literal(Expression):
    """A constant."""

    value: bool | int | float | str

    def __str__(self) -> str:
        return literal_text(self.value)


@dataclass(frozen=True)
class ColumnReference(Expression):
    """A column's value."""

    column: str

    @property
    def columns(self) -> frozenset[str]:
        """The one column."""
        return frozenset((self.column,))

    def __str__(self) -> str:
        return name_text(self.column)


@dataclass(frozen=True)
class IfElse(Expression):
    """`then if condition else otherwise`."""

    then: Expression
    condition: "Predicate"
    otherwise: Expression
    precedence = 1

    @property
    def children(self) -> tuple[Any, ...]:
        """Both values and the predicate."""
        return (self.then, self.condition, self.otherwise)

    def __str__(self) -> str:
        return f"{self.then._inside(2)} if {self.condition} else {self.otherwise}"


@dataclass(frozen=True)
class Arithmetic(Expression):
    """`left op right` with op one of + - * /; division by zero is missing."""

    left: Expression
    op: str
    right: Expression

    @property
    def precedence(self) -> int:  # type: ignore[override]
        """2 for + and -, 3 for * and /."""
        return 2 if self.op in "+-" else 3

    @property
    def children(self) -> tuple[Any, ...]:
        """Both operands."""
        return (self.left, self.right)

    def __str__(self) -> str:
        return f"{self.left._inside(self.precedence)} {self.op} {self.right._inside(self.precedence + 1)}"


@dataclass(frozen=True)
class Rounded(Expression):
    """`round(value, places)`."""

    value: Expression
    places: int = 0

    @property
    def children(self) -> tuple[Any, ...]:
        """The value."""
        return (self.value,)

    def __str__(self) -> str:
        return f"round({self.value}, {self.places})"
