"""What the bench asks of a tool, and the one way every tool answers.

A tool runs in an environment of its own, as `python with_LIBRARY.py TABLE REQUEST OUT`:

    TABLE     npz and json: codes, names, cells per column, which leading cells ascend, public coarser levels
    REQUEST   json: mechanism, settings, epsilon, delta, seed, rows
    OUT       folder that receives synthetic.npy (rows, columns) int32 and run.json: seconds, processor seconds and
              peak memory of fitting and of drawing, and the versions of the libraries named

Only NumPy and the standard library are imported here, because every environment has these.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]
Draw = Callable[[int], Any]
"""Rows wanted to codes (rows, columns), any integer type."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """One table and what to make of it.

    Attributes:
      codes: (n, columns) cells, each column from 0.
      weights: (n,) parts of a person in units of 2^-20, where the table has several rows a person; else None.
      names: Of the columns.
      sizes: Cells per column, used or not.
      ordered: Leading cells that ascend, per column; 0 for a list of values.
      hierarchies: Per column, public coarser partitions (size,), finest first.
      mechanism: Which of the library's.
      settings: Its own settings where not the library's defaults.
      epsilon: Of (epsilon, delta), adding or removing one person; None for a tool without privacy.
      delta: None for a tool without privacy.
      seed: Of everything that takes one.
      rows: Exactly so many are wanted; as public as the stated number of persons.
    """

    codes: Codes
    weights: npt.NDArray[np.int64] | None
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    ordered: tuple[int, ...]
    hierarchies: tuple[tuple[Codes, ...], ...]
    mechanism: str
    settings: Mapping[str, Any]
    epsilon: float | None
    delta: float | None
    seed: int
    rows: int


def write_table(
    path: Path,
    codes: Codes,
    *,
    names: Sequence[str],
    sizes: Sequence[int],
    ordered: Sequence[int],
    hierarchies: Sequence[Sequence[Codes]],
    weights: npt.NDArray[np.int64] | None = None,
) -> None:
    """Writes PATH.npz and PATH.json."""
    arrays = {f"level_{column}_{level}": part for column, h in enumerate(hierarchies) for level, part in enumerate(h)}
    if weights is not None:
        arrays["weights"] = weights
    np.savez_compressed(path.with_suffix(".npz"), codes=codes.astype(np.int32), **arrays)
    described = {
        "names": list(names),
        "sizes": list(map(int, sizes)),
        "ordered": list(map(int, ordered)),
        "levels": [len(h) for h in hierarchies],
    }
    path.with_suffix(".json").write_text(json.dumps(described), encoding="utf-8")


def read_request(table: Path, request: Path) -> Request:
    """The request of one run."""
    described = json.loads(table.with_suffix(".json").read_text(encoding="utf-8"))
    asked = json.loads(request.read_text(encoding="utf-8"))
    with np.load(table.with_suffix(".npz")) as arrays:
        return Request(
            codes=arrays["codes"],
            weights=arrays.get("weights"),
            names=tuple(described["names"]),
            sizes=tuple(described["sizes"]),
            ordered=tuple(described["ordered"]),
            hierarchies=tuple(
                tuple(arrays[f"level_{column}_{level}"] for level in range(levels))
                for column, levels in enumerate(described["levels"])
            ),
            **asked,
        )


def serve(fit: Callable[[Request], Draw], libraries: Sequence[str]) -> None:
    """Answers the request of the command line with the fit of one library."""
    table, asked, out = map(Path, sys.argv[1:4])
    request = read_request(table, asked)
    began = _spent()
    draw = fit(request)
    fitted = _spent()
    drawn = np.asarray(draw(request.rows))
    done = _spent()
    require_answer(drawn, request)
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "synthetic.npy", drawn.astype(np.int32))
    run = {
        "fit_seconds": fitted[0] - began[0],
        "sample_seconds": done[0] - fitted[0],
        "seconds": done[0] - began[0],
        "processor_seconds": done[1] - began[1],
        "fit_peak_bytes": fitted[2],
        "peak_bytes": done[2],
        "versions": {library: _version(library) for library in libraries},
    }
    (out / "run.json").write_text(json.dumps(run), encoding="utf-8")


def require_answer(drawn: npt.NDArray[Any], request: Request) -> None:
    """Refuses an answer that is not exactly the rows asked for, inside the domain.

    Raises:
      ValueError: Saying what was wanted.
    """
    wanted = (request.rows, len(request.names))
    if drawn.shape != wanted:
        raise ValueError(f"Answer: {wanted} codes are wanted, got {drawn.shape}.")
    if (drawn < 0).any() or (drawn >= np.array(request.sizes)).any():
        raise ValueError("Answer: some code lies outside its column's cells.")


def zcdp_of(epsilon: float, delta: float) -> float:
    """Largest rho whose zero-concentrated privacy implies (epsilon, delta), for libraries that ask for rho.

    Source: Canonne, Kamath and Steinke (2020), Proposition 7, minimised over alpha.

    >>> round(zcdp_of(1.0, 1e-9), 5)
    0.01497
    """
    low, high = 0.0, epsilon + 1.0
    for _ in range(60):
        rho = (low + high) / 2
        low, high = (rho, high) if _delta_of(rho, epsilon) <= delta else (low, rho)
    return low


def _delta_of(rho: float, epsilon: float) -> float:
    alpha = 1 + np.geomspace(1e-2, max(1e3, 20 * (epsilon + 1) / rho), 20_000)
    log_delta = (alpha - 1) * (alpha * rho - epsilon) + alpha * np.log1p(-1 / alpha) - np.log(alpha - 1)
    return float(np.exp(log_delta.min()))


def _spent() -> tuple[float, float, int | None]:
    """Wall seconds, processor seconds (own and children's), peak bytes of this process."""
    try:
        import resource
    except ImportError:  # Windows
        return time.perf_counter(), time.process_time(), None
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    peak = max(own.ru_maxrss, children.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
    return time.perf_counter(), processor, peak


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
