"""What the audit of `medsynth verify` finds: in sound builds, in builds with one known fault, and how fast.

    known_bad      three full audits of each broken build (all pairs, public fit and sample), and the power of the
                   attack that finds it, by 500 repeats in which only the noise is simulated
    power_of_facts the power alone, of builds that something else than a noisy number gives away
    known_good     three full audits of the sound models
    false_alarms   of one attack on a sound model, in 500 repeats in which only the noise is simulated
    one_marginal   audited mu of a fit of one column at the mu of (1, 1e-5), 10,000 refits of each world
    simulated      the same in 40 repeats in which only the noise is simulated
    speed          seconds of refits in two processes

Command: python benchmarks/audits.py [PART ...] [--builds NAME ...]
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import broken_builds
import numpy as np
from broken_builds import BUILDS, UNITS, BrokenFit
from record import RESULTS, commit, record
from scipy.special import ndtr
from scipy.stats import binom

from medsynth.audit import Audit, Pair, audit_fit, hostile_pairs, one_marginal
from medsynth.audit.attack import CHECKS, error_counts, likelihood_ratios
from medsynth.audit.canaries import EPSILON
from medsynth.audit.refits import Refits
from medsynth.audit.tradeoff import GaussianClaim, mu_low, mu_low_joint, p_value, separation
from medsynth.inference import clopper_pearson
from medsynth.privacy import epsilon_from, mu_from, sampler
from medsynth.synthesizer import Synthesizer
from medsynth.verifying import OwnFit

SEED = 1
AUDITS = 3
REPEATS = 500
WORKERS = 2
CONFIDENCE = 0.999
NOMINAL = 0.05
SIMULATED_REPEATS = 40
SIMULATED_RUNS = 600
SPEED_RUNS = {"independent": 5000, "adaptive": 1000}
GOOD_RUNS = {"independent": 300, "adaptive": 150, "mst": 150}
ONE_MARGINAL = {"repeats": 3, "runs": 10_000, "epsilon": 1.0, "delta": 1e-5}
PAIRS = {pair.name: pair for pair in hostile_pairs()}
LEVEL = (1 - CONFIDENCE) / (len(CHECKS) * len(PAIRS))


@dataclass(frozen=True, kw_only=True)
class Draws:
    """What one fit hands to the noise, in order: exact values and the noise's scale, both in persons."""

    values: np.ndarray
    scales: np.ndarray

    def published(self, runs: int, rng: np.random.Generator) -> list[Any]:
        """(numbers, no facts) of simulated fits."""
        drawn = self.values + self.scales * rng.normal(size=(runs, len(self.values)))
        return [(dict(enumerate(map(float, row))), frozenset()) for row in drawn]


def draws_of(build: str | None, pair: Pair) -> tuple[Draws, Draws]:
    """What a build measures of both tables of a pair: the real fit runs, and its noise is written down."""
    return tuple(_draws(build, pair, table) for table in (pair.without, pair.within))  # type: ignore[return-value]


def _draws(build: str | None, pair: Pair, table: Any) -> Draws:
    found: list[tuple[np.ndarray, float]] = []

    def noted(values: np.ndarray, *, scale: float) -> np.ndarray:
        found.append((values.ravel() / UNITS, scale / UNITS))
        return values

    with patch.object(sampler, "discrete_gaussian", noted), patch.object(broken_builds, "discrete_gaussian", noted):
        if build is None:
            Synthesizer(pair.schema, model="independent").fit(table)
        else:
            with BUILDS[build].mutation():
                published = Synthesizer(pair.schema, model=BUILDS[build].model).fit(table).model_.fitted.measurements
            # What never reached the sampler is published as it is, in every fit.
            found = found or [(measurement.noisy.ravel(), 0.0) for measurement in published]
    values = np.concatenate([values for values, _ in found])
    return Draws(values=values, scales=np.concatenate([np.full(len(v), s) for v, s in found]))


