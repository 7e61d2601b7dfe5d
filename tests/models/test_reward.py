"""A reward: what pairs cannot say is found, paid for as booked, and used; where there is nothing, next to nothing."""

from dataclasses import replace

import numpy as np
import pytest

from medsynth.encoding.domain import Attribute, Domain
from medsynth.models import MODELS, reward
from medsynth.models.base import Part
from medsynth.models.reward import corrections, rewarded
from medsynth.privacy import UNITS_PER_PERSON, Ledger
from medsynth.privacy.interactions import centred
from medsynth.sampling.select import SelectedRows, Selection
from medsynth.sources.encoded import EncodedRecords

PARITY = (0, 1, 2)


def records_of(codes: np.ndarray, sizes: list[int]) -> EncodedRecords:
    attributes = tuple(Attribute(name=f"c{k}", size=size) for k, size in enumerate(sizes))
    return EncodedRecords(
        domain=Domain(attributes=attributes),
        l2=UNITS_PER_PERSON,
        columns=[column.astype(np.uint8) for column in codes.T],
        weights=np.full(len(codes), UNITS_PER_PERSON, dtype=np.int64),
    )


def people(persons: int, even: float, columns: int = 5) -> EncodedRecords:
    """Coins, of which the first three have an even sum this often: no pair tells."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 2, (persons, columns))
    codes[:, 2] = (codes[:, 0] + codes[:, 1] + (rng.random(persons) >= even)) % 2
    return records_of(codes, [2] * columns)


def fitted(records: EncodedRecords, epsilon: float = 3.0):
    ledger = Ledger(epsilon, 1e-6)
    mu = ledger.guarantee.mu
    model = MODELS["mst"]().fit(records, ledger, persons=len(records.weights), mu=mu * 0.9**0.5)
    return rewarded(model, records, ledger, mu=mu * 0.1**0.5), ledger


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reward, "REFERENCE_ROWS", 8_000)


def even_sum(model, seed: int = 0) -> float:
    selection = Selection(oversample=10)
    asked = {"population": None, "edited": True, "forbidden": (), "rare": {}, "selection": selection}
    (rows,) = SelectedRows(model, [Part()], **asked).draw([2_000], np.random.default_rng(seed))
    return float((rows[:, list(PARITY)].sum(axis=1) % 2 == 0).mean())


def test_what_no_pair_tells_is_found_and_selected() -> None:
    """0.85 of 4,000 persons have an even sum, where pairs know 0.5: 44 deviations of the noise of a cell."""
    model, _ = fitted(people(4_000, even=0.85))
    named = {tuple(level.attribute for level in t.measurement.clique): t for t in model.reward.tables}
    table = named["c0", "c1", "c2"]
    even = np.indices((2, 2, 2)).sum(axis=0) % 2 == 0
    assert (table.log_weights[even] > 0.2).all()
    assert (table.log_weights[~even] < -0.2).all()
    plain = replace(model, reward=None)
    assert even_sum(plain) == pytest.approx(0.5, abs=0.06)
    assert even_sum(model) > 0.62


def test_where_pairs_say_all_nothing_is_earned() -> None:
    """Of 80 cells with next to no signal none is believed to differ by a tenth, up to chance below 1e-6."""
    model, _ = fitted(people(4_000, even=0.5))
    for table in model.reward.tables:
        assert np.abs(table.log_weights).max() < 0.1


def test_a_reward_costs_what_is_booked_and_no_more_than_its_share() -> None:
    _, ledger = fitted(people(1_000, even=0.7, columns=6))
    mine = [entry for entry in ledger.entries if entry.label.startswith("Reward")]
    assert [entry.kind for entry in mine] == ["distances", "interactions"]  # of 20 sets of three, 8 are measured
    assert mine[1].tables == 8
    spent = sum(entry.mu**2 for entry in mine)
    assert spent == pytest.approx(0.1 * ledger.guarantee.mu**2, rel=1e-6)
    assert ledger.spent_mu2 <= ledger.guarantee.mu**2


def test_without_three_columns_that_vary_nothing_is_booked() -> None:
    for sizes in ([2, 3], [2, 1, 3]):
        codes = np.zeros((50, len(sizes)), dtype=int)
        model, ledger = fitted(records_of(codes, sizes))
        assert model.reward is None
        assert not [entry for entry in ledger.entries if entry.label.startswith("Reward")]


@pytest.mark.parametrize("rows", [0, 1, 5_000])
def test_any_rows_can_be_rewarded(rows: int) -> None:
    codes = np.ones((rows, 4), dtype=int)
    model, _ = fitted(records_of(codes, [2, 2, 3, 4]), epsilon=0.05)
    for table in model.reward.tables:
        assert np.isfinite(table.log_weights).all()
        assert table.share.sum() == pytest.approx(1)


def test_corrections_by_hand() -> None:
    """Of 800 persons in 8 cells the noise-free table has 120 and 80: 1.2 and 0.8, if chance is small beside them."""
    even = np.indices((2, 2, 2)).sum(axis=0) % 2 == 0
    persons = np.full((2, 2, 2), 1e6)
    seen = centred(np.where(even, 1.2e6, 0.8e6))
    np.testing.assert_allclose(corrections(persons, seen, 1.0), np.where(even, 1.2, 0.8), rtol=1e-3)
    np.testing.assert_allclose(corrections(persons, centred(persons), 1.0), 1.0)
    assert np.abs(corrections(persons, seen, 1e9) - 1).max() == 0  # noise explains it all
    np.testing.assert_allclose(corrections(persons, 10 * seen, 1.0), np.where(even, 2.0, 0.5))


def test_half_of_the_variance_is_noise_and_half_is_believed() -> None:
    """Residuals of +-20, squared 400, of which noise and chance make 200: half of each is kept."""
    even = np.indices((2, 2, 2)).sum(axis=0) % 2 == 0
    persons = np.full((2, 2, 2), 800.0)
    residual = np.where(even, 20.0, -20.0)
    sigma = np.sqrt(800.0)  # shrinkage^2 of 2 x 2 x 2 is 1/8: 1/8 (800 + 800) = 200
    found = corrections(persons, centred(persons) + residual, float(sigma))
    np.testing.assert_allclose(found, 1 + residual * (1 - 200 / 400) / 800)


def test_the_same_noise_gives_the_same_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medsynth.privacy.mechanisms.gaussian", lambda values, **_: np.asarray(values) / 2**20)
    one, other = (fitted(people(500, even=0.8))[0] for _ in range(2))
    for first, second in zip(one.reward.tables, other.reward.tables, strict=True):
        np.testing.assert_array_equal(first.log_weights, second.log_weights)
