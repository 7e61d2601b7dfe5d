"""What commands say when they are done."""

import pytest

from medsynth.describe import _cost
from medsynth.planning import Forecast


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.02, "The fit takes a few seconds at most on two processors and about 100 MB of memory,"),
        (1.2, "The fit takes a few seconds at most on"),
        (2.0, "The fit takes about 2 s (1 s to 8 s, nine in ten) on"),
        (720.0, "The fit takes about 12 min (3 min to 48 min, nine in ten) on"),
    ],
)
def test_a_forecast_is_a_range_only_where_its_ends_differ(seconds: float, said: str) -> None:
    assert _cost(Forecast(seconds=seconds, bytes=10**8)).startswith(said)
