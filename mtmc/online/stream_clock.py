"""When a frame of a stream was filmed, in seconds since 1970."""

from __future__ import annotations

MAX_CLOCK_ERROR = 60.0
"""Seconds by which a camera's own clock may differ from this machine's; a clock further off is not set, and the time of
arrival is used. Raising it trusts cameras that are badly set. Buffering delays a stream by a few seconds at most."""
MAX_STEP_BACK = 0.05
"""Seconds by which a time may be before the previous one and still be moved after it. Frames further back are left out:
moved together they would make vehicles fast. Raising it leaves fewer frames out. Half a frame at 10 Hz."""
DRIFT = 2e-4
"""Seconds that two clocks may drift apart in a second. Raising it forgets faster that a frame once came quickly. Quartz
clocks are within 1e-4 of each other."""


class StreamClock:
    """Turns the time stamps of one session into seconds since 1970.

    The camera's own time is used where it sends it (RTCP sender reports). Otherwise the network delay of a frame is its
    arrival minus its time stamp, less the smallest such difference so far: frames come late, never early.

    Examples:
        >>> clock = StreamClock()
        >>> [clock.at(stamp, arrival) for stamp, arrival in ((0.0, 1000.25), (0.5, 1000.5), (1.0, 1001.5))]
        [1000.25, 1000.5, 1001.0001]
    """

    def __init__(self) -> None:
        self._offset: float | None = None
        self._previous: float | None = None
        self._stamp = 0.0
        self.source = "arrival"
        """Where the latest time came from: stream or arrival."""

    def at(self, stamp: float | None, arrival: float, start: float | None = None) -> float | None:
        """The time of a frame, greater than that of the frame before; None for a frame to leave out.

        That is one from before the previous frame, as happens once when better times become known.

        Args:
            stamp: the frame's presentation time in seconds, None where it has none.
            arrival: when it came, in seconds since 1970.
            start: when the camera says that its time stamps were 0, in seconds since 1970; None if it does not say.
        """
        if stamp is not None and start is not None and abs(start + stamp - arrival) <= MAX_CLOCK_ERROR:
            self.source, seconds = "stream", start + stamp
        elif stamp is not None:
            self.source = "arrival"
            offset = arrival - stamp
            if self._offset is not None:
                offset = min(offset, self._offset + DRIFT * max(stamp - self._stamp, 0.0))
            self._offset, self._stamp = offset, stamp
            seconds = stamp + offset
        else:
            self.source, seconds = "arrival", arrival
        if self._previous is not None and seconds <= self._previous:
            if seconds < self._previous - MAX_STEP_BACK:
                return None
            seconds = self._previous + 1e-3
        self._previous = seconds = round(seconds, 6)
        return seconds
