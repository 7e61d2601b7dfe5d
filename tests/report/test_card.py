"""The dataset card against what the Croissant 1.1 specification requires; checked once with mlcroissant 1.1 too."""

import json
from typing import Any

import pytest

from medsynth.report.card import Column, TableFile, card_json

SAID: dict[str, Any] = {
    "generator": "medsynth 0.1.0",
    "schema": "clinic",
    "population": "invented",
    "row_meaning": "One row stands for one visit.",
    "model": "adaptive",
    "generation": 2,
    "ancestors": [{"generation": 1, "schema": "clinic"}],
    "guarantee": {"epsilon": 1.0, "delta": 1e-6, "unit": "patient", "neighbours": "add-remove"},
    "licence": "CC BY 4.0",
    "terms": "Cite us",
    "allowed_use": "Teaching",
    "draw": "edited",
    "draw_note": "Closer than independent draws.",
}
TABLE = TableFile(
    address="../synthetic.parquet",
    name="synthetic.parquet",
    encoding="application/x-parquet",
    sha256="00" * 32,
    size=123,
    rows=4567,
    columns=(Column(name="age", kind="Integer", description="Age in years"), Column(name="ward/b", kind="Text")),
)


@pytest.fixture
def card() -> dict[str, Any]:
    return json.loads(card_json(SAID, TABLE, date="2026-01-31"))


def test_every_required_property_of_a_croissant_dataset_is_there(card):
    required = ("@context", "@type", "conformsTo", "description", "license", "name", "url", "creator", "datePublished")
    assert [key for key in (*required, "distribution") if not card.get(key)] == []
    assert card["@type"] == "sc:Dataset"
    assert "http://mlcommons.org/croissant/1.1" in card["conformsTo"]
    assert all(term in card["@context"] for term in ("cr", "sc", "rai", "prov", "recordSet", "fileObject", "column"))


def test_file_and_fields_refer_to_each_other(card):
    (file,) = card["distribution"]
    assert file["@type"] == "cr:FileObject"
    assert (file["contentUrl"], file["sha256"], file["encodingFormat"]) == (TABLE.address, TABLE.sha256, TABLE.encoding)
    (records,) = card["recordSet"]
    assert records["annotation"]["value"] == 4567
    assert [(field["name"], field["dataType"]) for field in records["field"]] == [
        ("age", "sc:Integer"),
        ("ward/b", "sc:Text"),
    ]
    for field in records["field"]:
        assert field["source"] == {"fileObject": {"@id": file["@id"]}, "extract": {"column": field["name"]}}
    identifiers = [file["@id"], records["@id"], records["annotation"]["@id"], *(f["@id"] for f in records["field"])]
    assert len(set(identifiers)) == len(identifiers)


def test_card_says_synthetic_schema_model_guarantee_version_licence_and_generation(card):
    for part in ("Synthetic", "4,567", "clinic", "adaptive", "epsilon 1 ", "delta 1e-06 per patient", "medsynth 0.1.0"):
        assert part in card["description"]
    assert "Generation 2" in card["description"]
    assert (card["license"]["name"], card["usageInfo"]["text"]) == ("CC BY 4.0", "Teaching")
    assert "Cite us" in card["license"]["description"]
    assert card["medsynth"] == {"synthetic": True, "rows": 4567} | SAID
    assert "generation 1" in json.dumps(card["prov:wasDerivedFrom"])
    assert "Closer than" in json.dumps(card["rai:dataLimitations"])


def test_a_schema_without_licence_and_use_still_gives_a_whole_card():
    bare = SAID | {"licence": None, "terms": None, "allowed_use": None, "population": None, "draw_note": None}
    card = json.loads(card_json(bare, TABLE, date="2026-01-31"))
    assert card["license"]["name"] == "Not stated"
    assert "usageInfo" not in card
    assert "None" not in json.dumps({key: value for key, value in card.items() if key != "medsynth"})


def test_the_url_names_the_table_by_its_bytes(card):
    assert card["url"] == "ni:///sha-256;" + "A" * 43


def test_a_card_says_which_columns_were_given_and_never_that_such_records_come_from_nobody():
    said = SAID | {
        "given": ["age"],
        "given_note": "No guarantee covers what was given.",
        "fiction": ["rare is fiction."],
    }
    card = json.loads(card_json(said, TABLE, date="2026-01-31"))
    assert "Partly synthetic" in card["description"]
    assert "none taken from a person" not in card["description"]
    assert "age" in card["rai:dataCollection"]
    assert "No record was collected" not in card["rai:dataCollection"]
    assert {"No guarantee covers what was given.", "rare is fiction."} <= set(card["rai:dataLimitations"])
