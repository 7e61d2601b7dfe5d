"""One generator from generation to generation: each is fitted on what the one before it drew."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.collapse.baselines import Generator
from medsynth.encoding.comparison import Comparison
from medsynth.encoding.typed import typed_frame
from medsynth.fidelity.decay import Figure, measure_decay
from medsynth.fitting import FitRequest, fit_model, privacy_unit
from medsynth.inference import person_numbers
from medsynth.privacy.ledger import Ledger
from medsynth.progress import Silent
from medsynth.sampling.draw import draw
from medsynth.sources.frame import FrameSource

if TYPE_CHECKING:
    from medsynth.schema import Schema

Refit = Callable[["Batch", np.random.Generator], pd.DataFrame]
"""From the records of a generation to the table drawn from their model, as large as the study's."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """What a generation is fitted on.

    Attributes:
      frame: Typed records with the columns that a fit needs.
      weights: (n,) what each record counts; 1 for a synthetic one.
      touches_real: Whether some are real.
    """

    frame: pd.DataFrame
    weights: npt.NDArray[np.float64]
    touches_real: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Real:
    """The real table of a study: where every course begins, and where fresh records come from.

    Attributes:
      comparison: Its train part.
      size: Records of each generation: as many as persons, or as kept records where those count one each.
    """

    comparison: Comparison
    size: int

    @classmethod
    def of(cls, comparison: Comparison) -> "Real":
        """Takes the train part of a comparison."""
        schema = comparison.schema
        shared = schema.privacy.unit is not None and schema.privacy.bounding.rule == "weight"
        persons = _persons(comparison)
        return cls(comparison=comparison, size=int(persons.max(initial=-1)) + 1 if shared else len(comparison.train))

    @property
    def whole(self) -> Batch:
        """All real records."""
        return self._batch(np.ones(len(self.comparison.train), dtype=bool))

    def fresh(self, share: float, rng: np.random.Generator) -> Batch:
        """All records of a random share of the persons."""
        persons = _persons(self.comparison)
        people = int(persons.max(initial=-1)) + 1
        chosen = np.zeros(people, dtype=bool)
        chosen[rng.permutation(people)[: round(share * people)]] = True
        return self._batch(chosen[persons])

    def _batch(self, mask: npt.NDArray[np.bool_]) -> Batch:
        frame, schema = self.comparison.train, self.comparison.schema
        weights = self.comparison.train_weights
        named = _named(frame, schema, _persons(self.comparison), "real")[mask]
        # Mean 1 over records becomes a total of `size`: a synthetic record counts as much as a person.
        return Batch(frame=named, weights=weights[mask] * (self.size / weights.sum()), touches_real=True)


def _persons(comparison: Comparison) -> npt.NDArray[np.int64]:
    unit, frame = comparison.schema.privacy.unit, comparison.train
    return person_numbers(None if unit is None else frame[unit].to_numpy(), len(frame))


def _named(frame: pd.DataFrame, schema: "Schema", numbers: npt.NDArray[np.int64], kind: str) -> pd.DataFrame:
    """Records whose persons have names of their kind, so that no two kinds share one; absent columns stay blank."""
    added: dict[str, Any] = {name: None for name in schema.inputs if name not in frame}
    if schema.privacy.unit is not None:
        added[schema.privacy.unit] = [f"{kind} {number}" for number in numbers]
    return frame.assign(**added)[list(schema.inputs)]


@dataclass(frozen=True, kw_only=True, eq=False)
class PrivateRefit:
    """Refits one of medsynth's models.

    Attributes:
      request: Which model, under which epsilon; its schema is the study's.
      comparison: Encodes and decodes.
      size: Rows to draw.
      folder: Where the ledger of each fit on real records lies.
    """

    request: FitRequest
    comparison: Comparison
    size: int
    folder: Path

    def __call__(self, batch: Batch, rng: np.random.Generator) -> pd.DataFrame:
        """Fits and draws, as `medsynth fit` and `medsynth sample` do."""
        source = FrameSource(frame=batch.frame)
        file = fit_model(source, self.request, self._ledger(real=batch.touches_real), Silent())
        return draw(file.fitted, self.comparison.codec, self.size, rng).frame

    def _ledger(self, *, real: bool) -> Ledger:
        """Its own: in the study's folder where real records are read, else in memory."""
        schema = self.request.schema
        epsilon, delta = self.request.budget
        path = self.folder / f"collapse-{secrets.token_hex(4)}.ledger.jsonl" if real else None
        return Ledger(
            epsilon,
            delta,
            population=f"{schema.dataset.name}, collapse study (INTERNAL)",
            unit=schema.privacy.noun,
            persons=schema.privacy.persons,
            privacy_unit=privacy_unit(schema),
            path=path,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class BaselineRefit:
    """Refits a generator without privacy, on codes."""

    generator: Generator
    comparison: Comparison
    size: int

    def __call__(self, batch: Batch, rng: np.random.Generator) -> pd.DataFrame:
        """Encodes, draws and decodes."""
        codec = self.comparison.codec
        codes = self.generator(codec.encode(batch.frame), batch.weights, self.size, rng)
        return codec.decode(codes, rng)


def course(
    refit: Refit, real: Real, start: Mapping[str, Figure], *, fresh: float, rng: np.random.Generator
) -> Iterator[dict[str, Figure]]:
    """The figures of generation after generation, without end.

    Args:
      refit: The generator.
      real: Where it starts, and where fresh records come from.
      start: The figures of the real table.
      fresh: Share of real records in every generation from the second on; 0 for none.
      rng: Drives draws and the choice of fresh persons.
    """
    comparison = real.comparison
    batch = real.whole
    while True:
        drawn = typed_frame(refit(batch, rng), comparison.schema)
        yield measure_decay(
            replace(comparison, synthetic=drawn, synthetic_weights=np.ones(len(drawn)), _codes={}), start
        )
        batch = _next_batch(drawn, real, fresh, rng)


def _next_batch(drawn: pd.DataFrame, real: Real, fresh: float, rng: np.random.Generator) -> Batch:
    kept = drawn.iloc[rng.permutation(len(drawn))[: round((1 - fresh) * len(drawn))]]
    named = _named(kept, real.comparison.schema, np.arange(len(kept)), "synthetic")
    batch = Batch(frame=named, weights=np.ones(len(kept)), touches_real=False)
    if not fresh:
        return batch
    added = real.fresh(fresh, rng)
    return Batch(
        frame=pd.concat([batch.frame.astype(object), added.frame.astype(object)], ignore_index=True),
        weights=np.concatenate([batch.weights, added.weights]),
        touches_real=True,
    )
