# ruff: noqa: E501  (a table of cases reads best with one case per line)
import re
from collections.abc import Callable
from typing import Any

import pytest

from medsynth.encoding.layout import column_cells
from medsynth.errors import SchemaError, UsageError
from medsynth.schema import Schema, build_schema, dump_schema, parse_schema, uncounted

Changed = Callable[..., dict[str, Any]]
RARE = {"name": "died", "where": "age >= 65 and sex == 'F'", "keep_with": ["sex"], "share": 0.3}

BAD_KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "top key": ({"colums": {}}, "key 'colums' is not known. Did you mean 'columns'?"),
    "version": ({"medsynth": 2}, "medsynth: must be 1, the version this release reads, got 2."),
    "no columns": ({"columns": {}}, "columns: must not be empty. List at least one."),
    "columns is a list": ({"columns": ["age"]}, "columns: must be a mapping of keys to values, got a list."),
    "dataset name": ({"dataset__name": "a/b"}, "dataset: name: name 'a/b' must begin with a letter"),
    "dataset key": ({"dataset__license": "MIT"}, "dataset: key 'license' is not known. Did you mean 'licence'?"),
    "privacy absent": ({"privacy": ...}, "key 'privacy' is absent. Add it."),
    "privacy key": ({"privacy__epsilom": 1}, "privacy: key 'epsilom' is not known. Did you mean 'epsilon'?"),
    "no unit": ({"privacy__unit": ...}, "privacy: needs exactly one of unit and rows_are_persons, found neither."),
    "two units": ({"privacy__rows_are_persons": True}, "privacy: needs exactly one of unit and rows_are_persons, found both."),
    "persons zero": ({"privacy__persons": 0}, "privacy: persons: must be at least 1, got 0."),
    "persons text": ({"privacy__persons": "many"}, "privacy: persons: must be a whole number, got 'many'."),
    "epsilon zero": ({"privacy__epsilon": 0}, "privacy: epsilon must be a number from 0.001 to 100, got 0."),
    "epsilon negative": ({"privacy__epsilon": -1}, "privacy: epsilon must be a number from 0.001 to 100, got -1."),
    "epsilon nan": ({"privacy__epsilon": float("nan")}, "privacy: epsilon: must be finite and within 2^53 of zero, got nan."),
    "epsilon inf": ({"privacy__epsilon": float("inf")}, "privacy: epsilon: must be finite and within 2^53 of zero, got inf."),
    "epsilon tiny": ({"privacy__epsilon": 1e-9}, "privacy: epsilon must be a number from 0.001 to 100, got 1e-09; below it nothing is learned."),
    "epsilon huge": ({"privacy__epsilon": 1000}, "privacy: epsilon must be a number from 0.001 to 100, got 1000; above it nothing is protected."),
    "column of weights": ({"columns___weight": {"kind": "boolean"}}, "column '_weight': has the name of the column of weights that upsampling adds. Rename it, in the table too."),
    "identifier of weights": ({"columns___weight": {"kind": "id"}}, "column '_weight': has the name of the column of weights"),
    "column of rows": ({"columns___rows": {"kind": "boolean"}}, "column '_rows': has the name of the column of rows per person that medsynth counts. Rename it, in the table too."),
    "derived weights": ({"derived": {"_weight": "age + 1"}}, "derived '_weight': has the name of the column of weights"),
    "delta zero": ({"privacy__delta": 0}, "privacy: delta: must be auto or a number between 0 and 1, got 0."),
    "delta one": ({"privacy__delta": 1}, "privacy: delta: must be auto or a number between 0 and 1, got 1."),
    "delta text": ({"privacy__delta": "small"}, "privacy: delta: must be auto or a number between 0 and 1, got 'small'."),
    "replace one": ({"privacy__neighbours": "replace-one"}, "privacy: neighbours: replace-one is not offered: every guarantee here"),
    "neighbours": ({"privacy__neighbours": "add"}, "privacy: neighbours: 'add' is not allowed here."),
    "bounding rule": ({"privacy__bounding": {"rule": "weigth"}}, "privacy: bounding: rule: 'weigth' is not allowed here. Did you mean 'weight'?"),
    "bounding key": ({"privacy__bounding": {"cap": 3}}, "privacy: bounding: key 'cap' is not known."),
    "bounding max": ({"privacy__bounding": {"max": 0}}, "privacy: bounding: max: must be at least 1, got 0."),
    "order absent": ({"privacy__bounding": {"rule": "first"}}, "privacy: bounding: rule first needs a column to order by. Write order: COLUMN."),
    "order unused": ({"privacy__bounding": {"rule": "weight", "order": "admit"}}, "privacy: bounding: rule weight does not use an order. Remove order."),
    "order is unit": ({"privacy__bounding": {"rule": "last", "order": "person"}}, "privacy: bounding: order 'person' is the unit itself."),
    "unit is modelled": ({"privacy__unit": "age"}, "column 'age': names the person, so it is never learned, got kind integer. Write kind: id, or leave the column out."),
    "derived unknown": ({"derived": {"d": "agee + 1"}}, "derived 'd': column 'agee' is not in the schema. Did you mean 'age'?"),
    "derived drop": ({"derived": {"d": "notes"}}, "derived 'd': column 'notes' is not modelled, so nothing can be computed from it."),
    "derived id": ({"derived": {"d": "person"}}, "derived 'd': column 'person' is not modelled"),
    "derived syntax": ({"derived": {"d": "age +"}}, "derived 'd': Expression, position 6: expected a column, number, text, true or false, found the end."),
    "derived circle": ({"derived": {"d": "e", "e": "d"}}, "derived: d, e depend on each other. Break the circle."),
    "derived is an id": ({"derived": {"person": "age"}}, "derived 'person': is also an id, a dropped column or the unit."),
    "derived condition": ({"derived": {"d": "1 if sex == 'W' else 0"}}, "derived 'd': column 'sex': 'W' is not one of its values."),
    "rare value": ({"rare": [RARE | {"where": "sex == 'Female'"}]}, "rare 'died': column 'sex': 'Female' is not one of its values. Allowed: F, M."),
    "rare near value": ({"rare": [RARE | {"where": "band == 'hihg'"}]}, "rare 'died': column 'band': 'hihg' is not one of its values. Did you mean 'high'?"),
    "rare column": ({"rare": [RARE | {"where": "ages > 3"}]}, "rare 'died': column 'ages' is not in the schema. Did you mean 'age'?"),
    "rare syntax": ({"rare": [RARE | {"where": "age = 3"}]}, "rare 'died': Predicate, position 5: '=' is not part of the language. Write == to compare."),
    "rare keep_with": ({"rare": [RARE | {"keep_with": ["sexx"]}]}, "rare 'died': keep_with: column 'sexx' is not modelled. Did you mean 'sex'?"),
    "rare share": ({"rare": [RARE | {"share": 1.5}]}, "rare condition 1: share: must be at most 1, got 1.5."),
    "rare share zero": ({"rare": [RARE | {"share": 0}]}, "rare condition 1: share: must be above 0, got 0."),
    "rare name": ({"rare": [RARE | {"name": "died:all"}]}, "rare condition 1: name: name 'died:all' must begin with a letter"),
    "rare twice": ({"rare": [RARE, RARE]}, "rare: name 'died' occurs twice. Rename one."),
    "rare key": ({"rare": [RARE | {"keepwith": []}]}, "rare condition 1: key 'keepwith' is not known. Did you mean 'keep_with'?"),
    "rare is no list": ({"rare": RARE}, "rare: must be a list, got a mapping."),
    "rule": ({"rules": ["age > 3", "age > 300"]}, "rule 2: column 'age': 300 lies outside its bounds 0 to 120."),
    "rule is blank": ({"rules": [" "]}, "rule 1: must not be blank. Write a text."),
    "plausible": ({"plausible": ["sex == 'f'"]}, "plausible rule 1: column 'sex': 'f' is not one of its values. Did you mean 'F'?"),
    "subgroup": ({"subgroups": [{"name": "women", "where": "notes == 'x'"}]}, "subgroup 'women': column 'notes' is of kind drop, which is not modelled."),
    "subgroup unit": ({"subgroups": [{"name": "one", "where": "person == 'x'"}]}, "subgroup 'one': column 'person' is the unit of privacy, which is not modelled."),
    "target": ({"utility": {"target": "sexx", "positive": "F"}}, "utility: target: column 'sexx' is not modelled. Did you mean 'sex'?"),
    "positive": ({"utility": {"target": "sex", "positive": "W"}}, "utility: positive: column 'sex': 'W' is not one of its values."),
    "positive absent": ({"utility": {"target": "band"}}, "utility: target 'band' has more than two values. Say which one is positive."),
    "positive unused": ({"utility": {"target": "band", "task": "multiclass", "positive": "low"}}, "utility: 'positive' is for task binary, not multiclass. Remove it."),
    "no target": ({"utility": {"task": "regression"}}, "utility: task regression needs a column target. Name it."),
    "regression": ({"utility": {"target": "sex", "task": "regression"}}, "utility: task regression needs a number, 'sex' is of kind category."),
    "survival": ({"utility": {"task": "survival", "time": "age"}}, "utility: task survival needs the columns time and event. Name both."),
    "task": ({"utility": {"target": "sex", "task": "binray"}}, "utility: task: 'binray' is not allowed here. Did you mean 'binary'?"),
    "exclude": ({"utility": {"target": "sex", "exclude": ["x"]}}, "utility: exclude: column 'x' is not modelled."),
    "study family": ({"studies": [{"name": "s", "formula": "a ~ b", "family": "logit"}]}, "study 1: family: 'logit' is not allowed here. Did you mean 'logistic'?"),
    "study formula": ({"studies": [{"name": "s"}]}, "study 1: key 'formula' is absent. Add it."),
    "policy key": ({"policy": {"epsilon": 3}}, "policy: key 'epsilon' is not known. Did you mean 'epsilon_max'?"),
    "policy limit": ({"policy": {"tv_2way_max": 2}}, "policy: tv_2way_max: must be at most 1, got 2."),
}  # fmt: skip


