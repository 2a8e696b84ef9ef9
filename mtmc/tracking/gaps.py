"""Filling gaps, smoothing jitter, and the share of a vehicle that a box at the image border shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mtmc.scenarios.clock import Clock
from mtmc.tracking.segments import Segments
from mtmc.tracking.tracks import Tracks

BORDER = 2.0
"""Pixels from the frame's border within which a box counts as cut off. Raising it takes more boxes for cut off."""


def interpolate(tracks: Tracks, clock: Clock, max_gap: float) -> Tracks:
    """Fill gaps of at most `max_gap` seconds with linearly interpolated boxes, whose score is 0.

    Args:
        tracks: sorted by (track, frame).
        clock: the frames' times.
        max_gap: seconds between the boxes before and after.

    Returns:
        Rows sorted by (track, frame); an interpolated row has the label of the row before it.
    """
    before = np.flatnonzero((np.diff(tracks.track) == 0) & (np.diff(tracks.frame) > 1))
    seconds = clock.at(tracks.frame)
    before = before[seconds[before + 1] - seconds[before] <= max_gap]
    count = tracks.frame[before + 1] - tracks.frame[before] - 1
    row = np.repeat(before, count)
    step = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + 1
    frame = tracks.frame[row] + step
    part = (clock.at(frame) - seconds[row]) / (seconds[row + 1] - seconds[row])
    box = tracks.box[row] + part[:, None] * (tracks.box[row + 1].astype(np.float64) - tracks.box[row])
    filled = Tracks.of(tracks.track[row], frame, box, np.zeros(len(row)), tracks.label[row])
    return Tracks.concatenate([tracks, filled]).sorted()


def smooth(tracks: Tracks, clock: Clock, spread: float) -> Tracks:
    """Average each box with its neighbours in time, weighted by a Gaussian.

    Neighbours are taken in pairs, the k-th before with the k-th after, so that the ends of a track are not pulled
    inwards.

    Args:
        tracks: sorted by (track, frame).
        clock: the frames' times.
        spread: the Gaussian's standard deviation in seconds.

    Returns:
        The same rows with other boxes.
    """
    seconds = clock.at(tracks.frame)
    box = tracks.box.astype(np.float64)
    total, weights = box.copy(), np.ones(len(tracks))
    for k in range(1, len(tracks)):
        middle = np.arange(k, len(tracks) - k)
        same = tracks.track[middle - k] == tracks.track[middle + k]
        middle = middle[same]
        reach = (seconds[middle + k] - seconds[middle - k]) / 2
        middle, reach = middle[reach <= 3 * spread], reach[reach <= 3 * spread]
        if not len(middle):
            break
        weight = np.exp(-0.5 * (reach / spread) ** 2)
        total[middle] += weight[:, None] * (box[middle - k] + box[middle + k])
        weights[middle] += 2 * weight
    return Tracks(tracks.track, tracks.frame, (total / weights[:, None]).astype(np.float32), tracks.score, tracks.label)


def visible_share(tracks: Tracks, picture: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Visible share of the vehicle in each box, estimated from the track's boxes that do not touch the border.

    Args:
        tracks: sorted by (track, frame).
        picture: width and height in pixels.

    Returns:
        (n,) float64 in (0, 1]; 1 away from the border. Each side is compared with the same side of the closest box in
        time that does not touch the border, or with the track's longest if all boxes touch it.
    """
    segments = Segments.of(tracks)
    box = tracks.box.astype(np.float64)
    low, high = box[:, :2], box[:, :2] + box[:, 2:]
    touches = (low <= BORDER) | (high >= np.array(picture) - BORDER)  # (n, 2): along x, along y
    free: npt.NDArray[np.bool_] = np.logical_not(touches[:, 0] | touches[:, 1])
    nearest = _nearest_marked(free, segments)
    longest = np.stack([np.maximum.reduceat(box[:, 2 + a], segments.first) for a in (0, 1)], axis=1)
    whole = np.where((nearest >= 0)[:, None], box[nearest, 2:], longest[segments.owner])
    inside = np.minimum(high, np.array(picture)) - np.maximum(low, 0)
    share = np.where(touches, np.clip(inside / np.maximum(whole, 1e-6), 1e-6, 1), 1.0)
    result: npt.NDArray[np.float64] = share.prod(axis=1)
    return result


def _nearest_marked(marked: npt.NDArray[np.bool_], segments: Segments) -> npt.NDArray[np.int64]:
    """(n,) the marked row of the same track that is nearest to each row, -1 if there is none."""
    n = len(marked)
    row = np.arange(n)
    before = np.maximum.accumulate(np.where(marked, row, -1))
    before = np.where(before >= segments.first[segments.owner], before, -1)
    after = np.minimum.accumulate(np.where(marked, row, n)[::-1])[::-1]
    after = np.where(after <= segments.last[segments.owner], after, -1)
    closer_after = (after >= 0) & ((before < 0) | (after - row < row - before))
    result: npt.NDArray[np.int64] = np.where(closer_after, after, before)
    return result
