"""Which declared estimates the measurements support: where the counts they rest on were published, finely enough.

An association that was never measured is a model's guess, which no refit of that model can put in doubt. An estimate is
supported if, for every two of its parts (outcome, time, terms; outcome and subgroup), the rows follow a published table
of their columns, in which both parts can be seen:

    own pairs      the coefficient's own term, the outcome and the time, the subgroup: groups of cells tell nearly all
                   of each part (`RESOLVED`); a yes/no part must stand out from the table's noise (`STANDS_OUT`)
    other pairs    the other terms of the study: groups tell most of it (`COARSE`)
    one column     always: every column is measured by itself

Nothing but published tables and released rows enters, so that what is said here may be shared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import MeasuredTable
from medsynth.encoding.numbers import NumberCells
from medsynth.fidelity.study_design import factor_of, labels_of, values_of
from medsynth.fidelity.study_fits import EVERYONE, outcomes_of
from medsynth.schema.formula import Formula, Term

if TYPE_CHECKING:
    from medsynth.schema import Schema

FloatArray = npt.NDArray[np.float64]
WHOLE = 0.99
"""Least part of a subgroup and of an outcome that groups of cells must show for a share or mean in it."""
RESOLVED = 0.9
"""Least part of a term's variance that groups of cells must show; what they hide widens the interval."""
COARSE = 0.7
"""The same for the other terms of a study: what they hide confounds the coefficient only in part."""
STANDS_OUT = 2.0
"""Persons that chance would give a pair of yes/no parts, in deviations of the noise on their count: below, noisy counts
are cut off at zero so often that intervals cover less (`docs/mathematics.md`, section 17)."""
UNMEASURED = "not supported by the measurements"
INSIDE = UNMEASURED + ": where values of {name} lie inside their cells was not measured"


@dataclass(frozen=True, kw_only=True)
class Support:
    """Whether one declared estimate is supported.

    Attributes:
      study: As in `StudyEstimate`.
      term: As in `StudyEstimate`.
      reason: What is missing; empty where it is supported.
      hidden: Part of the estimate that groups of cells may hide, 0 where every value has a group of its own.
    """

    study: str
    term: str
    reason: str = ""
    hidden: float = 0.0

    @property
    def supported(self) -> bool:
        """Whether the measurements support it."""
        return not self.reason


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """Outcome, time, term or subgroup, on the released rows.

    Attributes:
      values: (n, k), one column for a number or condition, one for each value of a list.
      columns: Positions of the modelled columns it depends on.
      name: For people.
      yes_no: Whether it is one condition.
    """

    values: FloatArray
    columns: frozenset[int]
    name: str
    yes_no: bool


def support(
    schema: "Schema", frame: pd.DataFrame, tables: Sequence[MeasuredTable], persons: float
) -> tuple[Support, ...]:
    """Which declared estimates are supported, in the order of `study_fits.estimates`.

    Args:
      schema: Of the model, with nothing left open.
      frame: Released rows.
      tables: Published tables that the rows follow.
      persons: Number of persons by these tables.
    """
    measured = _Measured(schema, frame, tables, persons)
    found: list[Support] = []
    for name, formula in schema.formulas.items():
        found += measured.study(name, formula)
    return (*found, *measured.shares())