def test_a_dropped_column_may_have_the_name_of_the_weights(changed: Changed) -> None:
    content = changed()
    content["columns"]["_weight"] = {"kind": "drop", "reason": "drawn with weights"}
    assert "_weight" not in build_schema(content).outputs


@pytest.mark.parametrize("case", BAD_KEYS)
def test_bad_key_is_refused_with_place_and_fix(case: str, changed: Changed) -> None:
    changes, sentence = BAD_KEYS[case]
    with pytest.raises(SchemaError, match=re.escape("small.yaml: " + sentence)):
        build_schema(changed(**changes), where="small.yaml")


def test_every_problem_has_a_line_of_its_own(changed: Changed) -> None:
    content = changed(rules=["agee > 1", "sex == 'W'"], utility={"target": "x", "positive": "y"})
    with pytest.raises(SchemaError) as caught:
        build_schema(content, where="a.yaml")
    lines = str(caught.value).split("\n")
    assert len(lines) == 3
    assert all(line.startswith("a.yaml: ") for line in lines)


def test_long_lists_of_problems_are_cut(changed: Changed) -> None:
    with pytest.raises(SchemaError, match=r"and 8 more problems"):
        build_schema(changed(rules=[f"x{i} > 1" for i in range(20)]))


def test_modelled_leaves_out_id_drop_derived_and_unit(changed: Changed) -> None:
    content = changed(derived={"old": "age >= 65", "sex": "'F' if age > 3 else 'M'"})
    content["derived"]["old"] = "true if age >= 65 else false"
    schema = build_schema(content)
    assert schema.modelled == ("age", "smoker", "band", "charge", "paid", "admit", "dx", "_rows")
    assert schema.outputs == (
        "person", "age", "sex", "smoker", "band", "charge", "paid", "admit", "dx", "old", "_rows"
    )  # fmt: skip
    assert schema.inputs == (*schema.modelled[:-1], "person")


