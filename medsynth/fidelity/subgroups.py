"""The headlines among the people of each declared subgroup, and a warning where one is served much worse."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from medsynth.encoding.comparison import Comparison, Part
from medsynth.encoding.domain import Level
from medsynth.fidelity.beliefs import Judged, judged
from medsynth.fidelity.fairness import enough
from medsynth.fidelity.learners import BoolArray, Ranked, weighted_r2
from medsynth.fidelity.resolution import pair_level
from medsynth.fidelity.tables import (
    FloatArray,
    Sample,
    cliques_of,
    fold_distances,
    independent_columns,
    sample_of,
)
from medsynth.fidelity.target import UnusableError, some_of
from medsynth.inference import Estimate, jackknife_error, percentiles, person_multiplicities
from medsynth.score import Chart, Edition, Evaluation, Score

PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")
FEWEST_ROWS = 100
"""Rows of the group that each table needs; below, nothing is told."""
MOST_ROWS = 20_000
MOST_PAIRS = 300
MARGIN = 0.02
"""Much worse: the whole interval of the difference to everyone lies above this, fixed before any table was seen."""
Cliques = Sequence[tuple[int, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Served:
    """One headline in one group.

    Attributes:
      own: The figure among the group's people, with its interval.
      floor: What independent columns would score; None where there is no floor.
      ceiling: What a second real sample scores.
      difference: How much worse than everyone the group is served, with its interval.
    """

    own: Estimate
    floor: float | None
    ceiling: float
    difference: Estimate

    @property
    def worse(self) -> bool:
        """Whether the group is served much worse than the whole."""
        return self.difference.low > MARGIN


@dataclass(frozen=True, kw_only=True)
class Subgroups:
    """Two-way error and loss of the utility model, by declared subgroup.

    The two-way error leaves out pairs with a column that defines the group. How much worse than everyone: the group's
    error beyond its ceiling, less that of as many random people in every table, so that a small group is not blamed for
    being small. Its intervals leave out one eighth of the persons at a time; those of the loss draw persons with
    replacement.

    Attributes:
      resamples: Bootstrap samples of the holdout's persons.
    """

    resamples: int = 200
    names: ClassVar[tuple[str, ...]] = ("subgroups",)

    def evaluate(self, comparison: Comparison, rng: np.random.Generator) -> Evaluation:
        """Scores `subgroup.{worse,GROUP.size,GROUP.tv2,GROUP.drop}` and one forest plot per headline."""
        schema = comparison.schema
        if not schema.subgroups:
            return Evaluation()
        scores: list[Score] = []
        errors: dict[str, Served] = {}
        for name, predicate in schema.subgroup_predicates.items():
            masks = {part: predicate.evaluate(comparison.frame(part), schema) for part in PARTS}
            rows = {part: int((mask & (comparison.weights(part) > 0)).sum()) for part, mask in masks.items()}
            scores.append(_size(name, comparison, masks))
            served = None
            if min(rows.values()) >= FEWEST_ROWS:
                served = _two_way(comparison, masks, predicate.columns, rng)
            if served is not None:
                errors[name] = served
            scores.append(_few(name, rows) if served is None else _score(name, "tv2", served))
        drops = self._drops(comparison, rng)
        scores += [_score(name, "drop", served) for name, served in drops.items()]
        charts = [_forest(which, told) for which, told in (("tv2", errors), ("drop", drops)) if told]
        return Evaluation(scores=(_worse(errors, drops), *scores), charts=tuple(charts))

    def _drops(self, comparison: Comparison, rng: np.random.Generator) -> dict[str, Served]:
        """Loss of the model that was trained on the whole synthetic table, among the group's holdout people."""
        schema = comparison.schema
        if schema.utility is None or schema.utility.task == "survival":
            return {}
        try:
            known = judged(comparison)
        except UnusableError:
            return {}
        holdout = known.holdout
        frame = comparison.holdout.iloc[holdout.positions]
        groups = {name: one.evaluate(frame, schema) for name, one in schema.subgroup_predicates.items()}
        groups = {name: mask for name, mask in groups.items() if enough(known, mask)}
        drawn = [holdout.weights * person_multiplicities(holdout.persons, rng) for _ in range(self.resamples)]
        everyone = _losses(known, np.ones(len(holdout.labels), dtype=bool), [holdout.weights, *drawn])
        return {
            name: _served(_losses(known, mask, [holdout.weights, *drawn]), everyone) for name, mask in groups.items()
        }


