"""What the synthetic table gives away: attacks by name, resolved on first use."""

from medsynth.registry import Registry

ATTACKS = Registry(
    "attack",
    __name__,
    {
        "copies": "copies:Copies",
        "membership": "membership:Membership",
    },
)