def simulated_p(draws: tuple[Draws, Draws], runs: int, mu: float, rng: np.random.Generator) -> float:
    """p-value of the attack on published numbers in one repeat of an audit with simulated noise."""
    counts = _counts(draws[0].published(runs, rng), draws[1].published(runs, rng))
    return p_value(*counts, GaussianClaim(mu=mu))


def simulated_fact_p(rates: tuple[float, float], runs: int, mu: float, rng: np.random.Generator) -> float:
    """The same for a fact that is said with the given rates, with the person and without."""
    tested = runs - runs // 2
    hits, false_alarms = (int(rng.binomial(tested, rate)) for rate in rates)
    return p_value(hits, false_alarms, tested, GaussianClaim(mu=mu))


def caught(p_of: Callable[[np.random.Generator], float], level: float) -> dict[str, Any]:
    """How many of the simulated repeats refute the claim, and the binomial interval of that rate."""
    rng = np.random.default_rng(SEED)
    refuted = sum(p_of(rng) <= level for _ in range(REPEATS))
    low, high = clopper_pearson(refuted, REPEATS)
    return {"repeats": REPEATS, "refuted": refuted, "rate": refuted / REPEATS, "low": low, "high": high}


def known_bad(names: Sequence[str] = tuple(BUILDS)) -> None:
    """Audits some builds anew; what is known of the others stays."""
    mu = mu_from(EPSILON, 1e-6)
    kept = RESULTS / "audit_known_bad.json"
    values: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))["values"] if kept.exists() else {}
    values["claim"] = {"epsilon": EPSILON, "delta": 1e-6, "mu": mu, "confidence": CONFIDENCE, "level": LEVEL}
    for name in names:
        build = BUILDS[name]
        audits = [_audit(BrokenFit(build=name), build.runs) for _ in range(AUDITS)]
        found = [audit.violated for audit in audits]
        values[name] = {
            "commit": commit(),
            "runs": build.runs,
            "audits": AUDITS,
            "audits_that_refute": sum(found),
            "pairs_that_refute": [[pair.pair for pair in audit.pairs if pair.violated] for audit in audits],
            "power": _power(name, audits, mu),
        }
        print(f"{name}: {sum(found)} of {AUDITS} audits refute it, power {values[name]['power']}", flush=True)
        record("audit_known_bad", values, command="python benchmarks/audits.py known_bad", seeds=[SEED])


def _power(name: str, audits: Sequence[Audit], mu: float) -> dict[str, Any]:
    """By simulated noise, or by the rates of the telling fact where it is a fact that gives the build away."""
    build = BUILDS[name]
    check = build.attack
    if build.hidden:
        draws = draws_of(name, PAIRS[build.pair])
        return {"attack": check} | caught(lambda rng: simulated_p(draws, build.runs, mu, rng), LEVEL)
    tests = [c for audit in audits for pair in audit.pairs if pair.pair == build.pair for c in pair.checks]
    mine = [test for test in tests if test.name == check]
    trials = sum(test.trials for test in mine)
    # The rates are those seen, each moved against us to its 99 % bound.
    hit = clopper_pearson(sum(test.hits for test in mine), trials, 0.98).low
    false = clopper_pearson(sum(test.false_alarms for test in mine), trials, 0.98).high
    found = caught(lambda rng: simulated_fact_p((hit, false), build.runs, mu, rng), LEVEL)
    return {"attack": check, "hit_rate_low": hit, "false_alarm_rate_high": false} | found


