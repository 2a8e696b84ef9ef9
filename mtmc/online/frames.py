"""Frames of a running camera, and the slot through which they go: the newest one wins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """One frame of a running camera.

    Attributes:
        number: counted from 1 over all frames of the camera, also those that nobody looks at.
        seconds: when it was filmed, on the time axis that all cameras share; increases within a session.
        session: counted from 1; a new one begins whenever the camera is connected again or its picture changes size.
        width, height: pixels.
        to_picture: converts it to (height, width, 3) BGR uint8; only frames that are looked at are converted.
    """

    number: int
    seconds: float
    session: int
    width: int
    height: int
    to_picture: Callable[[], npt.NDArray[np.uint8]]


class NewestFrame:
    """A slot for one frame between the thread that reads a camera and the one that looks at its frames.

    A frame that was not taken before the next one came is dropped and counted, so a slow machine falls behind in
    frames, never in time.

    Args:
        lossless: wait until a frame is taken instead of dropping it. For files that are read as fast as possible.

    >>> slot = NewestFrame()
    >>> for number in (1, 2, 3):
    ...     _ = slot.put(LiveFrame(number, number / 10, 1, 4, 3, lambda: np.zeros((3, 4, 3), np.uint8)))
    >>> slot.take(0).number, slot.dropped
    (3, 2)
    """

    def __init__(self, lossless: bool = False) -> None:
        self._lossless = lossless
        self._frame: LiveFrame | None = None
        self._changed = threading.Condition()
        self._closed = False
        self.dropped = 0
        """Frames that were replaced before they were taken."""

    def put(self, frame: LiveFrame) -> bool:
        """Offer the newest frame; returns False when the slot was closed and nobody will take it."""
        with self._changed:
            if self._lossless:
                self._changed.wait_for(lambda: self._frame is None or self._closed)
            self.dropped += self._frame is not None and not self._closed
            self._frame = frame
            self._changed.notify_all()
            return not self._closed

    def take(self, timeout: float) -> LiveFrame | None:
        """The newest frame, which leaves the slot; None if none came within `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None, timeout)
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return frame

    def close(self) -> None:
        """Release a thread that waits in `put`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
