"""The tracker of a run by name: ours, those of the package `trackers`, or the user's own class."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common.errors import InputError
from common.plugins import make, source_key
from mtmc.scenarios.clock import Clock
from mtmc.tracking.interface import CameraTracker
from mtmc.tracking.settings import TrackingSettings
from mtmc.tracking.tracks import Tracks

DEFAULT_TRACKER = "arrays"
_PACKAGE = "mtmc.tracking.package_trackers"
TRACKERS = {
    DEFAULT_TRACKER: "mtmc.tracking.tracker:Tracker",
    "sort": f"{_PACKAGE}:Sort",
    "bytetrack": f"{_PACKAGE}:ByteTrack",
    "ocsort": f"{_PACKAGE}:OcSort",
    "cbiou": f"{_PACKAGE}:CBIoU",
}
"""Names of `--tracker`. All but the first come from the package `trackers`, which is an extra."""


def make_tracker(name: str, settings: TrackingSettings, clock: Clock, options: Mapping[str, Any]) -> CameraTracker:
    """A tracker for one camera.

    Args:
        name: a key of `TRACKERS`, or the user's own class (`package.module:Class`).
        settings: of our own tracker; the others have theirs.
        clock: of the camera; the package's trackers are told its frame rate.
        options: keyword arguments for any tracker but ours.

    Raises:
        InputError: no such tracker, or it does not take these options.
    """
    if name == DEFAULT_TRACKER:
        if options:
            raise InputError(f"--tracker {name}: takes no options, its settings are tracking.*; not {dict(options)}")
        from mtmc.tracking.tracker import Tracker  # numba, which a run from the cache does not need

        return Tracker(settings)
    if name in TRACKERS:
        options = {"frame_rate": _frame_rate(clock), **options}
    tracker: CameraTracker = make(name, TRACKERS, "--tracker", options)
    if not callable(getattr(tracker, "update", None)):
        raise InputError(f"--tracker {name}: has no method update(detections, seconds)")
    return tracker


def joined(rows: Sequence[Tracks], name: str) -> Tracks:
    """All that a tracker returned, by (track, frame).

    Raises:
        InputError: it returned a track twice in one frame, or a track number below 1.
    """
    tracks = Tracks.concatenate(rows).sorted()
    twice = (np.diff(tracks.track) == 0) & (np.diff(tracks.frame) == 0)
    if twice.any():
        row = int(np.flatnonzero(twice)[0])
        raise InputError(
            f"--tracker {name}: returned track {tracks.track[row]} twice in frame {tracks.frame[row]}; "
            "each (track, frame) may be returned once"
        )
    if len(tracks) and tracks.track[0] < 1:
        raise InputError(f"--tracker {name}: returned track {tracks.track[0]}; track numbers start at 1")
    return tracks


def tracker_key(name: str) -> str:
    """What decides the tracks beside settings and options, as part of a cache key."""
    key = source_key(name, TRACKERS, "--tracker")
    if name in TRACKERS and name != DEFAULT_TRACKER:
        try:
            return f"{key} trackers {importlib.metadata.version('trackers')}"
        except importlib.metadata.PackageNotFoundError:
            return key
    return key


def _frame_rate(clock: Clock) -> float:
    """Frames per second over the whole of the clock."""
    return float((clock.frames[-1] - clock.frames[0]) / np.ptp(clock.seconds))
