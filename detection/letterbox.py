"""Fitting frames into a network's input, and boxes back into the frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

# The grey that the YOLO family pads with in training.
_GREY = 114


@dataclass(frozen=True)
class Letterbox:
    """Scales a frame to fit and centres it on grey, as the YOLO family does; or stretches it to fill the input.

    Attributes:
        frame: (height, width) of the frames.
        network: (height, width) of the network's input.
        ratio: pixels of the input per pixel of the frame, along the height and along the width.
    """

    frame: tuple[int, int]
    network: tuple[int, int]
    ratio: tuple[float, float]

    @classmethod
    def within(cls, frame: tuple[int, int], network: tuple[int, int]) -> Letterbox:
        """The frame as large as it fits into an input of a given size."""
        ratio = min(network[0] / frame[0], network[1] / frame[1])
        return cls(frame, network, (ratio, ratio))

    @classmethod
    def smallest(cls, frame: tuple[int, int], longest: int, stride: int) -> Letterbox:
        """The smallest input whose sides are multiples of `stride` and that holds the frame scaled to `longest`.

        A 16:9 frame at 640 gets 384 x 640: 0.6 of the work of the square, for the same boxes.
        """
        longest = -(-longest // stride) * stride
        square = cls.within(frame, (longest, longest))
        height, width = (-(-side // stride) * stride for side in square.scaled)
        return cls(frame, (height, width), square.ratio)

    @classmethod
    def stretched(cls, frame: tuple[int, int], network: tuple[int, int]) -> Letterbox:
        """The frame stretched to the whole input, whatever its shape: what RT-DETR is trained on."""
        return cls(frame, network, (network[0] / frame[0], network[1] / frame[1]))

    @cached_property
    def scaled(self) -> tuple[int, int]:
        """(height, width) of the frame inside the input."""
        return max(round(self.frame[0] * self.ratio[0]), 1), max(round(self.frame[1] * self.ratio[1]), 1)

    def apply(self, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """(height, width, 3) uint8 of the network's size from one of the frame's size."""
        top, left = self._corner
        height, width = self.scaled
        resized = frame if self.frame == self.scaled else cv2.resize(frame, (width, height))
        if self.scaled == self.network:
            return np.ascontiguousarray(resized, np.uint8)
        picture = np.full((*self.network, 3), _GREY, np.uint8)
        picture[top : top + height, left : left + width] = resized
        return picture

    def undo(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Boxes (n, 4), left, top, right, bottom, from the input's pixels to the frame's, clipped to the frame."""
        top, left = self._corner
        corners = (boxes - np.array([left, top, left, top], np.float32)) / np.array(self.ratio[::-1] * 2, np.float32)
        limits = np.array(self.frame[::-1] * 2, np.float32)
        clipped: npt.NDArray[np.float32] = np.clip(corners, 0, limits).astype(np.float32, copy=False)
        return clipped

    @property
    def _corner(self) -> tuple[int, int]:
        # Half the padding, rounded down where it is odd, as in training.
        height, width = self.scaled
        return round((self.network[0] - height) / 2 - 0.1), round((self.network[1] - width) / 2 - 0.1)
