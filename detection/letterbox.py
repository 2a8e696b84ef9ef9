"""Fitting a frame into a network's input without changing its shape, and boxes back into the frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

_GREY = 114


@dataclass(frozen=True)
class Letterbox:
    """Scales a frame to fit and centres it on grey: the convention of the YOLO family.

    Attributes:
        frame: (height, width) of the frames.
        network: (height, width) of the network's input.
    """

    frame: tuple[int, int]
    network: tuple[int, int]

    @classmethod
    def smallest(cls, frame: tuple[int, int], longest: int, stride: int) -> Letterbox:
        """The smallest input whose sides `stride` divides and whose longer side holds the frame scaled to `longest`.

        A 16:9 picture at 640 gets 384 x 640: 0.6 of the work of the square, for the same boxes.
        """
        longest = -(-longest // stride) * stride
        height, width = cls(frame, (longest, longest)).scaled
        return cls(frame, (-(-height // stride) * stride, -(-width // stride) * stride))

    @cached_property
    def scaled(self) -> tuple[int, int]:
        """(height, width) of the picture inside the input."""
        return max(round(self.frame[0] * self._ratio), 1), max(round(self.frame[1] * self._ratio), 1)

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
        corners = (boxes - np.array([left, top, left, top], np.float32)) / np.float32(self._ratio)
        limits = np.array(self.frame[::-1] * 2, np.float32)
        clipped: npt.NDArray[np.float32] = np.clip(corners, 0, limits).astype(np.float32, copy=False)
        return clipped

    @property
    def _ratio(self) -> float:
        return min(self.network[0] / self.frame[0], self.network[1] / self.frame[1])

    @property
    def _corner(self) -> tuple[int, int]:
        # Half the padding, rounded down where it is odd, as in training.
        height, width = self.scaled
        return round((self.network[0] - height) / 2 - 0.1), round((self.network[1] - width) / 2 - 0.1)
