"""The thread that reads a camera: connects, hands frames on, and connects again."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass

from mtmc.online.frames import NewestFrame
from mtmc.online.streams import FrameSource, Pauses, StreamError


@dataclass(slots=True)
class ReaderState:
    """What the thread is doing; written by it alone.

    Attributes:
        state: connecting, running, waiting (to connect again) or ended.
        detail: why it waits, without credentials.
        session: number of the latest session, 0 before the first.
        read: frames that came.
        skipped: frames that were left out to keep the wanted frame rate.
        number: the number of the latest frame.
        alive: when it last made progress, by `time.monotonic`. A call that hangs in the decoder does not.
    """

    state: str = "connecting"
    detail: str = ""
    session: int = 0
    read: int = 0
    skipped: int = 0
    number: int = 0
    alive: float = 0.0


class CameraReader(threading.Thread):
    """Reads one camera into a `NewestFrame`, and connects again when it is lost.

    Args:
        source: the camera.
        slot: where frames go.
        frame_rate: frames a second that are handed on; None: all.
        first_number: of the first frame, for a camera that was watched before.
        session: number of the latest session, for a camera that was watched before.
        stop: ends the thread.
    """

    def __init__(
        self,
        source: FrameSource,
        slot: NewestFrame,
        *,
        frame_rate: float | None,
        stop: threading.Event,
        first_number: int = 1,
        session: int = 0,
    ) -> None:
        super().__init__(name="reader", daemon=True)
        self._source, self._slot, self._stop_event = source, slot, stop
        self._interval = 1.0 / frame_rate if frame_rate else 0.0
        self._due = float("-inf")
        self.state = ReaderState(session=session, number=first_number - 1, alive=time.monotonic())

    def run(self) -> None:
        """Read until stopped or until the camera ends for good."""
        state, pauses = self.state, Pauses(random.random)
        while not self._stop_event.is_set():
            state.state, state.alive = "connecting", time.monotonic()
            try:
                self._read(pauses)
                state.state = "ended"
                return
            except StreamError as error:
                state.state, state.detail = "waiting", str(error)
            wait = pauses.next()
            end = time.monotonic() + wait
            while time.monotonic() < end and not self._stop_event.wait(min(0.5, wait)):
                state.alive = time.monotonic()

    def _read(self, pauses: Pauses) -> None:
        state = self.state
        size: tuple[int, int] | None = None
        session = state.session + 1
        for frame in self._source.frames(session, state.number + 1):
            state.alive = time.monotonic()
            if size is None:
                size = (frame.width, frame.height)
                state.state, state.detail, state.session = "running", "", session
                self._due = float("-inf")
                pauses.reset()
            elif (frame.width, frame.height) != size:
                # Boxes of another picture size are those of another view.
                raise StreamError(f"the picture changed to {frame.width} x {frame.height}")
            state.read += 1
            state.number = frame.number
            # A quarter of an interval of tolerance: the times of a stream jitter.
            if self._interval and frame.seconds < self._due - 0.25 * self._interval:
                state.skipped += 1
                continue
            self._due = max(self._due, frame.seconds - 0.75 * self._interval) + self._interval
            if not self._slot.put(frame) or self._stop_event.is_set():
                return
