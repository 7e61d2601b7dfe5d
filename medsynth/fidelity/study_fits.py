"""The declared estimates of a schema on one table: coefficients of its studies, and shares and means by subgroup.

Which estimates there are follows from the schema alone, and so do their names and order; one that a table cannot tell
has no value, and says why. Shares and means are of the outcomes that the schema names (the binary or numeric utility
target, the outcomes of the studies, deaths of a Cox study among them), for everyone and in each declared subgroup.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.fidelity.regression import Fit, cox, linear, logistic
from medsynth.fidelity.study_design import Design, design_of, factor_of, labels_of, values_of
from medsynth.inference import person_numbers
from medsynth.schema.formula import Formula, Term
from medsynth.schema.predicate import Compare

if TYPE_CHECKING:
    from medsynth.schema import Schema

FloatArray = npt.NDArray[np.float64]
Groups = npt.NDArray[np.int64]
EVERYONE = "everyone"
FEWEST = 10
"""A regression is not run on fewer rows for each of its coefficients' columns and the constant, nor a mean on fewer."""
STEEPEST = 30.0
"""A coefficient that spans more log odds or log hazards between the least and largest value is without bound."""
FEW, SPLIT, RESTLESS = "too few rows", "it separates the outcomes", "the fit did not come to rest"


@dataclass(frozen=True, kw_only=True)
class StudyEstimate:
    """One declared estimate.

    Attributes:
      study: Name of the study; of a share or mean, what it is of.
      term: Name of the coefficient, or of the subgroup.
      kind: coefficient (log odds, slope or log hazard), share or mean.
      value: None where it cannot be told.
      error: Standard error, robust to weights, by person.
      n: Rows that enter.
      columns: Columns the estimate rests on, those of the outcome first.
      reason: Why there is no value; empty where there is one.
    """

    study: str
    term: str
    kind: Literal["coefficient", "share", "mean"]
    value: float | None
    error: float | None
    n: int
    columns: tuple[str, ...]
    reason: str = ""


def estimates(
    schema: "Schema", frame: pd.DataFrame, weights: FloatArray, persons: npt.ArrayLike | None = None
) -> tuple[StudyEstimate, ...]:
    """Every declared estimate on one table, studies first.

    Args:
      schema: Declares them.
      frame: Rows, raw or typed.
      weights: (n,) what each row counts, 0 or more; their scale does not matter.
      persons: (n,) identifiers; every row is a person if not given.

    Returns:
      The same estimates in the same order for every table.
    """
    numbered = person_numbers(None if persons is None else np.asarray(persons), len(frame))
    found: list[StudyEstimate] = []
    for name in schema.formulas:
        found += fit_study(name, schema, frame, weights, numbered)
    return (*found, *subgroup_estimates(schema, frame, weights, numbered))


def fit_study(
    name: str, schema: "Schema", frame: pd.DataFrame, weights: FloatArray, persons: Groups
) -> tuple[StudyEstimate, ...]:
    """The coefficients of one study, without the constant; arguments as for `estimates`, persons numbered from 0."""
    formula = schema.formulas[name]
    outcome = values_of(formula.outcome, frame, schema)
    usable = ~np.isnan(outcome) & (weights > 0)
    time = None if formula.time is None else values_of(Term(text="", column=formula.time), frame, schema)
    if time is not None:
        usable &= ~np.isnan(time)
    decided = {"linear": (), "logistic": (0.0, 1.0), "cox": (0.0,)}[formula.family]
    factors = [factor_of(term, frame, schema) for term in formula.terms]
    design = design_of(factors, outcome, usable, decided=decided)
    kept = design.kept
    reasons = dict(design.reasons)
    if kept.sum() < FEWEST * (design.x.shape[1] + 1):
        fit, failed = None, FEW
    else:
        scaled = weights[kept] / weights[kept].mean()
        fit, failed = _fitted(
            formula.family, design, outcome[kept], None if time is None else time[kept], scaled, persons[kept]
        )
    return tuple(_coefficients(name, formula, design, fit, reasons, failed, schema))


