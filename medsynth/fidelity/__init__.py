"""What the synthetic table gets right: evaluators by name, resolved on first use."""

from medsynth.registry import Registry

FIDELITY = Registry(
    "metric",
    __name__,
    {
        "marginals": "marginals:Marginals",
        "measured": "measured:Measured",
        "rare_conditions": "rare_conditions:RareConditions",
        "rules": "rules:Rules",
        "utility": "utility:Utility",
        "diversity": "diversity:Diversity",
    },
)
