"""The schema: everything public that medsynth knows of a table before it sees a row."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from medsynth.errors import UsageError
from medsynth.schema.codes import CodeSystem
from medsynth.schema.columns import Code, Column, Integer
from medsynth.schema.combinations import Combination
from medsynth.schema.expression import Expression
from medsynth.schema.predicate import Predicate, parse_expression, parse_predicate
from medsynth.schema.sections import Dataset, Policy, Privacy, Rare, Study, Subgroup, Utility
from medsynth.schema.texts import shown
from medsynth.schema.values import Entry, Filled

if TYPE_CHECKING:
    from medsynth.schema.formula import Formula

UNMODELLED = frozenset({"id", "drop"})
WEIGHT_COLUMN = "_weight"
"""What a row of an upsampled table stands for."""
ROWS_COLUMN = "_rows"
"""How many rows of the row's person count, itself included; at most the `max` of the bounding rule."""
REPLICATE_COLUMN = "_replicate"
"""Which of several tables in one file a row belongs to: 0 is the release, others are refits to simulated records."""
ADDED = {
    WEIGHT_COLUMN: "weights that upsampling adds",
    ROWS_COLUMN: "rows per person that medsynth counts",
    REPLICATE_COLUMN: "numbers of replicates",
}
"""Columns that medsynth itself adds to a table; none of the schema's may have their names."""
MOST_SINGLE = 64
"""Up to this number of rows per person, every number has a cell of its own."""


def _version(value: Any) -> Any:
    if value != 1 or isinstance(value, bool):
        raise ValueError(f"must be 1, the version this release reads, got {shown(value)}. Write medsynth: 1.")
    return value


