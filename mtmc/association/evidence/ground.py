"""How far apart two tracks are on the ground at the same time."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from mtmc.association.track_summaries import TrackSummaries

MAX_OFFSET = 25.0
"""Metres: simultaneous tracks that are farther apart on average are not a candidate pair. Raising it tolerates worse
calibrations and adds false candidates. Theory: well beyond the error of a usable calibration."""
BIAS_STRENGTH = 5.0
"""Number of true pairs of two cameras at which half of the offset between their calibrations is corrected. Raising it
learns more slowly. Development scenarios."""
USUAL_ERROR = 2.0
"""Expected standard deviation of the offset in metres on each axis. Raising it tolerates worse calibrations.
Development scenarios."""
ERROR_STRENGTH = 10.0
"""Strength of the prior `USUAL_ERROR`, in true pairs. Raising it learns more slowly. Development scenarios."""
STRAY_SHARE = 0.05
"""Share of true pairs whose places are worse than usual. Raising it tolerates more of them. Development scenarios."""
STRAY_FACTOR = 3.0
"""Factor by which the standard deviation of strays is larger. Raising it tolerates worse places. Development
scenarios."""
MIN_LOG_RATIO = -12.0
"""Nats below which the evidence of places does not fall. Raising it lets other evidence overrule a distance. Safety
bound against calibrations that are wrong in a part of the picture."""


def ground_offsets(
    summaries: TrackSummaries, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Offset (m, 2) in metres of the target from the source while both are in view, and its spread (m,) in metres.

    Both are medians over time, so a track that follows another vehicle for a while still has the place that it has for
    most of its life. NaN where a camera is not calibrated or the tracks are never in view at once.

    Args:
        summaries: the tracks.
        source, target: (m,) tracks of each pair.
    """
    result: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] = _compiled_offsets(
        summaries.ground_first, summaries.ground_tick, summaries.ground_place, source, target
    )
    return result


def ground_log_ratio(
    offset: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    probability: npt.NDArray[np.float64],
    cameras: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """(m,) log-likelihood ratio in nats that two tracks are in the same place; 0 where not measured.

    One vehicle: the offset is normally distributed around the bias between the two calibrations, with a variance that
    is learned from the run. Two vehicles: the offset is uniform within `MAX_OFFSET`.

    Args:
        offset, spread: (m, 2) and (m,), from `ground_offsets`.
        probability: (m,) probability that each pair is one vehicle.
        cameras: (m,) a number for each ordered pair of cameras, from 0.
    """
    known = np.isfinite(spread)
    result = np.zeros(len(spread))
    if not known.any():
        return result
    where, apart = cameras[known], offset[known]
    weight = probability[known] * (np.linalg.norm(apart, axis=1) < MAX_OFFSET)
    groups = int(where.max()) + 1
    mass = np.bincount(where, weight, groups) + BIAS_STRENGTH
    bias = np.stack([np.bincount(where, weight * axis, groups) / mass for axis in apart.T], 1)
    squared = ((apart - bias[where]) ** 2).sum(1) + spread[known] ** 2
    usual = np.minimum(squared, (STRAY_FACTOR * USUAL_ERROR) ** 2)
    variance = (float(weight @ usual) / 2 + ERROR_STRENGTH * USUAL_ERROR**2) / (float(weight.sum()) + ERROR_STRENGTH)
    likelihood = np.zeros(len(squared))
    for share, scale in ((1 - STRAY_SHARE, 1.0), (STRAY_SHARE, STRAY_FACTOR**2)):
        likelihood += share * np.exp(-0.5 * squared / (scale * variance)) / (2 * np.pi * scale * variance)
    by_chance = 1.0 / (np.pi * MAX_OFFSET**2)
    result[known] = np.maximum(np.log(np.maximum(likelihood / by_chance, 1e-9)), MIN_LOG_RATIO)
    return result


@numba.njit(cache=True)
def _compiled_offsets(first, tick, place, source, target):  # type: ignore[no-untyped-def]  # pragma: no cover
    offset = np.full((len(source), 2), np.nan)
    spread = np.full(len(source), np.nan)
    across, along = np.empty(256), np.empty(256)
    for m in range(len(source)):
        i, j = source[m], target[m]
        count_i, count_j = first[i + 1] - first[i], first[j + 1] - first[j]
        begin = max(tick[i], tick[j])
        stop = min(tick[i] + count_i, tick[j] + count_j)
        if stop <= begin:
            continue
        n = 0
        for t in range(begin, stop):
            dx = place[first[j] + t - tick[j], 0] - place[first[i] + t - tick[i], 0]
            dy = place[first[j] + t - tick[j], 1] - place[first[i] + t - tick[i], 1]
            if np.isfinite(dx + dy):
                if n == len(across):
                    across, along = np.append(across, across), np.append(along, along)
                across[n], along[n] = dx, dy
                n += 1
        if n == 0:
            continue
        offset[m, 0] = np.median(across[:n])
        offset[m, 1] = np.median(along[:n])
        # In a normal distribution on the plane, the root mean square distance is 1.2 times the median.
        spread[m] = 1.2 * np.median(np.hypot(across[:n] - offset[m, 0], along[:n] - offset[m, 1]))
    return offset, spread
