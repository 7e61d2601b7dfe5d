"""Does raising a rare outcome help who must predict it? A classifier for it, trained on eight kinds of table.

    a   synthetic, as many rows as real ones, outcome as common as in the population
    a2  synthetic, natural, so many rows that it holds as many cases as b
    b   synthetic, as many rows as real ones, outcome raised to a fifth (file's weights used for calibration alone)
    bw  the same, trained with the file's weights
    c   a with the classes weighted to balance
    d   real, cases added by SMOTE-NC until a fifth (Chawla et al. 2002; imbalanced-learn)
    e   real, synthetic cases added until a fifth
    f   real

Judged on held-out real persons: average precision (AUPRC), recall at a precision of 30 %, and calibration: mean belief
over the true share after each belief's odds are brought back to the population's share of cases (where the table says
what that is: b by its weights, c, d and e by the share before). Learner: medsynth's fixed boosted trees. One fit per
epsilon and seed; the outcome is the only rare condition of the fit. Differences are paired by seed, their intervals
are Student's at 95 %.

Command: python benchmarks/rare_outcome.py [--tables ...] [--epsilons 1 3] [--seeds 0 1 2 3 4] [--dry]
Needs: pip install imbalanced-learn
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from bench_tasks import Task, load_task
from imblearn.over_sampling import SMOTENC
from record import record
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Domain
from medsynth.fidelity.learners import as_integers, boosting, features_of, weighted_auprc
from medsynth.models.adaptive import Adaptive
from medsynth.models.base import Part, RareTarget
from medsynth.models.graphical import GraphicalModel
from medsynth.privacy import UNITS_PER_PERSON, Ledger, mu_from
from medsynth.sources.encoded import EncodedRecords

Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
RAISED = 0.2
PRECISION = 0.3
MOST_ROWS = 150_000
CONFIDENCE = 0.95
OUTCOMES = {
    "diabetes130": ("died", frozenset({"readmitted"})),
    "thyroid": ("primary_hypothyroid", frozenset()),
    "adult_discrete": ("high_capital_gain", frozenset({"fnlwgt"})),
}
"""Rare condition that is predicted, and columns that tell it otherwise; its own columns are left out, too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """A table to learn from.

    Attributes:
      codes: Rows.
      cases: Which are cases.
      weights: Of the rows in training.
      share: Of cases in the population, as the table says it.
    """

    codes: Codes
    cases: npt.NDArray[np.bool_]
    weights: Floats
    share: float


def fitted(task: Task, condition: Condition, name: str, epsilon: float) -> GraphicalModel:
    """A fit to the training persons that knows of the outcome."""
    domain, n = Domain(attributes=task.attributes), len(task.train)
    columns = tuple(k for k, size in enumerate(domain.sizes) if size > 1 and k not in condition.attributes)
    records = EncodedRecords(
        domain=domain,
        l2=UNITS_PER_PERSON,
        columns=[task.train[:, k].astype(np.uint16) for k in range(len(domain))],
        weights=np.full(n, UNITS_PER_PERSON),
    )
    target = RareTarget(name=name, condition=condition, columns=columns)
    mu = mu_from(epsilon, task.delta)
    return Adaptive().fit(records, Ledger(90.0, task.delta), persons=n, mu=mu, rare=[target])


def tables(task: Task, condition: Condition, model: GraphicalModel, rng: np.random.Generator) -> dict[str, Learned]:
    """All tables to learn from."""
    n, natural = len(task.train), model.share(condition)
    raised = round(RAISED * n)
    parts = [
        Part(condition=condition, natural=natural, weight=natural * n / raised),
        Part(condition=condition.complement(), natural=1 - natural, weight=(1 - natural) * n / (n - raised)),
    ]
    cases, others = model.rows(parts).draw([raised, n - raised], rng)
    weights = np.repeat([part.weight for part in parts], [len(cases), len(others)])
    lot = min(MOST_ROWS, round(raised / natural))
    real = condition.mask(task.train)
    added = round((RAISED * n - real.sum()) / (1 - RAISED))

    def table(codes: Codes, weights: Floats | None = None, share: float | None = None) -> Learned:
        held = condition.mask(codes)
        known = float(held.mean()) if share is None else share
        return Learned(
            codes=codes, cases=held, weights=np.ones(len(codes)) if weights is None else weights, share=known
        )

    plain, both = model.sample(n, rng), np.concatenate([cases, others])
    balanced = np.where(condition.mask(plain), 0.5 / max(condition.mask(plain).mean(), 1e-9), 1.0)
    natural_real = float(real.mean())
    return {
        "a": table(plain),
        "a2": table(model.sample(lot, rng)),
        "b": table(both, share=float(np.average(condition.mask(both), weights=weights))),
        "bw": table(both, weights, float(np.average(condition.mask(both), weights=weights))),
        "c": table(plain, balanced, natural),
        "d": table(smote(task, condition, rng), share=natural_real),
        "e": table(np.concatenate([task.train, model.sample(added, rng, condition)]), share=natural_real),
        "f": table(task.train),
    }


