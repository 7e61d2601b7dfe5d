"""Builds of medsynth with one known fault each, made by replacing a part of the real code while a fit runs.

    with broken("noise_off"):
        medsynth.Synthesizer(schema).fit(table)

The audits (`audits.py`, `tests/audit/`) must find each of them.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from medsynth import finding, fitting
from medsynth.audit import Release
from medsynth.encoding.bounding import Bounding
from medsynth.models import one_ways
from medsynth.privacy import mechanisms, releases, sampler
from medsynth.privacy.ledger import Ledger
from medsynth.schema import Schema
from medsynth.sources import open as open_records
from medsynth.synthesizer import Synthesizer
from medsynth.verifying import OwnFit

Mutation = Callable[[], AbstractContextManager[Any]]
UNITS = mechanisms.UNITS_PER_PERSON
discrete_gaussian = sampler.discrete_gaussian
"""The sound sampler, called through this name so that a simulation can stand in for it."""


def _exact(values: Any, *, sigma: float) -> Any:  # noqa: ARG001 - the mechanism's signature
    return np.asarray(values / UNITS)


def noise_off() -> AbstractContextManager[Any]:
    """The mechanism adds nothing."""
    return patch.object(mechanisms, "gaussian", _exact)


def sigma_halved() -> AbstractContextManager[Any]:
    """The noise is half as wide as booked."""
    return patch.object(
        sampler, "discrete_gaussian", lambda values, *, scale: discrete_gaussian(values, scale=scale / 2)
    )


@contextmanager
def composition_forgotten() -> Iterator[None]:
    """A batch of n tables gets, and books, the noise of one: sqrt(n) is forgotten in both places."""
    split = one_ways.split_noise

    def mean(parts: Any) -> float:
        squares = list(parts)
        return math.fsum(squares) / len(squares)

    with (
        patch.object(one_ways, "split_noise", lambda costs, budget: split(costs, budget) / math.sqrt(len(costs))),
        patch.object(releases, "math", SimpleNamespace(**vars(math) | {"fsum": mean})),
    ):
        yield


def sensitivity_sqrt_k() -> AbstractContextManager[Any]:
    """K kept rows are said to move a table by sqrt(k)."""
    wrong = property(lambda self: int(UNITS * math.sqrt(self.rows if self.rule != "weight" else 1)))
    return patch.object(Bounding, "l2", wrong)


def rows_protected() -> AbstractContextManager[Any]:
    """Every row counts as a person of its own."""
    return patch("medsynth.sources.encoded.bounding_of", lambda _: Bounding(rule="row"))


def seed_reused() -> AbstractContextManager[Any]:
    """The noise comes from a generator with one seed."""

    def drawn(values: Any, *, scale: float) -> Any:
        noise = np.random.default_rng(7).normal(0, scale, values.shape)
        return values + np.rint(noise).astype(np.int64)

    return patch.object(sampler, "discrete_gaussian", drawn)


def selection_without_noise() -> AbstractContextManager[Any]:
    """Pairs are chosen by exact distances; their cost is booked all the same."""
    sound = Ledger.distances

    def quiet(self: Ledger, *arguments: Any, **options: Any) -> Any:
        with patch.object(mechanisms, "gaussian", _exact):
            return sound(self, *arguments, **options)

    return patch.object(Ledger, "distances", quiet)


def threshold_off() -> AbstractContextManager[Any]:
    """Every label of a private category is published, however few hold it."""

    def all_labels(labels: Any, counts: Any, *, sigma: float, threshold: float) -> Any:  # noqa: ARG001 - as replaced
        return dict(zip(labels, mechanisms.gaussian(counts, sigma=sigma).tolist(), strict=True))

    return patch.object(mechanisms, "surviving", all_labels)


def domain_noise_off() -> AbstractContextManager[Any]:
    """The search of private domains counts without noise."""
    sound = fitting.find_domains

    def quiet(*arguments: Any, **options: Any) -> Any:
        with patch.object(mechanisms, "gaussian", _exact):
            return sound(*arguments, **options)

    return patch.object(fitting, "find_domains", quiet)


class _Unshared(Bounding):
    """Says that the rows of a person weigh one person together, and gives each row that weight."""

    def contributions(self, *arguments: Any) -> Any:
        """Of rows that weigh one person each."""
        return Bounding(rule="sample", rows=self.rows).contributions(*arguments)


def labels_weigh_k() -> AbstractContextManager[Any]:
    """In the search of private domains each row of a person weighs one person."""
    sound = open_records.shared_bounding
    return patch.object(open_records, "shared_bounding", lambda schema: _Unshared(**vars(sound(schema))))


def bounds_from_data() -> AbstractContextManager[Any]:
    """The bounds of private numbers are those of all occupied cells, counted without noise."""
    sound = finding._measured

    def exact(*arguments: Any) -> Any:
        with patch.object(mechanisms, "gaussian", _exact):
            return replace(sound(*arguments), sigma=2.0**-14)

    return patch.object(finding, "_measured", exact)


@contextmanager
def filter_sees_real_rows() -> Iterator[None]:
    """Synthetic rows unlike any real row, but for numbers, are thrown away as implausible."""
    fit, sample = Synthesizer.fit, Synthesizer.sample

    def remembering(self: Synthesizer, X: pd.DataFrame, y: object = None) -> Synthesizer:  # noqa: N803 (sklearn's name)
        self.seen_ = X
        return fit(self, X, y)

    def filtered(self: Synthesizer, *arguments: Any, **options: Any) -> pd.DataFrame:
        drawn = sample(self, *arguments, **options)
        columns = [name for name in drawn if not pd.api.types.is_integer_dtype(drawn[name].dtype)]
        real = {tuple(map(str, row)) for row in self.seen_[columns].fillna("missing").to_numpy()}
        plausible = [tuple(map(str, row)) in real for row in drawn[columns].astype(object).fillna("missing").to_numpy()]
        return drawn[np.array(plausible, dtype=bool)]

    with patch.object(Synthesizer, "fit", remembering), patch.object(Synthesizer, "sample", filtered):
        yield


@dataclass(frozen=True, kw_only=True)
class Build:
    """A broken build.

    Attributes:
      mutation: Makes it.
      pair: Where it shows most.
      model: That it is audited with.
      runs: Fits of each table that are enough.
      attack: What finds it on that pair.
      hidden: Whether nothing but noise hides it there, so that its power can be simulated.
    """

    mutation: Mutation
    pair: str
    model: str = "independent"
    runs: int = 60
    attack: str = "published numbers"
    hidden: bool = True


BUILDS: dict[str, Build] = {
    "noise_off": Build(mutation=noise_off, pair="nobody"),
    "sigma_halved": Build(mutation=sigma_halved, pair="nobody", runs=600),
    "composition_forgotten": Build(mutation=composition_forgotten, pair="nobody", runs=600),
    "sensitivity_sqrt_k": Build(mutation=sensitivity_sqrt_k, pair="many_rows_kept", runs=600),
    "threshold_off": Build(mutation=threshold_off, pair="private_labels", runs=100, hidden=False),
    "domain_noise_off": Build(mutation=domain_noise_off, pair="private_threshold", runs=100, hidden=False),
    "labels_weigh_k": Build(mutation=labels_weigh_k, pair="private_labels", runs=100, hidden=False),
    "bounds_from_data": Build(mutation=bounds_from_data, pair="private_number", runs=100, hidden=False),
    "rows_protected": Build(mutation=rows_protected, pair="many_rows"),
    "seed_reused": Build(mutation=seed_reused, pair="nobody"),
    "selection_without_noise": Build(
        mutation=selection_without_noise,
        pair="flipped_selection",
        model="mst",
        runs=100,
        attack="support",
        hidden=False,
    ),
    "filter_sees_real_rows": Build(
        mutation=filter_sees_real_rows, pair="nobody", runs=600, attack="synthetic rows", hidden=False
    ),
}


@dataclass(frozen=True, kw_only=True)
class BrokenFit:
    """Public fit and sample of a broken build; workers can import it."""

    build: str

    def __call__(self, table: pd.DataFrame, schema: Schema) -> Release:
        """Fits and draws once."""
        build = BUILDS[self.build]
        with build.mutation():
            return OwnFit(model=build.model)(table, schema)
