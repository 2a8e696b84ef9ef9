"""When a frame of a stream was filmed, in seconds since 1970."""

from __future__ import annotations

MAX_CLOCK_ERROR = 60.0
"""Seconds by which a camera's own clock may differ from this machine's for the difference to be learned; one that is
further off is not set at all. Raising it learns more differences, which are bridged in any case."""
MAX_DELAY = 5.0
"""Seconds that a frame may take from the camera to here. A camera whose frames all seem to take longer has a clock that
is behind. Raising it trusts cameras that are badly set. Buffering delays a stream by a few seconds at most."""
MAX_LEAD = 0.5
"""Seconds by which a camera's clock may be ahead of this machine's. Raising it trusts cameras that are badly set. Those
that are set over a network are within some hundredths."""
MAX_STEP_BACK = 0.05
"""Seconds by which a time may be before the previous one and still be moved after it. Frames further back are left out:
moved together they would make vehicles fast. Raising it leaves fewer frames out. Half a frame at 10 Hz."""
DRIFT = 2e-4
"""Seconds that two clocks may drift apart in a second. Raising it forgets faster that a frame once came quickly. Quartz
clocks are within 1e-4 of each other."""


class StreamClock:
    """Turns the time stamps of one session into seconds since 1970.

    The camera's own time is used where it sends it (RTCP sender reports) and frames seem to take between `-MAX_LEAD`
    and `MAX_DELAY` seconds by it. Otherwise its clock is off, or it has none: then the network delay of a frame is its
    arrival minus its time stamp, less the smallest such difference so far. Frames come late, never early.

    Args:
        lag: what an earlier session of this camera learned, see the attribute.

    Attributes:
        lag: seconds by which the camera's own time is behind the arrival of its frames, the quickest of them; None
            where it does not tell its time. Those of its network and its buffers, and those by which its clock is off.

    Examples:
        >>> clock = StreamClock()
        >>> [clock.at(stamp, arrival) for stamp, arrival in ((0.0, 1000.25), (0.5, 1000.5), (1.0, 1001.5))]
        [1000.25, 1000.5, 1001.0001]
    """

    def __init__(self, lag: float | None = None) -> None:
        self.lag = lag
        self._told = False
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
        passed = max(stamp - self._stamp, 0.0) if stamp is not None else 0.0
        own = None if stamp is None or start is None else start + stamp
        if own is not None and abs(own - arrival) > MAX_CLOCK_ERROR:
            own = None
        if own is not None:
            self._learn(arrival - own, passed)
        self.source = "arrival"
        if own is not None and self.lag is not None:
            trusted = -MAX_LEAD <= self.lag <= MAX_DELAY
            self.source, seconds = ("stream", own) if trusted else ("arrival", own + self.lag)
        elif stamp is not None:
            self._offset = _smallest(self._offset, arrival - stamp, passed)
            seconds = stamp + self._offset
        else:
            seconds = arrival
        self._stamp = stamp if stamp is not None else self._stamp
        if self._previous is not None and seconds <= self._previous:
            if seconds < self._previous - MAX_STEP_BACK:
                return None
            seconds = self._previous + 1e-3
        self._previous = seconds = round(seconds, 6)
        return seconds

    def _learn(self, lag: float, passed: float) -> None:
        if not self._told and self.lag is not None and lag - self.lag > MAX_DELAY:
            self.lag = None  # the camera's clock was set since it was learned
        self._told = True
        self.lag = _smallest(self.lag, lag, passed)


def _smallest(known: float | None, found: float, passed: float) -> float:
    """The smallest difference of two clocks so far, as far as they have not drifted apart since."""
    return found if known is None else min(found, known + DRIFT * passed)
