"""medsynth's models on codes, with the real ledger and noise; no rules, though the product would use them."""

import numpy as np
from contract import Draw, Request, serve

from medsynth.encoding.domain import Attribute, Domain
from medsynth.models import MODELS
from medsynth.privacy import UNITS_PER_PERSON, Ledger
from medsynth.sources.encoded import EncodedRecords


def fit(request: Request) -> Draw:
    """Fits under (epsilon, delta); with weights, the rows of one person share one person's weight."""
    attributes = tuple(
        Attribute(name=name, size=size, ordered=ordered, hierarchy=hierarchy)
        for name, size, ordered, hierarchy in zip(
            request.names, request.sizes, request.ordered, request.hierarchies, strict=True
        )
    )
    everyone = np.full(len(request.codes), UNITS_PER_PERSON, dtype=np.int64)
    records = EncodedRecords(
        domain=Domain(attributes=attributes),
        l2=UNITS_PER_PERSON,
        columns=[column.astype(np.uint16) for column in request.codes.T],
        weights=everyone if request.weights is None else request.weights,
    )
    ledger = Ledger(request.epsilon, request.delta, population="bench", persons=request.rows)
    model = MODELS[request.mechanism](**request.settings)
    fitted = model.fit(records, ledger, persons=request.rows, mu=ledger.guarantee.mu)
    rng = np.random.default_rng(request.seed)
    return lambda rows: fitted.sample(rows, rng)


if __name__ == "__main__":
    serve(fit, ("medsynth-dp", "numpy", "scipy", "opendp"))
