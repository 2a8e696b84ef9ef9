"""The trackers of the package `trackers` (Roboflow, Apache-2.0) behind our interface; the package is an extra.

They are given the time of each frame, so frame rates that vary are fine. Their own thresholds are tuned for detectors
of people on MOT17; all of their keyword arguments can be given as options.
"""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np

from common.errors import InputError
from detection.detections import Detections
from mtmc.tracking.tracks import Tracks


class PackageTracker:
    """One tracker of the package `trackers`; the subclasses say which.

    Args:
        options: keyword arguments of the package's class, such as `frame_rate` and `lost_track_buffer`.

    Raises:
        InputError: the package is not installed, or the class does not take these options.
    """

    class_name: ClassVar[str]

    def __init__(self, **options: Any) -> None:
        name = type(self).__name__
        try:
            self._package = importlib.import_module("trackers")
            self._supervision = importlib.import_module("supervision")
        except ImportError as error:
            raise InputError(
                f"tracker {name}: needs the package trackers, which cannot be imported ({error}); "
                "pip install 'mtmc[trackers]', or leave --tracker out"
            ) from error
        try:
            self._tracker = getattr(self._package, self.class_name)(**options)
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"tracker {name}: {error}") from error
        self._start: float | None = None
        self._seconds = -np.inf

    def update(self, detections: Detections, seconds: float) -> Tracks:
        """See `mtmc.tracking.interface.CameraTracker`; boxes that are not finite are left out."""
        if not seconds >= self._seconds:
            raise ValueError(f"frames must come in the order of time: {seconds} s after {self._seconds} s")
        self._seconds = seconds
        found = detections[np.flatnonzero(np.isfinite(detections.box).all(axis=1))]
        corners = found.box.copy()
        corners[:, 2:] += corners[:, :2]
        given = self._supervision.Detections(
            xyxy=corners,
            confidence=found.score.copy(),
            class_id=found.label.astype(np.int64),
            data={"row": np.arange(len(found))},  # the package may return the boxes in another order
        )
        if self._start is None:
            self._start = seconds
        # Counted from the first frame: the package takes no negative times.
        result = self._tracker.update(given, timestamp=seconds - self._start)
        number = np.asarray(result.tracker_id, np.int64)
        followed = np.flatnonzero(number >= 0)
        rows = np.asarray(result.data["row"], np.int64)[followed] if len(followed) else followed
        # The package counts from 0, and -1 is a box without a track.
        return Tracks.of(number[followed] + 1, found.frame[rows], found.box[rows], found.score[rows], found.label[rows])


class Sort(PackageTracker):
    """SORT: A. Bewley et al., arXiv 1602.00763."""

    class_name = "SORTTracker"


class ByteTrack(PackageTracker):
    """ByteTrack: Y. Zhang et al., arXiv 2110.06864."""

    class_name = "ByteTrackTracker"


class OcSort(PackageTracker):
    """OC-SORT: J. Cao et al., arXiv 2203.14360."""

    class_name = "OCSORTTracker"


class CBIoU(PackageTracker):
    """C-BIoU: F. Yang et al., arXiv 2211.14317."""

    class_name = "CBIoUTracker"
