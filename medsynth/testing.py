"""Known-bad and known-good generators, so that you can test your own evaluation and anyone's synthesizer.

Each takes real rows and returns a table as a synthesizer would. What must catch, or pass, each:

    full_copy            copies (exact, near), membership (closest record)     must be caught
    jittered_copy        copies (near), membership (closest record)            must be caught
    partial_copy         copies (exact)                                        must be caught
    independent_columns  every attack passes; two- and three-way tables lie at their floor
    second_sample        every attack passes; every fidelity figure lies at its ceiling

`simulated_patients` and `simulated_schema` are a small world to try them in.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from medsynth.schema import Schema

AGES = ("0-17", "18-39", "40-64", "65-79", "80+")
WARDS = ("cardiology", "general", "intensive", "oncology", "surgery")
CHRONIC = tuple(f"chronic_{number}" for number in range(1, 9))


def full_copy(train: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Training rows themselves: each once in random order, and again from the start where n is larger.

    Must be caught by `leak.copies.exact_p`, `leak.copies.near_p` and `leak.membership.closest_record.auc`.
    """
    return _rows(train, np.resize(rng.permutation(len(train)), n))


def jittered_copy(train: pd.DataFrame, n: int, rng: np.random.Generator, *, cells: float = 0.1) -> pd.DataFrame:
    """Training rows, a share of whose cells is replaced by the same column of another random row.

    Must be caught by `leak.copies.near_p` and `leak.membership.closest_record.auc`.
    """
    copied = full_copy(train, n, rng)
    donors = independent_columns(train, n, rng)
    return pd.DataFrame(
        {name: copied[name].where(pd.Series(rng.random(n) >= cells), donors[name]) for name in copied}
    )


def partial_copy(
    train: pd.DataFrame, n: int, rng: np.random.Generator, *, share: float, rest: pd.DataFrame | None = None
) -> pd.DataFrame:
    """A stated share of verbatim training rows, hidden among innocent ones.

    Must be caught by `leak.copies.exact_p`; areas under ROC curves and mean distances do not see it.

    Args:
      train: Real rows.
      n: Rows returned.
      rng: Source of the choice.
      share: Share of rows copied, in [0, 1].
      rest: Where the other rows come from; independent columns if not given.

    Raises:
      ValueError: If the share is outside [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"Expected 0 <= share <= 1, got {share}.")
    copied = full_copy(train, round(share * n), rng)
    innocent = independent_columns(train, n, rng) if rest is None else second_sample(rest, n, rng)
    mixed = pd.concat([copied, innocent.iloc[len(copied) :][list(copied)]], ignore_index=True)
    return _rows(mixed, rng.permutation(n))


def independent_columns(train: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Every column drawn from train by itself: right shares, no association, nobody's row.

    Must pass every attack, and score at the floor of `fidelity.tv2.*` and `fidelity.tv3.*`.
    """
    columns = {name: train[name].iloc[rng.integers(0, len(train), n)].reset_index(drop=True) for name in train}
    return pd.DataFrame(columns)


def second_sample(others: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Real rows of people who are neither in train nor in the holdout, each once as long as they last.

    Must pass every attack, and score at the ceiling of every fidelity figure.
    """
    return _rows(others, np.resize(rng.permutation(len(others)), n))


def simulated_patients(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Patients of 24 hidden kinds with 14 dependent columns, one row per person.

    >>> simulated_patients(3, np.random.default_rng(0)).shape
    (3, 15)
    """
    world = np.random.default_rng(2026)  # the population is the same for every draw
    kind = rng.choice(24, size=n, p=world.dirichlet(np.full(24, 2.0)))
    age = _choice(world.dirichlet(np.full(len(AGES), 0.6), size=24)[kind], rng)
    stay = np.clip(rng.poisson(world.uniform(1, 12, 24)[kind]), 1, 30)
    columns: dict[str, Any] = {
        "person": np.arange(n),
        "age": pd.Categorical.from_codes(age, AGES, ordered=True),
        "sex": pd.Categorical.from_codes((rng.random(n) < world.uniform(0.2, 0.8, 24)[kind]).astype(int), ("F", "M")),
        "ward": pd.Categorical.from_codes(_choice(world.dirichlet(np.full(len(WARDS), 0.5), size=24)[kind], rng), WARDS),
        "stay": stay,
        "charge": np.round(np.exp(rng.normal(world.uniform(5, 9, 24)[kind], 0.5)).clip(1, 99_999), 2),
    }
    rates = world.beta(0.4, 1.2, size=(24, len(CHRONIC)))[kind]
    columns |= {
        name: pd.Categorical.from_codes((rng.random(n) < rates[:, position]).astype(int), ("no", "yes"))
        for position, name in enumerate(CHRONIC)
    }
    risk = 1 / (1 + np.exp(2.5 - 0.4 * age - 0.1 * stay - world.normal(0, 0.7, 24)[kind]))
    columns["died"] = pd.Categorical.from_codes((rng.random(n) < risk).astype(int), ("no", "yes"))
    return pd.DataFrame(columns)


def simulated_schema(persons: int = 10_000, **changes: Any) -> "Schema":
    """The public description of `simulated_patients`.

    Args:
      persons: Stated number of persons.
      changes: Sections to replace or add, as in a schema file.
    """
    from medsynth.schema import build_schema

    binary: Mapping[str, Any] = {"kind": "category", "values": ["no", "yes"]}
    sections: dict[str, Any] = {
        "medsynth": 1,
        "dataset": {"name": "simulated"},
        "privacy": {"unit": "person", "persons": persons, "bounding": {"rule": "weight", "max": 1}},
        "columns": {
            "age": {"kind": "category", "values": list(AGES), "ordered": True},
            "sex": {"kind": "category", "values": ["F", "M"]},
            "ward": {"kind": "category", "values": list(WARDS)},
            "stay": {"kind": "integer", "min": 1, "max": 30},
            "charge": {"kind": "decimal", "min": 1, "max": 99_999, "places": 2, "scale": "log", "bins": 24},
            **{name: dict(binary) for name in CHRONIC},
            "died": dict(binary),
        },
        "rare": [{"name": "intensive", "where": "ward == 'intensive' and chronic_1 == 'yes'", "keep_with": ["age", "sex"]}],
        "utility": {"target": "died", "positive": "yes"},
    }
    return build_schema(sections | changes)


def _rows(frame: pd.DataFrame, rows: npt.NDArray[np.intp]) -> pd.DataFrame:
    return frame.iloc[rows].reset_index(drop=True)


def _choice(chances: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """One category per row of chances (n, k)."""
    passed = rng.random(len(chances))[:, None] > np.cumsum(chances, axis=1)
    chosen: npt.NDArray[np.int64] = np.minimum(passed.sum(axis=1), chances.shape[1] - 1)
    return chosen
