"""Denoised one-way tables: scale by scale for ordered cells, by nonnegative mass elsewhere; all
post-processing.

One-way noise is the largest error left at small epsilon, and every level and expected pair count
rests on it. Ordered cells are seen at every scale at once (a translation-invariant Haar transform);
per scale, a mixture of normals learns how much of the spread is signal and each coefficient becomes
its posterior mean. Nominal cells share a prior over nonnegative masses instead, per block of a
public hierarchy, so that cells nobody falls into fall silent together.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from medsynth.encoding.domain import Attribute, Level
from medsynth.models.levels import public_blocks
from medsynth.models.marginals import project_to_simplex
from medsynth.models.pooling import CellCounts

FloatArray = npt.NDArray[np.float64]

SHORTEST = 8
"""Fewer ordered cells than this are left as measured."""

PRIOR_SPREADS = np.array([0.0, *(2.0**k for k in range(-1, 12))])
"""Standard deviations of the prior's components in units of the noise. Source: recipe, step 1."""

NOMINAL_SHORTEST = 16
"""Fewer nominal cells than this are left as measured: those of a column, and those of all small
columns together.
"""

PRIOR_MASSES = np.concatenate([[0.0], np.geomspace(0.1, 1.0, 6), np.arange(1.25, 14.0, 0.35)])
"""Support of the prior of a nominal cell's mass, in units of the noise."""

CERTAIN = 6.0
"""A nominal cell above this many noise deviations stays as measured: the prior has nothing to
add.
"""

BLOCK_WEIGHT = 20.0
"""How many cells the prior of all cells counts for within a block of the hierarchy."""

BLOCK_STEPS = 30

SEEN = (1.0, 3.0)
"""Steps, in noise deviations, by which the siblings of a column sort its cells: two steps err less
than four or six (one-ways of the three diagnoses of diabetes130 at epsilon 1: 7 % less than none,
at blocks and at codes).
"""

LEAST_SHARE = 1e-6
"""Part of the persons spread evenly: noise never makes a cell impossible, so that a rare group can
always be asked for.
"""

SMALLEST_NOISE = 1e-6
"""Persons: counts known better than this are taken as if they had this noise."""

EM_STEPS = 60
NULL_WEIGHT = 2.0
"""Dirichlet weight on the component without signal. Source: recipe, step 1."""


def denoise_one_ways(
    attributes: Sequence[Attribute], estimates: Sequence[CellCounts], *, total: float
) -> tuple[FloatArray, ...]:
    """Positive cell masses of all attributes.

    Small nominal columns share one prior over their cells, in units of each one's noise: a table of
    many of them has the same few common and many rare values over and over.

    Args:
      attributes: The public attributes.
      estimates: Unbiased counts of each one's cells.
      total: Mass of each result.
    """
    counts = [estimate.counts for estimate in estimates]
    small = [k for k, a in enumerate(attributes) if not a.ordered and 1 < a.size < NOMINAL_SHORTEST]
    if sum(attributes[k].size for k in small) >= NOMINAL_SHORTEST:
        values = np.concatenate([counts[k] for k in small])
        deviations = np.concatenate([estimates[k].deviations for k in small])
        ends = np.cumsum([attributes[k].size for k in small])[:-1]
        shrunk = np.split(_shrunk_in_units(values, deviations), ends)
        for k, each in zip(small, shrunk, strict=True):
            counts[k] = each
    masses = []
    for attribute, values, estimate in zip(attributes, counts, estimates, strict=True):
        blocks = public_blocks(attribute)
        if blocks is None:
            mass = denoise_one_way(values, estimate.deviations, attribute, total=total)
        else:
            siblings = [
                other
                for neighbour, other in zip(attributes, estimates, strict=True)
                if neighbour is not attribute and _same_codes(neighbour, attribute)
            ]
            mass = _denoise_by_blocks(estimate, blocks, siblings, total)
        masses.append((1 - LEAST_SHARE) * mass + LEAST_SHARE * total / attribute.size)
    return tuple(masses)


def _shrunk_in_units(
    counts: FloatArray, deviations: FloatArray, blocks: npt.NDArray[np.int32] | None = None
) -> FloatArray:
    """Posterior means of cells whose noise differs, under a prior in units of that noise."""
    units = np.maximum(deviations, SMALLEST_NOISE)
    return np.asarray(shrink_nominal(counts / units, 1.0, blocks) * units)


def _same_codes(one: Attribute, other: Attribute) -> bool:
    """True for two attributes of one code list: same cells under the same public levels."""
    levels = zip(one.hierarchy, other.hierarchy, strict=False)
    return (
        one.size == other.size
        and len(one.hierarchy) == len(other.hierarchy)
        and all(np.array_equal(first, second) for first, second in levels)
    )