COUNTED = [
    ({}, True),
    ({"privacy__bounding": {"rule": "weight", "max": 1}}, False),
    ({"privacy__bounding": {"rule": "weight", "max": 5, "count": False}}, False),
    ({"privacy__bounding": {"rule": "sample", "max": 5}}, False),
    ({"privacy__bounding": {"rule": "sample", "max": 5, "count": True}}, True),
]


@pytest.mark.parametrize(("changes", "counted"), COUNTED, ids=str)
def test_rows_per_person_are_a_column_where_they_share_a_weight_or_it_is_asked_for(
    changed: Changed, changes: dict[str, Any], counted: bool
) -> None:
    schema = build_schema(changed(**changes))
    assert ("_rows" in schema.modelled) == counted == schema.privacy.counts_rows
    assert "_rows" not in schema.inputs
    assert "_rows" not in dump_schema(schema)
    assert parse_schema(dump_schema(schema)) == schema
    assert "_rows" not in uncounted(schema).modelled


def test_rows_per_person_have_the_public_bounds_of_the_rule(changed: Changed) -> None:
    few = build_schema(changed(privacy__bounding={"rule": "weight", "max": 7}))
    assert column_cells("_rows", few.columns["_rows"]).attribute.size == 7
    many = build_schema(changed(privacy__bounding={"rule": "weight", "max": 9_000})).columns["_rows"]
    assert (many.min, many.max) == (1, 9_000)
    assert column_cells("_rows", many).attribute.size <= 64


