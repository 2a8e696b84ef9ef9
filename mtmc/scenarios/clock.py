"""A camera's clock: frame numbers to seconds on the scenario's common time axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Clock:
    """Piecewise-linear map frame -> seconds; beyond its knots it goes on with the slope of the outermost piece.

    CityFlow's clips skip and repeat frames, and S02's clocks drift by up to 190 frames: one offset is not enough.

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

    def at(self, frame: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Seconds of each frame number."""
        return _extrapolating_interp(np.asarray(frame, np.float64), self.frames, self.seconds)

    def frame_at(self, seconds: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The (fractional) frame number shown at each time: the inverse of `at`."""
        return _extrapolating_interp(np.asarray(seconds, np.float64), self.seconds, self.frames)


def _extrapolating_interp(
    x: npt.NDArray[np.float64], xp: npt.NDArray[np.float64], fp: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    piece = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, len(xp) - 2)
    slope = (fp[piece + 1] - fp[piece]) / (xp[piece + 1] - xp[piece])
    result: npt.NDArray[np.float64] = fp[piece] + (x - xp[piece]) * slope
    return result
