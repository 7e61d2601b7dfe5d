"""Membership disclosure at the real sampling fraction: the F1 of health-data practice."""

import numpy as np

from medsynth.inference import percentiles
from medsynth.leakage.distance import FloatArray
from medsynth.leakage.targets import FEWEST
from medsynth.score import Edition, Score

CONVENTION = 0.2
UNSTATED = 0.5
RESAMPLES = 500


def f1(found: float, accused: float, fraction: float) -> float:
    """F1 of an attacker in a population, so large a fraction of which is in the data.

    Args:
      found: Share of members named.
      accused: Share of strangers named.
      fraction: Share of the population in the data, in (0, 1].

    >>> round(f1(1.0, 1.0, 0.5), 4), f1(0.0, 0.0, 0.5)
    (0.6667, 0.0)
    """
    named = fraction * found + (1 - fraction) * accused
    return 2 * fraction * found / (named + fraction) if found > 0 else 0.0


def disclosure(members: FloatArray, strangers: FloatArray, fraction: float | None) -> Score:
    """`leak.membership.f1_gain`: what an attacker gains over one who takes everybody for a member.

    The distance below which a person is named is chosen on every second target and used on the others.

    Args:
      members: Beliefs about members, in random order.
      strangers: Beliefs about strangers, in random order.
      fraction: Share of the population in the data, if the schema says.

    Source: El Emam, Mosquera and Fang (2022), doi:10.1093/jamiaopen/ooac083.
    """
    share = UNSTATED if fraction is None else fraction
    threshold = _best(members[::2], strangers[::2], share)
    hits, alarms = members[1::2] >= threshold, strangers[1::2] >= threshold
    naive = f1(1.0, 1.0, share)
    reached = f1(float(hits.mean()), float(alarms.mean()), share)
    value = _gain(reached, naive)
    rng = np.random.default_rng(0)
    rates = [rng.binomial(len(told), told.mean(), RESAMPLES) / len(told) for told in (hits, alarms)]
    low, high = percentiles(
        np.array([_gain(f1(found, accused, share), naive) for found, accused in zip(*rates, strict=True)])
    )
    why = "which the schema states" if fraction is not None else "since the schema states no sampling fraction"
    return Score(
        name="leak.membership.f1_gain",
        value=value,
        low=low,
        high=high,
        baseline=0.0,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=(
            f"Where {share:.1%} of a population are in the data ({why}), an attacker who names whoever lies near a "
            f"released row reaches F1 {reached:.3f}, and one who names "
            f"everybody {naive:.3f}: a gain of {value:.1%} of what was left (95 % interval {low:.1%} to {high:.1%}; "
            f"by convention {CONVENTION:.0%} is the most). {len(hits):,} persons of each kind judged it."
        ),
    )


def _gain(reached: float, naive: float) -> float:
    return (reached - naive) / (1 - naive) if naive < 1 else 0.0


def _best(members: FloatArray, strangers: FloatArray, fraction: float) -> float:
    """The belief from which naming pays best; `-inf`, everybody, is among them."""
    tried = np.append(-np.inf, np.quantile(np.concatenate([members, strangers]), np.linspace(0, 1, FEWEST)))
    return float(
        max(tried, key=lambda one: f1(float((members >= one).mean()), float((strangers >= one).mean()), fraction))
    )
