"""Measured tables and rare conditions as plain values and named arrays, and back; going back checks everything."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth.encoding.condition import Box, Condition
from medsynth.encoding.domain import Clique, Domain, Level
from medsynth.models.model_file import Array, Part
from medsynth.models.rare_groups import RareGroup
from medsynth.models.reward_tables import Reward, RewardTable
from medsynth.privacy.measurement import Measurement

LevelRef = tuple[int, int]
"""(attribute position, row of its array of levels)."""

Reference = Callable[[Level], LevelRef]
Levels = Sequence[Sequence[Level]]


def packed_measurement(measured: Measurement, reference: Reference) -> dict[str, Any]:
    """All of a measurement but its table."""
    return {
        "levels": [list(reference(level)) for level in measured.clique],
        "sigma": measured.sigma,
        "sensitivity": measured.sensitivity,
        "entry": measured.entry,
        "interactions": measured.interactions,
    }


def unpacked_measurement(item: Mapping[str, Any], levels: Levels, noisy: Array) -> Measurement:
    """The measurement, with its table."""
    clique: Clique = tuple(levels[natural(a)][natural(row)] for a, row in item["levels"])
    table = table_of(noisy, tuple(level.size for level in clique))
    require(bool(np.isfinite(table).all()))
    return Measurement(
        clique=clique,
        noisy=table,
        sigma=positive(item["sigma"]),
        sensitivity=positive(item["sensitivity"]),
        entry=natural(item["entry"]),
        interactions=_flag(item["interactions"], clique),
    )


def packed_group(group: RareGroup, reference: Reference) -> dict[str, Any]:
    """All of a rare condition but its arrays."""
    return {
        "name": group.name,
        "boxes": [sorted(box) for box in group.condition],
        "persons": group.persons,
        "counted": group.counted,
        "error": group.error,
        "sigma": group.sigma,
        "columns": list(group.columns),
        "expected_error": group.expected_error,
        "tilted": bool(group.weights),
        "measurements": [packed_measurement(measured, reference) for measured in group.measurements],
    }


def group_arrays(group: RareGroup, position: int, entries: tuple[int, ...]) -> dict[str, Part]:
    """The arrays of a rare condition; its boxes are public, its weights follow from all that was measured."""
    parts: dict[str, Part] = {}
    for number, box in enumerate(group.condition):
        for attribute, cells in box.items():
            parts[_box_name(position, number, attribute)] = Part(array=cells, entries=())
    for attribute, weights in enumerate(group.weights):
        parts[f"rare/{position:03}/weights/{attribute:04}"] = Part(array=weights, entries=entries)
    for number, measured in enumerate(group.measurements):
        name = f"rare/{position:03}/measured/{number:04}"
        parts[name] = Part(array=measured.noisy, entries=(measured.entry,))
    return parts


def unpacked_group(
    item: Mapping[str, Any], position: int, domain: Domain, levels: Levels, arrays: Mapping[str, Array]
) -> RareGroup:
    """The rare condition, with its arrays."""
    columns = tuple(natural(column) for column in item["columns"])
    require(all(column < len(domain) for column in columns))
    weights = [arrays[f"rare/{position:03}/weights/{a:04}"] for a in range(len(domain) if item["tilted"] else 0)]
    measurements = tuple(
        unpacked_measurement(each, levels, arrays[f"rare/{position:03}/measured/{number:04}"])
        for number, each in enumerate(item["measurements"])
    )
    require(len(measurements) == 1 + len(columns))
    expected = item["expected_error"]
    return RareGroup(
        name=str(item["name"]),
        condition=Condition(boxes=tuple(_box(item, position, k, domain, arrays) for k in range(len(item["boxes"])))),
        persons=positive(item["persons"]),
        counted=_finite(item["counted"]),
        error=positive(item["error"]),
        sigma=positive(item["sigma"]),
        columns=columns,
        expected_error=None if expected is None else positive(expected),
        weights=tuple(_weights(array, size) for array, size in zip(weights, domain.sizes, strict=False)),
        measurements=measurements,
    )


def _box(item: Mapping[str, Any], position: int, number: int, domain: Domain, arrays: Mapping[str, Array]) -> Box:
    box = {}
    for attribute in map(natural, item["boxes"][number]):
        cells = arrays[_box_name(position, number, attribute)]
        require(cells.dtype == np.bool_ and cells.shape == (domain.sizes[attribute],) and bool(cells.any()))
        box[attribute] = cells
    return box


def _box_name(position: int, number: int, attribute: int) -> str:
    return f"rare/{position:03}/box/{number:03}/{attribute:04}"


def _weights(array: Array, size: int) -> npt.NDArray[np.float64]:
    weights = table_of(array, (size,))
    require(bool((weights > 0).all()) and bool((weights <= 1).all()))
    return weights


def packed_reward(reward: Reward, reference: Reference) -> dict[str, Any]:
    """All of a reward but its arrays."""
    return {
        "scores": list(reward.scores),
        "tables": [packed_measurement(table.measurement, reference) for table in reward.tables],
    }


def reward_arrays(reward: Reward, entries: tuple[int, ...]) -> dict[str, Part]:
    """The arrays of a reward; what follows from them follows from the whole model, too."""
    paid = {*entries, *reward.scores, *(table.measurement.entry for table in reward.tables)}
    every = tuple(sorted(paid))
    parts: dict[str, Part] = {}
    for number, table in enumerate(reward.tables):
        name = f"reward/{number:03}"
        parts[f"{name}/measured"] = Part(array=table.measurement.noisy, entries=(table.measurement.entry,))
        parts[f"{name}/share"] = Part(array=table.share, entries=every)
        parts[f"{name}/log_weights"] = Part(array=table.log_weights, entries=every)
    return parts


def unpacked_reward(item: Mapping[str, Any], levels: Levels, arrays: Mapping[str, Array]) -> Reward:
    """The reward, with its arrays."""
    tables = []
    for number, each in enumerate(item["tables"]):
        name = f"reward/{number:03}"
        measured = unpacked_measurement(each, levels, arrays[f"{name}/measured"])
        shape = measured.noisy.shape
        share, logs = (table_of(arrays[f"{name}/{part}"], shape) for part in ("share", "log_weights"))
        require(len(shape) == 3 and measured.interactions and bool(np.isfinite(logs).all()))
        shares_of(share.ravel(), share.size)
        tables.append(RewardTable(measurement=measured, share=share, log_weights=logs))
    return Reward(tables=tuple(tables), scores=tuple(natural(entry) for entry in item["scores"]))


def shares_of(array: Array, size: int) -> npt.NDArray[np.float64]:
    """Nonnegative shares that sum to 1."""
    shares = table_of(array, (size,))
    require(bool((shares >= 0).all()) and abs(float(shares.sum()) - 1) < 1e-6)
    return shares


def table_of(array: Array, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """A table of floats of this shape."""
    require(array.dtype == np.float64 and array.shape == shape)
    return array


def natural(value: Any) -> int:
    """A whole number, at least 0."""
    require(isinstance(value, int) and not isinstance(value, bool) and value >= 0)
    return int(value)


def positive(value: Any) -> float:
    """A finite number above 0."""
    require(isinstance(value, int | float) and 0 < value < float("inf"))
    return float(value)


def _finite(value: Any) -> float:
    require(isinstance(value, int | float) and abs(value) < float("inf"))
    return float(value)


def require(holds: bool) -> None:
    """Refuses parts of a file that contradict each other."""
    if not holds:
        raise ValueError("the parts of the model do not fit together")


def _flag(value: Any, clique: Clique) -> bool:
    require(isinstance(value, bool))
    require(not value or min((level.size for level in clique), default=2) > 1)
    return bool(value)
