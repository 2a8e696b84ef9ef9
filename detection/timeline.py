"""From the time stamps of a container's packets to the times of its frames, in display order."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

REWIND_SECONDS = 0.25
"""Seconds by which decoding times have to fall back for another recording to begin in the same file. Recordings that
were joined without new time stamps fall back by the length of the first one; a muxer's jitter is a frame or two.
Raising it takes short recordings for jitter."""


def starts_recording(previous: float | None, dts: float | None) -> bool:
    """Whether a packet of decoding time `dts` (seconds), after one of `previous`, is the first of another recording."""
    return previous is not None and dts is not None and dts < previous - REWIND_SECONDS


def frame_times(pts: npt.NDArray[np.float64], dts: npt.NDArray[np.float64], fps: float) -> npt.NDArray[np.float64]:
    """Seconds of each frame since the first, in display order.

    Frames are shown in the order of their presentation times. A file of several recordings joined one after the other
    may start its clock anew with each: a recording then begins one frame after the last frame of the one before it.

    Args:
        pts: (n,) presentation times in seconds, in the order of the file; NaN where the container has none.
        dts: (n,) decoding times in seconds; NaN where the container has none.
        fps: frames per second to assume where neither is known.

    Returns:
        (n,) seconds from 0, not decreasing.

    >>> frame_times(np.array([0, 0.3, 0.1]), np.array([0, 0.1, 0.2]), fps=10).tolist()
    [0.0, 0.1, 0.3]
    """
    stamps = dts if np.isnan(pts).any() else pts
    if not len(stamps) or np.isnan(stamps).any():
        return np.arange(len(pts)) / fps
    known = dts[~np.isnan(dts)]
    begins = np.flatnonzero(~np.isnan(dts))[1:][np.diff(known) < -REWIND_SECONDS]
    parts: list[npt.NDArray[np.float64]] = []
    start_second = 0.0
    for start, stop in pairwise([0, *begins.tolist(), len(stamps)]):
        part = np.sort(stamps[start:stop])
        part += start_second - part[0]
        steps = np.diff(part)
        steps = steps[steps > 0]
        parts.append(part)
        start_second = float(part[-1]) + (float(np.median(steps)) if len(steps) else 1 / fps)
    return np.concatenate(parts)
