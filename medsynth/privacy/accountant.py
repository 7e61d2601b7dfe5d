"""Privacy accounting in one currency, mu of Gaussian differential privacy, exchanged exactly.

    delta(epsilon) = Phi(-epsilon / mu + mu / 2) - e^epsilon Phi(-epsilon / mu - mu / 2)

Releases compose as the square root of the sum of mu^2, also when later ones depend on earlier ones.

Source: Dong, Roth and Su (2022), doi:10.1111/rssb.12454; Smith and Thakurta (2022),
arXiv:2210.17520.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final, Protocol, runtime_checkable

from scipy.special import erfcx, ndtr

from medsynth.errors import UsageError

_ROOT_HALF: Final = math.sqrt(0.5)


@runtime_checkable
class Event(Protocol):
    """A release that costs privacy: a kind, and the mu that covers it.

    Selection, threshold and DP-SGD events join when their proof stands in `docs/mathematics.md`.
    """

    @property
    def kind(self) -> str: ...

    @property
    def mu(self) -> float: ...


@dataclass(frozen=True)
class GaussianEvent:
    """A release that is mu-GDP, such as a batch of tables with Gaussian noise.

    >>> GaussianEvent(0.5).kind
    'gaussian'
    """

    mu: float
    kind: ClassVar[str] = "gaussian"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mu) and self.mu >= 0):
            raise UsageError(f"mu of an event must be a finite number from 0, got {self.mu}.")


PROVED: Final[tuple[type, ...]] = (GaussianEvent,)
"""The events with a proof; `mu_of` refuses every other type."""


def mu_of(event: object) -> float:
    """The cost of an event in mu.

    Raises:
      UsageError: If no proof of its cost is known.

    >>> mu_of(GaussianEvent(0.5))
    0.5
    >>> mu_of("laplace")
    Traceback (most recent call last):
        ...
    medsynth.errors.UsageError: Event of type str has no proved cost. Book one of GaussianEvent.
    """
    if type(event) not in PROVED or not isinstance(event, Event):
        allowed = ", ".join(kind.__name__ for kind in PROVED)
        raise UsageError(f"Event of type {type(event).__name__} has no proved cost. Book one of {allowed}.")
    return event.mu


def delta_default(persons: int) -> float:
    """The delta where none is stated: min(1e-6, persons^-1.5), persons being stated and public.

    >>> delta_default(1_000)
    1e-06
    >>> delta_default(1_000_000)
    1e-09

    Raises:
      UsageError: If persons is below 1.
    """
    if persons < 1:
        raise UsageError(f"The stated number of persons must be at least 1, got {persons}.")
    return min(1e-6, 1.0 / (persons * math.sqrt(persons)))


def delta_from(mu: float, epsilon: float) -> float:
    """The smallest delta at which mu-GDP implies (epsilon, delta)-DP.

    Args:
      mu: At least 0.
      epsilon: At least 0.

    Returns:
      delta in [0, 1), to a relative error of about 1e-12.

    >>> round(delta_from(1.0, 1.0), 6)
    0.126937

    Source: Balle and Wang (2018), arXiv:1805.06530, theorem 8.
    """
    if mu == 0:
        return 0.0
    upper, lower = mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu
    scaled_tail = 0.5 * math.exp(-upper * upper / 2)
    if upper > 0:
        return float(max(0.0, ndtr(upper) - scaled_tail * erfcx(-lower * _ROOT_HALF)))
    # Both terms share exp(-upper^2 / 2); taking it out leaves no cancellation of tiny numbers.
    difference = erfcx(-upper * _ROOT_HALF) - erfcx(-lower * _ROOT_HALF)
    return float(max(0.0, scaled_tail * difference))


@lru_cache(maxsize=4096)
def epsilon_from(mu: float, delta: float) -> float:
    """The smallest epsilon at which mu-GDP implies (epsilon, delta)-DP, rounded up at the last bit.

    Args:
      mu: At least 0.
      delta: In (0, 1).

    >>> round(epsilon_from(1.0, 1e-6), 4)
    4.8866
    """
    check_delta(delta)
    if delta_from(mu, 0.0) <= delta:
        return 0.0
    # zCDP bounds it from above: Bun and Steinke (2016), Prop. 1.3, with rho = mu^2 / 2.
    high = mu * mu / 2 + mu * math.sqrt(-2 * math.log(delta))
    return _bisect(lambda epsilon: delta_from(mu, epsilon) > delta, 0.0, high)[1]


@lru_cache(maxsize=4096)
def mu_from(epsilon: float, delta: float) -> float:
    """The largest mu that implies (epsilon, delta)-DP, rounded down at the last bit.

    Args:
      epsilon: Above 0.
      delta: In (0, 1).

    Raises:
      UsageError: If an argument is outside its range.

    >>> round(mu_from(1.0, 1e-6), 4)
    0.2367
    """
    check_epsilon(epsilon)
    check_delta(delta)
    high = 1.0
    while delta_from(high, epsilon) <= delta:
        high *= 2
    return _bisect(lambda mu: delta_from(mu, epsilon) <= delta, 0.0, high)[0]


def check_epsilon(epsilon: float) -> None:
    """Refuses an epsilon that is not a finite number above 0."""
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise UsageError(f"Epsilon must be a finite number above 0, got {epsilon}. Choose one from 0.1 to 10.")


def check_delta(delta: float) -> None:
    """Refuses a delta outside (0, 1)."""
    if not 0 < delta < 1:
        raise UsageError(f"Delta must lie above 0 and below 1, got {delta}. Choose 1e-6 or less.")


def _bisect(holds: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """Neighbouring floats around the point where `holds` turns false."""
    for _ in range(1100):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high
