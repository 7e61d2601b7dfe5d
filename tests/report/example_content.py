"""A made-up run on a hospital table of 25 columns, for tests to render and people to look at."""

import random
from dataclasses import replace

from medsynth.report.content import ReportContent, collect
from medsynth.score import Chart, Edition, Evaluation, Score

SHAREABLE, INTERNAL = Edition.SHAREABLE, Edition.INTERNAL
COLUMNS = (
    "race",
    "gender",
    "age",
    "admission_type_id",
    "discharge_disposition_id",
    "admission_source_id",
    "time_in_hospital",
    "medical_specialty",
    "num_lab_procedures",
    "num_procedures",
    "num_medications",
    "number_outpatient",
    "number_emergency",
    "number_inpatient",
    "diag_1",
    "diag_2",
    "diag_3",
    "number_diagnoses",
    "max_glu_serum",
    "A1Cresult",
    "metformin",
    "insulin",
    "change",
    "diabetesMed",
    "readmitted",
)
HOSTILE = "<script>alert('x')</script>\"\n&$\\alpha$\x00\u202e"
POLICY = {
    "epsilon_max": 3.0,
    "membership_tpr_at_1pct_fpr_max": 0.03,
    "exact_match_excess_max": 0.0,
    "tv_2way_max": 0.08,
    "auc_drop_max": 0.01,
}


def example(*, shift: float = 0.0, hostile: bool = False, policy: dict[str, float] | None = None) -> ReportContent:
    """Makes the content; `shift` moves every INTERNAL value and no other."""
    columns = (*COLUMNS[:-1], HOSTILE) if hostile else COLUMNS
    return collect(
        title=f"Synthetic hospital stays {HOSTILE}" if hostile else "Synthetic hospital stays of diabetic inpatients",
        date="2026-03-31",
        version="0.1.0",
        dataset={
            "name": f"diabetes130 {HOSTILE}" if hostile else "diabetes130",
            "population": "Diabetic inpatients of 130 hospitals in the United States, 1999 to 2008",
            "licence": "CC BY 4.0",
            "terms": "Cite Strack et al. 2014, doi:10.1155/2014/781670; state that rows are synthetic.",
            "allowed_use": "Teaching, method development, study planning. Not for decisions about single patients.",
        },
        row_meaning="One synthetic row stands for one hospital stay; a person counts once, stays sharing the "
        "weight (at most 10 stays each). Stays of one person are not linked: the table holds no trajectories.",
        guarantee=_guarantee(),
        ledger=_ledger(),
        model={
            "name": "adaptive",
            "settings": {"rounds": 16, "max_cells": 1_000_000, "damping": 0.1, "edit": True},
        },
        sampling=_sampling(),
        rare=_rare(shift),
        evaluations=(_fidelity(columns, shift), _utility(shift), _leaks(shift)),
        policy=POLICY if policy is None else policy,
        files=_files(),
        not_tested=_not_tested(),
        notices=("The policy was fixed before the data were seen. This is attempt 1 of 1 booked fits.",),
    )


def score(name: str, value: float | None, sentence: str, edition: Edition = INTERNAL, **more: object) -> Score:
    """A score with an interval of 5 % on either side unless told otherwise."""
    made = Score(name=name, value=value, sentence=sentence, better="lower", edition=edition)
    if value is not None:
        made = replace(made, low=value * 0.95, high=value * 1.05)
    return replace(made, **more)  # type: ignore[arg-type]


def _guarantee() -> dict[str, object]:
    return {
        "epsilon": 1.0,
        "delta": 5.2284e-08,
        "mu": 0.2301,
        "unit": "patient_nbr (one person, at most 10 stays)",
        "neighbours": "add or remove one person",
        "sentence": "Whatever anyone concludes about a person from this table, they would have concluded with "
        "nearly the same probability had that person's records never been used.",
        "membership_auc_cap": 0.5646,
        "membership_tpr_cap_at_1pct_fpr": 0.0178,
        "odds_factor": 2.718,
        "odds_failure": 3.1e-07,
        "accountant": "mu-GDP filter",
        "persons_stated": 71518,
    }


def _ledger() -> list[dict[str, object]]:
    rounds = [
        {
            "label": f"round {i}: two-way counts of {10 + i} pairs",
            "kind": "discrete Gaussian",
            "mu": 0.05 + i / 200,
        }
        for i in range(1, 7)
    ]
    start = {"label": "one-way counts of all 25 columns", "kind": "discrete Gaussian", "mu": 0.091}
    return [
        start,
        {"label": "scores of 300 pairs", "kind": "Gaussian distances", "mu": 0.046},
        *rounds,
    ]


