"""From a fitted model to a file of synthetic records that says what it is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.models.model_file import ModelFile
from medsynth.progress import Progress
from medsynth.publishing import provenance_of
from medsynth.sampling.draw import FICTION, KINDS, Draw, Drawing, draw, generator, unsupported
from medsynth.sampling.provenance import write_table
from medsynth.schema import parse_schema

TENTHS = 10


def reported(drawing: Drawing, progress: Progress) -> Iterator[pd.DataFrame]:
    """The chunks, with a word before each tenth of a large table."""
    tenths = [k * drawing.chunks // TENTHS for k in range(TENTHS)] if drawing.chunks > TENTHS else [0]
    frames = iter(drawing)
    for number in range(drawing.chunks):
        if number in tenths:
            tenth = f", part {tenths.index(number) + 1} of 10" if len(tenths) > 1 else ""
            progress.start(f"Drawing records{tenth}")
        yield next(frames)
    progress.finish()


def release(file: ModelFile, out: Path, *, n: int | None, seed: int | None, progress: Progress, **drawing: Any) -> Draw:
    """Draws rows, by default as many as the stated persons, and writes them."""
    codec = codec_of(file)
    progress.start("Drawing records")
    rows = codec.schema.privacy.persons if n is None else n
    if not drawing["force"]:  # the model is paid for: what it cannot support stays at its natural share
        raised = drawing["upsample"] or {}
        left = unsupported(file.fitted, raised)
        drawing["upsample"] = {name: share for name, share in raised.items() if name not in left}
    drawn = draw(file.fitted, codec, rows, generator(seed), **drawing)
    progress.finish()
    write_table(drawn.frame, out, said_of(file, drawn.kind, drawn.unsupported))
    return drawn


def said_of(file: ModelFile, kind: str, unsupported: Sequence[str]) -> dict[str, Any]:
    """What a table says of its origin and of how its rows were drawn."""
    said = provenance_of(file) | {"draw": kind, "draw_note": KINDS[kind]}
    return said | ({"fiction": [FICTION.format(name=name) for name in unsupported]} if unsupported else {})


def codec_of(file: ModelFile) -> Codec:
    """The codec of the schema a model was fitted with."""
    return Codec(schema=parse_schema(file.schema, where="model file"))
