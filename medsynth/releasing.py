"""From a fitted model to a file of synthetic records that says what it is."""

from typing import Any

from medsynth.encoding.codec import Codec
from medsynth.models.model_file import ModelFile, save_model
from medsynth.outputs import RunFolder
from medsynth.progress import Progress
from medsynth.publishing import provenance_of, write_card
from medsynth.sampling.draw import CLEANED, FICTION, KINDS, Draw, Drawing, Drawn, draw, generator, unsupported
from medsynth.sampling.provenance import write_table
from medsynth.schema import parse_schema


def release(
    file: ModelFile, new: RunFolder, *, n: int | None, seed: int | None, progress: Progress, **how: Any
) -> Draw:
    """Writes the model, then rows drawn from it, by default as many as the stated persons, with their card.

    The model is paid for: a condition that it cannot support stays at its natural share, unless `how` says force.
    """
    save_model(new.model, file)
    codec = codec_of(file)
    progress.start("Drawing records")
    rows = codec.schema.privacy.persons if n is None else n
    raised = how.get("upsample") or {}
    if not how.get("force"):
        left = unsupported(file.fitted, raised)
        how["upsample"] = {name: share for name, share in raised.items() if name not in left}
    drawn = draw(file.fitted, codec, rows, generator(seed), **how)
    progress.finish()
    said = said_of(file, drawn)
    kinds = write_table(drawn.frame, new.synthetic, said)
    write_card(new.card, new.synthetic, said, kinds, drawn.rows, schema=codec.schema)
    return drawn


def said_of(file: ModelFile, drawn: "Drawing | Drawn") -> dict[str, Any]:
    """What a table says of its origin and of how its rows were drawn."""
    said = provenance_of(file) | {"draw": drawn.kind, "draw_note": KINDS[drawn.kind]}
    fiction = [FICTION.format(name=name) for name in drawn.unsupported]
    return said | ({"fiction": fiction} if fiction else {}) | ({"clean": CLEANED} if drawn.clean else {})


def codec_of(file: ModelFile) -> Codec:
    """The codec of the schema a model was fitted with."""
    return Codec(schema=parse_schema(file.schema, where="model file"))
