"""The ledger: the budget of a population and of its fits; what it can release is in `releases`.

    population's limit        a filter on the sums of mu^2 and of delta over every release from one population
    └── allowance of a fit    a second filter, on that fit's own releases: its guarantee

Both refuse before anything is booked, counted or drawn.
"""

import hashlib
import hmac
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from medsynth.errors import BudgetError, InputError, UsageError
from medsynth.privacy.accountant import epsilon_from
from medsynth.privacy.budget import Entry, State, admit, header, spend, spend_delta, today
from medsynth.privacy.budget_file import FileBook, Line, MemoryBook
from medsynth.privacy.fingerprint import TableNotes
from medsynth.privacy.guarantee import Guarantee, gaussian_delta
from medsynth.privacy.releases import Releases


class Ledger(Releases, TableNotes):
    """The privacy budget of one population, in memory or in a file.

    Args:
      epsilon: Limit for all that is ever released. An existing file's limit stands.
      delta: Its delta; None takes the default for `persons`.
      population: The people the data are about; refreshes, subsets and joins share one budget.
      unit: Who is protected, in the words of the table.
      persons: Stated, public number of persons.
      privacy_unit: Who counts as one person, `rows` or `column 'NAME'`; None leaves it to the first fit that says it.
      path: Budget file, made if missing; None keeps the budget in memory.
      thresholds: The part of delta kept for thresholds, of all fits together. An existing file's stands.

    Raises:
      UsageError: If epsilon or delta is outside its range.
      InputError: If the file was edited, or belongs to another population or privacy unit.
      OutputError: If the file cannot be written.

    >>> from medsynth.privacy.accountant import GaussianEvent
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
        thresholds: float = 0.0,
    ) -> None:
        limit = Guarantee.of(epsilon, delta, unit=unit, persons=persons, thresholds=thresholds)
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

    def _attach(self, book: MemoryBook, run: int = 0, own: Guarantee | None = None, part: str = "") -> None:
        self._book = book
        self._run = run
        self._own = own
        self._part = part
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
        """Sum of mu^2 over the `entries` that count one person; of persons held out and not, the dearer."""
        return spend(self.entries)

    @property
    def remaining_mu2(self) -> float:
        """The mu^2 still free, under the fit's own limit and the population's."""
        state = self._state()
        filters = [(state.limit, state.entries), (self.guarantee, self._mine(state.entries))]
        return max(0.0, min(limit.mu**2 - spend(entries, self._part) for limit, entries in filters))

    @property
    def remaining_epsilon(self) -> float:
        """The epsilon that one further fit could have, at the same delta."""
        limit = self.guarantee
        left = gaussian_delta(limit.delta, limit.thresholds)
        # Rounded down, so that asking for exactly this much is not refused.
        return epsilon_from(math.sqrt(self.remaining_mu2), left) * (1 - 1e-9)

    @property
    def spent_delta(self) -> float:
        """Sum of delta over the thresholds among `entries`."""
        return spend_delta(self.entries)

    @property
    def threshold_delta(self) -> float:
        """What of delta this fit may spend on thresholds: as large a part of what is kept as it has of mu^2.

        All fits together then spend what is kept when they have spent mu^2, and not before.
        """
        return _threshold_delta(self._state().limit, self.guarantee)

    def allowance(
        self,
        epsilon: float,
        delta: float | None = None,
        *,
        label: str = "Fit",
        unit: str | None = None,
        persons: int | None = None,
        privacy_unit: str | None = None,
        thresholds: bool = False,
        part: str = "",
    ) -> "Ledger":
        """A ledger for one fit: it may spend (epsilon, delta) of the budget, and not more.

        Args:
          epsilon: The fit's own epsilon.
          delta: Its delta; None takes the population's.
          label: What the fit is, in words; goes to the file.
          unit: Who is protected, in the words of the fit's table; None takes the population's.
          persons: Stated, public number of persons of the fit's table; None takes the population's.
          privacy_unit: Who counts as one person in the fit, as for the class.
          thresholds: Whether the fit releases thresholds, so that `threshold_delta` must be left.
          part: `SPLIT/SIDE` where only persons of one side of a person-disjoint split are counted. Who is on which side
            follows from the person alone, the same way for as long as the split has that name.

        Returns:
          A ledger on the same budget whose `guarantee` and `entries` are the fit's own.

        Raises:
          BudgetError: If the population cannot pay for it, or keeps no delta for thresholds; nothing is booked then.
          InputError: If the budget has another privacy unit; nothing is booked then.
          UsageError: If a number is outside its range, or this ledger is an allowance itself.
        """
        if self._own is not None:
            raise UsageError("An allowance cannot be divided again. Ask the population's ledger.")
        limit = self.guarantee
        delta = limit.delta if delta is None else delta
        own = Guarantee.of(
            epsilon,
            delta,
            unit=limit.unit if unit is None else unit,
            persons=limit.persons if persons is None else persons,
            thresholds=limit.thresholds * min(1.0, delta / limit.delta),
        )

        def decide(lines: Sequence[Line]) -> Line:
            state = self._state(lines)
            state.require_unit(privacy_unit, self._book.name)
            failing = _threshold_delta(state.limit, own) if thresholds else 0.0
            if thresholds and not failing:
                raise no_thresholds(label, self.population)
            admit(state.limit, state.entries, own.mu, label=label, fix=self._population_fix, delta=failing, part=part)
            settings = {"epsilon": own.epsilon, "delta": own.delta, "label": label, "privacy_unit": privacy_unit}
            return {"kind": "run", "run": state.runs + 1, "date": today(), **settings}

        fit = Ledger.__new__(Ledger)
        fit._attach(self._book, self._book.append(decide)["run"], own, part)
        return fit

    def key(self, purpose: str) -> bytes:
        """A secret key of 32 bytes for one purpose, the same for the life of the budget.

        Keyed hashes decide which rows of a person are kept and who is held out; nobody outside
        can recompute them.
        """
        secret = bytes.fromhex(self._header["key"])
        return hmac.new(secret, purpose.encode(), hashlib.sha256).digest()

    def set_limit(self, epsilon: float, delta: float | None = None, *, thresholds: float | None = None) -> Guarantee:
        """Changes the population's limit; the change stays visible in the file.

        Args:
          epsilon: The new limit.
          delta: Its delta; None keeps the present one.
          thresholds: The part of delta kept for thresholds; None keeps the present one. Decide it from the schema,
            not from what was released (`docs/mathematics.md`, on thresholds).

        Raises:
          BudgetError: If more than that is spent already.
          UsageError: If a number is outside its range, or this ledger is a fit's allowance.
        """
        if self._own is not None:
            raise UsageError("The limit belongs to the population. Change it in the population's ledger.")
        old = self.guarantee
        new = Guarantee.of(
            epsilon,
            old.delta if delta is None else delta,
            unit=old.unit,
            persons=old.persons,
            thresholds=old.thresholds if thresholds is None else thresholds,
        )

        def decide(lines: Sequence[Line]) -> Line:
            entries = self._state(lines).entries
            label = f"Limit of '{self.population}'"
            admit(new, entries, 0.0, label=label, fix="Set a limit above the spend.")
            if spend_delta(entries) > new.thresholds:
                raise BudgetError(f"{label}: more of delta is spent on thresholds already. Keep more for them.")
            kept = {"thresholds": new.thresholds, "date": today()}
            return {"kind": "limit", "epsilon": new.epsilon, "delta": new.delta, **kept}

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

    def _append(self, entry: Entry) -> Entry:
        """Admits an entry under both filters and books it, as one step for all programs."""

        def decide(lines: Sequence[Line]) -> Line:
            state = self._state(lines)
            asked: dict[str, Any] = {"label": entry.label, "delta": entry.delta, "part": self._part}
            if self._own is not None:
                own_fix = "Raise --epsilon, or fit without it."
                admit(self._own, self._mine(state.entries), entry.mu, fix=own_fix, **asked)
            admit(state.limit, state.entries, entry.mu, fix=self._population_fix, **asked)
            booked = replace(entry, number=len(state.entries) + 1, part=self._part)
            return {"kind": "entry", "date": today(), "entry": booked.as_dict()}

        return Entry(**self._book.append(decide)["entry"])


def _threshold_delta(limit: Guarantee, own: Guarantee) -> float:
    """The part of `own.thresholds` that goes with its part of the population's mu^2; rounded down."""
    # Sums of what several fits spend on parts of it stay below the whole.
    return own.thresholds * min(1.0, (own.mu / limit.mu) ** 2) * (1 - 1e-9)


def no_thresholds(label: str, population: str) -> BudgetError:
    """The error of a fit that needs thresholds where none may be released."""
    return BudgetError(
        f"{label}: the budget of '{population}' keeps no part of delta for thresholds, which private categories need. "
        "Keep one with `medsynth ledger set-limit --thresholds`, or declare the categories public."
    )
