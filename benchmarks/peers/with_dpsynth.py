"""google/dpsynth: SWIFT and AIM over all pairs of columns, on codes as they are."""

import functools
import itertools

import dp_accounting
import mbi
import numpy as np
from contract import Draw, Request, serve
from dpsynth.discrete_mechanisms import aim, discrete, mst, swift

# Released versions of the accountant begin their search at a budget of zero, where the library divides by it.
dp_accounting.calibrate_dp_mechanism = functools.partial(
    dp_accounting.calibrate_dp_mechanism, bracket_interval=dp_accounting.ExplicitBracketInterval(1e-8, 100.0)
)
CONFIGURATIONS = {"swift": swift.SWIFTConfig, "aim": aim.AIMConfig, "mst": mst.MSTConfig}


def fit(request: Request) -> Draw:
    """Fits under (epsilon, delta) with the library's own calibration."""
    np.random.seed(request.seed)  # noqa: NPY002 - the library draws rows with NumPy's global generator
    settings = dict(request.settings)
    if request.mechanism != "mst":
        settings["workload"] = list(itertools.combinations(request.names, 2))
    if request.mechanism == "swift":
        _draw_as_many_as(request.rows)
    compressed = settings.pop("compress_columns", False)
    inner = CONFIGURATIONS[request.mechanism](**settings)
    outer = discrete.DiscreteConfig(mechanism=inner, compress_columns=compressed)
    mechanism = outer.calibrate(epsilon=request.epsilon, delta=request.delta)
    domain = mbi.Domain(request.names, request.sizes)
    data = mbi.Dataset(dict(zip(request.names, request.codes.T, strict=True)), domain)
    result = mechanism(np.random.default_rng(request.seed), data)

    def draw(rows: int) -> np.ndarray:
        drawn = result.synthetic_data if request.mechanism == "swift" else result.model.synthetic_data(rows)
        columns = drawn.to_dict()
        return np.column_stack([columns[name] for name in request.names])

    return draw


def _draw_as_many_as(rows: int) -> None:
    """SWIFT draws by itself, as many rows as it estimates; a second draw would compile everything again."""
    draw, prepare = mbi.extensions.synthetic_data, mbi.extensions.precompile
    mbi.extensions.synthetic_data = lambda model, _: draw(model, rows)
    mbi.extensions.precompile = lambda domain, cliques, _: prepare(domain, cliques, rows)


if __name__ == "__main__":
    serve(fit, ("dpsynth", "mbi", "jax"))
