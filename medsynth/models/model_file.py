"""One fitted model, one file that can be shared: a manifest and its tables, no record, no seed.

    manifest.json        format, model, public settings, schema, ledger extract, guarantee, and an
    index of arrays that
                         says which ledger entries paid for each (none: the array is public)
    tensors.safetensors  the arrays

The two lie in a zip archive, stored as they are, with fixed names and times: equal models give
equal bytes. Reading trusts nothing: sizes, hashes, shapes, types and ranges are checked, and
nothing in a file is ever executed.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from medsynth.errors import ModelFileError
from medsynth.models.base import Fitted
from medsynth.registry import Registry
from medsynth.writing import replace_file

VERSION: Final = 1
MANIFEST: Final = "manifest.json"
TENSORS: Final = "tensors.safetensors"
MOST_BYTES: Final = {MANIFEST: 64 << 20, TENSORS: 4 << 30}
TIME: Final = (1980, 1, 1, 0, 0, 0)

Array = npt.NDArray[Any]

FORMS = Registry("kind of model file", __name__.rpartition(".")[0], {"graphical": "graphical_form:FORM"})
"""How each kind of fitted model is taken apart and put together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """An array to store.

    Attributes:
      array: Its values.
      entries: Ledger entries it was made from; none for a public array.
    """

    array: Array
    entries: tuple[int, ...]


class Form(Protocol):
    """Takes one kind of fitted model apart."""

    def pack(self, fitted: Any) -> tuple[dict[str, Any], dict[str, Part]]:
        """(plain values, named arrays)."""
        ...

    def unpack(self, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Fitted:
        """The model again; any inconsistency is a ValueError, KeyError, TypeError or IndexError."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFile:
    """A fitted model and what is said about it.

    Attributes:
      fitted: The model.
      schema: Text of the schema.
      ledger: Ledger extract: one mapping of plain values per entry.
      guarantee: The guarantee as plain values.
      about: Other plain public values, such as name and population of the dataset.
      kind: How `fitted` is stored.
      domains: Ledger entries that paid for what the schema left open; the shape of every array follows from them too.
    """

    fitted: Fitted
    schema: str = ""
    ledger: Sequence[Mapping[str, Any]] = ()
    guarantee: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "graphical"
    domains: Sequence[int] = ()


def save_model(path: str | Path, model: ModelFile) -> None:
    """Writes a model file in one step, readable by those it is shared with: the whole file or what stood there before.

    Raises:
      OutputError: If the file cannot be written.
    """
    replace_file(Path(path), model_bytes(model))


def model_bytes(model: ModelFile) -> bytes:
    """Content of a model file; equal models give equal bytes."""
    from safetensors.numpy import save

    values, parts = FORMS[model.kind].pack(model.fitted)
    tensors = save({name: np.asarray(part.array, order="C") for name, part in sorted(parts.items())})
    manifest = {
        "format": "medsynth model",
        "version": VERSION,
        "kind": model.kind,
        "fitted": values,
        "schema": model.schema,
        "ledger": [dict(entry) for entry in model.ledger],
        "guarantee": dict(model.guarantee),
        "about": dict(model.about),
        "domains": list(model.domains),
        "arrays": {
            name: {
                "type": part.array.dtype.name,
                "shape": list(part.array.shape),
                "ledger_entries": sorted({*part.entries, *model.domains}),
            }
            for name, part in parts.items()
        },
        "tensors_sha256": hashlib.sha256(tensors).hexdigest(),
    }
    manifest["manifest_sha256"] = _digest(manifest)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member(MANIFEST), _canonical(manifest))
        archive.writestr(_member(TENSORS), tensors)
    return stream.getvalue()


def load_model(path: str | Path) -> ModelFile:
    """Reads and checks a model file.

    Raises:
      ModelFileError: If it is missing, damaged, altered or of another version.
    """
    where = Path(path)
    manifest, tensors = _read(where)
    arrays = _arrays(where, manifest, tensors)
    try:
        fitted = FORMS[manifest["kind"]].unpack(manifest["fitted"], arrays)
        return ModelFile(
            fitted=fitted,
            schema=str(manifest["schema"]),
            ledger=tuple(dict(entry) for entry in manifest["ledger"]),
            guarantee=dict(manifest["guarantee"]),
            about=dict(manifest["about"]),
            kind=manifest["kind"],
            domains=tuple(int(entry) for entry in manifest.get("domains", ())),
        )
    except ModelFileError:
        raise
    except Exception as error:
        # Whatever contents contradict each other by, to the user it is one thing.
        raise _damaged(where, "its contents contradict each other") from error


def _read(where: Path) -> tuple[dict[str, Any], bytes]:
    """Checked manifest and the bytes of the arrays."""
    try:
        with zipfile.ZipFile(where) as archive:
            parts = {name: _part(archive, name, where) for name in (MANIFEST, TENSORS)}
    except FileNotFoundError as error:
        raise ModelFileError(f"{where}: there is no such model file. Check the path.") from error
    except OSError as error:
        raise ModelFileError(f"{where}: cannot be read ({error.strerror}). Check the path.") from error
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, EOFError) as error:
        raise _damaged(where, "it is no model archive") from error
    return _manifest(where, parts[MANIFEST], parts[TENSORS]), parts[TENSORS]


def _part(archive: zipfile.ZipFile, name: str, where: Path) -> bytes:
    information = archive.getinfo(name)
    if information.compress_type != zipfile.ZIP_STORED:
        raise _damaged(where, f"{name} is compressed")
    if information.file_size > MOST_BYTES[name]:
        raise _damaged(where, f"{name} is larger than {MOST_BYTES[name] >> 20} MB")
    return archive.read(name)


def _manifest(where: Path, content: bytes, tensors: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content.decode("utf-8"))
        version = manifest["version"]
        if manifest["format"] != "medsynth model":
            raise ValueError("another format")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(where, f"{MANIFEST} cannot be read") from error
    if version != VERSION:
        raise ModelFileError(
            f"{where}: has model format {version!r}, this medsynth reads {VERSION}. "
            "Use the medsynth that wrote it, or fit again."
        )
    seal = manifest.pop("manifest_sha256", None)
    if seal != _digest(manifest) or manifest.get("tensors_sha256") != hashlib.sha256(tensors).hexdigest():
        raise _damaged(where, "its contents do not match their SHA-256")
    return dict(manifest)


def _arrays(where: Path, manifest: Mapping[str, Any], tensors: bytes) -> dict[str, Array]:
    """The arrays, each of the type and shape that the manifest gives."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = dict(load(tensors))
        index = {name: (item["type"], item["shape"]) for name, item in manifest["arrays"].items()}
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(where, f"{TENSORS} cannot be read") from error
    if index != {name: (array.dtype.name, list(array.shape)) for name, array in arrays.items()}:
        raise _damaged(where, "an array differs from the manifest in name, type or shape")
    return arrays


def _damaged(where: Path, found: str) -> ModelFileError:
    return ModelFileError(f"{where}: is damaged or was altered: {found}. Copy it again from its source, or fit again.")


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, TIME)
    member.create_system = 3
    member.external_attr = 0o600 << 16
    return member


def _canonical(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8")


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()
