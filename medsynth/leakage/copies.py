"""Whether released rows are copies of training rows, beyond what strangers show by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from medsynth.encoding.comparison import Comparison, Part
from medsynth.inference import fisher_exact, newcombe_difference, smallest_detectable_excess
from medsynth.leakage.distance import Distance, FloatArray
from medsynth.leakage.targets import FEWEST, choose_pairs, persons_of, some_rows
from medsynth.score import Chart, Edition, Evaluation, Score

KeyArray = npt.NDArray[np.uint64]
PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")
LISTED = frozenset({"category", "boolean", "code"})
NEAR_SHARE = 0.005
QUANTILES = np.linspace(0, 1, 51)


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Exact and near copies among members, against equally many people of the holdout.

    Exact: a person counts if any of their rows agrees with some released row in every modelled column; all released
    rows are searched. Near: a row counts if its nearest released row is nearer than the 0.5 % quantile of that
    distance among the holdout's rows (as near, where the quantile is 0). Both counts are compared by Fisher's exact
    test. Distances are shown as a diagnostic and judge nothing.

    Attributes:
      most_targets: Members attacked for near copies, and as many people of the holdout.
      most_released: Released rows searched for near copies.
    """

    most_targets: int = 5000
    most_released: int = 50_000
    names: ClassVar[tuple[str, ...]] = ("copies",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `leak.copies.{exact,near}_{excess,p}` and the diagnostic curve, all INTERNAL."""
        exact = _exact_copies(comparison, rng)
        members, strangers = choose_pairs(comparison, self.most_targets, rng)
        if len(members) < FEWEST or not len(comparison.synthetic):
            return Evaluation(scores=(*_scores("exact", exact), *_scores("near", None)))
        released = comparison.codes("synthetic")[some_rows(len(comparison.synthetic), self.most_released, rng)]
        metric = Distance(attributes=comparison.domain.attributes)
        own = metric.nearest(comparison.codes("train")[members], released)
        other = metric.nearest(comparison.codes("holdout")[strangers], released)
        near = _near_copies(own, other)
        return Evaluation(
            scores=(*_scores("exact", exact), *_scores("near", near)),
            charts=(_distance_curve(own, other),),
        )


@dataclass(frozen=True, kw_only=True)
class Count:
    """Hits among so many members and among as many strangers."""

    members: int
    strangers: int
    size: int


def _exact_copies(comparison: Comparison, rng: np.random.Generator) -> Count | None:
    keys = dict(zip(PARTS, _row_keys(comparison), strict=True))
    hits = []
    for part in ("train", "holdout"):
        seen = comparison.weights(part) > 0
        copied = np.isin(keys[part], keys["synthetic"])[seen]
        _, person = np.unique(persons_of(comparison, part)[seen], return_inverse=True)
        hits.append(rng.permutation(np.bincount(person, copied) > 0))
    size = min(map(len, hits))
    if size < FEWEST or not len(comparison.synthetic):
        return None
    return Count(members=int(hits[0][:size].sum()), strangers=int(hits[1][:size].sum()), size=size)


def _near_copies(own: FloatArray, other: FloatArray) -> Count:
    closest = max(1, round(NEAR_SHARE * len(other)))
    threshold = np.partition(other, closest - 1)[closest - 1]
    hit = np.less if threshold > 0 else np.less_equal  # coarse tables tie: strictly nearer, unless nothing can be
    return Count(
        members=int(hit(own, threshold).sum()),
        strangers=int(hit(other, threshold).sum()),
        size=len(own),
    )


def _row_keys(comparison: Comparison) -> list[KeyArray]:
    """A 64-bit key per row and part: equal for rows equal in every modelled column."""
    frames = [comparison.frame(part) for part in PARTS]
    keys = [np.zeros(len(frame), dtype=np.uint64) for frame in frames]
    multipliers = np.random.default_rng(0).integers(1, 2**63, size=len(comparison.domain), dtype=np.uint64)
    for position, name in enumerate(comparison.domain.names):
        column = comparison.schema.columns[name]
        if column.kind in LISTED:
            values: Sequence[npt.NDArray[np.int64]] = [
                comparison.codes(part)[:, position].astype(np.int64) for part in PARTS
            ]
        else:
            values = _common_codes([_comparable(frame[name], column) for frame in frames])
        for key, codes in zip(keys, values, strict=True):
            key ^= codes.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
            key *= multipliers[position] | np.uint64(1)
            key ^= key >> np.uint64(31)
    return keys


def _comparable(values: "pd.Series[Any]", column: Any) -> "pd.Series[Any]":
    """Numbers rounded to the places shown, days as text."""
    if column.kind == "date":
        return values.astype("string").str.slice(0, 10)
    numbers = pd.to_numeric(values, errors="coerce").astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(np.round(numbers, getattr(column, "places", 6)))


def _common_codes(parts: Sequence["pd.Series[Any]"]) -> list[npt.NDArray[np.int64]]:
    codes, _ = pd.factorize(pd.concat(parts, ignore_index=True))
    return list(np.split(codes.astype(np.int64), np.cumsum([len(part) for part in parts])[:-1]))


def _scores(kind: str, count: Count | None) -> tuple[Score, Score]:
    name = f"leak.copies.{kind}"
    if count is None:
        sentence = f"Too few persons or no released rows: {kind} copies were not looked for."
        return (
            _score(f"{name}_excess", None, "lower", sentence),
            _score(f"{name}_p", None, "higher", sentence),
        )
    low, high = newcombe_difference(count.members, count.size, count.strangers, count.size)
    chance = fisher_exact(count.members, count.size, count.strangers, count.size)
    excess = (count.members - count.strangers) / count.size
    told = _sentence(kind, count, chance, (low, high))
    surprise = (
        f"Probability of so many {kind} copies or more if people in the data were copied no more often than "
        "strangers (Fisher's exact test, one-sided)."
    )
    return (
        _score(f"{name}_excess", excess, "lower", told, low=low, high=high, baseline=0.0),
        _score(f"{name}_p", chance, "higher", surprise),
    )


def _score(
    name: str,
    value: float | None,
    better: Literal["higher", "lower"],
    sentence: str,
    **bounds: float,
) -> Score:
    return Score(
        name=name,
        value=value,
        better=better,
        edition=Edition.INTERNAL,
        sentence=sentence,
        **bounds,  # type: ignore[arg-type]
    )


def _sentence(kind: str, count: Count, chance: float, interval: tuple[float, float]) -> str:
    smallest = smallest_detectable_excess(count.strangers, count.size)
    what = (
        "agree with a released row in every column"
        if kind == "exact"
        else "lie nearer to a released row than the 0.5 % distance quantile of strangers"
    )
    return (
        f"{count.members:,} of {count.size:,} people in the training data {what}, against {count.strangers:,} of "
        f"{count.size:,} people who were not: an excess of {(count.members - count.strangers) / count.size:.2%} "
        f"(95 % interval {interval[0]:.2%} to {interval[1]:.2%}, one-sided p {_small(chance)}). An excess of "
        f"{smallest:.2%} or more would have been seen four times in five."
    )


def _small(chance: float) -> str:
    return f"= {chance:.2g}" if chance >= 1e-4 else "below 0.0001"


def _distance_curve(own: FloatArray, other: FloatArray) -> Chart:
    arrays = {
        "x": QUANTILES,
        "members": np.quantile(own, QUANTILES),
        "strangers": np.quantile(other, QUANTILES),
    }
    return Chart(
        name="leak.copies.distance",
        kind="curve",
        title="Distance to the closest released row",
        labels=tuple(f"{quantile:.0%}" for quantile in QUANTILES),
        arrays={key: tuple(map(float, series)) for key, series in arrays.items()},
        edition=Edition.INTERNAL,
        sentence=(
            "Quantiles of the distance to the closest released row, for people in the training data and for "
            "strangers. A diagnostic, never a verdict: rare copies do not show here."
        ),
    )
