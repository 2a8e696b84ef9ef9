"""Fragments of a vehicle's track joined across an occlusion, by motion alone."""

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

FIT_SECONDS = 0.8
"""Seconds at the end of a track to which its motion is fitted. Raising it smooths more, and mixes in older motion."""
SPEED_PRIOR = (0.05 / 1.5) ** 2
"""Ridge of that fit in seconds squared per box: (jitter of a box / usual speed)², in box sizes and seconds. Raising it
draws speeds towards 0 where few boxes tell."""
STANDING_SPEED = 0.15
"""Box sizes per second below which a vehicle stands. Raising it treats slow vehicles as standing."""
STANDING_BOXES = 4
"""Boxes within `FIT_SECONDS` that a standing vehicle needs. Raising it needs more evidence that a vehicle stands."""
MAX_TAKEOVER = 2.0
"""Box sizes between the end of a track and the start of one that takes it over. Raising it considers more pairs."""


@dataclass(frozen=True, slots=True)
class Tips:
    """One end of each track, either its start or its end; k tracks.

    Attributes:
        time: (k,) seconds.
        box: (k, 4) left, top, width, height.
        place: (k, 2) fitted centre in pixels.
        speed: (k, 2) pixels per second, drawn towards 0 where there are few boxes.
        size: (k,) mean box size in pixels.
        standing: (k,) whether the vehicle stands, with `STANDING_BOXES` boxes to prove it.
    """

    time: FloatArray
    box: FloatArray
    place: FloatArray
    speed: FloatArray
    size: FloatArray
    standing: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, tracks: Tracks, seconds: FloatArray, at_end: bool) -> Tips:
        """The ends (or starts) of tracks sorted by (track, frame), with the time in seconds of each row."""
        segments = Segments.of(tracks)
        tip = segments.last if at_end else segments.first
        near = np.abs(seconds - seconds[tip][segments.owner]) <= FIT_SECONDS
        sizes = size(tracks.box)
        n = segments.total(near)
        t = np.where(near, seconds - seconds[tip][segments.owner], 0)
        mean_t = segments.total(t) / n
        spread = segments.total(near * (t - mean_t[segments.owner]) ** 2) + n * SPEED_PRIOR
        where = centre(tracks.box)
        mean, slope = np.empty((len(segments), 2)), np.empty((len(segments), 2))
        for axis in (0, 1):
            x = where[:, axis]
            mean[:, axis] = segments.total(near * x) / n
            offset = near * (t - mean_t[segments.owner]) * (x - mean[segments.owner, axis])
            slope[:, axis] = segments.total(offset) / spread
        mean_size = segments.total(near * sizes) / n
        slow = np.hypot(slope[:, 0], slope[:, 1]) < STANDING_SPEED * mean_size
        standing = slow & (n >= STANDING_BOXES)
        place = mean - slope * mean_t[:, None]
        return cls(seconds[tip], tracks.box[tip].astype(np.float64), place, slope, mean_size, standing)


def relink(tracks: Tracks, clock: Clock, settings: RepairSettings) -> npt.NDArray[np.int32]:
    """Find tracks that continue where others ended.

    Fragments of a moving vehicle fit if the speed implied by the gap lies between the speeds before and after it, which
    allows for braking and accelerating while occluded, and the sizes agree. Fragments of a standing vehicle fit if
    their boxes overlap, across much longer gaps. A track that starts on a vehicle shortly before its old track ends
    fits if the boxes overlap throughout, or if the motion continues once the part in common is left out.
    Each end is joined to at most one start, by the assignment with the largest sum of weights.

    Args:
        tracks: sorted by (track, frame).
        clock: the frames' times.
        settings: gaps and tolerances.

    Returns:
        (n,) int32, for each row the number of the first track of its chain; usually its own.
    """
    segments = Segments.of(tracks)
    seconds = clock.at(tracks.frame)
    ends, starts = Tips.of(tracks, seconds, True), Tips.of(tracks, seconds, False)
    moving = _moving_pairs(ends, starts, settings)
    standing = _standing_pairs(ends, starts, settings)
    handed_over = _handed_over(tracks, ends, starts, settings)
    taken_over = _taken_over(tracks, seconds, ends, starts, settings)
    kinds = zip(moving, standing, handed_over, taken_over, strict=True)
    end, start, weight = (np.concatenate(parts) for parts in kinds)
    # A pair may fit in several ways; the best one counts.
    order = np.lexsort((-weight, start, end))
    end, start, weight = end[order], start[order], weight[order]
    first = np.ones(len(end), np.bool_)
    first[1:] = (np.diff(end) != 0) | (np.diff(start) != 0)
    end, start, weight = end[first], start[first], weight[first]
    chosen = heaviest_assignment(end, start, weight)
    shape = (len(segments), len(segments))
    graph = coo_array((np.ones(len(chosen), np.bool_), (end[chosen], start[chosen])), shape=shape)
    _, chain = connected_components(graph, directed=False)
    by_time = np.lexsort((segments.number, starts.time, chain))
    _, lead = np.unique(chain[by_time], return_index=True)
    result: npt.NDArray[np.int32] = segments.number[by_time[lead]][chain][segments.owner]
    return result


