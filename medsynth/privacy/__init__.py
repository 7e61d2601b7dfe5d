"""The only place where noise is drawn or booked.

Ledger.measure books (accountant), counts (records), adds noise (mechanisms, sampler): Measurement.
"""

from medsynth.privacy.accountant import (
    Event,
    GaussianEvent,
    delta_default,
    delta_from,
    epsilon_from,
    mu_from,
)
from medsynth.privacy.budget import Entry
from medsynth.privacy.budget_file import budget_path
from medsynth.privacy.guarantee import Guarantee
from medsynth.privacy.ledger import Ledger
from medsynth.privacy.measurement import Countable, Measurement
from medsynth.privacy.mechanisms import UNITS_PER_PERSON

__all__ = [
    "UNITS_PER_PERSON",
    "Countable",
    "Entry",
    "Event",
    "GaussianEvent",
    "Guarantee",
    "Ledger",
    "Measurement",
    "budget_path",
    "delta_default",
    "delta_from",
    "epsilon_from",
    "mu_from",
]
