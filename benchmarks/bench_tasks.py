"""The bench's tables as codes: what every tool sees, what is held out, and what is asked of the result.

Codes come from each shipped schema (public cells; no look at rows), a column of more than 100 cells at the level at
which medsynth's own reports compare it (ICD-9 codes at their blocks). One person in five is held out by a fixed seed.
Where persons have several rows, tools that protect rows get one random row of each person; the held-out persons'
rows all count, each person once in sum.
"""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from check_schemas import DATA, READERS

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import Condition, compile_condition
from medsynth.encoding.domain import Attribute, Level
from medsynth.errors import UsageError
from medsynth.fidelity.resolution import at_levels, pair_level
from medsynth.privacy import UNITS_PER_PERSON
from medsynth.schema import load_schema, uncounted
from medsynth.schema.predicate import Compare

if TYPE_CHECKING:
    import pandas as pd

    from medsynth.schema import Schema

Codes = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
HELD_OUT = 0.2
SEED = 20_260_101
MOST_ROWS = 10
"""Rows kept of one person, the `bounding` of diabetes130."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """What is predicted: one column from others.

    Attributes:
      column: Position.
      positive: (size,) cells that count as a case.
      excluded: Names of columns that are no predictors, the target among them.
    """

    column: int
    positive: Mask
    excluded: frozenset[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """One table, split.

    Attributes:
      name: Of the table.
      judge: True if nothing was tuned on it.
      attributes: Columns with cells, order and public coarser levels.
      train: (n, d) one row a person.
      holdout: (m, d) rows of other persons.
      holdout_weights: (m,) mean 1.
      stays: All rows of the persons in `train`, where they have several; with their units of 2^-20 person.
      delta: Of (epsilon, delta).
      conditions: Rare conditions as boxes of codes.
      left_out: Rare conditions that the codes are too coarse to tell.
      target: What is predicted.
    """

    name: str
    judge: bool
    attributes: tuple[Attribute, ...]
    train: Codes
    holdout: Codes
    holdout_weights: npt.NDArray[np.float64]
    stays: tuple[Codes, npt.NDArray[np.int64]] | None
    delta: float
    conditions: Mapping[str, Condition]
    left_out: tuple[str, ...]
    target: Target

    @property
    def sizes(self) -> tuple[int, ...]:
        """Cells per column."""
        return tuple(attribute.size for attribute in self.attributes)


def split(persons: npt.NDArray[Any]) -> Mask:
    """Which rows belong to held-out persons, (n,): a fifth of the persons, by a fixed seed."""
    distinct, number = np.unique(persons, return_inverse=True)
    rng = np.random.default_rng(SEED)
    out = np.zeros(len(distinct), dtype=bool)
    out[rng.permutation(len(distinct))[: round(HELD_OUT * len(distinct))]] = True
    return out[number]


def one_row_each(persons: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Positions of one random row of every person."""
    shuffled = np.random.default_rng(SEED + 1).permutation(len(persons))
    return np.sort(shuffled[np.unique(persons[shuffled], return_index=True)[1]])


