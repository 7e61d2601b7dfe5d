"""The parts of a report, as plain frozen values: what `report.json` is made of."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from medsynth.score import Chart, ChartKind, Edition, Score

# Controls, lone surrogates, embedding and override marks: they break XML, or make a name read
# as another one.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def printable(text: str) -> str:
    r"""Replaces characters that cannot be shown, or that hide what is shown, by U+FFFD.

    >>> printable("age" + chr(0))
    'age\ufffd'
    """
    return _UNPRINTABLE.sub("\ufffd", text)


def finite(value: object) -> object:
    """A Python scalar for a NumPy one; None for a NaN or an infinity, which JSON cannot hold."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def plain(value: object) -> object:
    """A setting as JSON scalar; anything built of several parts becomes its text."""
    value = finite(value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


Text = Annotated[str, AfterValidator(printable)]
Number = Annotated[float | None, BeforeValidator(finite)]
Plain = Annotated[bool | int | float | Text | None, BeforeValidator(plain)]
IsoDay = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Block(BaseModel):
    """A frozen part; an unknown key is a mistake of the caller."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Dataset(Block):
    """The table the synthetic one stands for, as its schema describes it."""

    name: Text
    population: Text = ""
    licence: Text = ""
    terms: Text = ""
    allowed_use: Text = ""


_ALIASES = {"membership_tpr_cap": "membership_tpr_cap_at_1pct_fpr"}


class Guarantee(Block):
    """The differential privacy guarantee of the synthetic table."""

    epsilon: Number
    delta: Number
    mu: Number = None
    unit: Text = ""
    """What one protected unit is: a column's name, or the words of the caller."""
    neighbours: Text = ""
    sentence: Text = ""
    membership_auc_cap: Number = None
    """Best area under the curve any membership attack can have under this guarantee."""
    membership_tpr_cap_at_1pct_fpr: Number = None
    """Best true positive rate of any membership attack at a false positive rate of 1 %."""
    odds_factor: Number = None
    """How far the odds that a unit is in the data can move, save with chance `odds_failure`."""
    odds_failure: Number = None
    """Larger than delta, which bounds an average."""
    details: dict[str, Plain] = {}
    """Whatever else the accountant states (accountant, sampler, persons)."""

    @model_validator(mode="before")
    @classmethod
    def _gather_details(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        given = {_ALIASES.get(key, key): value for key, value in given.items()}
        known = {key: value for key, value in given.items() if key in cls.model_fields}
        others = {key: value for key, value in given.items() if key not in cls.model_fields}
        return known | {"details": {**known.get("details", {}), **others}}


class LedgerEntry(Block):
    """One booked release of noised figures."""

    label: Text
    kind: Text
    mu: Number
    share: Number = None
    """Part of the spent budget: mu squared over the sum of mu squared."""
    delta: Number = None
    """What a threshold may fail by, a part of the guarantee's delta; none for other releases."""


class Model(Block):
    """The generator and its public settings."""

    name: Text
    settings: dict[str, Plain] = {}


class Upsampling(Block):
    """One rare condition raised above its natural share."""

    name: Text
    before: Number
    target: Number
    after: Number


class Sampling(Block):
    """How the rows were drawn."""

    n: int
    seed: int | None = None
    where: Text | None = None
    draw: Text = ""
    """`edited` or `random`."""
    draw_note: Text = ""
    """What that means to those who use the rows."""
    selection: Text = ""
    """What was selected from which pool, and what that did, told without private data."""
    upsampling: tuple[Upsampling, ...] = ()
    weights_note: Text = ""
    repaired_share: Number = None
    """Share of rows changed so that every rule holds."""
    redrawn_share: Number = None
    """Share of rows whose numbers or dates were drawn again inside their cells, so that every rule holds."""
    clean_note: Text = ""
    """Says that doubtful records were not passed on, where they were not."""


class RareCondition(Block):
    """A declared rare condition: what the fit learned of it and what the file holds."""

    name: Text
    where: Text
    count: Number = None
    """Noised count, in persons."""
    low: Number = None
    high: Number = None
    model_share: Number = None
    file_share: Number = None
    real_share: Number = None
    """Share among the private records: INTERNAL whatever `edition` says."""
    verdict: Text = ""
    """How well the model knows its records: supported, fair, weak or below the noise."""
    expected_error: Number = None
    """Total variation that the noise leaves, on average, in the columns measured inside it."""
    edition: Edition = Edition.SHAREABLE


class Figure(Block):
    """A score, as `medsynth.score.Score` describes it."""

    name: Text
    value: Number
    low: Number = None
    high: Number = None
    baseline: Number = None
    ceiling: Number = None
    better: Literal["higher", "lower"]
    edition: Edition
    columns: tuple[Text, ...] = ()
    sentence: Text

    @classmethod
    def of(cls, score: Score) -> Self:
        """Copies a score."""
        return cls(**{name: getattr(score, name) for name in cls.model_fields})


class Drawing(Block):
    """A chart, as `medsynth.score.Chart` describes it; a heatmap may hold several matrices."""

    name: Text
    kind: ChartKind
    title: Text
    labels: tuple[Text, ...]
    arrays: dict[Text, tuple[Number, ...]]
    edition: Edition
    sentence: Text

    @classmethod
    def of(cls, chart: Chart) -> Self:
        """Copies a chart."""
        return cls(**{name: getattr(chart, name) for name in cls.model_fields})

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        length = len(self.labels)
        if self.kind == "heatmap":
            length **= 2
        elif self.kind == "curve":
            length = len(self.arrays.get("x", ()))
        if self.kind == "intervals" and not {"value", "low", "high"} <= set(self.arrays):
            raise ValueError(f"Chart {self.name!r}: intervals need the arrays value, low and high.")
        if "real" in self.arrays and self.kind == "intervals" and not {"real_low", "real_high"} <= set(self.arrays):
            raise ValueError(f"Chart {self.name!r}: the array real needs real_low and real_high.")
        if any(len(array) != length for array in self.arrays.values()):
            raise ValueError(f"Chart {self.name!r}: every array of this {self.kind} must hold {length} numbers.")
        return self


class PolicyLine(Block):
    """One limit of the schema's policy against what was measured."""

    key: Text
    limit: float
    measured: Number = None
    low: Number = None
    high: Number = None
    met: bool | None = None
    """None: not measured, or (shareable edition) judged in the internal edition."""
    outcome: Literal["met", "not met", "not measured", "in the internal edition"]
    judged_by: Text = ""
    """Which figure is compared with the limit, in words."""
    score: Text | None = None
    """Name of that figure."""


class Verdict(Block):
    """The policy lines in one sentence."""

    sentence: Text
    detail: Text = ""
    lines: int
    met: int
    not_met: int
    not_measured: int
    in_internal_edition: int


class File(Block):
    """A file the report speaks about."""

    name: Text
    sha256: Sha256
    edition: Edition = Edition.SHAREABLE
    description: Text = ""


class Note(Block):
    """A sentence for the reader; INTERNAL where it depends on private records."""

    text: Text
    edition: Edition = Edition.SHAREABLE


class Appendix(Block):
    """A further page: sentences and at most one table (a crosswalk, a validation result)."""

    title: Text
    paragraphs: tuple[Text, ...] = ()
    header: tuple[Text, ...] = ()
    rows: tuple[tuple[Text, ...], ...] = ()
    edition: Edition
