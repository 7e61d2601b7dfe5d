"""The Python class: fit, sample, save, load, with the manners of scikit-learn."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from medsynth.encoding.codec import Codec
from medsynth.finding import kept_for_thresholds
from medsynth.fitting import FitRequest, fit_model, open_ledger, require_sound
from medsynth.models.model_file import ModelFile, load_model, save_model
from medsynth.privacy.guarantee import Guarantee
from medsynth.privacy.ledger import Ledger
from medsynth.progress import Silent
from medsynth.replicating import Replicates
from medsynth.sampling.draw import gathered
from medsynth.sampling.how import MOST_ROWS, generator
from medsynth.sampling.what_if import drawing_of
from medsynth.schema import Schema, load_schema, parse_schema
from medsynth.sources.frame import FrameSource

if TYPE_CHECKING:
    from os import PathLike


class Synthesizer(BaseEstimator):  # type: ignore[misc]
    """Fits a private table under differential privacy and samples synthetic records from it.

    Args:
      schema: A `Schema`, the path of a schema file, or the name of a shipped one.
      epsilon: Privacy loss of a fit; None takes the schema's.
      delta: None takes the schema's.
      model: adaptive, mst or independent.
      ledger: A `Ledger` or the path of a budget file that many fits of one population share. None gives every fit a
        budget of its own in memory: who fits the same people twice must add up the epsilons.
      reward: Whether a tenth of the budget buys what `sample(oversample=...)` then selects by, too.

    Attributes:
      guarantee_: What the last fit promises.
      model_: The fitted model with its public facts; may be shared.
    """

    def __init__(
        self,
        schema: "Schema | str | PathLike[str]",
        *,
        epsilon: float | None = None,
        delta: float | None = None,
        model: str = "adaptive",
        ledger: "Ledger | str | PathLike[str] | None" = None,
        reward: bool = False,
    ) -> None:
        self.schema = schema
        self.epsilon = epsilon
        self.delta = delta
        self.model = model
        self.ledger = ledger
        self.reward = reward

    def __sklearn_clone__(self) -> Self:
        """An unfitted copy that spends from the same ledger: a copied ledger would be a second budget."""
        return type(self)(**self.get_params(deep=False))

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:  # noqa: N803, ARG002 (scikit-learn's names)
        """Fits the model.

        Args:
          X: Private rows with the schema's columns. No row's content raises or warns.
          y: Ignored.

        Raises:
          DataError: If a column is absent.
          BudgetError: If the ledger does not allow the fit.
          InputError: If the ledger's privacy unit is not the schema's.
        """
        schema = self.schema if isinstance(self.schema, Schema) else load_schema(str(self.schema))
        request = FitRequest(
            schema=schema, model=self.model, epsilon=self.epsilon, delta=self.delta, reward=self.reward
        )
        require_sound(request)
        self.model_ = fit_model(FrameSource(frame=X), request, self._ledger(request), Silent())
        return self

    def _ledger(self, request: FitRequest) -> Ledger:
        if isinstance(self.ledger, Ledger):
            return self.ledger
        if self.ledger is not None:
            return open_ledger(request.schema, self.ledger)
        epsilon, delta = request.budget
        privacy = request.schema.privacy
        population = request.schema.dataset.name
        return Ledger(
            epsilon,
            delta,
            population=population,
            unit=privacy.noun,
            persons=privacy.persons,
            thresholds=kept_for_thresholds(request.schema, delta),
        )

    @property
    def guarantee_(self) -> Guarantee:
        """What the last fit promises."""
        plain = self._fitted().guarantee
        return Guarantee.of(
            plain["epsilon"],
            plain["delta"],
            unit=plain["unit"],
            persons=plain["persons"],
            thresholds=plain.get("thresholds", 0.0),
        )

    def sample(
        self,
        n: int | None = None,
        *,
        where: str | None = None,
        upsample: Mapping[str, float] | None = None,
        given: pd.DataFrame | None = None,
        set: Mapping[str, Any] | None = None,
        seed: int | None = None,
        draw: str | None = None,
        force: bool = False,
        clean: bool = False,
        oversample: int | None = None,
        keep: float | None = None,
    ) -> pd.DataFrame:
        """Draws synthetic records; costs no privacy.

        Args:
          n: Rows; None draws as many as the stated persons, or as are given.
          where: A predicate every record shall satisfy.
          upsample: Rare condition of the schema to wanted share; adds a column `_weight` that restores the population.
          given: Records to be completed in their order: empty cells are drawn exactly given the others, which stay as
            they are; `(missing)` is a cell that is missing on purpose. With n, a multiple of their number, they are
            gone through several times.
          set: Column to value: every record is followed by a what-if copy in which these columns are set and all else
            changes only as far as the model asks; `_copy` and `_pair` tell which is which. Not a causal effect.
          seed: Same seed and model, same records.
          draw: "edited" (default) lies as close to the model as records can, right for a table that is shared; "random"
            gives independent records, right for standard errors.
          force: Raise conditions that are below the noise, too, and complete or copy records that are given or set
            into one; those records are fiction.
          clean: Also holds the schema's `plausible` rules: doubtful records are not passed on.
          oversample: Records are selected from a pool of so many times their number, until pairs of columns are as the
            model has them; no level that a single draw holds is lost. They are not independent, whatever `draw` is.
          keep: Part of that pool to select from, the most and the least probable left out. Narrows diversity.

        Raises:
          UsageError: If the predicate, a name, a share or a given or set value is wrong, or a condition is below the
            noise.
        """
        file = self._fitted()
        codec = _codec(file.schema)
        how: Any = {"where": where, "upsample": upsample, "force": force, "clean": clean}
        how |= {"oversample": oversample, "keep": keep} | ({} if draw is None else {"kind": draw})
        asked: Any = {"n": n, "given": given, "settings": set, "most": MOST_ROWS}
        return gathered(drawing_of(file.fitted, codec, generator(seed), **asked, **how))

    def replicates(self, number: int = 20, *, n: int | None = None, seed: int | None = None) -> "Replicates":
        """A release and refits to records simulated from it, for honest intervals; costs no privacy.

        Iterate over it for one frame per table, marked in `_replicate` (0 is the release); then `declared` holds what
        the schema declares with its intervals, and `medsynth.inference.combine` makes one of any other estimate.

        Args:
          number: Refits; each takes as long as the fit.
          n: Rows of each table; None draws as many as the stated persons.
          seed: Of rows and persons. The noise of refits is the operating system's and has no seed.

        Raises:
          UsageError: If a number is out of range.
        """
        file = self._fitted()
        return Replicates(file, _codec(file.schema), n, generator(seed), number=number)

    def save(self, path: "str | PathLike[str]") -> None:
        """Writes the model as one file that can be shared: noised measurements and public settings."""
        save_model(Path(path), self._fitted())

    @classmethod
    def load(cls, path: "str | PathLike[str]") -> Self:
        """Reads a model file.

        Raises:
          ModelFileError: If it is damaged, altered or of another version.
        """
        file = load_model(Path(path))
        loaded = cls(parse_schema(file.schema, where=str(path)), model=str(file.about.get("model", "adaptive")))
        loaded.model_ = file
        return loaded

    def _fitted(self) -> ModelFile:
        file: Any = getattr(self, "model_", None)
        if file is None:
            raise NotFittedError("This Synthesizer is not fitted yet. Call fit with a table first.")
        return file  # type: ignore[no-any-return]


@lru_cache(maxsize=8)
def _codec(schema: str) -> Codec:
    """The codec of a schema's text; drawing again does not read it again."""
    return Codec(schema=parse_schema(schema, where="model"))
