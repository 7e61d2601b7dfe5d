"""Rules of the schema in rows that are known in part: what is drawn is drawn again, what is known is refused."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.encoding.domain import IntArray
from medsynth.errors import UsageError
from medsynth.models.base import Fitted
from medsynth.models.row_evidence import combined
from medsynth.sampling.given_cells import BoolArray, RowArray
from medsynth.sampling.repair import MOST_BOXES, LawfulRows, lawful, replaced
from medsynth.schema.texts import listed

ROUNDS = 40
MOST_DRAWS = 1 << 12
"""A record that breaks a rule is drawn again in at most so many rounds, or until each was drawn so often."""
MOST_TRIED = 1 << 16
"""Draws of a round, of all such records together."""
BOXED_ROUND = 6
"""In this round, records are drawn given their rules too, as far as whole cells say these."""
MOST_BOXED = 128
"""Distinct combinations of known cells for which the tree is conditioned on the rules, each by itself."""
MOST_RULE_BOXES = 32
"""Boxes of such a combination and the rules; a rule that would make more of them is left to drawing again."""

MOST_PRODUCTS = 4096
"""Pairs of boxes that are met with each other for it."""

Redraw = Callable[[RowArray, int], pd.DataFrame]
"""(rows, number of the round) to fresh draws of these rows."""


def rule_columns(codec: Codec) -> list[frozenset[str]]:
    """Modelled columns that each rule rests on, those of derived columns included."""
    expressions, found = codec.schema.derived_expressions, []
    for rule in codec.schema.rule_predicates:
        columns = rule.columns
        while derived := columns & expressions.keys():
            columns = columns - derived | frozenset().union(*(expressions[name].columns for name in derived))
        found.append(columns)
    return found


def rules_of(codec: Codec) -> tuple[Condition, ...]:
    """What each rule leaves, as far as a moderate number of boxes of whole cells says it."""
    found = []
    for rule in codec.schema.rule_predicates:
        try:
            allowed = compile_condition(rule, codec)
        except UsageError:
            continue
        if len(allowed.boxes) <= MOST_BOXES:
            found.append(allowed)
    return tuple(found)


def redraw_inside(
    rules: Sequence[Condition], model: Fitted, rows: IntArray, known: BoolArray, rng: np.random.Generator
) -> None:
    """Draws rows again given their known cells and the rules, box by box; changes them in place.

    What the rules exclude stays, as do rows beyond `MOST_BOXED` distinct combinations of known cells.
    """
    ids, firsts = combined([*np.where(known, rows + 1, 0).T.astype(np.intp)], rows=len(rows))
    for combination, first in enumerate(firsts[:MOST_BOXED]):
        positions = np.flatnonzero(known[first]).tolist()
        box = {a: np.arange(model.domain.sizes[a]) == rows[first, a] for a in positions}
        inside = within_rules(Condition(boxes=(box,)), rules)
        if inside.boxes and model.share(inside) > 0:
            same = np.flatnonzero(ids == combination)
            rows[same] = model.sample(len(same), rng, inside, edited=False)


def within_rules(condition: Condition, rules: Sequence[Condition]) -> Condition:
    """The condition and the rules, but for those that would cut it into too many boxes."""
    for rule in rules:
        if len(condition.boxes) * len(rule.boxes) > MOST_PRODUCTS:
            continue
        met = condition.intersect(rule)
        if len(met.boxes) <= MOST_RULE_BOXES:
            condition = met
    return condition


def require_lawful_cells(frame: pd.DataFrame, known: BoolArray, codec: Codec, option: str) -> None:
    """Refuses known cells that break a rule whatever is drawn beside them; reads no others.

    Raises:
      UsageError: Naming the rule and its columns.
    """
    schema = codec.schema
    for text, rule, columns in zip(schema.rules, schema.rule_predicates, rule_columns(codec), strict=True):
        if not columns <= set(codec.domain.names):
            continue
        decided = known[:, [codec.domain.index(name) for name in sorted(columns)]].all(axis=1)
        if decided.any() and not rule.evaluate(frame, schema)[decided].all():
            raise UsageError(
                f"{option}: in some record the cells of {listed(sorted(columns))} break the rule '{text}'. "
                "Correct them, or leave one of them to be drawn."
            )


def obeying(
    frame: pd.DataFrame,
    redraw: Redraw,
    codec: Codec,
    refusal: Callable[[pd.DataFrame, RowArray], UsageError],
) -> LawfulRows:
    """Draws rows that break a rule again, each by itself, until it obeys; what is drawn first and obeys is taken.

    Args:
      frame: Rows.
      redraw: Draws some of them again.
      codec: Knows the rules.
      refusal: From draws that broke a rule, and whose they are, to an error.

    Raises:
      UsageError: If a row breaks a rule however often it is drawn.
    """
    broken = np.flatnonzero(~lawful(frame, codec))
    repaired, fresh, tried = len(broken), frame.iloc[broken], 0
    for number in range(ROUNDS):
        if not len(broken) or tried >= MOST_DRAWS:
            break
        tries = max(1, min(1 << number, MOST_TRIED // len(broken)))
        tried += tries
        fresh = redraw(np.repeat(broken, tries), number)
        sound = lawful(fresh, codec).reshape(-1, tries)
        found = sound.any(axis=1)
        first = np.flatnonzero(found) * tries + sound.argmax(axis=1)[found]
        frame = replaced(frame, broken[found], fresh.iloc[first])
        broken, fresh = broken[~found], fresh.iloc[np.flatnonzero(~np.repeat(found, tries))[::tries]]
    if len(broken):
        raise refusal(fresh, broken)
    return LawfulRows(frame=frame, repaired=repaired)


def unlawful(frame: pd.DataFrame, known: BoolArray, codec: Codec, option: str) -> UsageError:
    """The refusal of records that break a rule however often they are drawn, naming the rule and what is known."""
    schema = codec.schema
    for text, rule, columns in zip(schema.rules, schema.rule_predicates, rule_columns(codec), strict=True):
        broken = ~rule.evaluate(frame, schema)
        if broken.any():
            fixed = known[int(np.argmax(broken))]
            named = [name for name, is_known in zip(codec.domain.names, fixed, strict=True) if is_known]
            held = sorted(columns & set(named)) or named
            return UsageError(
                f"{option}: given {listed(held)}, no draw of some record obeyed the rule '{text}'. "
                "Correct these cells, leave them to be drawn, or loosen the rule."
            )
    raise AssertionError("a refused record breaks a rule")
