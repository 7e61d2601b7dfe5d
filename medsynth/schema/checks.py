"""Cross-references of a schema: every name and value that one part of it says about another."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from medsynth.errors import UsageError
from medsynth.schema.domains import check_calculation, check_group, check_pair, check_value, possible_values
from medsynth.schema.expression import ColumnReference
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
    parse_predicate,
)
from medsynth.schema.texts import shown, suggestion

if TYPE_CHECKING:
    from medsynth.schema.table import Schema


def checked(predicate: Predicate, schema: "Schema") -> Predicate:
    """The predicate with code groups by their full label, once its columns and values are known to the schema.

    Raises:
      UsageError: At the first unknown column or impossible value.
    """
    match predicate:
        case And(parts=parts):
            return And(tuple(checked(part, schema) for part in parts))
        case Or(parts=parts):
            return Or(tuple(checked(part, schema) for part in parts))
        case Implies(left=left, right=right):
            return Implies(checked(left, schema), checked(right, schema))
        case Not(part=IsMissing(column=name)):
            require_column(name, schema)
            return predicate
        case Not(part=part):
            return Not(checked(part, schema))
        case CompareColumns(left=a, op=op, right=b):
            require_column(a, schema)
            require_column(b, schema)
            check_pair(a, op, b, schema)
            return predicate
        case CompareCalculated(left=first, right=second):
            for name in sorted(predicate.columns):
                require_column(name, schema)
            for side in (first, second):
                check_calculation(side, schema)
            return predicate
    return _checked_leaf(predicate, schema)


def _checked_leaf(leaf: Any, schema: "Schema") -> Predicate:
    require_column(leaf.column, schema)
    match leaf:
        case Compare(column=name, op=op, value=value):
            check_value(name, op, value, schema)
        case IsIn(column=name, values=values):
            for value in values:
                check_value(name, "==", value, schema)
        case InGroup(column=name, system=system, label=label):
            return replace(leaf, label=check_group(name, system, label, schema))
        case IsMissing(column=name):
            column = schema.columns.get(name)
            if column is not None and name not in schema.derived and not getattr(column, "can_be_missing", True):
                raise UsageError(
                    f"column {shown(name)} has no missing cells. Set missing: true, list "
                    f"missing_codes, or remove the test."
                )
    return leaf  # type: ignore[no-any-return]


def require_column(name: str, schema: "Schema") -> None:
    """Refuses a name that no predicate may use.

    Raises:
      UsageError: If there is no such column, or it is the unit, an id, or dropped.
    """
    usable = [*schema.modelled, *(key for key in schema.derived if key not in schema.modelled)]
    if name in usable:
        return
    column = schema.columns.get(name)
    if column is None and name != schema.privacy.unit:
        raise UsageError(f"column {shown(name)} is not in the schema. {suggestion(name, usable)}")
    why = "the unit of privacy" if column is None or name == schema.privacy.unit else f"of kind {column.kind}"
    raise UsageError(f"column {shown(name)} is {why}, which is not modelled. Use a modelled or derived column.")


def problems(schema: "Schema") -> list[str]:
    """One sentence for each cross-reference that does not hold, beginning with where it stands."""
    structural = [*_unit_problems(schema), *_derived_problems(schema), *_name_problems(schema)]
    if structural:
        return structural
    return [*_predicate_problems(schema), *_list_problems(schema), *_utility_problems(schema), *_study_problems(schema)]


def _unit_problems(schema: "Schema") -> Iterator[str]:
    unit = schema.privacy.unit
    column = None if unit is None else schema.columns.get(unit)
    if column is not None and column.kind not in {"id", "drop"}:
        yield (
            f"column {shown(unit)}: names the person, so it is never learned, got kind {column.kind}. "
            "Write kind: id, or leave the column out."
        )
    if unit is not None and schema.privacy.order == unit:
        yield f"privacy: bounding: order {shown(unit)} is the unit itself. Name a date or number."


def _derived_problems(schema: "Schema") -> Iterator[str]:
    known = [*schema.columns, *schema.derived]
    try:
        schema.derived_expressions  # noqa: B018  (parsing is the check)
    except UsageError as problem:
        yield from _first_bad_expression(schema, problem)
        return
    for name, expression in schema.derived_expressions.items():
        if getattr(schema.columns.get(name), "source", "public") == "private":
            yield f"derived {shown(name)}: is computed, so nothing is left to find. Write source: public."
        if name == schema.privacy.unit or getattr(schema.columns.get(name), "kind", "") in {
            "id",
            "drop",
        }:
            yield (f"derived {shown(name)}: is also an id, a dropped column or the unit. Remove one of the two.")
        for column in sorted(expression.columns):
            if column not in known:
                yield (
                    f"derived {shown(name)}: column {shown(column)} is not in the schema. {suggestion(column, known)}"
                )
            elif column == schema.privacy.unit or getattr(schema.columns.get(column), "kind", "") in {"id", "drop"}:
                yield (
                    f"derived {shown(name)}: column {shown(column)} is not modelled, so nothing can be computed "
                    "from it. Use modelled columns."
                )


def _first_bad_expression(schema: "Schema", problem: UsageError) -> Iterator[str]:
    from medsynth.schema.predicate import parse_expression

    for name, text in schema.derived.items():
        try:
            parse_expression(text)
        except UsageError as found:
            yield f"derived {shown(name)}: {found}"
            return
    yield f"{problem} Break the circle."


def name_problems(schema: "Schema") -> Iterator[str]:
    """One sentence for each declared column that has the name of one that medsynth adds."""
    from medsynth.schema.table import ADDED

    for name, what in ADDED.items():
        if name in schema.outputs:
            where = "derived" if name in schema.derived else "column"
            yield f"{where} {shown(name)}: has the name of the column of {what}. Rename it, in the table too."


def _name_problems(schema: "Schema") -> Iterator[str]:
    from medsynth.schema.table import ROWS_COLUMN

    if set(schema.modelled) <= {ROWS_COLUMN}:
        yield ("columns: none is modelled. Describe at least one column that is not an id, dropped or derived.")
    for key in ("rare", "combinations", "subgroups", "studies"):
        seen: set[str] = set()
        for entry in getattr(schema, key):
            if entry.name in seen:
                yield f"{key}: name {shown(entry.name)} occurs twice. Rename one."
            seen.add(entry.name)


def _predicate_problems(schema: "Schema") -> Iterator[str]:
    texts = [(f"rare {shown(entry.name)}", entry.where) for entry in schema.rare]
    texts += [(f"rule {number}", text) for number, text in enumerate(schema.rules, 1)]
    texts += [(f"plausible rule {number}", text) for number, text in enumerate(schema.plausible, 1)]
    texts += [(f"subgroup {shown(entry.name)}", entry.where) for entry in schema.subgroups]
    for where, text in texts:
        try:
            checked(parse_predicate(text), schema)
        except UsageError as problem:
            yield f"{where}: {problem}"
    for combination in schema.combinations:
        try:
            combination.predicate(schema)
        except UsageError as problem:
            yield f"combinations {shown(combination.name)}: {problem}"
    for name, expression in schema.derived_expressions.items():
        for condition in _conditions_of(expression):
            try:
                checked(condition, schema)
            except UsageError as problem:
                yield f"derived {shown(name)}: {problem}"


def _conditions_of(expression: Any) -> list[Predicate]:
    from medsynth.schema.table import _conditions

    return _conditions(expression)


def _list_problems(schema: "Schema") -> Iterator[str]:
    for entry in schema.rare:
        yield from _unknown(f"rare {shown(entry.name)}: keep_with", entry.keep_with, schema)
    if schema.utility is not None:
        yield from _unknown("utility: exclude", schema.utility.exclude, schema, also=schema.columns)


def _unknown(where: str, names: Iterable[str], schema: "Schema", also: Iterable[str] = ()) -> Iterator[str]:
    allowed = list(dict.fromkeys([*schema.modelled, *schema.derived, *also]))
    for name in names:
        if name not in allowed:
            yield f"{where}: column {shown(name)} is not modelled. {suggestion(name, allowed)}"


def _utility_problems(schema: "Schema") -> Iterator[str]:
    utility = schema.utility
    if utility is None:
        return
    for key in ("target", "time", "event"):
        name = getattr(utility, key)
        if name is not None:
            unknown = list(_unknown(f"utility: {key}", [name], schema))
            yield from unknown
            if unknown:
                return
    if utility.task == "binary" and utility.target is not None:
        yield from _positive_problems(utility.target, utility.positive, schema)
    target = schema.columns.get(utility.target or "")
    if utility.task == "regression" and target is not None and target.kind not in {"integer", "decimal"}:
        yield (
            f"utility: task regression needs a number, {shown(utility.target)} is of kind "
            f"{target.kind}. Change the task."
        )


def _positive_problems(target: str, positive: Any, schema: "Schema") -> Iterator[str]:
    values = possible_values(target, schema)
    if positive is None:
        if values is None or len(values) > 2:
            yield (f"utility: target {shown(target)} has more than two values. Say which one is positive.")
        return
    try:
        check_value(target, "==", positive, schema)
    except UsageError as problem:
        yield f"utility: positive: {problem}"


def _study_problems(schema: "Schema") -> Iterator[str]:
    from medsynth.schema.formula import parse_formula

    for study in schema.studies:
        try:
            parse_formula(study.formula, study.family, schema)
        except UsageError as problem:
            yield f"studies {shown(study.name)}: formula: {problem}"


def _computed(schema: "Schema") -> Iterator[str]:
    """Columns that a rule determines in every record, which a definition would do without repair or budget."""
    for number, rule in enumerate(schema.rule_predicates, 1):
        match rule:
            case CompareCalculated(left=ColumnReference(column=name), op="==", right=side):
                pass
            case CompareCalculated(left=side, op="==", right=ColumnReference(column=name)):
                pass
            case _:
                continue
        if name in schema.modelled and name not in side.columns:
            yield (
                f"Schema: rule {number} computes {shown(name)}. Declare it under derived, as {shown(str(side))}: "
                "then no row needs repair, and no budget is spent on it."
            )


def notices(schema: "Schema") -> tuple[str, ...]:
    """Sentences about keys whose engine comes later, and about choices worth a second look."""
    found = [*_computed(schema)]
    noisy = [name for name, column in schema.columns.items() if column.source == "found"]
    if noisy:
        found.append(
            f"Schema: {', '.join(map(shown, noisy))}: values or bounds were found under a budget, with noise. Rare "
            "values are counted as (other), and numbers beyond the bounds as the nearest bound."
        )
    if schema.utility is not None and schema.utility.task == "survival":
        found.append("Schema: utility task survival is read and kept, but not yet evaluated.")
    if schema.privacy.delta_value >= 1 / schema.privacy.persons:
        found.append(
            f"Schema: delta {schema.privacy.delta_value:g} is not below 1/persons, so it would allow publishing "
            "someone's row whole. Write delta: auto."
        )
    return tuple(found)
