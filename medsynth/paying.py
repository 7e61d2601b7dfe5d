"""Figures on held-out persons that are paid for: one booking, noisy counts, nothing else of them leaves."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from medsynth.encoding.comparison import Comparison
from medsynth.encoding.domain import Clique, Level
from medsynth.errors import UsageError
from medsynth.fidelity.held_out import Counted, paid_figures
from medsynth.fidelity.held_out_tables import Asked, Predictor, tables_to_count
from medsynth.fitting import FitRequest, bounding_key, privacy_unit
from medsynth.holdout import HELD_OUT, Tables
from medsynth.judging import SEED
from medsynth.privacy.ledger import Ledger
from medsynth.privacy.mechanisms import UNITS_PER_PERSON
from medsynth.score import Evaluation
from medsynth.sources.encoded import EncodedRecords, encode_batches

if TYPE_CHECKING:
    from medsynth.privacy.measurement import Measurement

SHARES = (1 / 6, 1 / 2, 1 / 3)
"""Of mu^2: single columns, pairs, beliefs by outcome."""
_SPARED = 1 - 1e-9
"""Keeps sums of squares below the allowance whatever their rounding."""


def allowance_for_figures(epsilon: float, request: FitRequest, tables: Tables, ledger: Ledger) -> Ledger:
    """Asks for what the figures may cost, before the fit is paid for.

    Args:
      epsilon: Of the held-out persons; at most the fit's.
      request: The fit of the others.
      tables: How persons are held out.
      ledger: The population's.

    Raises:
      UsageError: If epsilon is above the fit's, or the holdout is a table of its own.
      BudgetError: If the held-out persons' budget does not allow it.
    """
    if tables.holdout is not None:
        raise UsageError(
            "--paid-holdout: --holdout names another table, whose persons the budget cannot tell from those of other "
            "fits. Leave --holdout out, and let medsynth hold persons out."
        )
    most, delta = request.budget
    if epsilon > most:
        raise UsageError(
            f"--paid-holdout {epsilon:g}: more than the fit's epsilon {most:g}, so the release would promise less. "
            f"Give at most {most:g}."
        )
    schema = request.schema
    return ledger.allowance(
        epsilon,
        delta,
        label="Figures on held-out persons",
        unit=schema.privacy.noun,
        persons=schema.privacy.persons,
        privacy_unit=privacy_unit(schema),
        part=tables.side(HELD_OUT),
    )


def figures_on_held_out(comparison: Comparison, held: pd.DataFrame, allowance: Ledger) -> Evaluation:
    """Counts the held-out persons under the allowance, and makes figures of the noisy counts.

    What is counted follows from the schema and the synthetic rows alone, and so does the cost.

    Args:
      comparison: Of which the synthetic rows are read.
      held: Private rows of the held-out persons.
      allowance: From `allowance_for_figures`.
    """
    if not comparison.synthetic_weights.sum() > 0:
        return Evaluation()
    rng = np.random.default_rng([SEED, 1])
    asked = tables_to_count(comparison, rng)
    records = encode_batches([held], comparison.codec, bounding_key(allowance), rows=len(held))
    guarantee = allowance.guarantee
    judged = None if asked.predictor is None else _judged(records, asked.predictor)
    counted = _counted(records, judged, asked, allowance)
    raw = _exact(records, judged, asked)
    paid = f"paid for with epsilon {guarantee.epsilon:g} of theirs"
    return paid_figures(comparison, asked, counted, raw, paid=paid, rng=rng)


def _judged(records: EncodedRecords, predictor: Predictor) -> EncodedRecords:
    """The same persons with two columns: the class of the model's belief, and the outcome."""
    codes = np.column_stack([np.asarray(column, dtype=np.int32) for column in records.columns])
    columns = [predictor.classes(codes), predictor.outcomes(codes)]
    return replace(records, domain=predictor.domain, columns=columns)


def _cliques(asked: Asked) -> tuple[list[Clique], list[Clique]]:
    return (
        [(level,) for level in asked.levels],
        [tuple(asked.levels[position] for position in pair) for pair in asked.pairs],
    )


def _counted(records: EncodedRecords, judged: EncodedRecords | None, asked: Asked, allowance: Ledger) -> Counted:
    columns, pairs = _cliques(asked)
    beliefs = [] if judged is None else [tuple(Level.finest(attribute) for attribute in judged.domain.attributes)]
    batches = (
        (records, columns, "Held-out persons: single columns"),
        (records, pairs, "Held-out persons: pairs of columns"),
        (judged or records, beliefs, "Held-out persons: outcome by predicted risk"),
    )
    whole = sum(share for share, (_, cliques, _) in zip(SHARES, batches, strict=True) if cliques)
    found: list[Sequence[Measurement]] = []
    noise = []
    for share, (rows, cliques, label) in zip(SHARES, batches, strict=True):
        mu = allowance.guarantee.mu * math.sqrt(share / whole * _SPARED) if whole else 0.0
        sigma = math.sqrt(len(cliques)) * rows.l2 / UNITS_PER_PERSON / mu if cliques else 0.0
        found.append(allowance.measure(rows, cliques, [sigma] * len(cliques), label=label))
        noise.append(sigma)
    return Counted(
        columns=tuple(measurement.noisy for measurement in found[0]),
        pairs=tuple(measurement.noisy for measurement in found[1]),
        outcome=found[2][0].noisy if found[2] else None,
        noise=(noise[0], noise[1], noise[2]),
        rows_each=max(1.0, records.l2 / UNITS_PER_PERSON),
    )


def _exact(records: EncodedRecords, judged: EncodedRecords | None, asked: Asked) -> Counted:
    """The same counts without noise, for the INTERNAL edition alone."""
    columns, pairs = (
        tuple(table / UNITS_PER_PERSON for table in records.marginals(cliques)) for cliques in _cliques(asked)
    )
    outcome = None
    if judged is not None:
        clique = tuple(Level.finest(attribute) for attribute in judged.domain.attributes)
        outcome = judged.marginals([clique])[0] / UNITS_PER_PERSON
    return Counted(columns=columns, pairs=pairs, outcome=outcome, noise=(0.0, 0.0, 0.0))
