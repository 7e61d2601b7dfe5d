"""A graphical model as plain values and named arrays, and back; going back checks everything."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from medsynth.encoding.domain import Attribute, Domain, IntArray, Level
from medsynth.models.calibration import calibrate
from medsynth.models.edit import PairTarget
from medsynth.models.form_parts import (
    LevelRef,
    group_arrays,
    natural,
    packed_group,
    packed_measurement,
    packed_reward,
    positive,
    require,
    reward_arrays,
    shares_of,
    table_of,
    unpacked_group,
    unpacked_measurement,
    unpacked_reward,
)
from medsynth.models.graphical import GraphicalModel
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain
from medsynth.models.model_file import Array, Part


class GraphicalForm:
    """Takes `GraphicalModel` apart and puts it together."""

    def pack(self, fitted: GraphicalModel) -> tuple[dict[str, Any], dict[str, Part]]:
        """(plain values, named arrays)."""
        levels = _Levels(fitted)
        tree = fitted.tree
        values = {
            "model": fitted.model,
            "settings": dict(fitted.settings),
            "attributes": [
                {"name": attribute.name, "size": attribute.size, "ordered": attribute.ordered}
                for attribute in fitted.domain.attributes
            ],
            "chain_lengths": [len(chain.levels) for chain in fitted.chains],
            "cliques": [[list(node) for node in clique] for clique in tree.cliques],
            "parents": list(tree.parents),
            "total": fitted.total,
            "scores": list(fitted.scores),
            "sweeps": fitted.sweeps,
            "measurements": [packed_measurement(measured, levels.reference) for measured in fitted.measurements],
            "targets": [
                [list(levels.reference(target.level_i)), list(levels.reference(target.level_j))]
                for target in fitted.targets
            ],
            "rare": [packed_group(group, levels.reference) for group in fitted.rare],
        }
        if fitted.reward is not None:
            values["reward"] = packed_reward(fitted.reward, levels.reference)
        return values, self._arrays(fitted, levels)

    def _arrays(self, fitted: GraphicalModel, levels: "_Levels") -> dict[str, Part]:
        inside = [measurement for group in fitted.rare for measurement in group.measurements]
        paid = {measurement.entry for measurement in (*fitted.measurements, *inside)}
        # Levels and one-ways follow from one-way tables alone.
        first = tuple(sorted({measured.entry for measured in fitted.measurements if len(measured.clique) < 2}))
        every = tuple(sorted({*paid, *fitted.scores}))
        parts: dict[str, Part] = {}
        for position, attribute in enumerate(fitted.domain.attributes):
            if attribute.hierarchy:
                parts[f"hierarchy/{position:04}"] = Part(array=np.stack(attribute.hierarchy), entries=())
            parts[f"levels/{position:04}"] = Part(array=levels.array(position), entries=first)
            parts[f"one_way/{position:04}"] = Part(array=fitted.one_ways[position], entries=first)
        for position, table in enumerate(fitted.calibrated.log_potentials):
            parts[f"potential/{position:05}"] = Part(array=table, entries=every)
        for position, measurement in enumerate(fitted.measurements):
            parts[f"measured/{position:05}"] = Part(array=measurement.noisy, entries=(measurement.entry,))
        for position, target in enumerate(fitted.targets):
            parts[f"target/{position:05}"] = Part(array=target.table, entries=every)
            if target.allowed is not None:
                parts[f"allowed/{position:05}"] = Part(array=target.allowed, entries=first)
        for position, group in enumerate(fitted.rare):
            parts |= group_arrays(group, position, every)
        return parts if fitted.reward is None else parts | reward_arrays(fitted.reward, every)

    def unpack(self, values: Mapping[str, Any], arrays: Mapping[str, Array]) -> GraphicalModel:
        """The model; any inconsistency is an error of the kinds that `Form` names."""
        domain = _domain(values, arrays)
        levels = [_levels(attribute, arrays[f"levels/{k:04}"]) for k, attribute in enumerate(domain.attributes)]
        chains = tuple(_chain(each, length) for each, length in zip(levels, values["chain_lengths"], strict=True))
        tree = _tree(chains, values)
        potentials = [table_of(arrays[f"potential/{k:05}"], shape) for k, shape in enumerate(tree.shapes)]
        require(not any(bool((np.isnan(table) | (table == np.inf)).any()) for table in potentials))
        return GraphicalModel(
            domain=domain,
            chains=chains,
            one_ways=tuple(shares_of(arrays[f"one_way/{k:04}"], a.size) for k, a in enumerate(domain.attributes)),
            calibrated=calibrate(tree, potentials),
            total=positive(values["total"]),
            measurements=tuple(
                unpacked_measurement(item, levels, arrays[f"measured/{k:05}"])
                for k, item in enumerate(values["measurements"])
            ),
            scores=tuple(natural(entry) for entry in values["scores"]),
            targets=tuple(
                _target(item, levels, arrays[f"target/{k:05}"], arrays.get(f"allowed/{k:05}"))
                for k, item in enumerate(values["targets"])
            ),
            sweeps=natural(values["sweeps"]),
            rare=tuple(
                unpacked_group(item, position, domain, levels, arrays) for position, item in enumerate(values["rare"])
            ),
            reward=unpacked_reward(values["reward"], levels, arrays) if "reward" in values else None,
            model=str(values["model"]),
            settings=dict(values["settings"]),
        )


FORM = GraphicalForm()


class _Levels:
    """Every level a model mentions, per attribute: those of its chain first."""

    def __init__(self, fitted: GraphicalModel) -> None:
        self._positions = {chain.attribute: k for k, chain in enumerate(fitted.chains)}
        self._known = [list(chain.levels) for chain in fitted.chains]
        inside = [measurement for group in fitted.rare for measurement in group.measurements]
        inside += [] if fitted.reward is None else [table.measurement for table in fitted.reward.tables]
        for level in (level for measurement in (*fitted.measurements, *inside) for level in measurement.clique):
            self.reference(level)
        for target in fitted.targets:
            self.reference(target.level_i)
            self.reference(target.level_j)

    def reference(self, level: Level) -> LevelRef:
        """Where a level is stored."""
        position = self._positions[level.attribute]
        known = self._known[position]
        for row, other in enumerate(known):
            if other is level or (other.size == level.size and np.array_equal(other.groups, level.groups)):
                return position, row
        known.append(level)
        return position, len(known) - 1

    def array(self, position: int) -> IntArray:
        """Levels of an attribute, shape (levels, cells)."""
        return np.stack([level.groups for level in self._known[position]]).astype(np.int32)


def _domain(values: Mapping[str, Any], arrays: Mapping[str, Array]) -> Domain:
    attributes = []
    for position, item in enumerate(values["attributes"]):
        size, ordered = natural(item["size"]), natural(item["ordered"])
        hierarchy = arrays.get(f"hierarchy/{position:04}", np.zeros((0, size), dtype=np.int32))
        require(size >= 1 and ordered <= size and hierarchy.dtype == np.int32)
        require(hierarchy.shape[1:] == (size,) and bool((hierarchy >= 0).all()))
        attributes.append(Attribute(name=str(item["name"]), size=size, ordered=ordered, hierarchy=tuple(hierarchy)))
    require(len({attribute.name for attribute in attributes}) == len(attributes))
    return Domain(attributes=tuple(attributes))


def _levels(attribute: Attribute, groups: Array) -> list[Level]:
    require(groups.dtype == np.int32 and groups.ndim == 2 and groups.shape[1] == attribute.size)
    require(bool((groups >= 0).all()) and bool((groups < attribute.size).all()))
    found = []
    for row in groups:
        size = int(row.max()) + 1
        require(len(np.unique(row)) == size)
        found.append(Level(attribute=attribute.name, groups=row, size=size))
    return found


def _chain(levels: Sequence[Level], length: int) -> Chain:
    """The first levels of an attribute as a chain: nested, the last the finest."""
    kept = tuple(levels[: natural(length)])
    require(len(kept) == length and length >= 1 and kept[-1].is_finest)
    for coarse, fine in pairwise(kept):
        pairs = np.unique(np.stack([fine.groups, coarse.groups]), axis=1)
        require(pairs.shape[1] == fine.size)
    return Chain(attribute=kept[0].attribute, levels=kept)


def _tree(chains: tuple[Chain, ...], values: Mapping[str, Any]) -> JunctionTree:
    cliques = [tuple((natural(a), natural(level)) for a, level in clique) for clique in values["cliques"]]
    parents = [int(parent) for parent in values["parents"]]
    require(len(cliques) == len(parents) >= 1 and parents[0] == -1)
    require(all(0 <= parent < child for child, parent in enumerate(parents) if child))
    require(all(level < len(chains[a].levels) for clique in cliques for a, level in clique))
    require(all(list(c) == sorted(c) and len(dict(c)) == len(c) for c in cliques))
    tree = JunctionTree.rebuild(chains, cliques, parents)
    require(tree.runs_through and set().union(*tree.levels) == set(range(len(chains))))
    return tree


def _target(
    item: Sequence[Any],
    levels: Sequence[Sequence[Level]],
    table: Array,
    allowed: Array | None,
) -> PairTarget:
    (i, row_i), (j, row_j) = ((natural(a), natural(row)) for a, row in item)
    level_i, level_j = levels[i][row_i], levels[j][row_j]
    masses = table_of(table, (level_i.size, level_j.size))
    require(i < j and bool(np.isfinite(masses).all()) and bool((masses >= 0).all()))
    require(allowed is None or (allowed.dtype == np.bool_ and allowed.shape == masses.shape))
    return PairTarget(i=i, j=j, level_i=level_i, level_j=level_j, table=masses, allowed=allowed)
