"""What a schema declares, estimated on a release and its replicates: honest intervals, or why there are none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medsynth.fidelity.study_fits import StudyEstimate
from medsynth.fidelity.support import Support
from medsynth.inference import combine

UNTOLD = "{failed} of {all} tables cannot tell it ({reason})"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One declared estimate; a function of the released model, so that it may be shared.

    Attributes:
      study: Name of the study, or what a share or mean is of.
      term: Name of the coefficient, or of the subgroup.
      kind: coefficient, share or mean.
      value: On the release; None where that cannot tell it.
      error: Honest standard error; None where the measurements do not support one.
      low: Lower end of the 95 % interval.
      high: Upper end.
      naive: Standard error of the release as if its records were real: too small.
      reason: Why there is no interval; empty where there is one.
    """

    study: str
    term: str
    kind: str
    value: float | None
    error: float | None = None
    low: float | None = None
    high: float | None = None
    naive: float | None = None
    reason: str = ""

    @property
    def supported(self) -> bool:
        """Whether it has an interval."""
        return not self.reason


def combined(told: Sequence[Sequence[StudyEstimate]], supported: Sequence[Support]) -> tuple[Declared, ...]:
    """Every declared estimate with its interval.

    Args:
      told: The same estimates on each table, the release first.
      supported: Whether the measurements support each.
    """
    several = zip(*told, strict=True)
    return tuple(_declared(tables, each) for tables, each in zip(several, supported, strict=True))


def _declared(tables: Sequence[StudyEstimate], support: Support) -> Declared:
    release = tables[0]
    about: Any = {
        "study": release.study,
        "term": release.term,
        "kind": release.kind,
        "value": release.value,
        "naive": release.error,
    }
    untold = [each for each in tables if each.value is None or each.error is None]
    if untold and not support.reason:
        return Declared(**about, reason=UNTOLD.format(failed=len(untold), all=len(tables), reason=untold[0].reason))
    if support.reason:
        return Declared(**about, reason=support.reason)
    found = combine(np.array([each.value for each in tables]), np.array([each.error for each in tables]))
    # What groups of cells hide is no spread of refits: it is added as a deviation of its own.
    hidden = abs(found.value) * support.hidden / (1 - support.hidden) if release.kind == "coefficient" else 0.0
    widened = math.hypot(found.error, hidden)
    half = (found.high - found.value) * (widened / found.error if found.error else 1.0)
    low, high = found.value - half, found.value + half
    if release.kind == "share":
        low, high = max(0.0, low), min(1.0, high)
    return Declared(**about, error=widened, low=low, high=high)
