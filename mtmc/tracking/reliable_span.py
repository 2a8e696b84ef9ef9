"""The reliable span of each track: the track without a doubtful beginning and end.

A tracker picks a vehicle up with a weak detection and loses it with one. Some of these boxes are false, belong to
another vehicle, or fit badly; where and when a vehicle enters and leaves is better read from the boxes in between. The
same goes for a few isolated boxes long before or after all others: they may be another vehicle at the same place.
"""

from __future__ import annotations

import numpy as np

from mtmc.scenarios.clock import Clock
from mtmc.tracking.segments import Segments
from mtmc.tracking.tracks import Tracks

RELIABLE_SCORE = 0.6
"""Confidence from which a box is reliable in any track. Raising it shortens the spans of tracks with high scores."""
RELIABLE_SHARE = 0.8
"""Share of its track's median confidence from which a box is reliable, where that is less than `RELIABLE_SCORE`:
detectors differ in their level of confidence, and so do near and far vehicles. Raising it shortens the spans of tracks
with low scores."""
MAX_GAP = 2.0
"""Seconds without a box that end a run of boxes. Raising it lets isolated boxes count."""
MIN_RUN = 4
"""Reliable boxes that a run between two such gaps needs for them to count. Raising it drops more isolated boxes."""


def reliable_span(tracks: Tracks, clock: Clock) -> Tracks:
    """The rows from each track's first reliable box to its last; the whole of a track that has none.

    Args:
        tracks: sorted by (track, frame).
        clock: the frames' times.
    """
    if not len(tracks):
        return tracks
    segments = Segments.of(tracks)
    score = tracks.score.astype(np.float64)
    median = segments.quantile(score, 0.5)[segments.owner]
    row = np.arange(len(tracks))
    reliable = score >= np.minimum(RELIABLE_SCORE, RELIABLE_SHARE * median)
    starts_run = (np.diff(segments.owner) != 0) | (np.diff(clock.at(tracks.frame)) > MAX_GAP)
    run = np.concatenate([[0], np.cumsum(starts_run)])
    reliable &= np.bincount(run, reliable)[run] >= MIN_RUN
    first, last = np.full(len(segments), len(tracks)), np.full(len(segments), -1)
    np.minimum.at(first, segments.owner[reliable], row[reliable])
    np.maximum.at(last, segments.owner[reliable], row[reliable])
    none = last < 0
    first[none], last[none] = segments.first[none], segments.last[none]
    return tracks[(row >= first[segments.owner]) & (row <= last[segments.owner])]
