"""Would the declared studies replicate: their coefficients on the synthetic table beside those on real rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from medsynth.encoding.comparison import Comparison, Part
from medsynth.fidelity.study_fits import StudyEstimate, estimates
from medsynth.score import Chart, Edition, Evaluation, Score

Z = 1.959964
"""Of a 95 % interval and of significance at 0.05."""
CHANCE = 0.025
"""How often a coefficient of no effect is significant with the right sign."""
NARROW = (
    "Intervals computed on one synthetic table as if it were real leave out the privacy noise and are too narrow; "
    "honest ones come from `medsynth sample --replicates 20`."
)
WHERE = "For shares and means by subgroup"
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Tables = Mapping[Part, Sequence[StudyEstimate]]
PARTS: tuple[Part, ...] = ("train", "holdout", "synthetic")


@dataclass(frozen=True, kw_only=True)
class Studies:
    """Agreement of every declared study between the synthetic table and the training rows.

    The ceiling is the same study on the holdout: what a second real sample would have concluded. It has fewer rows
    than train, so it finds less, and a good synthetic table may agree more often. Weights count as in the fit.
    """

    names: ClassVar[tuple[str, ...]] = ("study", "estimate")

    def evaluate(
        self,
        comparison: Comparison,
        rng: np.random.Generator,  # noqa: ARG002 - part of the protocol, nothing is drawn here
    ) -> Evaluation:
        """Scores `study.kept`, `study.NAME.*` and `estimate.*`, one chart for each study."""
        tables = {part: _estimates(comparison, part) for part in PARTS}
        coefficients = {part: [one for one in found if one.kind == "coefficient"] for part, found in tables.items()}
        means = {part: [one for one in found if one.kind != "coefficient"] for part, found in tables.items()}
        scores: list[Score] = []
        charts: list[Chart] = []
        if coefficients["train"]:
            rows = len(comparison.holdout)
            scores.append(_kept("study.kept", coefficients, f"a second real sample of {rows:,} rows", told=True))
        for study in comparison.schema.formulas:
            own = {part: [one for one in found if one.study == study] for part, found in coefficients.items()}
            scores += _scores(f"study.{study}", f"In study '{study}'", own)
            charts.append(_forest(study, own))
        if means["train"]:
            scores += [judge("estimate.shares_and_means", WHERE, means) for judge in (_overlap, _difference)]
        return Evaluation(scores=tuple(scores), charts=tuple(charts))


def _estimates(comparison: Comparison, part: Part) -> tuple[StudyEstimate, ...]:
    frame, unit = comparison.frame(part), comparison.schema.privacy.unit
    persons = frame[unit].to_numpy() if unit is not None and part != "synthetic" and unit in frame else None
    return estimates(comparison.schema, frame, comparison.weights(part), persons)


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Estimates that both tables tell, (k,) each: values and errors on real rows and on the others."""

    real: FloatArray
    real_error: FloatArray
    other: FloatArray
    other_error: FloatArray

    @property
    def same_sign(self) -> BoolArray:
        return np.asarray(np.sign(self.real) == np.sign(self.other))

    @property
    def found(self) -> tuple[BoolArray, BoolArray]:
        """Which are significant at 0.05, on real rows and on the others."""
        return np.abs(self.real) > Z * self.real_error, np.abs(self.other) > Z * self.other_error


def _pairs(tables: Tables, part: Part) -> _Pairs:
    told = [
        (real.value, real.error, other.value, other.error)
        for real, other in zip(tables["train"], tables[part], strict=True)
        if real.value is not None and other.value is not None
    ]
    table = np.array(told, dtype=np.float64).reshape(len(told), 4)
    return _Pairs(real=table[:, 0], real_error=table[:, 1], other=table[:, 2], other_error=table[:, 3])


def interval_overlap(pairs: _Pairs) -> FloatArray:
    """Length that two 95 % intervals share, as a part of each, averaged; 0 where they share nothing.

    Source: Karr, Kohnen, Oganian, Reiter and Sanil (2006), doi:10.1198/000313006X124640.
    """
    low = np.maximum(pairs.real - Z * pairs.real_error, pairs.other - Z * pairs.other_error)
    high = np.minimum(pairs.real + Z * pairs.real_error, pairs.other + Z * pairs.other_error)
    shared = np.maximum(0.0, high - low)
    with np.errstate(all="ignore"):
        parts = [shared / (2 * Z * error) for error in (pairs.real_error, pairs.other_error)]
    same = (pairs.real == pairs.other).astype(np.float64)
    overlap: FloatArray = np.mean([np.where(np.isfinite(part), part, same) for part in parts], axis=0)
    return overlap


def _scores(name: str, where: str, tables: Tables) -> list[Score]:
    kept = _kept(name, tables, "the holdout", told=False)
    kept = replace(kept, name=f"{name}.kept", sentence=f"{where}: {kept.sentence[:1].lower()}{kept.sentence[1:]}")
    if not len(_pairs(tables, "synthetic").real):
        return [kept]
    return [kept, *_agreements(name, where, tables), _overlap(name, where, tables), _difference(name, where, tables)]


