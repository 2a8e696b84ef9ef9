"""What every tracker of one camera does."""

from __future__ import annotations

from typing import Protocol

from detection.detections import Detections
from mtmc.tracking.tracks import Tracks


class CameraTracker(Protocol):
    """Follows the vehicles of one camera. Each camera gets an object of its own, made with the options as keywords."""

    def update(self, detections: Detections, seconds: float, /) -> Tracks:
        """Process the next frame.

        Args:
            detections: the boxes of one frame; the column `frame` holds its number. A frame without boxes is an empty
                table.
            seconds: the frame's time on the scenario's axis. It never decreases, and intervals may vary.

        Returns:
            Rows of this frame, or of earlier frames for tracks that are confirmed late; each (track, frame) once over
            all calls. Track numbers start at 1 and are never reused for another vehicle.
        """
