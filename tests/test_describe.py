"""What commands say when they are done."""

import pytest

from medsynth.describe_plan import _cost, planned
from medsynth.fitting import FitRequest
from medsynth.planning import Forecast, make_plan
from medsynth.schema import parse_schema


def test_a_plan_of_private_columns_counts_in_the_tables_word_for_persons() -> None:
    text = (
        "{medsynth: 1, dataset: {name: t}, privacy: {rows_are_persons: true, persons: 900, noun: patient}, "
        "columns: {job: {kind: category, source: private}, age: {kind: integer, source: private}}}"
    )
    plan = make_plan(FitRequest(schema=parse_schema(text)))
    said = "\n".join(planned(plan).lines)
    assert f"held by fewer than about {plan.smallest_category} patients is not found" in said
    assert "persons" not in said.replace("if persons have few rows", "")


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
