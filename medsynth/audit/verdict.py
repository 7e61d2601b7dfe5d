"""What an audit found, as plain values and sentences."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

LIMITS: Final = (
    "These are lower bounds: an audit cannot prove differential privacy. A claim that it refutes is proved false, "
    "but for the stated chance of a false alarm."
)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One attack on one pair, tested on runs that it had not seen.

    Attributes:
      name: `published numbers`, `synthetic rows` or `support`.
      hits: Runs with the person in which the attack said so.
      false_alarms: Runs without the person in which it said so.
      trials: Tested runs of each world.
      p_value: Exact, against the claimed curve.
      mu_low: Lower bound on mu from the same exact test.
      mu_low_joint: The same from two Clopper-Pearson intervals.
      epsilon_low: Lower bound on epsilon at the claimed delta, from two Clopper-Pearson intervals of its own threshold.
      violated: Whether the claim is refuted.
      evidence: What gave the worlds away, for `support`.
    """

    name: str
    hits: int
    false_alarms: int
    trials: int
    p_value: float
    mu_low: float
    mu_low_joint: float
    epsilon_low: float
    violated: bool
    evidence: str = ""


@dataclass(frozen=True, kw_only=True)
class PairAudit:
    """The attacks on one pair of tables."""

    pair: str
    checks: tuple[Check, ...]

    @property
    def violated(self) -> bool:
        """Whether one of them refutes the claim."""
        return any(check.violated for check in self.checks)


@dataclass(frozen=True, kw_only=True)
class Audit:
    """An empirical audit of one claim.

    Attributes:
      epsilon: Claimed.
      delta: Claimed.
      mu: Claimed; None where no more than (epsilon, delta) is claimed.
      confidence: That no sound claim is refuted and that no bound exceeds the truth (for each kind of bound), all
        attacks on all pairs together.
      runs: Fits of each world of each pair.
      detectable_mu: The smallest mu that an ideal attack would tell from the claimed one with power 0.95; None where
        there is none, or no mu is claimed.
      pairs: What was found.
    """

    epsilon: float
    delta: float
    mu: float | None
    confidence: float
    runs: int
    detectable_mu: float | None
    pairs: tuple[PairAudit, ...]

    @property
    def violated(self) -> bool:
        """Whether the claim is refuted."""
        return any(pair.violated for pair in self.pairs)

    @property
    def epsilon_low(self) -> float:
        """The largest lower bound on epsilon."""
        return max(check.epsilon_low for check in self._checks())

    @property
    def mu_low(self) -> float:
        """The largest lower bound on mu."""
        return max(check.mu_low for check in self._checks())

    def _checks(self) -> Iterable[Check]:
        return (check for pair in self.pairs for check in pair.checks)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, figures and verdict."""
        found = {"violated": self.violated, "epsilon_low": self.epsilon_low, "mu_low": self.mu_low}
        return found | asdict(self) | {"limits": LIMITS}

    def lines(self) -> tuple[str, ...]:
        """The audit for a reader."""
        claimed = f"epsilon {self.epsilon:g} at delta {self.delta:g}" + (f", mu {self.mu:.3f}" if self.mu else "")
        return (
            f"Claimed: {claimed}. Fitted {self.runs:,} times with and {self.runs:,} times without each person.",
            *(self._line(pair, check) for pair in self.pairs for check in pair.checks),
            f"Found with {100 * self.confidence:g} % confidence: epsilon is at least {self.epsilon_low:.2f}, "
            f"mu at least {self.mu_low:.2f}.",
            self._verdict(),
            *([self._power()] if self.mu else []),
            LIMITS,
        )

    def _line(self, pair: PairAudit, check: Check) -> str:
        verdict = f"REFUTED (p {_rounded(check.p_value)})" if check.violated else "not refuted"
        return (
            f"  {pair.pair:<20} {check.name:<18} epsilon >= {check.epsilon_low:5.2f}  mu >= {check.mu_low:5.2f}  "
            f"{verdict}{f': {check.evidence}' if check.violated and check.evidence else ''}"
        )

    def _verdict(self) -> str:
        if not self.violated:
            return "No violation of the claim was found."
        pairs = ", ".join(pair.pair for pair in self.pairs if pair.violated)
        return f"The claim is violated: {pairs}."

    def _power(self) -> str:
        if self.detectable_mu is None:
            return "So few runs find no fault with power 0.95, not even by an ideal attack. Raise --runs."
        return (
            f"An ideal attack in so many runs would find a true mu of {self.detectable_mu:.2f} or more with power "
            "0.95; attacks are rarely ideal."
        )


def _rounded(value: float) -> str:
    return "below 1e-08" if value < 1e-8 else f"{value:.1g}"
