"""The baseline that knows every column and no relation: denoised one-way tables, whole budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medsynth.encoding.domain import Domain, Level
from medsynth.encoding.records import Records
from medsynth.models.base import FloatArray, RareTarget, Spending
from medsynth.models.calibration import calibrate
from medsynth.models.graphical import GraphicalModel
from medsynth.models.junction_tree import JunctionTree
from medsynth.models.levels import Chain
from medsynth.models.one_ways import measure_one_ways, one_way_spending
from medsynth.progress import Progress, Silent

if TYPE_CHECKING:
    from medsynth.encoding.condition import Condition
    from medsynth.privacy import Ledger


@dataclass(frozen=True, kw_only=True)
class Independent:
    """Columns drawn independently of each other; the floor that every other model must beat."""

    def fit(
        self,
        records: Records,
        ledger: "Ledger",
        *,
        persons: int,  # noqa: ARG002 - the seam of all models
        mu: float,
        progress: Progress | None = None,
        impossible: "Sequence[Condition]" = (),  # noqa: ARG002 - left to the repair of drawn rows
        weights: FloatArray | None = None,  # noqa: ARG002 - measures no pairs
        rare: Sequence[RareTarget] = (),  # noqa: ARG002 - what it says of them is what its tree says
    ) -> GraphicalModel:
        """Fits the model; see `Model`. Knows no rules: `impossible` is ignored."""
        progress = progress or Silent()
        progress.start("One-way tables")
        one_ways = measure_one_ways(records, ledger, mu2=mu**2)
        chains = tuple(
            Chain(attribute=attribute.name, levels=(Level.finest(attribute),))
            for attribute in records.domain.attributes
        )
        tree = JunctionTree.build(chains, [])
        with np.errstate(divide="ignore"):
            potentials = [np.log(one_ways.shares[clique[0][0]]) for clique in tree.cliques]
        progress.finish()
        return GraphicalModel(
            domain=records.domain,
            chains=chains,
            one_ways=one_ways.shares,
            calibrated=calibrate(tree, potentials),
            total=one_ways.total,
            measurements=one_ways.published,
            model="independent",
        )

    def spending(
        self,
        domain: Domain,
        *,
        persons: int,  # noqa: ARG002 - the seam of all models
        mu: float,
        rare: Sequence[RareTarget] = (),  # noqa: ARG002 - not measured
    ) -> tuple[Spending, ...]:
        """Forecasts the budget; see `Model`."""
        return (one_way_spending(domain, share=1.0, mu=mu),)
