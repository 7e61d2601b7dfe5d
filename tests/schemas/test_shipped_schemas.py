"""The shipped schemas load, and say what a schema of a medical table must say."""

import pytest

from medsynth.schema import load_schema

SHIPPED = ("adult", "credit_default", "diabetes130", "nist_acs", "support2", "thyroid")
MEDICAL = ("diabetes130", "support2", "thyroid")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_schema_loads_by_its_name(name: str) -> None:
    assert load_schema(name).dataset.name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_predicates_name_declared_columns(name: str) -> None:
    schema = load_schema(name)
    for predicate in schema.predicates():
        assert predicate.columns <= set(schema.columns)


@pytest.mark.parametrize("name", MEDICAL)
def test_medical_schema_has_rare_conditions_rules_and_studies(name: str) -> None:
    schema = load_schema(name)
    assert len(schema.rare) >= 3
    assert all(condition.keep_with for condition in schema.rare)
    assert all(0 < (condition.share or 0) < 1 for condition in schema.rare)
    assert schema.rules
    assert schema.studies


def test_diabetes130_protects_the_patient_not_the_stay() -> None:
    schema = load_schema("diabetes130")
    assert schema.privacy.unit == "patient_nbr"
    assert "patient_nbr" not in schema.modelled
    assert len(schema.modelled) >= 45


@pytest.mark.parametrize("name", sorted(set(SHIPPED) - {"diabetes130"}))
def test_tables_without_a_person_column_say_that_rows_are_persons(name: str) -> None:
    assert load_schema(name).privacy.rows_are_persons is True
