"""Reads, writes and publishes schemas."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from medsynth.errors import SchemaError
from medsynth.schema.columns import KINDS
from medsynth.schema.messages import sentences
from medsynth.schema.shipped import schemas_folder, shipped_schemas
from medsynth.schema.table import ROWS_COLUMN, Schema
from medsynth.schema.texts import shown, suggestion
from medsynth.schema.values import Entry
from medsynth.schema.yaml_text import read_yaml, write_yaml

SCHEMA_ID = "urn:medsynth:schema:1"


def load_schema(name_or_path: str | Path) -> Schema:
    """Reads a schema and checks everything in it.

    Args:
      name_or_path: A shipped name such as `diabetes130`, or a path to a YAML file.

    Raises:
      SchemaError: Beginning with the file's name; one line for each problem.
    """
    path = _find(name_or_path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SchemaError(f"{path}: is not UTF-8 text. Save it as UTF-8.") from None
    except OSError as problem:
        raise SchemaError(f"{path}: cannot be read ({problem.strerror}). Check the path.") from None
    return parse_schema(text, where=str(path), folder=path.parent)


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    named = str(name_or_path)
    if path.name == named and not path.suffix and named in shipped_schemas():
        return schemas_folder() / f"{named}.yaml"
    if path.is_file():
        return path
    if path.name == named and not path.suffix:
        hint = suggestion(named, shipped_schemas())
        raise SchemaError(f"Schema {shown(named)} is neither a file nor a shipped schema. {hint}")
    raise SchemaError(f"{path}: there is no such file. Check the path, or name a shipped schema.")


def parse_schema(text: str, *, where: str = "schema", folder: Path | None = None) -> Schema:
    """Reads a schema from YAML text.

    Args:
      text: YAML.
      where: What errors begin with.
      folder: Where the `values_file` of a code column is looked for.

    Raises:
      SchemaError: One line for each problem.
    """
    return build_schema(read_yaml(text, where), where=where, folder=folder)


def build_schema(content: Any, *, where: str = "schema", folder: Path | None = None) -> Schema:
    """Checks a schema given as plain values.

    Raises:
      SchemaError: One line for each problem.
    """
    if not isinstance(content, Mapping):
        raise SchemaError(f"{where}: must be a mapping that begins with medsynth: 1. Run `medsynth init` to draft one.")
    try:
        return Schema.model_validate(dict(content), context={"folder": folder})
    except ValidationError as error:
        raise SchemaError("\n".join(f"{where}: {line}" for line in sentences(error))) from None


def uncounted(schema: Schema) -> Schema:
    """The same schema without the column of rows per person, for tables that were made without it.

    Raises:
      SchemaError: If some rule or condition needs that column.
    """
    bounding = schema.privacy.bounding.model_copy(update={"count": False})
    content = {name: getattr(schema, name) for name in Schema.model_fields}
    columns = {name: column for name, column in schema.columns.items() if name != ROWS_COLUMN}
    privacy = schema.privacy.model_copy(update={"bounding": bounding})
    return build_schema(content | {"columns": columns, "privacy": privacy}, where=schema.dataset.name)


def dump_schema(schema: Schema) -> str:
    """YAML text that reads back equal; keys at their default are left out, and so is the column of rows per person."""
    content = _plain(schema)
    if schema.privacy.counts_rows:
        content["columns"].pop(ROWS_COLUMN, None)
    return write_yaml(content)


def _plain(value: Any) -> Any:
    if isinstance(value, Entry):
        fields = type(value).model_fields
        kept = {
            key: _plain(getattr(value, key))
            for key, field in fields.items()
            if key == "kind" or field.is_required() or not _is_default(getattr(value, key), field)
        }
        return {"kind": kept.pop("kind"), **kept} if "kind" in kept else kept
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _is_default(value: Any, field: FieldInfo) -> bool:
    # By text: `true: 1` is not the default `true: true`, though 1 == True.
    return repr(value) == repr(field.get_default(call_default_factory=True))


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of schema files, for editors; `schemas/medsynth.schema.json` is a copy."""
    schema = Schema.model_json_schema()
    for kind in KINDS.values():
        definition = schema["$defs"][kind.__name__]
        definition["required"] = ["kind", *definition.get("required", [])]
        if needed := getattr(kind, "needed", ()):
            private = {"properties": {"source": {"const": "private"}}, "required": ["source"]}
            definition |= {"if": {"not": private}, "then": {"required": list(needed)}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}
