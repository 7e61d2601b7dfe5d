import numpy as np
import pandas as pd
import pytest

from medsynth import judging, testing
from medsynth.encoding.codec import Codec
from medsynth.encoding.comparison import Comparison
from medsynth.fidelity import FIDELITY
from medsynth.leakage import ATTACKS
from medsynth.progress import Silent
from medsynth.score import Edition

PERSONS = 2000
LEVEL = 0.001


@pytest.fixture(scope="module")
def world():
    rows = testing.simulated_patients(3 * PERSONS, np.random.default_rng(11))
    return [rows.iloc[part * PERSONS : (part + 1) * PERSONS] for part in range(3)]


@pytest.fixture(scope="module")
def attack(world):
    """Scores of every attack on a released table."""

    def scores(synthetic):
        comparison = compared(world, synthetic)
        return {score.name: score for found in judging.attack(comparison, Silent()).values() for score in found.scores}

    return scores


def compared(world, synthetic):
    return Comparison(
        train=world[0],
        holdout=world[1],
        synthetic=synthetic.drop(columns="person"),
        train_weights=np.ones(len(world[0])),
        holdout_weights=np.ones(len(world[1])),
        synthetic_weights=np.ones(len(synthetic)),
        codec=Codec(schema=testing.simulated_schema()),
    )


def test_full_copy_is_caught_by_exact_and_near_copies_and_membership(attack, world):
    found = attack(testing.full_copy(world[0], PERSONS, np.random.default_rng(1)))
    assert found["leak.copies.exact_p"].value < LEVEL
    assert found["leak.copies.near_p"].value < LEVEL
    assert found["leak.membership.closest_record.auc"].low > 0.6


def test_jittered_copy_is_caught_by_near_copies_and_membership(attack, world):
    found = attack(testing.jittered_copy(world[0], PERSONS, np.random.default_rng(2)))
    assert found["leak.copies.near_p"].value < LEVEL
    assert found["leak.membership.closest_record.auc"].low > 0.6


def test_neighbour_memory_is_caught_by_near_copies_linkability_and_membership(attack, world):
    released = testing.neighbour_memory(world[0], PERSONS, np.random.default_rng(7))
    found = attack(released)
    assert found["leak.copies.exact_excess"].value < 0.02
    assert found["leak.copies.near_p"].value < LEVEL
    assert found["leak.linkability.p"].value < LEVEL
    assert found["leak.membership.closest_record.auc"].low > 0.6
    assert found["leak.verdict"].sentence.startswith("LEAK: ")


@pytest.mark.parametrize("share", [0.05, 0.01])
def test_verbatim_copies_are_caught_by_exact_copies(attack, world, share):
    synthetic = testing.partial_copy(world[0], PERSONS, np.random.default_rng(3), share=share, rest=world[2])
    found = attack(synthetic)
    assert found["leak.copies.exact_p"].value < LEVEL
    assert found["leak.copies.exact_excess"].value == pytest.approx(share, abs=0.002)


@pytest.mark.parametrize("kind", ["independent columns", "second sample"])
def test_innocent_tables_pass_every_attack(attack, world, kind):
    # A p-value falls below 0.001 in at most one table of 1,000 and the verdict doubts one in 20; the draw is fixed.
    rng = np.random.default_rng(4)
    released = {
        "independent columns": lambda: testing.independent_columns(world[0], PERSONS, rng),
        "second sample": lambda: testing.second_sample(world[2], PERSONS, rng),
    }[kind]()
    found = attack(released)
    assert found["leak.copies.exact_p"].value > LEVEL
    assert found["leak.copies.near_p"].value > LEVEL
    assert found["leak.verdict"].sentence.startswith("No attack found a leak")
    assert found["leak.membership.strongest.auc"].low < 0.5
    assert found["leak.membership.strongest.tpr_at_1pct_fpr"].low <= 0.01


@pytest.mark.parametrize("registry", [FIDELITY, ATTACKS], ids=["metrics", "attacks"])
def test_shareable_figures_never_depend_on_private_rows(registry, world):
    shareable = []
    few = [part.iloc[:400] for part in world]
    for train, holdout in [(few[0], few[1]), (few[1], few[0].iloc[::-1])]:
        comparison = compared([train, holdout], few[2])
        found = [registry[name]().evaluate(comparison, np.random.default_rng(0)) for name in registry]
        shareable.append(
            [
                entry
                for evaluation in found
                for entry in (*evaluation.scores, *evaluation.charts)
                if entry.edition is Edition.SHAREABLE
            ]
        )
    assert shareable[0] == shareable[1]


@pytest.mark.parametrize("registry", [FIDELITY, ATTACKS], ids=["metrics", "attacks"])
def test_evaluators_leave_the_tables_as_they_were(registry, world):
    comparison = compared([part.iloc[:400] for part in world], world[2].iloc[:400])
    before = [comparison.frame(part).copy() for part in ("train", "holdout", "synthetic")]
    for name in registry:
        registry[name]().evaluate(comparison, np.random.default_rng(0))
    for part, kept in zip(("train", "holdout", "synthetic"), before, strict=True):
        pd.testing.assert_frame_equal(comparison.frame(part), kept)


def test_generators_keep_columns_types_and_size(world):
    rng = np.random.default_rng(5)
    for released in (
        testing.full_copy(world[0], 2500, rng),
        testing.jittered_copy(world[0], 2500, rng),
        testing.neighbour_memory(world[0], 2500, rng),
        testing.partial_copy(world[0], 2500, rng, share=0.5),
        testing.independent_columns(world[0], 2500, rng),
        testing.second_sample(world[0], 2500, rng),
    ):
        assert len(released) == 2500
        assert released.dtypes.to_dict() == world[0].dtypes.to_dict()


def test_partial_copy_refuses_a_share_outside_its_range(world):
    with pytest.raises(ValueError, match="share"):
        testing.partial_copy(world[0], 10, np.random.default_rng(0), share=1.5)


def test_same_seed_gives_the_same_table(world):
    first, second = (testing.jittered_copy(world[0], 50, np.random.default_rng(6)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_independent_columns_keep_shares_and_give_nobodys_number(world):
    rows = world[0].assign(part=pd.array([None, *range(PERSONS - 1)], dtype="Int64"), zeros=0.0)
    drawn = testing.independent_columns(rows, PERSONS, np.random.default_rng(8))
    assert drawn["charge"].isin(rows["charge"]).mean() < 0.1
    assert drawn["charge"].quantile([0.1, 0.5, 0.9]).to_numpy() == pytest.approx(
        rows["charge"].quantile([0.1, 0.5, 0.9]).to_numpy(), rel=0.15
    )
    assert (drawn["zeros"] == 0).all()
    assert drawn["part"].dtype == rows["part"].dtype


def test_simulated_patients_meet_their_schema():
    schema = testing.simulated_schema()
    patients = testing.simulated_patients(500, np.random.default_rng(0))
    codec = Codec(schema=schema)
    codes = codec.encode(patients)
    again = codec.encode(codec.decode(codes, np.random.default_rng(1)))
    assert (codes == again).all()