def kept_shares(persons: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64]]:
    """Positions of at most ten random rows of every person, and the units each stands for."""
    shuffled = np.random.default_rng(SEED + 2).permutation(len(persons))
    _, number = np.unique(persons[shuffled], return_inverse=True)
    order = np.argsort(number, kind="stable")
    counts = np.bincount(number)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = rank < MOST_ROWS
    units = np.repeat(UNITS_PER_PERSON // np.minimum(counts, MOST_ROWS), counts)
    return shuffled[order[kept]], units[kept]


def coarse_attribute(attribute: Attribute, level: Level) -> Attribute:
    """The column of a level: its groups as cells, with the public levels above."""
    if level.is_finest:
        return attribute
    first = np.unique(level.groups, return_index=True)[1]
    above = tuple(h[first].astype(np.int32) for h in attribute.hierarchy if h.max() + 1 < level.size)
    # An ordered column is cut into runs that ascend, with its tail behind; a list stays a list.
    ordered = int(level.groups[attribute.ordered - 1]) + 1 if attribute.ordered else 0
    return Attribute(name=attribute.name, size=level.size, ordered=ordered, hierarchy=above)


def coarse_condition(condition: Condition, levels: Sequence[Level]) -> Condition | None:
    """The same condition over groups; None if a group is only partly inside."""
    boxes = []
    for box in condition:
        coarse = {}
        for position, cells in box.items():
            level = levels[position]
            inside = np.bincount(level.groups, weights=cells, minlength=level.size)
            members = np.bincount(level.groups, minlength=level.size)
            if ((inside > 0) & (inside < members)).any():
                return None
            coarse[position] = inside > 0
        boxes.append(coarse)
    return Condition(boxes=tuple(boxes))


def load_task(name: str) -> Task:
    """A task by name."""
    return TASKS[name]()


def _from_schema(name: str, *, judge: bool) -> Task:
    schema, frame = uncounted(load_schema(name)), READERS[name]()
    codec = Codec(schema=schema)
    levels = [pair_level(attribute) for attribute in codec.domain.attributes]
    codes = np.ascontiguousarray(at_levels(codec.encode(frame), levels))
    attributes = tuple(map(coarse_attribute, codec.domain.attributes, levels))
    conditions, left_out = _conditions(schema, codec, levels)
    return Task(
        name=name,
        judge=judge,
        attributes=attributes,
        **_parts(codes, _persons(frame, schema)),
        delta=schema.privacy.delta_value,
        conditions=conditions,
        left_out=left_out,
        target=_target(schema, codec, levels),
    )


def _persons(frame: "pd.DataFrame", schema: "Schema") -> npt.NDArray[Any]:
    unit = schema.privacy.unit
    return np.arange(len(frame)) if unit is None else frame[unit].to_numpy().astype(str)


def _parts(codes: Codes, persons: npt.NDArray[Any]) -> dict[str, Any]:
    """Train and holdout of a table whose rows belong to persons."""
    out = split(persons)
    train, own = codes[~out], persons[~out]
    several = len(np.unique(persons)) < len(persons)
    held, units = kept_shares(persons[out])
    stays = kept_shares(own) if several else None
    return {
        "train": train[one_row_each(own)],
        "holdout": codes[out][held],
        "holdout_weights": units / units.mean(),
        "stays": None if stays is None else (train[stays[0]], stays[1]),
    }


def _conditions(
    schema: "Schema", codec: Codec, levels: Sequence[Level]
) -> tuple[dict[str, Condition], tuple[str, ...]]:
    told, left_out = {}, []
    for name, predicate in schema.rare_predicates.items():
        try:
            coarse = coarse_condition(compile_condition(predicate, codec), levels)
        except UsageError:
            coarse = None
        if coarse is None:
            left_out.append(name)
        else:
            told[name] = coarse
    return told, tuple(left_out)


def _target(schema: "Schema", codec: Codec, levels: Sequence[Level]) -> Target:
    utility = schema.utility
    condition = compile_condition(Compare(column=utility.target, op="==", value=utility.positive), codec)
    column = codec.domain.index(utility.target)
    coarse = coarse_condition(condition, levels)
    if coarse is None:
        raise SystemExit(f"{schema.dataset.name}: the target is too coarse to be predicted.")
    (box,) = coarse
    return Target(column=column, positive=box[column], excluded=frozenset({utility.target, *utility.exclude}))


ADULT_ORDERED = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
"""Columns whose codes ascend, by the data set's description."""


def _adult_discrete() -> Task:
    folder = DATA / "adult_discrete"
    sizes = json.loads((folder / "adult-domain.json").read_text(encoding="utf-8"))
    with gzip.open(folder / "adult.csv.gz", "rt", encoding="utf-8") as file:
        names = file.readline().strip().split(",")
        codes = np.loadtxt(file, delimiter=",", dtype=np.int32)
    attributes = tuple(
        Attribute(name=name, size=sizes[name], ordered=sizes[name] if name in ADULT_ORDERED else 0) for name in names
    )

    def box(**cells: Sequence[int]) -> Condition:
        """Rows whose columns fall into the cells."""
        masks = {}
        for name, members in cells.items():
            column = names.index(name.replace("_", "-"))
            masks[column] = np.isin(np.arange(attributes[column].size), members)
        return Condition(boxes=(masks,))

    # The rare conditions of schemas/adult.yaml that codes without country names can tell; codes by the data README.
    conditions = {
        "women_with_doctorate": box(education_num=[15], sex=[0]),
        "high_capital_gain": box(capital_gain=range(15, 100)),
        "unpaid": box(workclass=[6, 7]),
        "american_indian": box(race=[2]),
    }
    income = names.index("income>50K")
    return Task(
        name="adult_discrete",
        judge=False,
        attributes=attributes,
        **_parts(codes, np.arange(len(codes))),
        delta=1e-9,
        conditions=conditions,
        left_out=("born_in_asia",),
        target=Target(column=income, positive=np.array([False, True]), excluded=frozenset({"income>50K", "fnlwgt"})),
    )


TASKS: dict[str, Callable[[], Task]] = {
    "adult_discrete": _adult_discrete,
    "nist_acs": lambda: _from_schema("nist_acs", judge=False),
    "credit_default": lambda: _from_schema("credit_default", judge=False),
    "diabetes130": lambda: _from_schema("diabetes130", judge=True),
    "support2": lambda: _from_schema("support2", judge=True),
    "thyroid": lambda: _from_schema("thyroid", judge=True),
}
"""Three tables that settings were tuned on, then three judges."""


def table_path(work: Path, name: str, *, persons: bool = False) -> Path:
    """Where a task's table lies for the tools, without ending."""
    return work / "tables" / (f"{name}_persons" if persons else name)
