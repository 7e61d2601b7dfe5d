"""The words that do not come from the run: names of figures, questions, definitions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A section of scores and charts.

    Attributes:
      key: Anchor on the page.
      title: Heading.
      question: What a reader wants to know here.
      prefixes: Names of the scores and charts that belong here.
      headlines: Patterns of the scores whose sentences open the section, in this order.
      withheld: What the shareable edition says in place of the figures that it may not hold.
      shown: What it adds for a table with a guarantee.
      nothing: What is said where there is nothing to show.
    """

    key: str
    title: str
    question: str
    prefixes: tuple[str, ...]
    headlines: tuple[str, ...]
    withheld: str = ""
    shown: str = ""
    nothing: str = "Nothing was measured here."


FIDELITY = Topic(
    key="fidelity",
    title="Fidelity",
    question="Does the synthetic table resemble the real one?",
    prefixes=("fidelity.", "association.", "marginal.", "subgroup."),
    headlines=(
        "fidelity.tv2.holdout",
        "fidelity.tv2.paid",
        "subgroup.worse",
        "fidelity.tv2.train",
        "fidelity.tv2.measured",
    ),
    withheld="Comparisons with real training and holdout records are in the internal edition only.",
    shown="The figures here compare with the noised counts, which the guarantee covers.",
)
RARE = Topic(
    key="rare",
    title="Rare conditions",
    question="Are the declared rare conditions still there, and how many?",
    prefixes=("rare.",),
    headlines=("rare.*",),
    nothing="The schema declares no rare condition.",
)
RULES = Topic(
    key="rules",
    title="Rules",
    question="Do the rules hold, and are doubtful records passed on?",
    prefixes=("rule.", "validation."),
    headlines=("rule.*", "validation.*"),
    withheld="How many real records break a rule is in the internal edition only.",
    nothing="The schema declares no rule.",
)
UTILITY = Topic(
    key="utility",
    title="Utility",
    question="Does a model trained on the synthetic table work on real records?",
    prefixes=("utility.", "study.", "estimate."),
    headlines=(
        "utility.auc.drop",
        "utility.r2.drop",
        "study.kept",
        "utility.survival.concordance.drop",
        "utility.fairness.widened",
        "utility.auc.paid",
        "utility.survival.distance",
        "utility.*.drop",
        "utility.auprc.synthetic",
    ),
    withheld="How a model trained on the synthetic table works on real records is in the internal edition only.",
)
LEAKS = Topic(
    key="leaks",
    title="Leaks",
    question="Can an attacker learn from the table who was in it, or a secret about someone?",
    prefixes=("leak.", "audit."),
    headlines=(
        "leak.verdict",
        "leak.membership.*.tpr_at_1pct_fpr",
        "leak.copies.exact_excess",
        "audit.*",
    ),
    withheld="Attacks compare with real records; their results are in the internal edition only.",
    shown="The caps in the guarantee hold against every attack, run or not.",
)
FURTHER = Topic(
    key="further",
    title="Further figures",
    question="What else was measured?",
    prefixes=("",),
    headlines=("*",),
)
TOPICS = (FIDELITY, RARE, RULES, UTILITY, LEAKS, FURTHER)

ANSWERS: tuple[tuple[str, Topic, tuple[str, ...]], ...] = (
    (
        "Does it resemble the real table?",
        FIDELITY,
        ("fidelity.tv2.holdout", "fidelity.tv2.paid", "fidelity.tv2.measured"),
    ),
    ("Can it be told from real records?", FIDELITY, ("fidelity.classifier.auc",)),
    ("Does a model trained on it work on real people?", UTILITY, ("utility.*.drop", "utility.auc.paid")),
    ("Would a study on it have concluded the same?", UTILITY, ("study.kept",)),
    ("Is a subgroup served worse?", FIDELITY, ("subgroup.worse",)),
    ("Does every record obey the rules?", RULES, ("rule.broken.synthetic",)),
    ("Did any attack find a leak?", LEAKS, ("leak.verdict",)),
    ("Can an attacker learn who was in it?", LEAKS, ("leak.membership.*.tpr_at_1pct_fpr",)),
)
"""What page one answers: question, section with the rest, scores whose sentence is the answer, best first."""

LAST_CHARTS = ("fidelity.column.", "fidelity.measured.")
"""Names of charts that follow the others of their section."""

