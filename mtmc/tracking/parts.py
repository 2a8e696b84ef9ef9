"""Tracks of parts of vehicles: a truck's cab, a bus's front, half a car."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.overlap import overlaps
from mtmc.tracking.segments import Segments
from mtmc.tracking.tracks import Tracks


def parts(tracks: Tracks, min_inside: float, min_share: float, max_score: float) -> npt.NDArray[np.bool_]:
    """Which tracks follow a part of a vehicle that another track follows as a whole.

    Detectors take the cab of a truck for a vehicle of its own, below the overlap at which boxes are suppressed. Such a
    track lies within one and the same larger track's boxes for most of its life, and the detector is less sure of it. A
    vehicle that another hides is inside the other's box for a while only, and one in front of a truck is seen well.

    Args:
        tracks: sorted by (track, frame).
        min_inside: share of a box's area within the other's box that counts as inside.
        min_share: share of a track's boxes that must be inside the same other track's.
        max_score: mean score of the part's track, as a share of the other's, at most.

    Returns:
        (n,) bool, rows of such tracks.
    """
    segments = Segments.of(tracks)
    count = max(len(segments), 1)
    order = np.argsort(tracks.frame, kind="stable")
    frame, box = tracks.frame[order].astype(np.int64), tracks.box[order].astype(np.float64)
    owner, area = segments.owner[order], box[:, 2] * box[:, 3]
    pairs = overlaps(frame, box, frame, box)
    small, large, iou = pairs.truth, pairs.predicted, pairs.iou
    common = iou / (1 + iou) * (area[small] + area[large])
    inside = (owner[small] != owner[large]) & (area[small] < area[large]) & (common >= min_inside * area[small])
    pair, frames = np.unique(owner[small[inside]] * count + owner[large[inside]], return_counts=True)
    part, whole = pair // count, pair % count
    score = segments.total(np.maximum(tracks.score, 0)) / np.maximum(segments.total(tracks.score > 0), 1)
    is_part = np.zeros(len(segments), np.bool_)
    is_part[part[(frames >= min_share * segments.length[part]) & (score[part] < max_score * score[whole])]] = True
    result: npt.NDArray[np.bool_] = is_part[segments.owner]
    return result
