"""The ledger: books the cost of a release, then counts, then adds noise, in one call.

    population's limit        a filter on the sum of mu^2 over every release from one population
    └── allowance of a fit    a second filter, on that fit's own releases: its guarantee

Both refuse before anything is booked, counted or drawn.
"""

import hashlib
import hmac
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsynth.errors import InputError, UsageError
from medsynth.privacy import mechanisms
from medsynth.privacy.accountant import Event, GaussianEvent, epsilon_from, mu_of
from medsynth.privacy.budget import Entry, State, admit, header, spend, today
from medsynth.privacy.budget_file import FileBook, Line, MemoryBook
from medsynth.privacy.fingerprint import TableNotes
from medsynth.privacy.guarantee import Guarantee
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


class Ledger(TableNotes):
    """The privacy budget of one population, in memory or in a file.

    Args:
      epsilon: Limit for all that is ever released. An existing file's limit stands.
      delta: Its delta; None takes the default for `persons`.
      population: The people the data are about; refreshes, subsets and joins share one budget.
      unit: Who is protected, in the words of the table.
      persons: Stated, public number of persons.
      privacy_unit: Who counts as one person, `rows` or `column 'NAME'`; None leaves it to the first fit that says it.
      path: Budget file, made if missing; None keeps the budget in memory.

    Raises:
      UsageError: If epsilon or delta is outside its range.
      InputError: If the file was edited, or belongs to another population or privacy unit.
      OutputError: If the file cannot be written.

    >>> ledger = Ledger(1.0, 1e-6, population="clinic", unit="patient")
    >>> fit = ledger.allowance(0.5)
    >>> fit.book(GaussianEvent(0.1), label="Marginal (sex)")
    1
    >>> [entry.label for entry in ledger.entries], round(ledger.remaining_epsilon, 2)
    (['Marginal (sex)'], 0.9)
    """

    def __init__(
        self,
        epsilon: float,
        delta: float | None = None,
        *,
        population: str = "unnamed",
        unit: str = "person",
        persons: int | None = None,
        privacy_unit: str | None = None,
        path: str | Path | None = None,
    ) -> None:
        limit = Guarantee.of(epsilon, delta, unit=unit, persons=persons)
        if path is None:
            book = MemoryBook(header(limit, population, privacy_unit))
        else:
            book = FileBook(path, lambda: header(limit, population, privacy_unit))
        self._attach(book)
        if self.population != population:
            raise InputError(
                f"{path}: belongs to population '{self.population}', not '{population}'. "
                "Name another file with --ledger."
            )
        self._state().require_unit(privacy_unit, book.name)

    @classmethod
    def open(cls, path: str | Path) -> "Ledger":
        """Opens a budget file that exists, and verifies its chain.

        Raises:
          InputError: If it is missing, was edited, or is no budget file of this version.
        """
        ledger = cls.__new__(cls)
        ledger._attach(FileBook(path))
        return ledger

    def _attach(self, book: MemoryBook, run: int = 0, own: Guarantee | None = None) -> None:
        self._book = book
        self._run = run
        self._own = own
        self._header = book.lines()[0]
        self._known: State | None = None
        self._state()

    def __repr__(self) -> str:
        limit = self.guarantee
        return f"Ledger(population={self.population!r}, epsilon={limit.epsilon}, delta={limit.delta})"

    @property
    def population(self) -> str:
        """The people the budget belongs to."""
        return str(self._header["population"])

    @property
    def guarantee(self) -> Guarantee:
        """What holds for all releases under this ledger; for an allowance, the fit's own limit."""
        return self._own or self._state().limit

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The booked releases, oldest first; of this fit alone for an allowance."""
        return self._mine(self._state().entries)

    @property
    def spent_mu2(self) -> float:
        """Sum of mu^2 over `entries`."""
        return spend(self.entries)

    @property
    def remaining_mu2(self) -> float:
        """The mu^2 still free, under the fit's own limit and the population's."""
        state = self._state()
        filters = [(state.limit, state.entries), (self.guarantee, self._mine(state.entries))]
        return max(0.0, min(limit.mu**2 - spend(entries) for limit, entries in filters))

    @property
    def remaining_epsilon(self) -> float:
        """The epsilon that one further fit could have, at the same delta."""
        # Rounded down, so that asking for exactly this much is not refused.
        return epsilon_from(math.sqrt(self.remaining_mu2), self.guarantee.delta) * (1 - 1e-9)

    def allowance(
        self,
        epsilon: float,
        delta: float | None = None,
        *,
        label: str = "Fit",
        unit: str | None = None,
        persons: int | None = None,
        privacy_unit: str | None = None,
    ) -> "Ledger":
        """A ledger for one fit: it may spend (epsilon, delta) of the budget, and not more.

        Args:
          epsilon: The fit's own epsilon.
          delta: Its delta; None takes the population's.
          label: What the fit is, in words; goes to the file.
          unit: Who is protected, in the words of the fit's table; None takes the population's.
          persons: Stated, public number of persons of the fit's table; None takes the population's.
          privacy_unit: Who counts as one person in the fit, as for the class.

        Returns:
          A ledger on the same budget whose `guarantee` and `entries` are the fit's own.

        Raises:
          BudgetError: If the population cannot pay for it; nothing is booked then.
          InputError: If the budget has another privacy unit; nothing is booked then.
          UsageError: If a number is outside its range, or this ledger is an allowance itself.
        """
        if self._own is not None:
            raise UsageError("An allowance cannot be divided again. Ask the population's ledger.")
        limit = self.guarantee
        own = Guarantee.of(
            epsilon,
            limit.delta if delta is None else delta,
            unit=limit.unit if unit is None else unit,
            persons=limit.persons if persons is None else persons,
        )

        def decide(lines: Sequence[Line]) -> Line:
            state = self._state(lines)
            state.require_unit(privacy_unit, self._book.name)
            admit(state.limit, state.entries, own.mu, label=label, fix=self._population_fix)
            settings = {"epsilon": own.epsilon, "delta": own.delta, "label": label, "privacy_unit": privacy_unit}
            return {"kind": "run", "run": state.runs + 1, "date": today(), **settings}

        fit = Ledger.__new__(Ledger)
        fit._attach(self._book, self._book.append(decide)["run"], own)
        return fit

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
        # Booked before the count: a crash must not leave unrecorded noise.
        tables = count(records, cliques, interactions=interactions)
        return [
            Measurement(
                clique=clique,
                noisy=mechanisms.gaussian(table, sigma=drawn_sigma(sigma)),
                sigma=float(sigma),
                sensitivity=sensitivity,
                entry=entry.number,
                interactions=interactions,
            )
            for clique, table, sigma, sensitivity in zip(cliques, tables, sigmas, moved, strict=True)
        ]

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

    def key(self, purpose: str) -> bytes:
        """A secret key of 32 bytes for one purpose, the same for the life of the budget.

        Keyed hashes decide which rows of a person are kept and who is held out; nobody outside
        can recompute them.
        """
        secret = bytes.fromhex(self._header["key"])
        return hmac.new(secret, purpose.encode(), hashlib.sha256).digest()

    def set_limit(self, epsilon: float, delta: float | None = None) -> Guarantee:
        """Changes the population's limit; the change stays visible in the file.

        Args:
          epsilon: The new limit.
          delta: Its delta; None keeps the present one.

        Raises:
          BudgetError: If more than that is spent already.
          UsageError: If a number is outside its range, or this ledger is a fit's allowance.
        """
        if self._own is not None:
            raise UsageError("The limit belongs to the population. Change it in the population's ledger.")
        old = self.guarantee
        new = Guarantee.of(epsilon, old.delta if delta is None else delta, unit=old.unit, persons=old.persons)

        def decide(lines: Sequence[Line]) -> Line:
            entries = self._state(lines).entries
            admit(new, entries, 0.0, label=f"Limit of '{self.population}'", fix="Set a limit above the spend.")
            return {"kind": "limit", "epsilon": new.epsilon, "delta": new.delta, "date": today()}

        self._book.append(decide)
        return new

    def verify(self) -> str:
        """Verifies the whole chain anew; its head, kept elsewhere, shows a restored old copy.

        Returns:
          The head: the chain value of the last line.

        Raises:
          InputError: If a line was edited, removed or inserted.
        """
        book = self._book.reopened()
        State.of(book.lines(), book.name)
        return book.head()

    def _mine(self, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return entries if self._own is None else tuple(e for e in entries if e.run == self._run)

    @property
    def _population_fix(self) -> str:
        return f"Lower --epsilon, or raise the limit of '{self.population}' with `medsynth ledger set-limit`."

    def _state(self, lines: Sequence[Line] | None = None) -> State:
        """What all lines add up to; lines are only ever appended, so old ones are read once."""
        lines = self._book.lines() if lines is None else lines
        state = State.of(lines, self._book.name, self._known)
        self._known = state
        return state

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

    def _append(self, entry: Entry) -> Entry:
        """Admits an entry under both filters and books it, as one step for all programs."""

        def decide(lines: Sequence[Line]) -> Line:
            state = self._state(lines)
            if self._own is not None:
                own_fix = "Raise --epsilon, or fit without it."
                admit(self._own, self._mine(state.entries), entry.mu, label=entry.label, fix=own_fix)
            admit(state.limit, state.entries, entry.mu, label=entry.label, fix=self._population_fix)
            booked = replace(entry, number=len(state.entries) + 1)
            return {"kind": "entry", "date": today(), "entry": booked.as_dict()}

        return Entry(**self._book.append(decide)["entry"])