def _fitted(
    family: str, design: Design, outcome: FloatArray, time: FloatArray | None, weights: FloatArray, persons: Groups
) -> tuple[Fit | None, str]:
    """The regression, with one figure for each column of the design; or why there is none."""
    if not design.x.shape[1]:
        return None, ""
    with np.errstate(all="ignore"):
        try:
            if time is not None:
                fit = cox(design.x, time, outcome, weights, persons)
            else:
                constant = np.column_stack([np.ones(len(design.x)), design.x])
                whole = (logistic if family == "logistic" else linear)(constant, outcome, weights, persons)
                fit = Fit(values=whole.values[1:], errors=whole.errors[1:], converged=whole.converged)
        except (np.linalg.LinAlgError, ValueError):
            return None, RESTLESS
    told = np.isfinite(fit.values).all() and np.isfinite(fit.errors).all()
    return (fit, "") if fit.converged and told else (None, RESTLESS)


def _coefficients(
    name: str,
    formula: Formula,
    design: Design,
    fit: Fit | None,
    reasons: dict[str, str],
    failed: str,
    schema: "Schema",
) -> Iterator[StudyEstimate]:
    place = {label: position for position, label in enumerate(design.columns) if label is not None}
    steep = _steep(design, fit) if fit is not None and formula.family != "linear" else frozenset()
    for label in labels_of(formula, schema):
        reason = reasons.get(label, failed) or (SPLIT if place.get(label) in steep else "")
        told = fit is not None and not reason and label in place
        at = place.get(label, 0)
        yield StudyEstimate(
            study=name,
            term=label,
            kind="coefficient",
            value=float(fit.values[at] / design.scales[at]) if told and fit is not None else None,
            error=float(fit.errors[at] / design.scales[at]) if told and fit is not None else None,
            n=int(design.kept.sum()),
            columns=formula.columns,
            reason="" if told else reason or FEW,
        )


def _steep(design: Design, fit: Fit) -> frozenset[int]:
    spans = np.ptp(design.x, axis=0) if len(design.x) else np.zeros(len(fit.values))
    return frozenset(int(place) for place in np.flatnonzero(np.abs(fit.values) * spans > STEEPEST))


def outcomes_of(schema: "Schema") -> tuple[Term, ...]:
    """What shares and means are of: the utility target and the outcomes of the studies, each once."""
    found: list[Term] = []
    utility = schema.utility
    if utility is not None and utility.target is not None and utility.task in {"binary", "regression"}:
        column, positive = utility.target, utility.positive
        if utility.task == "regression":
            found.append(Term(text=column, column=column))
        elif positive is not None:
            condition = Compare(column=column, op="==", value=positive)
            found.append(Term(text=str(condition), condition=condition))
    found += [formula.outcome for formula in schema.formulas.values()]
    named = {str(term.condition) if term.condition is not None else term.text: term for term in found}
    return tuple(Term(text=text, column=term.column, condition=term.condition) for text, term in named.items())


def subgroup_estimates(
    schema: "Schema", frame: pd.DataFrame, weights: FloatArray, persons: Groups
) -> tuple[StudyEstimate, ...]:
    """Share or mean of every declared outcome for everyone and in every declared subgroup."""
    groups = {EVERYONE: (np.ones(len(frame), dtype=bool), frozenset[str]())}
    for name, predicate in schema.subgroup_predicates.items():
        groups[name] = (predicate.evaluate(frame, schema), predicate.columns)
    found = []
    for term in outcomes_of(schema):
        values = values_of(term, frame, schema)
        for name, (inside, columns) in groups.items():
            kept = inside & ~np.isnan(values) & (weights > 0)
            value, error = weighted_mean(values[kept], weights[kept], persons[kept])
            found.append(
                StudyEstimate(
                    study=term.text,
                    term=name,
                    kind="mean" if term.condition is None else "share",
                    value=value,
                    error=error,
                    n=int(kept.sum()),
                    columns=tuple(dict.fromkeys([*sorted(term.columns), *sorted(columns)])),
                    reason="" if value is not None else FEW,
                )
            )
    return tuple(found)


def weighted_mean(values: FloatArray, weights: FloatArray, persons: Groups) -> tuple[float | None, float | None]:
    """A weighted mean and its standard error by person; None below ten rows or two persons.

    Source: Taylor linearisation of a ratio; Cochran (1977), Sampling Techniques, section 6.
    """
    people = len(np.unique(persons))
    if len(values) < FEWEST or people < 2:
        return None, None
    total = weights.sum()
    mean = float((weights * values).sum() / total)
    sums = np.bincount(persons, weights * (values - mean))
    return mean, float(np.sqrt((sums**2).sum() * people / (people - 1)) / total)