def _kept(name: str, tables: Tables, second: str, *, told: bool) -> Score:
    """Coefficients significant on real rows that keep sign and significance; one that cannot be told is lost."""
    total, kept, new = _findings(tables, "synthetic")
    _, second_kept, second_new = _findings(tables, "holdout")
    sentence = (
        f"Of {total} coefficients significant on real records, {kept} keep sign and significance on the synthetic "
        f"table; {second} keeps {second_kept}."
        if total
        else "No coefficient is significant on the training records, so there is nothing to keep."
    )
    sentence += (
        f" The synthetic table shows {new} that real records do not, significant or with the other sign; "
        f"the second sample {second_new}."
    )
    return Score(
        name=name,
        value=kept / total if total else None,
        baseline=CHANCE,
        ceiling=second_kept / total if total else None,
        better="higher",
        edition=Edition.INTERNAL,
        sentence=f"{sentence} {NARROW}" if told else sentence,
    )


def _findings(tables: Tables, part: Part) -> tuple[int, int, int]:
    """(significant on train, those of them that keep sign and significance, significant only here or reversed)."""
    total = sum(one.value is not None and abs(one.value) > Z * (one.error or 0.0) for one in tables["train"])
    pairs = _pairs(tables, part)
    real, other = pairs.found
    same = real & other & pairs.same_sign
    return total, int(same.sum()), int((other & ~same).sum())


def _agreements(name: str, where: str, tables: Tables) -> list[Score]:
    synthetic, second = _pairs(tables, "synthetic"), _pairs(tables, "holdout")
    figures = {
        "sign": ([pairs.same_sign for pairs in (synthetic, second)], "have the same sign as"),
        "significance": ([np.equal(*pairs.found) for pairs in (synthetic, second)], "are significant, or not, as"),
    }
    return [
        Score(
            name=f"{name}.{key}",
            value=float(own.mean()),
            ceiling=float(real.mean()) if len(real) else None,
            better="higher",
            edition=Edition.INTERNAL,
            sentence=f"{where}, {int(own.sum())} of {len(own)} coefficients on the synthetic table {what} on real "
            f"records; on the holdout {int(real.sum())} of {len(real)}.",
        )
        for key, ((own, real), what) in figures.items()
    ]


def _overlap(name: str, where: str, tables: Tables) -> Score:
    own, second = (_mean(interval_overlap(_pairs(tables, part))) for part in ("synthetic", "holdout"))
    return Score(
        name=f"{name}.overlap",
        value=own,
        ceiling=second,
        better="higher",
        edition=Edition.INTERNAL,
        sentence=f"{where}, 95 % intervals from the synthetic table and from real records share {_percent(own)} of "
        f"their length on average; those from the holdout {_percent(second)}.",
    )


def _difference(name: str, where: str, tables: Tables) -> Score:
    own, second = (_mean(_distances(_pairs(tables, part))) for part in ("synthetic", "holdout"))
    return Score(
        name=f"{name}.difference",
        value=own,
        ceiling=second,
        better="lower",
        edition=Edition.INTERNAL,
        sentence=f"{where}, estimates on the synthetic table lie {_errors(own)} from those on real records on average; "
        f"those on the holdout {_errors(second)}.",
    )


def _distances(pairs: _Pairs) -> FloatArray:
    """In standard errors of the real estimate."""
    known = pairs.real_error > 0
    return np.abs(pairs.other - pairs.real)[known] / pairs.real_error[known]


def _forest(study: str, tables: Tables) -> Chart:
    """Coefficients with their intervals on both tables; of a number, per standard deviation on real rows."""
    spreads = [one.spread for one in tables["train"]]
    arrays: dict[str, tuple[float | None, ...]] = {}
    for names, found in (
        (("value", "low", "high"), tables["synthetic"]),
        (("real", "real_low", "real_high"), tables["train"]),
    ):
        for name, side in zip(names, (0.0, -Z, Z), strict=True):
            arrays[name] = tuple(_drawn(one, side, spread) for one, spread in zip(found, spreads, strict=True))
    return Chart(
        name=f"study.{study}.coefficients",
        kind="intervals",
        title=f"Study '{study}': coefficients",
        labels=tuple(one.term for one in tables["train"]),
        arrays=arrays,
        edition=Edition.INTERNAL,
        sentence="Each coefficient on the synthetic table beside that on real records (of a number, per standard "
        "deviation), as if the synthetic table were real; one that a table cannot tell has no mark.",
    )


def _drawn(one: StudyEstimate, side: float, spread: float) -> float | None:
    if one.value is None or one.error is None:
        return None
    return (one.value + side * one.error) * spread


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None


def _percent(value: float | None) -> str:
    return "an unknown part" if value is None else f"{value:.0%}"


def _errors(value: float | None) -> str:
    return "an unknown number of standard errors" if value is None else f"{value:.1f} standard errors"