class _Measured:
    """Released rows beside the published tables."""

    def __init__(self, schema: "Schema", frame: pd.DataFrame, tables: Sequence[MeasuredTable], persons: float) -> None:
        self._schema, self._frame, self._persons = schema, frame, persons
        self._codec = Codec(schema=schema)
        self._codes = self._codec.encode(frame)
        self._tables: dict[frozenset[int], list[MeasuredTable]] = {}
        for table in tables:
            key = frozenset(self._codec.domain.index(name) for name in table.attributes)
            self._tables.setdefault(key, []).append(table)

    def study(self, name: str, formula: Formula) -> Iterator[Support]:
        """Every coefficient of a study."""
        outcome = [self._part(formula.outcome)]
        if formula.time is not None:
            outcome.append(self._part(Term(text=formula.time, column=formula.time)))
        terms = [self._terms(term) for term in formula.terms]
        whole = [*outcome, *(_together(parts) for parts in terms)]
        missing = next((why for pair in combinations(whole, 2) if (why := self._pair(*pair, COARSE)[0])), "")
        singles = [part for parts in terms for part in parts]
        for label, own in zip(labels_of(formula, self._schema), singles, strict=True):
            told = [self._pair(part, own, RESOLVED) for part in outcome]
            reason = next((why for why, _ in told if why), missing)
            yield Support(study=name, term=label, reason=reason, hidden=max(lost for _, lost in told))

    def shares(self) -> Iterator[Support]:
        """Every share and mean."""
        groups: dict[str, _Part | None] = {EVERYONE: None}
        for name, predicate in self._schema.subgroup_predicates.items():
            groups[name] = self._part(Term(text=name, condition=predicate))
        for outcome in outcomes_of(self._schema):
            part = self._part(outcome)
            inside = "" if part.yes_no or self._single_valued(part) else INSIDE.format(name=part.name)
            for name, group in groups.items():
                reason, hidden = self._pair(part, group or part, WHOLE)
                reason = inside or reason
                yield Support(study=outcome.text, term=name, reason=reason, hidden=hidden)

    def _part(self, term: Term) -> _Part:
        values = values_of(term, self._frame, self._schema)
        return self._made(term, _with_missing(values), yes_no=term.condition is not None)

    def _terms(self, term: Term) -> list[_Part]:
        """A part for each coefficient of a term."""
        factor = factor_of(term, self._frame, self._schema)
        if factor.codes is None:
            return [self._part(term)]
        columns = [(factor.codes == place + 1).astype(np.float64) for place in range(len(factor.labels))]
        return [self._made(term, values[:, None], yes_no=True) for values in columns]

    def _made(self, term: Term, values: FloatArray, *, yes_no: bool) -> _Part:
        sources = {source for name in term.columns for source in _modelled(name, self._schema)}
        absent = sorted(sources - set(self._codec.domain.names))
        positions = frozenset() if absent else frozenset(self._codec.domain.index(name) for name in sources)
        return _Part(values=values, columns=positions, name=term.text, yes_no=yes_no and values.shape[1] == 1)

    def _pair(self, one: _Part, other: _Part, least: float) -> tuple[str, float]:
        """(why two parts cannot be seen together, or nothing; what groups of cells hide of them)."""
        columns = one.columns | other.columns
        if not one.columns or not other.columns:
            return f"{UNMEASURED}: {one.name} or {other.name} is not modelled", 0.0
        if len(columns) < 2:
            return "", 0.0  # a column's own table is always published, by cell
        tables = self._tables.get(columns, ()) if len(columns) == 2 else ()
        names = f"{one.name} with {other.name}"
        if not tables:
            return f"{UNMEASURED}: {names} was not measured", 0.0
        seen = [(self._shown(one, table) * self._shown(other, table), table) for table in tables]
        shown, best = max(seen, key=lambda each: each[0])
        if shown < least:
            return f"{UNMEASURED}: {names} was measured too coarsely ({shown:.0%} of it shows)", 1 - shown
        if least >= RESOLVED and not self._stands_out(one, other, best):
            return f"{UNMEASURED}: {names} is below the noise", 1 - shown
        return "", 1 - shown

    def _single_valued(self, part: _Part) -> bool:
        """Whether every cell of a number holds one value, so that its mean follows from counts."""
        return all(
            not isinstance(cells, NumberCells) or bool((np.diff(np.append(cells.starts, cells.stop)) <= 1).all())
            for cells in (self._codec.cells[position] for position in part.columns)
        )

    def _groups(self, part: _Part, table: MeasuredTable) -> npt.NDArray[np.intp]:
        """Which group of the table each row belongs to, as far as the part's own columns go."""
        cell = np.zeros(len(self._codes), dtype=np.intp)
        for name, groups, size in zip(table.attributes, table.groups, table.noisy.shape, strict=True):
            position = self._codec.domain.index(name)
            if position in part.columns:
                cell = cell * size + groups[self._codes[:, position]]
        return cell

    def _shown(self, part: _Part, table: MeasuredTable) -> float:
        """The part of a part's variance that lies between groups, least over value and missingness."""
        groups = self._groups(part, table)
        centred = part.values - part.values.mean(axis=0)
        total = (centred**2).sum()
        if not total > 0:
            return 1.0
        counts = np.maximum(np.bincount(groups), 1)
        sums = [np.bincount(groups, column) for column in centred.T]
        return min(1.0, float(sum((each**2 / counts).sum() for each in sums) / total))

    def _stands_out(self, one: _Part, other: _Part, table: MeasuredTable) -> bool:
        """Whether chance alone would give two yes/no parts more persons than their count's noise allows for."""
        if not (one.yes_no and other.yes_no):
            return True
        noise, persons = table.sigma, self._persons
        for part in (one, other):
            share = float(part.values.mean())
            persons *= min(share, 1 - share)
            groups = self._groups(part, table)
            inside = np.bincount(groups, part.values[:, 0]) / np.maximum(np.bincount(groups), 1)
            middle = inside.mean() if table.interactions else 0.0
            noise *= float(np.sqrt(((inside - middle) ** 2).sum()))
        return persons >= STANDS_OUT * noise


def _with_missing(values: FloatArray) -> FloatArray:
    """Values as a column, with one more that says where they are missing, on the same scale."""
    missing = np.isnan(values)
    if not missing.any() or missing.all():
        return np.nan_to_num(values)[:, None]
    mean, spread = float(values[~missing].mean()), float(values[~missing].std())
    return np.column_stack([np.where(missing, mean, values), spread * missing])


def _together(parts: Sequence[_Part]) -> _Part:
    """All coefficients of a term as one part."""
    first = parts[0]
    values = np.column_stack([part.values for part in parts])
    return _Part(values=values, columns=first.columns, name=first.name, yes_no=False)


def _modelled(name: str, schema: "Schema") -> frozenset[str]:
    """The column, or those that a derived one is computed from."""
    expression = schema.derived_expressions.get(name)
    if expression is None:
        return frozenset({name})
    return frozenset().union(*(_modelled(source, schema) for source in expression.columns))
