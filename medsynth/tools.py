"""What `medsynth ledger` and `medsynth doctor` do: a population's budget file and this machine, looked at."""

from pathlib import Path

from medsynth import describe_tools
from medsynth.finding import THRESHOLD_SHARE
from medsynth.outputs import Result
from medsynth.privacy.ledger import Ledger


def ledger_show(path: Path) -> Result:
    """What was booked for a population, and what is left."""
    return describe_tools.budget(path, Ledger.open(path))


def ledger_verify(path: Path) -> Result:
    """Verifies a budget file."""
    ledger = Ledger.open(path)
    return describe_tools.verified(path, ledger.verify())


def ledger_set_limit(path: Path, epsilon: float, *, thresholds: bool = False) -> Result:
    """Changes a population's limit; on request keeps the usual part of delta for thresholds."""
    ledger = Ledger.open(path)
    ledger.set_limit(epsilon, thresholds=THRESHOLD_SHARE * ledger.guarantee.delta if thresholds else None)
    return describe_tools.budget(path, ledger)


def doctor() -> Result:
    """Versions, extras and the machine."""
    return describe_tools.machine()
