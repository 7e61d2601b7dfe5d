"""The cases in which a rule is broken, each as tests that a row must meet all of.

Every test but `Missing` needs a value, so that its opposite is "missing, or the opposite test": libraries that skip
missing cells, and those that call any comparison with one false, then agree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from medsynth.schema.predicate import (
    And,
    Compare,
    CompareColumns,
    Implies,
    InGroup,
    IsIn,
    IsMissing,
    Not,
    Or,
    Predicate,
)
from medsynth.schema.texts import OTHER, canonical_text

MOST_CASES = 64
MOST_TEXTS = 64
"""Lists longer than this are not spelled out when two columns of texts are compared."""
NUMBERS = frozenset({"integer", "decimal"})
OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_HOLDS: Mapping[str, Any] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Unportable(Exception):  # noqa: N818 - a reason that is reported, not an error
    """The text says why no expectation expresses a rule."""


@dataclass(frozen=True)
class Missing:
    """The cell is missing, or is not."""

    column: str
    holds: bool = True


@dataclass(frozen=True)
class Among:
    """The cell holds one of the values, or a value that is none of them."""

    column: str
    values: tuple[Any, ...]
    holds: bool = True


@dataclass(frozen=True)
class Within:
    """The cell holds a number or an ISO day on that side of a bound."""

    column: str
    op: str
    bound: Any


@dataclass(frozen=True)
class Pair:
    """Two cells hold numbers or days that compare so."""

    left: str
    op: str
    right: str


Atom = Missing | Among | Within | Pair
Case = tuple[Atom, ...]


def columns_of(atom: Atom) -> tuple[str, ...]:
    """The columns a test looks at."""
    return (atom.left, atom.right) if isinstance(atom, Pair) else (atom.column,)


def cases_of(rule: Predicate, columns: Mapping[str, Any], *, broken: bool = True) -> list[Case]:
    """When a rule is broken (or holds), as cases that together are all.

    Args:
      rule: Checked by the schema.
      columns: Descriptions of the columns a table has.
      broken: False: when it holds.

    Raises:
      Unportable: If its tests have no plain form, or there are too many cases.
    """
    absent = rule.columns - columns.keys()
    if absent:
        raise Unportable(f"column '{min(absent)}' is computed by medsynth, no table need have it")
    found = [case for case in map(_tidy, _either(rule, columns, broken=broken)) if case is not None]
    return list(dict.fromkeys(found))


def _either(node: Predicate, columns: Mapping[str, Any], *, broken: bool) -> list[Case]:
    match node:
        case And(parts=parts):
            return _joined([_either(part, columns, broken=broken) for part in parts], either=broken)
        case Or(parts=parts):
            return _joined([_either(part, columns, broken=broken) for part in parts], either=not broken)
        case Not(part=part):
            return _either(part, columns, broken=not broken)
        case Implies(left=left, right=right):
            sides = [_either(left, columns, broken=not broken), _either(right, columns, broken=broken)]
            return _joined(sides, either=not broken)
        case IsMissing(column=name):
            return [(Missing(name, not broken),)]
    return list(_leaf(node, columns, broken=broken))


def _joined(parts: list[list[Case]], *, either: bool) -> list[Case]:
    """Cases where any part holds, or where all do."""
    if either:
        return [case for part in parts for case in part]
    joined: list[Case] = [()]
    for part in parts:
        if len(joined) * len(part) > MOST_CASES:
            raise Unportable(f"it has more than {MOST_CASES} cases")
        joined = [(*one, *other) for one, other in product(joined, part)]
    return joined


def _tidy(case: Case) -> Case | None:
    """The case without tests that others imply; None where it cannot be."""
    filled = {name for atom in case if not isinstance(atom, Missing) for name in columns_of(atom)}
    blank = {atom.column for atom in case if isinstance(atom, Missing) and atom.holds}
    present = {atom.column for atom in case if isinstance(atom, Missing) and not atom.holds}
    if blank & (filled | present):
        return None
    kept = (atom for atom in case if not (isinstance(atom, Missing) and not atom.holds and atom.column in filled))
    return tuple(dict.fromkeys(kept))


def _leaf(node: Predicate, columns: Mapping[str, Any], *, broken: bool) -> Iterator[Case]:
    match node:
        case CompareColumns():
            yield from _two_columns(node, columns, broken=broken)
        case Compare(column=name, op="==" | "!=") | IsIn(column=name) if columns[name].kind == "date":
            yield from _either(_by_order(node), columns, broken=broken)
        case Compare(column=name) | IsIn(column=name) | InGroup(column=name):
            atom = _one_column(node, columns[name])
            if broken and columns[name].can_be_missing:
                yield (Missing(name),)
            yield (_opposite(atom) if broken else atom,)
        case _:
            raise Unportable("it calculates with columns")


def _by_order(node: Any) -> Predicate:
    """A comparison of days by less and greater: sets of days are not plain JSON."""
    if isinstance(node, IsIn):
        days = tuple(_by_order(Compare(node.column, "==", value)) for value in node.values)
        return Or(days) if len(days) > 1 else days[0]
    join, ops = (And, (">=", "<=")) if node.op == "==" else (Or, ("<", ">"))
    return join(tuple(Compare(node.column, op, node.value) for op in ops))


def _opposite(atom: Any) -> Atom:
    """What else a cell that is not missing may meet."""
    if isinstance(atom, Among):
        return Among(atom.column, atom.values, not atom.holds)
    if isinstance(atom, Within):
        return Within(atom.column, OPPOSITE[atom.op], atom.bound)
    return Pair(atom.left, OPPOSITE[atom.op], atom.right)


def _one_column(node: Any, column: Any) -> Atom:
    match node:
        case InGroup(column=name, label=label):
            members = column.code_system.members(label)
            return Among(name, tuple(c for c, inside in zip(column.code_system.codes, members, strict=True) if inside))
        case IsIn(column=name, values=values):
            return Among(name, tuple(_value(value, column) for value in values))
        case Compare(column=name, op=("==" | "!=") as op, value=value):
            return Among(name, (_value(value, column),), op == "==")
    bound = _value(node.value, column)
    if column.kind in NUMBERS or column.kind == "date":
        return Within(node.column, node.op, bound)
    order = {text: place for place, text in enumerate(column.texts)}
    return Among(node.column, tuple(text for text in order if _HOLDS[node.op](order[text], order[bound])))


def _value(value: Any, column: Any) -> Any:
    """A constant as a canonical table holds it: number, ISO day or text."""
    if column.kind in NUMBERS:
        return float(value)
    text = canonical_text(value)
    if text == OTHER:
        raise Unportable("it speaks of all values outside a list")
    return text


def _two_columns(node: CompareColumns, columns: Mapping[str, Any], *, broken: bool) -> Iterator[Case]:
    left, right = columns[node.left], columns[node.right]
    if broken:
        yield from ((Missing(name),) for name in (node.left, node.right) if columns[name].can_be_missing)
    op = OPPOSITE[node.op] if broken else node.op
    if (left.kind in NUMBERS and right.kind in NUMBERS) or left.kind == right.kind == "date":
        yield (Pair(node.left, op, node.right),)
        return
    if left.kind == "code" or right.kind == "code" or not 0 < len(left.texts) <= MOST_TEXTS or not right.texts:
        raise Unportable("it compares columns with long or unknown lists")
    if broken:  # a value outside its list compares with none
        yield from ((Among(name, columns[name].texts, False),) for name in (node.left, node.right))
    yield from _spelled_out(node, op, left, right)


def _spelled_out(node: CompareColumns, op: str, left: Any, right: Any) -> Iterator[Case]:
    """For every text of the left column, the texts of the right one that compare so."""
    ordered = [getattr(column, "ordered", False) for column in (left, right)]
    if ordered[0] != ordered[1]:
        raise Unportable("it compares an ordered column with one that is not")
    ranks = [{text: place if ordered[0] else text for place, text in enumerate(c.texts)} for c in (left, right)]
    for text, rank in ranks[0].items():
        others = tuple(other for other, place in ranks[1].items() if _HOLDS[op](rank, place))
        if others:
            yield (Among(node.left, (text,)), Among(node.right, others))
