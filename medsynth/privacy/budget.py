"""What the lines of a budget add up to, and the filter that admits or refuses a release."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Context
from typing import Any, Final

from medsynth.errors import BudgetError, InputError, UsageError
from medsynth.privacy.accountant import GaussianEvent, epsilon_from, mu_of
from medsynth.privacy.budget_file import Line
from medsynth.privacy.guarantee import Guarantee, gaussian_delta
from medsynth.schema.sections import SMALLEST_EPSILON

VERSION: Final = 1

# Sums of floats may come out this much too high;
# `measurement.drawn_sigma` covers a thousand times it.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One booked release: public settings only, no time, no result.

    Attributes:
      number: Counts all releases of the population, from 1.
      run: Counts the population's fits, from 1; 0 for a release booked outside any fit.
      label: What was released, in words.
      kind: marginals, interactions, distances, threshold, or the kind of a booked event.
      mu: Its cost.
      delta: Its cost in delta, above 0 for a threshold alone.
      tables: Number of tables, 0 where that says nothing.
      cells: Number of noisy numbers.
      sigma_low: Smallest standard deviation of the noise, in persons; None where that says nothing.
      sigma_high: Largest.
      sensitivity: Largest L2 sensitivity of one table (distances: of the vector of scores), in persons.
      part: `SPLIT/SIDE` where only persons of one side of a person-disjoint split were counted; empty for everybody.
    """

    number: int
    run: int
    label: str
    kind: str
    mu: float
    delta: float = 0.0
    tables: int = 0
    cells: int = 0
    sigma_low: float | None = None
    sigma_high: float | None = None
    sensitivity: float | None = None
    part: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a model file or a report."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class State:
    """What the lines of a budget add up to.

    Attributes:
      read: How many lines were read.
      limit: The limit that stands after them.
      entries: The booked releases.
      runs: How many fits were begun.
      privacy_unit: Who counts as one person; None until a header or a fit states it.
    """

    read: int
    limit: Guarantee
    entries: tuple[Entry, ...]
    runs: int
    privacy_unit: str | None = None

    @classmethod
    def of(cls, lines: Sequence[Line], where: str, known: "State | None" = None) -> "State":
        """Reads the lines that `known` has not; refuses what this version cannot have written."""
        try:
            state = known or cls._begun(lines[0])
            return state._after(lines[state.read :])
        except (KeyError, TypeError, ValueError, UsageError) as error:
            raise InputError(
                f"{where}: is not a budget file of version {VERSION}. Use the medsynth that wrote it."
            ) from error

    @classmethod
    def _begun(cls, header: Line) -> "State":
        if header["kind"] != "header" or header["medsynth_ledger"] != VERSION:
            raise ValueError("version")
        unit, persons = header["unit"], header["persons"]
        kept = header.get("thresholds", 0.0)
        limit = Guarantee.of(header["epsilon"], header["delta"], unit=unit, persons=persons, thresholds=kept)
        return cls(read=1, limit=limit, entries=(), runs=0, privacy_unit=header.get("privacy_unit"))

    def _after(self, lines: Sequence[Line]) -> "State":
        limit, entries, runs, old = self.limit, list(self.entries), self.runs, self.limit
        privacy_unit = self.privacy_unit
        for line in lines:
            match line["kind"]:
                case "entry":
                    entries.append(_entry(line["entry"]))
                case "limit":
                    limit = Guarantee.of(
                        line["epsilon"],
                        line["delta"],
                        unit=old.unit,
                        persons=old.persons,
                        thresholds=line.get("thresholds", 0.0),
                    )
                case "run":
                    runs += 1
                    privacy_unit = privacy_unit or line.get("privacy_unit")
                case "table":  # a note that costs nothing, see `fingerprint`
                    continue
                case _:
                    raise ValueError("kind")
        read = self.read + len(lines)
        return State(read=read, limit=limit, entries=tuple(entries), runs=runs, privacy_unit=privacy_unit)

    def require_unit(self, privacy_unit: str | None, where: str) -> None:
        """Refuses a second privacy unit: costs add up only where a person is the same thing in all of them.

        Raises:
          InputError: If another unit is stated.
        """
        if None not in (self.privacy_unit, privacy_unit) and self.privacy_unit != privacy_unit:
            raise InputError(
                f"{where}: the budget's privacy unit is {self.privacy_unit}, not {privacy_unit}. "
                "Declare the budget's unit in the schema."
            )


def _entry(plain: Line) -> Entry:
    entry = Entry(**plain)
    mu_of(GaussianEvent(entry.mu))
    if not 0 <= entry.delta < 1:
        raise ValueError("delta")
    return entry