def power_of_facts(names: Sequence[str] = tuple(BUILDS)) -> None:
    """The power for builds that no noise hides, by audits of their own pair at the level of a full audit."""
    values: dict[str, Any] = {}
    for name in (name for name in names if not BUILDS[name].hidden):
        options: dict[str, Any] = {"runs": BUILDS[name].runs, "confidence": 1 - len(CHECKS) * LEVEL}
        pairs = [PAIRS[BUILDS[name].pair]]
        audits = [audit_fit(BrokenFit(build=name), pairs, curve="gaussian", **options) for _ in range(AUDITS)]
        values[name] = {"runs": BUILDS[name].runs} | _power(name, audits, mu_from(EPSILON, 1e-6))
        print(name, values[name], flush=True)
        record("audit_power_of_facts", values, command="python benchmarks/audits.py power_of_facts", seeds=[SEED])


def false_alarms() -> None:
    """How often a single attack refutes a sound claim at the nominal level of a test."""
    mu, draws = mu_from(EPSILON, 1e-6), draws_of(None, PAIRS["nobody"])
    values = {
        "nominal": NOMINAL,
        "runs": SIMULATED_RUNS,
        "exact_size": _exact_size(mu, SIMULATED_RUNS),
        "learned_score": caught(lambda rng: simulated_p(draws, SIMULATED_RUNS, mu, rng), NOMINAL),
        "ideal_score": caught(partial(_ideal_p, mu, SIMULATED_RUNS), NOMINAL),
    }
    print(values, flush=True)
    record("audit_false_alarms", values, command="python benchmarks/audits.py false_alarms", seeds=[SEED])


def _exact_size(mu: float, runs: int) -> float:
    """Chance that the test at the nominal level refutes N(0, 1) against N(mu, 1), summed over all counts of errors
    that occur with a chance worth counting: counts are whole, so it is below the level.
    """
    tested, claim = runs - runs // 2, GaussianClaim(mu=mu)
    hit, false = (binom(tested, float(ndtr(side * mu / 2))) for side in (1, -1))
    counts = [range(int(law.ppf(1e-6)), int(law.ppf(1 - 1e-6)) + 1) for law in (hit, false)]
    return float(
        sum(
            hit.pmf(hits) * false.pmf(alarms)
            for hits in counts[0]
            for alarms in counts[1]
            if p_value(hits, alarms, tested, claim) <= NOMINAL
        )
    )


def known_good() -> None:
    values: dict[str, Any] = {}
    for model, runs in GOOD_RUNS.items():
        audits = [_audit(OwnFit(model=model), runs) for _ in range(AUDITS)]
        passed = sum(not audit.violated for audit in audits)
        values[model] = {"runs": runs, "audits": AUDITS, "audits_that_pass": passed}
        values[model]["mu_low"] = [audit.mu_low for audit in audits]
        print(f"{model}: {passed} of {AUDITS} audits pass", flush=True)
        record("audit_known_good", values, command="python benchmarks/audits.py known_good", seeds=[SEED])


def _ideal_p(mu: float, runs: int, rng: np.random.Generator) -> float:
    """The test on N(0, 1) against N(mu, 1), the worst that the claim allows, at the midpoint."""
    rates = float(ndtr(mu / 2)), float(ndtr(-mu / 2))
    return simulated_fact_p(rates, runs, mu, rng)


def one_marginal_part() -> None:
    """Schemas allow a delta of 1e-6 at most, so the fit states the epsilon that has the same mu there."""
    mu, pair, runs = _one_marginal()
    repeats: list[dict[str, float]] = []
    for _ in range(int(ONE_MARGINAL["repeats"])):
        began = time.perf_counter()
        with Refits(OwnFit(model="independent"), WORKERS).running() as refits:
            worlds = refits.traces(pair, runs)
        seconds = time.perf_counter() - began
        counts = _counts(*([(trace.numbers, trace.facts) for trace in world] for world in worlds))
        repeats.append({"seconds": seconds, "p_value": p_value(*counts, GaussianClaim(mu=mu))} | _bounds(counts))
        print(repeats[-1], flush=True)
        ideal = round(runs / 2 * float(ndtr(mu / 2))), round(runs / 2 * float(ndtr(-mu / 2))), runs - runs // 2
        values = {
            "claimed_mu": mu,
            "share_of_claim": _shares(repeats, mu),
            "share_of_claim_ideal": {key: bound / mu for key, bound in _bounds(ideal).items()},
            "repeats": repeats,
        }
        record("audit_one_marginal", values, command="python benchmarks/audits.py one_marginal", seeds=[])


