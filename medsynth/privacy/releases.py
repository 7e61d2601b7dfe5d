"""What a ledger can release: noisy tables, noisy distances, labels above a threshold, events booked for others.

Every release books its cost first, then counts, then adds noise, in one call.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from medsynth.errors import UsageError
from medsynth.privacy import mechanisms
from medsynth.privacy.accountant import Event, GaussianEvent, mu_of
from medsynth.privacy.budget import Entry
from medsynth.privacy.interactions import parts_mu
from medsynth.privacy.measurement import (
    Clique,
    Countable,
    Measurement,
    count,
    drawn_sigma,
    in_persons,
    on_lattice,
    sensitivities,
    shape_of,
)
from medsynth.privacy.thresholds import LabelCounts, Survivors, calibrated, labels_counted


class Releases(ABC):
    """The releases of a `Ledger`, which keeps the book."""

    _run: int

    @abstractmethod
    def _append(self, entry: Entry) -> Entry:
        """Admits an entry under all limits and books it."""

    def measure(
        self,
        records: Countable,
        cliques: Sequence[Clique],
        sigmas: Sequence[float],
        *,
        label: str,
        interactions: bool = False,
    ) -> list[Measurement]:
        """Publishes noisy tables: books their joint cost as one entry, counts, adds noise.

        Args:
          records: Private rows that can be counted.
          cliques: The tables.
          sigmas: Standard deviation of the noise on a cell of each table, in persons.
          label: What is released, in words.
          interactions: Publish only what each table holds beyond its margins; two groups or more an axis.

        Returns:
          One measurement per clique, in order; without a clique nothing is booked.

        Raises:
          BudgetError: If the cost does not fit; nothing is booked, counted or drawn then.

        Formal guarantee:
          mu-GDP under add/remove of one person, mu = sqrt(sum of (sensitivity / sigma)^2), the booked cost.
          The sensitivity of a table is l2, that of its interactions `interaction_sensitivity`.
          The noise drawn is wider than sigma by 1 + 2e-9 or more, which covers the lattice.
        """
        if not cliques:
            return []
        moved = sensitivities(records, cliques, interactions=interactions)
        entry = self._book_noise(
            sigmas,
            moved,
            Entry(
                number=0,
                run=self._run,
                label=label,
                kind="interactions" if interactions else "marginals",
                mu=0,
                tables=len(cliques),
                cells=sum(math.prod(shape_of(clique)) for clique in cliques),
            ),
        )
        return self._noised(records, cliques, sigmas, entry.number, interactions=interactions)

    def measure_parts(
        self,
        parts: Sequence[Countable],
        cliques: Sequence[Sequence[Clique]],
        sigmas: Sequence[Sequence[float]],
        *,
        label: str,
    ) -> list[list[Measurement]]:
        """Publishes interactions of disjoint parts of the rows, at the cost of the dearest part alone.

        Args:
          parts: What `Records.parts` gives: no row is in two of them, and all have the sensitivity of the whole.
          cliques: The tables of each part, two groups or more an axis; a table without axes is a count.
          sigmas: Standard deviation of the noise on a cell of each table, in persons.
          label: What is released, in words.

        Returns:
          Per part, one measurement per clique; without any clique nothing is booked.

        Raises:
          BudgetError: If the cost does not fit; nothing is booked, counted or drawn then.

        Formal guarantee:
          mu-GDP under add/remove of one person; mu, the booked cost, is the largest over the parts of
          sqrt(sum of (sensitivity / sigma)^2), plus what rounding may add. A row moves the tables of its own part
          alone, and the weights of a person's rows sum to l2 at most. Source: `docs/mathematics.md`, section 13.
        """
        if not any(cliques):
            return [[] for _ in parts]
        entry = self._append(self._of_parts(parts, cliques, sigmas, label))
        return [
            self._noised(part, own, noise, entry.number, interactions=True)
            for part, own, noise in zip(parts, cliques, sigmas, strict=True)
        ]

    def _noised(
        self,
        records: Countable,
        cliques: Sequence[Clique],
        sigmas: Sequence[float],
        entry: int,
        *,
        interactions: bool,
    ) -> list[Measurement]:
        """Counts and adds noise, once that is booked: a crash must not leave unrecorded noise."""
        tables = count(records, cliques, interactions=interactions)
        moved = sensitivities(records, cliques, interactions=interactions)
        return [
            Measurement(
                clique=clique,
                noisy=mechanisms.gaussian(table, sigma=drawn_sigma(sigma)),
                sigma=float(sigma),
                sensitivity=sensitivity,
                entry=entry,
                interactions=interactions,
            )
            for clique, table, sigma, sensitivity in zip(cliques, tables, sigmas, moved, strict=True)
        ]

    def _of_parts(
        self,
        parts: Sequence[Countable],
        cliques: Sequence[Sequence[Clique]],
        sigmas: Sequence[Sequence[float]],
        label: str,
    ) -> Entry:
        """The entry of `measure_parts`, before it is booked."""
        for sigma in (sigma for noise in sigmas for sigma in noise):
            mechanisms.check_sigma(sigma)
        shapes = [[shape_of(clique) for clique in own] for own in cliques]
        units = [[sigma * mechanisms.UNITS_PER_PERSON for sigma in noise] for noise in sigmas]
        l2 = max(part.l2 for part in parts)
        flat = [shape for own in shapes for shape in own]
        return Entry(
            number=0,
            run=self._run,
            label=label,
            kind="interactions" if any(flat) else "marginals",
            mu=GaussianEvent(parts_mu(l2, shapes, units)).mu,
            tables=len(flat),
            cells=sum(math.prod(shape) for shape in flat),
            sigma_low=float(min(sigma for noise in sigmas for sigma in noise)),
            sigma_high=float(max(sigma for noise in sigmas for sigma in noise)),
            sensitivity=in_persons(l2),
        )

    def distances(
        self,
        records: Countable,
        cliques: Sequence[Clique],
        references: Sequence[npt.NDArray[np.float64]],
        sigma: float,
        *,
        label: str,
    ) -> tuple[npt.NDArray[np.float64], int]:
        """Publishes how far each table lies from a public reference: noisy L1 distances.

        One person adds a nonnegative vector of sum at most l2 to a table: all of that person's rows
        are counted in it, none twice. By the triangle inequality the table's L1 distance to a fixed
        reference moves by at most l2; a vector of P distances has L2 sensitivity sqrt(P) l2.

        Args:
          records: Private rows that can be counted.
          cliques: The P tables.
          references: A public or noisy table per clique, in persons; rounded to the lattice.
          sigma: Standard deviation of the noise on a distance, in persons.
          label: What is released, in words.

        Returns:
          float64 array (P,) of noisy distances in persons, and the number of the ledger entry.

        Raises:
          BudgetError: If the cost does not fit; nothing is booked, counted or drawn then.

        Formal guarantee:
          mu-GDP under add/remove of one person, mu = sqrt(P) l2 / sigma, the booked cost.
        """
        targets = [on_lattice(table, clique) for table, clique in zip(references, cliques, strict=True)]
        sensitivity = math.sqrt(len(cliques)) * in_persons(records.l2)
        settings = Entry(
            number=0,
            run=self._run,
            label=label,
            kind="distances",
            mu=0,
            tables=len(cliques),
            cells=len(cliques),
        )
        entry = self._book_noise([sigma], [sensitivity], settings)
        tables = count(records, cliques)
        exact = [int(np.abs(table - target).sum()) for table, target in zip(tables, targets, strict=True)]
        return mechanisms.gaussian(np.array(exact, dtype=np.int64), sigma=drawn_sigma(sigma)), entry.number

    def threshold(self, records: LabelCounts, column: str, *, sigma: float, delta: float, label: str) -> Survivors:
        """Publishes which labels of a column enough persons hold, with noisy counts of these alone.

        Args:
          records: Private rows whose labels can be counted.
          column: The column.
          sigma: Standard deviation of the noise on a count, in persons.
          delta: Bounds the chance that any label is published that one person alone holds.
          label: What is released, in words.

        Raises:
          BudgetError: If the cost in mu or delta does not fit; nothing is booked, counted or drawn then.
          UsageError: If sigma or delta is outside its range.

        Formal guarantee:
          But for an event of probability delta at most, mu-GDP under add/remove of one person,
          mu = l2 / sigma; mu and delta are booked. Source: `docs/mathematics.md`, on thresholds.
        """
        threshold = calibrated(records, sigma=sigma, delta=delta)
        settings = Entry(number=0, run=self._run, label=label, kind="threshold", mu=0, delta=threshold.delta)
        # Booked before the count: a crash must not leave unrecorded noise. Tables and cells stay 0: how many
        # labels there are is private.
        entry = self._book_noise([sigma], [threshold.sensitivity], replace(settings, tables=1))
        labels, counts = labels_counted(records, column)
        passed = mechanisms.surviving(labels, counts, sigma=drawn_sigma(sigma), threshold=threshold.persons)
        kept = tuple(sorted(passed))
        noisy = np.array([passed[name] for name in kept], dtype=np.float64)
        return Survivors(labels=kept, noisy=noisy, threshold=threshold, entry=entry.number)

    def book(self, event: Event, *, label: str) -> int:
        """Books the cost of a release that is made elsewhere, before it is made.

        Returns:
          The number of the entry.

        Raises:
          BudgetError: If the cost does not fit; nothing is booked then.
          UsageError: If the cost of such an event has no proof.
        """
        mu = mu_of(event)
        return self._append(Entry(number=0, run=self._run, label=label, kind=event.kind, mu=mu)).number

    def _book_noise(self, sigmas: Sequence[float], sensitivities: Sequence[float], settings: Entry) -> Entry:
        """Books Gaussian releases that share one entry."""
        if len(sigmas) != len(sensitivities) or settings.tables < 1:
            raise UsageError(f"{settings.label}: needs at least one table, and one sigma for each.")
        for sigma in sigmas:
            mechanisms.check_sigma(sigma)
        parts = ((s / sigma) ** 2 for s, sigma in zip(sensitivities, sigmas, strict=True))
        mu = GaussianEvent(math.sqrt(math.fsum(parts))).mu
        low, high, moved = float(min(sigmas)), float(max(sigmas)), max(sensitivities)
        return self._append(replace(settings, mu=mu, sigma_low=low, sigma_high=high, sensitivity=moved))
