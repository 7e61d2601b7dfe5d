"""From a fitted model to a file of synthetic records that says what it is."""

from typing import Any

from medsynth.encoding.codec import Codec
from medsynth.models.model_file import ModelFile, save_model
from medsynth.outputs import RunFolder
from medsynth.progress import Progress
from medsynth.publishing import provenance_of, write_card
from medsynth.sampling.draw import Draw, Drawing, gathered
from medsynth.sampling.how import generator, require_rows, unsupported
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
    require_rows(rows)
    raised = how.get("upsample") or {}
    if not how.get("force"):
        left = unsupported(file.fitted, raised)
        how["upsample"] = {name: share for name, share in raised.items() if name not in left}
    drawing = Drawing(file.fitted, codec, rows, generator(seed), **how)
    frame = gathered(drawing)
    progress.finish()
    said = provenance_of(file) | drawing.said
    kinds = write_table(frame, new.synthetic, said)
    write_card(new.card, new.synthetic, said, kinds, rows, schema=codec.schema)
    return Draw(frame=frame, **vars(drawing.summary))


def codec_of(file: ModelFile) -> Codec:
    """The codec of the schema a model was fitted with."""
    return Codec(schema=parse_schema(file.schema, where="model file"))
