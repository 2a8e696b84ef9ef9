"""Fragments of one vehicle joined over the time in which it was hidden, by motion alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from common.boxes import iou
from evaluation.assignment import heaviest_assignment
from evaluation.overlap import overlaps
from mtmc.scenarios.clock import Clock
from mtmc.tracking.repair_settings import RepairSettings
from mtmc.tracking.segments import FloatArray, IntArray, Segments, centre, size
from mtmc.tracking.tracks import Tracks

# The motion at a track's end is fitted to this many seconds of it.
_FIT_SECONDS = 0.8
# A speed is believed when the way is long against the jitter: box noise over usual speed, squared.
_PRIOR = (0.05 / 1.5) ** 2
# Box sizes per second; what is slower stands. And boxes that it takes to say so.
_STANDING_SPEED = 0.15
_STANDING_BOXES = 4
# Box sizes between a track's end and the beginning that takes it over.
_TAKE_OVER = 2.0


@dataclass(frozen=True, slots=True)
class Tips:
    """One tip of each track, its beginning or its end; k tracks.

    Attributes:
        time: (k,) seconds.
        box: (k, 4) left, top, width, height.
        place: (k, 2) centre by the fit, pixels.
        speed: (k, 2) pixels per second; towards 0 where few boxes tell.
        size: (k,) mean box size, pixels.
        standing: (k,) whether the vehicle surely stands.
    """

    time: FloatArray
    box: FloatArray
    place: FloatArray
    speed: FloatArray
    size: FloatArray
    standing: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, tracks: Tracks, seconds: FloatArray, at_end: bool) -> Tips:
        """The tips of tracks sorted by (track, frame), whose rows were seen at `seconds`."""
        segments = Segments.of(tracks)
        tip = segments.last if at_end else segments.first
        near = np.abs(seconds - seconds[tip][segments.owner]) <= _FIT_SECONDS
        sizes = size(tracks.box)
        n = segments.total(near)
        t = np.where(near, seconds - seconds[tip][segments.owner], 0)
        mean_t = segments.total(t) / n
        spread = segments.total(near * (t - mean_t[segments.owner]) ** 2) + n * _PRIOR
        where = centre(tracks.box)
        mean, slope = np.empty((len(segments), 2)), np.empty((len(segments), 2))
        for axis in (0, 1):
            x = where[:, axis]
            mean[:, axis] = segments.total(near * x) / n
            offset = near * (t - mean_t[segments.owner]) * (x - mean[segments.owner, axis])
            slope[:, axis] = segments.total(offset) / spread
        mean_size = segments.total(near * sizes) / n
        slow = np.hypot(slope[:, 0], slope[:, 1]) < _STANDING_SPEED * mean_size
        standing = slow & (n >= _STANDING_BOXES)
        place = mean - slope * mean_t[:, None]
        return cls(seconds[tip], tracks.box[tip].astype(np.float64), place, slope, mean_size, standing)


def relink(tracks: Tracks, clock: Clock, settings: RepairSettings) -> npt.NDArray[np.int32]:
    """Find the tracks that go on where others ended.

    A moving vehicle's fragments fit when the speed that the gap implies lies between the speeds before and after it
    (which allows for braking and starting while hidden), and sizes agree. Standing ones fit when the boxes overlap,
    over much longer gaps. A track that begins on a vehicle shortly before its old track ends goes on with it too: the
    boxes overlap all the while, or the later part of the one fits the earlier part of the other.
    Every end gets at most one beginning: the choice with the best sum.

    Args:
        tracks: sorted by (track, frame).
        clock: the frames' times.
        settings: gaps and tolerances.

    Returns:
        (n,) int32, for each row the number of the first track of its chain, mostly its own.
    """
    segments = Segments.of(tracks)
    seconds = clock.at(tracks.frame)
    ends, starts = Tips.of(tracks, seconds, True), Tips.of(tracks, seconds, False)
    moving = _moving_pairs(ends, starts, settings)
    standing = _standing_pairs(ends, starts, settings)
    handed_over = _handed_over(tracks, ends, starts, settings)
    taken_over = _taken_over(tracks, seconds, ends, starts, settings)
    kinds = zip(moving, standing, handed_over, taken_over, strict=True)
    end, start, worth = (np.concatenate(parts) for parts in kinds)
    # A pair may fit both ways; the better one counts.
    order = np.lexsort((-worth, start, end))
    end, start, worth = end[order], start[order], worth[order]
    first = np.ones(len(end), np.bool_)
    first[1:] = (np.diff(end) != 0) | (np.diff(start) != 0)
    end, start, worth = end[first], start[first], worth[first]
    chosen = heaviest_assignment(end, start, worth)
    shape = (len(segments), len(segments))
    graph = coo_array((np.ones(len(chosen), np.bool_), (end[chosen], start[chosen])), shape=shape)
    _, chain = connected_components(graph, directed=False)
    by_time = np.lexsort((segments.number, starts.time, chain))
    _, lead = np.unique(chain[by_time], return_index=True)
    result: npt.NDArray[np.int32] = segments.number[by_time[lead]][chain][segments.owner]
    return result


def _moving_pairs(ends: Tips, starts: Tips, settings: RepairSettings) -> tuple[IntArray, IntArray, FloatArray]:
    """Ends, beginnings and the worth in (0, 1] of joining them."""
    end, start = _in_time(ends.time, starts.time, settings.max_gap)
    fits, worth = _goes_on(ends, starts, end, start, settings)
    return end[fits], start[fits], worth[fits]


def _goes_on(
    ends: Tips, starts: Tips, end: IntArray, start: IntArray, settings: RepairSettings
) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    """Of each end and later beginning: whether the motion goes on, and the worth in (0, 1] of joining them."""
    gap = starts.time[start] - ends.time[end]
    before, after = ends.speed[end], starts.speed[start]
    implied = (starts.place[start] - ends.place[end]) / gap[:, None]
    change = after - before
    length = (change**2).sum(axis=1)
    part = np.clip(((implied - before) * change).sum(axis=1) / np.maximum(length, 1e-9), 0, 1)
    miss = np.linalg.norm(implied - before - part[:, None] * change, axis=1) * gap
    scale = np.sqrt(ends.size[end] * starts.size[start])
    off = miss / (scale * (settings.gap_tolerance + settings.gap_drift * gap))
    ratio = np.abs(np.log(starts.size[start] / ends.size[end])) / np.log(settings.max_size_ratio)
    turned = ((before * after).sum(axis=1) < 0) & ~ends.standing[end] & ~starts.standing[start]
    fits = (off <= 1) & (ratio <= 1) & ~turned
    worth = np.exp(-0.5 * (4 * off**2 + ratio**2) - gap / max(settings.max_gap, 1e-9))
    return fits, worth


def _standing_pairs(ends: Tips, starts: Tips, settings: RepairSettings) -> tuple[IntArray, IntArray, FloatArray]:
    """The same for vehicles that stand before and after."""
    still_end, still_start = np.flatnonzero(ends.standing), np.flatnonzero(starts.standing)
    a, b = _in_time(ends.time[still_end], starts.time[still_start], settings.parked_gap)
    end, start = still_end[a], still_start[b]
    overlap = iou(ends.box[end], starts.box[start])
    fits = overlap >= settings.parked_iou
    end, start, overlap = end[fits], start[fits], overlap[fits]
    gap = starts.time[start] - ends.time[end]
    return end, start, overlap * np.exp(-gap / max(settings.parked_gap, 1e-9))


def _handed_over(
    tracks: Tracks, ends: Tips, starts: Tips, settings: RepairSettings
) -> tuple[IntArray, IntArray, FloatArray]:
    """The same for tracks that begin while the one before still lasts, on boxes that overlap all the while."""
    segments = Segments.of(tracks)
    order = np.argsort(tracks.frame, kind="stable")
    frame, box, owner = (
        tracks.frame[order].astype(np.int64),
        tracks.box[order].astype(np.float64),
        segments.owner[order],
    )
    pairs = overlaps(frame, box, frame, box)
    a, b = owner[pairs.truth], owner[pairs.predicted]
    both = ends.time[a] - starts.time[b]
    later = (starts.time[a] < starts.time[b]) & (ends.time[a] < ends.time[b])
    near = later & (both >= 0) & (both <= settings.handover)
    key, which = np.unique(a[near] * max(len(segments), 1) + b[near], return_inverse=True)
    end, start = key // max(len(segments), 1), key % max(len(segments), 1)
    total = np.bincount(which.reshape(-1), pairs.iou[near], len(key))
    # Frames in which only one of them was seen, or in which they lay apart, count as no overlap.
    first, last = tracks.frame[segments.first[start]], tracks.frame[segments.last[end]]
    common = np.maximum(last.astype(np.int64) - first + 1, 1)
    mean = total / common
    fits = mean >= settings.handover_iou
    return end[fits], start[fits], mean[fits]


def _taken_over(
    tracks: Tracks, seconds: FloatArray, ends: Tips, starts: Tips, settings: RepairSettings
) -> tuple[IntArray, IntArray, FloatArray]:
    """The same for tracks of which one begins on a bad box before the other, on other bad boxes, ends: without what
    they have in common, the motion goes on.
    """
    start, end = _in_time(starts.time, ends.time, settings.handover)
    fits = (starts.time[end] < starts.time[start]) & (ends.time[end] < ends.time[start])
    apart = np.linalg.norm(starts.place[start] - ends.place[end], axis=1)
    fits &= apart < _TAKE_OVER * np.maximum(starts.size[start], ends.size[end])
    end, start = end[fits], start[fits]
    if len(end) == 0:
        return end, start, np.zeros(0)
    segments = Segments.of(tracks)
    before, rows_before = _rows_of(segments, end)
    after, rows_after = _rows_of(segments, start)
    kept = seconds[rows_before] < starts.time[start][before]
    before, rows_before = before[kept], rows_before[kept]
    kept = seconds[rows_after] > ends.time[end][after]
    after, rows_after = after[kept], rows_after[kept]
    tips_before = Tips.of(_renumbered(tracks, rows_before, before), seconds[rows_before], True)
    tips_after = Tips.of(_renumbered(tracks, rows_after, after), seconds[rows_after], False)
    every = np.arange(len(end))
    fits, worth = _goes_on(tips_before, tips_after, every, every, settings)
    return end[fits], start[fits], worth[fits]


def _rows_of(segments: Segments, which: IntArray) -> tuple[IntArray, IntArray]:
    """Rows of the given tracks, one after the other, and for each row which of `which` it belongs to."""
    length = segments.length[which]
    place = np.repeat(np.arange(len(which)), length)
    within = np.arange(len(place)) - np.repeat(np.cumsum(length) - length, length)
    return place, segments.first[which][place] + within


def _renumbered(tracks: Tracks, rows: IntArray, number: IntArray) -> Tracks:
    part = tracks[rows]
    return Tracks(number.astype(np.int32), part.frame, part.box, part.score, part.label)


def _in_time(end: FloatArray, start: FloatArray, longest: float) -> tuple[IntArray, IntArray]:
    """All pairs in which the beginning comes after the end, by at most `longest` seconds."""
    order = np.argsort(start, kind="stable")
    low = np.searchsorted(start[order], end, side="right")
    high = np.searchsorted(start[order], end + longest, side="right")
    count = np.maximum(high - low, 0)
    a = np.repeat(np.arange(len(end)), count)
    b = order[low[a] + np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)]
    return a, b
