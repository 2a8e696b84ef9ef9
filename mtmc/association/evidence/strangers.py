"""Strangers: tracks that one camera has in view at once, in different places, are different vehicles for certain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.association.track_summaries import TrackSummaries, places_at

MIN_SIMULTANEOUS = 1.0
"""Seconds for which two tracks must be in view at once to be compared. Raising it leaves fewer, surer pairs. Theory:
long enough to move by more than the error of a box."""
MIN_DISTANCE = 1.5
"""Box sides by which two tracks of one camera must be apart to be two vehicles for certain. Raising it leaves fewer,
surer pairs. Theory: nearer boxes can lie on one vehicle."""
POINTS = 8
"""Times at which two paths are compared. Raising it costs time. Theory: more than the curvature of a path needs."""


def find_strangers(
    summaries: TrackSummaries, *, steps: int, limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pairs of tracks with features, (m,) each, that are certainly different vehicles.

    Args:
        summaries: the tracks.
        steps: each track is compared with that many that start after it in its camera.
        limit: largest number of pairs of each step.
    """
    known = summaries.weight > 0
    order = np.lexsort((summaries.start, summaries.camera))
    order = order[known[order]]
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for step in range(1, steps + 1):
        a, b = order[:-step], order[step:]
        at_once = (summaries.camera[a] == summaries.camera[b]) & (
            np.minimum(summaries.end[a], summaries.end[b]) - summaries.start[b] > MIN_SIMULTANEOUS
        )
        rows = np.flatnonzero(at_once)[:: max(1, int(at_once.sum()) // limit)]
        a, b = a[rows], b[rows]
        here, there = common_paths(summaries, a, b)
        apart = np.linalg.norm((here - there) * summaries.shape[summaries.camera[a]][:, None], axis=2)
        # Nearer boxes may both lie on one vehicle.
        two = np.median(apart, axis=1) > MIN_DISTANCE * np.minimum(box_side(summaries, a), box_side(summaries, b))
        first.append(a[two])
        second.append(b[two])
    return np.concatenate(first), np.concatenate(second)


def common_paths(
    summaries: TrackSummaries, a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Places (m, POINTS, 2) of both tracks of each pair, at the same times."""
    share = (np.arange(POINTS) + 0.5) / POINTS
    first = np.maximum(summaries.start[a], summaries.start[b])
    last = np.minimum(summaries.end[a], summaries.end[b])
    seconds = first[:, None] + (last - first)[:, None] * share
    return places_at(summaries, a, seconds), places_at(summaries, b, seconds)


def box_side(summaries: TrackSummaries, tracks: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(m,) side in pixels of a square with the area of the track's mean box."""
    area = np.prod(summaries.extent[tracks] * summaries.shape[summaries.camera[tracks]], axis=1)
    return np.asarray(np.sqrt(np.maximum(area, 1.0)), np.float64)
