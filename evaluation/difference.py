"""How far a difference of two IDF1 may be off by chance: the bootstrap over vehicles."""

from __future__ import annotations

import numpy as np

from evaluation.bootstrap import bootstrap_means, interval
from evaluation.identity import VehicleCounts


def idf1_difference_interval(
    first: VehicleCounts, other: VehicleCounts, *, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of IDF1 of `other` minus that of `first`, if other vehicles had driven by.

    The vehicles of the ground truth are drawn again with replacement, the same for both, and with each vehicle go its
    boxes, the predicted boxes on it and those that carry the right identity. Each run keeps its mapping of identities,
    and its predicted boxes that lie on no vehicle count in proportion to the vehicles drawn. See
    `evaluation.bootstrap` for the source.

    Args:
        first: of one run.
        other: of another on the same ground truth.
        draws: number of resamples; more make the limits steadier.
        seed: seed of the resampling.

    Returns:
        The limits, fractions; both 0 where there is no vehicle.

    Raises:
        ValueError: the two are not of the same vehicles.

    >>> truth, boxes = np.arange(50), np.full(50, 10)
    >>> all_right = VehicleCounts(truth, boxes, boxes, boxes, 0)
    >>> some_wrong = VehicleCounts(truth, np.where(truth < 25, 10, 5), boxes, boxes, 0)
    >>> low, high = idf1_difference_interval(some_wrong, all_right)
    >>> bool(0.15 < low < 0.25 < high < 0.35)
    True
    """
    if not np.array_equal(first.truth, other.truth):
        raise ValueError("the two runs are scored on different vehicles")
    if not len(first.truth):
        return 0.0, 0.0
    samples = [_samples(counts, draws, seed) for counts in (first, other)]
    return interval(samples[1] - samples[0])


def _samples(counts: VehicleCounts, draws: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(draws,) IDF1 of each resample."""
    vehicles = len(counts.truth)
    both = counts.boxes + counts.predicted + counts.elsewhere / vehicles
    means = bootstrap_means(np.column_stack([2 * counts.idtp, both]), np.arange(vehicles), draws=draws, seed=seed)
    ratios: np.ndarray[tuple[int], np.dtype[np.float64]] = means[:, 0] / np.maximum(means[:, 1], 1e-9)
    return ratios
