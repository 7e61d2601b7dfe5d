"""SDV's GaussianCopula and CTGAN: no privacy, a yardstick. Ordered columns as numbers, others as categories."""

import logging
import warnings

import numpy as np
import pandas as pd
from contract import Draw, Request, serve
from sdv.metadata import Metadata
from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer

SYNTHESIZERS = {"copula": GaussianCopulaSynthesizer, "ctgan": CTGANSynthesizer}


def fit(request: Request) -> Draw:
    """Fits to the codes themselves."""
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    names = [f"c{position}" for position in range(len(request.names))]
    numeric = [0 < size == ordered for size, ordered in zip(request.sizes, request.ordered, strict=True)]
    columns = {
        name: {"sdtype": "numerical" if number else "categorical"} for name, number in zip(names, numeric, strict=True)
    }
    metadata = Metadata.load_from_dict({"tables": {"table": {"columns": columns}}})
    frame = pd.DataFrame(request.codes, columns=names)
    synthesizer = SYNTHESIZERS[request.mechanism](metadata, **request.settings)
    synthesizer.fit({"table": frame})

    def draw(rows: int) -> np.ndarray:
        drawn = synthesizer.sample(rows)["table"][names].to_numpy(dtype=np.float64)
        return np.clip(np.rint(drawn), 0, np.array(request.sizes) - 1).astype(np.int64)

    return draw


if __name__ == "__main__":
    serve(fit, ("sdv", "copulas", "ctgan"))