def test_a_condition_may_speak_of_the_rows_per_person(changed: Changed) -> None:
    often = build_schema(changed(rules=["_rows >= 1"]))
    assert often.rule_predicates[0].columns == {"_rows"}
    with pytest.raises(SchemaError, match="column '_rows' is not in the schema"):
        uncounted(often)


def test_a_person_with_one_row_at_most_has_no_rows_to_count(changed: Changed) -> None:
    with pytest.raises(SchemaError, match=r"where max is 1, every person counts with one row\. Remove count"):
        build_schema(changed(privacy__bounding={"rule": "weight", "max": 1, "count": True}))


def test_order_column_is_modelled_where_it_is_described(changed: Changed) -> None:
    bounding = {"rule": "first", "max": 2, "order": "admit"}
    schema = build_schema(changed(privacy__bounding=bounding))
    assert schema.privacy.order == "admit"
    assert "admit" in schema.modelled
    bounding["order"] = "visit"
    schema = build_schema(changed(privacy__bounding=bounding))
    assert "visit" not in schema.modelled
    assert "visit" in schema.inputs


@pytest.mark.parametrize(
    ("persons", "delta", "value"),
    [(1, "auto", 1e-6), (10_000, "auto", 1e-6), (1_000_000, "auto", 1e-9), (5, 1e-4, 1e-4)],
)
def test_delta_follows_the_stated_persons(persons: int, delta: Any, value: float, changed: Changed) -> None:
    schema = build_schema(changed(privacy__persons=persons, privacy__delta=delta))
    assert schema.delta_value == pytest.approx(value)


def test_rows_are_persons_has_nothing_to_bound(changed: Changed) -> None:
    content = changed(privacy={"rows_are_persons": True, "persons": 10})
    assert build_schema(content).privacy.unit is None
    content["privacy"]["bounding"] = {"rule": "weight", "max": 3}
    with pytest.raises(SchemaError, match=r"where rows are persons there is one row each"):
        build_schema(content)


def test_predicates_resolve_groups_and_include_conditions_of_derived_columns(
    changed: Changed,
) -> None:
    schema = build_schema(
        changed(
            rare=[RARE, {"name": "pregnant", "where": "dx in ICD9('630-679')"}],
            rules=["age < 3 implies smoker == 'no'"],
            subgroups=[{"name": "women", "where": "sex == 'F'"}],
            derived={"old": "'y' if age >= 70 else 'n'"},
        )
    )
    texts = [str(predicate) for predicate in schema.predicates()]
    assert texts[0] == "age >= 65 and sex == 'F'"
    assert texts[1].startswith("dx in ICD9('11 Complications of pregnancy")
    assert texts[2:] == ["age < 3 implies smoker == 'no'", "sex == 'F'", "age >= 70"]
    assert list(schema.rare_predicates) == ["died", "pregnant"]
    assert list(schema.subgroup_predicates) == ["women"]
    assert schema.rare_condition("died").share == 0.3
    with pytest.raises(UsageError, match=r"Rare condition 'die' is not declared .* Did you mean 'died'"):
        schema.rare_condition("die")


