"""What adaptivity costs the accounting: epsilon of real adaptive fits by the ledger's filter, beside the same releases
fixed in advance.

The filter admits releases that depend on earlier results. `dp-accounting` composes the very releases that a fit has
made as if they had been fixed beforehand, from below and from above. `overhead` is the filter's epsilon over the upper
of the two; `unspent` is the share of mu^2 that a fit was allowed and did not use.

Command: python benchmarks/accountant.py
"""

import math
from typing import Any

from check_schemas import READERS
from dp_accounting.pld import privacy_loss_distribution
from record import record

from medsynth.privacy.accountant import epsilon_from
from medsynth.synthesizer import Synthesizer

TABLES = ("adult", "thyroid")
EPSILONS = (0.1, 1.0, 10.0)


def oracle(costs: list[float], delta: float, *, pessimistic: bool) -> float:
    """Epsilon of Gaussian releases fixed in advance, by their privacy loss distributions."""
    step = min(5e-4, min(costs) / 50)
    whole: Any = None
    for mu in costs:
        part = privacy_loss_distribution.from_gaussian_mechanism(
            1 / mu,
            pessimistic_estimate=pessimistic,
            value_discretization_interval=step,
            log_mass_truncation_bound=-60,
            use_connect_dots=pessimistic,
        )
        whole = part if whole is None else whole.compose(part)
    return float(whole.get_epsilon_for_delta(delta))


def one_fit(name: str, epsilon: float) -> dict[str, float]:
    """One adaptive fit and its account."""
    file = Synthesizer(name, epsilon=epsilon).fit(READERS[name]()).model_
    costs = [float(entry["mu"]) for entry in file.ledger]
    delta, limit = float(file.guarantee["delta"]), float(file.guarantee["mu"])
    spent = math.fsum(mu**2 for mu in costs)
    filtered = epsilon_from(math.sqrt(spent), delta)
    low, high = (oracle(costs, delta, pessimistic=pessimistic) for pessimistic in (False, True))
    return {
        "releases": len(costs),
        "filter": filtered,
        "optimistic": low,
        "pessimistic": high,
        "overhead": filtered / high,
        "unspent": 1 - spent / limit**2,
    }


def main() -> None:
    values: dict[str, Any] = {}
    for name in TABLES:
        for epsilon in EPSILONS:
            values[f"{name}_epsilon_{epsilon:g}"] = one_fit(name, epsilon)
            print(name, epsilon, values[f"{name}_epsilon_{epsilon:g}"], flush=True)
    fits = list(values.values())
    values["largest_overhead"] = max(fit["overhead"] for fit in fits)
    values["largest_unspent"] = max(fit["unspent"] for fit in fits)
    record("accountant", values, command="python benchmarks/accountant.py", seeds=[])


if __name__ == "__main__":
    main()