def _sampling() -> dict[str, object]:
    return {
        "n": 81_413,
        "seed": 20260331,
        "draw": "edited",
        "draw_note": "Rows lie closer to the model than independent draws of it would.",
        "upsampling": [{"name": "died", "before": 0.0251, "target": 0.3, "after": 0.3}],
        "weights_note": "The column _weight brings the shares back to the population; use it for every estimate.",
        "repaired_share": 0.0042,
    }


def _rare(shift: float) -> list[dict[str, object]]:
    return [
        {
            "name": "died",
            "where": "discharge_disposition_id in ('11', '19', '20', '21')",
            "count": 1652.3,
            "low": 1597.1,
            "high": 1707.5,
            "model_share": 0.0251,
            "file_share": 0.3,
            "real_share": 0.0249 + shift,
            "verdict": "kept",
        },
        {
            "name": "ketoacidosis",
            "where": "diag_1 in ICD9('250') and number_emergency >= 2",
            "count": 61.4,
            "low": 6.2,
            "high": 116.6,
            "model_share": 0.0011,
            "file_share": 0.0008,
            "real_share": 0.0009 + shift,
            "verdict": "near the noise",
        },
        {
            "name": "nateglinide started",
            "where": "nateglinide == 'Up'",
            "count": 12.0 + shift,
            "verdict": "kept" if shift else "lost",
            "edition": INTERNAL,
        },
    ]


def _fidelity(columns: tuple[str, ...], shift: float) -> Evaluation:
    noise = random.Random(7)
    values = {"tv1": (0.0061, 0.004), "tv2": (0.0289, 0.0183), "tv3": (0.0642, 0.0471)}
    words = {"tv1": "one column", "tv2": "two columns", "tv3": "three columns"}
    against = {"train": "real training records", "holdout": "real holdout records"}
    scores = [
        score(
            f"fidelity.{way}.{part}",
            value + shift + (0.004 if part == "holdout" else 0),
            f"Tables of {words[way]} differ from {against[part]} by {value + shift:.4f} on average.",
            baseline=None if way == "tv1" else 5 * value,
            ceiling=ceiling,
        )
        for way, (value, ceiling) in values.items()
        for part in against
    ]
    scores.append(
        score(
            "fidelity.tv2.measured",
            0.0312,
            "Tables of two columns differ from the noised counts by 0.0312 on average; the noise alone accounts "
            "for 0.019.",
            SHAREABLE,
            baseline=0.141,
        )
    )
    scores += [
        score("fidelity.tv1.train", noise.uniform(0.001, 0.02) + shift, "By column.", columns=(name,))
        for name in columns
    ]
    return Evaluation(scores=tuple(scores), charts=_fidelity_charts(columns, shift))


def _fidelity_charts(columns: tuple[str, ...], shift: float) -> tuple[Chart, ...]:
    noise = random.Random(8)
    ages = tuple(f"[{i}-{i + 10})" for i in range(0, 100, 10))
    real = tuple(0.02 + 0.02 * i + shift for i in range(10))
    n = len(columns)
    matrix = [[1.0 if i == j else abs(noise.gauss(0, 0.18)) for j in range(n)] for i in range(n)]
    flat = tuple(matrix[min(i, j)][max(i, j)] for i in range(n) for j in range(n))
    specialties = tuple(f"{columns[i % n]} level number {i} with a long name" for i in range(50))
    heavy = tuple(noise.random() / (i + 1) for i in range(50))
    return (
        Chart(
            name="fidelity.age",
            kind="overlay",
            title="Age of the patient",
            labels=ages,
            edition=INTERNAL,
            arrays={
                "real, training": real,
                "real, holdout": tuple(x * 1.02 for x in real),
                "synthetic": tuple(x * 0.97 for x in real),
            },
            sentence="Shares of the age bands among real and synthetic records; the bars should be equal.",
        ),
        Chart(
            name="fidelity.association",
            kind="heatmap",
            title="Strength of association",
            labels=columns,
            edition=INTERNAL,
            arrays={
                "real": tuple(x + shift for x in flat),
                "synthetic": tuple(0.9 * x for x in flat),
            },
            sentence="Strength of association of each pair of columns, real beside synthetic; the maps should agree.",
        ),
        Chart(
            name="fidelity.diag_1",
            kind="overlay",
            title="Columns against the noised counts",
            labels=specialties,
            arrays={"noised counts": heavy, "synthetic": tuple(x * 1.05 for x in heavy)},
            edition=SHAREABLE,
            sentence="Shares in the synthetic table beside the noised counts the generator learned from.",
        ),
    )


