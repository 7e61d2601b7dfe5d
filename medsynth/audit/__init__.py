"""Empirical epsilon of any `fit`: tiny worst-case tables, hostile persons, thousands of refits.

    canaries           pairs of tables that differ in one hostile person
    refits             the fit that is audited, called again and again: Release
    likelihood_ratio   a score that tells the worlds apart, learned on one half of the runs
    tradeoff           what its error rates on the other half say about the claim
    attack             all of it: audit_fit -> Audit

The fit is an argument; nothing here knows how it works. What is found is a lower bound: it cannot prove a claim, only
refute one.
"""

from medsynth.audit.attack import audit_fit
from medsynth.audit.canaries import Pair, hostile_pairs, one_marginal, pairs_of
from medsynth.audit.refits import Fit
from medsynth.audit.release import Release
from medsynth.audit.verdict import Audit, Check, PairAudit

__all__ = [
    "Audit",
    "Check",
    "Fit",
    "Pair",
    "PairAudit",
    "Release",
    "audit_fit",
    "hostile_pairs",
    "one_marginal",
    "pairs_of",
]
