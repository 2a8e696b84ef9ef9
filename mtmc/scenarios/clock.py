"""A camera's clock: frame numbers to seconds on the scenario's common time axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Clock:
    """A piecewise linear map from frame number to seconds, extrapolated with the slope of its outermost pieces.

    CityFlow's clips skip and repeat frames, and the clocks of S02 drift by up to 190 frames: one offset is not enough.

    Attributes:
        frames: (k,) float64, k >= 2, strictly increasing frame numbers (counted from 1).
        seconds: (k,) float64, strictly increasing times of those frames.
    """

    frames: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.frames.shape != self.seconds.shape or self.frames.ndim != 1 or len(self.frames) < 2:
            raise ValueError("a clock needs at least two knots, each a frame number and a time in seconds")
        if not (np.diff(self.frames) > 0).all() or not (np.diff(self.seconds) > 0).all():
            raise ValueError("a clock's frames and seconds must both increase strictly")

    @classmethod
    def uniform(cls, fps: float, start: float = 0.0) -> Clock:
        """A clock of constant rate: `start + (frame - 1) / fps`."""
        if not fps > 0:
            raise ValueError(f"frames per second must be above 0, not {fps}")
        return cls(np.array([1.0, 1.0 + fps]), np.array([start, start + 1.0]))

    @classmethod
    def of_knots(cls, frames: npt.ArrayLike, seconds: npt.ArrayLike) -> Clock:
        """A clock through the given frame numbers and their times."""
        return cls(np.asarray(frames, np.float64), np.asarray(seconds, np.float64))

    @classmethod
    def of_times(cls, times: npt.ArrayLike, start: float = 0.0, scale: float = 1.0, tolerance: float = 0.002) -> Clock:
        """A clock through the times of all frames, with a knot only where the rate changes.

        Args:
            times: (n,) seconds of frames 1 to n on the camera's own clock, not decreasing; n >= 2, not all the same.
            start: seconds of frame 1 on the scenario's axis.
            scale: seconds on the camera's own clock in one second of the scenario's.
            tolerance: seconds by which the clock may differ from `times`; containers round to milliseconds.

        >>> Clock.of_times([0, 0.1, 0.2, 0.3, 0.8, 1.3]).frames.tolist()
        [1.0, 4.0, 6.0]
        """
        times = np.round(np.asarray(times, np.float64), 6)
        later = np.concatenate([[True], np.diff(np.maximum.accumulate(times)) > 0])
        frames, seconds = (np.flatnonzero(later) + 1).astype(np.float64), times[later]
        knots = _corners(frames, seconds, tolerance)
        return cls(frames[knots], start + (seconds[knots] - seconds[0]) / scale)

    def at(self, frame: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Seconds of each frame number."""
        return _extrapolating_interp(np.asarray(frame, np.float64), self.frames, self.seconds)

    def frame_at(self, seconds: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The (fractional) frame number at each time: the inverse of `at`."""
        return _extrapolating_interp(np.asarray(seconds, np.float64), self.seconds, self.frames)


def _extrapolating_interp(
    x: npt.NDArray[np.float64], xp: npt.NDArray[np.float64], fp: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    piece = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, len(xp) - 2)
    slope = (fp[piece + 1] - fp[piece]) / (xp[piece + 1] - xp[piece])
    result: npt.NDArray[np.float64] = fp[piece] + (x - xp[piece]) * slope
    return result


def _corners(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], tolerance: float) -> npt.NDArray[np.int64]:
    """Indices of the points that a polyline within `tolerance` of y needs (Ramer 1972, Douglas and Peucker 1973)."""
    kept = {0, len(x) - 1}
    due = [(0, len(x) - 1)]
    while due:
        first, last = due.pop()
        if last - first < 2:
            continue
        slope = (y[last] - y[first]) / (x[last] - x[first])
        away = np.abs(y[first + 1 : last] - y[first] - slope * (x[first + 1 : last] - x[first]))
        worst = int(np.argmax(away))
        if away[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            due += [(first, middle), (middle, last)]
    return np.array(sorted(kept), np.int64)