def _denoise_by_blocks(estimate: CellCounts, blocks: Level, siblings: Sequence[CellCounts], total: float) -> FloatArray:
    """Blocks by their own noise, and in each block the cells by theirs.

    What is common in a column of the same code list is likelier to be common here: blocks, and
    cells, share a prior with those that the siblings have seen as often. Without siblings the cells
    of a block share one.
    """
    assert estimate.block_deviations is not None
    sums = _block_sums(estimate, blocks)
    seen_blocks, seen_cells = None, blocks.groups
    if siblings:
        seen_blocks = _seen(
            [_block_sums(each, blocks) for each in siblings],
            [each.block_deviations for each in siblings if each.block_deviations is not None],
        )
        seen_cells = _seen([each.counts for each in siblings], [each.deviations for each in siblings])
    shrunk = _shrunk_in_units(sums, estimate.block_deviations, seen_blocks)
    block_masses = project_to_simplex(shrunk, total)[blocks.groups]
    cells = _shrunk_in_units(estimate.counts, estimate.deviations, seen_cells)
    inside = np.bincount(blocks.groups, cells, blocks.size)[blocks.groups]
    even = 1.0 / np.bincount(blocks.groups)[blocks.groups]
    return np.asarray(block_masses * np.divide(cells, inside, out=even, where=inside > 0))


def _block_sums(estimate: CellCounts, blocks: Level) -> FloatArray:
    return np.bincount(blocks.groups, estimate.counts, blocks.size).astype(np.float64)


def _seen(counts: Sequence[FloatArray], deviations: Sequence[FloatArray]) -> npt.NDArray[np.int32]:
    """How clearly the sums of noisy counts stand out, as the position of the step they reach."""
    noise = np.sqrt(np.sum(np.square(deviations), axis=0))
    steps = np.digitize(np.sum(counts, axis=0) / np.maximum(noise, SMALLEST_NOISE), SEEN)
    return np.asarray(steps, dtype=np.int32)


def denoise_one_way(
    noisy: FloatArray,
    sigma: float | FloatArray,
    attribute: Attribute,
    *,
    total: float | None = None,
) -> FloatArray:
    """Estimates nonnegative cell masses from a noisy one-way table.

    Args:
      noisy: Cell counts plus noise, shape (attribute.size,).
      sigma: Standard deviation of the noise, one number or one per cell.
      attribute: The public attribute; says which cells ascend.
      total: Mass of the result; by default the sum of `noisy`, at least 1.

    Returns:
      Masses, nonnegative, summing to the total.

    Source: recipe, step 1 (ordered cells); nonparametric empirical Bayes, Kiefer and Wolfowitz
      (1956), doi:10.1214/aoms/1177728066 (nominal cells); adaptive shrinkage after Stephens (2017),
      doi:10.1093/biostatistics/kxw041.
    """
    mass = max(float(noisy.sum()), 1.0) if total is None else total
    estimate = np.array(noisy, dtype=np.float64)
    deviations = np.broadcast_to(sigma, estimate.shape)
    if not attribute.ordered and attribute.size >= NOMINAL_SHORTEST:
        blocks = attribute.hierarchy[0] if attribute.hierarchy else None
        estimate = _shrunk_in_units(estimate, deviations, blocks)
    if attribute.ordered >= SHORTEST:
        leading = slice(attribute.ordered)
        spread = float(np.sqrt(np.mean(deviations[leading] ** 2)))
        estimate[leading] = smooth(estimate[leading], max(spread, SMALLEST_NOISE))
    return project_to_simplex(estimate, mass)


def shrink_nominal(noisy: FloatArray, sigma: float, blocks: npt.NDArray[np.int32] | None = None) -> FloatArray:
    """Posterior mean masses of unordered cells under a nonnegative prior learned from the cells
    themselves.

    Args:
      noisy: Counts plus independent noise, shape (n,).
      sigma: Standard deviation of the noise.
      blocks: Public group of each cell; cells of a block share a prior that leans on the prior of
        all.

    Returns:
      Nonnegative masses where the noise is felt, the measured count elsewhere.
    """
    scaled = noisy / sigma
    offsets = np.clip(scaled, -CERTAIN, 2 * CERTAIN)[:, None] - PRIOR_MASSES
    likelihood = np.exp(-0.5 * offsets**2)
    prior = np.full(len(PRIOR_MASSES), 1.0 / len(PRIOR_MASSES))
    null = np.zeros(len(PRIOR_MASSES))
    null[0] = NULL_WEIGHT
    for _ in range(EM_STEPS):
        counts = prior * ((1.0 / (likelihood @ prior)) @ likelihood) + null
        prior = counts / counts.sum()
    priors = prior[None, :] if blocks is None else _block_priors(likelihood, prior, blocks)[blocks]
    posterior = likelihood * priors
    mean = (posterior @ PRIOR_MASSES) / posterior.sum(axis=1)
    return np.asarray(np.where(scaled > CERTAIN, noisy, mean * sigma))


