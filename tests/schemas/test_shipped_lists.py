"""Every list of every shipped schema equals its public document, unused values present."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTATION = Path(__file__).parent / "documentation"
SHIPPED = ("adult", "credit_default", "diabetes130", "nist_acs", "support2", "thyroid")


def columns(name: str) -> dict[str, Any]:
    text = (ROOT / "schemas" / f"{name}.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["columns"]
    return found


def document(name: str) -> str:
    return (DOCUMENTATION / name).read_text(encoding="utf-8")


def documented_lists(name: str) -> dict[str, list[str]]:
    """Lines `column: value | value` of an extract; what follows ` : ` explains."""
    lists = {}
    for line in document(name).splitlines():
        column, colon, values = line.partition(": ")
        if colon and " | " in values:
            lists[column] = values.split(" : ")[0].strip().split(" | ")
    return lists


def id_mappings() -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    name = ""
    for code, meaning in csv.reader(document("IDs_mapping.csv").splitlines()):
        if meaning == "description":
            name = code
            tables[name] = []
        elif code:
            tables[name].append(code)
    return tables


@pytest.mark.parametrize("column", sorted(id_mappings()))
def test_diabetes130_ids_are_those_of_the_mapping(column: str) -> None:
    values = columns("diabetes130")[column]["values"]
    assert values == sorted(id_mappings()[column], key=int)


def test_diabetes130_keeps_ids_that_no_row_needs() -> None:
    declared = columns("diabetes130")
    assert declared["admission_type_id"]["values"] == [str(n) for n in range(1, 9)]
    assert declared["discharge_disposition_id"]["values"] == [str(n) for n in range(1, 31)]
    assert "16" not in declared["admission_source_id"]["values"]
    assert len(declared["admission_source_id"]["values"]) == 25


def test_diabetes130_values_are_those_of_the_article() -> None:
    declared, lists = columns("diabetes130"), documented_lists("strack2014_table1.txt")
    drugs, doses = lists.pop("drugs"), lists.pop("drug")
    assert len(drugs) == 23
    assert all(set(declared[drug]["values"]) == set(doses) for drug in drugs)
    for column, values in lists.items():
        assert sorted(declared[column]["values"]) == sorted(values), column
    assert declared["age"]["values"] == lists["age"]
    assert declared["weight"]["values"] == lists["weight"]


def test_diabetes130_payers_and_specialties_are_the_published_ones_and_leave_room() -> None:
    declared = columns("diabetes130")
    for column, values in documented_lists("diabetes130_lists.txt").items():
        assert declared[column]["values"] == values
        assert declared[column]["other"] is True


def test_diabetes130_ranges_are_those_of_the_readme() -> None:
    text = re.sub(r"\s+", " ", document("data_readme.txt"))
    text = text.split("documented ranges:")[1].split("## ")[0]
    ranges = {name: (int(a), int(b)) for name, a, b in re.findall(r"`(\w+)` (\d+)-(\d+)", text)}
    assert len(ranges) == 8
    declared = columns("diabetes130")
    assert ranges == {name: (declared[name]["min"], declared[name]["max"]) for name in ranges}


def test_diabetes130_models_at_least_45_columns_with_three_coded_diagnoses() -> None:
    declared = columns("diabetes130")
    modelled = {name for name, column in declared.items() if column["kind"] not in {"id", "drop"}}
    modelled -= {"diabetesMed"}
    assert len(modelled) >= 45
    assert all(declared[f"diag_{n}"]["system"] == "icd9cm3" for n in (1, 2, 3))


def test_adult_lists_are_those_of_the_names_file() -> None:
    declared = columns("adult")
    attributes = document("adult.names.txt").split(">50K, <=50K.")[1]
    lists = dict(re.findall(r"^([\w-]+): (.*)\.$", attributes, flags=re.MULTILINE))
    assert len(lists) == 14
    for column, values in lists.items():
        if values != "continuous":
            assert sorted(declared[column]["values"]) == sorted(values.split(", ")), column
        else:
            assert declared[column]["kind"] == "integer", column
    assert declared["income"]["values"] == ["<=50K", ">50K"]


def test_credit_default_codes_are_explained_or_reported_as_unexplained() -> None:
    declared = columns("credit_default")
    text, readme = document("credit_default_attributes.txt"), document("data_readme.txt")
    for column in ("SEX", "EDUCATION", "MARRIAGE"):
        line = next(line for line in text.splitlines() if line.startswith(f"{column}:"))
        explained = re.findall(r"(\d) = ", line)
        line = re.sub(r"\s+", " ", readme.split(f"`{column}` ")[1].split(". ")[0])
        unexplained = re.findall(r"(\d) \(\d+\)", line) if column != "SEX" else []
        assert declared[column]["values"] == sorted(explained + unexplained), column


def test_credit_default_repayment_scale_runs_from_unused_to_nine_months() -> None:
    declared = columns("credit_default")
    for column in ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6"):
        assert (declared[column]["min"], declared[column]["max"]) == (-2, 9)
    assert "PAY_1" not in declared


def test_support2_lists_and_columns_are_those_of_the_documentation() -> None:
    declared, lists = columns("support2"), documented_lists("support2_variables.txt")
    text = document("support2_variables.txt").split("\n\n")[1]
    named = re.findall(r"^([\w.]+): ", text, flags=re.MULTILINE)
    assert list(declared) == named
    for column, values in lists.items():
        described = declared[column]
        if described["kind"] == "boolean":
            assert values == [str(described["false"]), str(described["true"])]
        else:
            assert described["values"] == values, column


def test_support2_stay_and_follow_up_have_the_documented_ranges() -> None:
    text = re.sub(r"\s+", " ", document("data_readme.txt"))
    declared = columns("support2")
    assert "(3-2029), `slos` days in hospital (3-343)" in text
    assert (declared["d.time"]["min"], declared["d.time"]["max"]) == (3, 2029)
    assert (declared["slos"]["min"], declared["slos"]["max"]) == (3, 343)


def thyroid_letters() -> list[str]:
    return re.findall(r"^\t\t([A-T])\t\S", document("thyroid0387.names.txt"), flags=re.MULTILINE)


def test_thyroid_diagnoses_are_the_letters_and_published_combinations() -> None:
    values = columns("thyroid")["diagnosis"]["values"]
    combinations = document("thyroid_combinations.txt").split("\n\n")[1].split()
    assert len(thyroid_letters()) == 20
    assert values == ["-", *thyroid_letters(), *combinations]
    assert columns("thyroid")["diagnosis"]["other"] is True


def test_thyroid_columns_and_lists_are_those_of_the_names_file() -> None:
    declared = columns("thyroid")
    text = document("thyroid0387.names.txt")
    attributes = re.findall(r"^\t([\w ]+):\t+(.*)\.$", text, flags=re.MULTILINE)
    assert len(attributes) == 29
    for name, values in attributes:
        column = declared[name.strip().replace(" ", "_")]
        if values == "f, t":
            assert (column["false"], column["true"]) == ("f", "t"), name
        elif values == "continuous":
            assert column["kind"] in {"integer", "decimal"}, name
        else:
            assert column["values"] == values.split(", "), name


def dictionary() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document("data_dictionary.json"))
    return found


def published() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(document("national2019.json"))["schema"]
    return found


def test_nist_acs_columns_are_those_of_the_published_schema() -> None:
    declared = columns("nist_acs")
    assert set(declared) == set(published())
    for name, described in published().items():
        if declared[name]["kind"] != "drop":
            coded = "N" in declared[name].get("missing_codes", [])
            assert coded == described.get("has_null", False), name


def test_nist_acs_lists_are_those_of_the_dictionary_and_areas_those_of_the_excerpt() -> None:
    declared = columns("nist_acs")
    lists = [name for name, column in declared.items() if column["kind"] == "category"]
    for name in lists:
        documented = set(dictionary()[name]["values"]) - {"N"}
        if name == "PUMA":
            assert set(published()["PUMA"]["values"]) <= documented
            documented = set(published()["PUMA"]["values"])
        assert set(declared[name]["values"]) == documented, name
        assert len(declared[name]["values"]) == len(documented), name


def test_nist_acs_ranges_are_those_of_the_dictionary() -> None:
    declared = columns("nist_acs")
    for name in ("AGEP", "DENSITY", "PINCP"):
        documented = dictionary()[name]["values"]
        assert declared[name]["min"] == documented["min"], name
        assert declared[name]["max"] == documented["max"], name
    assert (declared["NOC"]["min"], declared["NOC"]["max"]) == (0, 19)
    assert (declared["NPF"]["min"], declared["NPF"]["max"]) == (2, 20)
    assert (declared["POVPIP"]["min"], declared["POVPIP"]["max"]) == (0, 501)


@pytest.mark.parametrize("name", SHIPPED)
def test_missing_codes_never_pose_as_values(name: str) -> None:
    for column in columns(name).values():
        codes = set(map(str, column.get("missing_codes", [])))
        assert not codes & set(map(str, column.get("values", [])))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_column_is_described_and_public(name: str) -> None:
    for column in columns(name).values():
        assert column.get("description") or column.get("reason")
        assert column.get("source", "public") == "public"