POLICY_NAMES: Mapping[str, str] = {
    "epsilon_max": "Privacy loss, epsilon",
    "membership_tpr_at_1pct_fpr_max": "Membership attack: members found at 1 % false alarms",
    "exact_match_excess_max": "Exact copies beyond a size-matched holdout",
    "tv_2way_max": "Two-way error",
    "auc_drop_max": "AUC lost on real records",
}

_AGAINST = {
    "train": "against training records",
    "holdout": "against holdout records",
    "measured": "against the noised counts",
    "paid": "on held-out persons, from noised counts",
    "paid_raw": "on held-out persons, the same without noise",
    "synthetic": "in the synthetic table",
}
_RULES = {
    "broken": "some rule is broken",
    "train": "in real training records",
    "synthetic": "in the synthetic table",
}
_TRAINED = {
    "synthetic": "trained on synthetic",
    "real": "trained on real",
    "drop": "lost by training on synthetic",
    "gap": "added by training on synthetic",
    "linear": "linear model",
    "forest": "random forest",
    "brier": "Brier score",
    "ece": "calibration error",
    "slope": "calibration slope",
    "r2": "R squared",
    "mae": "mean absolute error",
    "importance": "importance of columns",
    "rank": "rank correlation with real",
    "top": "leading columns shared with real",
    "fairness": "gap between groups",
    "widened": "how many widened",
    "tpr": "cases found",
    "calibration": "predicted less observed risk",
    "distance": "distance of the curves",
    "hazards": "hazard ratios",
    "sign": "on the same side of 1",
    "overlap": "with overlapping intervals",
}
_SUBGROUP = {
    "worse": "subgroups served much worse than everyone",
    "size": "training rows, rounded",
    "drop": "loss of the model",
}
_STUDIED = {
    "kept": "findings kept",
    "sign": "same sign",
    "significance": "same significance",
    "overlap": "overlap of intervals",
    "difference": "distance in standard errors",
}
_TERMS = {
    "sdmetrics": "SDMetrics",
    "held": "expectations that hold",
    "tv1": "one-way error",
    "tv2": "two-way error",
    "tv3": "three-way error",
    "ks": "largest difference of cumulative shares (KS)",
    "wasserstein": "way that values must be moved (Wasserstein)",
    "missing_shares": "share of missing cells",
    "missing_patterns": "columns missing together",
    "association": "strength of association",
    "found": "found in the synthetic table",
    "strange": "absent from the holdout",
    "tails": "tails of numbers",
    "kept": "share kept",
    "coverage": "regions of real records that are covered",
    "density": "density around real records",
    "classifier": "classifier of synthetic against real",
    "gap": "AUC beyond a second real sample's",
    "pmse": "pMSE",
    "ratio": "ratio to chance",
    "auc": "AUC",
    "auprc": "AUPRC",
    "excess": "successes beyond the holdout's",
    "p": "probability by chance",
    "exact_p": "exact copies, probability by chance",
    "near_p": "near copies, probability by chance",
    "f1_gain": "F1 gained over naming everybody",
    "verdict": "smallest probability of all attacks, adjusted",
    "exact_excess": "exact copies beyond the holdout's",
    "near_excess": "near copies beyond the holdout's",
    "tpr_at_1pct_fpr": "members found at 1 % false alarms",
}

