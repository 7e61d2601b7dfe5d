"""dpmm: AIM, MST and PrivBayes on codes, without its binning (the whole budget goes to the mechanism)."""

import numpy as np
import pandas as pd
from contract import Draw, Request, serve
from dpmm.pipelines import PIPELINE_DICT


def fit(request: Request) -> Draw:
    """Fits under (epsilon, delta) with the library's defaults, one process."""
    np.random.seed(request.seed)  # noqa: NPY002 - parts of the library use NumPy's global generator
    pipeline = PIPELINE_DICT[request.mechanism](
        epsilon=request.epsilon, delta=request.delta, disable_processing=True, n_jobs=1, **request.settings
    )
    # Plain names: the library builds frames and groups by them.
    names = [f"c{position}" for position in range(len(request.names))]
    domain = dict(zip(names, request.sizes, strict=True))
    pipeline.fit(pd.DataFrame(request.codes, columns=names), domain, random_state=request.seed)

    def draw(rows: int) -> np.ndarray:
        return pipeline.generate(n_records=rows, random_state=request.seed)[names].to_numpy(dtype=np.int64)

    return draw


if __name__ == "__main__":
    serve(fit, ("dpmm", "opendp", "numpy"))
