"""The part of each track that is surely its vehicle: without a doubtful beginning and end.

A tracker takes a vehicle up at a faint box, and lets it go at one. Some of these boxes are no vehicle, or another one,
or lie badly; where and when a vehicle enters and leaves, and what it meets there, is better read off the boxes between.
The same goes for a few boxes long before or after all others, which may be another vehicle that stood in that place.
"""

from __future__ import annotations

import numpy as np

from mtmc.scenarios.clock import Clock
from mtmc.tracking.segments import Segments
from mtmc.tracking.tracks import Tracks

SURE_SCORE, USUAL_SHARE = 0.6, 0.8
"""A box is sure from this score up, or from this share of its track's median score, whichever is less: detectors differ
in how sure they are of themselves, and so are they of near and far vehicles."""
HOLE, LEAST = 2.0, 4
"""Boxes between two holes of more than so many seconds are sure only if at least so many of them are."""


def sure_part(tracks: Tracks, clock: Clock) -> Tracks:
    """The rows from each track's first sure box to its last; all of a track that has none.

    Args:
        tracks: sorted by (track, frame).
        clock: the frames' times.
    """
    if not len(tracks):
        return tracks
    segments = Segments.of(tracks)
    score = tracks.score.astype(np.float64)
    usual = segments.quantile(score, 0.5)[segments.owner]
    row = np.arange(len(tracks))
    sure = score >= np.minimum(SURE_SCORE, USUAL_SHARE * usual)
    apart = (np.diff(segments.owner) != 0) | (np.diff(clock.at(tracks.frame)) > HOLE)
    stretch = np.concatenate([[0], np.cumsum(apart)])
    sure &= np.bincount(stretch, sure)[stretch] >= LEAST
    first, last = np.full(len(segments), len(tracks)), np.full(len(segments), -1)
    np.minimum.at(first, segments.owner[sure], row[sure])
    np.maximum.at(last, segments.owner[sure], row[sure])
    none = last < 0
    first[none], last[none] = segments.first[none], segments.last[none]
    return tracks[(row >= first[segments.owner]) & (row <= last[segments.owner])]