def test_derived_expressions_come_after_what_they_need(changed: Changed) -> None:
    schema = build_schema(changed(derived={"c": "b + 1", "b": "a * 2", "a": "age"}))
    assert list(schema.derived_expressions) == ["a", "b", "c"]


def test_predicate_of_derived_column_knows_its_values(changed: Changed) -> None:
    schema = build_schema(changed(derived={"old": "'y' if age >= 70 else 'n'"}))
    assert schema.predicate("old == 'y'").columns == {"old"}
    with pytest.raises(UsageError, match=r"column 'old': 'x' is not one of its values. Allowed: y, n"):
        schema.predicate("old == 'x'")


def test_unconfirmed_lists_what_was_read_from_data(changed: Changed) -> None:
    content = changed(columns__age__source="data", privacy__persons_source="data")
    assert build_schema(content).unconfirmed == ("age", "privacy.persons")
    assert build_schema(changed(columns__age={"kind": "integer", "source": "private"})).unconfirmed == ()


def test_keys_whose_engine_comes_later_parse_and_say_so(changed: Changed) -> None:
    schema = build_schema(
        changed(
            privacy__delta=0.1,
            utility={"task": "survival", "time": "age", "event": "smoker"},
        )
    )
    text = " ".join(schema.notices())
    for word in ("survival", "delta 0.1"):
        assert word in text
    assert build_schema(changed()).notices() == ()


def test_columns_by_attacker(changed: Changed) -> None:
    schema = build_schema(changed(columns__age__attacker="known", columns__dx__attacker="secret"))
    assert schema.with_attacker("known") == ("age",)
    assert schema.with_attacker("secret") == ("dx",)


def test_code_system_of_a_column(small: Schema) -> None:
    assert small.code_system("dx").name == "icd9cm3"
    with pytest.raises(UsageError, match=r"Column 'age' is of kind integer, not code"):
        small.code_system("age")


def test_schema_survives_dump_with_every_key(changed: Changed) -> None:
    schema = build_schema(
        changed(
            dataset={"name": "n", "population": "No", "licence": "l", "terms": "~", "allowed_use": "1e3"},
            privacy__bounding={"rule": "last", "max": 3, "order": "admit"},
            privacy__epsilon=1e-3,
            columns__flag={"kind": "boolean", "true": 1, "false": 0},
            columns__yes={"kind": "category", "values": ["yes", "No", "on", "011", "1:30", "null"]},
            columns__n={"kind": "integer", "min": 0, "max": 9, "scale": "log", "edges": [2, 4], "spikes": [0], "round_to": 2},
            columns__own={"kind": "code", "codes": [{"code": "1", "group": "a"}, {"code": "2", "group": "a"}]},
            rare=[RARE],
            rules=["age > 3"],
            plausible=["age > 3"],
            subgroups=[{"name": "women", "where": "sex == 'F'"}],
            derived={"d": "'Yes' if age > 3 else 'No'"},
            utility={"target": "sex", "positive": "F", "exclude": ["age"]},
            studies=[{"name": "s", "formula": "charge ~ age", "family": "linear"}],
            policy={"epsilon_max": 3, "membership_tpr_at_1pct_fpr_max": 0.03, "exact_match_excess_max": 0,
                    "tv_2way_max": 0.08, "auc_drop_max": 0.05},
        )
    )  # fmt: skip
    again = parse_schema(dump_schema(schema))
    assert again == schema
    assert hash(again) == hash(schema)
    assert again.columns["flag"].true == 1  # type: ignore[union-attr]
    assert again.columns["flag"].true is not True  # type: ignore[union-attr]


def test_order_of_columns_and_type_of_values_matter_for_equality(changed: Changed) -> None:
    schema = build_schema(changed(columns__flag={"kind": "boolean", "true": 1, "false": 0}))
    other = build_schema(changed(columns__flag={"kind": "boolean"}))
    assert schema != other
    assert schema != "schema"


def test_a_copy_writes_its_own_text_and_not_that_of_the_original(changed: Changed) -> None:
    schema = build_schema(changed())
    before = schema.self_contained_text
    copied = schema.model_copy(update={"privacy": schema.privacy.model_copy(update={"epsilon": 7.5})})
    assert "epsilon: 7.5" in copied.self_contained_text
    assert schema.self_contained_text == before == dump_schema(schema.self_contained())