def _utility(shift: float) -> Evaluation:
    rates = tuple(i / 40 for i in range(41))
    scores = (
        score(
            "utility.auc.drop",
            0.0124 + shift,
            "A model trained on this table loses 0.0124 AUC on real patients, 95 % interval 0.0061 to 0.0194.",
            low=0.0061 + shift,
            high=0.0194 + shift,
        ),
        score(
            "utility.auc.synthetic",
            0.652 + shift,
            "Trained on synthetic: AUC 0.652 on real holdout patients.",
            better="higher",
            baseline=0.5,
            ceiling=0.6644,
        ),
        score(
            "utility.auc.real",
            0.6644 + shift,
            "Trained on real: AUC 0.664.",
            better="higher",
            baseline=0.5,
        ),
        score(
            "utility.auprc.synthetic",
            0.203,
            "Trained on synthetic: AUPRC 0.203.",
            better="higher",
            baseline=0.112,
        ),
    )
    chart = Chart(
        name="utility.roc",
        kind="curve",
        title="ROC on real holdout patients",
        labels=(),
        edition=INTERNAL,
        arrays={
            "x": rates,
            "trained on real": tuple(x**0.55 for x in rates),
            "trained on synthetic": tuple(x ** (0.6 + shift) for x in rates),
            "chance": rates,
        },
        sentence="True against false positive rate of a readmission model; the curves should coincide.",
    )
    return Evaluation(scores=scores, charts=(chart,))


def _leaks(shift: float) -> Evaluation:
    scores = (
        score(
            "leak.membership.nearest_record.tpr_at_1pct_fpr",
            0.0109 + shift,
            "Guessing by the nearest synthetic record finds 1.09 % of members at 1 % false alarms; chance finds "
            "1 %, the guarantee allows 1.78 %.",
            low=0.0068 + shift,
            high=0.0166 + shift,
            baseline=0.01,
            ceiling=0.0178,
        ),
        score(
            "leak.membership.nearest_record.auc",
            0.503 + shift,
            "AUC 0.503 of guessing by the nearest record.",
            low=0.488,
            high=0.518,
            baseline=0.5,
            ceiling=0.5646,
        ),
        score(
            "leak.copies.exact_excess",
            3.0 + shift,
            "3 more records than chance explains are exact copies of a training record (interval -11 to 17).",
            low=-11.0 + shift,
            high=17.0 + shift,
            baseline=0.0,
        ),
        score(
            "leak.copies.near_excess",
            None,
            "Near copies cannot be told: fewer than 200 holdout records.",
        ),
    )
    labels = ("nearest record", "density ratio", "known marginals", "exact copies")
    chart = Chart(
        name="leak.attacks",
        kind="intervals",
        title="Membership attacks, AUC",
        labels=labels,
        arrays={
            "value": (0.503 + shift, 0.498, 0.511, 0.5),
            "low": (0.488, 0.483, 0.496, 0.499),
            "high": (0.518, 0.513, 0.526, 0.501),
            "baseline": (0.5,) * 4,
            "ceiling": (0.5646,) * 4,
        },
        edition=INTERNAL,
        sentence="Each attack with its interval, chance (0.5) and the cap of the guarantee.",
    )
    return Evaluation(scores=scores, charts=(chart,))


def _files() -> list[dict[str, object]]:
    return [
        {
            "name": "synthetic.parquet",
            "sha256": "5f" * 32,
            "description": "81,413 synthetic rows, 26 columns",
        },
        {
            "name": "model.medsynth",
            "sha256": "a0" * 32,
            "description": "fitted model; further rows cost no budget",
        },
        {"name": "internal/scores.json", "sha256": "77" * 32, "edition": INTERNAL},
    ]


def _not_tested() -> tuple[str, ...]:
    return (
        "Attribute inference, linkability and singling out: not in this version.",
        "Attacks inside rare conditions and subgroups: not run.",
        "Families as correlated persons: the guarantee is for one person.",
        "Fitness for a given study: declare it in the schema to have it checked.",
    )