def _moving_pairs(ends: Tips, starts: Tips, settings: RepairSettings) -> tuple[IntArray, IntArray, FloatArray]:
    """Ends, starts and the weight in (0, 1] of joining them, for moving vehicles."""
    end, start = _in_time(ends.time, starts.time, settings.max_gap)
    fits, weight = _goes_on(ends, starts, end, start, settings)
    return end[fits], start[fits], weight[fits]


def _goes_on(
    ends: Tips, starts: Tips, end: IntArray, start: IntArray, settings: RepairSettings
) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    """Whether the motion continues from each end to a later start, and the weight in (0, 1] of joining them."""
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
    weight = np.exp(-0.5 * (4 * off**2 + ratio**2) - gap / max(settings.max_gap, 1e-9))
    return fits, weight


def _standing_pairs(ends: Tips, starts: Tips, settings: RepairSettings) -> tuple[IntArray, IntArray, FloatArray]:
    """The same for vehicles that stand before and after the gap."""
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
    """The same for tracks that start before the previous one ends, with boxes that overlap throughout."""
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
    # Frames with a box of only one of them, or with boxes apart, count as overlap 0.
    first, last = tracks.frame[segments.first[start]], tracks.frame[segments.last[end]]
    common = np.maximum(last.astype(np.int64) - first + 1, 1)
    mean = total / common
    fits = mean >= settings.handover_iou
    return end[fits], start[fits], mean[fits]


def _taken_over(
    tracks: Tracks, seconds: FloatArray, ends: Tips, starts: Tips, settings: RepairSettings
) -> tuple[IntArray, IntArray, FloatArray]:
    """The same for tracks that coexist for a short time on bad boxes: the motion continues if that time is left out."""
    start, end = _in_time(starts.time, ends.time, settings.handover)
    fits = (starts.time[end] < starts.time[start]) & (ends.time[end] < ends.time[start])
    apart = np.linalg.norm(starts.place[start] - ends.place[end], axis=1)
    fits &= apart < MAX_TAKEOVER * np.maximum(starts.size[start], ends.size[end])
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
    fits, weight = _goes_on(tips_before, tips_after, every, every, settings)
    return end[fits], start[fits], weight[fits]


def _rows_of(segments: Segments, which: IntArray) -> tuple[IntArray, IntArray]:
    """Rows of the given tracks, track after track, and the position in `which` of each row's track."""
    length = segments.length[which]
    place = np.repeat(np.arange(len(which)), length)
    within = np.arange(len(place)) - np.repeat(np.cumsum(length) - length, length)
    return place, segments.first[which][place] + within


def _renumbered(tracks: Tracks, rows: IntArray, number: IntArray) -> Tracks:
    part = tracks[rows]
    return Tracks(number.astype(np.int32), part.frame, part.box, part.score, part.label)


def _in_time(end: FloatArray, start: FloatArray, max_gap: float) -> tuple[IntArray, IntArray]:
    """All pairs whose start comes after the end, by at most `max_gap` seconds."""
    order = np.argsort(start, kind="stable")
    low = np.searchsorted(start[order], end, side="right")
    high = np.searchsorted(start[order], end + max_gap, side="right")
    count = np.maximum(high - low, 0)
    a = np.repeat(np.arange(len(end)), count)
    b = order[low[a] + np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)]
    return a, b
