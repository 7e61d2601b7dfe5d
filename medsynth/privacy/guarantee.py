"""What a privacy guarantee means: its exchange rates, and the caps it puts on an attacker."""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from functools import cached_property
from typing import Literal

from scipy.special import ndtr, ndtri

from medsynth.errors import UsageError
from medsynth.privacy.accountant import check_delta, delta_default, delta_from, epsilon_from, mu_from
from medsynth.schema.sections import epsilon_problem

MOST_FAILURE = 0.5
"""Where the odds may move further with a greater chance than this, the guarantee does not speak of odds."""


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """A mu-GDP guarantee for one person, stated as (epsilon, delta).

    Attributes:
      epsilon: The stated epsilon at `delta`.
      delta: The stated delta.
      mu: Gaussian differential privacy; fixes epsilon for every other delta.
      unit: Who is protected, in the words of the table: person, patient.
      neighbours: Only adding or removing one person, with all bounded rows, is offered.
      persons: Stated, public number of persons; None where nobody stated it.
      thresholds: The part of delta kept for thresholds, 0 where none may be released; mu holds but for it.

    >>> guarantee = Guarantee.of(1.0, 1e-6, unit="patient")
    >>> round(guarantee.membership_auc_cap, 3), round(guarantee.membership_tpr_cap(0.01), 3)
    (0.566, 0.018)
    >>> round(guarantee.epsilon_at(1e-9), 2)
    1.32
    """

    epsilon: float
    delta: float
    mu: float
    unit: str = "person"
    neighbours: Literal["add-remove"] = "add-remove"
    persons: int | None = None
    thresholds: float = 0.0

    @classmethod
    def of(
        cls,
        epsilon: float,
        delta: float | None = None,
        *,
        unit: str = "person",
        persons: int | None = None,
        thresholds: float = 0.0,
    ) -> "Guarantee":
        """The guarantee of an (epsilon, delta) budget spent on mu-GDP releases and on thresholds.

        Args:
          epsilon: From `SMALLEST_EPSILON` to `LARGEST_EPSILON`, as in a schema.
          delta: In (0, 1); None takes `delta_default(persons)`.
          unit: Who is protected.
          persons: Stated, public number of persons.
          thresholds: The part of delta kept for thresholds, at least 0 and below delta; mu follows from the rest.

        Raises:
          UsageError: If a number is outside its range, or neither delta nor persons is given.
        """
        wrong = epsilon_problem(epsilon)
        if wrong is not None:
            raise UsageError(f"Epsilon {wrong}")
        if delta is None:
            if persons is None:
                raise UsageError("A guarantee needs a delta or the stated number of persons. Give one of them.")
            delta = delta_default(persons)
        epsilon, delta, thresholds = float(epsilon), float(delta), float(thresholds)
        if not 0 <= thresholds < delta < 1:
            check_delta(delta)
            raise UsageError(
                f"The part of delta for thresholds must lie from 0 to below {delta:g}, got {thresholds:g}."
            )
        mu = mu_from(epsilon, gaussian_delta(delta, thresholds))
        return cls(epsilon=epsilon, delta=delta, mu=mu, unit=unit, persons=persons, thresholds=thresholds)

    @property
    def rho(self) -> float:
        """The zero-concentrated differential privacy it implies, mu^2 / 2."""
        return self.mu**2 / 2

    def epsilon_at(self, delta: float) -> float:
        """The same guarantee as epsilon at another delta, above what is kept for thresholds.

        Raises:
          UsageError: If delta is not.
        """
        check_delta(delta)
        if delta <= self.thresholds:
            raise UsageError(
                f"Delta must lie above {self.thresholds:g}, which is kept for thresholds, got {delta:g}. "
                "Choose a larger one."
            )
        return epsilon_from(self.mu, gaussian_delta(delta, self.thresholds))

    def delta_at(self, epsilon: float) -> float:
        """The same guarantee as delta at another epsilon."""
        return delta_from(self.mu, epsilon) + self.thresholds

    @property
    def membership_auc_cap(self) -> float:
        """The highest AUC any membership attack can reach: Phi(mu / sqrt 2), and what thresholds may fail by.

        Source: Dong, Roth and Su (2022): area under the trade-off curve G_mu; `docs/mathematics.md`, on thresholds.
        """
        return min(1.0, float(ndtr(self.mu / math.sqrt(2))) + self.thresholds)

    def membership_tpr_cap(self, fpr: float) -> float:
        """The highest true positive rate of any membership attack at a false positive rate.

        Source: Dong, Roth and Su (2022): Phi(Phi^-1(fpr) + mu); thresholds add what they may fail by.
        """
        return min(1.0, float(ndtr(ndtri(fpr) + self.mu)) + self.thresholds)

    @property
    def odds_factor(self) -> float:
        """How far the odds of membership can move, except with probability `odds_failure`."""
        return math.exp(self.epsilon)

    @cached_property
    def odds_failure(self) -> float:
        """Bounds the chance that the odds of membership move by more than `odds_factor`.

        Larger than delta: delta bounds an average excess, not the chance of exceeding e^epsilon.

        Formal guarantee:
          P(|L| > epsilon) <= (1 + e^-epsilon) delta(e) / (1 - e^(e - epsilon)), every e < epsilon,
          L the privacy loss of anything computed from the releases. The smallest of 200 is given.

        Source: `docs/mathematics.md`, section 6.
        """
        grid = [self.epsilon * step / 200 for step in range(200)]
        tail = min(self.delta_at(e) / -math.expm1(e - self.epsilon) for e in grid)
        return min(1.0, (1 + math.exp(-self.epsilon)) * tail)

    @property
    def bounds_odds(self) -> bool:
        """False where delta is so large that the bound on the odds holds with no useful probability."""
        return self.odds_failure <= MOST_FAILURE

    def sentence(self) -> str:
        """The guarantee as a statement about an attacker's odds, or, where they are not bounded, about any test.

        >>> sentence = Guarantee.of(1.0, 1e-6, unit="patient").sentence()
        >>> "the odds that any one patient is in the data by at most x2.8" in sentence
        True
        """
        stated = f"(epsilon {self.epsilon:.6g}, delta {self.delta:.3g} per {self.unit})"
        if not self.bounds_odds:
            return (
                f"Whatever else an attacker knows, no test of whether any one {self.unit} is in the data has an AUC "
                f"above {math.ceil(self.membership_auc_cap * 1000) / 1000:.3f}, where guessing has 0.5 {stated}."
            )
        return (
            "Whatever else an attacker knows, the release shifts the odds that any one "
            f"{self.unit} is in the data by at most x{_factor(self.odds_factor)}, "
            f"except with probability {_up(self.odds_failure):.2g} {stated}."
        )

    def as_dict(self) -> dict[str, float | int | str | None]:
        """Plain values for a model file, a report or a claim."""
        return {
            "epsilon": self.epsilon,
            "delta": self.delta,
            "mu": self.mu,
            "rho": self.rho,
            "unit": self.unit,
            "neighbours": self.neighbours,
            "persons": self.persons,
            "thresholds": self.thresholds,
            "membership_auc_cap": self.membership_auc_cap,
            "membership_tpr_cap_at_1pct_fpr": self.membership_tpr_cap(0.01),
            "odds_factor": self.odds_factor if self.bounds_odds else None,
            "odds_failure": self.odds_failure if self.bounds_odds else None,
            "sentence": self.sentence(),
        }


def gaussian_delta(delta: float, thresholds: float) -> float:
    """What of delta is left for Gaussian releases, rounded down.

    >>> gaussian_delta(1e-6, 0.0), gaussian_delta(1e-6, 1e-7) <= 9e-7
    (1e-06, True)
    """
    return math.nextafter(delta - thresholds, 0.0) if thresholds else delta


def _factor(value: float) -> str:
    """A factor as a reader says it, rounded up: 1.011, 1.65, 2.8, 22,027, 2.7e+43; never that it is 1."""
    if value >= 1e9:
        return f"{_up(value):.1e}"
    places = 3 if value < 1.1 else 2 if value < 2 else 1 if value < 100 else 0
    return f"{Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_CEILING):,}"


def _up(value: float) -> float:
    """Two digits, not below the value: a promise is not rounded down."""
    return float(Context(prec=2, rounding=ROUND_CEILING).create_decimal(value))
