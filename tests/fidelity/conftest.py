import numpy as np
import pytest

from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.testing import simulated_patients, simulated_schema

PERSONS = 1500


@pytest.fixture(scope="session")
def codec():
    return Codec(schema=simulated_schema())


@pytest.fixture(scope="session")
def world():
    """Train, holdout and a disjoint third sample of the same people."""
    rows = simulated_patients(3 * PERSONS, np.random.default_rng(7))
    return [rows.iloc[part * PERSONS : (part + 1) * PERSONS] for part in range(3)]


@pytest.fixture(scope="session")
def compare(codec, world):
    """Builds a comparison of the simulated world with a synthetic table."""

    def build(synthetic, **changes):
        train, holdout, _ = world
        parts = {"train": train, "holdout": holdout, "synthetic": synthetic} | {
            key: changes.pop(key) for key in ("train", "holdout") if key in changes
        }
        weights = {f"{part}_weights": np.ones(len(frame)) for part, frame in parts.items()}
        return Comparison(codec=changes.pop("codec", codec), **(parts | weights | changes))

    return build


@pytest.fixture
def scores():
    """Scores of an evaluation by name."""
    return lambda evaluation: {score.name: score for score in evaluation.scores}