def simulated() -> None:
    """The attack of `one_marginal` in repeats in which only the noise is simulated."""
    mu, pair, runs = _one_marginal()
    draws, rng = draws_of(None, pair), np.random.default_rng(SEED)
    worlds = ((draws[0].published(runs, rng), draws[1].published(runs, rng)) for _ in range(SIMULATED_REPEATS))
    repeats = [_bounds(_counts(*both)) for both in worlds]
    values = {"claimed_mu": mu, "repeats": SIMULATED_REPEATS, "share_of_claim": _shares(repeats, mu)}
    record("audit_simulated", values, command="python benchmarks/audits.py simulated", seeds=[SEED])
    print(values, flush=True)


def _one_marginal() -> tuple[float, Pair, int]:
    """(claimed mu, the pair, runs of each world)."""
    mu = mu_from(ONE_MARGINAL["epsilon"], ONE_MARGINAL["delta"])
    return mu, one_marginal(epsilon_from(mu, 1e-6), 1e-6), int(ONE_MARGINAL["runs"])


def _counts(without: Sequence[Any], within: Sequence[Any]) -> tuple[int, int, int]:
    """(hits, false alarms, tested runs) of the attack on published numbers."""
    half = len(without) // 2
    return *error_counts(*likelihood_ratios(without, within, half), half, separation), len(without) - half


def _bounds(counts: tuple[int, int, int]) -> dict[str, float]:
    """Lower bounds on mu at two levels, by the exact test and by two intervals."""
    tests = {"mu": mu_low, "mu_joint": mu_low_joint}
    return {f"{name}_{level:g}": low(*counts, level) for name, low in tests.items() for level in (0.05, 0.001)}


def _shares(repeats: Sequence[dict[str, float]], mu: float) -> dict[str, Any]:
    """Median and largest of each bound over the repeats, as shares of the claim."""
    found = {key: np.array([repeat[key] for repeat in repeats]) / mu for key in repeats[0] if key.startswith("mu")}
    return {key: {"median": float(np.median(each)), "most": float(each.max())} for key, each in found.items()}


def speed() -> None:
    """On a table of three columns, with a person of an unseen category, drawing included."""
    values: dict[str, Any] = {}
    for model, runs in SPEED_RUNS.items():
        with Refits(OwnFit(model=model), WORKERS).running() as refits:
            refits.traces(PAIRS["unseen_category"], 50)
            began, before = time.perf_counter(), os.times()
            refits.traces(PAIRS["unseen_category"], runs)
            seconds = time.perf_counter() - began
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        values[model] = {"refits": 2 * runs, "seconds": seconds, "processor_seconds": spent, "load": os.getloadavg()[0]}
        print(model, values[model], flush=True)
        record("audit_speed", values, command="python benchmarks/audits.py speed", seeds=[])


def _audit(fit: Any, runs: int) -> Audit:
    return audit_fit(fit, curve="gaussian", runs=runs, confidence=CONFIDENCE, workers=1)


PARTS: dict[str, Callable[..., None]] = {
    "known_bad": known_bad,
    "power_of_facts": power_of_facts,
    "known_good": known_good,
    "false_alarms": false_alarms,
    "one_marginal": one_marginal_part,
    "simulated": simulated,
    "speed": speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all")
    parser.add_argument(
        "--builds", nargs="+", choices=[*BUILDS], default=[*BUILDS], help="of broken builds; default: all"
    )
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        PARTS[name](arguments.builds) if name in {"known_bad", "power_of_facts"} else PARTS[name]()


if __name__ == "__main__":
    main()
