"""medsynth: differentially private synthetic tables, with the evidence to sign a release.

The flow, which is also the order of the folders:

    schema      what is public about a table: columns, persons, rare conditions, rules
    encoding    columns cut into cells; what one person contributes; predicates as boxes of cells
    sources     where private rows live
    privacy     ledger and noise: the only way anything leaves the rows
    models      noisy counts -> a distribution that can be conditioned and sampled
    sampling    records, upsampling, rules
    fidelity    how close, between independent columns and a second real sample
    leakage     attacks on the released table
    audit       empirical epsilon of any fit, on tiny worst-case tables
    report      one JSON, one page, two editions
    pipeline    the whole story
    collapse    how many refits on their own output a table bears

>>> import medsynth
>>> medsynth.load_schema("adult").dataset.name
'adult'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from medsynth.version import __version__

if TYPE_CHECKING:
    from medsynth.pipeline import audit as attack
    from medsynth.pipeline import evaluate
    from medsynth.privacy.guarantee import Guarantee
    from medsynth.privacy.ledger import Ledger
    from medsynth.schema import Schema, load_schema
    from medsynth.synthesizer import Synthesizer
    from medsynth.verifying import verify

__all__ = [
    "Guarantee",
    "Ledger",
    "Schema",
    "Synthesizer",
    "__version__",
    "attack",
    "evaluate",
    "load_schema",
    "verify",
]

_HOMES = {
    "Guarantee": "privacy.guarantee",
    "Ledger": "privacy.ledger",
    "Schema": "schema",
    "Synthesizer": "synthesizer",
    "attack": "pipeline:audit",  # `medsynth.audit` is the package
    "evaluate": "pipeline",
    "load_schema": "schema",
    "verify": "verifying",
}


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first asked for: `import medsynth` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'medsynth' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f"medsynth.{module}"), attribute or name)
