"""The part of each track that is surely its vehicle: without a doubtful beginning and end.

A tracker takes a vehicle up at a faint box, and lets it go at one. Some of these boxes are no vehicle, or another one,
or lie badly; where and when a vehicle enters and leaves, and what it meets there, is better read off the boxes between.
"""

from __future__ import annotations

import numpy as np

from mtmc.tracking.segments import Segments
from mtmc.tracks import Tracks

SURE_SCORE, USUAL_SHARE = 0.6, 0.8
"""A box is sure from this score up, or from this share of its track's median score, whichever is less: detectors differ
in how sure they are of themselves, and so are they of near and far vehicles."""


def sure_part(tracks: Tracks) -> Tracks:
    """The rows from each track's first sure box to its last; every track keeps some.

    Args:
        tracks: sorted by (track, frame). Where all scores are the same, nothing is cut off.
    """
    if not len(tracks):
        return tracks
    segments = Segments.of(tracks)
    score = tracks.score.astype(np.float64)
    usual = segments.quantile(score, 0.5)[segments.owner]
    row = np.arange(len(tracks))
    sure = score >= np.minimum(SURE_SCORE, USUAL_SHARE * usual)
    first = np.full(len(segments), len(tracks))
    last = np.full(len(segments), -1)
    np.minimum.at(first, segments.owner[sure], row[sure])
    np.maximum.at(last, segments.owner[sure], row[sure])
    return tracks[(row >= first[segments.owner]) & (row <= last[segments.owner])]
