"""The interface of every detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from detection.detections import Detections


class Detector(Protocol):
    """Finds vehicles in frames."""

    @property
    def key(self) -> str:
        """Everything that decides the boxes: name, hash of the weights, thresholds, input size. Part of cache keys."""

    def detect(self, frames: Sequence[npt.NDArray[np.uint8]]) -> list[Detections]:
        """Boxes of vehicles in each of `frames` ((h, w, 3) BGR uint8, all of one size).

        Returns one table per frame, whose `frame` column holds the position in `frames`, counted from 1.
        """
