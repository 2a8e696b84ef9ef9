"""Two tracks on the ground at the same time: how far apart they are."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from mtmc.association.track_summaries import TrackSummaries

MEETING = 25.0
"""Metres: tracks that are seen at once and farther apart than this on the mean are no pair."""
FEW = 5.0
"""True pairs that two cameras need before their calibrations' offset counts half."""
USUAL_ERROR, ERROR_STRENGTH = 2.0, 10.0
"""Metres (standard deviation on each axis) that two calibrations differ, and how many pairs that is worth."""
STRAY_SHARE, STRAY_FACTOR = 0.05, 3.0
"""Share of true pairs whose places are worse than usual, and by what factor."""
LEAST_LOG_RATIO = -12.0


def ground_offsets(
    summaries: TrackSummaries, source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Offset (m, 2) in metres of the target from the source over the time that both are seen, and its spread (m,).

    Medians over time: a track that went over to another vehicle for a while still is where it mostly was.
    NaN where a camera is not calibrated or the two are never seen at once.
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
    """(m,) log-likelihood ratio that two tracks are on the same spot; 0 where not measured.

    One vehicle: the offset is normal about what the two calibrations differ by, with a spread learned from the run.
    Two vehicles: anywhere within `MEETING`.

    Args:
        offset, spread: of `ground_offsets`.
        probability: (m,) probability that each pair is one vehicle.
        cameras: (m,) one number for each two cameras, from 0.
    """
    known = np.isfinite(spread)
    result = np.zeros(len(spread))
    if not known.any():
        return result
    where, apart = cameras[known], offset[known]
    weight = probability[known] * (np.linalg.norm(apart, axis=1) < MEETING)
    groups = int(where.max()) + 1
    mass = np.bincount(where, weight, groups) + FEW
    bias = np.stack([np.bincount(where, weight * axis, groups) / mass for axis in apart.T], 1)
    squared = ((apart - bias[where]) ** 2).sum(1) + spread[known] ** 2
    usual = np.minimum(squared, (STRAY_FACTOR * USUAL_ERROR) ** 2)
    variance = (float(weight @ usual) / 2 + ERROR_STRENGTH * USUAL_ERROR**2) / (float(weight.sum()) + ERROR_STRENGTH)
    likelihood = np.zeros(len(squared))
    for share, scale in ((1 - STRAY_SHARE, 1.0), (STRAY_SHARE, STRAY_FACTOR**2)):
        likelihood += share * np.exp(-0.5 * squared / (scale * variance)) / (2 * np.pi * scale * variance)
    by_chance = 1.0 / (np.pi * MEETING**2)
    result[known] = np.maximum(np.log(np.maximum(likelihood / by_chance, 1e-9)), LEAST_LOG_RATIO)
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
        # Of a normal spread, the root mean square distance is 1.2 times the median.
        spread[m] = 1.2 * np.median(np.hypot(across[:n] - offset[m, 0], along[:n] - offset[m, 1]))
    return offset, spread