def _block_priors(likelihood: FloatArray, prior: FloatArray, blocks: npt.NDArray[np.int32]) -> FloatArray:
    """Priors per block, EM with the common prior as pseudo-counts; shape (blocks, support)."""
    order = np.argsort(blocks, kind="stable")
    starts = np.flatnonzero(np.diff(blocks[order], prepend=-1))
    labels = blocks[order]
    likelihood = likelihood[order]
    priors = np.repeat(prior[None, :], int(labels[-1]) + 1, axis=0)
    for _ in range(BLOCK_STEPS):
        posterior = likelihood * priors[labels]
        posterior /= posterior.sum(axis=1, keepdims=True)
        counts = np.add.reduceat(posterior, starts, axis=0) + BLOCK_WEIGHT * prior
        priors[labels[starts]] = counts / counts.sum(axis=1, keepdims=True)
    return priors


def smooth(noisy: FloatArray, sigma: float) -> FloatArray:
    """Shrinks the Haar details of an ordered table, averaged over all shifts.

    Args:
      noisy: Counts plus independent noise, shape (n,).
      sigma: Standard deviation of the noise.

    Returns:
      Smoothed counts, shape (n,); some may be negative.
    """
    scales = max(1, int(np.ceil(np.log2(len(noisy)))))
    # Padded with zeros: most ordered columns fade out at their ends (centring errs 2 % more at
    # epsilon 0.1 on adult_discrete). What leaks into the padding returns with the projection.
    values = np.zeros(2**scales)
    values[: len(noisy)] = noisy
    present = np.zeros(2**scales)
    present[: len(noisy)] = 1.0
    details, spreads = _details(values, present, scales)
    sums = np.full(2**scales, values.sum())
    for scale, detail in reversed(list(enumerate(_shrunk(details, spreads * sigma)))):
        # Half a window sums to (whole + detail) / 2 as its left, (whole - detail) / 2 as its right.
        other = np.roll(sums - detail, 2**scale)
        sums = (sums + detail + other) / 4
    return np.asarray(sums[: len(noisy)])


def _details(values: FloatArray, present: FloatArray, scales: int) -> tuple[FloatArray, FloatArray]:
    """Differences of neighbouring sums at every scale and shift, and their noise in units of a
    cell's noise.
    """
    details, variances = [], []
    for scale in range(scales):
        following, present_after = np.roll(values, -(2**scale)), np.roll(present, -(2**scale))
        details.append(values - following)
        values, present = values + following, present + present_after
        variances.append(present)
    return np.array(details), np.sqrt(np.array(variances))


def _shrunk(details: FloatArray, spreads: FloatArray) -> FloatArray:
    """Posterior means of the details under a mixture of zero-mean normals per scale, fitted by EM.

    Args:
      details: Noisy details, shape (scales, shifts).
      spreads: Standard deviations of their noise, same shape; 0 where no cell is covered.
    """
    covered = spreads > 0
    units = np.where(covered, spreads, 1.0)
    scaled = details / units
    variances = 1.0 + PRIOR_SPREADS**2
    logs = -0.5 * (scaled[..., None] ** 2 / variances + np.log(variances))
    likelihood = np.exp(logs - logs.max(axis=-1, keepdims=True)) * covered[..., None]
    weights = np.full((len(details), len(variances)), 1.0 / len(variances))
    prior = np.zeros(len(variances))
    prior[0] = NULL_WEIGHT
    for _ in range(EM_STEPS):
        mixed = np.matmul(likelihood, weights[:, :, None])[..., 0]
        ratio = np.divide(1.0, mixed, out=np.zeros_like(mixed), where=mixed > 0)
        counts = weights * np.matmul(ratio[:, None, :], likelihood)[:, 0, :] + prior
        weights = counts / counts.sum(axis=1, keepdims=True)
    posterior = likelihood * weights[:, None, :]
    posterior /= np.maximum(posterior.sum(axis=-1, keepdims=True), 1e-300)
    return np.asarray(scaled * units * (posterior @ (1 - 1 / variances)))
