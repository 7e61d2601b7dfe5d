"""What the synthetic table gives away: attacks by name, resolved on first use."""

from medsynth.registry import Registry

ATTACKS = Registry(
    "attack",
    __name__,
    {
        "copies": "copies:Copies",
        "membership": "membership:Membership",
        "singling_out": "singling_out:SinglingOut",
        "linkability": "linkability:Linkability",
        "attribute_inference": "attribute_inference:AttributeInference",
        "inside": "inside:Inside",
    },
)
