"""What a table is for, as weights of its pairs of columns: the declared prediction and the declared studies.

A pair that a declared question rests on is worth more budget than one that nobody asks about. The weights follow from
the schema alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Domain

if TYPE_CHECKING:
    from medsynth.schema import Schema

FloatArray = npt.NDArray[np.float64]
Names = frozenset[str]

NEEDED = 5.0
"""Pairs that a study, or the share or mean of an outcome in a subgroup, rests on: they count so much, and `adaptive`
measures them whatever their scores say, because without their counts no honest interval can be told.
"""

DECLARED = 4.0
"""How much more a pair counts that a declared question rests on: these then err 14 to 28 % less at epsilon 1 and 10,
all pairs together as much; twice does less, eightfold no more (`benchmarks/ablation.py`, adult_discrete and nist_acs).
"""


def pair_weights(schema: "Schema", domain: Domain) -> FloatArray:
    """How much every pair of attributes counts, from public facts.

    Args:
      schema: Says what is predicted and studied.
      domain: The modelled attributes.

    Returns:
      (attributes, attributes), symmetric: `NEEDED` for all pairs within a study and for outcomes with the columns of
      subgroups, `DECLARED` for the target with each of its predictors, 1 for others. A derived column stands for those
      it is computed from.
    """
    names = {attribute.name: position for position, attribute in enumerate(domain.attributes)}
    weights = np.ones((len(names), len(names)))
    for weight, pairs in ((DECLARED, _predicted_pairs(schema)), (NEEDED, _estimated_pairs(schema))):
        for declared in pairs:
            sources = (_modelled(name, schema) & names.keys() for name in declared)
            for one, other in product(*sources):
                if one != other:
                    i, j = names[one], names[other]
                    weights[i, j] = weights[j, i] = weight
    return weights


def require_weights(weights: FloatArray | None) -> None:
    """Refuses weights that no budget can be split by.

    Raises:
      ValueError: If one is not finite and above 0.
    """
    if weights is not None and not (np.isfinite(weights).all() and (weights > 0).all()):
        raise ValueError("weights of pairs must be finite and above 0")


def _predicted_pairs(schema: "Schema") -> Iterator[tuple[str, str]]:
    """Pairs of names that the declared prediction rests on."""
    utility = schema.utility
    if utility is not None:
        survival = (utility.time, utility.event) if utility.task == "survival" else (utility.target,)
        outcomes = [name for name in survival if name is not None]
        yield from combinations(outcomes, 2)
        yield from product(outcomes, _without(schema.modelled, {*utility.exclude, *outcomes}))


def _estimated_pairs(schema: "Schema") -> Iterator[tuple[str, str]]:
    """Pairs of names that a declared estimate rests on: of a study, of an outcome and a subgroup."""
    outcomes = {name for formula in schema.formulas.values() for name in formula.outcome.columns}
    if schema.utility is not None and schema.utility.target is not None:
        outcomes.add(schema.utility.target)
    for formula in schema.formulas.values():
        yield from combinations(formula.columns, 2)
    for group in schema.subgroup_predicates.values():
        yield from product(sorted(outcomes), sorted(group.columns))


def _without(names: Iterable[str], others: Iterable[str]) -> list[str]:
    left_out = set(others)
    return [name for name in names if name not in left_out]


def _modelled(name: str, schema: "Schema") -> Names:
    """The column, or those that a derived one is computed from."""
    derived: Mapping[str, Names] = {key: value.columns for key, value in schema.derived_expressions.items()}
    if name not in derived:
        return frozenset({name})
    return frozenset().union(*(_modelled(source, schema) for source in derived[name]))
