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
        # New rows go to the end: an evaluator's random choices are seeded by its place.
        "numbers": "numbers:Numbers",
        "missingness": "missingness:Missingness",
        "associations": "associations:Associations",
        "extremes": "extremes:Extremes",
        "coverage": "coverage:Coverage",
        "telling_apart": "telling_apart:TellingApart",
    },
)
