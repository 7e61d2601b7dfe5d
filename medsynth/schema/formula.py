"""Formulas of studies: `hospdead ~ age + sex + crea > 2`, `Surv(days, death) ~ age`; conditions are predicates.

On the left stands a number, a yes/no column, or a condition; on the right columns, conditions, and
`relevel(column, 'value')`, which names the value that the others are compared with. It is otherwise the first one
listed: which value is most common would be read off the rows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medsynth.errors import UsageError
from medsynth.schema.checks import checked, require_column
from medsynth.schema.domains import check_value, possible_values
from medsynth.schema.expression import Arithmetic, ColumnReference, Expression, IfElse, Literal, Rounded
from medsynth.schema.predicate import Compare, Predicate, parse_predicate
from medsynth.schema.texts import OTHER, canonical_text, shown
from medsynth.schema.tokens import Token, tokenize
from medsynth.schema.words import name_text

if TYPE_CHECKING:
    from medsynth.schema.table import Schema

_PIECES = re.compile(r"`(?:[^`]|``)*`|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|.", re.DOTALL)
_INTERACTION = re.compile(r"(?:`[^`]+`|[\w.]+)\s*[*:]\s*(?:`[^`]+`|[\w.]+)")
_FORM = "Write it as outcome ~ column + column."
_SURV = "Write Surv(time, event) ~ column + column."


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term, or the outcome: a column or a condition.

    Attributes:
      text: As written, spaces aside.
      column: The column that enters as it is, None for a condition.
      condition: The condition, None for a column.
      reference: The value that others of the column are compared with, where it is named.
    """

    text: str
    column: str | None = None
    condition: Predicate | None = None
    reference: str | None = None

    @property
    def columns(self) -> frozenset[str]:
        """Columns it depends on, derived ones by their own name."""
        if self.column is not None:
            return frozenset((self.column,))
        return frozenset() if self.condition is None else self.condition.columns


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A formula whose columns and values the schema knows.

    Attributes:
      family: logistic, linear or cox.
      outcome: A condition for logistic and cox (of cox: that the event was seen); for linear also a number.
      time: Column of the time to the event, for cox.
      terms: Right-hand side, in written order.
    """

    family: str
    outcome: Term
    time: str | None
    terms: tuple[Term, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, those of the outcome first, each once."""
        named = [*([self.time] if self.time else []), *sorted(self.outcome.columns)]
        for term in self.terms:
            named += sorted(term.columns)
        return tuple(dict.fromkeys(named))


def parse_formula(text: str, family: str, schema: "Schema") -> Formula:
    """Reads and checks the formula of a study.

    Args:
      text: Such as `readmitted == '<30' ~ age + gender`.
      family: logistic, linear or cox.
      schema: Says which columns there are, and what they hold.

    Raises:
      UsageError: Naming what is wrong and one fix.
    """
    sides = list(_split(text, "~"))
    if len(sides) != 2 or not all(side.strip() for side in sides):
        found = "more than one ~" if len(sides) > 2 else "no outcome and terms around ~"
        raise UsageError(f"{shown(text)} has {found}. {_SURV if family == 'cox' else _FORM}")
    time, outcome = _outcome(sides[0].strip(), family, schema)
    terms = tuple(_term(part.strip(), schema) for part in _split(sides[1], "+"))
    formula = Formula(family=family, outcome=outcome, time=time, terms=terms)
    _refuse_repeats(formula)
    return formula


def _split(text: str, separator: str) -> Iterator[str]:
    """Parts of a text between separators that stand outside of quotes and brackets."""
    part, depth = "", 0
    for piece in _PIECES.findall(text):
        depth += (piece in ("(", "[")) - (piece in (")", "]"))
        if piece == separator and depth == 0:
            yield part
            part = ""
        else:
            part += piece
    yield part


def _outcome(text: str, family: str, schema: "Schema") -> tuple[str | None, Term]:
    survival = re.fullmatch(r"Surv\s*\((.*)\)", text, re.DOTALL)
    if family != "cox":
        if survival:
            raise UsageError("Surv(time, event) is for family cox. Write family: cox.")
        return None, (_number_or_condition if family == "linear" else _condition_of)(text, schema)
    parts = list(_split(survival[1], ",")) if survival else []
    if len(parts) != 2:
        raise UsageError(f"family cox needs a time and an event, found {shown(text)}. {_SURV}")
    time = _column_in(parts[0].strip())
    if time is None:
        raise UsageError(f"the time {shown(parts[0].strip())} is not one column. {_SURV}")
    require_column(time, schema)
    if kind_of_column(time, schema) != "number":
        raise UsageError(f"time {shown(time)} is not a number. Name a column of kind integer or decimal.")
    return time, _condition_of(parts[1].strip(), schema)


def _number_or_condition(text: str, schema: "Schema") -> Term:
    column = _column_in(text)
    if column is not None:
        require_column(column, schema)
        if kind_of_column(column, schema) == "number":
            return Term(text=text, column=column)
    return _condition_of(text, schema)


