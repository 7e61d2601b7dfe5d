"""What a table is for, as weights of its pairs of columns: the declared prediction and the declared studies.

A pair that a declared question rests on is worth more budget than one that nobody asks about. The weights follow from
the schema alone; measured on public tables by `benchmarks/ablation.py`.
"""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Domain

if TYPE_CHECKING:
    from medsynth.schema import Schema

FloatArray = npt.NDArray[np.float64]

DECLARED = 4.0
"""How much more a pair counts that the declared prediction or a study rests on. At epsilon 1 pairs of the target err 6
to 20 % less than with 1 (adult_discrete, credit_default), all pairs together as much; 2 does less, 8 and 16 no more.
"""

NAMES = re.compile(r"`([^`]+)`|'[^']*'|\"[^\"]*\"|([A-Za-z_][\w.]*)")
"""Columns in a formula, between back-ticks if need be; what stands in quotes is a value."""


def pair_weights(schema: "Schema", domain: Domain) -> FloatArray:
    """How much every pair of attributes counts, from public facts.

    Args:
      schema: Says what is predicted and studied.
      domain: The modelled attributes.

    Returns:
      (attributes, attributes), symmetric: `DECLARED` for the target with each of its predictors and for all pairs
      within a study, 1 for others.
    """
    names = {attribute.name: position for position, attribute in enumerate(domain.attributes)}
    weights = np.ones((len(names), len(names)))
    for pair in _declared_pairs(schema):
        if pair <= names.keys():
            i, j = sorted(names[name] for name in pair)
            weights[i, j] = weights[j, i] = DECLARED
    return weights


def studied_columns(formula: str) -> tuple[str, ...]:
    """Names in a formula, in order, each once; functions and operators among them.

    >>> studied_columns("Surv(`d.time`, death) ~ age + sex == 'F'")
    ('Surv', 'd.time', 'death', 'age', 'sex')
    """
    return tuple(dict.fromkeys(quoted or bare for quoted, bare in NAMES.findall(formula) if quoted or bare))


def _declared_pairs(schema: "Schema") -> Iterator[frozenset[str]]:
    """Pairs of names that a declared question rests on."""
    utility = schema.utility
    if utility is not None:
        outcomes = {name for name in (utility.target, utility.time, utility.event) if name is not None}
        predictors = set(schema.modelled) - set(utility.exclude) - outcomes
        yield from map(frozenset, combinations(outcomes, 2))
        yield from (frozenset({outcome, predictor}) for outcome in outcomes for predictor in predictors)
    for study in schema.studies:
        yield from map(frozenset, combinations(studied_columns(study.formula), 2))
