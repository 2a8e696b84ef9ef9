"""Merging of tracks that follow the same vehicle."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from evaluation.overlap import overlaps
from mtmc.tracking.segments import Segments
from mtmc.tracking.tracks import Tracks

MIN_FRAMES = 3
"""Frames in which two tracks must be at the same place. Raising it merges fewer short tracks. Two vehicles that pass
each other overlap in a frame or two."""


def duplicates(tracks: Tracks, min_iou: float, min_share: float) -> npt.NDArray[np.int32]:
    """Find tracks that follow the same vehicle: most of their boxes overlap heavily, frame by frame.

    Args:
        tracks: sorted by (track, frame).
        min_iou: overlap from which two boxes are at the same place.
        min_share: share of the shorter track's boxes that must be at the same place as the other track's.

    Returns:
        (n,) int32, for each row the number of the longest track among the duplicates of its track; usually its own.
    """
    segments = Segments.of(tracks)
    order = np.argsort(tracks.frame, kind="stable")
    frame, box = tracks.frame[order].astype(np.int64), tracks.box[order].astype(np.float64)
    pairs = overlaps(frame, box, frame, box)
    owner = segments.owner[order]
    a, b = owner[pairs.truth], owner[pairs.predicted]
    close = (a < b) & (pairs.iou >= min_iou)
    pair, frames = np.unique(a[close] * len(segments) + b[close], return_counts=True)
    a, b = pair // max(len(segments), 1), pair % max(len(segments), 1)
    same = (frames >= MIN_FRAMES) & (frames >= min_share * np.minimum(segments.length[a], segments.length[b]))
    shape = (len(segments), len(segments))
    graph = coo_array((np.ones(int(same.sum()), np.bool_), (a[same], b[same])), shape=shape)
    _, part = connected_components(graph, directed=False)
    longest_first = np.lexsort((segments.number, -segments.length, part))
    _, lead = np.unique(part[longest_first], return_index=True)
    result: npt.NDArray[np.int32] = segments.number[longest_first[lead]][part][segments.owner]
    return result


def merge(tracks: Tracks, number: npt.NDArray[np.int32]) -> Tracks:
    """Renumber rows; of several rows with the same (track, frame), the one that had that number before is kept.

    Args:
        tracks: n rows, each (track, frame) once.
        number: (n,) the new numbers.

    Returns:
        Rows sorted by (track, frame), each pair once.
    """
    foreign = number != tracks.track
    order = np.lexsort((-tracks.score, foreign, tracks.frame, number))
    new, frame = number[order], tracks.frame[order]
    keep = np.ones(len(order), np.bool_)
    keep[1:] = (np.diff(new) != 0) | (np.diff(frame) != 0)
    kept = order[keep]
    return Tracks(number[kept], tracks.frame[kept], tracks.box[kept], tracks.score[kept], tracks.label[kept])