def _condition_of(text: str, schema: "Schema") -> Term:
    """A condition; of a yes/no column that it is true, of a list of two values that it is the second."""
    column = _column_in(text)
    if column is None:
        return Term(text=text, condition=_predicate(text, schema))
    require_column(column, schema)
    values = possible_values(column, schema)
    if values is None or len(values) != 2:
        raise UsageError(f"outcome {shown(column)} is not a yes/no column. Write a condition, as in x == 'value'.")
    return Term(text=text, condition=checked(Compare(column, "==", values[1]), schema))


def _term(text: str, schema: "Schema") -> Term:
    if not text:
        raise UsageError(f"a term is empty. {_FORM}")
    column, reference = _column_in(text), None
    releveled = re.fullmatch(r"relevel\s*\((.*)\)", text, re.DOTALL)
    if releveled:
        column, reference = _releveled(releveled[1], schema)
    if column is None:
        return Term(text=text, condition=_predicate(text, schema))
    require_column(column, schema)
    if kind_of_column(column, schema) == "code":
        raise UsageError(
            f"column {shown(column)} is of kind code, too many values for one term. "
            f"Write a group, as in {name_text(column)} in ICD9('250')."
        )
    if kind_of_column(column, schema) == "text":
        raise UsageError(f"derived column {shown(column)} has no fixed list of values. Write a condition of it.")
    return Term(text=text if reference is None else name_text(column), column=column, reference=reference)


def _releveled(text: str, schema: "Schema") -> tuple[str, str]:
    parts = [part.strip() for part in _split(text, ",")]
    column = _column_in(parts[0])
    tokens = _tokens(parts[1]) if len(parts) == 2 else []
    if column is None or len(tokens) != 2 or tokens[0].kind not in {"text", "number", "word"}:
        raise UsageError(f"relevel({shown(text)[1:-1]}) is not readable. Write relevel(column, 'value').")
    require_column(column, schema)
    if kind_of_column(column, schema) != "listed":
        raise UsageError(f"relevel: column {shown(column)} has no list of values. Write the column alone.")
    value = {"true": True, "false": False}.get(tokens[0].value, tokens[0].value)
    check_value(column, "==", value, schema)
    return column, canonical_text(value)


def _predicate(text: str, schema: "Schema") -> Predicate:
    if _INTERACTION.fullmatch(text):
        raise UsageError(f"term {shown(text)}: interactions are not offered. Declare the product as a derived column.")
    return checked(parse_predicate(text), schema)


def _tokens(text: str) -> list[Token]:
    return tokenize(text, "Formula")


def _column_in(text: str) -> str | None:
    """The column, where a text is nothing but its name."""
    try:
        tokens = _tokens(text)
    except UsageError:
        return None
    return str(tokens[0].value) if len(tokens) == 2 and tokens[0].kind == "name" else None


def _refuse_repeats(formula: Formula) -> None:
    seen = {*([formula.time] if formula.time else []), *formula.outcome.columns}
    texts: set[str] = set()
    for term in formula.terms:
        if term.column in seen:
            raise UsageError(f"column {shown(term.column)} is on both sides, or twice. Remove one.")
        if term.text in texts:
            raise UsageError(f"term {shown(term.text)} occurs twice. Remove one.")
        seen |= {term.column} if term.column is not None else set()
        texts.add(term.text)


def kind_of_column(name: str, schema: "Schema") -> str:
    """How a column enters a study: number (dates as days), listed, code, or text where no list is known."""
    column = schema.columns.get(name)
    if column is not None:
        kinds = {"integer": "number", "decimal": "number", "date": "number", "code": "code"}
        return kinds.get(column.kind, "listed")
    if _is_number(schema.derived_expressions[name], schema):
        return "number"
    return "text" if possible_values(name, schema) is None else "listed"


def _is_number(node: Expression, schema: "Schema") -> bool:
    match node:
        case Literal(value=value):
            return not isinstance(value, str | bool)
        case ColumnReference(column=name):
            return kind_of_column(name, schema) == "number"
        case IfElse(then=then, otherwise=otherwise):
            return _is_number(then, schema) and _is_number(otherwise, schema)
        case Arithmetic() | Rounded():
            return True
    return False


def levels_of(term: Term, schema: "Schema") -> tuple[str, ...]:
    """Canonical texts a listed column can hold, the one others are compared with first; `(other)` and missing last."""
    if term.column is None:
        return ()
    column = schema.columns.get(term.column)
    values = possible_values(term.column, schema) or ()
    texts = list(dict.fromkeys(canonical_text(value) for value in values))
    if term.reference is not None:
        texts = [term.reference, *(text for text in texts if text != term.reference)]
    if getattr(column, "other", False) and OTHER not in texts:
        texts.append(OTHER)
    return tuple(texts)
