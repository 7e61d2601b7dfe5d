"""The hostile pairs are neighbours, and what they say they are."""

import pandas as pd
import pytest

from medsynth import progress
from medsynth.audit import hostile_pairs, one_marginal, pairs_of
from medsynth.audit.canaries import DOMAIN_SHARE
from medsynth.encoding.codec import Codec
from medsynth.finding import DomainPlan, kept_for_thresholds
from medsynth.fitting import bounding_key, open_ledger
from medsynth.schema import load_schema
from medsynth.schema.private import stand_in
from medsynth.schema.shipped import shipped_schemas
from medsynth.sources.encoded import encode_batches

PAIRS = [*hostile_pairs(), one_marginal()]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_pair_differs_in_one_person_with_all_their_rows(pair: object) -> None:
    assert hasattr(pair, "without")
    assert hasattr(pair, "within")
    without, within = pair.without, pair.within
    pd.testing.assert_frame_equal(within.iloc[: len(without)], without, check_dtype=False)
    joined = set(within["person"].iloc[len(without) :])
    assert len(joined) == 1
    assert not joined & set(without["person"])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_person_moves_the_total_by_all_that_the_bounding_allows(pair: object) -> None:
    assert hasattr(pair, "schema")
    schema = stand_in(pair.schema)  # type: ignore[attr-defined]
    codec, key = Codec(schema=schema), bounding_key(open_ledger(schema))
    without, within = (encode_batches([table], codec, key) for table in (pair.without, pair.within))  # type: ignore[attr-defined]
    moved = within.marginals([()])[0] - without.marginals([()])[0]
    assert within.l2 - len(pair.within) < moved <= within.l2  # type: ignore[attr-defined]


def test_one_more_person_passes_the_threshold_but_for_the_noise() -> None:
    for epsilon in (1.0, 4.0):
        pair = next(pair for pair in hostile_pairs(epsilon) if pair.name == "private_threshold")
        delta = pair.schema.delta_value
        kept = kept_for_thresholds(pair.schema, delta)
        mu = open_ledger(pair.schema).guarantee.mu
        plan = DomainPlan.of(pair.schema, mu2=DOMAIN_SHARE * mu**2, delta=kept)
        assert len(pair.without) == plan.smallest_category - 1  # type: ignore[operator]


def test_claim_is_what_was_asked_for() -> None:
    claims = {(pair.schema.privacy.epsilon, pair.schema.delta_value) for pair in hostile_pairs(2.0, 1e-7)}
    assert claims == {(2.0, 1e-7)}


@pytest.mark.parametrize("name", shipped_schemas())
def test_every_shipped_schema_has_pairs_that_encode(name: str) -> None:
    schema = load_schema(name)
    for pair in pairs_of(schema):
        assert len(Codec(schema=schema).encode(pair.within)) == len(pair.within) >= 1
        assert len(pair.without) == 0


def test_progress_foretells_every_pair() -> None:
    assert list(progress.VERIFY) == [f"Auditing: {pair.name}" for pair in hostile_pairs()]
    of_schema = pairs_of(load_schema("adult"))
    assert list(progress.VERIFY_MODEL) == [f"Auditing: {pair.name}" for pair in of_schema]
