"""Mean sizes beneath noise, where the truth is known."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from medsynth.fidelity.deviation import MEAN_OF_NORMAL, Seen, mean_size

Drawn = Callable[[np.random.Generator], npt.NDArray[np.float64]]
KINDS: dict[str, Drawn] = {
    "none": lambda _: np.zeros(400),
    "even": lambda rng: rng.normal(0, 0.5, 400),
    "few and large": lambda rng: rng.normal(0, 2.0, 400) * (rng.random(400) < 0.1),
    "far above the noise": lambda rng: rng.normal(0, 3.0, 400),
}


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_hold_the_truth_as_often_as_they_say(kind: str) -> None:
    """12 repeats: below 9 hits have a chance under 1 in 4,000 if 95 % of intervals hold it."""
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(12):
        true = KINDS[kind](rng)
        value, low, high = mean_size(true + rng.normal(0, 1.0, 400), 1.0)
        assert low <= value <= high
        hits += low <= np.abs(true).mean() <= high
    assert hits >= 9


def test_without_deviations_the_noise_is_not_taken_for_some() -> None:
    rng = np.random.default_rng(1)
    value, low, high = mean_size(rng.normal(0, 1.0, 2000), 1.0)
    assert low == pytest.approx(0.0, abs=1e-3)
    assert value < 0.15  # the noise itself has mean size 0.8
    assert high < 0.3


def test_far_above_the_noise_the_mean_size_is_what_is_seen() -> None:
    rng = np.random.default_rng(2)
    true = rng.laplace(0, 50.0, 3000)
    value, _, _ = mean_size(true + rng.normal(0, 1.0, 3000), 1.0)
    assert value == pytest.approx(np.abs(true).mean(), rel=0.03)


def test_mixture_by_hand() -> None:
    seen = Seen(sizes=np.array([0.0, 1.0]), counts=np.array([1.0, 1.0]), noise=1.0)
    shares = np.zeros(len(seen.widths))
    shares[0], shares[-1] = 0.25, 0.75
    assert seen.mean_size(shares) == pytest.approx(0.75 * MEAN_OF_NORMAL * 2.0)  # the widest part: twice the largest
    assert seen.fit_of(np.eye(len(seen.widths))[0]) == pytest.approx(-0.5)  # ln exp(0) + ln exp(-1/2)