def _losses(known: Judged, mask: BoolArray, weightings: Sequence[FloatArray]) -> FloatArray:
    """Loss of AUC or R squared within a group under each weighting; NaN where a sample lacks a class."""
    synthetic, real = (_figure(known, source, mask) for source in ("synthetic", "train"))
    return np.array([real(weights[mask]) - synthetic(weights[mask]) for weights in weightings])


def _figure(known: Judged, source: Part, mask: BoolArray) -> Callable[[FloatArray], float]:
    labels, beliefs = known.holdout.labels[mask], known.beliefs[source][mask]
    if known.target.task == "regression":
        return lambda weights: weighted_r2(labels, beliefs[:, 0], weights)
    classes = [1.0] if known.target.task == "binary" else list(np.unique(labels))
    ranked = [Ranked.of(labels == label, beliefs[:, int(label)]) for label in classes]
    return lambda weights: float(np.mean([one.auc(weights) for one in ranked]))


def _served(own: FloatArray, everyone: FloatArray) -> Served:
    def interval(values: FloatArray) -> Estimate:
        usable = values[1:][~np.isnan(values[1:])]
        ends = percentiles(usable) if len(usable) else (values[0], values[0])
        return Estimate(float(values[0]), float(ends[0]), float(ends[1]))

    return Served(own=interval(own), floor=None, ceiling=0.0, difference=interval(own - everyone))


def _two_way(
    comparison: Comparison, masks: Mapping[Part, BoolArray], defining: frozenset[str], rng: np.random.Generator
) -> Served | None:
    """The group's error with its floor and ceiling, and what it is beyond that of random people."""
    levels = [pair_level(attribute) for attribute in comparison.domain.attributes]
    free = [place for place, name in enumerate(comparison.domain.names) if name not in defining]
    if len(free) < 2:
        return None
    picked = cliques_of(len(free), 2, MOST_PAIRS, np.random.default_rng(0))
    cliques = [tuple(free[column] for column in pair) for pair in picked]
    group = _samples(comparison, masks, levels, rng)
    others = {part: _as_many(mask, rng) for part, mask in masks.items()}
    crowd = _samples(comparison, others, levels, rng)
    sizes = [level.size for level in levels]
    own, second = (fold_distances(group[part], group["holdout"], cliques, sizes) for part in ("synthetic", "train"))
    theirs, limit = (fold_distances(crowd[part], crowd["holdout"], cliques, sizes) for part in ("synthetic", "train"))
    floor_rows = independent_columns(group["train"], len(group["synthetic"].codes), rng)
    floor = fold_distances(floor_rows, group["holdout"], cliques, sizes)[0]
    return Served(
        own=_with_error(own, low=0.0),
        floor=float(floor),
        ceiling=float(second[0]),
        difference=_with_error((own - second) - (theirs - limit)),
    )


def _samples(
    comparison: Comparison, masks: Mapping[Part, BoolArray], levels: Sequence[Level], rng: np.random.Generator
) -> dict[Part, Sample]:
    """The rows of a group in each table, a fixed random choice where there are very many."""
    kept = {}
    for part, mask in masks.items():
        inside = np.flatnonzero(mask)
        kept[part] = np.zeros(len(mask), dtype=bool)
        kept[part][inside[some_of(len(inside), MOST_ROWS)]] = True
    inner = comparison.restrict(kept)
    return {part: sample_of(inner, part, levels, rng) for part in PARTS}


def _as_many(mask: BoolArray, rng: np.random.Generator) -> BoolArray:
    """As many rows, chosen at random from everyone."""
    return np.asarray(rng.permutation(mask))


def _with_error(values: FloatArray, low: float = -1.0) -> Estimate:
    half = 1.96 * jackknife_error(values[1:])
    return Estimate(float(values[0]), max(low, float(values[0]) - half), float(values[0]) + half)


