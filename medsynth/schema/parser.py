"""Recursive descent over the tokens of a predicate or expression; no eval, limited in depth."""

from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar

from medsynth.errors import UsageError
from medsynth.schema.expression import (
    Arithmetic,
    ColumnReference,
    Expression,
    IfElse,
    Literal,
    Rounded,
)
from medsynth.schema.predicate import (
    And,
    Compare,
    CompareCalculated,
    CompareColumns,
    Implies,
    InGroup,
    IsIn,
    IsMissing,
    Not,
    Or,
    Predicate,
    Value,
)
from medsynth.schema.texts import shown
from medsynth.schema.tokens import Token, tokenize
from medsynth.schema.words import MIRRORED, OPERATORS

MOST_DEPTH = 40
MOST_PLACES = 12
CALCULATING = ("+", "-", "*", "/")
Parsed = TypeVar("Parsed")


class Parser:
    """Parses one text; see `predicate` for the precedence."""

    def __init__(self, text: str, what: str) -> None:
        self._what = what
        self._tokens = tokenize(text, what)
        self._next = 0
        self._depth = 0

    def whole_predicate(self) -> Predicate:
        """The text as one predicate."""
        predicate = self._implies()
        self._expect_end("and, or, implies or the end")
        return predicate

    def whole_expression(self) -> Expression:
        """The text as one expression."""
        expression = self._conditional()
        self._expect_end("an operator, if or the end")
        return expression

    # Tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next += token.kind != "end"
        return token

    def _accept(self, *values: str) -> str | None:
        if self._token.kind in {"word", "sign"} and self._token.value in values:
            return str(self._take().value)
        return None

    def _at_operator(self) -> bool:
        return self._token.kind == "sign" and self._token.value in OPERATORS

    def _expect(self, value: str) -> None:
        if self._accept(value) is None:
            raise self._error(f"'{value}'")

    def _expect_end(self, expected: str) -> None:
        if self._token.kind != "end":
            raise self._error(expected)

    def _error(self, expected: str, fix: str = "") -> UsageError:
        token = self._token
        found = "the end" if token.kind == "end" else shown(token.value)
        sentence = f"{self._what}, position {token.position}: expected {expected}, found {found}."
        return UsageError(f"{sentence} {fix or 'Correct it there.'}")

    def _nested(self, parse: Callable[[], Parsed]) -> Parsed:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise UsageError(f"{self._what}: nested more than {MOST_DEPTH} deep. Simplify it.")
        parsed = parse()
        self._depth -= 1
        return parsed

    # Predicates

    def _implies(self) -> Predicate:
        left = self._or()
        if self._accept("implies"):
            return Implies(left, self._nested(self._implies))
        return left

    def _or(self) -> Predicate:
        parts = [self._and()]
        while self._accept("or"):
            parts.append(self._and())
        return Or(tuple(parts)) if len(parts) > 1 else parts[0]

    def _and(self) -> Predicate:
        parts = [self._not()]
        while self._accept("and"):
            parts.append(self._not())
        return And(tuple(parts)) if len(parts) > 1 else parts[0]

    def _not(self) -> Predicate:
        if self._accept("not"):
            return Not(self._nested(self._not))
        if not self._opens_calculation() and self._accept("("):
            inner = self._nested(self._implies)
            self._expect(")")
            return inner
        if quantifier := self._accept("all", "any"):
            return self._quantified(And if quantifier == "all" else Or)
        return self._comparison()

    def _quantified(self, join: type[And] | type[Or]) -> Predicate:
        word = self._take()
        if word.kind != "name" or word.value != "of" or word.quoted:
            self._next -= word.kind != "end"
            raise self._error("'of'", "Write all of (a, b) == 'No'; back-quote a column named all or any.")
        self._expect("(")
        names = [self._name()]
        while self._accept(","):
            names.append(self._name())
        self._expect(")")
        start, parts = self._next, []
        for name in names:
            self._next = start
            parts.append(self._tail(name))
        return join(tuple(parts)) if len(parts) > 1 else parts[0]

    def _name(self) -> str:
        if self._token.kind != "name" or self._token.value == "":
            raise self._error("a column name")
        return str(self._take().value)

    def _opens_calculation(self) -> bool:
        """Whether the bracket here is one of a calculation: an operator follows where it closes."""
        if self._token.kind != "sign" or self._token.value != "(":
            return False
        depth = 0
        for token, after in pairwise(self._tokens[self._next :]):
            depth += (token.value == "(") - (token.value == ")") if token.kind == "sign" else 0
            if not depth:
                return after.kind == "sign" and after.value in {*CALCULATING, *OPERATORS}
        return False

    def _comparison(self) -> Predicate:
        following = self._tokens[min(self._next + 1, len(self._tokens) - 1)]
        calculated = following.kind == "sign" and following.value in CALCULATING
        if self._token.kind == "name" and not calculated:
            name = self._name()
            return self._chain(ColumnReference(name)) if self._at_operator() else self._tail(name)
        return self._chain(self._operand())

    def _tail(self, name: str) -> Predicate:
        """What follows a column: an operator, `in`, `not in`, `is missing`, `is not missing`."""
        if self._accept("is"):
            negated = self._accept("not")
            self._expect("missing")
            return Not(IsMissing(name)) if negated else IsMissing(name)
        if self._accept("not"):
            self._expect("in")
            return And((Not(self._set(name)), Not(IsMissing(name))))
        if self._accept("in"):
            return self._set(name)
        if op := self._accept(*OPERATORS):
            return _compare(ColumnReference(name), op, self._operand(), self._error)
        raise self._error(
            "a comparison, in, or is missing",
            f"Write, say, {shown(name, 30)[1:-1]} == true for a yes/no column.",
        )

    def _chain(self, left: Expression) -> Predicate:
        parts: list[Predicate] = []
        while op := self._accept(*OPERATORS):
            right = self._operand()
            parts.append(_compare(left, op, right, self._error))
            left = right
        if not parts:
            raise self._error("a comparison such as == or <")
        return And(tuple(parts)) if len(parts) > 1 else parts[0]

    def _operand(self) -> Expression:
        """One side of a comparison: a column, a constant, or a calculation with some column."""
        start = self._next
        side = self._sum()
        if not isinstance(side, Literal) and not side.columns:
            self._next = start
            raise self._error("a column in the calculation", "Write a constant as one number, and a date in quotes.")
        return side

    def _literal(self) -> Value:
        if self._token.kind in {"number", "text"}:
            return self._take().value  # type: ignore[no-any-return]
        if word := self._accept("true", "false"):
            return word == "true"
        if self._accept("-"):
            if self._token.kind != "number":
                raise self._error("a number")
            return -self._take().value  # type: ignore[no-any-return]
        raise self._error("a column, number, text, true or false")

    def _set(self, column: str) -> Predicate:
        if self._token.kind == "name":
            return self._groups(column)
        close = ")" if self._accept("(") else "]"
        if close == "]":
            self._expect("[")
        values = [self._literal()]
        while self._accept(","):
            if self._token.kind == "sign" and self._token.value == close:
                break
            values.append(self._literal())
        self._expect(close)
        return IsIn(column, tuple(values))

    def _groups(self, column: str) -> Predicate:
        system = self._name()
        self._expect("(")
        groups = [InGroup(column, system, self._label())]
        while self._accept(","):
            groups.append(InGroup(column, system, self._label()))
        self._expect(")")
        return Or(tuple(groups)) if len(groups) > 1 else groups[0]

    def _label(self) -> str:
        if self._token.kind != "text":
            raise self._error("a quoted code or group")
        return str(self._take().value)

    # Expressions

    def _conditional(self) -> Expression:
        then = self._sum()
        if not self._accept("if"):
            return then
        condition = self._nested(self._implies)
        self._expect("else")
        return IfElse(then, condition, self._nested(self._conditional))

    def _sum(self) -> Expression:
        left = self._product()
        while op := self._accept("+", "-"):
            left = self._limit(Arithmetic(left, op, self._product()))
        return left

    def _product(self) -> Expression:
        left = self._factor()
        while op := self._accept("*", "/"):
            left = self._limit(Arithmetic(left, op, self._factor()))
        return left

    def _limit(self, node: Arithmetic) -> Arithmetic:
        """Operators lean to the left, so a long sum is a deep tree: limited like any other depth."""
        depth, inner = 0, node.left
        while isinstance(inner, Arithmetic):
            depth, inner = depth + 1, inner.left
        if depth > 4 * MOST_DEPTH:
            raise UsageError(f"{self._what}: more than {4 * MOST_DEPTH} operators in a row. Split it.")
        return node

    def _factor(self) -> Expression:
        if self._accept("("):
            inner = self._nested(self._conditional)
            self._expect(")")
            return inner
        if self._accept("round"):
            return self._round()
        if self._token.kind == "name":
            return ColumnReference(self._name())
        return Literal(self._literal())

    def _round(self) -> Expression:
        self._expect("(")
        value = self._nested(self._conditional)
        places = 0
        if self._accept(","):
            places = self._places()
        self._expect(")")
        return Rounded(value, places)

    def _places(self) -> int:
        places = self._token.value
        if self._token.kind != "number" or not isinstance(places, int) or places > MOST_PLACES:
            raise self._error(f"a whole number of places up to {MOST_PLACES}")
        self._take()
        return places


def _compare(left: Expression, op: str, right: Expression, error: Callable[[str, str], UsageError]) -> Predicate:
    match left, right:
        case ColumnReference(column=column), Literal(value=value):
            return Compare(column, op, value)
        case Literal(value=value), ColumnReference(column=column):
            return Compare(column, MIRRORED[op], value)
        case ColumnReference(column=a), ColumnReference(column=b):
            return CompareColumns(a, op, b)
    if _conditional(left) or _conditional(right):
        raise error("a sum or product", "Declare what depends on a condition as a derived column.")
    if left.columns | right.columns:
        return CompareCalculated(left, op, right)
    raise error("a column on one side of the comparison", "Compare a column with the constant.")


def _conditional(side: Expression) -> bool:
    return isinstance(side, IfElse) or any(map(_conditional, side.children))
