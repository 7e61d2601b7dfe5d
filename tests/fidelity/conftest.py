"""The simulated world at the size that this package's tests were made for."""

import numpy as np
import pandas as pd
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.schema import build_schema


@pytest.fixture(scope="session")
def world(simulated_world):
    return simulated_world(1500)


@pytest.fixture(scope="session")
def compare(comparing, world):
    return comparing(world)


def _with_gaps(holdout, synthetic, *, missing=True):
    """Comparisons of a number that may be blank and a category with a missing code; train is the holdout again."""
    columns = {
        "x": {"kind": "integer", "min": 0, "max": 9, "missing": missing},
        "y": {"kind": "category", "values": ["a", "b"], **({"missing_codes": ["?"]} if missing else {})},
    }
    privacy = {"persons": 100, "rows_are_persons": True}
    codec = Codec(
        schema=build_schema({"medsynth": 1, "dataset": {"name": "two"}, "privacy": privacy, "columns": columns})
    )
    frames = {"train": holdout, "holdout": holdout, "synthetic": synthetic}
    parts = {name: pd.DataFrame(rows, columns=["x", "y"]) for name, rows in frames.items()}
    return Comparison(**parts, **{f"{name}_weights": np.ones(len(part)) for name, part in parts.items()}, codec=codec)


@pytest.fixture
def gaps():
    """Makes comparisons of a number that may be blank and a category with a missing code, from rows (x, y)."""
    return _with_gaps
