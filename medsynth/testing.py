"""Known-bad and known-good generators, to test your own evaluation and anyone's synthesizer.

Each takes real rows and returns a table as a synthesizer would. What must catch, or pass, each:

    full_copy            copies (exact, near), membership (closest record)     must be caught
    jittered_copy        copies (near), membership (closest record)            must be caught
    partial_copy         copies (exact)                                        must be caught
    neighbour_memory     copies (near), linkability, membership (closest)      must be caught
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
ANSWERS = ("no", "yes")
KINDS = 24
CANDIDATES, TENTHS = 400, 10
BLUR = 20
"""Ranks over which a drawn number is spread."""
CHRONIC = tuple(f"chronic_{number}" for number in range(1, 9))


def full_copy(train: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Training rows themselves: each once in random order, and again where n is larger.

    Must be caught by `leak.copies.exact_p`, `leak.copies.near_p` and `leak.membership.closest_record.auc`.
    """
    return _rows(train, np.resize(rng.permutation(len(train)), n))


def jittered_copy(train: pd.DataFrame, n: int, rng: np.random.Generator, *, cells: float = 0.1) -> pd.DataFrame:
    """Training rows, a share of whose cells is replaced by the same column of another random row.

    Must be caught by `leak.copies.near_p` and `leak.membership.closest_record.auc`.
    """
    copied = full_copy(train, n, rng)
    donors = independent_columns(train, n, rng)
    return pd.DataFrame({name: copied[name].where(pd.Series(rng.random(n) >= cells), donors[name]) for name in copied})


def neighbour_memory(train: pd.DataFrame, n: int, rng: np.random.Generator, *, cells: float = 0.2) -> pd.DataFrame:
    """Training rows with some cells of the most alike of a few hundred other training rows.

    Of the cells in which the two differ each is taken with probability `cells`, at least one and not all; identifiers
    stay. Hardly a row is a copy and every value is plausible, as with a network that has learned its table by heart.

    Must be caught by `leak.copies.near_p`, `leak.linkability.p` and `leak.membership.closest_record.auc`.
    """
    rows = np.resize(rng.permutation(len(train)), n)
    others = rng.permutation(len(train))[:CANDIDATES]
    fine = np.column_stack([pd.factorize(train[name])[0] for name in train])
    named = np.array([train[name].is_unique and not pd.api.types.is_float_dtype(train[name]) for name in train])
    coarse = np.column_stack([_coarse(train[name]) for name in train])[:, ~named]
    nearest = np.empty(n, dtype=np.intp)
    for first in range(0, n, CANDIDATES):
        block = rows[first : first + CANDIDATES]
        unlike = (coarse[block][:, None] != coarse[others][None]).sum(axis=2)
        unlike[unlike < 2] = coarse.shape[1] + 1  # not the row itself, nor one with hardly a cell to take
        nearest[first : first + CANDIDATES] = others[unlike.argmin(axis=1)]
    differs, drawn = (fine[rows] != fine[nearest]) & ~named, rng.random((n, fine.shape[1]))
    first = np.where(differs, drawn, 2.0).min(axis=1, keepdims=True)
    last = np.where(differs, drawn, -1.0).max(axis=1, keepdims=True)
    taken = differs & ((drawn < cells) | (drawn == first)) & (drawn != last)
    own, donors = _rows(train, rows), _rows(train, nearest)
    return pd.DataFrame({name: own[name].mask(taken[:, place], donors[name]) for place, name in enumerate(own)})


