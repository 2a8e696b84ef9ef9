"""What every source of numbered frames offers, whatever it reads from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Frame = tuple[int, npt.NDArray[np.uint8]]
"""A frame's number, counted from 1, and its picture (height, width, 3) BGR uint8."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video says of itself before it is read.

    Attributes:
        width, height: size of a frame in pixels, after the rotation that a phone's video asks for.
        fps: frames per second, the average over the file where the rate varies (see `Video.times`).
        frames: number of frames that the container announces; 0 where it announces none.
        timed: false where the file holds no time stamps and declares no rate, so that `fps` is a guess.
    """

    width: int
    height: int
    fps: float
    frames: int
    timed: bool = True


@dataclass(slots=True)
class VideoStats:
    """What became of a video's frames; filled while it is read.

    Attributes:
        expected: frames that should be there: announced by the container or found in it, whichever is more.
        decoded: frames that could be read (including those that were skipped on request).
        broken: frames that exist but cannot be decoded completely.
    """

    expected: int = 0
    decoded: int = 0
    broken: int = 0

    @property
    def lost(self) -> int:
        """Frames that should be there and could not be read: broken ones and those beyond an early end."""
        return max(self.expected - self.decoded, self.broken)


class Video(Protocol):
    """A video that can be read, any number of times, from its first frame on."""

    @property
    def info(self) -> VideoInfo:
        """Size, rate and announced length."""

    @property
    def stats(self) -> VideoStats:
        """What became of the frames in the latest complete reading by `frames`."""

    def frames(
        self, *, first: int = 1, last: int | None = None, step: int = 1, wanted: Collection[int] | None = None
    ) -> Iterator[Frame]:
        """Yield (number, picture) in display order; the picture is (height, width, 3) BGR uint8 and the caller's own.

        A frame that cannot be decoded is left out and counted; the frames after it keep their numbers.

        Args:
            first: the first number wanted, counted from 1.
            last: the last number wanted; reading ends there.
            step: every how many frames one is wanted. Others are decoded but not converted.
            wanted: where given, only these numbers, besides the conditions above.
        """

    def times(self) -> npt.NDArray[np.float64]:
        """(n,) seconds of each frame since the first, as the container says; n is the number of frames found."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which frame numbers a reader wants; the arguments of `Video.frames`."""

    first: int
    last: int | None
    step: int
    wanted: frozenset[int] | None

    @classmethod
    def of(cls, first: int, last: int | None, step: int, wanted: Collection[int] | None) -> Selection:
        """The selection; `last` is lowered to the largest wanted number, so that reading ends early."""
        if first < 1 or step < 1:
            raise ValueError(f"first and step count from 1, not {first} and {step}")
        numbers = None if wanted is None else frozenset(int(n) for n in wanted)
        if numbers is not None:
            last = min(max(numbers, default=0), last) if last is not None else max(numbers, default=0)
        return cls(first, last, step, numbers)

    def __contains__(self, number: int) -> bool:
        return (
            number >= self.first
            and (number - self.first) % self.step == 0
            and (self.wanted is None or number in self.wanted)
        )

    def ends_before(self, number: int) -> bool:
        """Whether nothing from `number` on is wanted."""
        return self.last is not None and number > self.last
