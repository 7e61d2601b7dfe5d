"""Pair targets: the share of a residual that is signal, worked by hand."""

import numpy as np

from medsynth.encoding.domain import Attribute, Level
from medsynth.models.impossible import ImpossiblePair
from medsynth.models.levels import Chain
from medsynth.models.pair_tables import PairTable
from medsynth.models.targets import pair_targets, raked_targets, refine, shrunk_ratio, signal_ratio


def chain(name: str, coarse: list[int]) -> Chain:
    """Two groups over the cells, then the cells."""
    level = Level(attribute=name, groups=np.array(coarse, dtype=np.int32), size=2)
    finest = Level.finest(Attribute(name=name, size=len(coarse)))
    return Chain(attribute=name, levels=(level, finest))


def test_signal_ratio_is_what_noise_does_not_explain() -> None:
    # Residuals 6, -6, 0, 0: squares sum to 72, of which 4 * 2^2 is noise; 56 over a mass of 40.
    expected, noisy = np.full((2, 2), 10.0), np.array([[16.0, 4.0], [10.0, 10.0]])
    assert np.isclose(signal_ratio(expected, noisy, 2.0), 56 / 40)


def test_residual_is_kept_as_far_as_it_is_signal() -> None:
    # c m = 14 against a noise variance of 4: 14 / 18 of the residual stays.
    expected, noisy = np.full((2, 2), 10.0), np.array([[16.0, 4.0], [10.0, 10.0]])
    kept = 14 / 18
    wanted = [[1 + 0.6 * kept, 1 - 0.6 * kept], [1.0, 1.0]]
    assert np.allclose(shrunk_ratio(expected, noisy, 2.0), wanted)


def test_residual_within_the_noise_is_dropped() -> None:
    expected, noisy = np.full((2, 2), 10.0), np.array([[11.0, 9.0], [10.0, 10.0]])
    assert (shrunk_ratio(expected, noisy, 5.0) == 1.0).all()


def test_empty_cells_and_negative_counts_stay_nonnegative() -> None:
    ratio = shrunk_ratio(np.array([0.0, 5.0]), np.array([40.0, -90.0]), 1.0)
    assert ratio.tolist() == [1.0, 0.0]


def test_a_table_left_without_mass_stays_so_whatever_is_measured() -> None:
    # Measured twice: the first time all that was expected goes, as another cell cannot take it.
    chains = [chain("a", [0, 1]), chain("b", [0, 1])]
    expected = {(0, 1): np.array([[5.0, 0.0], [0.0, 5.0]])}
    noisy = np.array([[-40.0, 50.0], [50.0, -40.0]])
    measured = [PairTable(choice=(0, 1, 1, 1), noisy=noisy, sigma=1e-3)] * 2
    (target,) = pair_targets(chains, expected, measured)
    assert (target.table == 0.0).all()
    (raked,) = raked_targets([target], [np.array([5.0, 5.0])] * 2)
    assert (raked.table == 0.0).all()


def test_coarse_measurement_moves_fine_cells_in_proportion() -> None:
    chains = [chain("a", [0, 0, 1]), chain("b", [0, 1])]
    expected = {(0, 1): np.array([[4.0, 4.0], [6.0, 6.0], [10.0, 10.0]])}
    noisy = np.array([[1000.0, 0.0], [0.0, 1000.0]])
    measured = PairTable(choice=(0, 1, 0, 1), noisy=noisy, sigma=1e-6)
    (target,) = pair_targets(chains, expected, [measured])
    assert np.allclose(target.table, [[400.0, 0.0], [600.0, 0.0], [0.0, 1000.0]])
    assert target.level_i.size == 3


def test_refinement_shares_a_group_by_one_way_mass() -> None:
    groups, share = refine(np.array([1.0, 3.0, 5.0]), chain("a", [0, 0, 1]), 0)
    assert groups.tolist() == [0, 0, 1]
    assert share.tolist() == [0.25, 0.75, 1.0]


def test_refinement_of_an_empty_group_is_even() -> None:
    _, share = refine(np.array([0.0, 0.0, 5.0]), chain("a", [0, 0, 1]), 0)
    assert share.tolist() == [0.5, 0.5, 1.0]


def test_targets_meet_the_one_ways() -> None:
    chains = [chain("a", [0, 0, 1]), chain("b", [0, 1])]
    expected = {(0, 1): np.array([[4.0, 1.0], [6.0, 6.0], [1.0, 2.0]])}
    masses = [np.array([10.0, 5.0, 5.0]), np.array([12.0, 8.0])]
    (target,) = raked_targets(pair_targets(chains, expected, []), masses)
    assert np.allclose(target.table.sum(axis=1), masses[0], rtol=1e-3)
    assert np.allclose(target.table.sum(axis=0), masses[1])


def test_impossible_cells_have_no_target_mass() -> None:
    chains = [chain("a", [0, 0, 1]), chain("b", [0, 1])]
    expected = {(0, 1): np.ones((3, 2))}
    rule = ImpossiblePair(
        pair=(0, 1),
        classes=(np.array([0, 1, 1], dtype=np.int32), np.array([0, 1], dtype=np.int32)),
        allowed=np.array([[True, False], [True, True]]),
    )
    (target,) = pair_targets(chains, expected, [], impossible=[rule])
    assert target.table.tolist() == [[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    assert target.allowed is not None
    assert target.allowed.tolist() == [[True, False], [True, True], [True, True]]
    (raked,) = raked_targets([target], [np.ones(3), np.array([2.0, 1.0])])
    assert raked.table[0, 1] == 0.0
    assert raked.allowed is target.allowed
