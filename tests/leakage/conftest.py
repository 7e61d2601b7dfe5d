"""The simulated world at the size that this package's tests were made for."""

import pytest

from medsynth.encoding.codec import Codec
from medsynth.testing import simulated_schema


@pytest.fixture(scope="session")
def world(simulated_world):
    return simulated_world(2000)


@pytest.fixture(scope="session")
def compare(comparing, world):
    return comparing(world)


@pytest.fixture(scope="session")
def simulated_codec_with_groups():
    groups = [{"name": "women", "where": "sex == 'F'"}, {"name": "men", "where": "sex == 'M'"}]
    return Codec(schema=simulated_schema(subgroups=groups))