def header(limit: Guarantee, population: str, privacy_unit: str | None = None) -> Line:
    """The first line of a budget, with a fresh secret."""
    return {
        "kind": "header",
        "medsynth_ledger": VERSION,
        "population": population,
        "epsilon": limit.epsilon,
        "delta": limit.delta,
        "thresholds": limit.thresholds,
        "unit": limit.unit,
        "privacy_unit": privacy_unit,
        "neighbours": limit.neighbours,
        "persons": limit.persons,
        "key": secrets.token_hex(32),
        "date": today(),
    }


def admit(
    limit: Guarantee,
    entries: tuple[Entry, ...],
    mu: float,
    *,
    label: str,
    fix: str,
    delta: float = 0.0,
    part: str = "",
) -> None:
    """The filter: refuses a release with which some person's sum of mu^2, or that of delta, would pass the limit.

    Source: Smith and Thakurta (2022), arXiv:2210.17520; `docs/mathematics.md`, section 4, on thresholds, and on the
      two sides of a split.
    """
    spent = spend(entries, part)
    if spent + mu**2 > limit.mu**2 * (1 + _ROUNDING):
        left = gaussian_delta(limit.delta, limit.thresholds)
        before, after = epsilon_from(math.sqrt(spent), left), epsilon_from(math.sqrt(spent + mu**2), left)
        digits = _digits(after, limit.epsilon)
        raise BudgetError(
            f"{label}: would spend epsilon {after:.{digits}f} of {limit.epsilon:.{digits}f} "
            f"({before:.{digits}f} spent in {_releases(entries)}, {_left(limit, spent)}). {fix}"
        )
    failed = spend_delta(entries)
    # Without a margin for rounding: the sum is exact to the last bit, and what thresholds plan leaves room.
    if delta and failed + delta > limit.thresholds:
        raise BudgetError(
            f"{label}: would spend delta {failed + delta:.3g} of the {limit.thresholds:.3g} kept for thresholds "
            f"({failed:.3g} spent in {_releases(entries)}). Keep a part of delta for thresholds with "
            "`medsynth ledger set-limit --thresholds`, or declare the categories public."
        )


def _releases(entries: Sequence[Entry]) -> str:
    return f"{len(entries)} release{'' if len(entries) == 1 else 's'}"


def _left(limit: Guarantee, spent: float) -> str:
    """What one further release may have, rounded down: costs add up in squares, so it is more than the difference."""
    epsilon = epsilon_from(math.sqrt(max(0.0, limit.mu**2 - spent)), gaussian_delta(limit.delta, limit.thresholds))
    if epsilon < SMALLEST_EPSILON:
        return "nothing left"
    return f"{float(Context(prec=2, rounding=ROUND_FLOOR).create_decimal(epsilon)):.2g} left for one more"


def _digits(after: float, limit: float) -> int:
    """Decimals that show the two apart, at least two."""
    return next((d for d in range(2, 9) if f"{after:.{d}f}" != f"{limit:.{d}f}"), 9)


def spend(entries: Sequence[Entry], part: str = "") -> float:
    """The largest sum of mu^2 over the releases that count one person.

    A person is on one side of every split, so of its sides the dearest counts.

    Args:
      entries: Booked releases.
      part: Only persons of this side, as `Entry.part`; empty for any person.

    >>> from functools import partial
    >>> entry = partial(Entry, number=1, run=1, label="", kind="")
    >>> booked = [entry(mu=3.0), entry(mu=2.0, part="a/train"), entry(mu=1.0, part="a/holdout")]
    >>> spend(booked), spend(booked, "a/holdout"), spend(booked, "b/train")
    (13.0, 10.0, 13.0)
    """
    sides: dict[str, list[float]] = {}
    for entry in entries:
        sides.setdefault(entry.part, []).append(entry.mu**2)
    everybody = math.fsum(sides.pop("", []))
    split = part.partition("/")[0]
    splits: dict[str, float] = {}
    for side, costs in sides.items():
        name = side.partition("/")[0]
        if not part or name != split or side == part:
            splits[name] = max(splits.get(name, 0.0), math.fsum(costs))
    return math.fsum([everybody, *splits.values()])


def spend_delta(entries: Sequence[Entry]) -> float:
    """Sum of delta over the thresholds."""
    return math.fsum(entry.delta for entry in entries)


def today() -> str:
    """The time a line was written; it stays in the file and enters no entry."""
    return datetime.now(UTC).isoformat(timespec="seconds")
