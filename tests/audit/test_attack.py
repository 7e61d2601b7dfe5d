"""An audit passes what keeps its word and refutes what does not, for any fit; medsynth itself plays no part here."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from medsynth.audit import Audit, Pair, Release, audit_fit, hostile_pairs, one_marginal
from medsynth.audit.attack import CHECKS
from medsynth.audit.tradeoff import GaussianClaim, least_trials
from medsynth.audit.verdict import LIMITS
from medsynth.errors import UsageError
from medsynth.privacy import Guarantee
from medsynth.progress import Lines
from medsynth.schema import Schema

PAIR = one_marginal()
MU = Guarantee.of(PAIR.schema.privacy.epsilon, PAIR.schema.delta_value).mu
SURE = 1 - 1e-7
"""The exact test refutes a sound claim with chance 1e-7 at most, all checks together."""


def gaussian(factor: float = 1.0) -> Callable[[pd.DataFrame, Schema], Release]:
    """Counts rows with Gaussian noise of `factor` times the claimed width."""
    rng = np.random.default_rng(3)

    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        return Release(numbers={"rows": np.array(len(table) + rng.normal(0, factor / MU))})

    return fit


def audited(fit: Callable[[pd.DataFrame, Schema], Release | pd.DataFrame], runs: int = 3000) -> Audit:
    return audit_fit(fit, [PAIR], curve="gaussian", runs=runs, confidence=SURE)


def test_sound_mechanism_is_not_refuted_and_its_mu_is_found() -> None:
    # Seeded. The bound lies below the claim whatever the seed, but for 1e-7.
    audit = audited(gaussian())
    assert not audit.violated
    assert 0.5 * MU < audit.mu_low <= MU


def test_noise_of_half_the_width_is_refuted() -> None:
    # Seeded.
    audit = audited(gaussian(0.5))
    assert audit.violated
    assert MU < audit.mu_low <= 2 * MU
    assert "The claim is violated: one_marginal." in audit.lines()


def test_error_in_one_world_is_refuted_by_its_support() -> None:
    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        if len(table):
            raise ValueError("a person")
        return Release()

    audit = audited(fit, 100)
    support = next(check for check in audit.pairs[0].checks if check.name == "support")
    assert support.violated
    assert "'raises ValueError: a person' in 50 of 50 runs with the person, in 0 of 50 without" in support.evidence


def test_fact_of_one_world_alone_is_found_beside_facts_that_chance_decides() -> None:
    # Seeded: ten facts are said in half of the runs of both worlds.
    rng = np.random.default_rng(7)

    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        said = {f"chance {number}" for number in np.flatnonzero(rng.random(10) < 0.5)}
        return Release(facts=frozenset({*said, *({"seen"} if len(table) else ())}))

    support = next(check for check in audited(fit, 60).pairs[0].checks if check.name == "support")
    assert support.violated
    assert "'seen' in 30 of 30 runs with the person, in 0 of 30 without" in support.evidence


def test_rows_alone_are_audited() -> None:
    audit = audited(lambda table, _: table.drop(columns="person"), 100)
    assert [check.violated for check in audit.pairs[0].checks] == [False, True, True]


def test_fact_that_is_rarer_than_delta_is_no_violation() -> None:
    # Said in 1 of 100 runs, of which the tested half holds none or one.
    calls = iter(range(10_000))

    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        return Release(facts=frozenset({"seen"} if len(table) and next(calls) % 100 == 0 else ()))

    assert not audited(fit, 200).violated


@pytest.mark.parametrize(("factor", "refuted"), [(1.0, False), (2.5, True)])
def test_randomised_response_is_held_to_epsilon_alone(factor: float, refuted: bool) -> None:
    # Seeded: the truth is told with odds e^(factor * epsilon).
    rng = np.random.default_rng(5)
    pair = one_marginal(1.0)
    truth = 1 / (1 + math.exp(-factor))

    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        return Release(facts=frozenset({"yes"} if (rng.random() < truth) == bool(len(table)) else ()))

    assert audit_fit(fit, [pair], runs=2000, confidence=SURE).violated is refuted


def test_a_fit_that_does_nothing_but_raise_is_no_success() -> None:
    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        raise OSError

    with pytest.raises(UsageError, match="every fit raised OSError, with the person and without; nothing was audited"):
        audited(fit, 60)


def test_numbers_out_of_range_are_refused() -> None:
    for options in ({"runs": 19}, {"confidence": 1.0}, {"confidence": 0.0}):
        with pytest.raises(UsageError, match="must"):
            audit_fit(gaussian(), [PAIR], **options)  # type: ignore[arg-type]


def test_pairs_of_different_claims_are_refused() -> None:
    with pytest.raises(UsageError, match="All pairs must state one epsilon and delta, got 2"):
        audit_fit(gaussian(), [PAIR, one_marginal(1.0)])


def test_what_is_said_holds_the_bounds_and_their_limits(capsys: pytest.CaptureFixture[str]) -> None:
    audit = audit_fit(gaussian(), hostile_pairs(1.0)[:2], runs=40, progress=Lines({}, clock=lambda: 0.0))
    plain = audit.as_dict()
    assert plain["limits"] == LIMITS == audit.lines()[-1]
    assert "cannot prove" in LIMITS
    assert plain["violated"] is False
    assert [pair["pair"] for pair in plain["pairs"]] == ["nobody", "unseen_category"]
    assert [check["name"] for check in plain["pairs"][0]["checks"]] == list(CHECKS)
    assert "mu" not in audit.lines()[0]
    assert capsys.readouterr().err.startswith("Auditing: nobody ...")


def test_every_check_counts_in_the_level() -> None:
    # All of 50 against none: refuted at a level of 1e-8 / 3; no p-value reaches 2e-9 / 3, though it reaches 2e-9.
    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        return Release(numbers={"rows": np.array(len(table))})

    pair = Pair(name="one", schema=PAIR.schema, without=PAIR.without, within=PAIR.within)
    assert audit_fit(fit, [pair], curve="gaussian", runs=100, confidence=1 - 1e-8).violated
    assert least_trials(GaussianClaim(mu=MU), 2e-9) is not None
    with pytest.raises(UsageError, match="No number of runs"):
        audit_fit(fit, [pair], curve="gaussian", runs=100, confidence=1 - 2e-9)


@pytest.mark.parametrize("curve", ["gaussian", "approximate"])
def test_fewest_runs_that_are_allowed_refute_the_grossest_fault(curve: Literal["gaussian", "approximate"]) -> None:
    def fit(table: pd.DataFrame, schema: Schema) -> Release:  # noqa: ARG001
        return Release(numbers={"rows": np.array(len(table))})

    with pytest.raises(UsageError, match="Runs must be") as refused:
        audit_fit(fit, [one_marginal(1.0)], curve=curve, runs=2)
    fewest = int(str(refused.value).split("be ")[1].split(" or")[0])
    with pytest.raises(UsageError, match="with fewer, no outcome refutes this claim"):
        audit_fit(fit, [one_marginal(1.0)], curve=curve, runs=fewest - 1)
    assert audit_fit(fit, [one_marginal(1.0)], curve=curve, runs=fewest).violated
