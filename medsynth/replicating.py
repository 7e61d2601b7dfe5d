"""Replicates: what a release would have looked like, had its own table been the population.

    release ──persons drawn at random──▶ simulated records ──the fit again──▶ model ──rows──▶ replicate 1
            ──persons drawn at random──▶ simulated records ──the fit again──▶ model ──rows──▶ replicate 2, and so on

Each replicate lies to the release as the release lies to the population: persons were sampled, noise was added, tables
were selected, rows were drawn. Only the released model is read, so that nothing of this costs privacy
(`docs/mathematics.md`, section 17).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.declared import Declared, combined
from medsynth.encoding.bounding import bounding_of
from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import MeasuredTable
from medsynth.encoding.domain import Clique
from medsynth.errors import UsageError
from medsynth.fidelity.study_fits import StudyEstimate, estimates
from medsynth.fidelity.support import Support, support
from medsynth.fitting import claim_of, fit_records, privacy_unit
from medsynth.models import MODELS
from medsynth.models.base import Fitted
from medsynth.models.graphical import GraphicalModel
from medsynth.models.model_file import ModelFile
from medsynth.models.reward import REWARD_SHARE
from medsynth.privacy.ledger import Ledger
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.progress import Progress, Silent
from medsynth.sampling.draw import Drawing, Drawn, gathered
from medsynth.sampling.how import require_rows
from medsynth.schema.table import REPLICATE_COLUMN
from medsynth.sources.encoded import EncodedRecords

FEWEST, MOST = 2, 1000
"""Replicates that may be asked for."""


class Replicates:
    """A release and refits to records simulated from it, a table at a time.

    Args:
      file: The released model.
      codec: Of its schema.
      n: Rows of each table; None draws as many as the stated persons.
      rng: Draws rows and persons; the noise of refits is the operating system's, as in every fit.
      number: Refits.
      progress: Hears of each.
      how: Fields of `How` that change nothing of who is in the tables: `clean`.

    Raises:
      UsageError: If the number is out of range, or what is asked for cannot be drawn.
    """

    def __init__(
        self,
        file: ModelFile,
        codec: Codec,
        n: int | None,
        rng: np.random.Generator,
        *,
        number: int,
        progress: Progress | None = None,
        **how: Any,
    ) -> None:
        require_replicates(number, how)
        rows = codec.schema.privacy.persons if n is None else n
        require_rows(rows)
        if not rows:
            raise UsageError("-n 0: with --replicates every table needs rows. Take a number such as 1000.")
        self.number, self._file, self._codec = number, file, codec
        self._drawn: Any = (codec, rows, rng)
        self._how: Any = {"clean": how.get("clean", False), "kind": "random"}
        self._rng, self._progress = rng, progress or Silent()
        self._release = Drawing(file.fitted, *self._drawn, **self._how)
        self._told: list[tuple[StudyEstimate, ...]] = []
        self._supported: tuple[Support, ...] = ()

    @property
    def chunks(self) -> int:
        """Number of tables."""
        return self.number + 1

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """The release, marked 0, then every replicate.

        Raises:
          UsageError: If they were drawn before: a second release would pass for a replicate of the first.
        """
        if self._told:
            raise UsageError("Replicates can be gone through once. Ask for new ones.")
        self._progress.start(DRAWING)
        release = gathered(self._release)
        claim = claim_of(self._file)
        self._supported = support(self._codec.schema, release, followed(self._file), claim.estimated_persons)
        yield self._kept(release, 0)
        world, refit = self._codec.encode(release), Refit(self._file, self._codec)
        for replicate in range(1, self.number + 1):
            self._progress.start(REFITTING.format(replicate=replicate, number=self.number))
            fitted = refit.fitted(world, self._rng)
            yield self._kept(gathered(Drawing(fitted, *self._drawn, **self._how)), replicate)
        self._progress.finish()

    def _kept(self, frame: pd.DataFrame, replicate: int) -> pd.DataFrame:
        """The table, marked; what the schema declares was estimated on it."""
        self._told.append(estimates(self._codec.schema, frame, np.ones(len(frame))))
        frame.insert(0, REPLICATE_COLUMN, np.int64(replicate))
        return frame

    @property
    def declared(self) -> tuple[Declared, ...]:
        """What the schema declares, with honest intervals, once all tables are drawn."""
        return combined(self._told, self._supported)

    @property
    def summary(self) -> Drawn:
        """How the release was drawn, with the rows of all tables."""
        drawn = self._release.summary
        return replace(drawn, rows=drawn.rows * self.chunks)

    @property
    def said(self) -> dict[str, Any]:
        """What the file says of its tables."""
        return self._release.said | {"replicates": self.number, "replicates_note": REPLICATES_NOTE}


DRAWING = "Drawing the release"
REFITTING = "Refitting, replicate {replicate} of {number}"


def steps_of(number: int) -> dict[str, float]:
    """The steps of so many replicates, for a forecast: each refit takes as long as another."""
    refits = {REFITTING.format(replicate=k, number=number): 1.0 for k in range(1, number + 1)}
    return {DRAWING: 0.3, **refits}


def followed(file: ModelFile) -> tuple[MeasuredTable, ...]:
    """The published tables that independent rows follow: those of one column, and the pairs that the tree holds."""
    fitted, tables = file.fitted, claim_of(file).measurements
    if not isinstance(fitted, GraphicalModel):
        return tables
    held = [_holds(fitted, measurement.clique) for measurement in fitted.measurements]
    return tuple(table for table, holds in zip(tables, held, strict=True) if holds)


def _holds(fitted: GraphicalModel, clique: Clique) -> bool:
    nodes = []
    for level in clique:
        attribute = fitted.domain.index(level.attribute)
        sizes = fitted.chains[attribute].sizes
        if len(clique) > 1 and level.size not in sizes:
            return False
        nodes.append((attribute, sizes.index(level.size) if level.size in sizes else 0))
    return len(clique) < 2 or fitted.tree.holds(tuple(nodes))


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
        reward = REWARD_SHARE if file.about.get("reward") else 0.0
        self._left = math.sqrt((1 - share) * (1 - reward))
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


def simulated(world: npt.NDArray[np.int32], codec: Codec, persons: int, rng: np.random.Generator) -> EncodedRecords:
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
    rows = world[np.repeat(rng.integers(0, len(world), size=-(-persons // copies)), copies)]
    return EncodedRecords(
        domain=codec.domain,
        l2=l2,
        columns=[np.ascontiguousarray(rows[:, position]) for position in range(rows.shape[1])],
        weights=np.full(len(rows), UNITS_PER_PERSON, dtype=np.int64),
    )


def require_replicates(number: int | None, asked: Mapping[str, Any]) -> None:
    """Refuses a number of replicates that says nothing of spread, and what cannot be asked for with them.

    Args:
      number: Of refits; None asks for none.
      asked: Other options of `sample` by name.

    Raises:
      UsageError: Saying what is allowed.
    """
    if number is None:
        return
    if not FEWEST <= number <= MOST:
        raise UsageError(
            f"--replicates {number}: takes {FEWEST} to {MOST} refits; the spread of few is known badly. Take 20."
        )
    for option, message in BESIDE_REPLICATES.items():
        value = asked.get(option)
        if value and (option != "kind" or value == "edited"):
            raise UsageError(message)


BESIDE_REPLICATES = {
    "where": "--where: cannot be combined with --replicates, whose refits need everybody. Leave it out, and keep the "
    "records of each replicate that satisfy it.",
    "upsample": "--upsample: cannot be combined with --replicates, whose records stand for one person each. Leave it "
    "out.",
    "given": "--given: cannot be combined with --replicates, whose records are all drawn. Leave it out.",
    "settings": "--set: cannot be combined with --replicates, whose copies would be no persons. Leave it out.",
    "oversample": "--oversample: cannot be combined with --replicates, whose records are drawn at random. Drop it.",
    "keep": "--keep: cannot be combined with --replicates, whose records are drawn at random. Drop it.",
    "kind": "--draw edited: cannot be combined with --replicates, whose records are drawn at random, so that sampling "
    "varies as it does. Leave --draw out.",
}
