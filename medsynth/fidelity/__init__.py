"""What the synthetic table gets right: evaluators by name, resolved on first use."""

from medsynth.registry import Registry

FIDELITY = Registry(
    "metric",
    __name__,
    {
        "marginals": "marginals:Marginals",
        "measured": "measured:Measured",
        "numbers": "numbers:Numbers",
        "missingness": "missingness:Missingness",
        "associations": "associations:Associations",
        "extremes": "extremes:Extremes",
        "coverage": "coverage:Coverage",
        "telling_apart": "telling_apart:TellingApart",
        "subgroups": "subgroups:Subgroups",
        "rare_conditions": "rare_conditions:RareConditions",
        "rules": "rules:Rules",
        "validation": "validated:Validated",
        "utility": "utility:Utility",
        "importance": "importance:Importance",
        "fairness": "fairness:Fairness",
        "survival": "survival:Survival",
        "studies": "studies:Studies",
        "sdmetrics": "sdmetrics_scores:SDMetrics",
    },
)
