"""Small random trees and their joint table, written out cell by cell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Attribute, Clique, Domain, Level
from medsynth.models.calibration import Calibrated, calibrate
from medsynth.models.junction_tree import JunctionTree, Node
from medsynth.models.levels import Chain

FloatArray = npt.NDArray[np.float64]


def chain_of(name: str, size: int, sizes: Sequence[int], rng: np.random.Generator) -> Chain:
    """A chain of nested levels whose groups are scattered over the cells."""
    levels = [Level(attribute=name, groups=np.arange(size, dtype=np.int32), size=size)]
    for fewer in sorted(sizes, reverse=True):
        finer = levels[0]
        merged = rng.permutation(np.concatenate([np.arange(fewer), rng.integers(0, fewer, finer.size - fewer)]))
        levels.insert(0, Level(attribute=name, groups=merged[finer.groups].astype(np.int32), size=fewer))
    return Chain(attribute=name, levels=tuple(levels))


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A calibrated tree and the joint table it stands for, axes at `tree.finest`."""

    calibrated: Calibrated
    joint: FloatArray

    @property
    def tree(self) -> JunctionTree:
        """The tree."""
        return self.calibrated.tree

    def marginal(self, nodes: Sequence[Node], joint: FloatArray | None = None) -> FloatArray:
        """Sums the joint table to some nodes, one cell at a time."""
        table = self.joint if joint is None else joint
        shape = tuple(self.tree.chains[a].levels[level].size for a, level in nodes)
        result = np.zeros(shape)
        maps = [self.tree.chains[a].project(self.tree.finest[a], level) for a, level in nodes]
        for cell in np.ndindex(*table.shape):
            result[tuple(m[cell[a]] for m, (a, _) in zip(maps, nodes, strict=True))] += table[cell]
        return result


def random_cliques(rng: np.random.Generator, attributes: int, levels: int) -> list[tuple[Node, ...]]:
    """One to five cliques of one to three attributes at random levels."""
    return [
        tuple((int(a), int(rng.integers(0, levels))) for a in rng.choice(attributes, rng.integers(1, 4), replace=False))
        for _ in range(rng.integers(1, 6))
    ]


def random_case(seed: int, attributes: int = 4) -> Case:
    """A random tree with random potentials; joint written out from the potentials."""
    rng = np.random.default_rng(seed)
    chains = [chain_of(f"c{k}", 5, [2, 3], rng) for k in range(attributes)]
    tree = JunctionTree.build(chains, random_cliques(rng, attributes, 3))
    potentials = [2 * rng.normal(size=shape) for shape in tree.shapes]
    shape = tuple(chain.levels[level].size for chain, level in zip(chains, tree.finest, strict=True))
    logs = np.zeros(shape)
    for clique, table in zip(tree.cliques, potentials, strict=True):
        maps = [chains[a].project(tree.finest[a], level) for a, level in clique]
        for cell in np.ndindex(*shape):
            logs[cell] += table[tuple(m[cell[a]] for m, (a, _) in zip(maps, clique, strict=True))]
    joint = np.exp(logs)
    return Case(calibrated=calibrate(tree, potentials), joint=joint / joint.sum())


@pytest.fixture(params=range(12))
def case(request: pytest.FixtureRequest) -> Case:
    """Twelve random trees."""
    return random_case(request.param)


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedRecords:
    """Rows of codes that can be counted; every row is one person."""

    domain: Domain
    codes: npt.NDArray[np.int32]
    l2: int = 1 << 20

    def marginals(self, cliques: Sequence[Clique]) -> list[npt.NDArray[np.int64]]:
        """Counts in units."""
        tables = []
        for clique in cliques:
            shape = tuple(level.size for level in clique)
            flat = np.zeros(len(self.codes), dtype=np.int64)
            for level in clique:
                flat = flat * level.size + level.groups[self.codes[:, self.domain.index(level.attribute)]]
            tables.append(np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape) << 20)
        return tables

    def parts(self, conditions: Sequence[Condition]) -> list["CodedRecords"]:
        """The rows inside each condition; a row belongs to the first that it meets."""
        taken = np.zeros(len(self.codes), dtype=bool)
        found = []
        for condition in conditions:
            rows = condition.mask(self.codes) & ~taken
            taken |= rows
            found.append(CodedRecords(domain=self.domain, codes=self.codes[rows], l2=self.l2))
        return found


@pytest.fixture
def make_records() -> Callable[[int], CodedRecords]:
    """A table of three related columns with any number of rows."""

    def make(rows: int) -> CodedRecords:
        rng = np.random.default_rng(5)
        first = rng.integers(0, 4, rows)
        second = np.clip(2 * first + rng.integers(0, 3, rows), 0, 9)
        domain = Domain(
            attributes=(
                Attribute(name="ward", size=4),
                Attribute(name="days", size=10, ordered=10),
                Attribute(name="died", size=2),
            )
        )
        codes = np.stack([first, second, (first > 1).astype(int)], axis=1).astype(np.int32)
        return CodedRecords(domain=domain, codes=codes)

    return make
