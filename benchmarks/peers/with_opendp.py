"""OpenDP's contingency tables: AIM and MST on codes, with all keys public."""

from dataclasses import replace
from typing import Any

import mbi
import numpy as np
import opendp.prelude as dp
import polars as pl
from contract import Draw, Request, serve, zcdp_of
from opendp.mod import OpenDPException

dp.enable_features("contrib")
TRIES = 16
SLIGHTLY_LESS = 1 - 1e-4


def fit(request: Request) -> Draw:
    """Fits under the largest zero-concentrated budget that implies (epsilon, delta); its keys are public."""
    names = [f"c{position}" for position in range(len(request.names))]
    rho = zcdp_of(request.epsilon, request.delta)
    frame = pl.DataFrame(dict(zip(names, request.codes.astype(np.int64).T, strict=True))).lazy()
    algorithm = {"aim": dp.mbi.AIM, "mst": dp.mbi.MST}[request.mechanism](**request.settings)
    # The library adds a cell for values outside the keys: here that is the column's last cell.
    keys = {name: list(range(size - 1)) for name, size in zip(names, request.sizes, strict=True)}
    table = _over_junction_cliques(_released(frame, keys, algorithm, rho))

    def draw(rows: int) -> np.ndarray:
        np.random.seed(request.seed)  # noqa: NPY002 - mbi draws rows with NumPy's global generator
        # Not the default "round": mbi 1.1.0 ties columns that share a parent (mended upstream: ryan112358/mbi, PR 145).
        drawn = table.synthesize(rows=rows, method="sample")
        return np.column_stack(
            [drawn[name].fill_null(size - 1).to_numpy() for name, size in zip(names, request.sizes, strict=True)]
        )

    return draw


def _released(frame: pl.LazyFrame, keys: dict[str, list[int]], algorithm: Any, rho: float) -> Any:
    """The library refuses some budgets over the last digit of a sum: then it is asked again with slightly less."""
    for left in reversed(range(TRIES)):
        context = dp.Context.compositor(
            data=frame,
            privacy_unit=dp.unit_of(contributions=1),
            privacy_loss=dp.loss_of(rho=rho),
            split_evenly_over=1,
        )
        try:
            return context.query().contingency_table(keys=keys, algorithm=algorithm).release()
        except OpenDPException as refusal:
            if not left or "insufficient budget" not in str(refusal):
                raise
            rho *= SLIGHTLY_LESS
    raise AssertionError


def _over_junction_cliques(table: Any) -> Any:
    """The same distribution, over the cliques to draw by: mbi 1.1.0 conditions a column on measured cliques only."""
    tree, _ = mbi.junction_tree.make_junction_tree(table.model.domain, table.model.cliques)
    potentials = table.model.potentials.expand(list(tree.nodes))
    return replace(table, model=table.model.replace(potentials=potentials))


if __name__ == "__main__":
    serve(fit, ("opendp", "mbi", "jax"))
