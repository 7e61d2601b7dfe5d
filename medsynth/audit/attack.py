"""The audit itself: refit both worlds of every pair, learn attacks on one half of the runs, test them on the other."""

import math
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from medsynth.audit.canaries import APPROXIMATE_EPSILON, Pair, hostile_pairs
from medsynth.audit.likelihood_ratio import Seen, learn
from medsynth.audit.refits import Fit, Refits
from medsynth.audit.release import Trace
from medsynth.audit.tradeoff import (
    MOST_TRIALS,
    ApproximateClaim,
    Claim,
    FloatArray,
    GaussianClaim,
    Objective,
    best_threshold,
    detectable_mu,
    epsilon_low,
    least_trials,
    loss,
    mu_low,
    mu_low_joint,
    p_value,
    separation,
)
from medsynth.audit.verdict import Audit, Check, PairAudit
from medsynth.errors import UsageError
from medsynth.privacy.guarantee import Guarantee
from medsynth.progress import Progress, Silent

Curve = Literal["gaussian", "approximate"]
CHECKS: Final = ("published numbers", "synthetic rows", "support")


def audit_fit(
    fit: Fit,
    pairs: Sequence[Pair] | None = None,
    *,
    curve: Curve = "approximate",
    runs: int = 1000,
    confidence: float = 0.999,
    workers: int = 1,
    progress: Progress | None = None,
) -> Audit:
    """Audits the privacy claim of a fit by telling neighbouring tables apart from what it releases.

    Args:
      fit: Takes (table, schema), is said to be differentially private with the schema's epsilon and delta under adding
        or removing one person, and returns all it releases: a data frame of synthetic rows, or a `Release`.
      pairs: Neighbouring tables; None takes `pairs_for(curve)`. All state one epsilon and delta.
      curve: `gaussian` holds the fit to the mu-GDP that touches (epsilon, delta); `approximate` to (epsilon, delta).
      runs: Fits of each table, enough that some outcome refutes the claim; half of them learn, half of them test.
      confidence: That a sound claim is not refuted, all attacks on all pairs together (Bonferroni).
      workers: Processes; with more than one, `fit` must be picklable.
      progress: Hears of the pairs.

    Raises:
      UsageError: If a number is outside its range, pairs state different claims, or a fit does nothing but raise.

    Source: Annamalai, Ganev and De Cristofaro (2024), arXiv:2405.10994 (worst-case tables, white box); Nasr et al.
      (2023), arXiv:2302.07956 (test of the curve); Jagielski, Ullman and Oprea (2020), arXiv:2006.07709 (halves).
    """
    pairs = pairs_for(curve) if pairs is None else tuple(pairs)
    epsilon, delta = _require_sound(pairs, confidence)
    mu = Guarantee.of(epsilon, delta).mu if curve == "gaussian" else None
    claim: Claim = ApproximateClaim(epsilon=epsilon, delta=delta) if mu is None else GaussianClaim(mu=mu)
    level = (1 - confidence) / (len(CHECKS) * len(pairs))
    _require_power(claim, runs, level)
    progress = progress or Silent()
    found = []
    with Refits(fit, workers).running() as refits:
        for pair in pairs:
            progress.start(f"Auditing: {pair.name}")
            without, within = refits.traces(pair, runs)
            _require_releases(pair, [*without, *within])
            checks = checks_of(without, within, claim, delta=delta, level=level)
            found.append(PairAudit(pair=pair.name, checks=checks))
    progress.finish()
    detectable = math.inf if mu is None else detectable_mu(mu, runs - runs // 2, level)
    return Audit(
        epsilon=epsilon,
        delta=delta,
        mu=mu,
        confidence=confidence,
        runs=runs,
        detectable_mu=detectable if math.isfinite(detectable) else None,
        pairs=tuple(found),
    )


def pairs_for(curve: Curve, epsilon: float | None = None) -> tuple[Pair, ...]:
    """The hostile pairs, at the epsilon where the fewest runs tell a broken build from a sound one, if none is asked.

    That is 4 for mu-GDP, and 1 for (epsilon, delta) alone: at 4 an output in one of 55 runs would excuse every output.
    """
    fewest = APPROXIMATE_EPSILON if curve == "approximate" else None
    return hostile_pairs(fewest if epsilon is None else epsilon)


def _require_sound(pairs: Sequence[Pair], confidence: float) -> tuple[float, float]:
    """(epsilon, delta) of all pairs."""
    if not 0 < confidence < 1:
        raise UsageError(f"Confidence must lie above 0 and below 1, got {confidence}.")
    claims = {(pair.schema.privacy.epsilon, pair.schema.delta_value) for pair in pairs}
    if len(claims) != 1:
        raise UsageError(f"All pairs must state one epsilon and delta, got {len(claims)} claims. Audit each by itself.")
    return claims.pop()


def _require_power(claim: Claim, runs: int, level: float) -> None:
    """Refuses so few runs that no outcome refutes the claim: an audit that cannot fail says nothing."""
    trials = least_trials(claim, level)
    if trials is None:
        raise UsageError(
            f"No number of runs up to {2 * MOST_TRIALS:,} can refute so weak a claim with such confidence; the audit "
            "would say nothing. State a smaller epsilon."
        )
    if runs - runs // 2 < trials:
        raise UsageError(
            f"Runs must be {2 * trials - 1:,} or more, got {runs}: with fewer, no outcome refutes this claim. "
            "Thousands show a subtle fault."
        )


def _require_releases(pair: Pair, traces: Sequence[Trace]) -> None:
    """Refuses to call it a success that nothing was ever released."""
    if all(trace.error for trace in traces):
        raise UsageError(
            f"Pair {pair.name}: every fit raised {traces[0].error}, with the person and without; nothing was audited. "
            "Call the fit on the pair's tables by hand."
        )


def checks_of(
    without: Sequence[Trace], within: Sequence[Trace], claim: Claim, *, delta: float, level: float
) -> tuple[Check, ...]:
    """The three attacks on the releases of one pair, each learned on the first half of them.

    Args:
      without: Releases of fits without the person.
      within: As many with the person.
      claim: What is tested.
      delta: At which epsilon is bounded.
      level: Of each test.
    """
    half = len(without) // 2
    fact, sign = _telling_fact(without[:half], within[:half])
    attacks = {
        "published numbers": likelihood_ratios(_published(without), _published(within), half),
        "synthetic rows": likelihood_ratios(_drawn(without), _drawn(within), half, absent=0.0),
        "support": (_said(fact, sign, without), _said(fact, sign, within)),
    }
    evidence = _evidence(fact, without[half:], within[half:])
    return tuple(
        _check(name, *attacks[name], half, claim, delta=delta, level=level, evidence=evidence * (name == "support"))
        for name in CHECKS
    )


def _published(traces: Sequence[Trace]) -> Seen:
    return [(trace.numbers, trace.facts) for trace in traces]


def _drawn(traces: Sequence[Trace]) -> Seen:
    return [(trace.shares, trace.row_facts) for trace in traces]


def likelihood_ratios(
    without: Seen, within: Seen, half: int, *, absent: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Scores of all releases, (runs,) of each world, learned on the first half of both."""
    scorer = learn(without[:half], within[:half], absent=absent)
    no, yes = (np.array([scorer.score(*seen) for seen in world]) for world in (without, within))
    return no, yes


def error_counts(without: FloatArray, within: FloatArray, half: int, objective: Objective) -> tuple[int, int]:
    """(hits, false alarms) in the second half of the scores, at the threshold that is best in the first."""
    threshold = best_threshold(without[:half], within[:half], objective)
    return int((within[half:] > threshold).sum()), int((without[half:] > threshold).sum())


def _check(
    name: str,
    without: FloatArray,
    within: FloatArray,
    half: int,
    claim: Claim,
    *,
    delta: float,
    level: float,
    evidence: str,
) -> Check:
    by_loss = error_counts(without, within, half, loss(delta))
    gaussian = isinstance(claim, GaussianClaim)
    hits, false_alarms = error_counts(without, within, half, separation) if gaussian else by_loss
    trials = len(without) - half
    p = p_value(hits, false_alarms, trials, claim)
    return Check(
        name=name,
        hits=hits,
        false_alarms=false_alarms,
        trials=trials,
        p_value=p,
        mu_low=mu_low(hits, false_alarms, trials, level),
        mu_low_joint=mu_low_joint(hits, false_alarms, trials, level),
        epsilon_low=epsilon_low(*by_loss, trials, delta=delta, level=level),
        violated=p <= level,
        evidence=evidence,
    )


def _said(fact: str, sign: int, traces: Sequence[Trace]) -> FloatArray:
    """Whether each release states a fact, with the sign by which it speaks for the person."""
    return np.array([sign * float(fact in trace.facts or fact in trace.row_facts) for trace in traces])


def _evidence(fact: str, without: Sequence[Trace], within: Sequence[Trace]) -> str:
    others, yes = (int(_said(fact, 1, world).sum()) for world in (without, within))
    return f"'{fact}' in {yes} of {len(within)} runs with the person, in {others} of {len(without)} without"


def _telling_fact(without: Sequence[Trace], within: Sequence[Trace]) -> tuple[str, int]:
    """The fact that tells the worlds apart best, and 1 if it speaks for the person or -1 if against."""
    counts: dict[str, list[int]] = {}
    for world, traces in enumerate((without, within)):
        for trace in traces:
            for fact in trace.facts | trace.row_facts:
                counts.setdefault(fact, [0, 0])[world] += 1
    if not counts:
        return "", 1
    facts = sorted(counts)
    no, yes = (np.array([counts[fact][world] for fact in facts]) / len(without) for world in (0, 1))
    # Arcsines of roots, so that the error is the same at all rates and few runs do not hide a fact of one world alone.
    best = int(np.argmax(np.abs(np.arcsin(np.sqrt(yes)) - np.arcsin(np.sqrt(no)))))
    return facts[best], 1 if yes[best] >= no[best] else -1