GLOSSARY: tuple[tuple[str, str], ...] = (
    (
        "Epsilon, delta, mu",
        "How far one person's records can shift what an observer may conclude; smaller is stricter. Mu is the "
        "native unit of the accounting, epsilon and delta follow from it.",
    ),
    (
        "Two-way error",
        "Mean total variation distance over pairs of columns: 0 when every cross table agrees, "
        "1 when none does. One-way and three-way error: the same for single columns and triples.",
    ),
    (
        "KS and Wasserstein",
        "How far the distribution of a number lies from the real one: the largest difference of cumulative shares, and "
        "the way that values would have to be moved, as a share of the real mean distance from the median.",
    ),
    (
        "Strength of association",
        "0 where two columns have nothing in common, 1 where one tells the other: bias-corrected Cramér's V of two "
        "categories, correlation ratio of ranks of a number and a category, Spearman's correlation of two numbers.",
    ),
    (
        "Coverage and density",
        "Around real holdout records lie regions that reach to their fifth nearest real neighbour. Coverage is the "
        "share of regions that hold a synthetic record, density how many of them a synthetic record lies in, 1 where "
        "the tables are alike.",
    ),
    (
        "pMSE ratio",
        "How well a logistic regression on single columns tells synthetic from real records, over what chance alone "
        "would let it: 1 is chance.",
    ),
    (
        "Floor (baseline) and ceiling",
        "What chance alone would score (independent columns, a naive attacker) and what a second real sample of "
        "the same size would score; for attacks the ceiling is the cap that the guarantee sets.",
    ),
    (
        "Verdict over all attacks",
        "Each attack is tested against its control. The smallest probability, adjusted by Holm's method for the number "
        "of tests, is held against 0.001: of a thousand tables without a leak one would be accused.",
    ),
    (
        "Interval",
        "95 % confidence interval, unless the sentence beside it says otherwise.",
    ),
    (
        "Training and holdout records",
        "Training records were used to make the table. Holdout records belong to other persons of the same "
        "population and were never shown to the generator.",
    ),
    (
        "Noised counts",
        "Counts with random noise, booked in the ledger: the only things the generator learned from real records.",
    ),
)

OF_GUARANTEES = ("Epsilon, delta, mu", "Noised counts")
OUTSIDE_GUARANTEE = (
    "Not covered by the guarantee: timing of the computation, relatives as correlated persons, a "
    "compromised host, and restored old copies of the budget file."
)
INTERNAL_SCOPE = (
    "The guarantee covers the synthetic table, the model file and the shareable edition. It does not cover this "
    "internal edition."
)
DETAIL_NAMES: Mapping[str, str] = {"delta_kept_for_thresholds": "Of delta, kept for thresholds"}
NO_GUARANTEE = "No differential privacy guarantee is claimed for this table."


def topic_of(name: str) -> Topic:
    """The section of a score or chart; a name no section knows goes to the further figures."""
    return next(topic for topic in TOPICS if name.startswith(topic.prefixes))


def figure_name(name: str) -> str:
    """A reader's name for a score.

    >>> figure_name("fidelity.tv2.holdout")
    'Two-way error, against holdout records'
    >>> figure_name("leak.membership.nearest_record.auc")
    'Membership attack, nearest record: AUC'
    >>> figure_name("leak.singling_out.multivariate.excess")
    "Singling out, multivariate, successes beyond the holdout's"
    >>> figure_name("subgroup.80 and over.drop"), figure_name("utility.fairness.women.tpr")
    ('80 and over, loss of the model', 'Gap between groups, women, cases found')
    """
    topic, *parts = name.split(".")
    if name.startswith("leak.membership.") and len(parts) == 3:
        return f"Membership attack, {_words(parts[1])}: {_TERMS.get(parts[2], _words(parts[2]))}"
    if topic in {"study", "estimate"}:
        return ": ".join([*map(_words, parts[:-1]), _STUDIED.get(parts[-1]) or _words(parts[-1])])
    if topic == "rare" and len(parts) > 1:
        return f"{_words(parts[0])}: {', '.join(map(_term, parts[1:]))}"
    if topic == "rule":
        label = ", ".join(_RULES.get(part) or f"{_words(part)} is broken" for part in parts)
        return label[:1].upper() + label[1:]
    parts = parts[1:] if parts[:1] == ["copies"] else parts
    special = {"utility": _TRAINED, "subgroup": _SUBGROUP}.get(topic, {})
    label = ", ".join(special.get(part) or _term(part) for part in parts) or _words(name)
    return label[:1].upper() + label[1:]


def policy_name(key: str) -> str:
    """A reader's name for a policy line."""
    return POLICY_NAMES.get(key) or _words(key).capitalize()


def detail_name(key: str) -> str:
    """A reader's name for what else is stated of a guarantee.

    >>> detail_name("persons"), detail_name("delta_kept_for_thresholds")
    ('Persons', 'Of delta, kept for thresholds')
    """
    return DETAIL_NAMES.get(key) or _words(key).capitalize()


def _term(part: str) -> str:
    return _TERMS.get(part) or _AGAINST.get(part) or _words(part)


def _words(identifier: str) -> str:
    return re.sub(r"[_\s]+", " ", identifier)