def rounded_size(rows: float) -> int:
    """A size to two significant digits, and to tens.

    >>> rounded_size(12_345), rounded_size(387), rounded_size(12)
    (12000, 390, 10)
    """
    return 10 * round(float(f"{rows:.1e}") / 10)


def _size(name: str, comparison: Comparison, masks: Mapping[Part, BoolArray]) -> Score:
    mask, weights = masks["train"], comparison.train_weights
    share = float(weights[mask].sum() / max(weights.sum(), np.finfo(float).tiny))
    size = rounded_size(float(mask.sum()))
    return Score(
        name=f"subgroup.{name}.size",
        value=float(size),
        better="higher",
        edition=Edition.INTERNAL,
        sentence=f"'{name}': about {size:,} rows of the training table ({share:.0%} by weight).",
    )


def _score(name: str, which: str, served: Served) -> Score:
    value, low, high = served.own
    excess = served.difference
    warning = (
        f" WARNING: '{name}' is served much worse than everyone: " if served.worse else " Beyond that of everyone: "
    )
    among = (
        f"Among '{name}', {value:.2%} of rows would have to change for pairs of columns to agree with real holdout "
        f"people (95 % interval {low:.2%} to {high:.2%}; independent columns {served.floor:.2%}, a second real sample "
        f"{served.ceiling:.2%})."
        if which == "tv2"
        else f"Among '{name}', a model trained on the whole table loses {round(value, 3) + 0.0:.3f} "
        f"on real people (AUC, or R squared of a regression; 95 % interval {low:.3f} to {high:.3f})."
    )
    return Score(
        name=f"subgroup.{name}.{which}",
        value=value,
        low=low,
        high=high,
        baseline=served.floor,
        ceiling=served.ceiling,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"{among}{warning}{excess.value:+.3f} (95 % interval {excess.low:+.3f} to {excess.high:+.3f}).",
    )


def _few(name: str, rows: Mapping[Part, int]) -> Score:
    # The synthetic rows are what everyone will see; which real table is short of rows is not said.
    where = "the synthetic table" if rows["synthetic"] < FEWEST_ROWS else "a real table"
    return Score(
        name=f"subgroup.{name}.tv2",
        value=None,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=(
            f"'{name}': too few to tell (fewer than {FEWEST_ROWS} rows in {where}, or fewer than two columns left)."
        ),
    )


def _worse(errors: Mapping[str, Served], drops: Mapping[str, Served]) -> Score:
    headlines = (("two-way error", errors), ("loss of the model", drops))
    worse = [f"'{name}' ({what})" for what, told in headlines for name, served in told.items() if served.worse]
    groups = {name for told in (errors, drops) for name, served in told.items() if served.worse}
    judged_groups = len(set(errors) | set(drops))
    sentence = f"None of {judged_groups} subgroups large enough to tell is served much worse than everyone."
    if not judged_groups:
        sentence = "No declared subgroup is large enough to tell whether it is served worse than everyone."
    if worse:
        sentence = f"WARNING: served much worse than everyone: {', '.join(worse)}."
    return Score(
        name="subgroup.worse",
        value=float(len(groups)) if judged_groups else None,
        ceiling=0.0,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=sentence,
    )


def _forest(which: str, told: Mapping[str, Served]) -> Chart:
    rows = list(told.values())
    arrays = {
        "value": tuple(served.own.value for served in rows),
        "low": tuple(served.own.low for served in rows),
        "high": tuple(served.own.high for served in rows),
        "ceiling": tuple(served.ceiling for served in rows),
    }
    if which == "tv2":
        arrays["baseline"] = tuple(float(served.floor or 0.0) for served in rows)
    titles = {"tv2": "Two-way error by subgroup", "drop": "Loss of the model by subgroup"}
    return Chart(
        name=f"subgroup.{which}" if which == "tv2" else "utility.subgroup",
        kind="intervals",
        title=titles[which],
        labels=tuple(told),
        arrays=arrays,
        edition=Edition.INTERNAL,
        sentence=(
            "Two-way error against real holdout people of each declared subgroup, between independent columns and a "
            "second real sample."
            if which == "tv2"
            else "AUC (or R squared) that a model trained on the whole synthetic table loses among real people of each "
            "declared subgroup; 0 is no loss."
        ),
    )
