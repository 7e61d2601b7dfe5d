"""The simulated world at the size that this package's tests were made for."""

import pytest


@pytest.fixture(scope="session")
def world(simulated_world):
    return simulated_world(2000)


@pytest.fixture(scope="session")
def compare(comparing, world):
    return comparing(world)