class Schema(Entry):
    """A public table description; every cross-reference in it has been checked.

    Attributes:
      columns: By name, in output order.
      derived: Definitions of columns that are computed, not modelled.
      rules: Predicates that always hold.
      combinations: Rules as lists of the values that a few columns may hold together.
      plausible: Predicates that real data may break.
    """

    medsynth: Literal[1]
    dataset: Dataset
    privacy: Privacy
    columns: Annotated[dict[str, Column], Field(min_length=1)]
    derived: dict[str, Filled] = Field(default_factory=dict)
    rare: tuple[Rare, ...] = ()
    rules: tuple[Filled, ...] = ()
    combinations: tuple[Combination, ...] = ()
    plausible: tuple[Filled, ...] = ()
    subgroups: tuple[Subgroup, ...] = ()
    utility: Utility | None = None
    studies: tuple[Study, ...] = ()
    policy: Policy | None = None

    _check_version = field_validator("medsynth", mode="before")(_version)

    @model_validator(mode="after")
    def _check(self) -> Self:
        from medsynth.schema.checks import name_problems, problems

        found = [*name_problems(self)]
        if not found and self.privacy.counts_rows:
            self.columns.pop(ROWS_COLUMN, None)  # a dropped one of the table
            self.columns[ROWS_COLUMN] = _rows_column(self.privacy)
        found = found or problems(self)
        if found:
            raise ValueError("\n".join(found))
        return self

    @cached_property
    def modelled(self) -> tuple[str, ...]:
        """Columns that enter the model: not id or drop, not derived, not the unit."""
        return tuple(
            name
            for name, column in self.columns.items()
            if column.kind not in UNMODELLED and name not in self.derived and name != self.privacy.unit
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns a private table must have: modelled, unit and order; rows per person are counted."""
        extra = [name for name in (self.privacy.unit, self.privacy.order) if name is not None]
        read = [name for name in self.modelled if name != ROWS_COLUMN]
        return tuple(dict.fromkeys([*read, *extra]))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Columns of a synthetic table: all but dropped ones in declared order, then derived ones not listed, then
        rows per person.
        """
        kept = [
            name
            for name, column in self.columns.items()
            if column.kind != "drop" and (column.kind == "id" or name != self.privacy.unit)
        ]
        last = [name for name in kept if name == ROWS_COLUMN]
        return tuple(dict.fromkeys([*(name for name in kept if name != ROWS_COLUMN), *self.derived, *last]))

    @property
    def delta_value(self) -> float:
        """Delta as a number."""
        return self.privacy.delta_value

    @cached_property
    def derived_expressions(self) -> Mapping[str, Expression]:
        """Definitions of derived columns, each after those it depends on."""
        parsed = {name: parse_expression(text) for name, text in self.derived.items()}
        done: dict[str, Expression] = {}
        while len(done) < len(parsed):
            ready = [
                name
                for name, expression in parsed.items()
                if name not in done and not (expression.columns & parsed.keys()) - done.keys()
            ]
            done |= {name: parsed[name] for name in ready}
            if not ready:
                raise UsageError(f"derived: {', '.join(sorted(parsed.keys() - done.keys()))} depend on each other.")
        return done

    def predicate(self, text: str) -> Predicate:
        """Reads a predicate over this table, such as the value of `--where`.

        Raises:
          UsageError: If it cannot be read, or names an unknown column or a value outside a column's domain.
        """
        from medsynth.schema.checks import checked

        return checked(parse_predicate(text), self)

    @cached_property
    def rare_predicates(self) -> Mapping[str, Predicate]:
        """Rare conditions by name."""
        return {entry.name: self.predicate(entry.where) for entry in self.rare}

    @cached_property
    def subgroup_predicates(self) -> Mapping[str, Predicate]:
        """Subgroups by name."""
        return {entry.name: self.predicate(entry.where) for entry in self.subgroups}

    @cached_property
    def formulas(self) -> Mapping[str, "Formula"]:
        """Formulas of the studies by name."""
        from medsynth.schema.formula import parse_formula

        return {study.name: parse_formula(study.formula, study.family, self) for study in self.studies}

    @cached_property
    def rule_predicates(self) -> tuple[Predicate, ...]:
        """Rules that always hold: `rules`, then `combinations`."""
        return (
            *(self.predicate(text) for text in self.rules),
            *(combination.predicate(self) for combination in self.combinations),
        )

    @property
    def rule_names(self) -> tuple[str, ...]:
        """What each of `rule_predicates` is called in messages."""
        rules = (f"Rule '{text}'" for text in self.rules)
        return (*rules, *(f"Combinations '{combination.name}'" for combination in self.combinations))

    @cached_property
    def plausible_predicates(self) -> tuple[Predicate, ...]:
        """Rules that real data may break."""
        return tuple(self.predicate(text) for text in self.plausible)

    def predicates(self) -> tuple[Predicate, ...]:
        """Every predicate a model must express exactly: rare conditions, rules, subgroups,
        conditions of derived columns.
        """
        conditions = [
            condition for expression in self.derived_expressions.values() for condition in _conditions(expression)
        ]
        return (
            *self.rare_predicates.values(),
            *self.rule_predicates,
            *self.subgroup_predicates.values(),
            *conditions,
        )

    def rare_condition(self, name: str) -> Rare:
        """The declared rare condition of that name.

        Raises:
          UsageError: If there is none.
        """
        for entry in self.rare:
            if entry.name == name:
                return entry
        from medsynth.schema.texts import suggestion

        hint = suggestion(name, [entry.name for entry in self.rare])
        raise UsageError(f"Rare condition {shown(name)} is not declared in the schema. {hint}")

    def code_system(self, column: str) -> CodeSystem:
        """The code system of a code column."""
        described = self.columns[column]
        if not isinstance(described, Code):
            raise UsageError(f"Column {shown(column)} is of kind {described.kind}, not code. Name a code column.")
        return described.code_system

    def with_attacker(self, role: Literal["known", "secret", "neither"]) -> tuple[str, ...]:
        """Columns that an attacker is assumed to know, to be after, or neither."""
        return tuple(name for name in self.modelled if self.columns[name].attacker == role)

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """What was read from data and awaits a person's word: columns, and `privacy.persons`."""
        columns = [name for name, column in self.columns.items() if column.source == "data"]
        return (*columns, *(["privacy.persons"] if self.privacy.persons_source == "data" else []))

    def notices(self) -> tuple[str, ...]:
        """Sentences about keys that are read but not yet acted upon, and about choices worth a second look."""
        from medsynth.schema.checks import notices

        return notices(self)

    def self_contained(self) -> "Schema":
        """The same schema with lists of files beside it written inline, so that it can be moved."""
        columns = {name: _inline(column) for name, column in self.columns.items()}
        combinations = tuple(c if c.file is None else c.self_contained() for c in self.combinations)
        changed = columns != self.columns or combinations != self.combinations
        return self.model_copy(update={"columns": columns, "combinations": combinations}) if changed else self

    @cached_property
    def self_contained_text(self) -> str:
        """YAML of `self_contained`, as a model file holds it."""
        from medsynth.schema.load import dump_schema

        return dump_schema(self.self_contained())


def _rows_column(privacy: Privacy) -> Integer:
    """The column of rows per person: public bounds, a cell for each number as long as they are few."""
    most = privacy.bounding.max
    few = most <= MOST_SINGLE
    return Integer(
        min=1,
        max=most,
        bins=min(most, MOST_SINGLE),
        scale="linear" if few else "log",
        description=f"Records of this row's {privacy.noun} that count, at most {most}",
    )


def _conditions(expression: Any) -> list[Predicate]:
    found: list[Predicate] = []
    for child in expression.children:
        found += [child] if isinstance(child, Predicate) else _conditions(child)
    return found


def _inline(column: Any) -> Any:
    if not isinstance(column, Code) or column.values_file is None:
        return column
    system = column.code_system
    rows = tuple(
        {"code": code} | {level.name: level.labels[level.groups[index]] for level in system.levels}
        for index, code in enumerate(system.codes)
    )
    return column.model_copy(update={"values_file": None, "codes": rows})
