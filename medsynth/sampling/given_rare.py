"""Known cells that put a record into a rare condition below the noise: what is drawn beside them would be fiction."""

from collections.abc import Sequence

import numpy as np

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import EVERYTHING, Condition, compile_condition
from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.base import Fitted
from medsynth.sampling.given_cells import BoolArray
from medsynth.sampling.given_rules import rules_of, within_rules
from medsynth.sampling.how import unsupported

GIVEN_FICTION = (
    "{name}: given cells put records into it although the model knows too little of it: what is drawn beside them is "
    "fiction."
)
SET_FICTION = (
    "{name}: set values put copies into it although the model knows too little of it: these copies are fiction."
)
"""What a table says that holds such records."""


def fictional(fitted: Fitted, codec: Codec, codes: IntArray, known: BoolArray) -> tuple[str, ...]:
    """Rare conditions below the noise that the known cells of some row imply, alone or with the schema's rules.

    Rules are followed as far as a moderate number of boxes of whole cells says them.

    Args:
      fitted: The model.
      codec: Knows conditions and rules.
      codes: (n, attributes), read where known.
      known: (n, attributes) bool.
    """
    names = unsupported(fitted, codec.schema.rare_predicates)
    rules = rules_of(codec) if names else ()
    return tuple(name for name in names if _implied(_outside(name, rules, codec), codes, known))


def _outside(name: str, rules: Sequence[Condition], codec: Codec) -> Condition:
    """What obeys the rules and is not in the condition; those rules first that speak of its columns."""
    condition = compile_condition(codec.schema.rare_predicates[name], codec)
    first = sorted(rules, key=lambda rule: not rule.attributes & condition.attributes)
    try:
        return within_rules(condition.complement(), first)
    except UsageError:  # too many boxes to tell
        return EVERYTHING


def _implied(outside: Condition, codes: IntArray, known: BoolArray) -> bool:
    """Whether some row cannot lie outside; not where nothing can, whatever is known."""
    free = np.zeros(len(codes), dtype=bool)
    for box in outside:
        fits = np.ones(len(codes), dtype=bool)
        for attribute, cells in box.items():
            fits &= cells[codes[:, attribute]] | ~known[:, attribute]
        free |= fits
    return bool(outside.boxes) and not free.all()


def given_below_the_noise(name: str) -> UsageError:
    """The refusal to complete records inside a condition of which nothing is known."""
    return UsageError(
        f"--given: cells of some record put it into {name}, a condition below the noise at this epsilon, so what is "
        "drawn beside them would be fiction. Leave such records out, or add --force to have them marked so."
    )


def set_below_the_noise(name: str, *, option: str) -> UsageError:
    """The refusal to make copies inside a condition of which nothing is known."""
    copies = "every copy" if option == "--set" else "some copy"
    return UsageError(
        f"{option}: values put {copies} into {name}, a condition below the noise at this epsilon, so these copies "
        "would be fiction. Set other values, or add --force to have them marked so."
    )
