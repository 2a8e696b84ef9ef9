"""What every tracker of one camera does."""

from __future__ import annotations

from typing import Protocol

from detection.detections import Detections
from mtmc.tracking.tracks import Tracks


class CameraTracker(Protocol):
    """Follows the vehicles of one camera; one object for one camera, made with the options as keyword arguments."""

    def update(self, detections: Detections, seconds: float, /) -> Tracks:
        """Take the next frame in.

        Args:
            detections: the boxes of one frame, whose number is in the column `frame`; a frame without boxes is given
                as well, as an empty table.
            seconds: the frame's time on the scenario's axis; it never goes back, and steps may differ.

        Returns:
            Rows of this frame, or of earlier ones that are only now known to be vehicles: each (track, frame) once
            over all calls. Track numbers start at 1 and are never used again for another vehicle.
        """
