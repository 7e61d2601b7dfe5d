"""Cox models of the declared time and event, by `lifelines` (extra `survival`), with settings fixed in advance."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd

from medsynth.encoding.comparison import Comparison, Part
from medsynth.encoding.domain import IntArray, Level
from medsynth.fidelity.beliefs import calm
from medsynth.fidelity.followup import Followed
from medsynth.fidelity.learners import BoolArray, Feature, features_of
from medsynth.fidelity.resolution import group_labels
from medsynth.fidelity.tables import FloatArray
from medsynth.fidelity.target import UnusableError, not_features, some_of

MOST_ROWS = 10_000
MOST_WEIGHTED_ROWS = 3_000
"""Where rows have weights or persons several rows: the variance that allows for it takes much longer."""
MOST_COVARIATES = 60
SMALLEST_SHARE = 0.02
PENALTY = 0.01
FEWEST_EVENTS = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Covariate:
    """One column of a Cox model.

    Attributes:
      name: As it is shown.
      feature: Column of the codes.
      group: The group whose members have 1; None for a rank from 0 (lowest) to 1 (highest).
    """

    name: str
    feature: Feature
    group: int | None

    def values(self, codes: IntArray) -> FloatArray:
        """(n,)."""
        groups = self.feature.groups[codes[:, self.feature.position]]
        if self.group is not None:
            return np.asarray(groups == self.group, dtype=np.float64)
        ranks: FloatArray = np.where(groups < self.feature.ordered, groups / max(1, self.feature.ordered - 1), 0.0)
        return ranks


@dataclass(frozen=True, kw_only=True, eq=False)
class Hazards:
    """A fitted Cox model: logarithms of hazard ratios with their 95 % interval, one entry per covariate."""

    value: FloatArray
    low: FloatArray
    high: FloatArray

    @property
    def clear(self) -> BoolArray:
        """Whose interval does not hold 0."""
        return np.asarray((self.low > 0) | (self.high < 0))


def covariates_of(comparison: Comparison, people: Followed) -> tuple[Covariate, ...]:
    """Ranks of ordered columns and indicators of groups that 2 % of the training people have, but for the largest.

    Raises:
      UnusableError: If there is none.
    """
    codes, weights = comparison.codes("train")[people.positions], people.weights / people.weights.sum()
    found: list[Covariate] = []
    for feature in features_of(comparison.domain.attributes, not_features(comparison)):
        attribute = comparison.domain.attributes[feature.position]
        labels = group_labels(
            comparison, feature.position, Level(attribute=attribute.name, groups=feature.groups, size=feature.size)
        )
        shares = np.bincount(feature.groups[codes[:, feature.position]], weights, feature.size)
        if feature.ordered:
            found.append(Covariate(name=attribute.name, feature=feature, group=None))
            shares[: feature.ordered] = 0
        else:
            shares[int(shares.argmax())] = 0
        found += [
            Covariate(name=f"{attribute.name} = {labels[group]}", feature=feature, group=int(group))
            for group in np.flatnonzero(shares >= SMALLEST_SHARE)
        ]
    spreads = np.array([_spread(covariate.values(codes), weights) for covariate in found])
    kept = [place for place in np.argsort(-spreads, kind="stable")[:MOST_COVARIATES] if spreads[place] > 0]
    if not kept:
        raise UnusableError("no column is left to predict it from.")
    return tuple(found[place] for place in sorted(kept))


def _spread(values: FloatArray, weights: FloatArray) -> float:
    return float((weights * (values - (weights * values).sum()) ** 2).sum())


def design(covariates: Sequence[Covariate], codes: IntArray) -> FloatArray:
    """(n, covariates)."""
    return np.column_stack([covariate.values(codes) for covariate in covariates])


def fit_hazards(comparison: Comparison, part: Part, people: Followed, covariates: Sequence[Covariate]) -> Hazards:
    """A ridge-penalised Cox model of one table; its variance allows for weights and for several rows of a person.

    Raises:
      UnusableError: If lifelines is not installed, there are too few events, or it finds no maximum.

    Source: Cox (1972), doi:10.1111/j.2517-6161.1972.tb00899.x; Lin and Wei (1989), doi:10.1080/01621459.1989.10478874.
    """
    lifelines = _lifelines()
    several = int(people.persons.max()) + 1 < len(people.persons)
    weighted = several or not np.allclose(people.weights, people.weights[0])
    people = people.take(some_of(len(people.times), MOST_WEIGHTED_ROWS if weighted else MOST_ROWS))
    if people.events.sum() < FEWEST_EVENTS:
        raise UnusableError(f"the {part} table shows fewer than {FEWEST_EVENTS} events.")
    columns = [str(place) for place in range(len(covariates))]
    frame = pd.DataFrame(design(covariates, comparison.codes(part)[people.positions]), columns=columns)
    frame = frame.assign(time=people.times, event=people.events.astype(int))
    options: dict[str, Any] = {}
    if weighted:
        frame = frame.assign(weight=people.weights, person=people.persons)
        options = {"weights_col": "weight", "cluster_col": "person"}
    with calm():
        try:
            model = lifelines.CoxPHFitter(penalizer=PENALTY).fit(frame, "time", "event", **options)
        except (lifelines.exceptions.ConvergenceError, np.linalg.LinAlgError, ValueError):
            raise UnusableError(f"a Cox model of the {part} table was not found.") from None
    ends = model.confidence_intervals_.loc[columns].to_numpy()
    return Hazards(value=model.params_.loc[columns].to_numpy(), low=ends[:, 0], high=ends[:, 1])


def _lifelines() -> Any:
    try:
        return import_module("lifelines")
    except ImportError:
        raise UnusableError(
            "Cox models need lifelines, which is not installed. Run pip install 'medsynth-dp[survival]'."
        ) from None


def same_signs(own: Hazards, real: Hazards) -> float | None:
    """Of the ratios clearly apart from 1 in the real table, the share on the same side of 1; None if there is none."""
    clear = real.clear
    return float((np.sign(own.value) == np.sign(real.value))[clear].mean()) if clear.any() else None


def overlapping(own: Hazards, real: Hazards) -> float:
    """Share of the ratios whose two intervals overlap."""
    return float(((own.low <= real.high) & (real.low <= own.high)).mean())
