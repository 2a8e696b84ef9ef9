"""The built-in tracker of one camera: boxes of each frame in, boxes with track numbers out."""

from __future__ import annotations

import math

import numpy as np

from detection.detections import Detections
from mtmc.scenarios.clock import Clock
from mtmc.tracking.distinct import distinct
from mtmc.tracking.interface import CameraTracker
from mtmc.tracking.matching import Gates, match_frame
from mtmc.tracking.settings import TrackingSettings
from mtmc.tracking.state import HITS, MISSED, Rules, State, advance, predict
from mtmc.tracking.tracks import Tracks


class Tracker:
    """SORT, vectorised over all tracks of a camera, with the ideas of ByteTrack and OC-SORT as switches.

    Use one object per camera, and give it every frame in order, also those without detections.

    Examples:
        >>> tracker = Tracker()
        >>> for frame in range(1, 4):
        ...     rows = tracker.update(Detections.of([frame], [[10 * frame, 50, 80, 60]], [0.9]), frame / 10)
        >>> rows.track.tolist(), rows.frame.tolist()
        ([1, 1, 1], [1, 2, 3])
    """

    def __init__(self, settings: TrackingSettings | None = None) -> None:
        """Start without tracks; `settings` defaults to `TrackingSettings()`."""
        s = settings or TrackingSettings()
        self._gates = Gates(
            high_score=s.high_score,
            low_score=s.low_score,
            min_iou=s.min_iou,
            second_min_iou=s.second_min_iou,
            first_buffer=s.first_buffer,
            lost_track_penalty=s.lost_track_penalty,
            recovery=s.recovery,
            recovery_buffer=s.recovery_buffer,
            direction_weight=s.direction_weight,
        )
        self._rules = Rules(
            start_score=max(s.start_score, s.high_score),
            confirm_hits=s.confirm_hits,
            tentative_misses=s.tentative_misses,
            max_lost=s.max_lost,
            reupdate=s.reupdate,
            backfill=s.backfill,
            position_noise=s.position_noise,
            size_noise=s.size_noise,
            acceleration=s.acceleration,
            size_acceleration=s.size_acceleration,
            initial_speed=s.initial_speed,
        )
        self._max_iou = s.nms_iou
        self._state = State.with_room(64, s.confirm_hits - 1)
        self._living = 0
        self._next_number = 1
        self._seconds = -np.inf

    def update(self, detections: Detections, seconds: float) -> Tracks:
        """Process the next frame.

        Args:
            detections: the boxes of one frame; an empty table if it has none. Boxes that are not finite are ignored.
            seconds: that frame's time, not before the previous one's.

        Returns:
            The rows of confirmed tracks in this frame, by track number. A track that this frame confirms comes with
            its earlier rows, unless `backfill` is off, so that the rows of all calls together are complete tracks.
            Numbers increase with a track's first frame and are never reused; some are skipped.

        Raises:
            ValueError: `seconds` goes back or is not a number.
        """
        if not seconds >= self._seconds or seconds == np.inf:
            raise ValueError(f"frames must come in the order of time: {seconds} s after {self._seconds} s")
        self._seconds = seconds
        if not math.isfinite(detections.box.sum()):
            detections = detections[np.flatnonzero(np.isfinite(detections.box).all(axis=1))]
        if self._max_iou < 1 and len(detections) > 1:
            stays = distinct(detections.box, detections.score, self._max_iou)
            if not stays.all():
                detections = detections[stays]
        n, m = self._living, len(detections)
        if n + m == 0:
            return Tracks.empty()
        if n + m > len(self._state.seen):
            self._state = self._state.enlarged(2 * (n + m))
        # Copies: the compiled functions exist for writable, contiguous arrays only.
        box, score = detections.box.copy("C"), detections.score.copy("C")
        state = self._state
        expected, heading = predict(state, n, seconds)
        track_match, box_match = match_frame(
            expected,
            heading,
            state.observed[:n],
            seconds - state.seen[:n],
            state.counts[:n, HITS],
            state.counts[:n, MISSED],
            box,
            score,
            box[:, 0].argsort(),
            self._gates,
        )
        self._living, self._next_number, number, frame, out_box, out_score, label = advance(
            state,
            n,
            seconds,
            detections.frame.copy("C"),
            box,
            score,
            detections.label.copy("C"),
            track_match,
            box_match,
            self._next_number,
            self._rules,
        )
        return Tracks(number, frame, out_box, out_score, label)


def track(detections: Detections, clock: Clock, tracker: CameraTracker | None = None) -> Tracks:
    """Track all frames of a camera.

    Args:
        detections: the boxes of all its frames, in any order.
        clock: its frames' times.
        tracker: a fresh one; defaults to `Tracker()`.

    Returns:
        The rows of all confirmed tracks, by (track, frame).
    """
    if len(detections) == 0:
        return Tracks.empty()
    tracker = tracker or Tracker()
    ordered = detections[np.argsort(detections.frame, kind="stable")]
    present = np.unique(ordered.frame)
    # Boxes may exist for every k-th frame only; the frames in between must not count as misses.
    stride = int(np.gcd.reduce(np.diff(present))) if len(present) > 1 else 1
    frames = np.arange(present[0], present[-1] + 1, stride)
    bounds = np.searchsorted(ordered.frame, np.append(frames, frames[-1] + 1)).tolist()
    times = clock.at(frames).tolist()
    rows = [
        tracker.update(ordered[start:stop], time)
        for start, stop, time in zip(bounds[:-1], bounds[1:], times, strict=True)
    ]
    return Tracks.concatenate(rows).sorted()


def compile_ahead() -> None:
    """Compile the tracker, or load it compiled, so that processes started afterwards do not each have to.

    Takes seconds the first time and a fraction of a second later: numba keeps the result beside the source, or in the
    user's cache folder.
    """
    tracker = Tracker(TrackingSettings(recovery=True))
    for frame in (1, 2):
        tracker.update(Detections.of([frame], [[0, 0, 10, 10]]), frame)
