"""Tracks of parts of vehicles, such as the cab of a truck."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evaluation.overlap import overlaps
from mtmc.tracking.segments import Segments
from mtmc.tracking.tracks import Tracks


def parts(tracks: Tracks, min_inside: float, min_share: float, max_score: float) -> npt.NDArray[np.bool_]:
    """Find tracks of a part of a vehicle that another track follows as a whole.

    Detectors report the cab of a truck as a vehicle of its own, with too little overlap to be suppressed. Such a track
    lies within the boxes of the same larger track most of the time, and has a lower confidence. A vehicle occluded by
    another is inside the other's box for a short time only, and one in front of a truck has a high confidence.

    Args:
        tracks: sorted by (track, frame).
        min_inside: share of a box's area within the other's box that counts as inside.
        min_share: share of a track's boxes that must be inside those of the same other track.
        max_score: maximum mean score of the part, as a share of that of the whole.

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