def smote(task: Task, condition: Condition, rng: np.random.Generator) -> Codes:
    """Real rows, and cases between neighbouring cases; columns of the outcome are those of a case."""
    kept = [k for k in range(len(task.sizes)) if k not in condition.attributes]
    listed = [not task.attributes[k].ordered for k in kept]
    cases = condition.mask(task.train)
    maker = SMOTENC(
        categorical_features=np.flatnonzero(listed).tolist(),
        sampling_strategy=RAISED / (1 - RAISED),
        random_state=int(rng.integers(1 << 31)),
    )
    rows, held = maker.fit_resample(task.train[:, kept], cases)
    codes = np.empty((len(rows), len(task.sizes)), dtype=np.int32)
    codes[:, kept] = rows
    for k in condition.attributes:
        own = np.concatenate([task.train[:, k], rng.choice(task.train[cases, k], len(rows) - len(task.train))])
        codes[:, k] = own
    assert (condition.mask(codes) == held).all()
    return codes


def judged(task: Task, condition: Condition, excluded: frozenset[str], table: Learned) -> dict[str, float]:
    """Measures on the held-out persons."""
    names = {task.attributes[k].name for k in condition.attributes} | excluded
    features = features_of(task.attributes, frozenset(names))
    truth, weights = condition.mask(task.holdout), task.holdout_weights
    with threadpool_limits(1):
        learner = boosting(features)
        learner.fit(as_integers(table.codes, features), table.cases, sample_weight=table.weights)
        beliefs = learner.predict_proba(as_integers(task.holdout, features))[:, 1]
    trained = float(np.average(table.cases, weights=table.weights))
    odds = table.share / (1 - table.share) * (1 - trained) / trained
    back = beliefs * odds / (1 - beliefs + beliefs * odds)
    return {
        "auprc": weighted_auprc(truth, beliefs, weights),
        "recall": recall_at(truth, beliefs, weights),
        "calibration": float(np.average(back, weights=weights) / np.average(truth, weights=weights)),
        "brier": float(np.average((back - truth) ** 2, weights=weights)),
    }


def recall_at(truth: npt.NDArray[np.bool_], beliefs: Floats, weights: Floats) -> float:
    """Largest recall at a precision of `PRECISION` or more; 0 if there is none."""
    order = np.argsort(-beliefs, kind="stable")
    hits, all_ = np.cumsum((weights * truth)[order]), np.cumsum(weights[order])
    fine = hits >= PRECISION * all_
    return float(hits[fine].max() / hits[-1]) if fine.any() else 0.0


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean and Student's interval."""
    mean, n = float(np.mean(values)), len(values)
    half = float(student.ppf((1 + CONFIDENCE) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return {"mean": mean, "low": mean - half, "high": mean + half}


def summary(fits: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Each kind of table, and the differences that the question asks for."""
    kinds = {kind: {key: interval([fit[kind][key] for fit in fits]) for key in fits[0][kind]} for kind in fits[0]}
    pairs = {"b_minus_a": ("b", "a"), "b_minus_a2": ("b", "a2"), "b_minus_c": ("b", "c"), "e_minus_f": ("e", "f")}
    differences = {
        name: interval([fit[one]["auprc"] - fit[other]["auprc"] for fit in fits])
        for name, (one, other) in (pairs | {"e_minus_d": ("e", "d")}).items()
    }
    return {"tables": kinds, "auprc": differences}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", choices=[*OUTCOMES], default=[*OUTCOMES])
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 3.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--dry", action="store_true", help="print only, keep no result")
    options = parser.parse_args()
    values: dict[str, Any] = {}
    for name in options.tables:
        task, (outcome, excluded) = load_task(name), OUTCOMES[name]
        condition = task.conditions[outcome]
        values[name] = {"outcome": outcome, "cases": int(condition.mask(task.train).sum())}
        for epsilon in options.epsilons:
            fits = []
            for seed in options.seeds:
                model, rng = fitted(task, condition, outcome, epsilon), np.random.default_rng(seed)
                made = tables(task, condition, model, rng)
                fits.append({kind: judged(task, condition, excluded, table) for kind, table in made.items()})
            values[name][f"epsilon_{epsilon:g}"] = summary(fits)
            print(name, epsilon, json.dumps(summary(fits)), flush=True)
            if not options.dry:
                record("rare_outcome", values, command="python benchmarks/rare_outcome.py", seeds=options.seeds)


if __name__ == "__main__":
    main()
