"""How rows shall be drawn: what a user may ask for, what is refused, and what a file says of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.encoding.contradictions import apart
from medsynth.encoding.possible import possible
from medsynth.errors import UsageError
from medsynth.models.base import Fitted
from medsynth.models.rare_groups import BELOW
from medsynth.sampling.select import Selection
from medsynth.schema import Predicate

MOST_ROWS = 100_000_000
"""Rows drawn into memory at once."""

MOST_WRITTEN = 100_000_000_000
"""Rows drawn into a file, chunk by chunk."""

KINDS = {
    "edited": "Rows lie closer to the model than independent draws of it would: they fit a shared file, but standard "
    "errors computed as if rows were independent are wrong.",
    "random": "Rows are independent draws of the model (inside each stratum, where a rare condition was raised).",
}
"""How rows are drawn, and what that means to those who use them."""

CLEANED = "Plausible rules of the schema were held as rules: doubtful records were not passed on."

SELECTED = (
    "Rows were selected from a pool so that together they lie close to the model: they fit a shared file, but standard "
    "errors computed as if rows were independent are wrong."
)


@dataclass(frozen=True, kw_only=True)
class How:
    """How rows are to be drawn.

    Attributes:
      where: A predicate every row shall satisfy.
      upsample: Rare condition name to wanted share in (0, 1).
      kind: One of `KINDS`.
      force: Raise conditions, too, of which the model knows too little.
      clean: Hold the schema's `plausible` rules too: doubtful records are not passed on.
      oversample: Rows are selected from a pool of so many times their number; None leaves them as drawn.
      keep: Part of that pool to select from.

    Raises:
      UsageError: If one of them is not a possible wish.
    """

    where: str | None = None
    upsample: Mapping[str, float] | None = None
    kind: str = "edited"
    force: bool = False
    clean: bool = False
    oversample: int | None = None
    keep: float | None = None
    select: Selection | None = field(init=False)

    def __post_init__(self) -> None:
        require_kind(self.kind)
        object.__setattr__(self, "select", Selection.of(self.oversample, self.keep))

    def said(self, unsupported: Sequence[str] = ()) -> dict[str, Any]:
        """What a file says of how its rows were drawn; `unsupported` conditions were raised by force."""
        said: dict[str, Any] = {"draw": self.kind, "draw_note": draw_note(self.kind, self.select)}
        if self.where is not None:
            said["where"] = self.where
        if self.select is not None:
            said["selection"] = asdict(self.select) | {"what": self.select.sentence}
        if unsupported:
            said["fiction"] = [FICTION.format(name=name) for name in unsupported]
        return said | ({"clean": CLEANED} if self.clean else {})


def draw_note(kind: str, select: Selection | None) -> str:
    """What a way to draw means to those who use the rows; selected rows are never independent."""
    return KINDS[kind] if select is None else SELECTED


FICTION = "{name} was asked for although the model knows too little of it: these records are fiction."
"""What a table says that holds such a condition."""


def unsupported(fitted: Fitted, names: Iterable[str]) -> tuple[str, ...]:
    """Those rare conditions of which the model knows too little to raise them."""
    known = {name: fitted.knowledge(name) for name in names}
    return tuple(name for name, knowledge in known.items() if knowledge is not None and knowledge.grade == BELOW)


def below_the_noise(names: Sequence[str]) -> UsageError:
    """The refusal to raise a condition of which nothing is known."""
    return UsageError(
        f"--upsample {names[0]}: the condition is below the noise at this epsilon, so records raised to a share of the "
        "file would be fiction. Leave it out, or add --force to have them marked so."
    )


def implied(given: Condition, condition: Condition) -> bool:
    """Whether all that is asked for lies in a condition; not where that takes too many boxes to tell."""
    try:
        return bool(given.boxes) and not given.minus(condition).boxes
    except UsageError:
        return False


def asked_below_the_noise(name: str) -> UsageError:
    """The refusal to draw nothing but records of which nothing is known."""
    return UsageError(
        f"--where: every record asked for is in {name}, a condition below the noise at this epsilon, so they would be "
        "fiction. Ask for a wider condition, or add --force to have them marked so."
    )


def held_rules(codec: Codec, *, clean: bool) -> tuple[Predicate, ...]:
    """What every drawn row obeys: the schema's rules, and its `plausible` ones where doubtful records are left out."""
    return (*codec.schema.rule_predicates, *(codec.schema.plausible_predicates if clean else ()))


def generator(seed: int | None) -> np.random.Generator:
    """The generator of a user's seed, or a fresh one.

    Raises:
      UsageError: If the seed is negative.
    """
    if seed is not None and seed < 0:
        raise UsageError(f"--seed {seed}: must not be negative. Take a whole number such as 1.")
    return np.random.default_rng(seed)


def require_rows(n: int, *, most: int = MOST_ROWS) -> None:
    """Refuses a number of rows that cannot be drawn.

    Raises:
      UsageError: Saying what is allowed.
    """
    if n < 0:
        raise UsageError(f"-n {n}: the number of rows to draw must not be negative. Take a whole number such as 1000.")
    if n > most:
        raise UsageError(
            f"-n {n}: rows to draw must lie between 0 and {most:,}. "
            + ("`medsynth sample` writes more." if most == MOST_ROWS else "Draw several tables with different seeds.")
        )


def require_kind(kind: str) -> None:
    """Refuses an unknown way to draw.

    Raises:
      UsageError: Saying which are known.
    """
    if kind not in KINDS:
        raise UsageError(f"--draw {kind}: not one of {', '.join(KINDS)}. Take one of them.")


def condition_of(codec: Codec, where: str | None) -> Condition | None:
    """The compiled predicate that every row shall satisfy.

    Raises:
      UsageError: If it cannot be read, names what the schema has not, or cuts through a cell.
    """
    return None if where is None else compile_condition(codec.schema.predicate(where), codec)


def require_drawable(codec: Codec, n: int, *, seed: int | None = None, **how: Any) -> None:
    """Refuses what public settings alone show to be impossible to draw, before a budget is spent on a model.

    Args:
      codec: Of the schema.
      n: Rows.
      seed: Of the drawing.
      how: Fields of `How`.

    Raises:
      UsageError: As `draw` does, or if a rule excludes every record asked for.
    """
    wish = How(**how)
    require_rows(n)
    generator(seed)
    asked = condition_of(codec, wish.where)
    rare_conditions(codec, wish.upsample or {})
    for rule in held_rules(codec, clean=wish.clean):
        if asked is not None and apart(possible(rule, codec), asked):
            raise UsageError(f"--where: the rule '{rule}' excludes every such record. Use a wider condition.")
    if wish.select is not None and len(codec.domain) < 2:
        raise UsageError("--oversample: a table of one column has no pairs to select by. Leave it out.")


def rare_conditions(codec: Codec, targets: Mapping[str, float]) -> dict[str, Condition]:
    """Compiled rare conditions of the schema that are to be upsampled.

    Raises:
      UsageError: If a name is not in the schema or a share is outside (0, 1).
    """
    for name, share in targets.items():
        codec.schema.rare_condition(name)
        if not 0 < share < 1:
            raise UsageError(f"--upsample {name}:{share}: the share must lie between 0 and 1, as in {name}:0.3.")
    return {name: compile_condition(codec.schema.rare_predicates[name], codec) for name in targets}
