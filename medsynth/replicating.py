"""Replicates: what a release would have looked like, had its own table been the population.

    release (replicate 0) ──persons drawn at random──▶ simulated records ──the fit again──▶ model ──rows──▶ replicate 1
                          ──persons drawn at random──▶ simulated records ──the fit again──▶ model ──rows──▶ replicate 2 ..

Each replicate lies to the release as the release lies to the population: persons were sampled, noise was added, tables
were selected, rows were drawn. Only the released model is read, so that nothing of this costs privacy
(`docs/mathematics.md`, section 15).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.bounding import bounding_of
from medsynth.encoding.codec import Codec
from medsynth.errors import UsageError
from medsynth.fitting import claim_of, fit_records, privacy_unit
from medsynth.models import MODELS
from medsynth.models.base import Fitted
from medsynth.models.model_file import ModelFile
from medsynth.privacy.ledger import Ledger
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.progress import Progress, Silent
from medsynth.sampling.draw import Drawing, Drawn, gathered
from medsynth.schema.table import REPLICATE_COLUMN
from medsynth.sources.encoded import EncodedRecords

FEWEST, MOST = 2, 1000
"""Replicates that may be asked for."""


class Replicates:
    """A release and refits to records simulated from it, a table at a time.

    Args:
      file: The released model.
      codec: Of its schema.
      n: Rows of each table.
      rng: Draws rows and persons; the noise of refits is the operating system's, as in every fit.
      number: Refits.
      progress: Hears of each.
      how: Fields of `How`.

    Raises:
      UsageError: If the number is out of range, or what is asked for cannot be drawn.
    """

    def __init__(
        self,
        file: ModelFile,
        codec: Codec,
        n: int,
        rng: np.random.Generator,
        *,
        number: int,
        progress: Progress | None = None,
        **how: Any,
    ) -> None:
        require_replicates(number)
        self.number, self._n, self._rng, self._how = number, n, rng, how
        self._codec, self._progress = codec, progress or Silent()
        self._refit = Refit(file, codec)
        self._release = Drawing(file.fitted, codec, n, rng, **how)

    @property
    def chunks(self) -> int:
        """Number of tables."""
        return self.number + 1

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """The release, marked 0, then every replicate; once only."""
        self._progress.start(f"Drawing replicate 0 of {self.number}")
        release = gathered(self._release)
        yield _marked(release, 0)
        world = self._codec.encode(release)
        for replicate in range(1, self.number + 1):
            self._progress.start(f"Refitting replicate {replicate} of {self.number}")
            fitted = self._refit.fitted(world, self._rng)
            yield _marked(gathered(Drawing(fitted, self._codec, self._n, self._rng, **self._how)), replicate)
        self._progress.finish()

    @property
    def summary(self) -> Drawn:
        """How the release was drawn."""
        return self._release.summary

    @property
    def said(self) -> dict[str, Any]:
        """What the file says of its tables."""
        return self._release.said | {"replicates": self.number, "replicates_note": REPLICATES_NOTE}


REPLICATES_NOTE = (
    f"Column {REPLICATE_COLUMN}: 0 is the release, every other number a refit to records simulated from it, with noise "
    "of its own. Estimate within each, combine with medsynth.inference.combine, never pool the rows: the refits know "
    "nothing more of any real person."
)


class Refit:
    """The fit of a model file again, on records drawn from a table it released.

    Args:
      file: The model.
      codec: Of its schema, in which nothing is left open.
    """

    def __init__(self, file: ModelFile, codec: Codec) -> None:
        self._codec, self._guarantee = codec, file.guarantee
        settings: Any = getattr(file.fitted, "settings", {})
        self._model = MODELS[str(file.about["model"])](**settings)
        share = codec.schema.privacy.domain_share if file.domains else 0.0
        self._left = math.sqrt(1 - share)
        self._persons = round(claim_of(file).estimated_persons)

    def fitted(self, world: npt.NDArray[np.int32], rng: np.random.Generator) -> Fitted:
        """A fit of simulated persons, under a budget that nobody spends.

        Args:
          world: (rows, attributes) codes of the table the persons are drawn from.
          rng: Draws them.
        """
        ledger = self._ledger()
        mu = ledger.guarantee.mu * self._left
        records = simulated(world, self._codec, self._persons, rng)
        return fit_records(records, self._codec, ledger, model=self._model, mu=mu, progress=Silent())

    def _ledger(self) -> Ledger:
        schema, promised = self._codec.schema, self._guarantee
        return Ledger(
            promised["epsilon"],
            promised["delta"],
            population=schema.dataset.name,
            unit=schema.privacy.noun,
            persons=schema.privacy.persons,
            privacy_unit=privacy_unit(schema),
            thresholds=promised.get("thresholds", 0.0),
        ).allowance(promised["epsilon"], promised["delta"], label="Replicate")


def simulated(
    world: npt.NDArray[np.int32], codec: Codec, persons: int, rng: np.random.Generator
) -> EncodedRecords:
    """Records of persons drawn with replacement from the rows of a table.

    Under `weight` a person is one row, which varies no less than several rows that share its weight. Where k rows of a
    person count in full, a person is k equal rows: rows of one person vary together at most so much.

    Args:
      world: (rows, attributes) codes.
      codec: Of the table's schema.
      persons: How many rows' weight the fit counted.
      rng: Draws them.
    """
    l2 = bounding_of(codec.schema.privacy).l2
    copies = l2 // UNITS_PER_PERSON
    drawn = np.repeat(rng.integers(0, max(len(world), 1), size=-(-persons // copies)), copies) if len(world) else []
    rows = world[np.asarray(drawn, dtype=np.intp)]
    return EncodedRecords(
        domain=codec.domain,
        l2=l2,
        columns=[np.ascontiguousarray(rows[:, position]) for position in range(rows.shape[1])],
        weights=np.full(len(rows), UNITS_PER_PERSON, dtype=np.int64),
    )


def require_replicates(number: int) -> None:
    """Refuses a number of replicates that says nothing of spread, or cannot be meant.

    Raises:
      UsageError: Saying what is allowed.
    """
    if not FEWEST <= number <= MOST:
        raise UsageError(
            f"--replicates {number}: takes {FEWEST} to {MOST} refits; the spread of few is known badly. Take 20."
        )


def _marked(frame: pd.DataFrame, replicate: int) -> pd.DataFrame:
    frame.insert(0, REPLICATE_COLUMN, np.int64(replicate))
    return frame
