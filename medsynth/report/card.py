"""The dataset card: what a synthetic table is and where it comes from, as JSON-LD for machines and catalogues.

Source: MLCommons, Croissant Format Specification 1.1 (2026) and Croissant RAI 1.0, docs.mlcommons.org/croissant; W3C
PROV-O for the chain of origin.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CONFORMS_TO: Final = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
RECORDS: Final = "records"
CARDINALITY: Final = "http://www.wikidata.org/entity/Q4049983"
UNNAMED: Final = "Not stated. Whoever publishes the table should name themselves here"

_CROISSANT = (
    *("annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract"),
    *("field", "fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath"),
    *("key", "md5", "parentField", "path", "recordSet", "references", "regex", "readLines", "repeated", "replace"),
    *("samplingRate", "sdVersion", "separator", "source", "subField", "transform", "unArchive", "value"),
)
CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "medsynth": {"@id": "urn:medsynth:provenance", "@type": "@json"},
} | {term: f"cr:{term}" for term in _CROISSANT}


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the synthetic table.

    Attributes:
      name: As in the file.
      kind: `Boolean`, `Integer`, `Float`, `Date` or `Text`, of schema.org.
      description: From the schema; blank where it has none.
    """

    name: str
    kind: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """The file of a synthetic table.

    Attributes:
      address: Relative to the card.
      name: Its own name.
      encoding: Media type.
      sha256: Of its bytes, hexadecimal.
      size: In bytes.
      rows: Synthetic records in it.
      columns: In their order.
    """

    address: str
    name: str
    encoding: str
    sha256: str
    size: int
    rows: int
    columns: tuple[Column, ...]


def card_json(said: Mapping[str, Any], table: TableFile, *, date: str) -> bytes:
    """Writes the card of a table.

    Args:
      said: What the table says of its origin: schema, model, guarantee, version, licence, terms. Shareable values only.
      table: The file.
      date: ISO day.

    Returns:
      JSON-LD, the same bytes for the same arguments.
    """
    card = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": f"{said['schema']}-synthetic",
        "description": _description(said, table),
        **_terms(said),
        "url": _named_by_content(table.sha256),
        "creator": {"@type": "sc:Organization", "name": UNNAMED},
        "datePublished": date,
        "version": "1.0.0",
        "citeAs": f"Synthetic table of '{said['schema']}', drawn by {said['generator']}, {date}",
        "isLiveDataset": False,
        "keywords": ["synthetic data", "differential privacy", str(said["schema"])],
        **_origin(said),
        "distribution": [_distribution(table)],
        "recordSet": [_records(table)],
        "medsynth": {"synthetic": True, "rows": table.rows, **said},
    }
    return (json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def _description(said: Mapping[str, Any], table: TableFile) -> str:
    promise = said["guarantee"]
    parts = (
        _what(said, table),
        f"They stand for: {said['population']}." if said.get("population") else "",
        str(said["row_meaning"]),
        f"Drawn by {said['generator']} from a model '{said['model']}' of the table '{said['schema']}', fitted under "
        f"differential privacy with epsilon {promise['epsilon']:g} and delta {promise['delta']:g} per "
        f"{promise['unit']} ({promise['neighbours']}).",
        _chain(said),
    )
    return " ".join(part for part in parts if part)


def _what(said: Mapping[str, Any], table: TableFile) -> str:
    """Whether all of it was drawn."""
    if said.get("given"):
        return (
            f"Partly synthetic: {table.rows:,} records whose columns {', '.join(said['given'])} were given and may be "
            "those of persons; the other cells were drawn from a model. The guarantee does not cover what was given."
        )
    return f"Synthetic: {table.rows:,} records drawn from a model, none taken from a person."


def _chain(said: Mapping[str, Any]) -> str:
    generation = said.get("generation", 1)
    return f"Generation {generation}: the model was fitted on a synthetic table." if generation > 1 else ""


def _terms(said: Mapping[str, Any]) -> dict[str, Any]:
    """The licence of the source, which nobody but its holder can replace by another."""
    notes = (said.get("terms"), "Licence of the source table, as its schema states it.")
    licence = {
        "@type": "sc:CreativeWork",
        "name": said.get("licence") or "Not stated",
        "description": " ".join(f"{str(note).rstrip('.')}." for note in notes if note),
    }
    use = said.get("allowed_use")
    return {"license": licence} | ({"usageInfo": {"@type": "sc:CreativeWork", "text": use}} if use else {})


def _origin(said: Mapping[str, Any]) -> dict[str, Any]:
    """PROV-O: the activity, the agent, the source and the generations between; RAI: what to mind."""
    notes = [said.get(key) for key in ("draw_note", "given_note", "what_if_note", "clean")]
    limits = [str(note) for note in (*notes, *said.get("fiction", ())) if note]
    collected = "Given columns were supplied by whoever drew the table: " + ", ".join(said.get("given", ())) + "."
    return {
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": f"Differentially private fit of '{said['model']}', then sampling",
        },
        "prov:wasAttributedTo": {"@type": "prov:SoftwareAgent", "prov:label": said["generator"]},
        "prov:wasDerivedFrom": [
            {"@type": "prov:Entity", "prov:label": f"Table '{said['schema']}', not part of this dataset"},
            *(
                {"@type": "prov:Entity", "prov:label": f"Synthetic table of generation {each['generation']}"}
                for each in said.get("ancestors", ())
            ),
        ],
        "rai:dataCollection": collected
        if said.get("given")
        else "No record was collected: all were drawn from a fitted model.",
        "rai:dataLimitations": [
            "Groups smaller than the noise of the fit are not kept; conclusions need a check on real records.",
            *limits,
        ],
        **({"rai:dataUseCases": [said["allowed_use"]]} if said.get("allowed_use") else {}),
    }


def _named_by_content(sha256: str) -> str:
    """A name that follows from the table's bytes, until a publisher writes an address here (RFC 6920)."""
    digest = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")
    return f"ni:///sha-256;{digest}"


def _distribution(table: TableFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": table.name,
        "name": table.name,
        "contentUrl": table.address,
        "contentSize": f"{table.size} B",
        "encodingFormat": table.encoding,
        "sha256": table.sha256,
    }


def _records(table: TableFile) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "description": f"{table.rows:,} synthetic records.",
        "annotation": {
            "@type": "cr:Field",
            "@id": f"{RECORDS}-count",
            "name": f"{RECORDS}-count",
            "value": table.rows,
            "dataType": CARDINALITY,
        },
        "field": [_field(column, table.name) for column in table.columns],
    }


def _field(column: Column, file: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{column.name}",
        "name": column.name,
        **({"description": column.description} if column.description else {}),
        "dataType": f"sc:{column.kind}",
        "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
    }