def partial_copy(
    train: pd.DataFrame,
    n: int,
    rng: np.random.Generator,
    *,
    share: float,
    rest: pd.DataFrame | None = None,
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

    A number lies anywhere between two real ones that are `BLUR` ranks apart, since a value to the cent may be one
    person's alone.

    Must pass every attack where persons are many: the shares of a few hundred are exact enough for the known-marginal
    attack to see them. Must score at the floor of `fidelity.tv2.*` and `fidelity.tv3.*`.
    """
    return pd.DataFrame({name: _one_column(train[name], n, rng) for name in train})


def _one_column(values: "pd.Series[Any]", n: int, rng: np.random.Generator) -> "pd.Series[Any]":
    drawn = values.iloc[rng.integers(0, len(values), n)].reset_index(drop=True)
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return drawn
    known = np.sort(values.dropna().to_numpy(dtype=np.float64))
    decimals = next((places for places in range(7) if np.allclose(known, known.round(places), rtol=0)), 7)
    held = drawn.notna().to_numpy()
    low = np.searchsorted(known, drawn[held].to_numpy(dtype=np.float64))
    low = np.clip(low - rng.integers(0, BLUR, len(low)), 0, None)
    high = np.clip(low + BLUR, None, len(known) - 1)
    spread = np.full(n, np.nan)
    spread[held] = rng.uniform(known[low], known[high]).round(decimals)
    return pd.Series(spread).astype(values.dtype)


def second_sample(others: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Real rows of people neither in train nor in the holdout, each once as long as they last.

    Must pass every attack, and score at the ceiling of every fidelity figure.
    """
    return _rows(others, np.resize(rng.permutation(len(others)), n))


def simulated_patients(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Patients of 24 hidden kinds with 14 dependent columns, one row per person.

    >>> simulated_patients(3, np.random.default_rng(0)).shape
    (3, 15)
    """
    world = np.random.default_rng(2026)  # the population is the same for every draw
    kind = rng.choice(KINDS, size=n, p=world.dirichlet(np.full(KINDS, 2.0)))
    age = _choice(world.dirichlet(np.full(len(AGES), 0.6), size=KINDS)[kind], rng)
    ward = _choice(world.dirichlet(np.full(len(WARDS), 0.5), size=KINDS)[kind], rng)
    stay = np.clip(rng.poisson(world.uniform(1, 12, KINDS)[kind]), 1, 30)
    charge = np.exp(rng.normal(world.uniform(5, 9, KINDS)[kind], 0.5)).clip(1, 99_999)
    rates = world.beta(0.4, 1.2, size=(KINDS, len(CHRONIC)))[kind]
    risk = 1 / (1 + np.exp(2.5 - 0.4 * age - 0.1 * stay - world.normal(0, 0.7, KINDS)[kind]))
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "age": _labelled(age, AGES, ordered=True),
            "sex": _labelled(rng.random(n) < world.uniform(0.2, 0.8, KINDS)[kind], ("F", "M")),
            "ward": _labelled(ward, WARDS),
            "stay": stay,
            "charge": np.round(charge, 2),
            **{name: _labelled(rng.random(n) < rates[:, position], ANSWERS) for position, name in enumerate(CHRONIC)},
            "died": _labelled(rng.random(n) < risk, ANSWERS),
        }
    )


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
            "charge": {
                "kind": "decimal",
                "min": 1,
                "max": 99_999,
                "places": 2,
                "scale": "log",
                "bins": 24,
            },
            **{name: dict(binary) for name in CHRONIC},
            "died": dict(binary),
        },
        "rare": [
            {
                "name": "intensive",
                "where": "ward == 'intensive' and chronic_1 == 'yes'",
                "keep_with": ["age", "sex"],
            }
        ],
        "utility": {"target": "died", "positive": "yes"},
    }
    return build_schema(sections | changes)


def _rows(frame: pd.DataFrame, rows: npt.NDArray[np.intp]) -> pd.DataFrame:
    return frame.iloc[rows].reset_index(drop=True)


def _coarse(values: "pd.Series[Any]") -> npt.NDArray[np.int64]:
    """Codes of values; of many numbers the tenth that they lie in."""
    if pd.api.types.is_numeric_dtype(values.dtype) and values.nunique() > 2 * TENTHS:
        return (values.rank(pct=True).fillna(0.0).to_numpy() * TENTHS).astype(np.int64)
    return pd.factorize(values)[0].astype(np.int64)


def _labelled(codes: npt.NDArray[Any], labels: tuple[str, ...], *, ordered: bool = False) -> "pd.Series[Any]":
    return pd.Series(pd.Categorical.from_codes(codes.astype(int), pd.Index(labels), ordered=ordered))


def _choice(chances: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """One category per row of chances (n, k)."""
    passed = rng.random(len(chances))[:, None] > np.cumsum(chances, axis=1)
    chosen: npt.NDArray[np.int64] = np.minimum(passed.sum(axis=1), chances.shape[1] - 1)
    return chosen
