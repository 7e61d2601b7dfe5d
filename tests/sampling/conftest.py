"""A fitted model that is a table one can read: three columns, 16 cells, shares written out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.condition import Condition
from medsynth.encoding.domain import Domain
from medsynth.errors import UsageError
from medsynth.models.base import Part, RareKnowledge
from medsynth.schema import parse_schema

SCHEMA = """\
medsynth: 1
dataset: {name: table}
privacy: {rows_are_persons: true, persons: 100}
columns:
  key: {kind: id, format: "R-###"}
  old: {kind: category, values: ["no", "yes"]}
  ill: {kind: category, values: ["no", "yes"]}
  ward: {kind: category, values: [a, b, c, d]}
rare:
  - {name: old, where: "old == 'yes'"}
  - {name: ill, where: "ill == 'yes'"}
  - {name: both, where: "old == 'yes' and ill == 'yes'"}
  - {name: sure, where: "old == 'yes' or old == 'no'"}
rules: ["ill == 'yes' implies ward != 'd'"]
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A joint distribution over codes, sampled and conditioned cell by cell."""

    domain: Domain
    joint: npt.NDArray[np.float64]
    known: Mapping[str, RareKnowledge] = field(default_factory=dict)

    @property
    def codes(self) -> npt.NDArray[np.int32]:
        return np.array(list(np.ndindex(*self.joint.shape)), dtype=np.int32)

    def share(self, condition: Condition) -> float:
        return float(self.joint.ravel()[condition.mask(self.codes)].sum())

    def sample(
        self,
        n: int,
        rng: np.random.Generator,
        given: Condition | None = None,
        *,
        edited: bool = True,  # noqa: ARG002 (rows are always independent)
    ) -> npt.NDArray[np.int32]:
        chances = self.joint.ravel().copy()
        if given is not None:
            chances[~given.mask(self.codes)] = 0
        if chances.sum() <= 0:
            raise UsageError("probability 0")
        drawn: npt.NDArray[np.int32] = self.codes[rng.choice(len(chances), n, p=chances / chances.sum())]
        return drawn

    def knowledge(self, name: str) -> RareKnowledge | None:
        return self.known.get(name)

    def rows(self, parts: Sequence[Part], **_: Any) -> "TableRows":
        return TableRows(table=self, parts=parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class TableRows:
    """Strata of a table, drawn one by one."""

    table: Table
    parts: Sequence[Part]

    def draw(self, counts: Sequence[int], rng: np.random.Generator) -> list[npt.NDArray[np.int32]]:
        return [self.table.sample(n, rng, part.condition) for part, n in zip(self.parts, counts, strict=True)]


@pytest.fixture
def codec() -> Codec:
    return Codec(schema=parse_schema(SCHEMA))


@pytest.fixture
def table(codec: Codec) -> Table:
    """P(old) = 0.30, P(ill) = 0.20, P(both) = 0.10; a quarter of each lies in ward d."""
    pairs = np.array([[0.60, 0.10], [0.20, 0.10]])  # old x ill
    return Table(domain=codec.domain, joint=pairs[:, :, None] * np.full(4, 0.25))
