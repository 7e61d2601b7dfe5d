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
        "studies": "studies:Studies",
        "utility": "utility:Utility",
        "validation": "validated:Validated",
        "sdmetrics": "sdmetrics_scores:SDMetrics",
        "importance": "importance:Importance",
        "fairness": "fairness:Fairness",
        "survival": "survival:Survival",
        "subgroups": "subgroups:Subgroups",
    },
)
